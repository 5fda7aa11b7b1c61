"""The part file: a download under way, private, locked, and worth going on with.

One file per task, named by its id, in the folder where the video will be. Whoever has it
open holds its lock, so two processes never write the same one. Beside it lies a note: which
bytes these are, how many, and their sha256. A kept part counts for as much as its note
proves: what a crash or a power cut left is read again and compared, and what does not
agree is dropped. So no step here needs a sync, and no torn note can do harm.

Everything here blocks; the event loop reaches it through worker threads.
"""

import hashlib
import json
import os
import re
import secrets
import stat
import sys
import time
from collections.abc import Generator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Final

from geekai_video_mcp.artifacts.containers import SIGNATURE, suffix
from geekai_video_mcp.ledger.locks import try_lock
from geekai_video_mcp.lifecycle import Media

NOTE_EVERY: Final = 1024**2
"""Bytes between notes: the most that a killed process loses of a download."""
LEFT_FOR: Final = 24 * 3600.0
"""Seconds until a part that nobody goes on with is removed: most links are dead by then."""

_CLAIMS: Final = 10
"""Attempts at a name that others keep taking away; one is lost to each of them at most."""
_NOFOLLOW: Final[int] = getattr(os, "O_NOFOLLOW", 0)  # Windows has none
_BINARY: Final[int] = getattr(os, "O_BINARY", 0)  # and it alone has this one
_KEPT: Final = os.O_RDWR | _NOFOLLOW | _BINARY
_NEW: Final = _KEPT | os.O_CREAT | os.O_EXCL
_OURS: Final = re.compile(r"\.[0-9a-f]{32}(-[0-9a-f]{8})?\.part(\.json)?")
_NOTE_LIMIT: Final = 4096
"""Bytes of a note that are read: eight times the longest."""
_BLOCK: Final = 1024**2
"""Bytes read at a time, to hash what is there."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Which bytes these are: only what has the same source may be joined."""

    place: str
    etag: str | None = None
    """A strong one; a weak one does not promise the same bytes."""
    total: int | None = None
    """Bytes of the whole; None if the answer did not say."""


class Part:
    """An open part file; nobody else writes it until it is closed."""

    def __init__(self, path: Path, descriptor: int, media: Media, *, lasting: bool = True) -> None:
        self.path = path
        self.media = media
        self._lasting = lasting
        self.source: Source | None = None
        self.size = 0
        self.published = False
        self.head = b""
        """The first bytes, enough to tell what kind of file it is."""
        self.file: BinaryIO = os.fdopen(descriptor, "r+b", buffering=0)
        self._hash = hashlib.sha256()
        self._note = path.with_name(f"{path.name}.json")
        self._noted = 0

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    @property
    def suffix(self) -> str | None:
        """The ending for its name; None while it is nothing of its kind."""
        return suffix(self.head, self.media)

    @property
    def whole(self) -> bool:
        """Whether every byte that was announced is here."""
        return self.source is not None and self.size == self.source.total

    @property
    def _resumable(self) -> bool:
        if self.source is None or self.source.total is None or self.size == 0:
            return False
        return self._lasting and (self.whole or self.source.etag is not None)

    def begin(self, source: Source) -> None:
        """From the first byte, of *source*."""
        self.drop()
        self.source = source

    def drop(self) -> None:
        """Forget what was received."""
        self.source = None
        self.size, self.head, self._hash = 0, b"", hashlib.sha256()
        self._noted = 0
        self._note.unlink(missing_ok=True)
        self.file.seek(0)
        self.file.truncate()

    def write(self, chunk: bytes) -> None:
        left = memoryview(chunk)
        while left:  # a disk that is nearly full takes a piece
            left = left[self.file.write(left) :]
        self._count(chunk)
        if self.size - self._noted >= NOTE_EVERY:
            self.take_note()

    def take_note(self) -> None:
        """Prove what is here to whoever goes on with it, if anyone can."""
        if self.source is None or not self._resumable:
            return
        noted = {"source": asdict(self.source), "size": self.size, "sha256": self.sha256}
        self._note.unlink(missing_ok=True)
        with os.fdopen(os.open(self._note, _NEW, 0o600), "wb") as file:
            file.write(json.dumps(noted).encode())
        self._noted = self.size

    def take_up(self) -> None:
        """Go on from what is here, as far as its note proves it."""
        try:
            noted = json.loads(_read_note(self._note))
            source, size = Source(**noted["source"]), int(noted["size"])
            for chunk in _chunks(self.file, size):
                self._count(chunk)
            proven = (self.size, self.sha256) == (size, noted["sha256"])
            if proven and self.suffix is not None:
                self.source, self._noted = source, size
                self.file.seek(size)
                self.file.truncate()
        except (OSError, ValueError, TypeError, KeyError):
            pass  # no note, a torn one, or a bad sector: from the start, then
        if not self._resumable:
            self.drop()

    def close(self) -> None:
        """Let go of it; what is published, or cannot be gone on with, is removed."""
        kept = False
        with suppress(OSError):  # no room for the note: it makes room
            if self._resumable and not self.published:
                self.take_note()
                kept = True
        if not kept:
            self._note.unlink(missing_ok=True)
        _let_go(self.path, self.file, remove=not kept)

    def _count(self, chunk: bytes) -> None:
        self._hash.update(chunk)
        self.size += len(chunk)
        if len(self.head) < SIGNATURE:
            self.head += chunk[: SIGNATURE - len(self.head)]


