"""One mail transaction: MAIL, RCPT, DATA, the body, the final dot (RFC 5321 section 3.3), each step alone.

Body and final dot are written apart. Before the dot nothing can have been accepted; after it, only the reply tells.
"""

import attrs

from postroom import MailMessageError, MailRecipientsError, Refusal
from postroom_smtp.failures import Stage, from_reply
from postroom_smtp.replies import ProtocolError, Reply
from postroom_smtp.session import Session

_LONGEST_SIZE = 20  # digits, RFC 1870 section 3


@attrs.frozen
class Envelope:
    """Who a message is from and for, apart from what its headers say. Bare addresses."""

    sender: str
    recipients: tuple[str, ...]

    @property
    def needs_smtputf8(self) -> bool:
        """True if an address has a non-ASCII local part (RFC 6531)."""
        return not all(address.isascii() for address in (self.sender, *self.recipients))


@attrs.frozen
class Accepted:
    """What the server said: the reply to the message, and who was refused before it."""

    reply: Reply
    refused: dict[str, Refusal]


def transact(session: Session, envelope: Envelope, content: bytes) -> Accepted:
    """Offer one message. Recipients that are refused are named; the others get it.

    Args:
        session: A session that is logged in, if need be.
        envelope: Sender and recipients.
        content: The rendered message, ending with CRLF.

    Raises:
        MailMessageError: The server's limits rule the message out; nothing was offered.
        MailSendError: The server refused.
        ProtocolError: It answered something that makes no sense; see `session.stage`.
        OSError: The connection failed; see `session.stage`.
    """
    _mail(session, envelope, content)
    refused = _recipients(session, envelope)
    reply = session.command(Stage.DATA, "DATA")
    if reply.code != 354:
        raise _refusal(reply, Stage.DATA, session)
    session.write_body(_stuff(content))
    reply = session.write_dot()
    if not reply.positive:
        raise _refusal(reply, Stage.FINAL, session)
    return Accepted(reply, refused)


def _mail(session: Session, envelope: Envelope, content: bytes) -> None:
    limit = session.extensions.get("SIZE", "")
    command = f"MAIL FROM:<{envelope.sender}>"
    if limit.isdecimal() and len(limit) <= _LONGEST_SIZE:
        if 0 < int(limit) < len(content):
            raise MailMessageError(f"the message has {len(content)} octets, {session.peer} takes {limit} (SIZE)")
        command += f" SIZE={len(content)}"
    if not content.isascii() or envelope.needs_smtputf8:
        # RFC 6531 section 3.6: headers with UTF-8 need both.
        if not {"SMTPUTF8", "8BITMIME"} <= session.extensions.keys():
            raise MailMessageError(f"{session.peer} takes no address with non-ASCII before the @ (no SMTPUTF8)")
        command += " BODY=8BITMIME SMTPUTF8"
    reply = session.command(Stage.MAIL, command)
    if not reply.positive:
        raise from_reply(reply, Stage.MAIL, session.peer)


def _recipients(session: Session, envelope: Envelope) -> dict[str, Refusal]:
    refused: dict[str, Refusal] = {}
    for address in envelope.recipients:
        reply = session.command(Stage.RCPT, f"RCPT TO:<{address}>")
        if reply.code == 421:
            raise from_reply(reply, Stage.RCPT, session.peer)
        if not reply.positive:
            # RFC 5321 section 4.5.3.1.10: 552 here is an old way to say 452, too many recipients.
            transient = reply.transient or (reply.code == 552 and reply.enhanced_code is None)
            refused[address] = Refusal(reply.code, reply.enhanced_code, reply.text, transient)
    if len(refused) < len(envelope.recipients):
        return refused
    said = ", ".join(f"{address} ({refusal.code} {refusal.text})" for address, refusal in [*refused.items()][:3])
    raise MailRecipientsError(
        f"{session.peer} refused every recipient: {said}",
        refused=refused,
        stage=str(Stage.RCPT),
        transient=all(refusal.transient for refusal in refused.values()),
    )


def _refusal(reply: Reply, stage: Stage, session: Session) -> Exception:
    # 2yz to DATA and 3yz to the dot are neither yes nor no.
    return from_reply(reply, stage, session.peer) if reply.code >= 400 else ProtocolError(f"unexpected {reply}")


def _stuff(content: bytes) -> bytes:
    """Double a dot that begins a line (RFC 5321 section 4.5.2). A rendered message begins with a header."""
    return content.replace(b"\r\n.", b"\r\n..")
