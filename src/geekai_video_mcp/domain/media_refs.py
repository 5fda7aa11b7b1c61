"""How a picture, a video or a sound may be named: by link, file, task, or written out. Pure.

The checks return each reference in its canonical form, so that the same request is recognised
however it was written. Nothing is fetched or read here. A link is for GeekAI to fetch, so it must
lead to the open internet; whether a file may be read, `media.inputs` decides. No refusal repeats
the value.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import PurePosixPath, PureWindowsPath
from typing import Final
from urllib.parse import unquote

from geekai_video_mcp.domain.chat_pictures import (
    CHAT_NAME,
    advise_to_save,
    refuse_chat_scheme,
    refuse_picture_of_chat,
)
from geekai_video_mcp.domain.inline_pictures import (
    DATA_URI_LIMIT,
    data_uri,
    picture_type,
    read_bare_base64,
    read_data_uri,
)
from geekai_video_mcp.domain.media_links import LINK_LIMIT, link_problem, split_url
from geekai_video_mcp.domain.task_refs import at_text, split_seconds
from geekai_video_mcp.quoting import quote

__all__ = [
    "DATA_URI_LIMIT",
    "LINK_LIMIT",
    "RefKind",
    "check_link",
    "check_picture",
    "check_video",
    "data_uri",
    "file_path",
    "is_bare_task",
    "picture_type",
    "ref_kind",
    "task_id",
    "task_in_file_name",
]

PATH_LIMIT: Final = 4096
"""Characters: Linux takes no longer path (PATH_MAX), and no other system that we run on does."""

LINK_REMEDY: Final = "give an https URL that anyone can open"
VIDEO_REMEDY: Final = f"{LINK_REMEDY}, or task:ID of a video"
PICTURE_REMEDY: Final = f"{LINK_REMEDY}, an absolute file path or task:ID"
ON_ANOTHER_MACHINE: Final = "this server is on another machine"
REMOTE_REMEDY: Final = "pass an https URL that anyone can open, a data URI or task:ID"
"""For a caller whose files are on another machine than this server."""

_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)
"""Of two letters or more: C: is a drive."""
_TASK_HEAD: Final = re.compile(r"task(?:[ _-]?id)?\s*[:=]\s*(?://)?|video://", re.IGNORECASE)
_TASK: Final = re.compile(
    r"task(?:[ _-]?id)?(?:\s*[:=]\s*(?://)?|\s)\s*([\w.:-]{1,128})", re.IGNORECASE | re.ASCII
)
_RESOURCE: Final = re.compile(r"video://tasks?/([\w.:-]{1,128})(?:/([\w-]*))?/?", re.ASCII | re.I)
_TASK_IN_NAME: Final = re.compile(r"-([0-9a-f]{8,32})\.\w+")
_HEX: Final = re.compile(r"[0-9a-f]{1,32}", re.IGNORECASE)
_BARE_TASK: Final = re.compile(
    r"[0-9a-f]{32}|(?=[0-9]*[a-f])[0-9a-f]{8,31}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    re.IGNORECASE,
)
"""A whole id of ours, the beginning of one, or a UUID, which GeekAI's ids are."""
AROUND_REFERENCE: Final = "\"'`<>“”‘’ \t\r\n"
"""What a model may put around a reference, as it does in a sentence."""
_JPEG_IN_BASE64: Final = "/9j/"
_VIDEO_ENDINGS: Final = frozenset(
    [".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp"]
)
_PICTURE_ENDINGS: Final = frozenset(
    [
        ".png",
        ".jpg",
        ".jpeg",
        ".webp",
        ".gif",
        ".heic",
        ".heif",
        ".avif",
        ".bmp",
        ".tif",
        ".tiff",
        ".svg",
    ]
)


class RefKind(StrEnum):
    """The forms, by how they begin."""

    LINK = "link"
    """With any scheme that is none of the others'."""
    DATA = "data"
    FILE = "file"
    TASK = "task"


def ref_kind(text: str) -> RefKind | None:
    """What *text* is by its beginning; None for a plain word or a relative path."""
    if _TASK_HEAD.match(text):
        return RefKind.TASK
    scheme = _SCHEME.match(text)
    if scheme:
        known = {"data:": RefKind.DATA, "file:": RefKind.FILE}
        return known.get(scheme[0].lower(), RefKind.LINK)
    rooted = text.startswith(("/", "~")) and not text.startswith(_JPEG_IN_BASE64)
    # From Python 3.13 on, pathlib takes any character before a colon for a drive, as in 9:16.
    drive = PureWindowsPath(text).drive
    on_drive = drive.startswith("\\\\") or drive[:1].isalpha()
    return RefKind.FILE if rooted or on_drive else None


