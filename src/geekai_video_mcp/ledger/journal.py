"""Responses that the ledger's disk refuses to record, stored in a preallocated file.

A full disk refuses to grow a file, and still accepts writes over existing bytes. So the file is
written once at its full size, and the response to a request that cost money is written into it,
in place and synced, when the ledger refuses it. The next sweep of any process moves it to the
ledger. Copy-on-write file systems (btrfs, ZFS, APFS) may refuse even this; then the response is
only in the error message and in the log.

An entry may be replayed twice: `lifecycle.advance` applies the same observation only once.
"""

import errno
import json
import logging
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import Observation
from geekai_video_mcp.errors import describe_os_error
from geekai_video_mcp.file_locks import exclusive_lock
from geekai_video_mcp.ledger.row_checks import check_types
from geekai_video_mcp.quoting import quote

logger = logging.getLogger(__name__)

JOURNAL_BYTES: Final = 64 * 1024
"""Bytes preallocated: room for more responses than any cap allows in flight."""
SLOT_BYTES: Final = 1024
"""Bytes of one entry; texts that do not fit are left out."""


@dataclass(frozen=True)
class JournalEntry:
    """One response that has yet to be recorded in the ledger."""

    slot: int
    task_id: str
    observation: Observation


class Journal:
    """The journal file of one state folder, shared by its processes."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "journal"
        try:
            with self._open_locked(os.O_CREAT) as file:
                if file.seek(0, os.SEEK_END) < JOURNAL_BYTES:
                    # Written, not extended by truncate: a hole in a file reserves no space.
                    _write_synced(file, bytes(JOURNAL_BYTES), 0)
        except OSError as exc:
            logger.error(  # noqa: TRY400 - said in one line
                "no room for the emergency journal %s: %s",
                quote(str(self._path)),
                describe_os_error(exc),
            )

    def write(self, task_id: str, observation: Observation) -> bool:
        """Write *observation*, durable when this returns; False if this failed as well."""
        encoded = _encode_entry(task_id, observation)
        try:
            with self._open_locked() as file:
                free = (
                    at
                    for at, content in _iterate_slots(file.read())
                    if _decode_entry(at, content) is None
                )
                at = next(free, None)
                # A longer entry would run into the next slot.
                if at is not None and len(encoded) == SLOT_BYTES:
                    _write_synced(file, encoded, at)
                    return True
            logger.error("the emergency journal has no room for task %s", task_id)
        except OSError as exc:
            logger.error(  # noqa: TRY400 - said in one line
                "the emergency journal %s failed, and the outcome of task %s is not in it: %s",
                quote(str(self._path)),
                task_id,
                describe_os_error(exc),
            )
        return False

    def pending(self) -> list[JournalEntry]:
        """The entries for the ledger, in the order of their slots; torn ones are left out."""
        try:
            with os.fdopen(_open_regular(self._path, 0), "rb") as file:
                content = file.read(JOURNAL_BYTES)
        except OSError:
            return []
        entries = (_decode_entry(at, slot) for at, slot in _iterate_slots(content))
        return [entry for entry in entries if entry is not None]

    def forget(self, entry: JournalEntry) -> None:
        """Free the slot of an entry that is in the ledger now; if that fails, it comes again."""
        try:
            with self._open_locked() as file:
                file.seek(entry.slot)
                if _decode_entry(entry.slot, file.read(SLOT_BYTES)) == entry:
                    _write_synced(file, bytes(SLOT_BYTES), entry.slot)
        except OSError as exc:
            logger.warning(
                "the emergency journal %s failed: %s",
                quote(str(self._path)),
                describe_os_error(exc),
            )

    @contextmanager
    def _open_locked(self, flags: int = 0) -> Generator[BinaryIO]:
        descriptor = _open_regular(self._path, os.O_RDWR | flags)
        with os.fdopen(descriptor, "r+b", buffering=0) as file, exclusive_lock(file.fileno()):
            yield file


def _open_regular(path: Path, flags: int) -> int:
    """A descriptor of the file at *path*; a pipe or a device would block, or never end.

    Raises:
        OSError: it cannot be opened, or is no regular file.
    """
    descriptor = os.open(path, flags | _SAFE_FLAGS, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file")
    return descriptor


_SAFE_FLAGS: Final[int] = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def _write_synced(file: BinaryIO, content: bytes, at: int) -> None:
    file.seek(at)
    file.write(content)
    os.fsync(file.fileno())


def _iterate_slots(content: bytes) -> Generator[tuple[int, bytes]]:
    for at in range(0, len(content), SLOT_BYTES):
        yield at, content[at : at + SLOT_BYTES]


def _encode_entry(task_id: str, observation: Observation) -> bytes:
    members = {**asdict(observation), "task_id": task_id, "raw_response": None, "result": None}
    # The next poll brings them again.
    members |= {"no_link": None, "stall_reason": None, "ignored": None}
    if observation.status is Status.SUCCEED:  # its links do not fit; a poll will bring them
        members["status"] = Status.RUNNING
    encoded = _to_json(members)
    if len(encoded) > SLOT_BYTES:  # half a sentence could lose what it says about money
        encoded = _to_json({**members, "error_message": None, "model": None})
    return encoded.ljust(SLOT_BYTES, b"\0")


def _to_json(members: dict[str, Any]) -> bytes:
    present = {name: value for name, value in members.items() if value is not None}
    return json.dumps(present, ensure_ascii=False).encode()


def _decode_entry(slot: int, content: bytes) -> JournalEntry | None:
    if not (encoded := content.rstrip(b"\0")):
        return None
    try:
        members = json.loads(encoded)
        task_id, status = members.pop("task_id"), Status(members.pop("status"))
        observation = Observation(status=status, **members)
        check_types(observation)
        return JournalEntry(slot, task_id, observation) if isinstance(task_id, str) else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
