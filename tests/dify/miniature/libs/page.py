import os


def page(code: str) -> str:
    return f"<p>Your code is <b>{code}</b>.</p><!-- by process {os.getpid()} -->"
