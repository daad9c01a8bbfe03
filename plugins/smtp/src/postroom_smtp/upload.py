"""Writing a message: in blocks, with an ear for what the server says meanwhile, and the moment when it has left."""

from collections.abc import Callable, Iterable

from postroom_smtp.content import blocks
from postroom_smtp.failures import Stage, from_reply
from postroom_smtp.replies import ProtocolError, Reply
from postroom_smtp.session import Session

NO_BDAT = (500, 502, 503, 504)
"""To BDAT for accepted recipients: the server, or what is before it, does not know BDAT."""


class GroupError(ProtocolError):
    """The server has accepted nothing, since it cannot do what it offers: groups of commands, or BDAT."""


class Upload:
    """The octets of one message on their way.

    Args:
        session: Where they go.
        leaving: Is called just before the last octet goes; None if nobody asks.
        by_bdat: True if they are a chunk, else they follow DATA.
    """

    def __init__(self, session: Session, leaving: Callable[[], None] | None, *, by_bdat: bool) -> None:
        self.left = False
        """True from the moment when the last octet has left."""
        self.quiet = not by_bdat
        """True if no reply is to come before the end, since those to the envelope are read."""
        self._session = session
        self._leaving = leaving
        self._by_bdat = by_bdat

    def write(self, pieces: Iterable[bytes], *, alone: bool = True, joined: bool = False) -> None:
        """Write a message in as few writes as its size allows.

        Args:
            pieces: The message, with what goes before and behind it.
            alone: No earlier message waits for its replies.
            joined: The next envelope is behind the message in the last piece.

        Raises:
            OSError: The connection failed.
            GroupError: The server does not know BDAT.
            MailSendError: It refuses the message before its end.
            ProtocolError: It says something else before its end.
        """
        self._session.stage = Stage.BODY
        if not self._by_bdat:  # BDAT is a command, and counted as one
            self._session.owed += 1
        *first, last = blocks(pieces)
        for block in first:
            self._write(block, alone=alone)
        if self._leaving is not None:
            self._leaving()
        self._write(last, alone=alone, joined=joined)
        self.left = True

    def without_bdat(self, reply: Reply | None) -> GroupError:
        """Take note that the server does not know BDAT, and return the error that says so."""
        self._session.grouping.chunking = False
        return GroupError(f"the server refuses BDAT: {reply}" if reply else "the connection broke at BDAT")

    def _write(self, block: bytes, *, alone: bool, joined: bool = False) -> None:
        session = self._session
        try:
            if self.quiet and session.has_input():
                self._raise_verdict()
                raise ProtocolError("a reply before the end of the message")
            self.left = joined  # the write may fail behind the final dot
            session.write(block)
        except OSError as error:
            # A server that refuses in the middle says why and hangs up; its words are worth more than ours.
            if alone:
                self._try_verdict()
                unproven = self._by_bdat and not session.has_chunked
                if self.quiet and unproven and not isinstance(error, TimeoutError):
                    raise self.without_bdat(None) from error
            raise

    def _try_verdict(self) -> None:
        try:
            self._raise_verdict()
        except GroupError:
            raise
        except (OSError, ProtocolError):
            return

    def _raise_verdict(self) -> None:
        self._session.closing = True  # it is in the middle of a message
        reply = self._session.read(Stage.BODY, min(1.0, self._session.timeouts.command))
        if self._by_bdat and reply.code in NO_BDAT:
            raise self.without_bdat(reply)
        if reply.code >= 400:
            raise from_reply(reply, Stage.BODY, self._session.peer)
