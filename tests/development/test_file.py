"""`file`: what is written, that it opens elsewhere, and that nothing in a message does harm there."""

import datetime
import logging
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from email.header import decode_header, make_header
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings

from file_pages import MOMENT, PNG, Page, eml, index, listed, mail, names, sender, written
from message_strategies import messages
from postroom import (
    Address,
    Attachment,
    MailMessage,
    MailSenderFactory,
    MailSendError,
    MailSettingsError,
    Outcome,
)
from postroom_file.preview import with_images

# --- what is there -----------------------------------------------------------------------------------------------


def test_two_variables_are_enough(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """`MAIL_TYPE` and `MAIL_FILE_DIR` make a sender; the log says where its mails are."""
    caplog.set_level(logging.INFO)
    environ = {"MAIL_TYPE": "file", "MAIL_FILE_DIR": str(tmp_path / "mails")}
    made = MailSenderFactory.create_from_dify_config(None, environ=environ)
    assert made is not None
    made.send(mail(from_="ada@example.com"))
    assert (tmp_path / "mails" / "index.html").exists()
    assert f"dir={tmp_path / 'mails'}" in caplog.text


def test_a_misspelt_variable_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A variable that begins like the provider's and is none of them is named with the one that was meant."""
    environ = {"MAIL_TYPE": "file", "MAIL_FILE_DIR": str(tmp_path), "MAIL_FILE_DIRS": "x", "FILE_LIMIT": "3"}
    MailSenderFactory.create_from_dify_config(None, environ=environ)
    assert [record.getMessage() for record in caplog.records] == [
        "mail: file: MAIL_FILE_DIRS is none of its settings; did you mean MAIL_FILE_DIR?"
    ]


def test_a_folder_is_required() -> None:
    """Without a folder, or with an impossible name, there is no sender."""
    with pytest.raises(MailSettingsError, match=r"dir is required: set dir \(MAIL_FILE_DIR\)"):
        MailSenderFactory.create_from_dify_config(None, environ={"MAIL_TYPE": "file"})
    with pytest.raises(MailSettingsError, match="dir must hold no control characters"):
        sender(Path("a\0b"))


def test_a_message_is_a_mail_a_preview_and_a_line_of_the_index(tmp_path: Path) -> None:
    """The files have the date and the id in their names, and nothing else is left in the folder."""
    preview = written(tmp_path, mail())
    stem = "20260301T123005Z-one"
    assert preview == tmp_path / f"{stem}.html"
    assert names(tmp_path) == [f"{stem}.eml", f"{stem}.html", "index.html"]


def test_the_receipt_says_who_would_have_got_it(tmp_path: Path) -> None:
    """Everybody counts as accepted, and the receipt leads to the preview."""
    receipt = sender(tmp_path).deliver(mail(cc="b@example.com", bcc="c@example.com"))
    assert receipt.accepted == ("grace@example.com", "b@example.com", "c@example.com")
    assert (receipt.provider, receipt.outcome) == ("file", Outcome.ACCEPTED)
    assert receipt.provider_id == str(tmp_path / "20260301T123005Z-one.html")


def test_building_and_asking_does_not_touch_the_disk(tmp_path: Path) -> None:
    """The folder is made with the first mail."""
    made = sender(tmp_path / "a" / "b")
    assert made.is_configured()
    assert names(tmp_path) == []
    assert not (tmp_path / "a").exists()
    made.send(mail())
    assert (tmp_path / "a" / "b" / "index.html").exists()


def test_a_relative_folder_is_where_the_application_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An application that changes its working directory later goes on writing into the same folder."""
    monkeypatch.chdir(tmp_path)
    made = sender(Path("mails"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    made.send(mail())
    assert (tmp_path / "mails" / "index.html").exists()


def test_the_same_message_again_replaces_its_files(tmp_path: Path) -> None:
    """A second attempt is the same mail, and is listed once."""
    message = mail(attachments=[Attachment("a.txt", b"a")])
    with sender(tmp_path) as made:
        made.send(message)
        before = names(tmp_path)
        made.send(message)
    assert names(tmp_path) == before
    assert len(listed(tmp_path)) == 1


def test_ids_that_a_file_system_might_take_for_one_have_files_of_their_own(tmp_path: Path) -> None:
    """Ids that differ in case, or in what a file name cannot hold, do not meet; long ones fit."""
    ids = ["a", "A", "a/b", "a*b", "a_b", "a.b", "x" * 200, "y" * 200]
    with sender(tmp_path) as made:
        for each in ids:
            made.send(mail(id=each))
    previews = listed(tmp_path)
    assert len({name.lower() for name in previews}) == len(ids)
    assert all(re.fullmatch(r"20260301T123005Z-[a-z0-9._]+\.html", name) for name in previews)


# --- the mail ----------------------------------------------------------------------------------------------------


def test_the_mail_opens_with_all_its_parts(tmp_path: Path) -> None:
    """Headers, text, HTML with its image, and the file are where a mail program looks for them."""
    message = mail(
        to="Günther <g@example.com>",
        cc='"Hopper, Grace" <h@example.com>',
        bcc="secret@example.net",
        reply_to="r@example.com",
        subject="Grüße",
        html='<img src="cid:logo">',
        text="Grüße\n",
        attachments=[
            Attachment("Übersicht.csv", b"1,2", 'text/csv; header="present"'),
            Attachment("logo.png", PNG, content_id="logo", inline=True),
            Attachment("mail.eml", b"Subject: \xff", "message/rfc822"),
        ],
        headers={"List-Unsubscribe": "<https://example.com/u>", "X-Ort": "Köln"},
        tags=["hidden"],
        metadata={"hidden": "hidden"},
    )
    preview = written(tmp_path, message)
    parsed = eml(preview)
    assert [(each.display_name, each.addr_spec) for name in ("To", "Cc") for each in parsed[name].addresses] == [
        ("Günther", "g@example.com"),
        ("Hopper, Grace", "h@example.com"),
    ]
    expected = {
        "From": "ada@example.com",
        "Reply-To": "r@example.com",
        "Subject": "Grüße",
        "Date": "Sun, 01 Mar 2026 12:30:05 +0000",
        "Message-ID": "<one@example.com>",
        "List-Unsubscribe": "<https://example.com/u>",
        "X-Ort": "Köln",
    }
    assert {name: parsed[name] for name in expected} == expected
    assert [part.get_content_type() for part in parsed.walk()] == [
        *("multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"),
        *("text/csv", "application/octet-stream"),
    ]
    image, table, attached = (part for part in parsed.walk() if part.get_filename())
    assert (image["Content-ID"], image.get_content_disposition(), image.get_content()) == ("<logo>", "inline", PNG)
    assert (table.get_filename(), table.get_payload(decode=True)) == ("Übersicht.csv", b"1,2")
    assert dict(table["Content-Type"].params) == {"header": "present", "name": "Übersicht.csv"}
    assert (attached.get_filename(), attached.get_content()) == ("mail.eml", b"Subject: \xff")
    data = preview.with_suffix(".eml").read_bytes()
    assert not re.search(rb"bcc|secret|hidden", data, re.IGNORECASE)


def test_a_file_says_its_charset_and_has_its_name_in_both_headers(tmp_path: Path) -> None:
    """A file in the `.eml` has what it has in a mail that is sent: its charset, and a name that old readers read."""
    files = [Attachment("Grüße 名前.txt", "Grüße".encode()), Attachment("a,b [1].txt", b"ASCII")]
    data = written(tmp_path, mail(attachments=files)).with_suffix(".eml").read_bytes().decode()
    assert "Content-Type: text/plain\r\n" in data
    assert 'filename="a,b [1].txt"' in data
    words = re.search(r'text/plain; charset=utf-8;\r\n name="([^"]*)"', data)
    assert words
    assert str(make_header(decode_header(words[1].replace("\r\n", "")))) == "Grüße 名前.txt"


def test_an_image_without_html_is_a_file(tmp_path: Path) -> None:
    """There is nothing that could show it, so it stands beside the text."""
    image = Attachment("logo.png", PNG, content_id="logo", inline=True)
    parsed = eml(written(tmp_path, mail(attachments=[image])))
    assert [part.get_content_type() for part in parsed.walk()] == ["multipart/mixed", "text/plain", "image/png"]


def test_html_alone_has_its_image_beside_it(tmp_path: Path) -> None:
    """Without a text part, page and image are the whole mail."""
    image = Attachment("logo.png", PNG, content_id="logo", inline=True)
    parsed = eml(written(tmp_path, mail(html="<p>Hi</p>", attachments=[image])))
    assert [part.get_content_type() for part in parsed.walk()] == ["multipart/related", "text/html", "image/png"]


def test_long_headers_are_folded_where_they_have_blanks(tmp_path: Path) -> None:
    """No line is longer than a line may be, and no id is taken apart."""
    ids = " ".join(f"<{'x' * 80}.{number}@example.com>" for number in range(20))
    name = '"Hopper" ' * 100 + "end"
    message = mail(subject="word " * 400 + "end", headers={"References": ids}, to=Address("a", "example.com", name))
    preview = written(tmp_path, message)
    data = preview.with_suffix(".eml").read_bytes()
    assert max(map(len, data.split(b"\r\n"))) <= 998
    parsed = eml(preview)
    assert parsed["References"] == ids
    assert parsed["Subject"] == message.subject
    assert str(make_header(decode_header(unfolded(data)["To"]))) == f"{name} <a@example.com>"


def specs(value: str) -> list[str]:
    """Return the bare addresses of an address header, as RFC 5322 reads it; the standard library stumbles over some."""
    quoted = r'"(?:[^"\\]|\\.)*"'
    items = re.findall(rf'(?:{quoted}|[^",])+', value)
    named = [re.fullmatch(rf'(?:{quoted}|[^"<])*<((?:{quoted}|[^"<>])*)>', item) for item in items]
    return [match[1] if match else item.strip() for match, item in zip(named, items, strict=True)]


def unfolded(data: bytes) -> dict[str, str]:
    """Return the headers of a mail as they stand, without the line ends inside them."""
    head = re.sub(rb"\r\n(?=[ \t])", b"", data.partition(b"\r\n\r\n")[0]).decode()
    lines = (line.partition(":") for line in head.split("\r\n"))
    return {name: value.strip(" ") for name, _, value in lines}


def same(text: str | None) -> str | None:
    """Return a body with one kind of line end, and none at its end, where a mail may have one more."""
    return None if text is None else re.sub(r"\r\n|\r", "\n", text).rstrip("\n")


@settings(max_examples=75, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(messages(ascii_only=False))
def test_any_message_is_a_mail_that_reads_the_same(message: MailMessage) -> None:
    """Whatever the model takes has its subject, recipients, bodies and files in the mail, and a preview."""
    with tempfile.TemporaryDirectory() as folder:
        preview = written(Path(folder), message)
        data = preview.with_suffix(".eml").read_bytes()
        parsed = eml(preview)
        page = Page.of(preview)
        (link,) = listed(Path(folder))
    assert parsed["Subject"] == message.subject
    assert parsed["Message-ID"] == message.message_id
    raw = unfolded(data)
    for name, mailboxes in (("To", message.to), ("Cc", message.cc), ("Reply-To", message.reply_to)):
        assert specs(raw.get(name, "")) == [each.spec for each in mailboxes]
    assert max(map(len, data.partition(b"\r\n\r\n")[0].split(b"\r\n"))) <= 998
    for kind, text in (("plain", message.text), ("html", message.html)):
        part = parsed.get_body((kind,))
        assert same(None if part is None else part.get_content()) == same(text)
    files = [part for part in parsed.walk() if part["Content-Disposition"]]
    meant = sorted(message.attachments, key=lambda each: not each.inline and message.html is not None)
    assert [part["Content-Disposition"].params["filename"] for part in files] == [each.filename for each in meant]
    assert [part.get_payload(decode=True) for part in files] == [each.content for each in meant]
    assert parsed.defects == []
    assert page.text("h1") == [message.subject]
    assert link == preview.name


# --- the preview -------------------------------------------------------------------------------------------------


def test_the_preview_shows_the_whole_message(tmp_path: Path) -> None:
    """Fields, those that no mail shows included, both bodies, and the files as links."""
    message = mail(
        cc="c@example.com",
        bcc="Dora <d@example.com>",
        reply_to="e@example.com",
        html="<p>See below</p>",
        text="\nSee below",
        attachments=[
            Attachment("a table.csv", b"1,2", "text/csv"),
            Attachment("logo.png", PNG, content_id="logo", inline=True),
        ],
        headers={"X-Campaign": "spring"},
        tags=["report", "weekly"],
        metadata={"order": "42"},
        send_at=MOMENT,
    )
    preview = written(tmp_path, message)
    page = Page.of(preview)
    assert page.text("title") == page.text("h1") == ["Hello"]
    assert page.fields == {
        "From": "ada@example.com",
        "To": "grace@example.com",
        "Cc": "c@example.com",
        "Bcc": "Dora <d@example.com>",
        "Reply-To": "e@example.com",
        "Date": "2026-03-01 12:30:05+00:00",
        "Message-ID": "<one@example.com>",
        "X-Campaign": "spring",
        "Tags": "report, weekly",
        "Metadata": "order=42",
        "Send at": "2026-03-01 12:30:05+00:00",
    }
    mail_link, index_link, *files = page.links
    assert (mail_link, index_link) == ("20260301T123005Z-one.eml", "index.html")
    assert [(tmp_path / file).read_bytes() for file in files] == [b"1,2", PNG]
    text = preview.read_text("utf-8")
    assert ">a table.csv</a> (text/csv, 3 bytes)</li>" in text
    assert ">logo.png</a> (image/png, 8 bytes, inline as cid:logo)</li>" in text
    # A browser leaves out the newline behind <pre>.
    assert page.text("pre") == ["\n<p>See below</p>", "\n\nSee below"]


def test_the_html_is_shown_in_a_frame_that_runs_no_script(tmp_path: Path) -> None:
    """The frame has the HTML as it is, runs nothing, and opens links outside of it; the page forbids scripts, too."""
    html = '<!doctype html><script>alert(1)</script><p title=\'"\'>&amp;lt; "Hi"</p>'
    page = Page.of(written(tmp_path, mail(html=html)))
    (frame,) = page.all("iframe")
    assert frame["srcdoc"] == html
    assert frame["sandbox"] == "allow-popups allow-popups-to-escape-sandbox"
    assert page.all("script") == []
    policy = "default-src 'none'; img-src data: cid:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    assert {"http-equiv": "Content-Security-Policy", "content": policy} in page.all("meta")


def test_links_open_a_page_of_their_own_that_learns_nothing(tmp_path: Path) -> None:
    """Whatever a link says itself, it opens in a new tab that has no way back, and no text is changed."""
    html = "<p title='<a b'>x<A\nhref=/1 target=_top rel=opener>1</A><map><area/href=/2></map><abbr>2</abbr></p>"
    (frame,) = Page.of(written(tmp_path, mail(html=html))).all("iframe")
    shown = str(frame["srcdoc"])
    first = re.findall(r"<(?:a|area)\b([^>]*)", shown, re.IGNORECASE)
    assert all(" target=_blank rel=noopener&#32;noreferrer " in each for each in first)
    assert len(first) == 3
    assert shown.replace(" target=_blank rel=noopener&#32;noreferrer ", "") == html


def test_images_of_the_html_are_shown() -> None:
    """References to attached images become the images; whatever else looks like one stays as it is."""
    images = [
        Attachment("a.png", PNG, content_id="a%b&c@example.com", inline=True),
        Attachment("b.svg", b"<svg/>", "image/svg+xml", content_id="b"),
        Attachment("c.png", PNG, 'image/png; name="\'"', content_id="c"),
        Attachment("d.pdf", b"%PDF", content_id="d"),
        Attachment("e.png", PNG),
    ]
    html = "<img src='cid:a%25b&amp;c@example.com'><p style=\"background: url(CID:b)\">cid:c cid:d cid:x acid:b</p>"
    assert with_images(html, images) == (
        "<img src='data:image/png;base64,iVBORw0KGgo='>"
        '<p style="background: url(data:image/svg+xml;base64,PHN2Zy8+)">cid:c cid:d cid:x acid:b</p>'
    )


def test_nothing_in_a_message_becomes_a_part_of_a_page(tmp_path: Path) -> None:
    """Markup in any field is shown as text, on the preview and in the index."""
    evil = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"
    message = mail(
        to=Address(evil, "example.com", evil),
        from_=Address("a<b>\"'", "example.com", evil),
        subject=f"</title>{evil}",
        text=f"</pre>{evil}",
        html=f"</iframe>{evil}",
        attachments=[Attachment(evil, b"x", 'a/b; c="<script>"', content_id="\"'&lt;", inline=True)],
        headers={"X-<script>": evil},
        tags=[evil],
        metadata={evil: evil},
    )
    preview = written(tmp_path, message)
    for path in (preview, tmp_path / "index.html"):
        page = Page.of(path)
        assert {name for name, _ in page.elements} <= {
            *("html", "head", "meta", "title", "style", "body", "h1", "h2", "table", "tr", "th", "td", "p", "a"),
            *("ul", "li", "iframe", "details", "summary", "pre", "div", "span"),
        }
        assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert Page.of(preview).text("h1") == [message.subject]
    assert Page.of(tmp_path / "index.html").text("a")[0] == message.subject


@pytest.mark.parametrize(
    "filename",
    ["../../evil.html", "/etc/passwd", "..\\evil", "C:evil", "a/../../b", "..evil", "x" * 1000 + ".pdf", "名前.pdf"],
)
def test_the_name_of_a_file_does_not_lead_out_of_the_folder(tmp_path: Path, filename: str) -> None:
    """A file is saved under its number and what is harmless in its name; its link has the name that is sent."""
    folder = tmp_path / "mails"
    files = [Attachment(filename, b"x"), Attachment(filename, b"y")]
    preview = written(folder, mail(attachments=files))
    outside = [name for name in names(tmp_path) if not name.startswith("mails/")]
    assert outside == []
    links = Page.of(preview).all("a")[2:]
    assert [link["download"] for link in links] == [file.filename for file in files]
    saved = [folder / unquote(str(link["href"])) for link in links]
    assert [path.read_bytes() for path in saved] == [b"x", b"y"]
    assert {path.parent for path in saved} == {folder / "20260301T123005Z-one.files"}
    assert not filename.endswith(".pdf") or all(path.suffix == ".pdf" for path in saved)


# --- the index ---------------------------------------------------------------------------------------------------


def test_the_index_lists_the_messages_newest_first(tmp_path: Path) -> None:
    """Each has its date, sender, recipients and subject, and links to the preview and the mail."""
    with sender(tmp_path) as made:
        for day in (1, 2, 3):
            date = MOMENT.replace(day=day, tzinfo=datetime.timezone(datetime.timedelta(hours=14)))
            made.send(mail(subject=f"Day {day} & more", id=f"day{day}", date=date))
    people = ("ada@example.com", "grace@example.com")
    days = ((3, "2026-03-02"), (2, "2026-03-01"), (1, "2026-02-28"))
    assert index(tmp_path) == [
        [f"{date} 22:30:05 UTC", *people, f"Day {day} & more", f"{stem}.html", f"{stem}.eml"]
        for day, date in days
        for stem in [f"{date.replace('-', '')}T223005Z-day{day}"]
    ]
    assert all((tmp_path / name).exists() for line in index(tmp_path) for name in line[4:])


def test_the_index_names_the_first_recipients(tmp_path: Path) -> None:
    """Three are named, and the others are counted, so that a line stays a line."""
    people = [f"p{number}@example.com" for number in range(60)]
    written(tmp_path, mail(to=people[:3], id="three"))
    written(tmp_path, mail(to=people, id="sixty", subject="<&\"'>" * 400))
    three = "p0@example.com, p1@example.com, p2@example.com"
    assert [line[2] for line in index(tmp_path)] == [f"{three} and 57 more", three]


def test_an_index_that_was_removed_lists_what_is_there(tmp_path: Path) -> None:
    """The next mail makes it anew: mails that were removed are gone, and files of other people are not in it."""
    written(tmp_path, mail(id="removed")).unlink()
    written(tmp_path, mail(id="first", subject="Grüße & <more>"))
    for name in ("notes.html", "20260301T123005Z-mine.html", "20260301T123005Z-mine.txt"):
        (tmp_path / name).write_text("<title>Mine</title>", encoding="utf-8")
    (tmp_path / "20260301T123005Z-broken.html").symlink_to("nowhere")
    os.mkfifo(tmp_path / "20260301T123005Z-pipe.html")
    (tmp_path / "index.html").unlink()
    written(tmp_path, mail(id="second"))
    assert listed(tmp_path) == ["20260301T123005Z-second.html", "20260301T123005Z-first.html"]
    assert [line[3] for line in index(tmp_path)] == ["Hello", "Grüße & <more>"]


COUNTING = """
import os, sys
from collections import Counter
from pathlib import Path
from postroom import MailMessage, MailSenderFactory

folder, before = sys.argv[1], int(sys.argv[2])
counts = Counter()
sys.addaudithook(lambda event, _: counts.update([event]) if event.startswith(("open", "os.")) else None)

def counted():
    said = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return Counter({name: int(said[name]) for name in ("wchar", "syscr", "syscw")}) + counts

def sender():
    return MailSenderFactory.create_sender("file", {"dir": folder, "default_from": "ada@example.com"})

def send(made, number):
    made.send(MailMessage("grace@example.com", "Your code", text="-", id=f"{number:08}"))

made = sender()
for number in range(before):
    send(made, number)
for number, made in enumerate([made, sender()], start=before):
    start = counted()
    send(made, number)
    spent = counted() - start
    print({name: spent[name] for name in sorted(spent)})
"""


def test_a_mail_costs_the_same_whatever_the_folder_holds(tmp_path: Path) -> None:
    """The files that are opened, the system calls and the octets of a mail are as many behind 5 mails as behind 500."""
    command = [sys.executable, "-c", COUNTING]
    runs = [[*command, str(tmp_path / str(before)), str(before)] for before in (5, 500)]
    few, many = (subprocess.run(each, capture_output=True, check=True, timeout=60).stdout for each in runs)
    assert few == many
    again, anew = few.decode().splitlines()
    assert again == anew, "a new sender, as in a new process, reads nothing of what is there"
    assert "'open': " in again
    assert "'wchar': " in again


PROCESS = """
import sys
from postroom import MailMessage, MailSenderFactory

folder, name = sys.argv[1:]
sender = MailSenderFactory.create_sender("file", {"dir": folder, "default_from": "ada@example.com"})
print("ready", flush=True)
sys.stdin.readline()
for number in range(40):
    sender.send(MailMessage("grace@example.com", f"{name} {number}", text="-"))
"""


def test_two_processes_share_a_folder(tmp_path: Path) -> None:
    """Both write at the same time, and in the end the index lists the mails of both."""
    commands = [[sys.executable, "-c", PROCESS, str(tmp_path / "mails"), name] for name in ("a", "b")]
    processes = [subprocess.Popen(each, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for each in commands]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert_complete(tmp_path / "mails", (f"{name} {number}" for name in "ab" for number in range(40)))


def test_many_threads_share_a_sender(tmp_path: Path) -> None:
    """Eight threads write at the same time, and in the end the index lists the mails of all."""
    made = sender(tmp_path / "mails")
    start = threading.Barrier(8)

    def send(name: int) -> None:
        start.wait()
        for number in range(10):
            made.send(mail(subject=f"{name} {number}", id=f"{name}.{number}"))

    threads = [threading.Thread(target=send, args=[name]) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_complete(tmp_path / "mails", (f"{name} {number}" for name in range(8) for number in range(10)))


def assert_complete(folder: Path, subjects: Iterable[str]) -> None:
    """Assert that the index lists just these mails, that they are there, and that no draft is left."""
    expected = sorted(subjects)
    assert sorted(line[3] for line in index(folder)) == expected
    assert sorted(eml(folder / name)["Subject"] for name in listed(folder)) == expected
    assert len(names(folder)) == 2 * len(expected) + 1


# --- when it cannot be done --------------------------------------------------------------------------------------


def test_a_check_leaves_nothing_but_the_folder(tmp_path: Path) -> None:
    """The check makes the folder and writes into it; nothing of that is left."""
    sender(tmp_path / "mails").check_connection()
    assert list((tmp_path / "mails").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said_with_the_variable(tmp_path: Path) -> None:
    """Check and send say which folder it is, why it cannot be written, and what to set; nothing was sent."""
    (tmp_path / "file").write_text("no folder")
    made = sender(tmp_path / "file" / "mails")
    assert not made.test_connection()
    for call, stage in ((made.check_connection, "check"), (lambda: made.send(mail()), "write")):
        with pytest.raises(MailSendError) as caught:
            call()
        assert str(caught.value) == (
            f"file: cannot write into {str(tmp_path / 'file' / 'mails')!r}: Not a directory. "
            "Set MAIL_FILE_DIR to a folder that this process may write"
        )
        error = caught.value
        assert (error.outcome, error.transient, error.stage) == (Outcome.NOT_SENT, False, stage)


@pytest.fixture
def little_room() -> Iterator[None]:
    """Let this process write no file of more than 4096 octets, as a quota does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_at_the_index_leaves_the_mail_for_a_second_attempt(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """What does not fit into the index is no mail yet, and half a line spoils no other."""
    with sender(tmp_path) as made:
        made.send(mail(id="first"))
        with (tmp_path / "index.html").open("ab") as file:
            file.write(b"\n".ljust(4096 - 100 - file.tell()))
        request.getfixturevalue("little_room")
        with pytest.raises(MailSendError, match="Make room there"):
            made.send(mail(id="second"))
        assert not (tmp_path / "20260301T123005Z-second.html").exists()
        resource.setrlimit(resource.RLIMIT_FSIZE, resource.getrlimit(resource.RLIMIT_FSIZE)[1:] * 2)
        made.send(mail(id="second"))
    lines = (tmp_path / "index.html").read_text("ascii").splitlines()
    assert [line.count("href=20260301T123005Z-second.html>") for line in lines[-2:]] == [0, 1]
    assert lines[-1].startswith("<div>")
    assert lines[-1].endswith("</div>")


def test_a_full_disk_is_said(tmp_path: Path, little_room: None) -> None:
    """The error says that there is no room, that nothing was sent, and that it may pass; no draft is left."""
    folder = tmp_path / "mails"
    with pytest.raises(MailSendError) as caught:
        sender(folder).send(mail(attachments=[Attachment("a", bytes(10_000))]))
    error = caught.value
    assert str(error) == (
        f"file: cannot write into {str(folder)!r}: File too large. "
        "Make room there, or set MAIL_FILE_DIR to a folder that has room"
    )
    assert (error.outcome, error.transient) == (Outcome.NOT_SENT, True)
    assert names(folder) == []
