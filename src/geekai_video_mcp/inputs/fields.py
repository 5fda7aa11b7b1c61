"""The types of tool arguments, with their checks. Pure.

A check raises ValueError with a message that says what to pass instead; a message never
contains the value.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
)

from geekai_video_mcp import references
from geekai_video_mcp.inputs.media import MediaKind

MAX_INTEGER_BITS: Final = 64
"""Bits of an integer in `extra_body`, such as a seed: more are exact in no other language."""
INT32: Final = 2**31 - 1
"""The largest integer that every client and store passes on unchanged."""
MAX_PICTURES: Final = 9
"""Images in one list: the most that any model is documented to accept (read 2026-11-22)."""
SHORT_TEXT_LIMIT: Final = 128
"""Characters of a setting such as a model id or a size: four times the longest known."""

MAX_EXTRA_DEPTH: Final = 16
"""Levels of lists and objects in `extra_body`: four times the deepest one documented."""


def _reject_nul(text: str) -> str:
    """NUL is the one character that not every store and JSON writer accepts."""
    if "\0" in text:
        msg = "contains a NUL character; remove it"
        raise ValueError(msg)
    return text


def _reject_surrogates(text: object) -> object:
    """Lone surrogates arrive as JSON escapes and cannot be encoded as UTF-8."""
    if isinstance(text, str) and any("\ud800" <= ch <= "\udfff" or ch == "\uffff" for ch in text):
        msg = "contains an unpaired surrogate (invalid Unicode); remove it"
        raise ValueError(msg)
    return text


def _check_json(value: object, *, depth: int = 0) -> None:
    """Refuse, at every depth, values that some JSON readers do not accept."""
    msg = None
    if depth > MAX_EXTRA_DEPTH:
        msg = f"is nested more than {MAX_EXTRA_DEPTH} levels deep"
    elif isinstance(value, str):
        _reject_nul(cast("str", _reject_surrogates(value)))
    elif isinstance(value, float) and not math.isfinite(value):
        msg = "contains NaN or Infinity, which JSON does not support"
    elif isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
        msg = f"contains an integer of more than {MAX_INTEGER_BITS} bits"
    elif isinstance(value, Mapping):
        for name, member in cast("Mapping[object, object]", value).items():
            _check_json(name, depth=depth)
            _check_json(member, depth=depth + 1)
    elif isinstance(value, list):
        for member in cast("list[object]", value):
            _check_json(member, depth=depth + 1)
    if msg:
        raise ValueError(msg)


def validate_json(value: Any) -> Any:  # noqa: ANN401 - JSON has any shape
    _check_json(value)
    return value


def _reject_bool(value: object) -> object:
    """`true` is an int in Python, but it is never meant as the number one."""
    if isinstance(value, bool):
        msg = "must be a number"
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports ValueError alone
    return value


def _service_url(info: ValidationInfo) -> str:
    """The URL of the configured service, whose links are accepted even on a private host."""
    context = cast("Mapping[str, str]", info.context or {})
    return context.get("service_url", "")


def _check_link(text: str, info: ValidationInfo) -> str:
    return references.check_link(text, service_url=_service_url(info))


def _check_video(text: str, info: ValidationInfo) -> str:
    return references.check_video(text, service_url=_service_url(info))


def _check_picture(text: str, info: ValidationInfo) -> str:
    return references.check_picture(text, service_url=_service_url(info))


def _check_pictures(value: object, info: ValidationInfo) -> str | list[str]:
    """Accept one image, or a list of images."""
    decoded = _decode_json(value)
    if isinstance(decoded, list) and 1 <= len(cast("list[object]", decoded)) <= MAX_PICTURES:
        return [_check_one_picture(each, info) for each in cast("list[object]", decoded)]
    return _check_one_picture(cast("object", decoded), info)


def _check_one_picture(value: object, info: ValidationInfo) -> str:
    if not isinstance(value, str):
        msg = f"must be text, so {references.PICTURE_REMEDY}"
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports ValueError alone
    return _check_picture(_reject_nul(cast("str", _reject_surrogates(value))).strip(), info)


def _apply_to_refs(check: Callable[[str, ValidationInfo], str]) -> AfterValidator:
    """A validator that applies *check* to every link, file path or task reference, at any depth."""

    def walk(value: object, info: ValidationInfo) -> object:
        if isinstance(value, str):
            return check(value, info) if references.ref_kind(value) else value
        if isinstance(value, list):
            return [walk(each, info) for each in cast("list[object]", value)]
        if isinstance(value, Mapping):
            members = cast("Mapping[str, object]", value)
            return {name: walk(member, info) for name, member in members.items()}
        return value

    return AfterValidator(walk)


def _decode_json(value: object) -> object:
    """Decode a list or an object that the client has sent as JSON text."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _check_length(text: str) -> str:
    """A check of our own, because a bound of pydantic's would lengthen the published schema."""
    if not 1 <= len(text) <= SHORT_TEXT_LIMIT:
        msg = f"must have 1 to {SHORT_TEXT_LIMIT} characters"
        raise ValueError(msg)
    return text


def _check_key(text: str) -> str:
    """A key is printable, so that a person can recognise it in a list."""
    if not text.isprintable():
        msg = "must contain only printable characters"
        raise ValueError(msg)
    return text


NotBoolean = BeforeValidator(_reject_bool)
"""Use it after the bounds: pydantic publishes bounds that follow it under other names."""
Text = Annotated[str, BeforeValidator(_reject_surrogates), AfterValidator(_reject_nul)]
ShortText = Annotated[Text, AfterValidator(_check_length)]
VariationNumber = Annotated[int, Field(ge=0, le=INT32), NotBoolean]
Key = Annotated[ShortText, AfterValidator(_check_key)]
Picture = Annotated[Text, AfterValidator(_check_picture), MediaKind.IMAGE]
Pictures = Annotated[
    str | list[str],
    PlainValidator(_check_pictures),
    WithJsonSchema({"type": "string"}),
    MediaKind.IMAGE,
]
"""One image, or [first, last], which CogVideoX-3's page documents in the same field. The
published schema shows only the first form, because clients have trouble with a choice of types."""
Audio = Annotated[Text, AfterValidator(_check_link), MediaKind.AUDIO]
Video = Annotated[Text, AfterValidator(_check_video), MediaKind.VIDEO]
JsonDecoded = BeforeValidator(_decode_json)
AnyOrText = Annotated[Any, WithJsonSchema({"type": "string"})]
"""Documented as a string; the model vendors accept objects. Both are passed on unchanged."""
AnyPicture = Annotated[AnyOrText, _apply_to_refs(_check_picture), MediaKind.IMAGE]
AnyVideo = Annotated[AnyOrText, _apply_to_refs(_check_video), MediaKind.VIDEO]
