"""The login: which mechanism, what goes over the wire, what becomes of a refusal, and that no secret is shown."""

import base64
import contextlib
import hmac
import logging
from collections.abc import Callable, Iterator
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom import MailAuthError, MailConnectionError, MailSettingsError, Outcome, Secret
from postroom_testing import Certificates
from postroom_testing.smtp import Action, Close, SmtpServer
from smtp_checks import PASSWORD, USER, assert_sound, error_of, message, sender
from smtp_servers import RealServer

AUTH = {"username": USER, "password": PASSWORD}
PLAIN = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
NAME, WORD = (base64.b64encode(each.encode()).decode() for each in (USER, PASSWORD))
SECRETS = (PASSWORD, PLAIN, WORD)


def dialogue(server: SmtpServer) -> list[str]:
    """Return what the client said between EHLO and MAIL."""
    commands = server.wait().commands
    return commands[1 : next(at for at, command in enumerate(commands) if command.startswith(("MAIL", "QUIT")))]


@pytest.mark.parametrize(
    ("offer", "said"),
    [
        (["AUTH PLAIN"], [f"AUTH PLAIN {PLAIN}"]),
        (["AUTH LOGIN"], ["AUTH LOGIN", NAME, WORD]),
        (["AUTH PLAIN LOGIN"], [f"AUTH PLAIN {PLAIN}"]),
        (["AUTH LOGIN PLAIN"], [f"AUTH PLAIN {PLAIN}"]),
        (["AUTH GSSAPI NTLM LOGIN XOAUTH2"], ["AUTH LOGIN", NAME, WORD]),
        (["AUTH=LOGIN PLAIN"], [f"AUTH PLAIN {PLAIN}"]),
        (["AUTH=LOGIN"], ["AUTH LOGIN", NAME, WORD]),
        (["AUTH LOGIN", "AUTH=LOGIN PLAIN"], [f"AUTH PLAIN {PLAIN}"]),
        (["AUTH PLAIN", "AUTH=LOGIN"], [f"AUTH PLAIN {PLAIN}"]),
        (["auth plain login"], [f"AUTH PLAIN {PLAIN}"]),
    ],
)
def test_plain_is_used_where_it_is_offered_and_login_where_only_that_is(
    smtp_server: Callable[..., SmtpServer], offer: list[str], said: list[str]
) -> None:
    """One step is better than three."""
    server = smtp_server(extensions=offer)
    with sender(server.settings(**AUTH)) as made:
        made.deliver(message())
    assert dialogue(server) == said


@pytest.mark.parametrize(
    ("offer", "said", "remedy"),
    [
        ([], "offers no login", "It may offer one after TLS: set SMTP_USE_TLS=true"),
        (["AUTH"], "offers no login", "It may offer one after TLS: set SMTP_USE_TLS=true"),
        (["AUTH GSSAPI XOAUTH2"], "only GSSAPI XOAUTH2", "Set SMTP_AUTH_TYPE to oauth2 to log in with a token"),
    ],
)
def test_without_a_mechanism_of_ours_nothing_is_tried(
    smtp_server: Callable[..., SmtpServer], offer: list[str], said: str, remedy: str
) -> None:
    """The error says what the server offers, and what to set."""
    server = smtp_server(extensions=offer)
    error = error_of(server.settings(**AUTH), hidden=SECRETS)
    assert type(error) is MailAuthError
    assert (error.stage, error.outcome, error.transient) == ("auth", Outcome.NOT_SENT, False)
    assert said in str(error)
    assert remedy in str(error)
    assert server.wait().verbs == ["EHLO"]


def test_a_server_that_needs_no_login_is_told_apart_after_tls(
    smtp_server: Callable[..., SmtpServer], ca: Certificates
) -> None:
    """With TLS on, the advice to switch it on would be none."""
    server = smtp_server(tls=ca.good, extensions=[])
    error = error_of(server.settings(**AUTH, tls_mode="starttls", ca_file=ca.ca_file), hidden=SECRETS)
    assert "leave SMTP_USERNAME and SMTP_PASSWORD empty" in str(error)


