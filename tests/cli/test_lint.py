"""`postroom lint`: what is wrong with messages and templates, and what only looks like it."""

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from postroom import MailMessage, MailSenderFactory
from postroom_cli.lint import rules as known
from postroom_cli.lint.finding import Check
from postroom_testing import write_distribution

Run = Callable[..., Result]
Rules = Callable[..., list[str]]

ROOT = Path(__file__).parents[2]
KEYS = ["path", "rule", "severity", "what", "remedy", "source"]
HEADERS = {
    "From": "Acme <no-reply@acme.internal>",
    "To": "grace@example.com",
    "Subject": "Hello",
    "Date": "Mon, 2 Mar 2026 10:00:00 +0000",
    "Message-ID": "<1@acme.internal>",
    "Content-Type": "text/plain; charset=utf-8",
}
HTML = "<p>Hello</p>"
BARE_PROVIDER = """
    from postroom import Limit, Provider, SenderSettings, hookimpl

    SHORT = Limit("subjects of 9 characters", lambda m: m.subject[9:] or None, source="https://acme.internal/limits")

    @hookimpl
    def postroom_provider():
        return Provider("bare", SenderSettings, SenderSettings, limits=[SHORT])
"""


def eml(body: str = "Hello\r\n", **headers: str | None) -> bytes:
    """Return a message in which nothing is wrong, with these headers changed; None leaves one out."""
    changed = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}\r\n" for name, value in changed.items() if value is not None]
    return ("".join(lines) + "\r\n" + body).encode()


def html(body: str) -> bytes:
    """Return a message with plain text and this HTML."""
    parts = f"--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b\r\nContent-Type: text/html\r\n\r\n{body}\r\n--b--\r\n"
    return eml(parts, Content_Type='multipart/alternative; boundary="b"')


def attached(*lines: str) -> bytes:
    """Return a message with a file whose part begins with these lines."""
    part = "\r\n".join([*lines, "", "aGVsbG8="])
    parts = f"--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b\r\n{part}\r\n--b--\r\n"
    return eml(parts, Content_Type='multipart/mixed; boundary="b"')


