"""What both kinds of pages are made of."""

from html import escape

# What a page in a browser may do: show itself. The frame of a mail inherits it, so nothing in a mail is fetched, no
# script runs, no frame opens, and no form is sent, whatever gets past the escaping.
SEALED = "default-src 'none'; img-src data: cid:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
# The same, but a mail may fetch its pictures, styles and fonts.
FETCHING = "script-src 'none'; object-src 'none'; frame-src 'none'; form-action 'none'"
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


def beginning(title: str, *meta: str, policy: str = SEALED, style: str = _STYLE) -> str:
    """Return an HTML page up to the beginning of what it shows. What follows may end the page, or leave it open.

    Args:
        title: Its title, as text.
        meta: Further elements of its head, as HTML.
        policy: What the browser may do, as a Content-Security-Policy.
        style: How it looks, as CSS.
    """
    head = "\n".join([f"<title>{escape(title)}</title>", *meta])
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
{head}
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta http-equiv="x-dns-prefetch-control" content="off">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width">
<style>{style}</style>
</head>
<body>
"""