@pytest.mark.parametrize(
    "login",
    [
        {},
        {"username": USER},
        {"password": PASSWORD},
        {"username": "", "password": ""},
        {"username": USER, "password": ""},
        {"username": USER, "password": "   "},
        {"username": "   ", "password": PASSWORD},
        {"username": None, "password": None},
    ],
)
def test_without_both_user_name_and_password_there_is_no_login(
    smtp_server: Callable[..., SmtpServer], login: dict[str, object]
) -> None:
    """A relay that knows us by our address needs none, and deployments leave blank what they do not need."""
    server = smtp_server()
    with sender(server.settings(**login)) as made:
        made.deliver(message())
    assert "AUTH" not in server.wait().verbs


PASSWORDS = [
    "pässwörd",
    "密码🔑",
    " leading and trailing ",
    "two  blanks",
    '"quoted"',
    "'single'",
    r"back\slash\\",
    "100%s %(x)d %%",
    "${HOME} $PATH `id`",
    "#hash;semi:colon,comma=equals",
    "<angle>",
    "tab\there",
    "line\nend\r\n",
    "=",
    "*",
    "x" * 700,
    "ü" * 350,
]


@pytest.mark.parametrize("offer", [["LOGIN"], ["PLAIN"]])
@pytest.mark.parametrize("password", PASSWORDS)
def test_any_password_arrives_as_it_is(real_server: Callable[..., RealServer], password: str, offer: list[str]) -> None:
    """UTF-8, blanks, quotes, backslashes, percent signs, line ends, and more than fits into a command."""
    server = real_server(login=(USER, password), mechanisms=offer)
    with sender(server.settings(username=USER, password=password)) as made:
        made.deliver(message())
    assert server.logins == [(offer[0], USER, password)]
    assert server.messages[0].user == USER


@settings(max_examples=50, deadline=None)
@given(
    username=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=40),
    password=st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc"], include_characters="\t\r\n"), min_size=1, max_size=300
    ),
)
def test_whatever_can_be_set_can_be_logged_in_with(username: str, password: str) -> None:
    """The server gets exactly the user name without the blanks around it, and exactly the password."""
    expected = (username.strip(), password)
    with RealServer(login=expected) as server, sender(server.settings(username=username, password=password)) as made:
        made.check_connection()
        assert server.logins == ([("PLAIN", *expected)] if expected[0] and password.strip() else [])


def test_a_short_login_goes_with_the_command_and_a_long_one_behind_it(
    smtp_server: Callable[..., SmtpServer],
) -> None:
    """A command has at most 512 octets (RFC 5321 section 4.5.3.1.4); what is longer answers an empty challenge."""
    for length in (300, 374, 375, 700):
        server = smtp_server()
        with sender(server.settings(username="u", password="p" * (length - 3))) as made:
            made.check_connection()
        response = base64.b64encode(b"\0u\0" + b"p" * (length - 3)).decode()
        whole = f"AUTH PLAIN {response}"
        said = dialogue(server)
        assert said == ([whole] if len(whole) <= 510 else ["AUTH PLAIN", response])
        assert len(said[0]) + 2 <= 512


def test_plain_answers_a_server_that_ignores_the_initial_response(
    smtp_server: Callable[..., SmtpServer],
) -> None:
    """Some servers prompt though the answer is there."""
    server = smtp_server({"AUTH": [b"334 \r\n", b"235 welcome\r\n"]})
    with sender(server.settings(**AUTH)) as made:
        made.deliver(message())
    assert dialogue(server) == [f"AUTH PLAIN {PLAIN}", PLAIN]


@pytest.mark.parametrize("prompts", [(b"334 Username:\r\n", b"334 Password:\r\n"), (b"334\r\n", b"334 \r\n")])
def test_login_does_not_look_at_the_prompts(
    smtp_server: Callable[..., SmtpServer], prompts: tuple[bytes, bytes]
) -> None:
    """Prompts come in base64, in plain text, or not at all; the order is what counts."""
    server = smtp_server({"AUTH": [*prompts, b"235 welcome\r\n"]}, extensions=["AUTH LOGIN"])
    with sender(server.settings(**AUTH)) as made:
        made.deliver(message())
    assert dialogue(server) == ["AUTH LOGIN", NAME, WORD]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_a_wrong_password_is_an_auth_error_that_says_what_to_check(
    real_server: Callable[..., RealServer], mechanism: str
) -> None:
    """Nothing was offered, and trying again does not help."""
    server = real_server(login=(USER, "another"), mechanisms=[mechanism])
    error = error_of(server.settings(**AUTH), hidden=SECRETS)
    assert type(error) is MailAuthError
    assert (error.stage, error.code, error.enhanced_code) == ("auth", 535, "5.7.8")
    assert (error.outcome, error.transient) == (Outcome.NOT_SENT, False)
    assert "Check SMTP_USERNAME and SMTP_PASSWORD" in str(error)
    assert server.messages == []


