"""Hypothesis strategies for messages with what the API of Resend takes beyond SMTP: tags, metadata, a time."""

import datetime

import attrs
from hypothesis import strategies as st

import message_strategies
from postroom import Attachment, MailMessage

_WORDS = st.text(st.characters(codec="ascii", categories=["L", "N"], include_characters="_-"), min_size=1, max_size=20)


@st.composite
def resend_messages(draw: st.DrawFn) -> MailMessage:
    """Complete messages, of which Resend takes nearly all."""
    message = draw(message_strategies.messages())
    tags = draw(st.lists(_WORDS | st.just("x" * 256), max_size=3))
    metadata = draw(st.dictionaries(_WORDS.filter(lambda word: word not in tags), _WORDS, max_size=3))
    ahead = draw(st.none() | st.timedeltas(datetime.timedelta(-1), datetime.timedelta(29)))
    zone = draw(st.timedeltas(datetime.timedelta(hours=-23), datetime.timedelta(hours=23)).map(datetime.timezone))
    return attrs.evolve(
        message,
        attachments=[_shown(attachment) for attachment in message.attachments],
        tags=tags,
        metadata=metadata,
        send_at=None if ahead is None else datetime.datetime.now(zone) + ahead,
    )


def _shown(attachment: Attachment) -> Attachment:
    # Resend shows whatever has a content_id, so that nothing else of this kind passes.
    return attrs.evolve(attachment, inline=attachment.content_id is not None)
