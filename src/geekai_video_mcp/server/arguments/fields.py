"""The types of tool arguments, with their checks. Pure.

A check raises ValueError with a message that says what to pass instead; a message never
contains the value.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
)

from geekai_video_mcp.domain import media_refs
from geekai_video_mcp.domain.media_fields import MediaKind
from geekai_video_mcp.server.arguments.absent import drop_absent_members
from geekai_video_mcp.server.arguments.json_text import (
    MAX_INTEGER_BITS,
    decode_json,
    reject_hidden,
    reject_nul,
    reject_surrogates,
)
from geekai_video_mcp.server.arguments.values import context_of, unwrap

INT32: Final = 2**31 - 1
"""The largest integer that every client and store passes on unchanged."""
MAX_REFERENCES: Final = 30
"""Reference pictures in one call: more than any model takes."""
MAX_SOUNDS: Final = 10
"""Sound files in one call: more than any model takes."""
MAX_PICTURES: Final = 9
"""Images in one list: the most that any model is documented to accept (read 2026-11-22)."""
SHORT_TEXT_LIMIT: Final = 128
"""Characters of a setting such as a model id or a size: four times the longest known."""

EXTRA_BODY_EXAMPLE: Final = '{"camera_control": {"type": "simple", "config": {"horizontal": -5}}}'
"""A Kling camera that moves left."""

PROMPT_LIMIT: Final = 20_000
"""Characters of a prompt. The longest limit of any model is Wan 3's (read 2026-11-22)."""


def _service_url(info: ValidationInfo) -> str:
    """The URL of the configured service, whose links are accepted even on a private host."""
    return context_of(info).get("service_url", "")


def _check_link(text: str, info: ValidationInfo) -> str:
    return media_refs.check_link(text, service_url=_service_url(info))


def _check_video(text: str, info: ValidationInfo) -> str:
    return media_refs.check_video(text, service_url=_service_url(info))


def _reference_in(value: object) -> object:
    """The reference in an object around it, such as {"url": "https://..."}, or in a list of one."""
    single = unwrap(decode_json(unwrap(value)))
    if isinstance(single, str) and (link := _LINK_IN_BRACKETS.fullmatch(single.strip())):
        return link[1] or link[2]
    if not isinstance(single, Mapping):
        return single
    members = cast("Mapping[str, object]", single)
    named = members.keys() & {"url", "image_url", "path", "task_id"}
    if len(named) != 1 or not members.keys() <= named | {"type", "detail"}:
        return members
    (name,) = named
    inside = members[name]
    if name == "image_url" and isinstance(inside, Mapping):
        return cast("Mapping[str, object]", inside).get("url")
    return f"task:{inside}" if name == "task_id" else inside


_LINK_IN_BRACKETS: Final = re.compile(
    r"!?\[[^\[\]]*\]\((https?://[^\s()]+)\)|\[(https?://[^\s\[\]]+)\]", re.IGNORECASE
)
"""As in Markdown: ![a cat](https://...)."""


def _picture_folders(info: ValidationInfo) -> Sequence[str] | None:
    """The folders that files are read from; None if the caller is on another machine."""
    return context_of(info).get("picture_folders", ())


def _read_picture(value: object, info: ValidationInfo) -> object:
    single = reject_surrogates(_reference_in(value))
    if not isinstance(single, str):
        msg = f"must be text, so {media_refs.picture_remedy(_picture_folders(info))}"
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports ValueError alone
    return single


def _check_picture(text: str, info: ValidationInfo) -> str:
    return media_refs.check_picture(
        text, service_url=_service_url(info), folders=_picture_folders(info)
    )


def _check_pictures(value: object, info: ValidationInfo) -> str | list[str]:
    """Accept one image, or a list of images."""
    decoded = unwrap(drop_absent_members(decode_json(value)))
    pictures = cast("list[object]", decoded) if isinstance(decoded, list) else []
    if 1 <= len(pictures) <= MAX_PICTURES:
        return [_check_one_picture(each, info) for each in pictures]
    return _check_one_picture(cast("object", decoded), info)


