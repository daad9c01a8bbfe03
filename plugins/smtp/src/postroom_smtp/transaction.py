"""One mail transaction, in as few round trips as the server allows.

- MAIL, each RCPT, DATA and the body one after the other (RFC 5321 section 3.3), where nothing more is offered;
- MAIL, RCPT and DATA in one write, the body in a second (RFC 2920);
- MAIL, RCPT and BDAT with the whole message in one write (RFC 3030), or in two where the connection may be stale.

Until the last octet of the message has left, nothing can have been accepted; after it, only the reply tells.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import NoReturn

import attrs

from postroom import MailSendError, Refusal
from postroom_smtp.content import Content
from postroom_smtp.envelope import Envelope, refusals, refused_by_all
from postroom_smtp.failures import Stage, from_reply
from postroom_smtp.grouping import PipeliningMode
from postroom_smtp.order import OUT_OF_ORDER, is_against_groups, is_out_of_step, may_be_another
from postroom_smtp.replies import ProtocolError, Reply
from postroom_smtp.session import Session
from postroom_smtp.upload import NO_BDAT, GroupError, Upload

# Octets of a message that is sent before its recipients are accepted. A larger one is not wasted on a refusal, and one
# round trip is little beside it.
_ONE_WRITE = 131_072
# Seconds since the last reply. A connection that was dropped meanwhile might take the whole message and never answer.
_HOT = 3.0


@attrs.frozen
class Accepted:
    """What the server said: the reply to the message, and who was refused before it."""

    reply: Reply
    refused: dict[str, Refusal]


class Transaction:
    """One message on its way over one session: `begin` writes what may be written at once, `finish` does the rest.

    Both raise `OSError` and `ProtocolError` if the connection fails, and `MailSendError` if the server refuses.
    """

    def __init__(
        self, session: Session, envelope: Envelope, content: Content, leaving: Callable[[], None] | None
    ) -> None:
        """Prepare the commands. Nothing is written. `leaving` is called just before the last octet of the message goes.

        Raises:
            MailMessageError: The server's limits rule the message out.
        """
        self.begun = False
        """True once the first group is written, by `begin` or at the end of the message before."""
        # A server that does not know BDAT runs the octets of a chunk as commands, whoever has written them.
        self.by_bdat = session.chunks and (session.grouping.knows_bdat or not content.reads_like_commands)
        """True if the message goes by BDAT, else by DATA."""
        self._session = session
        self._envelope = envelope
        self._content = content
        self._upload = Upload(session, leaving, by_bdat=self.by_bdat)
        self._commands = envelope.commands(session, content)
        self._reset = False
        self._out_of_step: Reply | None = None

    @property
    def left(self) -> bool:
        """True from the moment when the last octet of the message has left."""
        return self._upload.left

    @property
    def goes_in_one_write(self) -> bool:
        """True if envelope and message may go together, and the next message behind them."""
        hot = time.monotonic() - self._session.used_at < _HOT
        return self.by_bdat and hot and self._content.size <= _ONE_WRITE

    @property
    def unproven_group(self) -> PipeliningMode | None:
        """What the connection has not shown yet to work, and the message needs: `full` is BDAT; None if all works."""
        session = self._session
        if session.stage in (Stage.BODY, Stage.FINAL):
            return "full" if self.by_bdat and not session.has_chunked else None
        return "commands" if session.pipelines and session.messages <= 1 else None

    def begin(self, *, behind: bool = False) -> None:
        """Write the first group of commands; where nothing may be grouped, that is none.

        `behind`: replies to an earlier message are still to come. RSET goes first then, at no cost, so that nothing
        which that message may leave behind becomes part of this one.
        """
        session = self._session
        self._reset = behind or session.needs_reset
        session.stage = Stage.MAIL  # not that of the message before
        if session.pipelines and not behind:
            session.expect_silence()
        self._count()  # first, since an exception may come at any moment
        if session.pipelines:
            if self.goes_in_one_write:
                self._upload.write([session.encode(self._group()), *self._chunk()], alone=not behind)
            else:
                session.send(Stage.MAIL, self._group())

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
        self._upload.quiet = True
        if not self.left:
            if not self.by_bdat:
                self._by_data(refusal, follower)
            elif refusal is not None:
                raise refusal
            else:
                self._upload.write(self._chunk())
        with self._or(refusal):  # nobody was to get it then, whatever the reply would have been
            reply = session.read(Stage.FINAL)
        if self.by_bdat and reply.code in NO_BDAT:
            self._has_no_bdat(reply, refusal)
        if self.by_bdat and reply.positive and (refusal is not None or may_be_another(reply, session)):
            raise ProtocolError(f"{reply}, which may be to an earlier command")
        if refusal is not None:
            if self._out_of_step is not None and reply.code >= 400:
                self._pipelining_fails(self._out_of_step)
            raise refusal
        # The reply to RSET shows whether the server has swallowed a chunk that it refused.
        session.needs_reset = self.by_bdat and not reply.positive
        if not reply.positive:
            raise _refusal(reply, Stage.FINAL, session)
        if self.by_bdat:
            session.has_chunked = session.grouping.knows_bdat = True
        return Accepted(reply, refused)

    def _has_no_bdat(self, reply: Reply, refusal: MailSendError | None) -> None:
        if refusal is None or reply.code != OUT_OF_ORDER:
            self._session.closing = True  # a server that knows no BDAT takes the message for commands
        if refusal is None:
            raise self._upload.without_bdat(reply)

    def _count(self) -> None:
        self.begun = True
        self._session.messages += 1

    def _group(self) -> list[str]:
        data = [] if self.by_bdat else ["DATA"]
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
        if refusal is not None:
            self._note(reply)
        refused: dict[str, Reply] = {}
        for address, command in zip(self._envelope.recipients, recipients, strict=True):
            if refusal is not None and not session.pipelines:
                raise refusal
            with self._or(refusal):
                reply = self._reply(Stage.RCPT, command)
            if not reply.positive:
                refused[address] = reply
                if refusal is None:  # else 503 is what it must say
                    self._note(reply)
        if self._out_of_step is not None and not self.left:
            self._pipelining_fails(self._out_of_step)
        if refusal is None and len(refused) == len(recipients):
            refusal = refused_by_all(self._envelope, refused, session.peer)
        return refusals(refused) if refused else {}, refusal

    @contextlib.contextmanager
    def _or(self, refusal: MailSendError | None) -> Iterator[None]:
        """Tell what was refused where the server hangs up behind it: that is why it does."""
        try:
            yield
        except (MailSendError, OSError, ProtocolError) as error:
            if refusal is None or (isinstance(error, TimeoutError) and not self.left):
                raise  # a reply that is missing may be an earlier one
            self._session.closing = True
            if self._out_of_step is not None and not self.left:
                self._pipelining_fails(self._out_of_step)
            raise refusal from None

    def _note(self, reply: Reply) -> None:
        """Remember a reply that says that the server did not read the group as it was written."""
        if self._session.pipelines and self._out_of_step is None and is_out_of_step(reply):
            self._out_of_step = reply

    def _reply(self, stage: Stage, command: str) -> Reply:
        session = self._session
        reply = session.read(stage) if session.pipelines else session.command(stage, command)
        if reply.code == 421:
            if session.pipelines and not self.left and is_against_groups(reply):
                self._pipelining_fails(reply)
            raise from_reply(reply, stage, session.peer)
        return reply

    def _by_data(self, refusal: MailSendError | None, follower: "Transaction | None") -> None:
        """Write the message behind the reply to DATA."""
        session = self._session
        if refusal is not None and not session.pipelines:
            raise refusal
        with self._or(refusal):
            reply = self._reply(Stage.DATA, "DATA")
        if reply.code != 354:
            if session.pipelines and refusal is None and is_out_of_step(reply):
                self._pipelining_fails(reply)
            raise refusal or _refusal(reply, Stage.DATA, session)
        if refusal is not None:
            # It waits for a message although nobody gets one, and would take RSET for a line of it.
            session.owed += 1
            session.write(b".\r\n")
            return
        end = b".\r\n" if follower is None else b".\r\n" + follower.follow()
        self._upload.write([*self._content.stuffed(), end], joined=follower is not None)

    def _pipelining_fails(self, reply: Reply) -> NoReturn:
        self._session.grouping.pipelining = False
        raise GroupError(f"the server does not understand a group of commands: {reply}")


def _refusal(reply: Reply, stage: Stage, session: Session) -> Exception:
    # 2yz to DATA and 3yz to the dot are neither yes nor no.
    return from_reply(reply, stage, session.peer) if reply.code >= 400 else ProtocolError(f"unexpected {reply}")
