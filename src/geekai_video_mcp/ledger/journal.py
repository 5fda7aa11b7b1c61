"""Answers that the ledger's disk would not take, in room that was set aside before.

A full disk refuses to grow a file and still takes what is written over old bytes. So the
file is written once at its full size, and what the service said about a request that cost
money goes there, in place and synced, when the ledger refuses it. The next sweep of any
process hands it to the ledger again. File systems that copy on write (btrfs, ZFS, APFS) may
refuse even this; then the answer is in the message and in the log, and nowhere else.

A note may be handed over twice: `lifecycle.advance` takes the same word only once.
"""

import json
import logging
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from geekai_video_mcp.ledger.locks import exclusive_lock
from geekai_video_mcp.lifecycle import Observation
from geekai_video_mcp.statuses import Status

logger = logging.getLogger(__name__)

JOURNAL_BYTES: Final = 64 * 1024
"""Bytes set aside: more answers than any cap lets be under way."""
SLOT_BYTES: Final = 1024
"""Bytes of one note; words that do not fit are left out."""


@dataclass(frozen=True)
class JournalEntry:
    """One answer that waits for the ledger."""

    slot: int
    task_id: str
    observation: Observation


class Journal:
    """The file of one state folder, shared by its processes."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "journal"
        try:
            self._preallocate()
        except OSError as exc:
            logger.error("no room for the emergency journal: %s", exc.strerror)  # noqa: TRY400 - said in one line

    def write(self, task_id: str, observation: Observation) -> bool:
        """Keep *observation*; False if even this failed. It is durable when this returns."""
        note = _encode_entry(task_id, observation)
        try:
            with self._open_locked() as file:
                free = (
                    at
                    for at, content in _iterate_slots(file.read())
                    if _decode_entry(at, content) is None
                )
                at = next(free, None)
                if (
                    at is not None and len(note) == SLOT_BYTES
                ):  # a longer one would end in another's
                    _write_synced(file, note, at)
                    return True
            logger.error("the emergency journal has no room for task %s", task_id)
        except OSError as exc:
            logger.error("the emergency journal failed: %s", exc.strerror)  # noqa: TRY400 - said in one line
        return False

    def pending(self) -> list[JournalEntry]:
        """What waits for the ledger, oldest slot first; a torn note is none."""
        try:
            content = self._path.read_bytes()
        except OSError:
            return []
        found = (_decode_entry(at, slot) for at, slot in _iterate_slots(content))
        return [note for note in found if note is not None]

    def forget(self, entry: JournalEntry) -> None:
        """Free the slot of a note that the ledger has taken."""
        with self._open_locked() as file:
            file.seek(entry.slot)
            if _decode_entry(entry.slot, file.read(SLOT_BYTES)) == entry:
                _write_synced(file, bytes(SLOT_BYTES), entry.slot)

    def _preallocate(self) -> None:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        with self._open_locked() as file:
            if file.seek(0, os.SEEK_END) < JOURNAL_BYTES:
                # Written, not truncated to: a hole has no room of its own.
                _write_synced(file, bytes(JOURNAL_BYTES), 0)

    @contextmanager
    def _open_locked(self) -> Generator[BinaryIO]:
        with self._path.open("r+b", buffering=0) as file, exclusive_lock(file.fileno()):
            yield file


def _write_synced(file: BinaryIO, content: bytes, at: int) -> None:
    file.seek(at)
    file.write(content)
    os.fsync(file.fileno())


def _iterate_slots(content: bytes) -> Generator[tuple[int, bytes]]:
    for at in range(0, len(content), SLOT_BYTES):
        yield at, content[at : at + SLOT_BYTES]


def _encode_entry(task_id: str, seen: Observation) -> bytes:
    kept = {**asdict(seen), "task_id": task_id, "raw_response": None, "result": None}
    if seen.status is Status.SUCCEED:  # its links do not fit; a look will bring them
        kept["status"] = Status.RUNNING
    packed = _to_json(kept)
    if len(packed) > SLOT_BYTES:  # a sentence cut in half could lose its word on money
        packed = _to_json({**kept, "error_message": None, "model": None})
    return packed.ljust(SLOT_BYTES, b"\0")


def _to_json(kept: dict[str, Any]) -> bytes:
    given = {name: value for name, value in kept.items() if value is not None}
    return json.dumps(given, ensure_ascii=False).encode()


def _decode_entry(slot: int, content: bytes) -> JournalEntry | None:
    try:
        kept = json.loads(content.rstrip(b"\0"))
        task_id, status = kept.pop("task_id"), Status(kept.pop("status"))
        return JournalEntry(slot, task_id, Observation(status=status, **kept))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