MECHANISM_REFUSED = [
    b"504 5.5.4 Unrecognized authentication type\r\n",
    b"534 5.7.9 Authentication mechanism is too weak\r\n",
    b"538 5.7.11 Encryption required for requested authentication mechanism\r\n",
    b"553 5.7.3 no\r\n",
    b"535 5.7.8 Error: authentication failed: Invalid authentication mechanism\r\n",
    b"500 what?\r\n",
]


class Scripted(SmtpServer):
    """Answers each mechanism as `replies` has it."""

    replies: ClassVar[dict[str, bytes]] = {}

    def action(self, moment: str, given: str = "") -> Action | None:
        """Look at the command that begins the login."""
        command = self.commands[-1] if self.commands else ""
        if moment == "AUTH" and command.startswith("AUTH "):
            return self.replies.get(command.split()[1])
        return super().action(moment, given)


@contextlib.contextmanager
def scripted(offer: str, **replies: bytes) -> Iterator[SmtpServer]:
    """Run a server that offers these mechanisms, and answers some of them so; underscores stand for dashes."""
    with Scripted(extensions=[offer]) as server:
        server.replies = {name.replace("_", "-"): reply for name, reply in replies.items()}
        yield server


@pytest.mark.parametrize("reply", MECHANISM_REFUSED)
@pytest.mark.parametrize("offer", ["AUTH PLAIN LOGIN", "auth=plain login", "Auth LOGIN CRAM-MD5 PLAIN"])
def test_a_mechanism_that_is_refused_is_followed_by_the_next(offer: str, reply: bytes) -> None:
    """Each is tried once, on the same connection; what worked comes first on the next connection."""
    with scripted(offer, PLAIN=reply) as server:
        with sender(server.settings(**AUTH, pool_idle=0)) as made:
            made.deliver(message())
            made.deliver(message())
        server.wait()
    logins = [command.split()[1] for command in server.commands if command.startswith("AUTH")]
    assert logins == ["PLAIN", "LOGIN", "LOGIN"]
    assert (server.connections, len(server.taken)) == (2, 2)


def test_what_worked_before_and_is_refused_now_is_followed_by_the_others() -> None:
    """A server may change; no mechanism is tried twice on one connection."""
    with scripted("AUTH PLAIN LOGIN", PLAIN=MECHANISM_REFUSED[0]) as server:
        with sender(server.settings(**AUTH, pool_idle=0)) as made:
            made.deliver(message())
            server.replies = {"LOGIN": MECHANISM_REFUSED[0]}
            made.deliver(message())
        server.wait()
    logins = [command.split()[1] for command in server.commands if command.startswith("AUTH")]
    assert logins == ["PLAIN", "LOGIN", "LOGIN", "PLAIN"]


@pytest.mark.parametrize(
    ("plain", "login", "shown"),
    [
        (b"504 5.5.4 unknown\r\n", b"535 5.7.8 wrong\r\n", 535),
        (b"535 5.7.8 wrong\r\n", b"504 5.5.4 unknown\r\n", 535),
        (b"535 5.7.8 wrong\r\n", b"421 4.7.0 too many errors\r\n", 535),
        (b"504 5.5.4 unknown\r\n", b"454 4.7.0 later\r\n", 454),
        (b"504 5.5.4 unknown\r\n", b"534 5.7.9 too weak\r\n", 504),
    ],
)
def test_the_refusal_that_tells_most_is_shown(plain: bytes, login: bytes, shown: int) -> None:
    """That the password is wrong says more than that a mechanism is unknown."""
    with scripted("AUTH PLAIN LOGIN", PLAIN=plain, LOGIN=login) as server:
        error = error_of(server.settings(**AUTH), hidden=SECRETS)
        assert (error.code, error.transient) == (shown, shown == 454)
        assert server.wait().verbs.count("AUTH") == 2


