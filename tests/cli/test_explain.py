"""`postroom explain`: a code, an enhanced code, or a line of a log, in words, by the rules that are installed."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from distributions import PIGEON, write_pigeon
from postroom import ProviderRegistry
from postroom_testing import write_distribution
from postroom_testing.contract.purity import Purity

Run = Callable[..., Result]

UNKNOWN = "error: no rule of an installed provider knows this; postroom doctor asks the server itself\n"
PASSWORD = "The server does not take the user name and the password"
TOKEN = "The server does not take the token"
RULES = """rules=[
            Rule(meaning="The loft is shut", remedy="Open it, and check {ring}", source="https://example.com/loft",
                 code="535", text="no pigeon"),
            Rule(meaning="Too windy", remedy="Wait", source="https://example.com/wind", stage="flight", code="477"),
        ], capabilities="""


def explained(run: Run, *words: str) -> list[dict[str, str]]:
    """Return what is explained, each thing by the labels of its lines."""
    result = run("explain", *words)
    assert (result.exit_code, result.stderr) == (0, "")
    found = []
    for block in result.stdout.strip("\n").split("\n\n"):
        lines = [(line[:12].strip(), line[12:]) for line in block.splitlines()]
        assert [label for label, _ in lines] == ["meaning", "known by", "see", "remedy"]
        found.append(dict(lines))
    return found


def write_rules(site: Path, rules: str = RULES) -> None:
    """Install a provider `pigeon` with these rules."""
    source = PIGEON.replace("NAME", "pigeon").replace("Provider, Receipt", "Provider, Receipt, Rule")
    modules = {"pigeon_plugin": source.replace("capabilities=", rules)}
    write_distribution(site, "acme-pigeon", {"pigeon": "pigeon_plugin"}, modules=modules)


@pytest.mark.parametrize(
    ("words", "meaning", "remedy", "known_by"),
    [
        ("5.7.60", "may not send as this sender", "-AccessRights SendAs", "smtp-basic, smtp-oauth2"),
        ("5.1.1", "There is no such mailbox", "recipient's address", "smtp-basic, smtp-oauth2"),
        ("AADSTS7000215", "The client secret is wrong", "SMTP_CLIENT_SECRET", "smtp-oauth2"),
        ("AADSTS70021", "matches the token", "issuer, subject", "smtp-oauth2"),
        ("aadsts700213", "matches the token's subject", "subject of the application", "smtp-oauth2"),
        ("became free in time", "Every connection", "SMTP_POOL_SIZE", "smtp-basic, smtp-oauth2"),
        ("556", "takes no mail", "recipient's address", "smtp-basic, smtp-oauth2"),
        ("538.", "over TLS only", "SMTP_USE_TLS=true", "smtp-basic, smtp-oauth2"),
        ("it said 5.7.60.", "may not send as this sender", "-AccessRights SendAs", "smtp-basic, smtp-oauth2"),
    ],
)
def test_what_one_rule_knows_is_one_answer(run: Run, words: str, meaning: str, remedy: str, known_by: str) -> None:
    """Meaning, who knows it, where to look it up, and what to do, with the variables of the environment."""
    (found,) = explained(run, words)
    assert meaning in found["meaning"]
    assert remedy in found["remedy"]
    assert found["known by"] == known_by
    assert found["see"].startswith("https://")


def test_a_code_that_means_several_things_shows_each_once(run: Run) -> None:
    """535 alone may be any refused login, with a password or a token."""
    found = [each["meaning"] for each in explained(run, "535")]
    assert len(found) == len({*found})
    assert PASSWORD in found
    assert any(TOKEN in meaning for meaning in found)
    assert len(found) == 2


LOG = [
    "smtp-basic: smtp.office365.com:587 refused the login: {}",
    "2026-11-20 10:00:00,345 ERROR in mail: smtp.office365.com:587 refused the login: {}",
    "2026-11-20T10:00:00.535Z smtp.office365.com:465 refused the login: {}.",
    "postfix/smtp[4711]: 4Xy: to=<a@example.com>, relay=x[203.0.113.250]:25, status=bounced (host said: {})",
    "smtplib.SMTPAuthenticationError: (535, b'5.7.139 {}')",
]


@pytest.mark.parametrize("line", LOG)
def test_a_whole_line_of_a_log_is_told_by_its_reply(run: Run, line: str) -> None:
    """Neither the port, nor the time, nor an address is taken for its code; its words choose the rule."""
    reply = "535 5.7.139 Authentication unsuccessful, basic authentication is disabled"
    (found,) = explained(run, line.format(reply))
    assert found["meaning"] == "Passwords are switched off here"


@pytest.mark.parametrize("line", LOG[:4])
def test_a_line_without_known_words_is_told_by_its_codes(run: Run, line: str) -> None:
    """A general rule does not stand beside the one that goes before it."""
    found = explained(run, line.format("535 5.7.3 Authentication unsuccessful"))
    assert found[0]["meaning"] == PASSWORD
    if line.startswith("smtp-basic: "):  # then nobody else is asked
        assert [each["known by"] for each in found] == ["smtp-basic"]
    else:
        assert [each["known by"] for each in found] == ["smtp-basic", "smtp-oauth2"]
        assert TOKEN in found[1]["meaning"]


# A line, words of the meaning that comes first, and how many are shown.
FIRST: list[tuple[str, str, int]] = [
    ("535 5.7.139", "Microsoft does not let this mailbox log in by SMTP", 1),
    ("535 5.7.139 Authentication unsuccessful, the user credentials were incorrect", "password is wrong", 1),
    ("535", PASSWORD, 2),
    ("530", "wants a login before it takes mail", 1),
    ("550", "does not take the message", 1),
    ("554", "does not take the message", 1),
    ("421", "closes the connection", 1),
    ("421 4.7.0", "holds us back", 1),
    ("421 4.7.0 Try again later, closing connection. (EHLO) x1", "Google's relay turned us away", 1),
    ("550 5.1.1 user unknown", "no such mailbox", 1),
    ("550 user unknown", "does not take the message", 1),
    ("550 5.7.30", "REQUIRETLS", 2),
    ("550 5.7.30 REQUIRETLS support required", "REQUIRETLS", 1),
    ("534 5.7.9", "this kind of login for this account", 2),
    ("550 5.7.26", "neither SPF nor DKIM", 1),
    ("451 4.3.0 queue file write error", "cannot take the message now", 1),
    ("451 try later", "The server cannot take the message now", 2),
    ("smtp.qq.com:465 refused the login: 535 Login fail. Account is abnormal", "QQ wants an authorization code", 1),
    ("mail.example.com:587 refused the login: 535 Login fail", PASSWORD, 2),
    ("mail.example.com:587 refused the login: 550 no", PASSWORD, 2),
    ("mail.example.com:587 refused the sender: 553 no", "does not take mail from this sender", 1),
    ("smtplib.SMTPSenderRefused: (553, b'no', 'ada@example.com')", "does not take mail from this sender", 1),
    ("host mx[203.0.113.9] said: 550 no (in reply to RCPT TO command)", "mail for this recipient", 1),
    ("mail.example.com:465 did not answer in time at the greeting (tls=starttls)", "says nothing in plain text", 1),
    ("mail.example.com:587 failed at the TLS handshake: TLS failed (WRONG_VERSION_NUMBER)", "begins in plain text", 1),
    ("cannot connect to mail.example.com:587: connection refused", "Nothing listens on this port", 1),
    ("429 rate_limit_exceeded", "More requests come than Resend takes", 1),
    ("429", "too many requests", 1),
    ("401", "does not know the key", 2),
    ("resend: api.resend.com answered 403: no", "does not let the key do this", 1),
    ("AADSTS7000215", "client secret is wrong", 1),
]


@pytest.mark.parametrize(("line", "first", "number"), FIRST)
def test_the_most_exact_meaning_is_first_and_what_does_not_fit_is_left_out(
    run: Run, line: str, first: str, number: int
) -> None:
    """A line of SMTP is not taken for an answer by HTTP, and a rule that asks for more than is there is no guess."""
    found = explained(run, line)
    assert first in found[0]["meaning"]
    assert len(found) == number


def test_words_may_be_several_arguments(run: Run) -> None:
    """Nobody has to quote a line."""
    line = "550 5.7.60 SMTP; Client does not have permissions to send as this sender"
    assert explained(run, *line.split()) == explained(run, line)
    assert explained(run, "550", "5.7.60") == explained(run, "550 5.7.60")


@pytest.mark.parametrize("words", ["gibberish", "", " ", "12345", "999", "127.0.0.1", "2.7.60", "🕊", "mx:587"])
def test_what_nobody_knows_is_one_line(run: Run, words: str) -> None:
    """With what else to try."""
    result = run("explain", words)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", UNKNOWN)


def test_nothing_to_explain_is_wrong_usage(run: Run) -> None:
    """The usage says what to give."""
    result = run("explain")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "CODE|TEXT" in result.stderr


@pytest.mark.parametrize(
    "words", ["5.7.60 \x1b[31mred\x07", "\x1b]0;title\x07 5.7.60", "5.7.60\n\r\0 no", "5.7.60 \u202e"]
)
def test_control_characters_do_not_come_out(run: Run, words: str) -> None:
    """A line of a log may hold what a server smuggled in."""
    result = run("explain", words)
    assert all(line.isprintable() for line in f"{result.stdout}{result.stderr}".splitlines())
    assert "may not send as this sender" in result.stdout
    assert run("explain", "\x1b[2Jgibberish").stderr == UNKNOWN


def test_the_rules_of_any_provider_are_asked(run: Run, site: Path) -> None:
    """An outside provider's rule is found as ours are, with its own variables."""
    write_rules(site)
    (found,) = explained(run, "535 no pigeon here")
    assert found == {
        "meaning": "The loft is shut",
        "known by": "pigeon",
        "see": "https://example.com/loft",
        "remedy": "Open it, and check PIGEON_RING",
    }
    assert "The loft is shut" in [each["meaning"] for each in explained(run, "535")]
    assert [each["meaning"] for each in explained(run, "477")] == ["Too windy"]


