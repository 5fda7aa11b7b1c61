"""The folders that pictures may be read from, and what is said of a file that is in none. Blocks.

The operator configures them. Where client and server run as one user, over stdio, the folders
that the client declares (MCP's roots) count as well; the client is asked for them only when a
file is in none of the configured ones.
"""

import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final, TypeVar

from anyio import to_thread

from geekai_video_mcp.domain.chat_pictures import ASK_FOR_FILE, NOT_HERE, advise_to_save
from geekai_video_mcp.domain.media_refs import file_path
from geekai_video_mcp.media.inputs.allowed_files import (
    OutsideFolders,
    Unreadable,
    locate_file,
    read_file,
)
from geekai_video_mcp.quoting import quote

VARIABLE: Final = "GEEKAI_IMAGE_DIRS"
VALUE_LIMIT: Final = 4000
"""Characters of a value for the variable that a message suggests."""
CHAT_FOLDERS: Final = ("/mnt/data", "/mnt/user-data", "/home/oai", "/home/claude")
"""Where ChatGPT and Claude keep a conversation's files, on machines of their own."""
FOREIGN_FOLDERS: Final = {"darwin": ("/home",), "win32": ("/",)}.get(sys.platform, ("/Users",))
"""Where other systems than this one keep their users' files."""
UNFIT_FOLDERS: Final = ("/proc", "/sys", "/dev", "/etc")
"""Folders that a refusal must never suggest to make readable."""

T = TypeVar("T")
ListFolders = Callable[[], Awaitable[Sequence[Path]]]


class PictureFolders:
    """The folders of one request."""

    def __init__(
        self,
        *,
        output_dir: Path,
        image_dirs: Sequence[Path],
        list_roots: ListFolders | None = None,
    ) -> None:
        self._image_dirs = image_dirs
        self._folders = [output_dir, *image_dirs]
        self._list_roots = list_roots

    async def read(self, reference: str) -> bytes:
        """The content of the file that *reference*, a path or a file URL, names.

        Raises:
            Unreadable: why it may not or cannot be read, and what to do.
        """
        return await self._find(read_file, reference)

    async def locate(self, reference: str) -> Path:
        """The real path of the regular file that *reference* names, for a child to read.

        Raises:
            Unreadable: why it may not or cannot be read, and what to do.
        """
        return await self._find(_locate_regular_file, reference)

    async def _find(self, find: Callable[[str, Sequence[Path]], T], reference: str) -> T:
        """What *find* returns of the file, which is in one of the folders."""
        try:
            return await to_thread.run_sync(find, reference, self._folders)
        except OutsideFolders:
            if self._list_roots is None or _foreign_system(reference):
                raise self._outside(reference) from None
        self._folders += await self._list_roots()
        self._list_roots = None
        try:
            return await to_thread.run_sync(find, reference, self._folders)
        except OutsideFolders:
            raise self._outside(reference) from None

    def _outside(self, reference: str) -> Unreadable:
        folders = list(dict.fromkeys(map(str, self._folders)))
        return Unreadable(
            describe_outside_file(reference, folders, list(map(str, self._image_dirs)))
        )


def _locate_regular_file(reference: str, folders: Sequence[Path]) -> Path:
    folder, relative = locate_file(reference, folders)
    path = folder / relative
    if not path.is_file():
        msg = "it is not a regular file"
        raise Unreadable(msg)
    return path


def describe_outside_file(reference: str, folders: Sequence[str], image_dirs: Sequence[str]) -> str:
    """What to say of a file outside *folders*: where it is, or which setting has to change.

    The file is not looked for: the caller must not learn what exists on this computer.
    """
    path = file_path(reference) or ""
    if system := _foreign_system(reference):
        return f"{NOT_HERE}: its path is one of {system}, so {ASK_FOR_FILE}"
    if place := _first_beneath(path, CHAT_FOLDERS):
        return (
            f"{NOT_HERE}: {place} is on the machine that the chat runs on, so {ASK_FOR_FILE}."
            f" {advise_to_save(folders)}. If {place} is a folder of this computer, the operator"
            f" adds it to {VARIABLE}"
        )
    if _first_beneath(path, FOREIGN_FOLDERS):
        return f"{NOT_HERE}: its path is one of another system, so {ASK_FOR_FILE}"
    named = ", ".join(map(quote, folders))
    value = _value_to_set(path, image_dirs)
    allow = f", or have the operator set {VARIABLE} to {value} and restart the server"
    return (
        f"the file is outside the folders this server may read ({named}). Copy it into one of"
        f" them{allow if value else ''}. {advise_to_save(())}"
    )


def _foreign_system(reference: str) -> str | None:
    """The system that the path is one of, if that is plain and it is not this one."""
    drive = PureWindowsPath(file_path(reference) or "").drive
    return "Windows" if drive and os.name != "nt" else None


def _first_beneath(path: str, folders: Sequence[str]) -> str | None:
    pure = PurePosixPath(os.path.normpath(path).replace("\\", "/"))
    return next((folder for folder in folders if pure.is_relative_to(folder)), None)


def _value_to_set(path: str, image_dirs: Sequence[str]) -> str | None:
    """The variable's value by which the file could be read; None if its folder is no fit one."""
    folder = os.path.dirname(os.path.normpath(path))  # noqa: PTH120 - nothing is resolved
    parts = Path(folder).parts
    unfit = (
        len(parts) <= 1
        or any(part.startswith(".") for part in parts)
        or os.pathsep in folder.removeprefix(Path(folder).drive)
        or _first_beneath(folder, UNFIT_FOLDERS)
    )
    value = os.pathsep.join([*image_dirs, folder])
    return None if unfit or len(value) > VALUE_LIMIT else quote(value, limit=VALUE_LIMIT)
