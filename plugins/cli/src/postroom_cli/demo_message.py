"""The demo's mail: text, HTML with a picture in it, and an attachment, to people in To, Cc and Bcc."""

from postroom import Attachment, MailMessage
from postroom_cli.postmark import postmark

_TEXT = """\
Hello Grace,

this mail went through a real SMTP server: STARTTLS, login, envelope, the lot.
It has a text, an HTML body with a picture, and a file. Café, naïve, 你好 and ✉ arrive as they left.

postroom
"""

_HTML = """\
<!doctype html>
<html lang="en">
<body style="margin:0;padding:32px;background:#f3efe6;font-family:Georgia,serif;color:#222">
  <div style="max-width:520px;margin:auto;padding:32px;background:#fff;border:1px solid #d9d2c3;border-radius:6px">
    <img src="cid:postmark" alt="A postmark" width="240" height="120" style="display:block;margin-left:auto">
    <h1 style="font-size:24px;font-weight:normal;color:#24428c">Hello Grace,</h1>
    <p>this mail went through a real SMTP server: STARTTLS, login, envelope, the lot.</p>
    <p>It has a text, an HTML body with a picture, and a file.
       <em>Café, naïve, 你好</em> and ✉ arrive as they left.</p>
    <p style="color:#777">postroom</p>
  </div>
</body>
</html>
"""

_POSTAGE = """\
weight in g,price in cent
20,95
50,110
500,180
1000,290
"""


def message() -> MailMessage:
    """Return the mail. Nobody in it exists: RFC 2606 keeps these domains free."""
    return MailMessage(
        to="Grace Hopper <grace@example.com>",
        cc="Zoë Müller <zoe@example.com>",
        bcc="archive@example.com",
        subject="Hello from postroom ✉",
        text=_TEXT,
        html=_HTML,
        attachments=[
            Attachment("postmark.png", postmark(), content_id="postmark", inline=True),
            Attachment("postage.csv", _POSTAGE.encode(), "text/csv; charset=utf-8"),
        ],
    )