UNSUBSCRIBE = {
    "List_Unsubscribe": "<mailto:u@acme.internal>, <https://acme.internal/u>",
    "List_Unsubscribe_Post": "List-Unsubscribe=One-Click",
}
MESSAGES = [
    (eml(), None),
    (eml().replace(b"\r\n", b"\n"), None),
    (eml("Grüße\r\n", Subject="=?utf-8?q?Gr=C3=BC=C3=9Fe?="), None),
    (eml(Subject="=?klingon?q?x?= =?utf-8?b?a?="), None),
    (html(HTML), None),
    (attached("Content-Type: image/png", "Content-ID: <logo>", "Content-Transfer-Encoding: base64"), None),
    (attached("Content-Type: message/rfc822", "", "Subject: Inner"), None),
    # The structure.
    (eml("x", Content_Type="multipart/mixed; boundary=b"), "broken-mime"),
    (eml("--b\r\n\r\nx\r\n", Content_Type="multipart/mixed; boundary=b"), "broken-mime"),
    (eml("x", Content_Type="text/plain; charset=klingon"), "broken-mime"),
    (eml("Gr\u00fc\u00dfe", Content_Type="text/plain; charset=utf-16"), "broken-mime"),
    (eml("a", Content_Transfer_Encoding="base64"), "broken-mime"),
    (attached("Content-Type: image/png", "Content-Transfer-Encoding: base64", "", "a"), "broken-mime"),
    (eml("x" * 998 + "\r\n"), None),
    (eml("x" * 999 + "\r\n"), "long-line"),
    (eml("x\ry\r\n"), "bare-line-end"),
    (eml("x\ny\r\n"), "bare-line-end"),
    (eml().replace(b"\r\n", b"\n") + b"\r.\n", "bare-line-end"),
    (eml(f"{'x' * 900}\r\n" * 24_000), "large-message"),
    (eml(HTML, Content_Type="text/html"), "no-text-part"),
    # The headers.
    (eml(From=None), "no-from"),
    (eml(From=""), "no-from"),
    (eml(Date=None), "no-date"),
    (eml(Message_ID=None), "no-message-id"),
    (eml(To="grace"), "bad-address"),
    (eml(To="<grace@example.com"), "bad-address"),
    (eml(Cc="grace@example.com, @example.com"), "bad-address"),
    (eml(From="a@b@acme.internal"), "bad-address"),
    (eml(Reply_To="grace@-.com"), "bad-address"),
    (eml(To="grace@example.com (Grace), Team: ada@example.com;"), None),
    (eml(To="=?utf-8?q?J=C3=B6rg?= <joerg@bücher.de>", Cc="undisclosed-recipients:;"), None),
    (eml(To=None), "not-sendable"),
    (eml(Subject=None), "not-sendable"),
    (eml(Subject="=?utf-8?q?Hello=0D=0ABcc:_x@example.com?="), "not-sendable"),
    (eml(X_Note="=?utf-8?q?Hello=0D=0ABcc:_x@example.com?="), "not-sendable"),
    (eml(To="jörg@example.com"), "non-ascii-local-part"),
    (eml(From="no-reply@example.com"), "placeholder-sender"),
    (eml(From="no-reply@mail.example.org"), "placeholder-sender"),
    (eml(From="no-reply@localhost"), "placeholder-sender"),
    (eml(From="no-reply@acme.test"), "placeholder-sender"),
    (eml(From="no-reply@dify.ai"), "placeholder-sender"),
    (eml(From="no-reply@my-example.com"), None),
    (eml(**UNSUBSCRIBE), None),
    (eml(**UNSUBSCRIBE | {"List_Unsubscribe": "\r\n <https://acme.internal/u>"}), None),
    (eml(**UNSUBSCRIBE | {"List_Unsubscribe_Post": None}), "unsubscribe-without-post"),
    (eml(**UNSUBSCRIBE | {"List_Unsubscribe": None}), "post-without-unsubscribe"),
    (eml(**UNSUBSCRIBE | {"List_Unsubscribe": "<mailto:u@acme.internal>"}), "unsubscribe-no-https"),
    (eml(**UNSUBSCRIBE | {"List_Unsubscribe": "<http://acme.internal/u>"}), "unsubscribe-no-https"),
    (eml(**UNSUBSCRIBE | {"List_Unsubscribe_Post": "yes"}), "unsubscribe-post-value"),
]
ELEMENTS = [
    (HTML, None),
    ("<p>" + "x" * (102 * 1024), "html-clipped"),
    ("<p>" + "x" * (101 * 1024), None),
    ("<img src='data:image/png;base64,AAAA'>", "data-image"),
    ("<IMG SRC=data:image/png;base64,AAAA>", "data-image"),
    ("<img src='cid:logo'><img src='https://acme.internal/a.png'><img alt='none'>", None),
    ("<img src='logo.png'>", "relative-image"),
    ("<img alt='a > b' src='/logo.png'/>", "relative-image"),
    ("<img src='//acme.internal/logo.png'>", "relative-image"),
    ("<img src='images/{{ name }}.png'>", "relative-image"),
    ('<img src=\'{{ base }}/logo.png\'><img src="{{ url_for("logo") }}">', None),
    ("<img src='http://acme.internal/logo.png'>", "insecure-image"),
    ("<a href='http://acme.internal/'>x</a>", None),
    ("<script>if (a < b) {}</script>", "script"),
    ("<!-- <script></script> --><p>a < b</p>", None),
    ("{# <script></script> #}{% if a < b %}<p>{% endif %}", None),
    ("<style>a > b {} /* <script> */</style>", None),
    ("<title><script></title>", None),
    ("<p title='<script>'>x</p>", None),
    ("<link rel='stylesheet' href='https://acme.internal/a.css'>", "external-stylesheet"),
    ("<link rel='icon' href='a.png'>", None),
    ("<a href='/reset?t={{ token }}'>x</a>", "relative-link"),
    ("<area href=map.html>", "relative-link"),
    ("<a href='{{ url }}'>x</a><a href='{% if a %}x{% endif %}'>x</a>", None),
    ("<a href='mailto:a@acme.internal'>x</a><a href='tel:1'>x</a><a href='#top'>x</a><a name='top'></a>", None),
    ("<a href=''>x</a>", "empty-link"),
    ('<a href>x</a><a class="b">x</a>', "empty-link"),
    ("<a href=' # '>x</a>", "empty-link"),
]
IN_OTHER_TESTS = {
    *(known.PROVIDER_CAPABILITY, known.PROVIDER_LIMIT, known.FROM_NOT_LOGIN),
    *(known.NOT_UTF_8, known.NO_TEXT_FILE),
}