def test_a_server_that_hangs_up_after_its_refusal_leaves_the_refusal_as_the_error(
    smtp_server: Callable[..., SmtpServer],
) -> None:
    """That the next mechanism found no connection is not what matters."""
    server = smtp_server({"AUTH": (b"535 5.7.8 wrong\r\n", Close())})
    assert error_of(server.settings(**AUTH), hidden=SECRETS).code == 535


@pytest.mark.parametrize("reply", [b"421 4.7.0 closing\r\n", b"454 4.7.0 later\r\n", b"530 5.7.0 TLS first\r\n"])
def test_no_other_mechanism_helps_where_none_does(smtp_server: Callable[..., SmtpServer], reply: bytes) -> None:
    """Busy, or without TLS: another attempt would only show the password once more."""
    server = smtp_server({"AUTH": reply})
    assert error_of(server.settings(**AUTH), hidden=SECRETS).code == int(reply[:3])
    assert server.wait().verbs.count("AUTH") == 1


@pytest.mark.parametrize("offer", ["AUTH PLAIN", "AUTH LOGIN"])
def test_503_to_auth_is_a_login_that_was_there_before(smtp_server: Callable[..., SmtpServer], offer: str) -> None:
    """RFC 4954 section 4; a proxy may have logged in for us."""
    server = smtp_server({"AUTH": b"503 5.5.1 already authenticated\r\n"}, extensions=[offer])
    with sender(server.settings(**AUTH)) as made:
        made.deliver(message())
    assert server.wait().verbs == ["EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]


CRAM = b"<1896.697170952@postoffice.example.net>"


@pytest.mark.parametrize("offer", ["AUTH CRAM-MD5", "AUTH=cram-md5 GSSAPI"])
def test_cram_md5_is_used_where_no_other_mechanism_is_offered(
    smtp_server: Callable[..., SmtpServer], caplog: pytest.LogCaptureFixture, offer: str
) -> None:
    """RFC 2195: the challenge is signed. That the server has nothing better is said once, and by the probe."""
    challenge = b"334 %s\r\n" % base64.b64encode(CRAM)
    server = smtp_server({"AUTH": [challenge, b"235 ok\r\n"] * 3}, extensions=[offer])
    with sender(server.settings(**AUTH, pool_idle=0)) as made:
        made.deliver(message())
        made.deliver(message())
        warned = [step.warning or "" for step in made.probe() if step.name == "auth"]
    digest = hmac.new(PASSWORD.encode(), CRAM, "md5").hexdigest()
    answer = base64.b64encode(f"{USER} {digest}".encode()).decode()
    assert dialogue(server) == ["AUTH CRAM-MD5", answer]
    assert len(warned) == 1
    assert "neither PLAIN nor LOGIN" in warned[0]
    said = [each.getMessage() for each in caplog.records if "CRAM-MD5" in each.getMessage()]
    assert len(said) == 1
    assert said[0].startswith("mail: smtp-basic: ")


@pytest.mark.parametrize("offer", ["AUTH CRAM-MD5 PLAIN LOGIN", "AUTH CRAM-MD5 LOGIN", "AUTH PLAIN CRAM-MD5"])
def test_cram_md5_is_not_used_where_another_mechanism_is_offered(
    smtp_server: Callable[..., SmtpServer], offer: str
) -> None:
    """Not even after the other one was refused."""
    server = smtp_server({"AUTH": b"535 5.7.8 no\r\n"}, extensions=[offer])
    assert error_of(server.settings(**AUTH), hidden=SECRETS).code == 535
    assert "CRAM-MD5" not in " ".join(server.wait().commands)


@pytest.mark.parametrize("offer", ["AUTH PLAIN", "AUTH LOGIN"])
def test_no_password_is_given_twice_to_a_server_that_prompts_again(
    smtp_server: Callable[..., SmtpServer], offer: str
) -> None:
    """PLAIN is repeated once, for servers that ignore what comes with the command."""
    server = smtp_server({"AUTH": b"334 \r\n"}, extensions=[offer])
    error_of(server.settings(**AUTH), hidden=SECRETS)
    answers = [command for command in server.wait().commands if PLAIN in command or WORD in command]
    assert len(answers) == (2 if offer == "AUTH PLAIN" else 1)


@pytest.mark.parametrize(
    "prompt",
    ["用户名:".encode(), "用户名:".encode("gbk"), b"Benutzername\xfc", b"\x00\x01\xff", b"a", b"====", b"Username:"],
)
@pytest.mark.parametrize("offer", ["AUTH PLAIN", "AUTH LOGIN"])
def test_a_prompt_in_any_language_or_encoding_is_a_prompt(
    smtp_server: Callable[..., SmtpServer], offer: str, prompt: bytes
) -> None:
    """It is answered by its place, whatever octets it has."""
    line = b"334 %s\r\n" % prompt
    prompts = [line, line] if offer == "AUTH LOGIN" else [line]
    server = smtp_server({"AUTH": [*prompts, b"235 ok\r\n"]}, extensions=[offer])
    with sender(server.settings(**AUTH)) as made:
        made.deliver(message())
    assert len(server.wait().taken) == 1


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_login_that_cannot_be_checked_now_is_transient(smtp_server: Callable[..., SmtpServer], at: int) -> None:
    """454: the server cannot ask who we are; the password may be right."""
    prompts = [b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n"]
    server = smtp_server({"AUTH": [*prompts[:at], b"454 4.7.0 later\r\n"]}, extensions=["AUTH LOGIN"])
    error = error_of(server.settings(**AUTH), hidden=SECRETS)
    assert type(error) is MailAuthError
    assert (error.code, error.transient) == (454, True)
    assert (error.remedy or "").startswith("Wait some minutes")


@pytest.mark.parametrize("offer", ["AUTH PLAIN", "AUTH LOGIN"])
def test_challenges_without_end_are_given_up(smtp_server: Callable[..., SmtpServer], offer: str) -> None:
    """A server that never says yes or no does not keep us."""
    server = smtp_server({"AUTH": b"334 \r\n"}, extensions=[offer])
    error = error_of(server.settings(**AUTH, deadline=5), hidden=SECRETS)
    assert type(error) is MailConnectionError
    assert (error.stage, error.outcome) == ("auth", Outcome.NOT_SENT)
    assert "challenges do not end" in str(error)
    assert len(server.wait().commands) < 15


@pytest.mark.parametrize("field", ["username", "password"])
def test_nul_cannot_be_logged_in_with(field: str) -> None:
    """It separates the parts of PLAIN (RFC 4616), so it could make another user of us."""
    said = f"{field} must hold no control characters: set {field} .SMTP_{field.upper()}."
    with pytest.raises(MailSettingsError, match=said):
        sender({"server": "localhost", "port": 25, **AUTH, field: "secret\0root"})


@pytest.mark.parametrize("field", ["username", "password"])
def test_what_is_not_unicode_cannot_be_logged_in_with(field: str) -> None:
    """An environment in another encoding gives lone surrogates: said at once, not when the first mail is sent."""
    with pytest.raises(MailSettingsError, match=f"{field} must be valid UTF-8") as caught:
        sender({"server": "localhost", "port": 25, **AUTH, field: b"h\xfcsch".decode("utf-8", "surrogateescape")})
    assert_sound(caught.value, "sch")


ECHOES = {
    "the command": b"AUTH PLAIN " + PLAIN.encode(),
    "the response": PLAIN.encode(),
    "the response, cut": PLAIN[:40].encode(),
    "the end of it": PLAIN[-24:].encode(),
    "the password": PASSWORD.encode(),
    "what was decoded": f"\0{USER}\0{PASSWORD}".encode(),
    "the password in base64": WORD.encode(),
    "wrapped": PLAIN[:30].encode() + b" " + PLAIN[30:].encode(),
}


@pytest.mark.parametrize("offer", ["AUTH PLAIN", "AUTH LOGIN"])
@pytest.mark.parametrize(
    "form", [b"535 5.7.8 no: %s\r\n", b"535-5.7.8 no\r\n535 5.7.8 %s\r\n", b"what is %s\r\n", b"%s\r\n"]
)
@pytest.mark.parametrize("echo", ECHOES)
def test_a_server_that_quotes_the_login_makes_no_error_and_no_log_that_shows_it(
    smtp_server: Callable[..., SmtpServer],
    caplog: pytest.LogCaptureFixture,
    echo: str,
    form: bytes,
    offer: str,
) -> None:
    """Whole, cut, wrapped, decoded; in a reply or in what is not even one."""
    if (offer == "AUTH PLAIN") == (echo == "the password in base64"):
        offer = "AUTH LOGIN" if echo == "the password in base64" else "AUTH PLAIN"
    server = smtp_server({"AUTH": _after_prompts(offer, form % ECHOES[echo])}, extensions=[offer])
    with caplog.at_level(logging.DEBUG, "postroom"):
        error = error_of(server.settings(**AUTH), hidden=_pieces(offer, echo))
    assert error.stage == "auth"
    for secret in _pieces(offer, echo):
        assert secret not in caplog.text


def _after_prompts(offer: str, reply: bytes) -> list[Action]:
    prompts: list[Action] = [b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n"] if offer == "AUTH LOGIN" else []
    return [*prompts, reply]


def _pieces(offer: str, echo: str) -> tuple[str, ...]:
    """Return what must not be seen: with LOGIN, PLAIN's response was never sent, and is not known as a secret."""
    if offer == "AUTH LOGIN":
        return (PASSWORD, WORD)
    return (PASSWORD, *(PLAIN[at : at + 12] for at in range(len(PLAIN) - 12)))


@pytest.mark.parametrize("password", ["pä55 wörd", " padded ", "tab\tpass", "short", "né\u00a0space", 'q"uo\\te'])
def test_an_odd_password_that_is_quoted_is_hidden_too(
    smtp_server: Callable[..., SmtpServer], caplog: pytest.LogCaptureFixture, password: str
) -> None:
    """What is replaced or stripped to be printable is still recognised."""
    server = smtp_server({"AUTH": f"535 5.7.8 wrong password {password}\r\n".encode()})
    with caplog.at_level(logging.DEBUG, "postroom"):
        error = error_of(server.settings(username=USER, password=password), hidden=(password, password.strip()))
    assert "refused the login: 535 5.7.8 wrong password ***" in " ".join(str(error).split())
    assert password.strip() not in caplog.text


@pytest.mark.parametrize("moment", ["MAIL", "RCPT", "DATA", "."])
def test_a_server_that_remembers_the_login_does_not_give_it_away_later(
    smtp_server: Callable[..., SmtpServer], caplog: pytest.LogCaptureFixture, moment: str
) -> None:
    """The secret stays hidden as long as the connection lives."""
    server = smtp_server({moment: f"550 5.7.1 not with {PASSWORD} or {PLAIN}\r\n".encode()})
    with caplog.at_level(logging.DEBUG, "postroom"):
        error = error_of(server.settings(**AUTH), hidden=SECRETS)
    assert "not with *** or ***" in str(error)
    assert PASSWORD not in caplog.text
    assert PLAIN not in caplog.text


@pytest.mark.parametrize("offer", ["AUTH PLAIN", "AUTH LOGIN"])
@pytest.mark.parametrize("password", [PASSWORD, PASSWORD * 40])
def test_the_debug_log_of_a_whole_login_shows_no_secret(
    smtp_server: Callable[..., SmtpServer], caplog: pytest.LogCaptureFixture, offer: str, password: str
) -> None:
    """Every line that holds one is masked, in one step, two and three."""
    server = smtp_server(extensions=[offer])
    with caplog.at_level(logging.DEBUG), sender(server.settings(username=USER, password=password)) as made:
        made.deliver(message())
    said = dialogue(server)
    assert f"-> {offer} ***" in caplog.text
    assert caplog.text.count("-> ***") == len(said) - 1
    for secret in (password, *(line.removeprefix("AUTH PLAIN ") for line in said if line != offer)):
        assert secret not in caplog.text


def test_a_sender_shows_no_secret(smtp_server: Callable[..., SmtpServer]) -> None:
    """Neither it, nor what it is made of."""
    with sender(smtp_server().settings(username=USER, password=Secret(PASSWORD))) as made:
        transport = made.transport  # type: ignore[attr-defined]  # not part of DeliveringSender
        assert PASSWORD not in repr(made) + str(made) + repr(transport) + repr(vars(transport))