def _check_one_picture(value: object, info: ValidationInfo) -> str:
    text = _read_picture(value, info)
    return _check_picture(reject_nul(cast("str", text)).strip(), info)


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


def _read_list(value: object) -> object:
    """A list, also one that came as JSON text, or as the text of its members."""
    decoded = decode_json(value)
    if isinstance(decoded, str):
        decoded = [decoded]
    if isinstance(decoded, Mapping):
        decoded = [cast("object", decoded)]
    if not isinstance(decoded, list):
        return decoded
    parts = [part for each in cast("list[object]", decoded) for part in _split_refs(each)]
    members = drop_absent_members(parts)
    if not members:  # what says nothing was dropped before: brackets alone are a broken list
        msg = f"must be a list of references, so {media_refs.LINK_REMEDY} for each"
        raise ValueError(msg)
    return members


def _split_refs(member: object) -> list[object]:
    """The references in a member of a list: one, as it should be, or several."""
    decoded = decode_json(member)
    if isinstance(decoded, list):
        return cast("list[object]", decoded)
    if not isinstance(decoded, str) or decoded.lstrip().lower().startswith("data:"):
        return [decoded]
    # Commas occur in links, white space in paths: only what begins like a reference is one.
    if _LINK_IN_BRACKETS.fullmatch(decoded.strip()):
        return [decoded]
    return [*_BETWEEN_REFS.split(decoded.strip(" \t\r\n[]"))]


_BETWEEN_REFS: Final = re.compile(
    # From the beginning of white space alone: from each of it, a long one would take for ever.
    r"(?<![\s;|])(?:[\"']?\s*,\s*(?=[\"']?(?:https?:|task:|file:|data:|video:|[/~]|[A-Z]:\\))"
    r"|[\"']?(?:[\s;|]+|\s+and\s+)(?=[\"']?(?:https?:|task:|file:|video:)))",
    re.IGNORECASE,
)


def at_most(limit: int) -> BeforeValidator:
    """A check of our own, because a bound of pydantic's would stand in the published schema."""

    def check(value: object) -> object:
        members = len(cast("list[object]", value)) if isinstance(value, list) else 0
        if members > limit:
            msg = f"has {members} members; at most {limit} are taken"
            raise ValueError(msg)
        return cast("object", value)

    return BeforeValidator(check)


def _read_text(value: object) -> object:
    single = reject_surrogates(unwrap(value))
    if not isinstance(single, str):
        msg = f"must be text{_instead_of_text(single)}"
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports ValueError alone
    return single


def _instead_of_text(value: object) -> str:
    if isinstance(value, list):
        return ", and one alone: not a list"
    return ", not an object" if isinstance(value, Mapping) else ""


def _number_as_text(value: object) -> object:
    single = unwrap(value)
    if isinstance(single, float) and single.is_integer():
        single = int(single)
    is_number = isinstance(single, int | float) and not isinstance(single, bool)
    if isinstance(single, int) and single.bit_length() > MAX_INTEGER_BITS:
        return value
    return str(single) if is_number else value


def split_words(text: str) -> list[str]:
    """The words of a text, which may be separated by commas as well."""
    return [word for word in re.split(r"[\s,;+|\[\]\"']+", text) if word]


def split_phrases(value: object) -> list[str]:
    """The parts of a text between commas and the like, where a part may have several words."""
    if not isinstance(value, str):
        msg = "must be text, with spaces between the words"
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports ValueError alone
    parts = re.split(r"[,;+|/&\[\]\"'，、]|\band\b", value)
    return [part for part in map(str.strip, parts) if part]


def _join_texts(separator: str) -> BeforeValidator:
    """Reads a list of texts, also as JSON text, as one text."""

    def read(value: object) -> object:
        decoded = decode_json(value)
        members = cast("list[object]", decoded) if isinstance(decoded, list) else []
        if not members or not all(isinstance(each, str) for each in members):
            return value
        return separator.join(str(each).strip() for each in members)

    return BeforeValidator(read)


