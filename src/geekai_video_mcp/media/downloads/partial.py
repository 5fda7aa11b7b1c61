"""The part file: a download in progress, private to the user, locked, and resumable.

There is one part file per task, named by the task's id, in the folder where the video will be.
The process that has it open holds its lock, so two processes never write the same one. A
checkpoint file beside it records the source of the bytes, their number and their sha256. Only
bytes that the checkpoint proves are kept: after a crash or a power cut the part is read again
and compared, and a part that does not match is discarded. So no step here needs a sync, and an
incomplete checkpoint does no harm.

Everything here blocks; call it on a worker thread.
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
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from geekai_video_mcp.domain.media_formats import SIGNATURE_BYTES, Format, detect_format
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.file_locks import try_lock

CHECKPOINT_BYTES: Final = 1024**2
"""Bytes between checkpoints: the most that a killed process loses of a download."""
ABANDONED_AFTER: Final = 24 * 3600.0
"""Seconds after its last write until a part is removed: most links have expired by then."""

_MAX_CLAIM_ATTEMPTS: Final = 10
"""Attempts to open a part that other processes keep removing; each costs at most one attempt."""
_NOFOLLOW: Final[int] = getattr(os, "O_NOFOLLOW", 0)  # not on Windows
_BINARY: Final[int] = getattr(os, "O_BINARY", 0)  # only on Windows
_OPEN_FLAGS: Final = os.O_RDWR | _NOFOLLOW | _BINARY
_CREATE_FLAGS: Final = _OPEN_FLAGS | os.O_CREAT | os.O_EXCL
# Nonblocking: if the name belongs to a pipe, opening it must not wait for the other end.
_CHECKPOINT_FLAGS: Final[int] = os.O_RDONLY | _NOFOLLOW | _BINARY | getattr(os, "O_NONBLOCK", 0)
_PART_NAME: Final = re.compile(r"\.[0-9a-f]{32}(-[0-9a-f]{8})?\.part(\.json)?")
_CHECKPOINT_LIMIT: Final = 4096
"""Bytes of a checkpoint that are read: eight times the longest one."""
_READ_BLOCK: Final = 1024**2
"""Bytes read at a time when a part is hashed."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Identifies a representation: only bytes of the same source may be joined."""

    url_digest: str
    etag: str | None = None
    """A strong ETag; a weak one does not guarantee the same bytes."""
    total: int | None = None
    """Bytes of the whole file; None if the response did not say."""


class Part:
    """An open part file; no other process writes it until it is closed."""

    def __init__(
        self, path: Path, descriptor: int, media: Media, *, resumable_folder: bool = True
    ) -> None:
        self.path = path
        self.media = media
        self._resumable_folder = resumable_folder
        self.source: Source | None = None
        self.size = 0
        self.published = False
        self.head = b""
        """The first bytes, enough to identify the format."""
        self.file: BinaryIO = os.fdopen(descriptor, "r+b", buffering=0)
        self._hash = hashlib.sha256()
        self._checkpoint_path = path.with_name(f"{path.name}.json")
        self._checkpoint_size = 0

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    @property
    def format(self) -> Format | None:
        """The format by its first bytes; None while they are too few, or if it is no media."""
        return detect_format(self.head)

    @property
    def is_complete(self) -> bool:
        """Whether all announced bytes have been received."""
        return self.source is not None and self.size == self.source.total

    @property
    def _is_resumable(self) -> bool:
        if self.source is None or self.source.total is None or self.size == 0:
            return False
        return self._resumable_folder and (self.is_complete or self.source.etag is not None)

    def start(self, source: Source) -> None:
        """Discard what was received and start from the first byte of *source*."""
        self.reset()
        self.source = source

    def reset(self) -> None:
        """Discard what was received."""
        self.source = None
        self.size, self.head, self._hash = 0, b"", hashlib.sha256()
        self._checkpoint_size = 0
        self._checkpoint_path.unlink(missing_ok=True)
        self.file.seek(0)
        self.file.truncate()

    def write(self, chunk: bytes | memoryview) -> None:
        remaining = memoryview(chunk)
        while remaining:  # a disk that is nearly full may accept only some of the bytes
            remaining = remaining[self.file.write(remaining) :]
        self._hash_chunk(chunk)
        if self.size - self._checkpoint_size >= CHECKPOINT_BYTES:
            self.write_checkpoint()

    def take_written(self) -> None:
        """Take what another process has written to the file, of which this one reads all."""
        self.size, self.head, self._hash = 0, b"", hashlib.sha256()
        for chunk in _read_chunks(self.file, None):
            self._hash_chunk(chunk)

    def write_checkpoint(self) -> None:
        """Record what was received, so that a later download can resume, if the part allows it."""
        if self.source is None or not self._is_resumable:
            return
        # The keys of a checkpoint stay as they are: another version may resume the download.
        source = {
            "place": self.source.url_digest,
            "etag": self.source.etag,
            "total": self.source.total,
        }
        checkpoint = {"source": source, "size": self.size, "sha256": self.sha256}
        self._checkpoint_path.unlink(missing_ok=True)
        with os.fdopen(os.open(self._checkpoint_path, _CREATE_FLAGS, 0o600), "wb") as file:
            file.write(json.dumps(checkpoint).encode())
        self._checkpoint_size = self.size

    def resume(self) -> None:
        """Keep what an earlier download left, as far as its checkpoint proves it."""
        try:
            descriptor = os.open(self._checkpoint_path, _CHECKPOINT_FLAGS)
            with os.fdopen(descriptor, "rb") as file:
                checkpoint = json.loads(file.read(_CHECKPOINT_LIMIT))
            stored = checkpoint["source"]
            source = Source(url_digest=stored["place"], etag=stored["etag"], total=stored["total"])
            size = int(checkpoint["size"])
            for chunk in _read_chunks(self.file, size):
                self._hash_chunk(chunk)
            proven = (self.size, self.sha256) == (size, checkpoint["sha256"])
            if proven and self.format is not None:
                self.source, self._checkpoint_size = source, size
                self.file.seek(size)
                self.file.truncate()
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            pass  # no checkpoint, an incomplete one, or a bad sector: start from the beginning
        if not self._is_resumable:
            self.reset()

    def close(self) -> None:
        """Release the part; it is removed if it was published or cannot be resumed."""
        keep = False
        with suppress(OSError):  # no space for the checkpoint: removing the part frees some
            if self._is_resumable and not self.published:
                self.write_checkpoint()
                keep = True
        if not keep:
            self._checkpoint_path.unlink(missing_ok=True)
        _close_and_unlink(self.path, self.file, remove=not keep)

    def _hash_chunk(self, chunk: bytes | memoryview) -> None:
        self._hash.update(chunk)
        self.size += len(chunk)
        if len(self.head) < SIGNATURE_BYTES:
            self.head += bytes(chunk[: SIGNATURE_BYTES - len(self.head)])