def checks() -> list[Check]:
    """Return every rule."""
    return [value for value in vars(known).values() if isinstance(value, Check)]


@pytest.fixture
def rules(run: Run, tmp_path: Path) -> Rules:
    """Write a file, look at it, and return the names of the rules that it breaks."""

    def look(name: str, content: bytes, *options: str) -> list[str]:
        (tmp_path / name).write_bytes(content)
        result = run("lint", "--json", *options, str(tmp_path / name))
        findings = json.loads(result.stdout)
        assert all(list(each) == KEYS for each in findings)
        assert result.exit_code == int(any(each["severity"] == "error" for each in findings))
        return [each["rule"] for each in findings]

    return look


def test_every_rule_has_a_case() -> None:
    """Each rule that needs no DNS is provoked in this file."""
    dns = {check for check in checks() if re.match(r"dns-|spf-|dmarc-|dkim-|no-mx|null-mx", check.name)}
    names = {check.name for check in {*checks()} - dns - IN_OTHER_TESTS}
    assert {rule for _, rule in [*MESSAGES, *ELEMENTS] if rule} == names


@pytest.mark.parametrize(("content", "rule"), MESSAGES, ids=range(len(MESSAGES)))
def test_a_message(rules: Rules, content: bytes, rule: str | None) -> None:
    """Each mistake in a message is one finding, and what only looks like one is none."""
    assert rules("mail.eml", content) == ([rule] if rule else [])


@pytest.mark.parametrize(("content", "rule"), ELEMENTS, ids=range(len(ELEMENTS)))
def test_a_template(rules: Rules, tmp_path: Path, content: str, rule: str | None) -> None:
    """Each mistake in a template is one finding, and Jinja's expressions are none."""
    (tmp_path / "mail.txt").write_text("Hello")
    assert rules("mail.html", content.encode()) == ([rule] if rule else [])


def test_the_html_of_a_message(rules: Rules) -> None:
    """The HTML body of a message is looked at like a template."""
    assert rules("mail.eml", html("<img src='a.png'><script></script>")) == ["relative-image", "script"]


def test_the_same_mistake_is_said_once(run: Run, tmp_path: Path) -> None:
    """A mistake that is there many times is one finding, with the line of the first and the number of the others."""
    (tmp_path / "mail.txt").touch()
    (tmp_path / "mail.htm").write_text("<p>\n{#\n#}<a href=''></a>\n<a href=''></a><a href=''></a>")
    assert "line 3 of the HTML: a link that leads nowhere, and 2 more" in run("lint", str(tmp_path)).stdout


def test_a_template_that_is_not_utf_8(rules: Rules, tmp_path: Path) -> None:
    """Another encoding is an error; a byte order mark is none."""
    (tmp_path / "mail.txt").touch()
    assert rules("mail.html", "<p>Grüße</p>".encode("latin-1")) == ["not-utf-8"]
    assert rules("mail.html", "<p>Grüße</p>".encode("utf-8-sig")) == []


