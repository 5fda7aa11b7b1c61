"""What every load has in common: what it returns, and how long and how large it is."""

from dataclasses import dataclass, field
from typing import Final

TENANTS: Final = 20
MINUTE: Final = 60.0
ALLOWED_GROWTH_MB: Final = 20.0
"""From the first minute to the last: the database's cache, and what the allocator keeps."""


@dataclass
class Result:
    """The figures of a load, and what it found wrong."""

    lines: list[str] = field(default_factory=list[str])
    failures: list[str] = field(default_factory=list[str])
