"""The name of a frame's ratio of sides, for its label. Pure."""

from __future__ import annotations

import math
from typing import Final

_NAMES: Final = (
    *("1:1", "5:4", "4:3", "3:2", "8:5", "16:9", "2:1", "21:9", "3:1", "4:1"),
    *("1.85:1", "2.35:1", "2.39:1"),
)
"""The names that people use, width first. 21:9 is not 7:3, which it equals."""

_ROUNDING_PX: Final = 1.0
"""What rounding to even sides changes: 854x480 is 16:9."""

_LARGEST_TERM: Final = 20
"""Above this, the quotient of a ratio is clearer than its two numbers."""


def name_ratio(width: int, height: int) -> str:
    """Return the ratio of two sides in pixels, such as 16:9, 9:21 or 1.77:1."""
    across, down = _name_terms(max(width, height), min(width, height))
    return f"{across}:{down}" if width >= height else f"{down}:{across}"


def _name_terms(long: int, short: int) -> tuple[str, str]:
    common = math.gcd(long, short)
    names = (name.split(":") for name in _NAMES)
    away = {(a, b): abs(long - short * float(a) / float(b)) for a, b in names}
    nearest = min(away, key=lambda terms: away[terms])
    if away[nearest] <= _ROUNDING_PX:
        return nearest
    if long // common <= _LARGEST_TERM:
        return str(long // common), str(short // common)
    return f"{long / short:.2f}", "1"