def test_a_template_without_text(rules: Rules, tmp_path: Path) -> None:
    """The plain text is looked for beside the template."""
    assert rules("mail.html", HTML.encode()) == ["no-text-file"]
    (tmp_path / "mail.txt").touch()
    assert rules("mail.html", HTML.encode()) == []


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, []),
        ({"SMTP_USERNAME": "no-reply@acme.internal"}, []),
        ({"SMTP_USERNAME": "grace"}, []),
        ({"SMTP_USERNAME": "no-reply@other.internal"}, ["from-not-login"]),
        ({"SMTP_USERNAME": "grace", "MAIL_DEFAULT_SEND_FROM": "a@other.internal"}, ["from-not-login"]),
        ({"SMTP_USERNAME": "a@acme.internal", "MAIL_DEFAULT_SEND_FROM": "a@other.internal"}, []),
        ({"SMTP_USERNAME": "a@other.internal", "MAIL_TYPE": "resend"}, []),
        ({"SMTP_USERNAME": "a@other.internal", "MAIL_TYPE": "smtp"}, ["from-not-login"]),
    ],
)
def test_the_sender_and_the_login(
    rules: Rules, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: list[str]
) -> None:
    """From is at the domain of the login, or where the login is no address, of the configured sender."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert rules("mail.eml", eml()) == expected


def test_the_limits_of_the_provider(rules: Rules, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each limit of the provider that MAIL_TYPE names is a finding, with the page that it comes from."""
    crowd = ", ".join(f"a{number}@acme.internal" for number in range(51))
    content = eml(To=crowd.replace(", ", ",\r\n "), From="=?utf-8?q?=3D=3F?= <a@acme.internal>")
    assert rules("mail.eml", content) == []
    monkeypatch.setenv("MAIL_TYPE", "resend")
    assert rules("mail.eml", content) == ["provider-limit", "provider-limit"]
    found = json.loads(run("lint", "--json", str(tmp_path / "mail.eml")).stdout)
    assert found[0]["what"] == "resend takes at most 50 addresses in to; this message has 51"
    assert found[0]["source"] == "https://resend.com/docs/api-reference/emails/send-email"
    assert rules("mail.eml", content, "--provider", "sendgrid") == []


def test_what_the_provider_does_not_carry(rules: Rules, site: Path) -> None:
    """Each part that the provider does not declare is a finding, beside the limits that are broken."""
    write_distribution(site, "acme-bare", {"bare": "bare_plugin"}, modules={"bare_plugin": BARE_PROVIDER})
    assert rules("mail.eml", eml(), "--provider", "bare") == []
    assert rules("mail.eml", eml(X_Note="x"), "--provider", "bare") == ["provider-capability"]
    image = attached("Content-Type: image/png", "Content-Disposition: inline", "Content-ID: <logo>")
    for content in (image, attached("Content-Type: image/png")):
        longer = content.replace(b"Subject: Hello", b"Subject: Hello again")
        assert rules("mail.eml", longer, "--provider", "bare") == ["provider-capability", "provider-limit"]


