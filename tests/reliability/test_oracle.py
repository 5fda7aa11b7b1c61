"""The oracle finds each violation that is put by hand into a ledger, a log or a folder."""

import hashlib
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import pytest

from geekai_video_mcp.domain.lifecycle import advance
from geekai_video_mcp.domain.result_file import record_file
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.tasks import (
    FileUpdate,
    Observation,
    Result,
    Task,
    new_task,
)
from geekai_video_mcp.ledger import Ledger
from geekai_video_mcp.ledger.journal import Journal
from reliability.oracle import Verdict, judge
from reliability.provider import Charge, video_bytes
from support.fake_geekai import KEY
from support.ledgers import record_tasks
from support.postgres import VARIABLE as CLUSTER
from support.postgres import create_database, drop_database, needs_postgres

SIZE = 2000


@dataclass
class LedgerFixture:
    """A ledger, a log and a folder as a good run leaves them, for a test to damage."""

    folder: Path
    charges: list[Charge] = field(default_factory=list[Charge])

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def output(self) -> Path:
        return self.folder / "videos"

    @property
    def log(self) -> Path:
        return self.folder / "stderr.log"

    def sql(self, statement: str) -> None:
        with closing(sqlite3.connect(self.state / "ledger.sqlite3")) as ledger, ledger:
            ledger.execute(statement)

    def file(self) -> Path:
        (path,) = self.output.glob("*.mp4")
        return path

    def judged(
        self,
        *,
        started_at: float = 0.0,
        live: bool = False,
        day: int = 10,
        in_flight: int = 10,
        database: str | None = None,
    ) -> Verdict:
        return judge(
            state=self.state,
            output=self.output,
            charges=self.charges,
            video=lambda task_id: video_bytes(task_id, SIZE),
            key=KEY,
            logs=[self.log],
            started_at=started_at,
            live=live,
            videos_per_day=day,
            in_flight=in_flight,
            database=database,
        )


def stored_task(output: Path, prompt: str, provider_id: str) -> Task:
    """A finished task and its file."""
    task = new_task(request={"prompt": prompt}, account="s", owner="me", at=1.0)
    claim = Observation(status=Status.SUBMITTING, at=1.0, owner="me", attempt=1)
    done = Observation(
        status=Status.SUCCEED, at=2.0, provider_task_id=provider_id, result=Result(url="u")
    )
    path = output / f"{prompt}.mp4"
    path.write_bytes(video_bytes(provider_id, SIZE))
    update = FileUpdate(
        status=FileStatus.STORED,
        path=str(path),
        size_bytes=SIZE,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    return record_file(advance(advance(task, claim), done), update)


@pytest.fixture
def run(tmp_path: Path) -> LedgerFixture:
    run = LedgerFixture(tmp_path)
    run.output.mkdir()
    run.log.touch()
    anyio.run(record_tasks, run.state, stored_task(run.output, "a fox", "p1"))
    run.charges.append(Charge(at=1.5, task_id="p1", charged=True, body={"prompt": "a fox"}))
    return run


def test_a_good_run_is_good(run: LedgerFixture) -> None:
    verdict = run.judged()

    assert verdict.violations == {}
    assert (verdict.charges, verdict.stored, verdict.copies) == (1, 1, 0)


def charge_again(run: LedgerFixture) -> None:
    run.charges.append(replace(run.charges[0], task_id="p2"))


def charge_without_record(run: LedgerFixture) -> None:
    run.charges.append(Charge(at=1.5, task_id="p2", charged=True, body={"prompt": "a hare"}))


def record_twice(run: LedgerFixture) -> None:
    with closing(sqlite3.connect(run.state / "ledger.sqlite3")) as ledger, ledger:
        names = [row[1] for row in ledger.execute("PRAGMA table_info(task)") if row[1] != "id"]
        columns = ", ".join(names)
        ledger.execute(
            f"INSERT INTO task (id, {columns}) SELECT 'twin', {columns} FROM task"  # noqa: S608 - names of our own schema
        )


def set_column(column: str, value: str) -> Callable[[LedgerFixture], None]:
    def spoil(run: LedgerFixture) -> None:
        run.sql(f"UPDATE task SET {column} = '{value}'")  # noqa: S608 - words of this file

    spoil.__name__ = f"{column}_is_{value}"
    return spoil


def truncate_file(run: LedgerFixture) -> None:
    run.file().write_bytes(b"ftyp")


def change_file(run: LedgerFixture) -> None:
    run.file().write_bytes(bytes(SIZE))


def delete_file(run: LedgerFixture) -> None:
    run.file().unlink()


def record_another_video(run: LedgerFixture) -> None:
    """The file agrees with its record, but not with what the provider served."""
    run.file().write_bytes(bytes(SIZE))
    digest = hashlib.sha256(bytes(SIZE)).hexdigest()
    run.sql(f"UPDATE task SET file_sha256 = '{digest}'")  # noqa: S608 - a hash


def publish_torn_file(run: LedgerFixture) -> None:
    (run.output / "b.mp4").write_bytes(video_bytes("p1", SIZE)[:500])


def overwrite_page(run: LedgerFixture) -> None:
    path = run.state / "ledger.sqlite3"
    data = bytearray(path.read_bytes())
    root = 4096 * 2  # the second page holds the first table's rows, the third an index
    data[root + 8 : root + 64] = bytes(56)
    path.write_bytes(data)


def write_key_to_ledger(run: LedgerFixture) -> None:
    run.sql(f"UPDATE task SET raw_reply = 'Bearer {KEY}'")  # noqa: S608 - words of this file


def write_key_to_log(run: LedgerFixture) -> None:
    run.log.write_text(f"Authorization: {KEY}", "utf-8")


def write_prompt_to_log(run: LedgerFixture) -> None:
    run.log.write_text("could not make 'a fox'", "utf-8")


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (charge_again, "double"),
        (charge_without_record, "lost"),
        (record_twice, "lost"),
        (set_column("status", "rejected"), "lost"),
        (set_column("status", "intended"), "lost"),
        (set_column("file_status", "none"), "lost"),
        (set_column("file_status", "lost"), "lost"),
        (set_column("status", "running"), "stuck"),
        (set_column("provider_task_id", "p9"), "lost"),
        (truncate_file, "torn"),
        (change_file, "torn"),
        (delete_file, "torn"),
        (record_another_video, "torn"),
        (publish_torn_file, "torn"),
        (overwrite_page, "broken"),
        (write_key_to_ledger, "leaked"),
        (write_key_to_log, "leaked"),
        (write_prompt_to_log, "leaked"),
    ],
)
def test_a_violation_is_noticed(
    run: LedgerFixture, spoil: Callable[[LedgerFixture], None], kind: str
) -> None:
    spoil(run)

    assert kind in run.judged().violations


