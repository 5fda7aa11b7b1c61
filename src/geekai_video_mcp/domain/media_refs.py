"""What may stand in a picture's or a video's place: link, picture itself, file, task. Pure.

Nothing is fetched or read here. A link is for GeekAI to fetch, so it must lead to the open
internet; whether a file may be read, `media.inputs` decides. No refusal repeats the value.
"""

import base64
import re
from enum import StrEnum
from pathlib import PureWindowsPath
from typing import Final, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from geekai_video_mcp.domain.public_hosts import is_same_origin, may_be_public

DATA_URI_LIMIT: Final = 8_000_000
"""Characters. GeekAI's own limit is not documented; integrators stop at 8 MB (read 2026-11-22)."""
LINK_LIMIT: Final = 4000
"""Characters. A signed link with a session token has about 2,000."""
PATH_LIMIT: Final = 4096
"""Characters: Linux takes no longer path (PATH_MAX), and no other system that we run on does."""

LINK_REMEDY: Final = "give an https URL that GeekAI can fetch"
VIDEO_REMEDY: Final = f"{LINK_REMEDY}, or task:ID of a finished video"
PICTURE_REMEDY: Final = (
    f"{LINK_REMEDY}, an absolute file path, a data URI (data:image/png;base64,...) or task:ID"
)

_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)
"""Of two letters or more: C: is a drive."""
_TASK: Final = re.compile(r"task:\s*([\w.:-]{1,128})", re.ASCII)
_DATA_URI: Final = re.compile(r"data:image/(png|jpeg|jpg|webp);base64,", re.IGNORECASE)
_JPEG_IN_BASE64: Final = "/9j/"

PictureType = Literal["png", "jpeg", "webp"]


class RefKind(StrEnum):
    """The forms, by how they begin."""

    LINK = "link"
    """With any scheme that is none of the others'."""
    DATA = "data"
    FILE = "file"
    TASK = "task"


def ref_kind(text: str) -> RefKind | None:
    """What *text* is by its beginning; None for a plain word or a relative path."""
    scheme = _SCHEME.match(text)
    if scheme:
        known = {"data:": RefKind.DATA, "file:": RefKind.FILE, "task:": RefKind.TASK}
        return known.get(scheme[0].lower(), RefKind.LINK)
    rooted = text.startswith(("/", "~")) and not text.startswith(_JPEG_IN_BASE64)
    # From Python 3.13 on, pathlib takes any character before a colon for a drive, as in 9:16.
    drive = PureWindowsPath(text).drive
    on_drive = drive.startswith("\\\\") or drive[:1].isalpha()
    return RefKind.FILE if rooted or on_drive else None


def check_link(text: str, *, service_url: str = "") -> str:
    """The link, if GeekAI may fetch it; ValueError says why not and what to give instead."""
    return _accept(text, _link_problem(text, service_url), LINK_REMEDY)


def check_video(text: str, *, service_url: str = "") -> str:
    """A link, or an earlier task."""
    problem = (
        _task_problem(text) if ref_kind(text) is RefKind.TASK else _link_problem(text, service_url)
    )
    return _accept(text, problem, VIDEO_REMEDY)


def check_picture(text: str, *, service_url: str = "") -> str:
    """A link, a data URI, an absolute path or an earlier task."""
    match ref_kind(text):
        case RefKind.DATA:
            problem = _data_problem(text)
        case RefKind.FILE:
            problem = _path_problem(text)
        case RefKind.TASK:
            problem = _task_problem(text)
        case RefKind.LINK:
            problem = _link_problem(text, service_url)
        case None:
            problem = "relative paths are not accepted" if text else "is empty"
    return _accept(text, problem, PICTURE_REMEDY)


def _accept(text: str, problem: str | None, remedy: str) -> str:
    if problem is None:
        return text
    msg = f"{problem}, so {remedy}"
    raise ValueError(msg)


def _link_problem(text: str, service_url: str) -> str | None:
    if len(text) > LINK_LIMIT:
        return f"the link has {len(text):,} characters; the limit is {LINK_LIMIT:,}"
    if not text.isprintable() or " " in text:
        return "a link has no spaces and no control characters"
    parts = _split_url(text)
    return _url_problem(parts, service_url) if parts else "it cannot be read as a link"


def _url_problem(parts: SplitResult, service_url: str) -> str | None:
    if service_url and is_same_origin(parts, urlsplit(service_url)):
        return None  # the service's own, on whatever host the operator has it
    if parts.scheme != "https":
        return "only https links are accepted here"
    if "@" in parts.netloc:
        return "a link must hold no user name or password"
    if not parts.hostname or not may_be_public(parts.hostname):
        return "the link's host is not publicly reachable"
    return None


def _split_url(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        usable = parts.port != 0
    except ValueError:  # whose own words may repeat the link
        return None
    return parts if usable else None


def _data_problem(text: str) -> str | None:
    head = _DATA_URI.match(text)
    if head is None:
        return "a data URI must begin data:image/png;base64, (or jpeg, or webp)"
    if len(text) > DATA_URI_LIMIT:
        return (
            f"the data URI has {len(text):,} characters; the limit is {DATA_URI_LIMIT:,}"
            " (a file given by its path is made smaller automatically)"
        )
    try:
        content = base64.b64decode(text[head.end() :], validate=True)
    except ValueError:
        return "the data URI is not valid base64"
    actual, declared = picture_type(content), head[1].lower().replace("jpg", "jpeg")
    if actual is None:
        return "the data URI holds no PNG, JPEG or WebP picture"
    return (
        None if actual == declared else f"the data URI is labelled {declared} but contains {actual}"
    )


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
    parts = _split_url(text)
    if parts is None or parts.netloc not in {"", "localhost"}:
        return None
    path = unquote(parts.path)
    drive = re.match(r"/[A-Za-z]:", path)
    return None if "\0" in path or not path else path.removeprefix("/" if drive else "")


def _task_problem(text: str) -> str | None:
    return None if task_id(text) else "task: must be followed by a task_id"


def task_id(text: str) -> str | None:
    """The id in `task:ID`; None if it has none."""
    match = _TASK.fullmatch(text)
    return match[1] if match else None


def picture_type(prefix: bytes) -> PictureType | None:
    """What kind of picture begins with *prefix*, of which 12 bytes are enough."""
    if prefix.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if prefix.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    return "webp" if prefix[:4] == b"RIFF" and prefix[8:12] == b"WEBP" else None


def data_uri(content: bytes) -> str | None:
    """The picture itself as an argument; None if it is none of the three kinds."""
    found = picture_type(content)
    return f"data:image/{found};base64,{base64.b64encode(content).decode()}" if found else None
