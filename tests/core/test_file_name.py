"""Names of attached files: what is sent of them, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom import Attachment, MailMessage, MailMessageError


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("~/.ssh/id_rsa", "id_rsa"),
        ("file:///etc/passwd", "passwd"),
        ("a//b.txt", "b.txt"),
        ("..\\..\\win.ini", "win.ini"),
        ("a/b\\c.txt", "c.txt"),
        ("a\\b/c.txt", "c.txt"),
        ("C:\\x", "x"),
        ("C:x.txt", "x.txt"),
        ("c: x.txt", "x.txt"),
        ("C:\\a\\D:x.txt", "x.txt"),
        ("\\\\server\\share\\x.txt", "x.txt"),
        ("\\\\?\\C:\\x.txt", "x.txt"),
        ("x.txt.", "x.txt"),
        ("x.txt. . .", "x.txt"),
        (" x.txt ", "x.txt"),
        ("a/ x.txt", "x.txt"),
        (".htaccess", ".htaccess"),
        ("..x", "..x"),
        ("..%2f..%2fx", "..%2f..%2fx"),
        ("console.txt", "console.txt"),
        ("com10.txt", "com10.txt"),
        ("my.con", "my.con"),
        ("Übersicht, Nr. 1 (2) [#&'].pdf", "Übersicht, Nr. 1 (2) [#&'].pdf"),
    ],
)
def test_the_last_part_of_a_name_is_sent(given: str, sent: str) -> None:
    """No folder, drive, or what Windows leaves out at the end of a name goes out, whatever the provider."""
    assert Attachment(given, b"").filename == sent


@pytest.mark.parametrize(
    "given", [".", "..", "...", ". .", "/", "a/", "a\\", "a/..", "a/ ", "C:", "C:\\", "a/b:", "C:..", "a/\u3000"]
)
def test_a_name_of_which_nothing_is_left_is_refused(given: str) -> None:
    """A folder is no file."""
    with pytest.raises(MailMessageError, match="names a folder: nothing is left of it to send"):
        Attachment(given, b"")


@pytest.mark.parametrize(
    "given",
    [
        *(
            "CON",
            "con",
            "PRN",
            "aux",
            "NUL",
            "nul.",
            "nul.txt",
            "nul .txt",
            "Nul.tar.gz",
            "a/nul",
            "C:\\aux.c",
            "C:con",
        ),
        *("COM1", "com1.txt", "COM0", "COM\u00b2", "LPT9", "lpt3.pdf", "CONIN$", "conout$.txt", "CLOCK$"),
    ],
)
def test_a_device_of_windows_is_refused(given: str) -> None:
    """There is no such file on Windows, whatever its extension."""
    with pytest.raises(MailMessageError, match="is a device of Windows, which cannot save it: use another name"):
        Attachment(given, b"")


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("a.txt:b.exe", "a.txt_b.exe"),
        ("a.txt::$DATA", "a.txt__$DATA"),
        ("10:30.txt", "10_30.txt"),
        ("2026-11-30T10:30:00.csv", "2026-11-30T10_30_00.csv"),
        ("Re: hello.eml", "Re_ hello.eml"),
        ("C:D:x", "D_x"),
    ],
)
def test_a_colon_that_is_no_drive_becomes_an_underscore(given: str, sent: str) -> None:
    """Windows would save the content in a stream of another file, where nobody sees it."""
    assert Attachment(given, b"").filename == sent


@given(st.text(st.sampled_from("aC:/\\. \u00a0\u3000") | st.characters(), min_size=1, max_size=12))
def test_what_is_sent_is_sent_again_as_it_is(given: str) -> None:
    """A name leads nowhere, and a message that a task queue carries has the same names afterwards."""
    try:
        file = Attachment(given, b"")
    except MailMessageError:
        return
    assert not set("/\\:") & set(file.filename)
    assert file.filename.strip(" .")
    assert file.filename[-1] not in " ."
    assert file.filename in given.replace(":", "_")
    message = MailMessage("a@example.com", "s", "h", attachments=[file])
    assert MailMessage.from_dict(message.to_dict()).attachments == (file,)
