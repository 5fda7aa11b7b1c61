"""The settings of a request as a result reports them: without the prompt and media data. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from geekai_video_mcp.domain.task_refs import shorten_refs
from geekai_video_mcp.quoting import (
    quote_unless_id,
    reveal,
    sanitize,
)

MAX_SETTING_CHARS: Final = 80
"""Characters of one setting: enough for a path; a link may have two thousand."""
INLINE: Final = "inline file"
"""What stands for a picture that the caller gave as data."""
_NOT_SETTINGS: Final = frozenset({"prompt", "negative_prompt", "model", "async"})
_VALUE_ALONE: Final = frozenset({"size", "resolution", "aspect_ratio"})
"""Settings whose value is clear without a name."""


def sent_settings(body: Mapping[str, Any], references: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the request *body*; files stand there as in *references*, the caller's own.

    In *body*, a file of this machine is megabytes of data. A first and a last frame may have
    become one list there. Tasks have their short ids.
    """
    if isinstance(body.get("image"), list) and isinstance(first := references.get("image"), str):
        references = {**references, "image": [first, references.get("image_tail")]}
    return {
        name: _shorten(shorten_refs(references.get(name, value) if _holds_data(value) else value))
        for name, value in body.items()
        if name not in _NOT_SETTINGS
    }


def settings_text(settings: Mapping[str, Any]) -> str:
    """Settings as words in a sentence, separated by commas; empty if there are none."""
    return ", ".join(_setting_texts(settings))


def _setting_texts(settings: Mapping[str, Any]) -> Iterator[str]:
    for name, value in settings.items():
        if name == "duration":
            yield f"{value} s"
        elif name == "fps":
            yield f"{value} fps"
        elif name == "with_audio":
            yield "with sound" if value else "without sound"
        elif name in _VALUE_ALONE:
            yield _value_text(value)
        else:
            yield f"{name} {_value_text(value)}"


def _value_text(value: object) -> str:
    value = shorten_refs(value)
    if isinstance(value, str):
        return quote_unless_id(value)
    return sanitize(reveal(json.dumps(value, ensure_ascii=False)))


def _holds_data(value: object) -> bool:
    if isinstance(value, list):
        return any(map(_holds_data, cast("list[object]", value)))
    if isinstance(value, Mapping):
        return any(map(_holds_data, cast("Mapping[str, object]", value).values()))
    return isinstance(value, str) and value.startswith("data:")


def _shorten(value: object) -> object:
    if isinstance(value, list):
        return [_shorten(each) for each in cast("list[object]", value)]
    if isinstance(value, Mapping):
        members = cast("Mapping[str, object]", value)
        return {sanitize(name): _shorten(each) for name, each in members.items()}
    if isinstance(value, str):
        return INLINE if value.startswith("data:") else sanitize(value, limit=MAX_SETTING_CHARS)
    return value
