"""Read files that a caller names, from the allowed folders only.

A path is resolved and checked, and then opened again from its allowed folder, one component
at a time and through no symbolic link: if anything was replaced between the check and the
opening, the file is refused, and no file outside the folder is read. Blocks; call it on a
worker thread.
"""

import os
import stat
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from geekai_video_mcp.domain.inline_pictures import START_BYTES, picture_type
from geekai_video_mcp.domain.media_refs import file_path

FILE_LIMIT: Final = 64 * 1024 * 1024
"""Bytes: three times the 20 MB of a large photograph, and few enough to read at once."""

_NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
_FILE_FLAGS: Final = (
    os.O_RDONLY
    | _NOFOLLOW
    | getattr(os, "O_NONBLOCK", 0)  # do not wait for the writer of a pipe
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)
_FOLDER_FLAGS: Final = os.O_RDONLY | _NOFOLLOW | getattr(os, "O_DIRECTORY", 0)
HAS_DIR_FD: Final = os.open in os.supports_dir_fd
"""Not on Windows."""


class Unreadable(Exception):
    """Why a file was not read; the message contains no paths but those of allowed folders."""


class OutsideFolders(Unreadable):
    """The file is in none of the allowed folders; whether it exists is not said."""


def read_file(reference: str, folders: Sequence[Path]) -> bytes:
    """The content of the file that *reference*, a path or a file URL, names.

    Of a file that is no picture only the beginning is read, which says what it is.

    Raises:
        OutsideFolders: it is in none of *folders*.
        Unreadable: it is not a regular file, or too large.
    """
    folder, relative = locate_file(reference, folders)
    try:
        with (open_beneath if HAS_DIR_FD else open_and_verify)(folder, relative) as descriptor:
            return _read_content(descriptor)
    except OSError as exc:
        msg = f"the file cannot be opened ({exc.strerror or type(exc).__name__})"
        raise Unreadable(msg) from exc


def locate_file(reference: str, folders: Sequence[Path]) -> tuple[Path, Path]:
    """The allowed folder that contains the file, resolved, and the file's path relative to it."""
    path = os.path.expanduser(file_path(reference) or "")  # noqa: PTH111 - Path's raises without a home
    roots = [Path(os.path.realpath(folder)) for folder in folders]
    try:
        resolved = Path(path).resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        # Only for allowed folders: the caller must not learn what exists elsewhere.
        if any(Path(os.path.normpath(path)).is_relative_to(root) for root in [*folders, *roots]):
            msg = "there is no such file in the folder"
            raise Unreadable(msg) from None
        raise OutsideFolders from None
    for root in roots:
        if resolved.is_relative_to(root):
            relative = resolved.relative_to(root)
            if any(part.startswith(".") for part in relative.parts):
                msg = "files and folders whose names begin with a dot are not allowed"
                raise Unreadable(msg)
            return root, relative
    raise OutsideFolders


@contextmanager
def opened_in_folder(folder: Path, path: Path) -> Generator[int]:
    """Open the file at *path*, which is in *folder*, through no symbolic link below it.

    Raises:
        Unreadable: it is not in the folder.
        OSError: it cannot be opened.
    """
    root = Path(os.path.realpath(folder))
    roots = [each for each in (folder, root) if path.is_relative_to(each)]
    if not roots or ".." in path.parts:
        raise OutsideFolders
    relative = path.relative_to(roots[0])
    with (open_beneath if HAS_DIR_FD else open_and_verify)(root, relative) as descriptor:
        yield descriptor


@contextmanager
def open_beneath(folder: Path, relative: Path) -> Generator[int]:
    """Open the file without following a symbolic link; yields its descriptor."""
    descriptors = [os.open(folder, _FOLDER_FLAGS)]
    try:
        *folders, name = relative.parts or (".",)
        for part in folders:
            descriptors.append(os.open(part, _FOLDER_FLAGS, dir_fd=descriptors[-1]))
        descriptors.append(os.open(name, _FILE_FLAGS, dir_fd=descriptors[-1]))
        yield descriptors[-1]
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


@contextmanager
def open_and_verify(folder: Path, relative: Path) -> Generator[int]:
    """Open the file and then check its path again, on a system without `dir_fd`."""
    path = folder / relative
    descriptor = os.open(path, _FILE_FLAGS)
    try:
        named, opened = path.stat(follow_symlinks=False), os.fstat(descriptor)
        same = (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)
        if not same or path.resolve(strict=True) != path:
            msg = "the file was replaced while it was being opened"
            raise Unreadable(msg)
        yield descriptor
    finally:
        os.close(descriptor)


def _read_content(descriptor: int) -> bytes:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        msg = "it is not a regular file"
        raise Unreadable(msg)
    with open(descriptor, "rb", closefd=False) as file:
        content = file.read(START_BYTES)
        if picture_type(content) is None:
            return content
        content += file.read(FILE_LIMIT + 1 - len(content))
    if len(content) > FILE_LIMIT:
        size = max(status.st_size, len(content))
        msg = f"the file has {size / 1e6:,.1f} MB; the limit is {FILE_LIMIT / 1e6:,.1f} MB"
        raise Unreadable(msg)
    return content
