"""The entry point `file`."""

from postroom import Capability, Provider, Transport, hookimpl
from postroom_file.settings import FileSettings

CAPABILITIES = (
    Capability.ATTACHMENTS,
    Capability.INLINE_ATTACHMENTS,
    Capability.HEADERS,
    Capability.TAGS,
    Capability.METADATA,
    Capability.SEND_AT,
)


@hookimpl
def postroom_provider() -> Provider:
    """Register the provider."""
    return Provider(
        name="file",
        title="File",
        settings=FileSettings,
        build=build,
        env_prefix="MAIL_FILE_",  # FILE_ would claim variables of any application that has to do with files
        capabilities=CAPABILITIES,  # what has no place in a mail stands in its preview
    )


def build(settings: FileSettings) -> Transport:
    """Build the transport."""
    from postroom_file.sender import FileSender  # noqa: PLC0415  the email package is loaded when mail is configured

    return FileSender(settings)