def is_bare_task(text: str) -> bool:
    """Whether *text* is a task's id without `task:`, and can be nothing else.

    The seconds of a frame may follow it: `2eb52cc9@2.5`.
    """
    return _BARE_TASK.fullmatch(text.partition("@")[0].rstrip()) is not None


def check_link(text: str, *, service_url: str = "") -> str:
    """The link, if GeekAI may fetch it; ValueError says why not and what to give instead."""
    text = _plain_link(text.strip(AROUND_REFERENCE))
    problem = _not_a_link(text) or link_problem(text, service_url)
    return _accept(text, problem, LINK_REMEDY)


def check_video(text: str, *, service_url: str = "") -> str:
    """A link, or an earlier task as `task:ID`."""
    text = _plain_link(text.strip(AROUND_REFERENCE))
    if ref_kind(text) is RefKind.TASK or _names_task(text):
        whole = _read_task(text, {"", "video"}, _NOT_ITS_VIDEO, VIDEO_REMEDY)
        return _accept(whole, _ONE_FRAME if "@" in whole else None, VIDEO_REMEDY)
    problem = _picture_for_video(text) or _not_a_link(text) or link_problem(text, service_url)
    return _accept(text, problem, VIDEO_REMEDY)


def check_picture(text: str, *, service_url: str = "", folders: Sequence[str] | None = ()) -> str:
    """A link, an absolute path, an earlier task as `task:ID`, or a picture as a data URI.

    *folders* are those that files may be read from; a refusal names them. None if the caller is on
    another machine, whose paths mean nothing here.
    """
    text, remedy = _plain_link(text.strip(AROUND_REFERENCE)), picture_remedy(folders)
    match ref_kind(text):
        case RefKind.DATA:
            return _inline_or_refuse(text, folders)
        case RefKind.FILE:
            problem = ON_ANOTHER_MACHINE if folders is None else _path_problem(text)
            return _accept(text, problem, remedy)
        case RefKind.TASK:
            return _read_task(text, {"", "last-frame", "video"}, _NOT_ITS_PICTURE, remedy)
        case RefKind.LINK:
            refuse_chat_scheme(text, folders)
            problem = link_problem(text, service_url) or _video_for_picture(text)
            return _accept(text, problem, remedy)
        case None:
            if _names_task(text):
                return _read_task(text, {""}, _NOT_ITS_PICTURE, remedy)
            return _inline_or_refuse(text, folders)


def picture_remedy(folders: Sequence[str] | None) -> str:
    """How a picture can be given, where files are read from *folders*, or None are read."""
    return REMOTE_REMEDY if folders is None else PICTURE_REMEDY


def _accept(text: str, problem: str | None, remedy: str) -> str:
    if problem is None:
        return text
    msg = f"{problem}, so {remedy}"
    raise ValueError(msg)


# Tasks

_NOT_ITS_VIDEO: Final = "that is a picture of the task and not its video, so give task:ID"
_ONE_FRAME: Final = "a task with @ and seconds is one frame and not the video"
_NOT_ITS_PICTURE: Final = (
    "a cover or a contact sheet is only for looking at, so give task:ID, which is the last frame"
    " of a video, or the picture that the task made"
)


def _names_task(text: str) -> bool:
    """Whether *text* is a bare id, or "task" and one."""
    match = _TASK.fullmatch(text.partition("@")[0].rstrip())
    return is_bare_task(text) or (match is not None and is_bare_task(match[1]))


def _read_task(text: str, parts: set[str], refusal: str, remedy: str) -> str:
    """`task:ID` for every way to name a task; *parts* are those of its resource that may stand.

    With the seconds of a frame, it is `task:ID@2.5`.
    """
    text, seconds = split_seconds(text)
    if _TASK_HEAD.match(text) and not text.lower().startswith("video:"):
        text = text.removesuffix("/video")  # as a recorded request has it
    resource = _RESOURCE.fullmatch(text)
    if resource:
        found, part = resource[1], (resource[2] or "").lower().replace("_", "-")
    else:
        found, part = text if is_bare_task(text) else task_id(text), ""
    if found is None:
        link = text.lower().startswith("video:")
        missing = "video://tasks/ must" if link else "task: must"
        return _accept(text, f"{missing} be followed by a task_id", remedy)
    if part not in parts:
        if part in {"cover", "frames", "last-frame"}:
            raise ValueError(refusal)
        return _accept(text, "a task has no such part", remedy)
    return f"task:{found.lower() if _HEX.fullmatch(found) else found}{at_text(seconds)}"