def test_a_rule_of_an_outside_provider_cannot_move_the_cursor(run: Run, site: Path) -> None:
    """What it says is one printable line as well."""
    write_rules(site, RULES.replace("Too windy", "Too \\x1b[31m windy\\nlike\\x07 this"))
    (found,) = explained(run, "477")
    assert found["meaning"] == "Too  [31m windy like  this"


@pytest.mark.parametrize(
    "source",
    [
        "raise RuntimeError('no wings')",
        "import wings_that_nobody_has",
        "this is no Python",
        "",
        "raise SystemExit('gone')",
        "from postroom import hookimpl\n\n@hookimpl\ndef postroom_route(config):\n    return 1 / 0",
    ],
)
def test_a_broken_provider_takes_nothing_away(run: Run, site: Path, source: str) -> None:
    """`postroom providers` says what is wrong with it."""
    write_distribution(site, "acme-vague", {"vague": "vague_plugin"}, modules={"vague_plugin": source})
    write_pigeon(site)
    result = run("explain", "5.7.60")
    assert result.exit_code == 0
    assert "may not send as this sender" in result.stdout
    assert "known by    smtp-basic, smtp-oauth2\n" in result.stdout


def test_two_providers_of_one_name_take_nothing_away(run: Run, site: Path) -> None:
    """Neither of them is asked."""
    write_pigeon(site, distribution="acme-pigeon")
    write_pigeon(site, distribution="zeta-pigeon", version="2.0")
    assert "may not send as this sender" in run("explain", "5.7.60").stdout


def test_nothing_installed_knows_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then no rule is there."""
    monkeypatch.setattr("sys.path", [])
    result = run("explain", "535")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", UNKNOWN)


def test_nobody_is_asked(run: Run) -> None:
    """No name is looked up, no connection is made, and no program is started."""
    assert "smtp-basic" in ProviderRegistry().names()
    assert Purity().seen(lambda: run("explain", "smtp.office365.com:587 said 535 5.7.139 no")) == []
    assert "postroom_smtp_basic.rules" in sys.modules
