"""The arguments of `join_videos`. Pure."""

import re
from collections.abc import Mapping
from typing import Annotated, Final, cast

from pydantic import Field, PlainValidator, ValidationInfo, WithJsonSchema

from geekai_video_mcp.domain import media_refs
from geekai_video_mcp.domain.films import PART_FORMS, FilmPart, parse_part, trim_part
from geekai_video_mcp.domain.media_refs import AROUND_REFERENCE, RefKind, ref_kind
from geekai_video_mcp.quoting import quote_unless_id
from geekai_video_mcp.server.arguments.json_text import (
    decode_json,
    reject_hidden,
    reject_nul,
    reject_surrogates,
)
from geekai_video_mcp.server.arguments.parsing import Arguments
from geekai_video_mcp.server.arguments.values import context_of, unwrap

MAX_PARTS: Final = 60
"""Parts of one film: five minutes of shots of five seconds."""
MAX_DEPTH: Final = 4
"""Levels of lists and objects around the parts."""
SOUND_REMEDY: Final = "give the absolute path of a file on this computer, or task:ID of a video"
REMOTE_SOUND_REMEDY: Final = "pass task:ID of a video"
"""For a caller whose files are on another machine than this server."""

_LISTS: Final = frozenset({"parts", "videos", "clips", "shots", "segments", "tasks"})
"""Members that hold the parts in an object around them."""
_TASK: Final = ("task", "task_id", "id", "video", "clip", "shot", "part", "file")
_START: Final = ("from", "start", "begin", "in", "start_time", "start_seconds", "trim_start")
_END: Final = ("to", "end", "until", "out", "end_time", "end_seconds", "trim_end")
_SPACED_HEAD: Final = re.compile(r"\btask(?:[ _-]?id)?\s*[:=]\s*", re.IGNORECASE)
_SPACED_RANGE: Final = re.compile(
    r"\s*@\s*([\d.:]*\s*(?:s|sec)?)\s*(-|–|—|~|\bto\b)"
    r"(?:\s*(?=(?:[\d.:]+\s*(?:s|sec)?|end)(?:$|[\s,;\"'\]])))?",
    re.IGNORECASE,
)
"""The seconds of a part, and the spaces in them."""
_BETWEEN: Final = re.compile(r"[\s,;|，、；+→]+")
_WORDS: Final = frozenset({"and", "then", "task", "tasks", "video", "part", "shot", "->", "="})
"""Words between parts that name none."""


def _read_parts(value: object) -> tuple[FilmPart, ...]:
    """Parts from a list, a text with several, JSON, or objects of task, from and to."""
    parts = _flatten(value, depth=0)
    if not parts:
        msg = f"must be a list of task ids in order; each is {PART_FORMS}"
        raise ValueError(msg)
    if len(parts) > MAX_PARTS:
        msg = f"has {len(parts)} parts; at most {MAX_PARTS} are taken. A film may be a part itself"
        raise ValueError(msg)
    return tuple(parts)


def _flatten(value: object, *, depth: int) -> list[FilmPart]:
    decoded = decode_json(value)
    if depth > MAX_DEPTH:
        msg = "is nested too deep; give a plain list"
        raise ValueError(msg)
    if isinstance(decoded, list):
        members = cast("list[object]", decoded)
        return [part for each in members for part in _flatten(each, depth=depth + 1)]
    if isinstance(decoded, Mapping):
        named = cast("Mapping[str, object]", decoded)
        if len(named) == 1 and (only := next(iter(named))) in _LISTS:
            return _flatten(named[only], depth=depth + 1)
        return [_read_object(named)]
    if not isinstance(decoded, str):
        msg = f"must hold task ids as text; each is {PART_FORMS}"
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports ValueError alone
    return _split(reject_hidden(reject_nul(str(reject_surrogates(decoded)))))


def _split(text: str) -> list[FilmPart]:
    plain = text.strip(AROUND_REFERENCE)
    kind = ref_kind(plain)
    if kind in {RefKind.LINK, RefKind.DATA}:
        if not plain.lower().startswith("video:"):
            msg = "holds a link, and only tasks can be joined; list_video_tasks shows their ids"
            raise ValueError(msg)
    elif kind is RefKind.FILE:
        named = media_refs.task_in_file_name(plain.partition("@")[0])
        if named is None:
            msg = (
                "holds the path of a file, and only tasks can be joined; list_video_tasks shows"
                " their ids"
            )
            raise ValueError(msg)
        return [parse_part("".join([named, *plain.partition("@")[1:]]))]
    spaced = _SPACED_RANGE.sub(
        lambda found: f"@{''.join(found[1].split())}-", _SPACED_HEAD.sub("task:", plain)
    )
    tokens = [token.strip(AROUND_REFERENCE + "[]()") for token in _BETWEEN.split(spaced)]
    return [parse_part(each) for each in tokens if each and each.casefold() not in _WORDS]


