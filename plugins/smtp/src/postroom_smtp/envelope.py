"""Who a message is from and for, as MAIL and RCPT say it, and what a server has against them."""

import re

import attrs

from postroom import MailMessageError, MailRecipientsError, MailSendError, Refusal
from postroom_smtp.content import Content
from postroom_smtp.extensions import size_limit
from postroom_smtp.failures import Stage, from_reply
from postroom_smtp.replies import Reply
from postroom_smtp.session import Session

# The address of the sender, RFC 3463 section 3.2; and what Exchange says to a mailbox that may not send as it.
_OF_SENDER = ("4.1.7", "4.1.8", "5.1.7", "5.1.8", "5.7.60")
# Postfix, unless it is told otherwise, and Exim say at RCPT what they have against the sender.
_SENDER = re.compile(
    r"\bsender(?: address| domain)? (?:is |was )?"
    r"(?:rejected|refused|denied|invalid|unknown|blocked|blacklisted|unverified|verif\w+)\b"
    r"|\b(?:invalid|unknown|unverified|bad) sender\b|\bas this sender\b",
    re.IGNORECASE,
)
_RECIPIENT = re.compile(r"\brecipient (?:address )?rejected\b", re.IGNORECASE)


@attrs.frozen
class Envelope:
    """Who a message is from and for, apart from what its headers say. Bare addresses."""

    sender: str
    recipients: tuple[str, ...]

    @property
    def needs_smtputf8(self) -> bool:
        """True if an address has a non-ASCII local part (RFC 6531)."""
        return not all(address.isascii() for address in (self.sender, *self.recipients))

    def commands(self, session: Session, content: Content) -> list[str]:
        """Return MAIL, and RCPT for each recipient.

        Raises:
            MailMessageError: What the server offers rules the message out.
        """
        return [self._mail(session, content), *(f"RCPT TO:<{address}>" for address in self.recipients)]

    def _mail(self, session: Session, content: Content) -> str:
        limit = size_limit(session.extensions)
        command = f"MAIL FROM:<{self.sender}>"
        if limit is not None:
            if 0 < limit < content.size:
                raise MailMessageError(f"the message has {content.size} octets, {session.peer} takes {limit} (SIZE)")
            command += f" SIZE={content.size}"
        if not content.is_ascii or self.needs_smtputf8:
            # RFC 6531 section 3.6: headers with UTF-8 need both.
            if not {"SMTPUTF8", "8BITMIME"} <= session.extensions.keys():
                raise MailMessageError(f"{session.peer} takes no address with non-ASCII before the @ (no SMTPUTF8)")
            command += " BODY=8BITMIME SMTPUTF8"
        return command


def refused_by_all(envelope: Envelope, replies: dict[str, Reply], peer: str) -> MailSendError:
    """Return the error for a message that no recipient is accepted for.

    Args:
        envelope: The envelope.
        replies: The reply to RCPT, by recipient.
        peer: The server.
    """
    first = next(iter(replies.values()))
    if all(at_fault(reply, envelope.sender, address) is Stage.MAIL for address, reply in replies.items()):
        return from_reply(first, Stage.MAIL, peer)
    refused = refusals(replies)
    said = ", ".join(f"{address} ({refusal.code} {refusal.text})" for address, refusal in [*refused.items()][:3])
    return MailRecipientsError(
        f"{peer} refused every recipient: {said}",
        refused=refused,
        stage=str(Stage.RCPT),
        code=first.code if len({reply.code for reply in replies.values()}) == 1 else None,
        enhanced_code=first.enhanced_code if len({reply.enhanced_code for reply in replies.values()}) == 1 else None,
        transient=all(refusal.transient for refusal in refused.values()),
    )


def refusals(replies: dict[str, Reply]) -> dict[str, Refusal]:
    """Return why each recipient was refused."""
    return {address: _refusal(reply) for address, reply in replies.items()}


def _refusal(reply: Reply) -> Refusal:
    # RFC 5321 section 4.5.3.1.10: 552 to RCPT is an old way to say 452, too many recipients.
    transient = reply.transient or (reply.code == 552 and reply.enhanced_code is None)
    return Refusal(reply.code, reply.enhanced_code, reply.text, transient)


def at_fault(reply: Reply, sender: str, recipient: str) -> Stage:
    """Return what a refusal of RCPT is about: `MAIL` is the sender, `RCPT` the recipient."""
    said, ours, theirs = reply.text.lower(), sender.lower(), recipient.lower()
    if _RECIPIENT.search(said) or (theirs in said and ours not in said):
        return Stage.RCPT
    quoted = ours in said and theirs not in said
    return Stage.MAIL if quoted or reply.enhanced_code in _OF_SENDER or _SENDER.search(said) else Stage.RCPT
