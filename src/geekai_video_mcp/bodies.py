"""A request's body: known again by its fingerprint, and kept without its bulk. Pure.

Pictures in a body are megabytes, and a task is read every second: what stands for a picture
in a task is its size and digest. That must never be sent in its place.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final, cast

INLINE_LIMIT: Final = 1024
"""Characters of a data URI that are still kept where a task is: an icon, not a picture."""
_HEAD: Final = 64
"""Characters of it that tell its kind. What stands for a picture must be no bulk itself, or
the same request would be another one when it is sent again."""


def strip_inline_media(value: object) -> object:
    """*value* with each picture in it replaced by its size and digest."""
    if isinstance(value, list):
        return [strip_inline_media(each) for each in cast("list[object]", value)]
    if isinstance(value, Mapping):
        members = cast("Mapping[str, object]", value)
        return {name: strip_inline_media(member) for name, member in members.items()}
    if isinstance(value, str) and len(value) > INLINE_LIMIT and value.startswith("data:"):
        digest = hashlib.sha256(value.encode()).hexdigest()
        head = value[:_HEAD].partition(",")[0]
        return f"{head},... ({len(value):,} characters, sha256 {digest})"
    return value


_WITHOUT: Final = re.compile(r"(?s)data:.*\.\.\. \([\d,]+ characters, sha256 [0-9a-f]{64}\)")


def has_stripped_media(value: object) -> bool:
    """Whether some picture in *value* is a size and a digest alone: it must not be sent so."""
    if isinstance(value, list):
        return any(has_stripped_media(each) for each in cast("list[object]", value))
    if isinstance(value, Mapping):
        return any(
            has_stripped_media(member) for member in cast("Mapping[str, object]", value).values()
        )
    return isinstance(value, str) and _WITHOUT.fullmatch(value) is not None


def fingerprint(media: str, request: Mapping[str, Any], variation: int | None) -> str:
    """The same for the same wish, however its members were ordered."""
    canonical = json.dumps([media, request, variation], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
