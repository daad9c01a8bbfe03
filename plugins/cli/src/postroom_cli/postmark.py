"""The picture in the demo's mail: a postmark around an envelope, drawn here, so that no image file is shipped.

PNG: https://www.w3.org/TR/png/, 8 bits a sample, grey scale with alpha left out: colour with alpha, no interlace.
"""

import math
import struct
import zlib
from collections.abc import Callable

_WIDTH, _HEIGHT = 240, 120
_INK = (36, 66, 140)
_MIDDLE = 60.0
_ENVELOPE = [
    ((36.0, 44.0), (84.0, 44.0)),
    ((84.0, 44.0), (84.0, 77.0)),
    ((84.0, 77.0), (36.0, 77.0)),
    ((36.0, 77.0), (36.0, 44.0)),
    ((36.0, 44.0), (60.0, 63.0)),
    ((60.0, 63.0), (84.0, 44.0)),
]

_Point = tuple[float, float]


def postmark() -> bytes:
    """Return the picture as PNG."""
    rows = b"".join(b"\0" + b"".join(_pixel(x, y) for x in range(_WIDTH)) for y in range(_HEIGHT))
    header = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 6, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _pixel(x: int, y: int) -> bytes:
    # Half a pixel of soft edge on each line is what makes it smooth.
    ink = max(min(1.0, max(0.0, width / 2 + 0.5 - distance(x, y))) for width, distance in _LINES)
    return bytes((*_INK, round(255 * ink)))


def _circle(radius: float) -> Callable[[float, float], float]:
    return lambda x, y: abs(math.hypot(x - _MIDDLE, y - _MIDDLE) - radius)


def _segment(start: _Point, end: _Point) -> Callable[[float, float], float]:
    (x1, y1), (x2, y2) = start, end
    length = math.hypot(x2 - x1, y2 - y1)

    def distance(x: float, y: float) -> float:
        along = ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length**2
        along = min(1.0, max(0.0, along))
        return math.hypot(x - x1 - along * (x2 - x1), y - y1 - along * (y2 - y1))

    return distance


def _wave(height: float) -> Callable[[float, float], float]:
    def distance(x: float, y: float) -> float:
        if x < _MIDDLE + math.sqrt(max(0.0, 56.0**2 - (y - _MIDDLE) ** 2)) or x > _WIDTH - 6:
            return math.inf
        return abs(y - height - 4.5 * math.sin(x / 11))

    return distance


_LINES = [
    (4.0, _circle(54.0)),
    (2.0, _circle(45.0)),
    *((3.0, _segment(start, end)) for start, end in _ENVELOPE),
    *((3.0, _wave(height)) for height in (28.0, 44.0, 60.0, 76.0, 92.0)),
]
