"""The room set aside for answers that the ledger's disk would not take."""

import subprocess
import sys
from pathlib import Path

import pytest

from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import (
    Observation,
    Result,
)
from geekai_video_mcp.ledger.journal import JOURNAL_BYTES, SLOT_BYTES, Journal

NOW = 1_790_000_000.0


def answer(**changes: object) -> Observation:
    known: dict[str, object] = {
        "status": Status.PENDING,
        "at": NOW,
        "owner": "a" * 32,
        "attempt": 1,
        "provider_task_id": "8d1f",
    }
    return Observation(**{**known, **changes})  # pyright: ignore[reportArgumentType]


def test_its_room_is_taken_before_it_is_needed(tmp_path: Path) -> None:
    Journal(tmp_path)
    stat = (tmp_path / "journal").stat()

    assert stat.st_size == JOURNAL_BYTES
    assert stat.st_mode & 0o777 == 0o600
    assert stat.st_blocks * 512 >= JOURNAL_BYTES  # no hole


def test_what_was_written_is_read_by_another_process_until_it_is_forgotten(tmp_path: Path) -> None:
    assert Journal(tmp_path).write("t1", answer())
    other = Journal(tmp_path)
    words = "嗯。" * 120
    other.write("t2", answer(status=Status.UNKNOWN, error_code="no_answer", error_message=words))
    first, second = other.pending()

    assert (first.task_id, first.observation) == ("t1", answer())
    assert second.observation.error_message == words
    other.forget(first)
    assert Journal(tmp_path).pending() == [second]


def test_the_room_of_what_was_forgotten_is_used_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(tmp_path)
    written = [
        journal.write(f"t{number}", answer()) for number in range(JOURNAL_BYTES // SLOT_BYTES + 1)
    ]
    journal.forget(journal.pending()[7])

    assert written == [True] * (JOURNAL_BYTES // SLOT_BYTES) + [False]
    assert "no room for task t64" in caplog.text
    assert journal.write("again", answer())
    assert journal.pending()[7].task_id == "again"
    assert (tmp_path / "journal").stat().st_size == JOURNAL_BYTES


def test_a_note_that_changed_meanwhile_is_not_forgotten(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write("t1", answer())
    (old,) = journal.pending()
    journal.forget(old)
    journal.write("t2", answer())
    journal.forget(old)

    assert [note.task_id for note in journal.pending()] == ["t2"]


def test_a_torn_note_is_none_and_its_room_is_free(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write("t1", answer())
    with (tmp_path / "journal").open("r+b") as file:
        file.seek(40)
        file.write(bytes(SLOT_BYTES))

    assert journal.pending() == []
    assert journal.write("t2", answer())


def test_words_that_do_not_fit_are_left_out_whole(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    words = "\U0001f98a狐" * 4000
    long = {"error_message": words, "model": words[:300], "raw_response": words}
    journal.write("t" * 32, answer(provider_task_id="x" * 64, **long))
    (note,) = journal.pending()

    assert note.observation == answer(provider_task_id="x" * 64)


def test_words_that_just_fit_are_kept_and_one_letter_more_is_not(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write("t", answer(error_message=""))
    room = SLOT_BYTES - len((tmp_path / "journal").read_bytes()[:SLOT_BYTES].rstrip(b"\0"))
    for length in (room, room + 1):
        journal.write("t", answer(error_message="x" * length))

    assert [note.observation.error_message for note in journal.pending()] == ["", "x" * room, None]


def test_a_note_that_fits_nowhere_is_said_and_harms_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(tmp_path)
    for name in ("t1", "t2"):
        journal.write(name, answer())
    journal.forget(journal.pending()[0])

    assert not journal.write("t3", answer(provider_task_id="x" * SLOT_BYTES))
    assert [note.task_id for note in journal.pending()] == ["t2"]
    assert "no room for task t3" in caplog.text


def test_links_are_left_for_the_next_poll(tmp_path: Path) -> None:
    """Signed links are longer than a note, and nothing is kept in the clear that need not be."""
    journal = Journal(tmp_path)
    done = answer(status=Status.SUCCEED, result=Result(url="https://x/1.mp4?signature=s"))
    journal.write("t1", done)
    (note,) = journal.pending()

    assert note.observation.status is Status.RUNNING
    assert note.observation.result is None
    assert b"signature" not in (tmp_path / "journal").read_bytes()


def test_no_room_is_said_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "journal").mkdir()
    journal = Journal(tmp_path)

    assert not journal.write("t1", answer())
    assert journal.pending() == []
    assert "emergency journal" in caplog.text


WRITE = """
import sys
from pathlib import Path
from geekai_video_mcp.ledger.journal import Journal
from geekai_video_mcp.domain.tasks import Observation
from geekai_video_mcp.domain.statuses import Status
journal = Journal(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(8):
    assert journal.write(f"{sys.argv[2]} {number}", Observation(status=Status.PENDING, at=1.0))
"""


def test_processes_that_write_at_once_lose_no_note(tmp_path: Path) -> None:
    children = [
        subprocess.Popen(  # noqa: S603 - our own code
            [sys.executable, "-c", WRITE, str(tmp_path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(4)
    ]
    for process in children:
        assert process.stdout is not None
        process.stdout.readline()
    for process in children:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in children:
        process.communicate(timeout=50)

    assert [process.returncode for process in children] == [0] * 4

    assert len({note.task_id for note in Journal(tmp_path).pending()}) == 32


def test_a_slot_that_is_nested_too_deeply_is_a_free_slot(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    (tmp_path / "journal").write_bytes(b"[" * SLOT_BYTES + bytes(JOURNAL_BYTES - SLOT_BYTES))

    assert journal.pending() == []
    assert journal.write("t1", answer())
    assert [entry.task_id for entry in journal.pending()] == ["t1"]
