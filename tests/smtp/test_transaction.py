"""One message: its envelope, its size, its octets on the wire, and who gets it."""

import email
import email.policy
import logging
import re
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from postroom import (
    Attachment,
    MailMessageError,
    MailRecipientsError,
    MailRejectedError,
    MailUnavailableError,
    Outcome,
    Refusal,
)
from postroom_testing.smtp import SmtpServer
from smtp_checks import assert_sound, error_of, message, sender
from smtp_servers import RealServer


def test_the_receipt_says_what_the_server_said(real_server: Callable[..., RealServer]) -> None:
    """Message-ID, provider, queue id and recipients."""
    server = real_server()
    mail = message(cc="bob@example.com")
    with sender(server.settings()) as made:
        receipt = made.deliver(mail)
    assert receipt.message_id == mail.message_id
    assert receipt.provider == "smtp-basic"
    assert receipt.provider_id == "OK queued as 1"
    assert receipt.accepted == ("ada@example.com", "bob@example.com")
    assert (dict(receipt.refused), receipt.outcome, receipt.attempts) == ({}, Outcome.ACCEPTED, 1)
    assert f"Message-ID: {mail.message_id}\r\n".encode() in server.messages[0].content


def test_a_reply_without_words_gives_no_handle(smtp_server: Callable[..., SmtpServer]) -> None:
    """A bare 250 is an acceptance with nothing to quote."""
    with sender(smtp_server({".": b"250\r\n"}).settings()) as made:
        assert made.deliver(message()).provider_id is None


def test_everybody_is_in_the_envelope_and_bcc_in_no_header(real_server: Callable[..., RealServer]) -> None:
    """To, Cc and Bcc get the message; Bcc is not to be seen in it."""
    server = real_server()
    with sender(server.settings()) as made:
        made.send(message(to="a@example.com, b@example.com", cc="c@example.com", bcc="Hidden <secret@example.com>"))
    (delivered,) = server.messages
    assert delivered.rcpt_tos == ["a@example.com", "b@example.com", "c@example.com", "secret@example.com"]
    assert b"\r\nbcc:" not in delivered.content.lower()
    assert b"secret@example.com" not in delivered.content
    assert b"Hidden" not in delivered.content


def test_nobody_gets_it_twice(real_server: Callable[..., RealServer]) -> None:
    """The same mailbox in several fields, or with its domain in another case, is one recipient."""
    server = real_server()
    with sender(server.settings()) as made:
        receipt = made.deliver(
            message(
                to=["Ada <ada@example.com>", "ada@EXAMPLE.com"],
                cc="ada@example.com, bob@example.com",
                bcc="BOB@example.com, bob@Example.COM",
            )
        )
    # The part before the @ is the server's to interpret (RFC 5321 section 2.3.11).
    assert server.messages[0].rcpt_tos == ["ada@example.com", "bob@example.com", "BOB@example.com"]
    assert receipt.accepted == ("ada@example.com", "bob@example.com", "BOB@example.com")


def test_lines_that_begin_with_a_dot_survive(real_server: Callable[..., RealServer]) -> None:
    """What would end the message, or lose a dot, arrives octet for octet."""
    text = ".\n..\n.x\n...\n\n.\nend\n."
    server = real_server()
    with sender(server.settings()) as made:
        made.deliver(message(text=text))
    body = server.messages[0].content.partition(b"\r\n\r\n")[2]
    assert body == text.replace("\n", "\r\n").encode() + b"\r\n"


def test_a_dot_that_begins_a_line_is_doubled_on_the_wire(smtp_server: Callable[..., SmtpServer]) -> None:
    """RFC 5321 section 4.5.2."""
    server = smtp_server()
    with sender(server.settings()) as made:
        made.deliver(message(text=".\n..\nx.\n"))
    (body,) = server.wait().bodies
    assert body.endswith(b"\r\n\r\n..\r\n...\r\nx.\r\n")
    assert server.verbs[-1] == "QUIT"


