"""For the authors of providers: a contract suite, servers and fixtures, as a pytest plugin.

What stands in `__all__`, here and in the modules `smtp` and `http`, is the public API; everything else may change.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from postroom_testing import http, smtp
    from postroom_testing.certificates import Certificates
    from postroom_testing.distributions import write_distribution

__all__ = ["Certificates", "http", "smtp", "write_distribution"]

_HOMES = {"Certificates": "certificates", "write_distribution": "distributions"}


def __getattr__(name: str) -> object:
    """Load a name when it is asked for: pytest imports this package at each start, wherever it is installed."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_HOMES.get(name, name)}")
    return getattr(module, name) if name in _HOMES else module