@pytest.mark.parametrize(
    "ends",
    [
        "status = 'failed', error_code = '1301', file_status = 'none'",
        "file_status = 'lost', file_error_code = 'no_link', raw_reply = '{}'",
    ],
)
def test_an_end_without_a_file_that_the_provider_reported_is_no_loss(
    run: LedgerFixture, ends: str
) -> None:
    run.sql(f"UPDATE task SET {ends}")  # noqa: S608 - words of this file

    assert "lost" not in run.judged().violations


@pytest.mark.parametrize(
    "ends",
    [
        "status = 'failed', error_code = 'failed', file_status = 'none'",
        "file_status = 'lost', file_error_code = 'no_link', raw_reply = NULL",
        "file_status = 'lost', file_error_code = 'gone', raw_reply = '{}'",
    ],
)
def test_an_end_without_a_file_for_another_reason_is_a_loss(run: LedgerFixture, ends: str) -> None:
    run.sql(f"UPDATE task SET {ends}")  # noqa: S608 - words of this file

    assert "lost" in run.judged().violations


def test_caps_that_were_exceeded_are_noticed(run: LedgerFixture) -> None:
    verdict = run.judged(day=0)

    assert len(verdict.violations["over"]) == 1  # its one event is the end, so none is in flight


def add_task(run: LedgerFixture, task_id: str, *statuses: str, owner: str = "'me'") -> None:
    """Add a task with these statuses in its history, created a second after the fixture's."""
    run.sql(
        "INSERT INTO task (id, owner, status, created_at, service, model, request, attempt, looks,"  # noqa: S608 - words of this file
        " file_status, fetches)"
        f" VALUES ('{task_id}', {owner}, '{statuses[-1]}', 2, 's', 'm', '{{}}', 1, 0, 'none', 0)"
    )
    for status in statuses:
        run.sql(
            "INSERT INTO event (at, task_id, status, attempt, file_status)"  # noqa: S608 - words of this file
            f" VALUES (2, '{task_id}', '{status}', 1, 'none')"
        )


@pytest.mark.parametrize(
    ("before", "over"),
    [
        ("pending", ["2 in flight at event 4"]),
        ("unknown", ["2 in flight at event 4"]),
        ("abandoned", []),
        ("rejected", []),
    ],
)
def test_one_more_in_flight_than_allowed_is_noticed(
    run: LedgerFixture, before: str, over: list[str]
) -> None:
    add_task(run, "b", "intended", before)
    add_task(run, "c", "intended")

    assert run.judged(in_flight=1).over == over


def test_a_late_answer_to_an_abandoned_task_passes_no_cap(run: LedgerFixture) -> None:
    add_task(run, "b", "intended", "abandoned")
    add_task(run, "c", "intended")
    run.sql(
        "INSERT INTO event (at, task_id, status, attempt, file_status)"
        " VALUES (3, 'b', 'pending', 1, 'none')"
    )

    assert run.judged(in_flight=1).over == []