def claim_part(folder: Path, task_id: str, media: Media) -> Part | None:
    """Open and lock the task's part file; None while another process holds it.

    Raises:
        OSError: no file can be created in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".{task_id}.part"
    for _ in range(_MAX_CLAIM_ATTEMPTS):
        descriptor = _open_part_file(path)
        if descriptor is None:
            continue
        try:
            locked = try_lock(descriptor)
        except OSError:
            # The filesystem has no locks, like some network shares: use a part file under a
            # name of its own, which is never resumed.
            os.close(descriptor)
            path.unlink(missing_ok=True)
            own_path = folder / f".{task_id}-{secrets.token_hex(4)}.part"
            return Part(
                own_path, os.open(own_path, _CREATE_FLAGS, 0o600), media, resumable_folder=False
            )
        if not locked:
            os.close(descriptor)
            return None
        part = Part(path, descriptor, media)
        if _is_sole_regular_file(descriptor, path):
            try:
                part.resume()
            except OSError:
                part.file.close()
                raise
            return part
        # Its process died after publishing it and before removing it, or it never was a part:
        # continuing to write would change another file.
        _close_and_unlink(path, part.file, remove=True)
    return None


def create_part(folder: Path, key: str, media: Media) -> Part:
    """A new part that is never resumed, for another process to write to; older ones are removed.

    *key* has 32 hexadecimal digits. Parts of the same key that no process holds were left by one
    that has died. Should its child program still write, it writes to a file without a name.

    Raises:
        OSError: no file can be created in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f".{key}-*.part"):
        if _PART_NAME.fullmatch(left.name):
            _remove_unless_locked(left)
    path = folder / f".{key}-{secrets.token_hex(4)}.part"
    descriptor = os.open(path, _CREATE_FLAGS, 0o600)
    if sys.platform != "win32":  # there the lock would keep the other process from writing
        with suppress(OSError):  # the filesystem has no locks
            try_lock(descriptor)
    return Part(path, descriptor, media, resumable_folder=False)


def remove_abandoned(folder: Path) -> None:
    """Remove the parts that were not written to for `ABANDONED_AFTER`."""
    with suppress(OSError):
        for path in folder.glob(".*.part*"):
            if not _PART_NAME.fullmatch(path.name):
                continue
            # In both directions: a time in the future means that the clock was set back.
            if abs(time.time() - path.lstat().st_mtime) > ABANDONED_AFTER:
                _remove_unless_locked(path)


def _read_chunks(file: BinaryIO, size: int | None) -> Generator[bytes]:
    """The first *size* bytes of *file*, or all of them."""
    file.seek(0)
    remaining = sys.maxsize if size is None else size
    while remaining > 0 and (chunk := file.read(min(_READ_BLOCK, remaining))):
        remaining -= len(chunk)
        yield chunk


def _open_part_file(path: Path) -> int | None:
    """A descriptor of the new or existing part at *path*; None if the path changed meanwhile."""
    with suppress(FileExistsError):
        return os.open(path, _CREATE_FLAGS, 0o600)
    with suppress(FileNotFoundError):
        if path.is_symlink():
            path.unlink()
        else:
            return os.open(path, _OPEN_FLAGS)
    return None


def _same_file(path: Path, descriptor: int) -> bool:
    try:
        named = path.lstat()
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(descriptor))


def _is_sole_regular_file(descriptor: int, path: Path) -> bool:
    """Whether this is a regular file whose only name is *path*."""
    status = os.fstat(descriptor)
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and _same_file(path, descriptor)


def _close_and_unlink(path: Path, file: BinaryIO, *, remove: bool) -> None:
    """Close *file*, and with *remove* delete its name first.

    The name is deleted while the lock is held: later it could belong to another process.
    """
    try:
        remove = remove and not file.closed and _same_file(path, file.fileno())
        if sys.platform == "win32":  # an open file cannot be removed there
            file.close()
        if remove:
            path.unlink(missing_ok=True)
    finally:
        file.close()


def _remove_unless_locked(path: Path) -> None:
    """Remove the part unless a process has it open, for example to resume it."""
    with suppress(OSError):
        file = os.fdopen(os.open(path, _OPEN_FLAGS), "r+b", buffering=0)
        try:
            remove = try_lock(file.fileno())
        except OSError:
            remove = True  # the filesystem has no locks, so the age has to suffice
        _close_and_unlink(path, file, remove=remove)
