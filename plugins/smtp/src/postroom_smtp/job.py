"""One message and what has become of it so far, over one connection or a second."""

import functools

from postroom import Leaving, MailError, MailMessage, MailMessageError, MailSendError, Receipt
from postroom_smtp.content import Content
from postroom_smtp.envelope import Envelope
from postroom_smtp.failures import Stage, from_exception
from postroom_smtp.mime import render
from postroom_smtp.session import Session
from postroom_smtp.tls import TlsMode
from postroom_smtp.transaction import Transaction
from postroom_smtp.upload import GroupError


class Job:
    """A message that is to be offered.

    `begin` and `finish` keep in `result` what the server says, and raise `OSError` or `ProtocolError` if the connection
    breaks; then `broken` decides whether the message is offered again.
    """

    def __init__(self, message: MailMessage, provider: str, mode: TlsMode, leaving: Leaving | None = None) -> None:
        if message.from_ is None:
            raise MailMessageError("the message has no sender: set from_")
        self.result: Receipt | MailError | None = None
        self.attempts = 0
        self._message = message
        self._provider = provider
        self._mode = mode
        # Not a method of this job: the transaction would hold it, and both would live until the collector comes.
        self._leaving = functools.partial(leaving, message) if leaving is not None else None
        self._envelope = Envelope(message.from_.spec, message.recipients)
        self._content: Content | None = None
        self._session: Session | None = None
        self._transaction: Transaction | None = None

    @property
    def in_flight(self) -> bool:
        """True if something of it is written, and its result is to come."""
        return self.result is None and self._transaction is not None and self._transaction.begun

    @property
    def left(self) -> bool:
        """True if the whole message has left, so that the server may have it."""
        return self._transaction is not None and self._transaction.left

    def prepare(self, session: Session) -> Transaction | None:
        """Return the transaction that offers the message over `session`, or None if its limits rule it out."""
        if self._session is not session or self._transaction is None:
            try:
                if self._content is None:
                    self._content = render(self._message)
                self._transaction = Transaction(session, self._envelope, self._content, self._leaving)
            except MailMessageError as error:
                self.result = error
                return None
            self._session = session
        return self._transaction

    def begin(self, session: Session, *, behind: bool = False) -> None:
        """Write what may be written at once. `behind`: an earlier message waits for its replies."""
        transaction = self.prepare(session)
        if transaction is not None:
            try:
                transaction.begin(behind=behind)
            except MailError as error:
                self._refused(error, session)
            except GroupError:
                self._withdraw()
                raise

    def finish(self, follower: "Job | None" = None) -> None:
        """Do the rest, and keep the result. `follower` may begin with the end of this message."""
        session, transaction = self._session, self._transaction
        assert session is not None  # noqa: S101  it has begun
        assert transaction is not None  # noqa: S101
        try:
            accepted = transaction.finish(follower.prepare(session) if follower is not None else None)
        except MailError as error:
            self._refused(error, session)
            return
        except GroupError:
            self._withdraw()
            raise
        self.attempts += 1
        self.result = Receipt(
            message_id=self._message.message_id,
            provider=self._provider,
            provider_id=accepted.reply.text or None,
            accepted=tuple(address for address in self._envelope.recipients if address not in accepted.refused),
            refused=accepted.refused,
            attempts=self.attempts,
        )

    def broken(self, error: Exception, session: Session) -> None:
        """Take note that the connection broke. Without a result then, the message is to be offered on a new one."""
        transaction = self._transaction
        if transaction is None or self._offer_again(session):
            return  # None: it is withdrawn
        if not isinstance(error, MailError):
            stage = Stage.FINAL if transaction.left else session.stage
            group = transaction.unproven_group if isinstance(error, TimeoutError) else None
            made = from_exception(error, stage, session.peer, self._mode, self._message.message_id, group=group)
            made.__cause__ = error
            error = made
        self.result = error

    def _refused(self, error: MailError, session: Session) -> None:
        if isinstance(error, MailSendError) and error.code == 421:
            self.broken(error, session)
        else:
            self.result = error

    def _withdraw(self) -> None:
        """Take note that the server has accepted nothing, and that the message is to be offered in another way."""
        self.attempts += 1
        self._transaction = None

    def _offer_again(self, session: Session) -> bool:
        """Return True if the server has not got the message, and a connection used before may be to blame."""
        self.attempts += 1
        earlier = session.messages - (self._transaction is not None and self._transaction.begun)
        if self.left or self.attempts > 1 or not (session.reused or earlier):
            return False
        self._transaction = None
        return True