def _read_audio(value: object) -> object:
    if isinstance(value, bool) or str(value).strip().casefold() in {"true", "false", "yes", "no"}:
        msg = "must be links to sound files; did you mean with_audio?"
        raise ValueError(msg)
    return value


def _read_object(value: object) -> object:
    decoded = value
    for _ in range(2):  # a text of JSON within a text of JSON, or within a list
        decoded = unwrap(decode_json(decoded))
    if isinstance(decoded, Mapping):
        members = cast("Mapping[str, object]", decoded)
        decoded = members["extra_body"] if set(members) == {"extra_body"} else members
    if not isinstance(decoded, Mapping | BaseModel):
        msg = f"must be an object, such as {EXTRA_BODY_EXAMPLE}"
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports ValueError alone
    return cast("object", decoded)


def _check_length(text: str) -> str:
    """A check of our own, because a bound of pydantic's would lengthen the published schema."""
    if not 1 <= len(text) <= SHORT_TEXT_LIMIT:
        msg = f"must have 1 to {SHORT_TEXT_LIMIT} characters"
        raise ValueError(msg)
    return reject_hidden(text)


def _check_long_text(text: str) -> str:
    if not 1 <= len(text) <= PROMPT_LIMIT:
        msg = f"must have 1 to {PROMPT_LIMIT} characters"
        raise ValueError(msg)
    return text


def _check_key(text: str) -> str:
    """A key is printable, so that a person can recognise it in a list."""
    if not text.isprintable():
        msg = "must contain only printable characters"
        raise ValueError(msg)
    return text


Text = Annotated[str, BeforeValidator(_read_text), AfterValidator(reject_nul)]
ShortText = Annotated[Text, AfterValidator(_check_length)]
NumberOrText = Annotated[ShortText, BeforeValidator(_number_as_text)]
"""A number is taken as its text: it is what a model writes for a resolution of 720p."""
LongText = Annotated[Text, BeforeValidator(_number_as_text), AfterValidator(_check_long_text)]
TextOrList = Annotated[LongText, _join_texts(", ")]
Words = Annotated[NumberOrText, _join_texts(" ")]
Prompt = Annotated[Text, AfterValidator(_check_long_text)]
"""A number is no prompt and no model id: it would be paid for, and is hardly meant."""
Key = Annotated[NumberOrText, AfterValidator(_check_key)]
Picture = Annotated[
    str,
    BeforeValidator(_read_picture),
    AfterValidator(reject_nul),
    AfterValidator(_check_picture),
    MediaKind.IMAGE,
]
Pictures = Annotated[
    str | list[str],
    PlainValidator(_check_pictures),
    WithJsonSchema({"type": "string"}),
    MediaKind.IMAGE,
]
"""One image, or [first, last], which CogVideoX-3's page documents in the same field. The
published schema shows only the first form, because clients have trouble with a choice of types."""
_Reference = Annotated[Text, BeforeValidator(_reference_in)]
Audio = Annotated[_Reference, AfterValidator(_check_link), MediaKind.AUDIO]
Video = Annotated[_Reference, AfterValidator(_check_video), MediaKind.VIDEO]
PictureList = Annotated[list[Picture], at_most(MAX_REFERENCES), BeforeValidator(_read_list)]
AudioList = Annotated[
    list[Audio],
    at_most(MAX_SOUNDS),
    BeforeValidator(_read_list),
    BeforeValidator(_read_audio),
]
ObjectDecoded = BeforeValidator(_read_object)
JsonDecoded = BeforeValidator(decode_json)
AnyOrText = Annotated[Any, WithJsonSchema({"type": "string"})]
"""Documented as a string; the model vendors accept objects. Both are passed on unchanged."""
AnyPicture = Annotated[AnyOrText, _apply_to_refs(_check_picture), MediaKind.IMAGE]
AnyVideo = Annotated[AnyOrText, _apply_to_refs(_check_video), MediaKind.VIDEO]
