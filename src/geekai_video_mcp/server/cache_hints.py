"""How long clients may keep what the server lists. Importing this module imports all of the SDK."""

from collections.abc import Mapping
from typing import Final

from mcp.server.caching import CacheableMethod, CacheHint

LIST_TTL_MS: Final = 3_600_000
"""Milliseconds for which a client may cache a list that only changes with the program."""
_STATIC_LIST: Final = CacheHint(ttl_ms=LIST_TTL_MS, scope="public")
CACHE_HINTS: Final[Mapping[CacheableMethod, CacheHint]] = {
    "tools/list": _STATIC_LIST,
    "prompts/list": _STATIC_LIST,
    "resources/templates/list": _STATIC_LIST,
}
