"""Mail for tests: kept in memory, to be looked at.

What stands in `__all__` is the public API.
"""

from postroom_memory.boxes import Box, box, forget

__all__ = ["Box", "box", "forget"]
