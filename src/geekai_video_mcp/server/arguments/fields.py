"""The types of tool arguments, with their checks. Pure.

A check raises ValueError with a message that says what to pass instead; a message never
contains the value.
"""

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
)

from geekai_video_mcp.domain import media_refs
from geekai_video_mcp.errors import has_hidden
from geekai_video_mcp.media.inputs.fields import MediaKind

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
MAX_VALUES: Final = 2000
"""Values and names in one call's arguments, or in an argument that is JSON text: ten times those
of the largest request documented."""
PROMPT_LIMIT: Final = 20_000
"""Characters of a prompt. The longest limit of any model is Wan 3's (read 2026-11-22)."""


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


def iterate_json(value: object) -> Iterator[tuple[object, int]]:
    """*value* and everything in it, names of members too, each with its level of nesting.

    Without recursion: the nesting comes from outside.
    """
    remaining: list[Iterator[tuple[object, int]]] = [iter([(value, 0)])]
    while remaining:
        for member, depth in remaining[-1]:
            yield member, depth
            if isinstance(member, Mapping):
                items = cast("Mapping[object, object]", member).items()
                inside = (part for item in items for part in item)
            elif isinstance(member, list):
                inside = iter(cast("list[object]", member))
            else:
                continue
            remaining.append(zip(inside, itertools.repeat(depth + 1)))
            break
        else:
            remaining.pop()


def _check_json(value: object) -> None:
    """Refuse, at every depth, values that some JSON readers do not accept."""
    for number, (member, depth) in enumerate(iterate_json(value), 1):
        msg = None
        if depth > MAX_EXTRA_DEPTH:
            msg = f"is nested more than {MAX_EXTRA_DEPTH} levels deep"
        elif number > MAX_VALUES:
            msg = f"has more than {MAX_VALUES:,} values"
        elif isinstance(member, str):
            _reject_nul(cast("str", _reject_surrogates(member)))
        elif isinstance(member, float) and not math.isfinite(member):
            msg = "contains NaN or Infinity, which JSON does not support"
        elif isinstance(member, int) and member.bit_length() > MAX_INTEGER_BITS:
            msg = f"contains an integer of more than {MAX_INTEGER_BITS} bits"
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
    return media_refs.check_link(text, service_url=_service_url(info))


def _check_video(text: str, info: ValidationInfo) -> str:
    return media_refs.check_video(text, service_url=_service_url(info))


def _check_picture(text: str, info: ValidationInfo) -> str:
    folders = cast("Mapping[str, Sequence[str]]", info.context or {}).get("picture_folders", ())
    return media_refs.check_picture(text, service_url=_service_url(info), folders=folders)


def _check_pictures(value: object, info: ValidationInfo) -> str | list[str]:
    """Accept one image, or a list of images."""
    decoded = _decode_json(value)
    if isinstance(decoded, list) and 1 <= len(cast("list[object]", decoded)) <= MAX_PICTURES:
        return [_check_one_picture(each, info) for each in cast("list[object]", decoded)]
    return _check_one_picture(cast("object", decoded), info)


def _check_one_picture(value: object, info: ValidationInfo) -> str:
    if not isinstance(value, str):
        msg = f"must be text, so {media_refs.PICTURE_REMEDY}"
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports ValueError alone
    return _check_picture(_reject_nul(cast("str", _reject_surrogates(value))).strip(), info)


def _apply_to_refs(check: Callable[[str, ValidationInfo], str]) -> AfterValidator:
    """A validator that applies *check* to every link, file path or task reference, at any depth.

    A bare id of a task counts, except where a member's name says that it is another id.
    """

    def walk(value: object, info: ValidationInfo, name: str = "") -> object:
        if isinstance(value, str):
            task = media_refs.is_bare_task(value) and not name.lower().endswith("id")
            return check(value, info) if task or media_refs.ref_kind(value) else value
        if isinstance(value, list):
            return [walk(each, info, name) for each in cast("list[object]", value)]
        if isinstance(value, Mapping):
            members = cast("Mapping[str, object]", value)
            return {key: walk(member, info, key) for key, member in members.items()}
        return value

    def walk_whole(value: object, info: ValidationInfo) -> object:
        return walk(value, info)

    return AfterValidator(walk_whole)


def _decode_json(value: object) -> object:
    """Decode a list or an object that the client has sent as JSON text."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        decoded = json.loads(value)
    except RecursionError:
        msg = f"is nested more than {MAX_EXTRA_DEPTH} levels deep"
        raise ValueError(msg) from None
    except ValueError:
        return value
    return validate_json(decoded)


def _check_length(text: str) -> str:
    """A check of our own, because a bound of pydantic's would lengthen the published schema."""
    if not 1 <= len(text) <= SHORT_TEXT_LIMIT:
        msg = f"must have 1 to {SHORT_TEXT_LIMIT} characters"
        raise ValueError(msg)
    if has_hidden(text):
        msg = "contains an invisible character; remove it"
        raise ValueError(msg)
    return text


def _check_long_text(text: str) -> str:
    if len(text) > PROMPT_LIMIT:
        msg = f"must have at most {PROMPT_LIMIT:,} characters"
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
LongText = Annotated[Text, AfterValidator(_check_long_text)]
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