def claim(folder: Path, task_id: str, media: Media) -> Part | None:
    """The task's part file, ours until it is closed; None while someone else has it.

    Raises:
        OSError: the folder takes no files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".{task_id}.part"
    for _ in range(_CLAIMS):
        descriptor = _open(path)
        if descriptor is None:
            continue
        try:
            locked = try_lock(descriptor)
        except OSError:
            # A disk without locks, as some shares are: a part of its own, and no resuming.
            os.close(descriptor)
            path.unlink(missing_ok=True)
            alone = folder / f".{task_id}-{secrets.token_hex(4)}.part"
            return Part(alone, os.open(alone, _NEW, 0o600), media, lasting=False)
        if not locked:
            os.close(descriptor)
            return None
        part = Part(path, descriptor, media)
        if _only_name(descriptor, path):
            try:
                part.take_up()
            except OSError:
                part.file.close()
                raise
            return part
        # Published and not yet taken away when its process died, or never a part at all:
        # to write on would change another file.
        _let_go(path, part.file, remove=True)
    return None


def sweep(folder: Path) -> None:
    """Remove the parts that nobody has gone on with for `LEFT_FOR`."""
    with suppress(OSError):
        for path in folder.glob(".*.part*"):
            if _OURS.fullmatch(path.name) and _is_left(path):
                _remove(path)


def _read_note(path: Path) -> bytes:
    """Never waiting for a pipe's other end, and no more of a file than a note can be."""
    descriptor = os.open(path, os.O_RDONLY | _NOFOLLOW | _BINARY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_NOTE_LIMIT)


def sha256_of(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks(file, None):
        digest.update(chunk)
    return digest.hexdigest()


def _chunks(file: BinaryIO, size: int | None) -> Generator[bytes]:
    """The first *size* bytes of *file*, or all of them."""
    file.seek(0)
    left = sys.maxsize if size is None else size
    while left > 0 and (chunk := file.read(min(_BLOCK, left))):
        left -= len(chunk)
        yield chunk


def _open(path: Path) -> int | None:
    """A descriptor of the part at *path*, new or kept; None if it changed meanwhile."""
    with suppress(FileExistsError):
        return os.open(path, _NEW, 0o600)
    with suppress(FileNotFoundError):
        if path.is_symlink():
            path.unlink()
        else:
            return os.open(path, _KEPT)
    return None


def _leads_to(path: Path, descriptor: int) -> bool:
    try:
        named = path.lstat()
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(descriptor))


def _only_name(descriptor: int, path: Path) -> bool:
    """Whether this is a plain file that is called *path* and nothing else."""
    found = os.fstat(descriptor)
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and _leads_to(path, descriptor)


def _let_go(path: Path, file: BinaryIO, *, remove: bool) -> None:
    """Close *file*; its name goes while its lock is held, or it might be someone's by then."""
    try:
        remove = remove and not file.closed and _leads_to(path, file.fileno())
        if sys.platform == "win32":  # which removes no open file
            file.close()
        if remove:
            path.unlink(missing_ok=True)
    finally:
        file.close()


def _is_left(path: Path) -> bool:
    # Either way: a time in the future means a clock that was set back.
    return abs(time.time() - path.lstat().st_mtime) > LEFT_FOR


def _remove(path: Path) -> None:
    """Unless someone has it open: whoever goes on with a kept part writes to it only later."""
    with suppress(OSError):
        descriptor = os.open(path, _KEPT)
        _let_go(path, os.fdopen(descriptor, "r+b", buffering=0), remove=_is_free(descriptor))


def _is_free(descriptor: int) -> bool:
    try:
        return try_lock(descriptor)
    except OSError:
        return True  # a disk without locks, where the age must do
