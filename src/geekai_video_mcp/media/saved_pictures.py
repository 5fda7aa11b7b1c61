"""Pictures of results, saved beside them for hosts that only hand over paths.

A saved picture is a JPEG whose comment says that it is ours, of which files it was made and what
it shows. So it is found again without decoding anything, made anew when its video has changed,
and a file of another program is never replaced. Its name has a dot within, which no result has
before its extension, so the downloader never takes it for one.

Everything here blocks; call it on a worker thread.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from geekai_video_mcp.domain.media_refs import task_in_file_name
from geekai_video_mcp.media.preview import (
    PASSING_REASONS,
    PreviewRequest,
    RenderedPreview,
    ShownFile,
    read_facts,
)
from geekai_video_mcp.media.regular_files import open_regular_file
from geekai_video_mcp.media.side_files import write_side_file

SIGNATURE: Final = b"geekai-video-mcp picture 1 "
"""How the comment begins. The number changes with what a picture looks like."""
OURS: Final = b"geekai-video-mcp picture "
MAX_BYTES: Final = 200_000
"""Bytes of a saved picture that are read: more than any has."""
MAX_NAMES: Final = 9
"""Names that are tried while others belong to another program."""
MAX_TIMES_TEXT: Final = 40
"""Characters of the times in a file name; longer lists are distinguished by a digest."""

_START: Final = b"\xff\xd8"
_COMMENT: Final = b"\xff\xfe"


@dataclass(frozen=True)
class SavedPicture:
    """A picture on disk, and what it shows."""

    path: Path
    jpeg: bytes
    files: tuple[ShownFile, ...]


def find_saved(request: PreviewRequest) -> SavedPicture | None:
    """The picture of this request, if it was saved since its files were last changed."""
    state = read_state(request)
    for path in _names(request):
        with suppress(OSError):
            content = _read_start(path)
            comment = _read_comment(content)
            if comment is None or not comment.startswith(SIGNATURE):
                continue
            with suppress(ValueError, TypeError, KeyError, AttributeError):
                saved = cast("dict[str, Any]", json.loads(comment[len(SIGNATURE) :]))
                if saved["state"] == state:
                    files = tuple(read_facts(each) for each in saved["files"])
                    return SavedPicture(path, content, files)
    return None


def save_picture(request: PreviewRequest, rendered: RenderedPreview, *, state: str) -> Path | None:
    """Where the picture is now; None if it could not be written, which is no failure.

    *state* was read before the files were decoded: one that is replaced while it is being decoded
    then has its picture made anew.
    """
    if rendered.picture is None:
        return None
    try:
        saved = {
            # A file that was not decoded now may be by the next call: made anew then.
            "state": None
            if any(file.reason in PASSING_REASONS for file in rendered.files)
            else state,
            "files": [
                {name: value for name, value in asdict(file).items() if value is not None}
                for file in rendered.files
            ],
        }
        content = _with_comment(rendered.picture, SIGNATURE + json.dumps(saved).encode())
        # By it a part that a crash leaves is found.
        key = task_in_file_name(request.paths[0].name) or ""
        for path in _names(request):
            is_ours = partial(_is_ours, path)
            if write_side_file(path, content, key=key, is_ours=is_ours):
                return path
    except OSError:
        pass  # a folder that cannot be written, a full disk: the picture itself is still shown
    return None


def read_state(request: PreviewRequest) -> str:
    """What the picture depends on: it is made anew when this has changed."""
    states = [(path.name, *_size_and_time(path)) for path in request.paths]
    shown = json.dumps([states, request.titles, request.kind, request.at])
    return hashlib.sha256(shown.encode()).hexdigest()


def _size_and_time(path: Path) -> tuple[int, int] | tuple[()]:
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_size, status.st_mtime_ns


def _names(request: PreviewRequest) -> Iterator[Path]:
    """The names under which the picture may be, the usual one first."""
    first = request.paths[0]
    stem = first.stem if len(request.paths) == 1 else f"side-by-side-{'-'.join(request.titles)}"
    shown = f"at-{_times_text(request.at)}" if request.at else request.kind
    yield first.with_name(f"{stem}.{shown}.jpg")
    for number in range(2, MAX_NAMES + 1):
        yield first.with_name(f"{stem}.{shown}-{number}.jpg")


def _times_text(times: Sequence[float]) -> str:
    text = "-".join(f"{time:g}s" for time in times)
    if len(text) <= MAX_TIMES_TEXT:
        return text
    return f"{len(times)}-times-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _read_start(path: Path) -> bytes:
    with open_regular_file(path) as file:
        return file.read(MAX_BYTES)


def _with_comment(jpeg: bytes, comment: bytes) -> bytes:
    """The JPEG with the comment, which stands behind the header of its format."""
    at = len(_START)
    if jpeg[at : at + 2] == b"\xff\xe0":
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    return jpeg[:at] + _COMMENT + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[at:]


def _read_comment(jpeg: bytes) -> bytes | None:
    """The comment where `_with_comment` puts it; None if there is none."""
    if not jpeg.startswith(_START):
        return None
    at = len(_START)
    if jpeg[at : at + 2] == b"\xff\xe0":
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    if jpeg[at : at + 2] != _COMMENT:
        return None
    return jpeg[at + 4 : at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")]


def is_saved_picture(content: bytes) -> bool:
    """Whether a file with this content is a picture that this server has saved."""
    return len(content) <= MAX_BYTES and (_read_comment(content) or b"").startswith(OURS)


def _is_ours(path: Path) -> bool:
    with suppress(OSError):
        return is_saved_picture(_read_start(path))
    return False