def _read_object(members: Mapping[str, object]) -> FilmPart:
    for name in members:
        if name.casefold() not in {*_TASK, *_START, *_END}:
            msg = (
                f"has an object with {quote_unless_id(name, limit=64)}; its members are task, from"
                " and to (seconds)"
            )
            raise ValueError(msg)
    task, start, end = (_first(members, names) for names in (_TASK, _START, _END))
    if isinstance(task, int) and not isinstance(task, bool):
        task = str(task)
    found = _split(task) if isinstance(task, str) else []
    if len(found) != 1:
        msg = "has an object without one task; its members are task, from and to (seconds)"
        raise ValueError(msg)
    if start is None and end is None:
        return found[0]
    return trim_part(found[0].task_id, start=start, end=end)


def _first(members: Mapping[str, object], names: tuple[str, ...]) -> object:
    by_name = {name.casefold(): value for name, value in members.items()}
    return next((by_name[name] for name in names if by_name.get(name) is not None), None)


def _read_sound(value: object, info: ValidationInfo) -> str:
    """The path of a file, or `task:ID`."""
    remote = context_of(info).get("picture_folders", ()) is None
    remedy = REMOTE_SOUND_REMEDY if remote else SOUND_REMEDY
    single = unwrap(decode_json(unwrap(value)))
    if isinstance(single, Mapping):
        single = _first(cast("Mapping[str, object]", single), ("path", "file", *_TASK))
    if not isinstance(single, str):
        msg = f"must be text: {remedy}"
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports ValueError alone
    text = reject_nul(str(reject_surrogates(single))).strip(AROUND_REFERENCE)
    match ref_kind(text):
        case RefKind.FILE if remote:
            msg = f"{media_refs.ON_ANOTHER_MACHINE}, so {remedy}"
            raise ValueError(msg)
        case RefKind.FILE:
            if media_refs.file_path(text) is None or len(text) > media_refs.PATH_LIMIT:
                msg = f"that is no path on this machine, so {remedy}"
                raise ValueError(msg)
            return text
        case RefKind.LINK if not text.lower().startswith("video:"):
            first = "" if remote else "download the sound, and "
            msg = f"a link cannot be given here: {first}{remedy}"
            raise ValueError(msg)
        case RefKind.DATA:
            msg = f"a data URI cannot be given here, so {remedy}"
            raise ValueError(msg)
        case None if not media_refs.is_bare_task(text):
            problem = "that is no task" if remote else "that is neither a path nor a task"
            msg = f"{problem}, so {remedy}"
            raise ValueError(msg)
        case _:
            return _read_sound_task(text, remedy)


def _read_sound_task(text: str, remedy: str) -> str:
    try:
        part = parse_part(text)
    except ValueError:
        part = None
    if part is None:
        msg = f"that names no task, so {remedy}"
        raise ValueError(msg)
    if part.start is not None or part.end is not None:
        msg = (
            "the sound cannot be cut here: join_videos with that one part makes a film of it, whose"
            " task:ID can be given"
        )
        raise ValueError(msg)
    return f"task:{part.task_id}"


Parts = Annotated[
    tuple[FilmPart, ...],
    PlainValidator(_read_parts),
    WithJsonSchema({"type": "array", "items": {"type": "string"}}),
]
Sound = Annotated[str, PlainValidator(_read_sound), WithJsonSchema({"type": "string"})]


class JoinVideos(Arguments):
    """Arguments of `join_videos`."""

    parts: Parts = Field(
        description="Task ids in order, such as 2eb52cc9, or 9f03aa17@1-4.5 to keep seconds 1 to"
        " 4.5 (@1- cuts off the first)."
    )
    audio: Sound | None = Field(
        None,
        description="In place of the parts' sound: \"task:ID\" of a video, or a sound file's path"
        " if this server is on the user's computer.",
    )
