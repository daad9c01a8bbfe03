"""The way of a message to a server, step by step, up to the recipient; nothing is sent."""

from collections.abc import Generator, Iterator

from postroom import Address, MailConnectionError, MailSendError, MailTimeoutError, Step
from postroom_smtp.connection import Deadline, Timeouts
from postroom_smtp.dial import Dialler, Found
from postroom_smtp.envelope import at_fault
from postroom_smtp.extensions import size_limit
from postroom_smtp.failures import Stage, from_exception, from_reply
from postroom_smtp.peek import peek
from postroom_smtp.replies import ProtocolError, Reply
from postroom_smtp.session import Session
from postroom_smtp.settings import SmtpSettings

_STEP = 8.0  # seconds; a greeting may be held back for six, to see who does not wait for it
_WHOLE = 18.0  # seconds; a look at what answers instead comes on top
_PUZZLING = (Stage.TLS, Stage.GREETING, Stage.EHLO)


def probe(
    dialler: Dialler, settings: SmtpSettings, sender: Address | None, recipient: Address | None
) -> Iterator[Step]:
    """Go the way of a message, and yield each step when it is done.

    Args:
        dialler: Opens the session.
        settings: Where the server is.
        sender: Whom to name in MAIL; None stops before.
        recipient: Whom to name in RCPT; None stops before.

    Raises:
        MailSendError: The next step failed. Where something else than SMTP may have answered, its text says what did.
    """
    session = yield from _open(dialler, settings)
    try:
        yield from _ask(session, settings, sender, recipient)
    finally:
        session.quit()
        session.close()


def _open(dialler: Dialler, settings: SmtpSettings) -> Generator[Step, None, Session]:
    most = min(settings.timeout or _STEP, _STEP)
    steps = dialler.steps(Deadline(_WHOLE), Timeouts.all(most))
    try:
        while True:
            try:
                stage, found = next(steps)
            except StopIteration as end:
                session: Session = end.value
                return session
            yield _step(stage, found, settings)
            if isinstance(found, Session):
                found.begin(Deadline(_WHOLE))  # what the reader of the steps did meanwhile does not count
    except (MailConnectionError, MailTimeoutError) as error:
        if error.stage in _PUZZLING and "certificate" not in error.reason:
            answer = peek(settings.server, settings.port)
            # What answers as it should has failed for another reason, and to name it would send people to the settings.
            if answer != ("it begins with TLS" if settings.mode == "implicit" else "it speaks SMTP in plain text"):
                error.reason += f"; {answer}"
        raise


def _step(stage: Stage, found: Found, settings: SmtpSettings) -> Step:
    if not isinstance(found, Session):
        addresses = [*dict.fromkeys(str(each[4][0]) for each in found)]
        return Step(stage, f"{settings.server} is {', '.join(addresses[:4])}", {"addresses": addresses})
    if stage is Stage.CONNECT:
        return Step(stage, f"connected to {found.address}, port {settings.port}", {"address": found.address})
    if stage is Stage.TLS:
        return found.tls_step
    if stage is Stage.GREETING and found.greeting is not None:
        return Step(stage, str(found.greeting), {"reply": str(found.greeting)})
    if stage is Stage.AUTH:
        warning = "; ".join(found.doubts) or None
        return Step(stage, f"logged in as {settings.username}", {"username": settings.username}, warning)
    offer = found.extensions
    size = size_limit(offer)
    limit = f"; messages up to {size / 1_048_576:.0f} MiB" if size else ""
    return Step(stage, f"offers {', '.join(offer) or 'no extension'}{limit}", {"extensions": dict(offer), "size": size})


def _ask(session: Session, settings: SmtpSettings, sender: Address | None, recipient: Address | None) -> Iterator[Step]:
    try:
        if sender is not None and sender.spec.isascii():
            reply = session.command(Stage.MAIL, f"MAIL FROM:<{sender.spec}>")
            yield _told(reply, Stage.MAIL, session, f"mail from {sender.spec} is accepted")
            if recipient is not None and recipient.spec.isascii():
                reply = session.command(Stage.RCPT, f"RCPT TO:<{recipient.spec}>")
                stage = Stage.RCPT if reply.positive else at_fault(reply, sender.spec, recipient.spec)
                yield _told(reply, stage, session, f"mail to {recipient.spec} is accepted")
            session.command(Stage.RCPT, "RSET")
    except MailSendError:
        raise  # MailTimeoutError is an OSError
    except (OSError, ProtocolError) as error:
        raise from_exception(error, session.stage, session.peer, settings.mode, None) from error


def _told(reply: Reply, stage: Stage, session: Session, said: str) -> Step:
    if not reply.positive:
        raise from_reply(reply, stage, session.peer)
    return Step(stage, said, {"reply": str(reply)})