def test_a_message_without_sender_is_sent_from_the_default(rules: Rules, monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider's rules are for the message as it goes out, with the configured sender."""
    monkeypatch.setenv("MAIL_DEFAULT_SEND_FROM", "=?x <a@acme.internal>")
    assert rules("mail.eml", eml(From=None), "--provider", "resend") == ["no-from", "provider-limit"]


@pytest.mark.parametrize(("options", "said"), [((), True), (("--provider", "smtp-basic"), False)])
def test_without_provider_one_line_says_so(run: Run, tmp_path: Path, options: tuple[str, ...], *, said: bool) -> None:
    """Where no provider is known, its rules are left out, and that is said on standard error."""
    (tmp_path / "mail.eml").write_bytes(eml())
    result = run("lint", *options, str(tmp_path))
    assert (result.exit_code, result.stdout) == (0, "1 file read, nothing wrong\n")
    assert result.stderr.startswith("note: MAIL_TYPE is not set") is said
    assert len(result.stderr.splitlines()) == int(said)


def test_a_folder_is_searched(run: Run, tmp_path: Path) -> None:
    """Messages and templates in a folder are read in order, each once; other files are left alone."""
    (tmp_path / "b").mkdir()
    for name in ("z.EML", "b/a.eml", "b/c.eml", "b/c.eml.bak", "notes.txt"):
        (tmp_path / name).write_bytes(eml(Date=None))
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    (tmp_path / "gone.eml").symlink_to(tmp_path / "nowhere")
    result = run("lint", str(tmp_path / "b" / "c.eml"), str(tmp_path))
    places = [line.partition(": ")[0] for line in result.stdout.splitlines()[:-1:2]]
    assert [str(Path(place).relative_to(tmp_path)) for place in places] == ["b/c.eml", "b/a.eml", "z.EML"]
    assert result.stdout.splitlines()[-1] == "3 files read: 0 errors, 3 warnings"
    assert result.exit_code == 0


def test_a_finding_says_what_where_and_what_to_do(run: Run, tmp_path: Path) -> None:
    """Two lines for each finding: the file, the rule and what is wrong; then what to do, and the source."""
    path = tmp_path / "mail.eml"
    path.write_bytes(eml(Content_Type="text/html", From=None))
    result = run("lint", "--provider", "smtp-basic", str(path))
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout.splitlines() == [
        f"{path}: error no-from: it has no From",
        "    Name the sender in From (RFC 5322 section 3.6.2)",
        f"{path}: warning no-text-part: it has HTML and no plain text",
        "    Add the same content as text/plain, before the HTML (RFC 2046 section 5.1.4)",
        "1 file read: 1 error, 1 warning",
    ]


def test_nothing_wrong_is_an_empty_list_in_json(run: Run, tmp_path: Path) -> None:
    """With `--json`, standard output is a list, whatever else is said."""
    (tmp_path / "mail.eml").write_bytes(eml())
    result = run("lint", "--json", str(tmp_path))
    assert (json.loads(result.stdout), result.exit_code) == ([], 0)


def test_what_the_file_provider_writes_is_clean(run: Run, tmp_path: Path) -> None:
    """A message that postroom has written has no findings."""
    message = MailMessage(
        "Jörg <joerg@bücher.de>",
        "Grüße " * 30,
        HTML,
        text="Grüße",
        headers={"List-Unsubscribe": f"<https://{'a' * 200}>"},
    )
    config = {"dir": str(tmp_path / "mails"), "default_from": "Grüße <no-reply@acme.internal>"}
    with MailSenderFactory.create_sender("file", config) as sender:
        sender.send(message)
    for page in (tmp_path / "mails").glob("*.html"):
        page.unlink()
    found = json.loads(run("lint", "--json", str(tmp_path)).stdout)
    assert [each["rule"] for each in found] == ["unsubscribe-without-post"]


def test_reads_the_env_file(run: Run, tmp_path: Path) -> None:
    """`--env-file` names the provider and the login; a secret in it is not printed."""
    (tmp_path / "mail.env").write_text("MAIL_TYPE=smtp\nSMTP_USERNAME=a@other.internal\nSMTP_PASSWORD=swordfish\n")
    (tmp_path / "mail.eml").write_bytes(eml())
    result = run("lint", "--env-file", str(tmp_path / "mail.env"), str(tmp_path))
    assert "from-not-login: From is at acme.internal, the login at other.internal" in result.stdout
    assert (result.stderr, "swordfish" in result.output) == ("", False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing argument 'PATH...'"),
        (["nowhere.eml"], "does not exist"),
        (["empty"], "empty holds no .eml, .html or .htm file"),
        (["notes.txt"], "notes.txt is neither a folder nor an .eml, .html or .htm file"),
        (["pipe.eml"], "pipe.eml is neither a folder nor"),
        (["--provider", "carrier-pigeon", "mail.eml"], "Unsupported mail type: carrier-pigeon"),
    ],
)
def test_wrong_usage(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    """What cannot be looked at is exit 2, and one line."""
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("notes.txt").touch()
    Path("mail.eml").write_bytes(eml())
    os.mkfifo("pipe.eml")
    result = run("lint", *arguments)
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
    assert said in result.stderr


def test_a_default_sender_that_is_none(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configured sender that is no address is exit 2, and names the variable."""
    (tmp_path / "mail.eml").write_bytes(eml())
    monkeypatch.setenv("MAIL_DEFAULT_SEND_FROM", "nobody")
    result = run("lint", str(tmp_path))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: MAIL_DEFAULT_SEND_FROM cannot be a sender: ")


def test_what_cannot_be_read_is_said(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file or folder that the system does not give is exit 2, and named."""

    def refuse(path: object, *_: object) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "mail.eml").write_bytes(eml())
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)  # root may read everything
        result = run("lint", str(tmp_path))
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"{tmp_path / 'mail.eml'} cannot be read: Permission denied" in result.stderr
    monkeypatch.setattr("os.scandir", refuse)
    result = run("lint", str(tmp_path))
    assert (result.exit_code, result.stderr) == (2, f"error: {tmp_path} cannot be read: Permission denied\n")


