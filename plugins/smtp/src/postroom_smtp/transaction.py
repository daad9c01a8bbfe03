"""One mail transaction, in as few round trips as the server allows.

- MAIL, each RCPT, DATA and the body one after the other (RFC 5321 section 3.3), where nothing more is offered;
- MAIL, RCPT and DATA in one write, the body in a second (RFC 2920);
- MAIL, RCPT and BDAT with the whole message in one write (RFC 3030), or in two where the connection may be stale.

Until the last octet of the message has left, nothing can have been accepted; after it, only the reply tells.
"""

import contextlib
import time
from collections.abc import Iterable

import attrs

from postroom import MailMessageError, MailRecipientsError, MailSendError, Refusal
from postroom_smtp.content import Content, blocks
from postroom_smtp.failures import Stage, from_reply
from postroom_smtp.replies import ProtocolError, Reply
from postroom_smtp.session import Session

_LONGEST_SIZE = 20  # digits, RFC 1870 section 3
# Octets of a message that is sent before its recipients are accepted. A larger one is not wasted on a refusal, and one
# round trip is little beside it.
_ONE_WRITE = 131_072
# Seconds since the last reply. A connection that was dropped meanwhile might take the whole message and never answer.
_HOT = 3.0
_NOT_KNOWN = (500, 502, 504)  # a command


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


class Transaction:
    """One message on its way over one session: `begin` writes what may be written at once, `finish` does the rest.

    Both raise `OSError` and `ProtocolError` if the connection fails, and `MailSendError` if the server refuses.
    """

    def __init__(self, session: Session, envelope: Envelope, content: Content) -> None:
        """Prepare the commands. Nothing is written.

        Raises:
            MailMessageError: The server's limits rule the message out.
        """
        self.begun = False
        """True once the first group is written, by `begin` or at the end of the message before."""
        self.left = False
        """True from the moment when the last octet of the message has left."""
        self._session = session
        self._envelope = envelope
        self._content = content
        self._commands = [_mail(session, envelope, content)]
        self._commands += [f"RCPT TO:<{address}>" for address in envelope.recipients]
        self._reset = False
        self._by_bdat = session.pipelines and session.chunks

    @property
    def goes_in_one_write(self) -> bool:
        """True if envelope and message may go together, and the next message behind them."""
        hot = time.monotonic() - self._session.used_at < _HOT
        return self._by_bdat and hot and self._content.size <= _ONE_WRITE

    def begin(self, *, behind: bool = False) -> None:
        """Write the first group of commands; where nothing may be grouped, that is none.

        `behind`: replies to an earlier message are still to come. RSET goes first then, at no cost, so that nothing
        which that message may leave behind becomes part of this one.
        """
        session = self._session
        self._reset = behind or session.needs_reset
        session.stage = Stage.MAIL  # not that of the message before
        if session.pipelines:
            if not behind:
                session.expect_silence()
            if self.goes_in_one_write:
                self._write_message([session.encode(self._group()), *self._chunk()], alone=not behind)
            else:
                session.send(Stage.MAIL, self._group())
        self._count()

    def follow(self) -> bytes:
        """Return the first group, to be written at the end of the message before; it counts as begun then."""
        self._count()
        return self._session.encode(self._group())

    def finish(self, follower: "Transaction | None" = None) -> Accepted:
        """Read the replies, write what is left, and return what became of the message.

        `follower`: the next transaction, where messages go by DATA. Its first group is written behind this message, and
        costs no round trip of its own.
        """
        session = self._session
        session.needs_reset = True  # unless the message gets its final reply
        refused, refusal = self._envelope_replies()
        if not self.left:
            if not self._by_bdat:
                self._by_data(refusal, follower)
            elif refusal is not None:
                raise refusal
            else:
                self._write_message(self._chunk())
        try:
            reply = session.read(Stage.FINAL)
        except (OSError, ProtocolError):
            session.closing = True
            if refusal is not None:
                raise refusal from None  # nobody was to get it, whatever the reply would have been
            raise
        if self._by_bdat and reply.code in _NOT_KNOWN:
            session.closing = True  # a server that knows no BDAT takes the message for commands
        if refusal is not None:
            raise refusal
        # The reply to RSET shows whether the server has swallowed a chunk that it refused.
        session.needs_reset = self._by_bdat and not reply.positive
        if not reply.positive:
            raise _refusal(reply, Stage.FINAL, session)
        return Accepted(reply, refused)

    def _count(self) -> None:
        self.begun = True
        self._session.messages += 1

    def _group(self) -> list[str]:
        data = [] if self._by_bdat else ["DATA"]
        return [*(["RSET"] if self._reset else []), *self._commands, *data]

    def _chunk(self) -> list[bytes]:
        return [self._session.encode([f"BDAT {self._content.size} LAST"]), *self._content.pieces]

    def _envelope_replies(self) -> tuple[dict[str, Refusal], MailSendError | None]:
        """Return who is refused, and the error if that is everybody, or the sender. A group is read as a whole."""
        session = self._session
        if self._reset and not self._reply(Stage.MAIL, "RSET").positive:
            raise ProtocolError("RSET was refused")
        mail, *recipients = self._commands
        reply = self._reply(Stage.MAIL, mail)
        refusal = None if reply.positive else from_reply(reply, Stage.MAIL, session.peer)
        refused: dict[str, Refusal] = {}
        for address, command in zip(self._envelope.recipients, recipients, strict=True):
            if refusal is not None and not session.pipelines:
                raise refusal
            reply = self._reply(Stage.RCPT, command)
            if not reply.positive:
                # RFC 5321 section 4.5.3.1.10: 552 here is an old way to say 452, too many recipients.
                transient = reply.transient or (reply.code == 552 and reply.enhanced_code is None)
                refused[address] = Refusal(reply.code, reply.enhanced_code, reply.text, transient)
        if refusal is None and len(refused) == len(recipients):
            refusal = _nobody(refused, session)
        return refused, refusal

    def _reply(self, stage: Stage, command: str) -> Reply:
        session = self._session
        reply = session.read(stage) if session.pipelines else session.command(stage, command)
        if reply.code == 421:
            raise from_reply(reply, stage, session.peer)
        return reply

    def _by_data(self, refusal: MailSendError | None, follower: "Transaction | None") -> None:
        """Write the message behind the reply to DATA."""
        session = self._session
        if refusal is not None and not session.pipelines:
            raise refusal
        reply = self._reply(Stage.DATA, "DATA")
        if reply.code != 354:
            raise refusal or _refusal(reply, Stage.DATA, session)
        if refusal is not None:
            # It waits for a message although nobody gets one, and would take RSET for a line of it.
            session.write(b".\r\n")
            return
        end = b".\r\n" if follower is None else b".\r\n" + follower.follow()
        self._write_message([*self._content.stuffed(), end], joined=follower is not None)

    def _write_message(self, pieces: Iterable[bytes], *, alone: bool = True, joined: bool = False) -> None:
        """Write a message in as few writes as its size allows.

        `alone`: no earlier message waits for its replies. `joined`: the next envelope is behind it in the last piece.
        """
        session = self._session
        session.stage = Stage.BODY
        *first, last = blocks(pieces)
        try:
            for block in first:
                session.write(block)
            if not self._by_bdat and session.has_input():  # the server has nothing to say before the end
                self._raise_verdict()
                raise ProtocolError("a reply before the end of the message")
            self.left = joined  # the write may fail behind the final dot
            session.write(last)
        except OSError:
            # A server that refuses in the middle says why and hangs up; its words are worth more than ours.
            if alone:
                with contextlib.suppress(OSError, ProtocolError):
                    self._raise_verdict()
            raise
        self.left = True

    def _raise_verdict(self) -> None:
        self._session.closing = True  # it is in the middle of a message
        reply = self._session.read(Stage.BODY, min(1.0, self._session.timeouts.command))
        if reply.code >= 400:
            raise from_reply(reply, Stage.BODY, self._session.peer)


