"""Which arguments are images, videos and audio: only their types decide it. Pure.

A type that accepts media has a `MediaKind` in its `Annotated[...]`. Do not list such fields by
name anywhere: a field that is missing from a list would be sent as the caller wrote it, and that
may be a local path on the caller's machine.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any, TypeAlias, cast, get_args

from pydantic import BaseModel


class MediaKind(StrEnum):
    """The kind of media in an argument, at any depth: `Annotated[..., MediaKind.IMAGE]`."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"


MediaFields: TypeAlias = Mapping[str, "MediaKind | MediaFields"]
"""The media fields of a JSON object by name, with those of nested objects."""
ReplaceMedia = Callable[[MediaKind, str, str], Awaitable[str]]
"""Gets the kind, the place as errors name it (`images.0`) and the text; returns the new text."""


def media_fields(model: type[BaseModel]) -> MediaFields:
    """The fields of *model* whose types are marked as media.

    Raises:
        TypeError: a field is marked as two different things, so nothing could resolve it.
    """
    fields: dict[str, MediaKind | MediaFields] = {}
    for name, info in model.model_fields.items():
        kinds: list[MediaKind | MediaFields] = []
        for part in (info.annotation, *info.metadata):
            kinds.extend(kind for kind in _media_marks(part) if kind not in kinds)
        if len(kinds) > 1:
            msg = f"{model.__name__}.{name} is declared as several kinds of media"
            raise TypeError(msg)
        if kinds:
            fields[info.serialization_alias or name] = kinds[0]
    return fields


def _media_marks(annotation: object) -> Iterator[MediaKind | MediaFields]:
    """Every mark in *annotation*: its own, its arguments', and the media fields of a model."""
    if isinstance(annotation, MediaKind):
        yield annotation
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if fields := media_fields(annotation):
            yield fields
    else:
        for part in get_args(annotation):
            yield from _media_marks(part)


async def replace_media(
    body: Mapping[str, Any], fields: MediaFields, replace: ReplaceMedia
) -> dict[str, Any]:
    """Return *body* with each text that refers to media replaced by the result of *replace*.

    Nothing else walks over the media of a request.
    """
    return {
        name: await _replace_in_value(value, fields.get(name), name, replace)
        for name, value in body.items()
    }


async def _replace_in_value(
    value: object, declared: MediaKind | MediaFields | None, where: str, replace: ReplaceMedia
) -> object:
    if isinstance(value, list):
        members = enumerate(cast("list[object]", value))
        return [
            await _replace_in_value(member, declared, f"{where}.{index}", replace)
            for index, member in members
        ]
    if isinstance(declared, MediaKind):
        if isinstance(value, str):
            return await replace(declared, where, value)
        if isinstance(value, Mapping):
            # Its members are not declared, so errors name the argument, as its checks do.
            members = cast("Mapping[str, object]", value).items()
            return {
                key: await _replace_in_value(each, declared, where, replace)
                for key, each in members
            }
    elif declared is not None and isinstance(value, Mapping):
        members = cast("Mapping[str, object]", value).items()
        return {
            key: await _replace_in_value(each, declared.get(key), f"{where}.{key}", replace)
            for key, each in members
        }
    return value
