"""How much of a message goes to a server at once, whatever the server offers."""

from typing import Literal

import attrs

PipeliningMode = Literal["full", "commands", "off"]


@attrs.define
class Grouping:
    """What may be used of a server's offer. The sessions of one sender share it: what one finds out, the others know.

    There are proxies that offer what the server behind them offers, and do not understand it themselves.
    """

    pipelining: bool = True
    """True if commands may go in a group (RFC 2920)."""
    chunking: bool = True
    """True if messages may go by BDAT (RFC 3030)."""
    knows_bdat: bool = False
    """True once the server has accepted a message by BDAT."""

    @classmethod
    def of(cls, mode: PipeliningMode) -> "Grouping":
        """Return what the setting allows."""
        return cls(pipelining=mode != "off", chunking=mode == "full")