def test_the_announced_size_is_what_is_sent_before_dots_are_doubled(
    smtp_server: Callable[..., SmtpServer],
) -> None:
    """RFC 1870 section 5: SIZE counts the message, not its way over the wire."""
    server = smtp_server()
    with sender(server.settings()) as made:
        made.deliver(message(text=".\n" * 50))
    announced = int(re.findall(r"SIZE=(\d+)", server.wait().commands[1])[0])
    (body,) = server.bodies
    assert announced == len(body) - 50 == len(body.replace(b"\r\n..", b"\r\n."))


def test_a_message_over_the_limit_is_refused_before_anything_is_offered(
    real_server: Callable[..., RealServer],
) -> None:
    """The server's SIZE is compared here, so that megabytes are not sent in vain."""
    server = real_server(size_limit=20_000)
    error = error_of(server.settings(), message(text="x\n" * 20_000))
    assert type(error) is MailMessageError
    assert "takes 20000 (SIZE)" in str(error)
    assert server.messages == []


def test_over_the_limit_neither_mail_nor_data_is_said(smtp_server: Callable[..., SmtpServer]) -> None:
    """The refusal is ours, before MAIL."""
    server = smtp_server(extensions=["SIZE 100"])
    assert type(error_of(server.settings())) is MailMessageError
    assert server.wait().verbs == ["EHLO", "QUIT"]


@pytest.mark.parametrize("offer", ["SIZE", "SIZE 0", "SIZE much", "SIZE -1", "SIZE " + "9" * 5000])
def test_a_size_that_is_no_limit_does_not_limit(smtp_server: Callable[..., SmtpServer], offer: str) -> None:
    """RFC 1870 section 4: none or 0 is no fixed maximum; nonsense is passed over."""
    server = smtp_server(extensions=[offer])
    with sender(server.settings()) as made:
        assert made.deliver(message()).accepted == ("ada@example.com",)
    assert ("SIZE=" in server.wait().commands[1]) is (offer == "SIZE 0")


def test_a_message_of_megabytes_arrives_whole(real_server: Callable[..., RealServer]) -> None:
    """It is written in blocks."""
    server = real_server()
    content = bytes(range(256)) * 12_000
    with sender(server.settings()) as made:
        made.deliver(message(attachments=[Attachment("a.bin", content)]))
    arrived = email.message_from_bytes(server.messages[0].content, policy=email.policy.default)
    assert [part.get_content() for part in arrived.iter_attachments()] == [content]


def test_ascii_addresses_need_no_extension(smtp_server: Callable[..., SmtpServer]) -> None:
    """Non-ASCII text, names and domains all travel in 7 bits."""
    server = smtp_server()
    with sender(server.settings()) as made:
        made.deliver(message(to="Jürgen <j@bücher.example>", subject="Grüße", text="schöne Grüße", html="<p>ü</p>"))
    mail, recipient = server.wait().commands[1:3]
    assert "SMTPUTF8" not in mail
    assert "BODY" not in mail
    assert recipient == "RCPT TO:<j@xn--bcher-kva.example>"
    assert server.bodies[0].isascii()


def test_a_non_ascii_mailbox_asks_for_smtputf8(real_server: Callable[..., RealServer]) -> None:
    """RFC 6531 section 3.4: BODY=8BITMIME and SMTPUTF8 are declared, and the address travels as UTF-8."""
    server = real_server()
    with sender(server.settings()) as made:
        receipt = made.deliver(message(to="jürgen@example.com"))
    (delivered,) = server.messages
    assert {"BODY=8BITMIME", "SMTPUTF8"} <= {*delivered.mail_options}
    assert delivered.rcpt_tos == ["jürgen@example.com"] == [*receipt.accepted]
    assert "To: jürgen@example.com\r\n".encode() in delivered.content


def test_a_non_ascii_reply_to_asks_for_smtputf8(real_server: Callable[..., RealServer]) -> None:
    """A header with UTF-8 needs the extension too, whatever the envelope is."""
    server = real_server()
    with sender(server.settings()) as made:
        made.deliver(message(reply_to="jürgen@example.com"))
    assert "SMTPUTF8" in server.messages[0].mail_options


