"""The pages of `file` in a real browser: what they fetch, and what they look like."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import browser
from browser import CountingServer
from file_pages import mail, sender, written
from oauth_servers import need
from postroom import Attachment

SQUARE = b'<svg xmlns="http://www.w3.org/2000/svg" width="50" height="50"><rect width="50" height="50"/></svg>'
# What a browser loads by itself, or when somebody is tricked into a click; {} is the server.
LOADING = """
<html><head>
<link rel=stylesheet href={}/link.css><LINK
rel="preconnect" href="{}"><link/rel=prefetch href={}/prefetch><link rel=preload as=image href={}/preload>
<link rel=icon href={}/icon><link rel=dns-prefetch href={}><link rel=modulepreload href={}/module>
<meta http-equiv=refresh content="0;url={}/refresh">
<style>@import url({}/import.css); @font-face {font-family: x; src: url({}/font)}
body {font-family: x; background: url({}/background); cursor: url({}/cursor), auto}</style></head>
<body background={}/body><p style="background: url({}/inline); list-style-image: url({}/list)">Hello
<img src={}/image srcset="{}/set 2x"><picture><source srcset={}/source><img></picture>
<video src={}/video poster={}/poster autoplay></video><audio src={}/audio autoplay></audio>
<object data={}/object></object><object type=text/html data={}/page></object><embed src={}/embed>
<iframe src={}/frame></iframe><iframe srcdoc="<img src={}/nested>&lt;link rel=preconnect href={}&gt;"></iframe>
<svg><image href={}/svg /><foreignObject><IFRAME src={}/deep></IFRAME></foreignObject></svg>
<input type=image src={}/input><script src={}/script></script>
<script>new Image().src = "{}/run"</script>
<img src=x onerror="new Image().src='{}/error'">
<script type=speculationrules>{"prefetch": [{"urls": ["{}/rules"]}]}</script>
<form action={}/form><input autofocus onfocus="this.form.submit()"></form><a href={}/link ping={}/ping>A link</a>
</body></html>
"""
FRAMES = "<html><frameset cols='50%,50%'><frame src={}/left><FRAME src={}/right></frameset></html>"


@pytest.fixture
def counting() -> Iterator[CountingServer]:
    """Run a server that a mail refers to."""
    need(browser.missing_parts())
    with CountingServer() as server:
        yield server


@pytest.mark.parametrize("html", [LOADING, FRAMES], ids=["loading", "frames"])
def test_a_page_fetches_nothing(tmp_path: Path, counting: CountingServer, html: str) -> None:
    """Whatever a mail refers to, neither its preview nor the index asks for it, or even connects."""
    preview = written(
        tmp_path, mail(html=html.replace("{}", counting.url), subject=f"<img src={counting.url}/subject>")
    )
    browser.show(preview, tmp_path / "preview.png")
    browser.show(tmp_path / "index.html", tmp_path / "index.png")
    assert (counting.paths, counting.connections) == (set(), 0)


def test_a_setting_lets_a_page_fetch_what_it_shows(tmp_path: Path, counting: CountingServer) -> None:
    """With `remote`, images, styles, fonts and media are loaded; scripts, frames and forms are still dead."""
    preview = written(tmp_path, mail(html=LOADING.replace("{}", counting.url)), remote="true")
    browser.show(preview, tmp_path / "preview.png")
    shown = {"/link.css", "/import.css", "/font", "/background", "/inline", "/source", "/svg", "/video", "/audio"}
    assert counting.paths >= shown
    dead = {"/refresh", "/object", "/page", "/embed", "/frame", "/deep", "/script", "/run", "/error", "/form", "/rules"}
    assert not counting.paths & (dead | {"/link", "/ping", "/module"})


@pytest.mark.parametrize(
    ("html", "without"),
    [
        ("<img width=50 height=50 src='cid:a'>", "<img width=50 height=50 src='cid:b'>"),
        ("<style>p { color: red }</style><p>Hello", "<p>Hello"),
        ("<p style='color: red'>Hello", "<p>Hello"),
    ],
)
def test_what_a_mail_brings_itself_is_shown(tmp_path: Path, html: str, without: str) -> None:
    """The policy lets through its images and styles: without them, the page looks different."""
    need(browser.missing_parts())
    image = Attachment("a.svg", SQUARE, "image/svg+xml", content_id="a", inline=True)
    looks = set()
    for name, each in (("with", html), ("without", without), ("again", html)):
        preview = written(tmp_path / name, mail(html=each, attachments=[image]))
        browser.show(preview, tmp_path / f"{name}.png")
        looks.add((tmp_path / f"{name}.png").read_bytes())
    assert len(looks) == 2


def test_the_newest_mail_is_on_top_of_the_index(tmp_path: Path) -> None:
    """A picture has the top of a page only: of two folders that differ in their last mail, the pictures differ."""
    need(browser.missing_parts())
    pictures = []
    for name in ("a", "b"):
        with sender(tmp_path / name) as made:
            for number in range(60):
                made.send(mail(subject="Same", id=f"{number}"))
            made.send(mail(subject=f"Last of {name}", id="last"))
        browser.show(tmp_path / name / "index.html", tmp_path / f"{name}.png")
        pictures.append((tmp_path / f"{name}.png").read_bytes())
    assert pictures[0] != pictures[1]