def task_id(text: str) -> str | None:
    """The id in `task:ID`, which has no seconds; None if it has none."""
    head = _TASK_HEAD.match(text)
    inside = text[head.end() :].strip(AROUND_REFERENCE) if head else ""
    match = _TASK.fullmatch(f"task:{inside}" if head else text)
    return match[1].rstrip(".") or None if match else None


def task_in_file_name(text: str) -> str | None:
    """The beginning of the id in the name of a file that a task of ours made."""
    found = _TASK_IN_NAME.search(text)
    return found[1] if found and found.end() == len(text) else None


# Links


def _plain_link(text: str) -> str:
    """A link with its scheme and host in lower case; everything else as it is."""
    return _SCHEME_AND_HOST.sub(lambda found: found[0].lower(), text, count=1)


_SCHEME_AND_HOST: Final = re.compile(r"\Ahttps?://[^/?#@\s]*(?=[/?#]|\Z)", re.IGNORECASE)


def _not_a_link(text: str) -> str | None:
    """What stands in a link's place, if it is plainly something else."""
    match ref_kind(text):
        case RefKind.FILE:
            return "a file cannot be given here"
        case RefKind.DATA:
            return "a data URI cannot be given here"
        case RefKind.TASK:
            return "a task cannot be given here"
        case RefKind.LINK:
            return None
        case None:
            return "it is no link" if text else "is empty"


def _ending(text: str) -> str:
    """The ending of what a link or a path names; empty for a link that asks for something of it."""
    if ref_kind(text) is RefKind.LINK:
        parts = split_url(text)
        # A query may ask for a frame of a video, as Alibaba's storage gives it.
        text = parts.path if parts and not parts.query else ""
    return PurePosixPath(text.replace("\\", "/")).suffix.lower()


def _video_for_picture(text: str) -> str | None:
    if _ending(text) not in _VIDEO_ENDINGS:
        return None
    return (
        "by its name this link leads to a video and not to a picture (task:ID takes the last frame"
        " of a task's video)"
    )


def _picture_for_video(text: str) -> str | None:
    """What to say if a picture stands in a video's place; a mistake in it does not matter."""
    kind = ref_kind(text)
    if kind in {RefKind.DATA, None}:
        try:
            written = read_data_uri(text) if kind else read_bare_base64(text)
        except ValueError:
            return None
        return "that is a picture and not a video (pass it as image)" if written else None
    if kind is not RefKind.FILE or _ending(text) not in _PICTURE_ENDINGS:
        return None
    return "by its name this is a picture and not a video (pass it as image)"


# Files, and pictures that are no files


def _path_problem(text: str) -> str | None:
    # Before it is read: three characters of a file URL may be one of the path.
    if len(text) > len("file://localhost") + 3 * PATH_LIMIT:
        return "the path is too long for any file"
    path = file_path(text)
    if path is None:
        return "a file URL must be file:///path, on this machine"
    return "the path is too long for any file" if len(path) > PATH_LIMIT else None


def file_path(text: str) -> str | None:
    """The path that a file reference names; None for a file URL that names none here."""
    if not text.lower().startswith("file:"):
        return text
    # Programs that do not escape a path write these two as they are, and no file has a query.
    parts = split_url(text.replace("?", "%3F").replace("#", "%23"))
    if parts is None or parts.netloc not in {"", "localhost"}:
        return None
    path = unquote(parts.path)
    drive = re.match(r"/[A-Za-z]:", path)
    return None if "\0" in path or not path else path.removeprefix("/" if drive else "")


def _inline_or_refuse(text: str, folders: Sequence[str] | None) -> str:
    """The picture that *text* holds, as a data URI."""
    if ref_kind(text) is RefKind.DATA:
        try:
            return read_data_uri(text)
        except ValueError as exc:
            msg = f"{exc}; or {picture_remedy(folders)}"
            raise ValueError(msg) from None
    if not text:
        return _accept(text, "is empty", picture_remedy(folders))
    if CHAT_NAME.fullmatch(text):
        refuse_picture_of_chat(folders)
    try:
        written = read_bare_base64(text)
    except ValueError as exc:
        msg = f"{exc}; or {picture_remedy(folders)}"
        raise ValueError(msg) from None
    if written is not None:
        return written
    if folders is None:
        return _accept(text, "that names no picture", REMOTE_REMEDY)
    named = ", ".join(map(quote, folders)) or "the output folder"
    msg = (
        f"an absolute path is needed, so {PICTURE_REMEDY}. Files are read from {named}, and from"
        f" further folders if GEEKAI_IMAGE_DIRS names them. {advise_to_save(())}"
    )
    raise ValueError(msg)