@pytest.mark.parametrize("offer", [["8BITMIME"], ["SMTPUTF8"], []])
@pytest.mark.parametrize("where", ["to", "from_", "reply_to"])
def test_a_non_ascii_mailbox_is_refused_where_the_server_cannot(
    smtp_server: Callable[..., SmtpServer], offer: list[str], where: str
) -> None:
    """SMTPUTF8 and 8BITMIME must both be offered; else the message cannot go that way, and nothing is offered."""
    server = smtp_server(extensions=offer)
    error = error_of(server.settings(), message(**{where: "jürgen@example.com"}))
    assert type(error) is MailMessageError
    assert "no SMTPUTF8" in str(error)
    assert server.wait().verbs == ["EHLO", "QUIT"]


def test_a_quoted_mailbox_goes_into_the_envelope_as_it_is(smtp_server: Callable[..., SmtpServer]) -> None:
    """Quotes, blanks and brackets in a local part cannot break out of the command."""
    server = smtp_server()
    with sender(server.settings()) as made:
        made.deliver(message(to=r'"a b> SIZE=1 \"<c"@example.com'))
    assert server.wait().commands[2] == r'RCPT TO:<"a b> SIZE=1 \"<c"@example.com>'


def test_who_is_refused_is_named_and_the_others_get_it(real_server: Callable[..., RealServer]) -> None:
    """`deliver` returns a receipt with both; it is for the caller to look."""
    server = real_server(refuse={"bob@example.com": "550 5.1.1 no such user", "eve@example.com": "450 4.2.2 full"})
    with sender(server.settings()) as made:
        receipt = made.deliver(message(cc="bob@example.com", bcc="eve@example.com"))
    assert receipt.outcome is Outcome.PARTIAL
    assert receipt.accepted == ("ada@example.com",)
    assert receipt.refused == {
        "bob@example.com": Refusal(550, "5.1.1", "no such user", transient=False),
        "eve@example.com": Refusal(450, "4.2.2", "full", transient=True),
    }
    assert [delivered.rcpt_tos for delivered in server.messages] == [["ada@example.com"]]


@pytest.mark.parametrize(("reply", "transient"), [("550 5.1.1 no", False), ("450 4.2.1 later", True)])
def test_send_raises_for_a_partial_refusal_after_the_others_got_it(
    real_server: Callable[..., RealServer], reply: str, transient: bool
) -> None:
    """`send` returns only for everybody; its error has the receipt, and says whom not to send to again."""
    server = real_server(refuse={"bob@example.com": reply})
    with sender(server.settings()) as made, pytest.raises(MailRecipientsError) as caught:
        made.send(message(cc="bob@example.com"))
    error = caught.value
    assert_sound(error)
    assert (error.outcome, error.stage, error.transient) == (Outcome.PARTIAL, "rcpt", transient)
    assert error.receipt is not None
    assert error.receipt.accepted == ("ada@example.com",)
    assert [*error.refused] == ["bob@example.com"]
    assert "1 of 2 recipients were refused: bob@example.com" in str(error)
    assert "refused ones only" in str(error)
    assert len(server.messages) == 1


@pytest.mark.parametrize(
    ("replies", "transient"),
    [
        ([b"550 5.1.1 no\r\n", b"450 4.2.1 later\r\n"], False),
        ([b"452 4.5.3 too many\r\n", b"450 4.2.1 later\r\n"], True),
        ([b"550 5.1.1 no\r\n", b"553 5.1.3 bad\r\n"], False),
    ],
)
def test_with_everybody_refused_data_is_not_said(
    smtp_server: Callable[..., SmtpServer], replies: list[bytes], transient: bool
) -> None:
    """Nobody is left to send to. It may work later only if each refusal may."""
    server = smtp_server({"RCPT": replies})
    error = error_of(server.settings(), message(cc="bob@example.com"))
    assert type(error) is MailRecipientsError
    assert (error.outcome, error.transient, error.receipt) == (Outcome.NOT_SENT, transient, None)
    assert [*error.refused] == ["ada@example.com", "bob@example.com"]
    assert "refused every recipient: ada@example.com (" in str(error)
    assert server.wait().verbs == ["EHLO", "MAIL", "RCPT", "RCPT", "QUIT"]


def test_many_refusals_make_one_short_error(smtp_server: Callable[..., SmtpServer]) -> None:
    """The text names three; `refused` has them all."""
    server = smtp_server({"RCPT": b"550 5.1.1 " + b"no " * 300 + b"\r\n"})
    error = error_of(server.settings(), message(to=[f"user{number}@example.com" for number in range(50)]))
    assert len(error.refused) == 50
    assert "user2@example.com" in str(error)
    assert "user3@example.com" not in str(error)