def test_an_abandoned_task_counts_for_its_day(run: LedgerFixture) -> None:
    add_task(run, "b", "intended", "abandoned")

    assert run.judged(day=1).over == ["2 videos in the day from 1.0"]


def test_what_was_made_elsewhere_counts_for_no_cap(run: LedgerFixture) -> None:
    add_task(run, "b", "running", owner="NULL")

    assert run.judged(day=1, in_flight=0).over == []


def test_a_part_file_from_before_the_run_is_noticed(run: LedgerFixture) -> None:
    part = run.output / ".a-fox.part"
    part.touch()

    assert run.judged(started_at=part.stat().st_mtime + 1).stale == [".a-fox.part"]
    assert run.judged(started_at=part.stat().st_mtime).stale == []


def test_an_unfinished_task_is_no_loss_in_a_live_run(run: LedgerFixture) -> None:
    set_column("file_status", "none")(run)
    run.file().unlink()

    assert run.judged(live=True).violations == {}
    assert "lost" in run.judged().violations


def test_an_unknown_outcome_is_no_loss(run: LedgerFixture) -> None:
    run.sql("UPDATE task SET status = 'unknown', provider_task_id = NULL, file_status = 'none'")
    run.file().unlink()

    verdict = run.judged()
    assert verdict.violations == {}
    assert verdict.unknown == 1


def resubmit_abandoned(run: LedgerFixture, *, charges: int) -> None:
    add_task(run, "b", "intended", "unknown", "abandoned")
    run.sql("UPDATE task SET request = (SELECT request FROM task WHERE id != 'b')")
    ids = [f"p{number}" for number in range(1, charges + 1)]
    body = run.charges[0].body
    run.charges[:] = [Charge(at=1.5, task_id=each, charged=True, body=body) for each in ids]


def test_a_resubmitted_request_may_be_charged_twice(run: LedgerFixture) -> None:
    resubmit_abandoned(run, charges=2)

    assert run.judged().violations == {}


@pytest.mark.parametrize("charges", [3, 4])
def test_a_resubmitted_request_is_charged_twice_at_most(run: LedgerFixture, charges: int) -> None:
    resubmit_abandoned(run, charges=charges)

    assert "double" in run.judged().violations


def test_an_abandoned_request_that_was_not_resubmitted_is_charged_once_at_most(
    run: LedgerFixture,
) -> None:
    resubmit_abandoned(run, charges=2)
    run.sql("DELETE FROM event WHERE task_id != 'b'")
    run.sql("DELETE FROM task WHERE id != 'b'")

    assert "double" in run.judged().violations


def test_two_tasks_for_one_request_are_noticed_unless_one_was_abandoned(
    run: LedgerFixture,
) -> None:
    resubmit_abandoned(run, charges=1)
    run.sql("UPDATE task SET status = 'unknown' WHERE id = 'b'")

    assert run.judged().lost == [f"{run.charges[0].prompt}: 2 tasks"]


def test_a_complete_video_under_two_names_is_counted_as_a_copy(run: LedgerFixture) -> None:
    (run.output / "twin.mp4").write_bytes(video_bytes("p1", SIZE))

    verdict = run.judged()
    assert verdict.violations == {}
    assert verdict.copies == 1


def test_a_response_that_is_only_in_a_journal_is_not_lost(run: LedgerFixture) -> None:
    charge_without_record(run)
    lost = run.judged().violations
    Journal(run.state).write(
        "any", Observation(status=Status.PENDING, at=2.0, provider_task_id="p2")
    )
    verdict = run.judged()

    assert list(lost) == ["lost"]
    assert verdict.violations == {}
    assert verdict.journalled == 1


@needs_postgres
async def test_what_is_wrong_in_a_database_is_noticed(run: LedgerFixture) -> None:
    url = await create_database(os.environ[CLUSTER])
    ledger = await Ledger.open_database(url, run.state)
    (run.output / "a fox.mp4").unlink()
    await ledger.add(stored_task(run.output, "a fox", "p1"))
    await ledger.close()
    good = run.judged(database=url)
    session: asyncpg.Connection[Any] = await asyncpg.connect(url)
    await session.execute("UPDATE geekai_video.task SET status = 'unknown'")
    run.charges += [run.charges[0], replace(run.charges[0], task_id="p2")]
    bad = run.judged(database=url)
    await session.execute("DELETE FROM geekai_video.task")
    worse = run.judged(database=url)
    await session.close()
    await drop_database(url)

    assert good.violations == {}
    assert (bad.unknown, bad.unknown_prompts) == (1, ("a fox",))
    assert set(bad.violations) == {"double", "broken"}
    assert "lost" in worse.violations
