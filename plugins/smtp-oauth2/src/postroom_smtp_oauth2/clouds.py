"""Microsoft's clouds: where tokens come from, what they are for, and which server takes the mail.

Public sources for SMTP in the sovereign clouds disagree in places, so these are presets: every field can be overridden.
https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud
"""

from typing import Literal

import attrs

CloudName = Literal["commercial", "gcc-high", "dod", "china"]


@attrs.frozen
class Cloud:
    """One cloud."""

    authority: str
    """The identity service, without the tenant."""
    scope: str
    """What the token is for. Not Graph: a token for Graph does not log in to SMTP."""
    server: str


CLOUDS: dict[CloudName, Cloud] = {
    "commercial": Cloud(  # also GCC
        "https://login.microsoftonline.com", "https://outlook.office365.com/.default", "smtp.office365.com"
    ),
    "gcc-high": Cloud("https://login.microsoftonline.us", "https://outlook.office365.us/.default", "smtp.office365.us"),
    "dod": Cloud(
        "https://login.microsoftonline.us", "https://outlook-dod.office365.us/.default", "outlook-dod.office365.us"
    ),
    "china": Cloud(
        "https://login.partner.microsoftonline.cn", "https://partner.outlook.cn/.default", "smtp.partner.outlook.cn"
    ),
}
