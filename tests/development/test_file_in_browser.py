"""The pages of `file` in a real browser: what they fetch, and what they look like."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import browser
from browser import CountingServer
from file_pages import mail, sender, written
from oauth_servers import need
from postroom import Attachment

SQUARE = b'<svg xmlns="http://www.w3.org/2000/svg" width="50" height="50" style="background: #f0f"/>'
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
    browser.show(preview)
    browser.show(tmp_path / "index.html")
    assert (counting.paths, counting.connections) == (set(), 0)


def test_a_setting_lets_a_page_fetch_what_it_shows(tmp_path: Path, counting: CountingServer) -> None:
    """With `remote`, images, styles, fonts and media are loaded; scripts, frames and forms are still dead."""
    preview = written(tmp_path, mail(html=LOADING.replace("{}", counting.url)), remote="true")
    browser.show(preview)
    shown = {"/link.css", "/import.css", "/font", "/background", "/inline", "/source", "/svg", "/video", "/audio"}
    assert counting.paths >= shown
    dead = {"/refresh", "/object", "/page", "/embed", "/frame", "/deep", "/script", "/run", "/error", "/form", "/rules"}
    assert not counting.paths & (dead | {"/link", "/ping", "/module"})


@pytest.mark.parametrize(
    ("html", "pixels"),
    [
        ("<img src='cid:a'>", 2500),
        ("<img width=50 height=50 src='cid:b'>", 0),
        ("<style>div { background: #f0f; width: 50px; height: 50px }</style><div></div>", 2500),
        ("<div style='background: #f0f; width: 50px; height: 50px'></div>", 2500),
    ],
)
def test_what_a_mail_brings_itself_is_shown(tmp_path: Path, html: str, pixels: int) -> None:
    """The policy lets through its images and styles: a square of 50 pixels has its colour."""
    need(browser.missing_parts())
    image = Attachment("a.svg", SQUARE, "image/svg+xml", content_id="a", inline=True)
    picture = browser.show(written(tmp_path, mail(html=html, attachments=[image])))
    assert sum(line.count((255, 0, 255)) for line in picture) == pixels


def test_the_last_mail_is_on_top_of_the_index(tmp_path: Path) -> None:
    """The only long subject of many is drawn at the top of the page if it came last, and below all others if first."""
    need(browser.missing_parts())
    long = []
    for name, at in (("first", 0), ("last", 60)):
        with sender(tmp_path / name) as made:
            for number in range(61):
                made.send(mail(subject="W" * 200 if number == at else "W", id=f"{number}"))
        picture = browser.show(tmp_path / name / "index.html")
        lines = [sum(blue > red + 100 for red, _, blue in line) for line in picture]  # pixels of links
        long.append(max(lines) > 100)
    assert long == [False, True]
