"""The oracle notices: each violation is made by hand in a ledger, a log or a folder, and named."""

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import pytest

from geekai_video_mcp.domain.lifecycle import (
    FileUpdate,
    Observation,
    Result,
    Task,
    advance,
    new_task,
    record_file,
)
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.ledger import Ledger
from reliability.oracle import Verdict, judge
from reliability.provider import Charge, video
from support.fake_geekai import KEY

SIZE = 1000


@dataclass
class LedgerFixture:
    """A ledger, a log and a folder as a good run leaves them, to be spoilt."""

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
        self, *, began: float = 0.0, live: bool = False, day: int = 10, in_flight: int = 10
    ) -> Verdict:
        return judge(
            state=self.state,
            output=self.output,
            charges=self.charges,
            video=lambda task_id: video(task_id, SIZE),
            key=KEY,
            logs=[self.log],
            began=began,
            live=live,
            videos_per_day=day,
            in_flight=in_flight,
        )


def stored(output: Path, prompt: str, provider_id: str) -> Task:
    """A task that came to its end, and its file."""
    task = new_task(request={"prompt": prompt}, account="s", owner="me", at=1.0)
    claim = Observation(status=Status.SUBMITTING, at=1.0, owner="me", attempt=1)
    done = Observation(
        status=Status.SUCCEED, at=2.0, provider_task_id=provider_id, result=Result(url="u")
    )
    path = output / f"{prompt}.mp4"
    path.write_bytes(video(provider_id, SIZE))
    fact = FileUpdate(
        status=FileStatus.STORED,
        path=str(path),
        size_bytes=SIZE,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    return record_file(advance(advance(task, claim), done), fact)


async def recorded(state: Path, task: Task) -> None:
    ledger = await Ledger.open(state)
    await ledger.add(task)
    await ledger.close()


@pytest.fixture
def after(tmp_path: Path) -> LedgerFixture:
    made = LedgerFixture(tmp_path)
    made.output.mkdir()
    made.log.touch()
    anyio.run(recorded, made.state, stored(made.output, "a fox", "p1"))
    made.charges.append(Charge(at=1.5, task_id="p1", charged=True, body={"prompt": "a fox"}))
    return made


def test_a_good_run_is_good(after: LedgerFixture) -> None:
    verdict = after.judged()

    assert verdict.violations == {}
    assert (verdict.charges, verdict.stored, verdict.copies) == (1, 1, 0)


def charged_again(after: LedgerFixture) -> None:
    after.charges.append(replace(after.charges[0], task_id="p2"))


def charged_and_not_recorded(after: LedgerFixture) -> None:
    after.charges.append(Charge(at=1.5, task_id="p2", charged=True, body={"prompt": "a hare"}))


def recorded_twice(after: LedgerFixture) -> None:
    with closing(sqlite3.connect(after.state / "ledger.sqlite3")) as ledger, ledger:
        names = [row[1] for row in ledger.execute("PRAGMA table_info(task)") if row[1] != "id"]
        columns = ", ".join(names)
        ledger.execute(
            f"INSERT INTO task (id, {columns}) SELECT 'twin', {columns} FROM task"  # noqa: S608 - names of our own schema
        )


def said(column: str, value: str) -> Callable[[LedgerFixture], None]:
    def spoil(after: LedgerFixture) -> None:
        after.sql(f"UPDATE task SET {column} = '{value}'")  # noqa: S608 - words of this file

    spoil.__name__ = f"{column}_is_{value}"
    return spoil


def file_cut_short(after: LedgerFixture) -> None:
    after.file().write_bytes(b"ftyp")


def file_changed(after: LedgerFixture) -> None:
    after.file().write_bytes(bytes(SIZE))


def file_gone(after: LedgerFixture) -> None:
    after.file().unlink()


def record_of_another_video(after: LedgerFixture) -> None:
    """The file agrees with its record, and neither with what was served."""
    after.file().write_bytes(bytes(SIZE))
    digest = hashlib.sha256(bytes(SIZE)).hexdigest()
    after.sql(f"UPDATE task SET file_sha256 = '{digest}'")  # noqa: S608 - a hash


def torn_file_published(after: LedgerFixture) -> None:
    (after.output / "b.mp4").write_bytes(video("p1", SIZE)[:500])


def page_overwritten(after: LedgerFixture) -> None:
    path = after.state / "ledger.sqlite3"
    data = bytearray(path.read_bytes())
    root = 4096 * 2  # the second page holds the first table's rows, the third an index
    data[root + 8 : root + 64] = bytes(56)
    path.write_bytes(data)


def key_in_the_ledger(after: LedgerFixture) -> None:
    after.sql(f"UPDATE task SET raw_reply = 'Bearer {KEY}'")  # noqa: S608 - words of this file


def key_in_a_log(after: LedgerFixture) -> None:
    after.log.write_text(f"Authorization: {KEY}", "utf-8")


def prompt_in_a_log(after: LedgerFixture) -> None:
    after.log.write_text("could not make 'a fox'", "utf-8")


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (charged_again, "double"),
        (charged_and_not_recorded, "lost"),
        (recorded_twice, "lost"),
        (said("status", "rejected"), "lost"),
        (said("status", "intended"), "lost"),
        (said("file_status", "none"), "lost"),
        (said("file_status", "lost"), "lost"),
        (said("status", "running"), "stuck"),
        (said("provider_task_id", "p9"), "lost"),
        (file_cut_short, "torn"),
        (file_changed, "torn"),
        (file_gone, "torn"),
        (record_of_another_video, "torn"),
        (torn_file_published, "torn"),
        (page_overwritten, "broken"),
        (key_in_the_ledger, "leaked"),
        (key_in_a_log, "leaked"),
        (prompt_in_a_log, "leaked"),
    ],
)
def test_a_violation_is_noticed(
    after: LedgerFixture, spoil: Callable[[LedgerFixture], None], kind: str
) -> None:
    spoil(after)

    assert kind in after.judged().violations