def nested(depth: int) -> str:
    """Return multiparts within each other."""
    return "".join(f"Content-Type: multipart/mixed; boundary=b{each}\r\n\r\n--b{each}\r\n" for each in range(depth))


BIG = 10 * 1024 * 1024  # octets
HOSTILE = {
    "control.eml": eml(Subject="\x1b[31mred\x07\x9b2J\u202e", To="\x1b]0;title\x07@x", X_Note="\x00"),
    "surrogates.eml": eml(From="\udc80@x".encode("utf-8", "surrogateescape").decode("latin-1"), Content_Type="\xff"),
    "comments.eml": eml(To="(" * 5000, Cc="(" * (BIG // 10)),
    "words.eml": eml(Subject="=?x?q?" * 100_000),
    "nested.eml": eml(nested(3000), Content_Type="multipart/mixed; boundary=b0"),
    "attached.eml": eml("Content-Type: message/rfc822\r\n\r\n" * 3000, Content_Type="message/rfc822"),
    "attached-a-little.eml": eml("Content-Type: message/rfc822\r\n\r\n" * 150, Content_Type="message/rfc822"),
    "attached-deeper.eml": eml("Content-Type: message/rfc822\r\n\r\n" * 400, Content_Type="message/rfc822"),
    "filename.eml": attached("Content-Type: image/png; name*=idna''%ff"),
    "charset-8-bit.eml": eml("\u00fc", Content_Type="text/plain; charset*=klingon''a"),
    "parts.eml": eml("--b\r\n\r\nx\r\n" * 20_000, Content_Type="multipart/mixed; boundary=b"),
    "parameters.eml": eml(Content_Type="text/plain; charset*=x'y'z; " + "a*1*=;" * 3000),
    "charset.eml": eml(Content_Type="text/html; charset=idna\x00"),
    "zeros.eml": bytes(BIG),
    "noise.eml": bytes(range(256)) * 4096,
    "empty.eml": b"",
    "line.eml": eml("x" * BIG),
    "tags.html": b"<a " * (BIG // 3),
    "brackets.html": b"<" * BIG,
    "quotes.html": b'<a b="' * (BIG // 6),
    "styles.html": b"<style></style>" * 50_000,
    "script.html": b"<script>" * 100_000,
    "comments.html": b"<!--" * 100_000,
    "jinja.html": b"{{{%{#" * 100_000,
    "attribute.html": b"<a href='\x1b[31m\x9b" + b"&" * 100_000 + b"'>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_gives_findings_and_nothing_else(run: Run, tmp_path: Path, name: str) -> None:
    """Whatever a file holds, its findings come out, in time, on lines that move no cursor."""
    (tmp_path / name).write_bytes(HOSTILE[name])
    began = time.monotonic()
    result = run("lint", "--provider", "resend", str(tmp_path / name))
    assert time.monotonic() - began < 60
    assert result.exit_code in {0, 1}
    assert result.stderr == ""
    assert all(char.isprintable() or char == "\n" for char in result.stdout)
    lines = result.stdout.splitlines()
    assert len(lines) % 2 == 1
    for first, second in zip(lines[:-1:2], lines[1::2], strict=True):
        assert re.match(rf"{re.escape(str(tmp_path / name))}: (error|warning) [a-z0-9-]+: .", first), first
        assert len(first) < 600
        assert second.startswith("    ")


def test_the_page_lists_every_rule() -> None:
    """The page on the command has a row for each rule, with severity and source, and no other."""
    page = (ROOT / "docs" / "lint.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| (error|warning) \| [^|]+ \| (.*) \|$", page, re.MULTILINE)
    plain = [(name, severity, source.strip("<>")) for name, severity, source in rows]
    assert sorted(plain) == sorted((check.name, check.severity, check.source) for check in checks())


def test_the_page_lists_every_key() -> None:
    """The page on the command names the keys of the JSON, in their order."""
    page = (ROOT / "docs" / "lint.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \| [^|]+ \|$", page, re.MULTILINE) == KEYS
