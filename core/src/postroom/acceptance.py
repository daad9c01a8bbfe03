"""Whether a provider takes mail from a sender at all: asked when a sender is made, before the first mail is refused."""

from postroom.address import Address
from postroom.errors import MailError
from postroom.guard import Guard
from postroom.message import MailMessage
from postroom.provider import Provider
from postroom.receipt import Outcome
from postroom.send_errors import MailRejectedError

_LOCAL_PART = "postmaster"  # RFC 5321 section 4.5.1: every domain has it, so no service can be against it
_OTHER_DOMAIN = "example.com"


def refusal_of(sender: Address, provider: Provider) -> MailRejectedError | None:
    """Return why the provider refuses every message from this sender; None if another cause is possible.

    The plainest message there is goes through `Provider.check`. It is the sender's fault if the message is refused
    whoever gets it, and if another sender may send it.
    """
    others = [Address(_LOCAL_PART, sender.domain), Address(_LOCAL_PART, _OTHER_DOMAIN)]
    reason: MailError | None = None
    for recipient in others:
        reason = _refusal(sender, recipient, provider)
        if reason is None:
            return None  # nearly always after one message
    if all(_refusal(other, recipient, provider) for other in others for recipient in others):
        return None
    return MailRejectedError(
        f"every message from {sender} is refused: {reason}",
        remedy=f"Change {provider.variables['default_from']}",
        provider=provider.name,
        stage="sender",
    )


def _refusal(sender: Address, recipient: Address, provider: Provider) -> MailError | None:
    message = MailMessage(recipient, "Hello", from_=sender, text="Hello")
    try:
        Guard(provider).call(Outcome.NOT_SENT, provider.check, message)
    except MailError as error:
        return error
    return None