def test_caps_that_were_not_held_are_noticed(after: LedgerFixture) -> None:
    verdict = after.judged(day=0)

    assert len(verdict.violations["over"]) == 1  # its one event is the end, so none is in flight


def asked(after: LedgerFixture, task_id: str, *statuses: str, owner: str = "'me'") -> None:
    """A task of which the ledger tells this story, asked for a second after the fixture's."""
    after.sql(
        "INSERT INTO task (id, owner, status, created_at, service, model, request, attempt, looks,"  # noqa: S608 - words of this file
        " file_status, fetches)"
        f" VALUES ('{task_id}', {owner}, '{statuses[-1]}', 2, 's', 'm', '{{}}', 1, 0, 'none', 0)"
    )
    for status in statuses:
        after.sql(
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
    after: LedgerFixture, before: str, over: list[str]
) -> None:
    asked(after, "b", "intended", before)
    asked(after, "c", "intended")

    assert after.judged(in_flight=1).over == over


def test_a_late_answer_to_an_abandoned_task_passes_no_cap(after: LedgerFixture) -> None:
    asked(after, "b", "intended", "abandoned")
    asked(after, "c", "intended")
    after.sql(
        "INSERT INTO event (at, task_id, status, attempt, file_status)"
        " VALUES (3, 'b', 'pending', 1, 'none')"
    )

    assert after.judged(in_flight=1).over == []


def test_an_abandoned_task_counts_for_its_day(after: LedgerFixture) -> None:
    asked(after, "b", "intended", "abandoned")

    assert after.judged(day=1).over == ["2 videos in the day from 1.0"]


def test_what_was_made_elsewhere_counts_for_no_cap(after: LedgerFixture) -> None:
    asked(after, "b", "running", owner="NULL")

    assert after.judged(day=1, in_flight=0).over == []


def test_a_part_file_from_before_the_run_is_noticed(after: LedgerFixture) -> None:
    part = after.output / ".a-fox.part"
    part.touch()

    assert after.judged(began=part.stat().st_mtime + 1).stale == [".a-fox.part"]
    assert after.judged(began=part.stat().st_mtime).stale == []


def test_what_is_on_its_way_is_no_loss_while_someone_carries_it(after: LedgerFixture) -> None:
    said("file_status", "none")(after)
    after.file().unlink()

    assert after.judged(live=True).violations == {}
    assert "lost" in after.judged().violations


def test_an_unknown_outcome_is_no_loss(after: LedgerFixture) -> None:
    after.sql("UPDATE task SET status = 'unknown', provider_task_id = NULL, file_status = 'none'")
    after.file().unlink()

    verdict = after.judged()
    assert verdict.violations == {}
    assert verdict.unknown == 1


def given_up_and_asked_for_again(after: LedgerFixture, *, charges: int) -> None:
    asked(after, "b", "intended", "unknown", "abandoned")
    after.sql("UPDATE task SET request = (SELECT request FROM task WHERE id != 'b')")
    ids = [f"p{number}" for number in range(1, charges + 1)]
    body = after.charges[0].body
    after.charges[:] = [Charge(at=1.5, task_id=each, charged=True, body=body) for each in ids]


def test_what_a_person_sent_again_may_be_paid_for_twice(after: LedgerFixture) -> None:
    given_up_and_asked_for_again(after, charges=2)

    assert after.judged().violations == {}


@pytest.mark.parametrize("charges", [3, 4])
def test_what_a_person_sent_again_is_paid_for_twice_at_most(
    after: LedgerFixture, charges: int
) -> None:
    given_up_and_asked_for_again(after, charges=charges)

    assert "double" in after.judged().violations


def test_what_was_given_up_and_not_sent_again_is_paid_for_once_at_most(
    after: LedgerFixture,
) -> None:
    given_up_and_asked_for_again(after, charges=2)
    after.sql("DELETE FROM event WHERE task_id != 'b'")
    after.sql("DELETE FROM task WHERE id != 'b'")

    assert "double" in after.judged().violations


def test_two_tasks_for_one_request_are_noticed_unless_one_was_given_up(
    after: LedgerFixture,
) -> None:
    given_up_and_asked_for_again(after, charges=1)
    after.sql("UPDATE task SET status = 'unknown' WHERE id = 'b'")

    assert after.judged().lost == [f"{after.charges[0].prompt}: 2 tasks"]


def test_a_whole_video_under_two_names_is_counted_as_untidy(after: LedgerFixture) -> None:
    (after.output / "twin.mp4").write_bytes(video("p1", SIZE))

    verdict = after.judged()
    assert verdict.violations == {}
    assert verdict.copies == 1