@pytest.mark.parametrize(
    ("reply", "transient"),
    [(b"552 too many recipients\r\n", True), (b"552 5.2.2 mailbox full\r\n", False), (b"552 4.5.3 many\r\n", True)],
)
def test_552_at_a_recipient_is_an_old_way_to_say_452(
    smtp_server: Callable[..., SmtpServer], reply: bytes, transient: bool
) -> None:
    """RFC 5321 section 4.5.3.1.10; an enhanced code says more exactly what is meant."""
    server = smtp_server({"RCPT": [b"250 ok\r\n", reply]})
    with sender(server.settings()) as made:
        receipt = made.deliver(message(cc="bob@example.com"))
    assert receipt.refused["bob@example.com"].transient is transient


@pytest.mark.parametrize("code", [250, 251, 252])
def test_a_recipient_whom_the_server_forwards_or_cannot_verify_is_accepted(
    smtp_server: Callable[..., SmtpServer], code: int
) -> None:
    """RFC 5321 section 3.4: 251 and 252 are acceptances."""
    with sender(smtp_server({"RCPT": f"{code} ok\r\n".encode()}).settings()) as made:
        assert made.deliver(message()).outcome is Outcome.ACCEPTED


def test_421_between_recipients_is_no_refusal_of_one(smtp_server: Callable[..., SmtpServer]) -> None:
    """The server is leaving, so nobody gets the message, those accepted before neither."""
    server = smtp_server({"RCPT": [b"250 ok\r\n", b"421 4.3.2 leaving\r\n"]})
    error = error_of(server.settings(), message(cc="bob@example.com"))
    assert type(error) is MailUnavailableError
    assert (error.stage, error.code, error.outcome, error.transient) == ("rcpt", 421, Outcome.NOT_SENT, True)
    assert server.wait().verbs == ["EHLO", "MAIL", "RCPT", "RCPT"]
    assert server.bodies == []


def test_sixteen_threads_share_a_sender(real_server: Callable[..., RealServer]) -> None:
    """Every message of every thread arrives exactly once, at its own recipients, and each receipt is its own."""
    server = real_server(login=("grace", "secret"))
    start = threading.Barrier(16)

    def work(thread: int) -> list[str]:
        start.wait(10)
        mails = [message(to=f"to{thread}-{number}@example.com", text=f"{thread} {number}") for number in range(5)]
        receipts = [made.deliver(mail) for mail in mails]
        assert [receipt.message_id for receipt in receipts] == [mail.message_id for mail in mails]
        return [receipt.accepted[0] for receipt in receipts]

    with sender(server.settings(username="grace", password="secret")) as made, ThreadPoolExecutor(16) as pool:
        accepted = [address for each in pool.map(work, range(16)) for address in each]
    assert len(accepted) == 80
    assert Counter(delivered.rcpt_tos[0] for delivered in server.messages) == Counter(accepted)
    for delivered in server.messages:
        (address,) = delivered.rcpt_tos
        thread, number = re.findall(r"\d+", address)
        assert delivered.content.endswith(f"\r\n\r\n{thread} {number}\r\n".encode())


def test_the_same_message_twice_is_the_same_twice(real_server: Callable[..., RealServer]) -> None:
    """A second attempt has the Message-ID and the octets of the first, so that a receiver can tell."""
    server = real_server()
    mail = message(html="<p>x</p>", attachments=[Attachment("a.txt", b"a")])
    with sender(server.settings()) as made:
        made.deliver(mail)
        made.deliver(mail)
    first, second = server.messages
    assert first.content == second.content


