"""What both kinds of pages are made of."""

from html import escape

# The second wall behind the escaping and the sandbox of the frame, which inherits it.
_NO_SCRIPTS = "script-src 'none'; object-src 'none'"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #222; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; overflow-wrap: anywhere; }
th { color: #666; font-weight: normal; white-space: nowrap; }
tr + tr { border-top: 1px solid #ddd; }
iframe { width: 100%; height: 36rem; border: 1px solid #ccc; background: #fff; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid #ccc; padding: 1rem; }
"""


def page(title: str, body: str, *meta: str) -> bytes:
    """Return an HTML page in UTF-8.

    Args:
        title: Its title, as text.
        body: What it shows, as HTML.
        meta: Further elements of its head, as HTML.
    """
    head = "\n".join([f"<title>{escape(title)}</title>", *meta])
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
{head}
<meta http-equiv="Content-Security-Policy" content="{_NO_SCRIPTS}">
<meta name="viewport" content="width=device-width">
<style>{_STYLE}</style>
</head>
<body>
{body}
</body>
</html>
""".encode()