def _mail(session: Session, envelope: Envelope, content: Content) -> str:
    limit = session.extensions.get("SIZE", "")
    command = f"MAIL FROM:<{envelope.sender}>"
    if limit.isdecimal() and len(limit) <= _LONGEST_SIZE:
        if 0 < int(limit) < content.size:
            raise MailMessageError(f"the message has {content.size} octets, {session.peer} takes {limit} (SIZE)")
        command += f" SIZE={content.size}"
    if not content.is_ascii or envelope.needs_smtputf8:
        # RFC 6531 section 3.6: headers with UTF-8 need both.
        if not {"SMTPUTF8", "8BITMIME"} <= session.extensions.keys():
            raise MailMessageError(f"{session.peer} takes no address with non-ASCII before the @ (no SMTPUTF8)")
        command += " BODY=8BITMIME SMTPUTF8"
    return command


def _nobody(refused: dict[str, Refusal], session: Session) -> MailRecipientsError:
    said = ", ".join(f"{address} ({refusal.code} {refusal.text})" for address, refusal in [*refused.items()][:3])
    return MailRecipientsError(
        f"{session.peer} refused every recipient: {said}",
        refused=refused,
        stage=str(Stage.RCPT),
        transient=all(refusal.transient for refusal in refused.values()),
    )


def _refusal(reply: Reply, stage: Stage, session: Session) -> Exception:
    # 2yz to DATA and 3yz to the dot are neither yes nor no.
    return from_reply(reply, stage, session.peer) if reply.code >= 400 else ProtocolError(f"unexpected {reply}")