def test_the_debug_log_has_no_word_of_the_message(
    real_server: Callable[..., RealServer], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither subject nor body: they may hold a one-time code."""
    with caplog.at_level(logging.DEBUG, "postroom"), sender(real_server().settings()) as made:
        made.deliver(message(subject="Your code", text="The code is 424242"))
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("postroom")]
    assert any("RCPT TO" in line for line in ours)
    assert not any("424242" in line or "Your code" in line for line in ours)


SENDER_REFUSED = [
    "554 5.7.1 <grace@example.com>: Sender address rejected: Access denied",
    "450 4.1.8 <grace@example.com>: Sender address rejected: Domain not found",
    "553 5.7.1 <grace@example.com>: Sender address rejected: not owned by user ada",
    "550 Sender verify failed",
    "550-Verification failed for <grace@example.com>\r\n550-no such domain\r\n550 Sender verify failed",
    "550 5.1.7 no",
    "501 5.1.8 bad domain",
    "550 5.7.1 Invalid sender",
    "554 5.7.1 grace@example.com may not send from here",
    "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
    "550 5.7.1 <grace@example.com>: blocked",
]


@pytest.mark.parametrize("extensions", [SmtpServer.EXTENSIONS, SmtpServer.PIPELINING, SmtpServer.CHUNKING])
@pytest.mark.parametrize("reply", SENDER_REFUSED)
def test_a_sender_that_is_refused_at_rcpt_is_told_as_the_sender(
    smtp_server: Callable[..., SmtpServer], reply: str, extensions: tuple[str, ...]
) -> None:
    """Postfix and Exim wait until RCPT with what they have against the sender; it is nothing about the recipients."""
    server = smtp_server({"RCPT": f"{reply}\r\n".encode()}, extensions=extensions)
    error = error_of(server.settings(), message(cc="bob@example.com"))
    assert type(error) is (MailUnavailableError if reply.startswith("450") else MailRejectedError)
    assert (error.stage, error.code, error.transient) == ("mail", int(reply[:3]), reply.startswith("450"))
    assert "refused the sender" in str(error)
    assert "MAIL_DEFAULT_SEND_FROM" in str(error)


def test_the_probe_tells_a_refused_sender_as_well(smtp_server: Callable[..., SmtpServer]) -> None:
    """`postroom doctor --send-to` names the setting to change."""
    server = smtp_server({"RCPT": b"554 5.7.1 <grace@example.com>: Sender address rejected: Access denied\r\n"})
    with sender(server.settings(default_from="grace@example.com")) as made, pytest.raises(MailRejectedError) as caught:
        list(made.probe("ada@example.com"))
    assert caught.value.stage == "mail"


NOT_THE_SENDER = [
    "550 5.1.1 <ada@example.com>: Recipient address rejected: User unknown",
    "554 5.7.1 <ada@example.com>: Relay access denied",
    "550 5.7.1 <grace@example.com> may not write to <ada@example.com>",
    "550 5.2.1 mailbox disabled",
    "550 5.7.1 <ada@example.com>: Recipient address rejected: sender is not allowed to send to this list",
    "450 4.2.0 <ada@example.com>: Recipient address rejected: Greylisted, sender unknown",
    "550 5.7.1 This group accepts mail from members only; sender not authorized",
]


@pytest.mark.parametrize("reply", NOT_THE_SENDER)
def test_a_recipient_that_is_refused_is_told_as_the_recipient(
    smtp_server: Callable[..., SmtpServer], reply: str
) -> None:
    """The code that all have is the error's."""
    server = smtp_server({"RCPT": lambda given: f"{reply}\r\n".replace("ada@", given[9:13]).encode()})
    error = error_of(server.settings(), message(cc="bob@example.com"))
    assert type(error) is MailRecipientsError
    assert (error.stage, error.code, error.enhanced_code) == ("rcpt", int(reply[:3]), reply.split()[1])


def test_recipients_that_are_refused_for_different_reasons_have_no_code_in_common(
    smtp_server: Callable[..., SmtpServer],
) -> None:
    """Each refusal has its own."""
    server = smtp_server({"RCPT": [b"550 5.1.1 no\r\n", b"550 5.2.1 no\r\n", b"452 4.2.2 full\r\n"]})
    mail = message(cc="bob@example.com")
    error = error_of(server.settings(), mail)
    assert (error.code, error.enhanced_code) == (550, None)
    server = smtp_server({"RCPT": [b"550 5.1.1 no\r\n", b"452 4.2.2 full\r\n"]})
    error = error_of(server.settings(), mail)
    assert (error.code, error.enhanced_code) == (None, None)
    assert [refusal.code for refusal in error.refused.values()] == [550, 452]
