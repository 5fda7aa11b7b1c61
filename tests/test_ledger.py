"""The record of every task, on a real disk, with real processes."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from geekai_video_mcp.domain.admission import Admission, ExistingTasks
from geekai_video_mcp.domain.lifecycle import (
    advance,
    import_task,
)
from geekai_video_mcp.domain.limits import REQUESTS_PER_SECOND
from geekai_video_mcp.domain.obstacles import record_missed_poll
from geekai_video_mcp.domain.polling import (
    HISTORY_LIMIT,
    Budget,
    DurationSample,
    burst,
    pause,
    take_token,
)
from geekai_video_mcp.domain.result_file import record_file
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.tasks import (
    FileUpdate,
    Observation,
    Result,
    Task,
    new_task,
)
from geekai_video_mcp.errors import LedgerTooNew, StorageUnavailable
from geekai_video_mcp.ledger import Ledger, ProcessRegistry, schema
from geekai_video_mcp.ledger import store_reads as store_module
from geekai_video_mcp.ledger.sqlite import migrations
from geekai_video_mcp.ledger.sqlite.database import SqliteDatabase
from geekai_video_mcp.ledger.sqlite.processes import UNNAMED_LOCK_TTL
from support.ledgers import open_ledger
from support.sync_store import SyncStore

NOW = 1_790_000_000.0
posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and signals are POSIX's")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def make_task(**changes: Any) -> Task:  # noqa: ANN401 - any field's own type
    task = new_task(
        request={"model": "m", "prompt": "雪の中の狐 🦊"}, account="s", owner="a", at=NOW
    )
    return replace(task, **changes)


def accepted(task: Task, *, by: str = "theirs") -> Task:
    """*task* after its claim and the service's answer."""
    sent = Observation(status=Status.SUBMITTING, at=NOW, owner="a", attempt=1)
    answer = Observation(
        status=Status.PENDING, at=NOW + 1, owner="a", attempt=1, provider_task_id=by
    )
    return advance(advance(task, sent), answer)


def query_file(state: Path, statement: str) -> list[tuple[Any, ...]]:
    """What the file itself says."""
    db = sqlite3.connect(state / "ledger.sqlite3")
    try:
        return db.execute(statement).fetchall()
    finally:
        db.close()


def write_count(state: Path) -> int:
    """How many transactions have written to the file: its header counts them."""
    return int.from_bytes((state / "ledger.sqlite3").read_bytes()[24:28], "big")


def child(code: str, *arguments: object, **options: Any) -> "subprocess.Popen[str]":  # noqa: ANN401 - Popen's own
    """Another process of ours."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(  # noqa: S603 - our own code
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        **options,
    )


def all_at_once(children: "list[subprocess.Popen[str]]") -> None:
    """Let every child go when the last of them is ready, and wait for their ends."""
    for process in children:
        assert process.stdout is not None
        process.stdout.readline()
    for process in children:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in children:
        process.communicate(timeout=50)


# Rows


async def test_a_task_survives_the_process_that_wrote_it(state: Path) -> None:
    full = make_task(
        status=Status.SUCCEED,
        attempt=2,
        submitted_at=NOW + 0.123456,
        provider_task_id="theirs",
        result=Result(id="v", url="https://x/1.mp4", duration=5.5, revised_prompt="狐"),
        error_code="e",
        error_message="m",
        raw_response="<html>\0",
        ended_at=NOW + 9,
        duration_key="k",
        price_cny=2.191,
        price_source="a list",
        price_read_on="2026-04-25",
        typical_p10=60.5,
        typical_p95=240.5,
        last_polled_at=NOW + 8,
        next_poll_at=NOW + 10,
        poll_count=7,
        unreachable_since=NOW,
        lease_holder="w",
        lease_expires_at=NOW + 60,
        file_status=FileStatus.STORED,
        file_path="/videos/狐.mp4",
        file_bytes=5 * 1024**3,
        file_sha256="00" * 32,
        file_seconds=5.04,
        file_width=1920,
        file_height=1080,
        file_fps=29.97,
        file_has_sound=False,
        file_error="p",
        failed_downloads=3,
        idempotency_key="狐 1",
        variation=7,
        delivered_at=NOW + 11.5,
    )
    async with open_ledger(state) as ledger:
        await ledger.add(full)

    async with open_ledger(state) as ledger:
        found = await ledger.find(full.id)

    assert found == full
    assert found is not None
    assert found.file_has_sound is False, "not 0, which JSON would tell as a number"


async def test_a_task_is_found_by_our_id_and_by_the_services(state: Path) -> None:
    ours, theirs = make_task(), make_task(provider_task_id="theirs", attempt=1)
    async with open_ledger(state) as ledger:
        await ledger.add(ours)
        await ledger.add(theirs)

        assert await ledger.find(ours.id) == ours
        assert await ledger.find("theirs") == theirs
        assert await ledger.find("nobody's") is None


async def test_our_own_id_is_ours_though_a_service_used_it_as_well(state: Path) -> None:
    ours = make_task()
    theirs = make_task(provider_task_id=ours.id, attempt=1, created_at=NOW - 1)
    async with open_ledger(state) as ledger:
        await ledger.add(theirs)
        await ledger.add(ours)

        assert await ledger.find(ours.id) == ours


async def test_a_task_made_elsewhere_is_taken_in_once(state: Path) -> None:
    observation = Observation(status=Status.RUNNING, at=NOW)
    async with open_ledger(state) as ledger:
        given = [
            await ledger.add(import_task(observation, provider_task_id="theirs", account="s"))
            for _ in range(3)
        ]
        recorded = await ledger.find("theirs")

    assert given == [recorded] * 3
    assert query_file(state, "SELECT count(*) FROM task") == [(1,)]
    assert query_file(state, "SELECT count(*) FROM event") == [(1,)]


async def test_two_services_may_use_the_same_id(state: Path) -> None:
    observation = Observation(status=Status.RUNNING, at=NOW)
    async with open_ledger(state) as ledger:
        for service in ("s", "t"):
            await ledger.add(import_task(observation, provider_task_id="theirs", account=service))

    assert query_file(state, "SELECT service FROM task ORDER BY service") == [("s",), ("t",)]


async def test_a_service_that_answers_two_requests_with_one_id_loses_neither(state: Path) -> None:
    one, two = make_task(), make_task()
    async with open_ledger(state) as ledger:
        for task in (one, two):
            await ledger.add(task)
            await ledger.change(task.id, accepted)

        assert {task.id for task in await ledger.unfinished("s")} == {one.id, two.id}


async def test_unfinished_are_those_of_a_service_that_somebody_must_do_something_for(
    state: Path,
) -> None:
    tasks = [
        make_task(status=status, file_status=file, created_at=NOW + number)
        for number, (status, file) in enumerate(
            (status, file) for status in Status for file in FileStatus
        )
    ]
    async with open_ledger(state) as ledger:
        for task in (*tasks, make_task(account="another")):
            await ledger.add(task)
        found = await ledger.unfinished("s")

    assert found == [task for task in tasks if not task.settled]


async def test_tasks_are_listed_newest_first_page_by_page_and_by_status(state: Path) -> None:
    # Two of one moment: a page may end between them.
    tasks = [make_task(created_at=NOW + number // 2) for number in range(7)]
    tasks[3] = replace(tasks[3], status=Status.UNKNOWN)
    newest_first = sorted(tasks, key=lambda task: (task.created_at, task.id), reverse=True)
    async with open_ledger(state) as ledger:
        for task in tasks:
            await ledger.add(task)
        pages, last = list[list[Task]](), None
        while page := await ledger.list_tasks(limit=3, before=last):
            pages.append(page)
            last = page[-1].id
        unknown = await ledger.list_tasks(limit=3, statuses={Status.UNKNOWN})
        both = await ledger.list_tasks(limit=9, statuses={Status.UNKNOWN, Status.INTENDED})
        nowhere = await ledger.list_tasks(limit=3, before="nobody's")

    assert [len(page) for page in pages] == [3, 3, 1]
    assert [task for page in pages for task in page] == newest_first
    assert unknown == [tasks[3]]
    assert both == newest_first
    assert nowhere == []


def wish(prompt: str, **changes: Any) -> Task:  # noqa: ANN401 - any field's own type
    return make_task(request={"model": "m", "prompt": prompt}, **changes)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("fox", ["a red FOX", "fox and hare"]),
        ("FOX hare", ["fox and hare"]),
        ("hare fox", ["fox and hare"]),
        ('"red fox"', ["a red FOX"]),
        ("狐", ["雪の中の狐 🦊"]),
        ("雪 狐", ["雪の中の狐 🦊"]),
        ("strasse", ["Eine STRASSE in Köln"]),
        ("straße", ["Eine STRASSE in Köln"]),
        ("KO\u0308LN", ["Eine STRASSE in Köln"]),
        ("лиса", ["ЛИСА в снегу"]),
        ("ΟΔΌΣ", ["μια οδός"]),
        ("ｆｏｘ", ["a red FOX", "fox and hare"]),
        ("100%", ["100% wool_"]),
        ("l_", ["100% wool_"]),
        ("%", ["100% wool_"]),
        ("kling", ["μια οδός"]),
        ("kling ΜΙΑ", ["μια οδός"]),
        ("BE386E16", ["fox and hare"]),
        ("be386e16-91bc", ["fox and hare"]),
        ("386e16", []),
        ("be386e16 fox", []),
        ("0123abcd", ["a red FOX"]),
        ("0123ABCD", ["a red FOX"]),
        ("dragon", []),
        ("prompt", []),
    ],
)
async def test_tasks_are_found_by_words_in_any_script_or_by_how_their_id_begins(
    state: Path, query: str, found: list[str]
) -> None:
    tasks = [
        wish("a red FOX", id="0123abcd" + "0" * 24),
        wish("fox and hare", attempt=1, provider_task_id="be386e16-91bc-4694"),
        wish("雪の中の狐 🦊"),
        wish("Eine STRASSE in Köln"),
        wish("ЛИСА в снегу"),
        wish("μια οδός", model="kling-video-v3"),
        wish("100% wool_"),
    ]
    async with open_ledger(state) as ledger:
        for number, task in enumerate(tasks):
            await ledger.add(replace(task, created_at=NOW - number))
        listed = await ledger.list_tasks(limit=9, query=query)

    assert [task.request["prompt"] for task in listed] == found


@pytest.mark.parametrize("blank", ["", "  ", '""'])
async def test_a_query_without_a_word_finds_every_task(state: Path, blank: str) -> None:
    async with open_ledger(state) as ledger:
        one = await ledger.add(make_task())
        imported = await ledger.add(make_task(request={}))

        assert len(await ledger.list_tasks(limit=9, query=blank)) == 2
        assert await ledger.list_tasks(limit=9, query="狐") == [one]
        assert await ledger.list_tasks(limit=9, query=imported.id[:8]) == [imported]


async def test_tasks_since_a_time_are_listed_and_searched(state: Path) -> None:
    tasks = [wish(f"fox {number}", created_at=NOW + number) for number in range(6)]
    tasks[4] = replace(tasks[4], status=Status.FAILED)
    async with open_ledger(state) as ledger:
        for task in tasks:
            await ledger.add(task)
        since = await ledger.list_tasks(limit=9, since=NOW + 3)
        page = await ledger.list_tasks(limit=9, since=NOW + 3, before=tasks[5].id)
        failed = await ledger.list_tasks(
            limit=9, since=NOW + 3, query="FOX", statuses={Status.FAILED}
        )
        nothing = await ledger.list_tasks(limit=9, since=NOW + 99)

    assert since == tasks[5:2:-1]
    assert page == tasks[4:2:-1]
    assert failed == [tasks[4]]
    assert nothing == []


async def test_what_is_searched_is_paged_without_gap_or_repeat(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "SEARCHED_AT_ONCE", 4)
    tasks = [
        wish("fox" if number % 3 else "hare", created_at=NOW + number // 2) for number in range(23)
    ]
    newest_first = sorted(tasks, key=lambda task: (task.created_at, task.id), reverse=True)
    async with open_ledger(state) as ledger:
        for task in tasks:
            await ledger.add(task)
        pages, last = list[list[Task]](), None
        while page := await ledger.list_tasks(limit=4, before=last, query="fox"):
            pages.append(page)
            last = page[-1].id

    assert [len(page) for page in pages] == [4, 4, 4, 3]
    assert [task for page in pages for task in page] == [
        task for task in newest_first if task.request["prompt"] == "fox"
    ]


async def test_a_row_that_cannot_be_read_hides_no_other_from_a_search(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "SEARCHED_AT_ONCE", 2)
    tasks = [wish("fox", created_at=NOW + number) for number in range(6)]
    async with open_ledger(state) as ledger:
        for task in tasks:
            await ledger.add(task)
        db = sqlite3.connect(state / "ledger.sqlite3")
        db.execute("UPDATE task SET request = '[]' WHERE id = ?", [tasks[4].id])
        db.execute("UPDATE task SET status = 'dreaming' WHERE id = ?", [tasks[3].id])
        db.commit()
        db.close()
        found = await ledger.list_tasks(limit=4, query="fox")

    assert found == [tasks[5], *tasks[2::-1]]


async def test_a_page_of_a_long_ledger_is_read_without_sorting_it(state: Path) -> None:
    async with open_ledger(state):
        pass
    db = sqlite3.connect(state / "ledger.sqlite3")
    plans = [
        str(
            db.execute(
                f"EXPLAIN QUERY PLAN {statement}",
                {"tenant": "local", "before": "x", "since": 1, "limit": 1},
            ).fetchall()
        )
        for statement in (
            schema.select_page([], before=before, since=since)
            for before in (None, "x")
            for since in (None, 1.0)
        )
    ]
    db.close()

    assert all("USING INDEX task_by_time" in plan and "TEMP B-TREE" not in plan for plan in plans)


async def test_tasks_are_found_by_how_their_id_begins(state: Path) -> None:
    one, two, other = make_task(id="abcdef12"), make_task(id="abcdef34"), make_task(id="abcdee99")
    async with open_ledger(state) as ledger:
        for task in (one, two, other):
            await ledger.add(task)

        assert await ledger.find_by_prefix("abcdef", limit=9) == [one, two]
        assert await ledger.find_by_prefix("abcdef", limit=1) == [one]
        assert await ledger.find_by_prefix("abcdef3", limit=9) == [two]
        assert await ledger.find_by_prefix("abcdef123", limit=9) == []
        assert await ledger.find_by_prefix("%", limit=9) == []


async def test_the_events_of_a_task_are_listed_in_order(state: Path) -> None:
    task, other = make_task(), make_task()
    async with open_ledger(state) as ledger:
        for each in (task, other):
            await ledger.add(each)
            await ledger.change(each.id, accepted)
        story = await ledger.events(task.id)

    assert [(event.status, event.provider_task_id) for event in story] == [
        (Status.INTENDED, None),
        (Status.PENDING, "theirs"),
    ]
    assert story[0].at == NOW
    assert (story[1].attempt, story[1].owner) == (1, "a")


async def test_a_ledger_that_is_not_there_is_not_made_by_asking(state: Path) -> None:
    assert not Ledger.exists(state)
    assert not state.exists()
    async with open_ledger(state):
        assert Ledger.exists(state)


# Changes


def nothing(*_: object) -> None:
    """No check."""


async def test_a_successor_is_recorded_with_the_change_or_not_at_all(state: Path) -> None:
    old, new = make_task(), make_task()
    async with open_ledger(state) as ledger:
        await ledger.add(old)
        again = make_task(id=old.id)
        with pytest.raises(StorageUnavailable):  # an id that is taken
            await ledger.supersede(
                old.id, lambda task: (accepted(task), again), nothing, limits=None
            )
        unchanged = await ledger.find(old.id)
        recorded = await ledger.supersede(
            old.id, lambda task: (accepted(task), new), nothing, limits=None
        )

        assert unchanged == old
        assert recorded == new
        assert {task.id for task in await ledger.list_tasks(limit=9)} == {old.id, new.id}
        assert len(await ledger.events(new.id)) == 1


async def test_whoever_bears_an_id_is_known_to_the_change_that_gives_it(state: Path) -> None:
    first, second, elsewhere = make_task(), make_task(), make_task(account="another")
    bearers = list[Task | None]()

    def give(task: Task, bearer: Task | None) -> Task:
        bearers.append(bearer)
        return accepted(task)

    async with open_ledger(state) as ledger:
        for task in (first, second, elsewhere):
            await ledger.add(task)
        for task in (elsewhere, first, first, second):
            await ledger.assign_provider_id(task.id, "theirs", give)

    # Neither one of another service nor the task itself.
    assert [bearer and bearer.id for bearer in bearers] == [None, None, None, first.id]


async def test_a_change_that_raises_leaves_the_row_as_it_was(state: Path) -> None:
    task = make_task()

    def broken(_: Task) -> Task:
        msg = "a bug of ours"
        raise ZeroDivisionError(msg)

    async with open_ledger(state) as ledger:
        await ledger.add(task)
        with pytest.raises(ZeroDivisionError):
            await ledger.change(task.id, broken)

        assert await ledger.find(task.id) == task
        assert (await ledger.change(task.id, accepted)).status is Status.PENDING


async def test_a_change_of_no_task_is_a_key_error_and_locks_nothing(state: Path) -> None:
    async with open_ledger(state) as ledger, open_ledger(state) as another:
        with pytest.raises(KeyError):
            await ledger.change("nobody's", accepted)
        await another.add(make_task())


async def test_every_change_of_the_story_is_an_event_and_nothing_else_is(state: Path) -> None:
    task = make_task()
    steps: list[Callable[[Task], Task]] = [
        accepted,
        lambda now: now,
        lambda now: record_missed_poll(now, at=NOW + 10, delay=10),
        lambda now: replace(now, lease_holder="w", lease_expires_at=NOW),
        lambda now: advance(now, Observation(status=Status.PENDING, at=NOW + 20)),
        lambda now: advance(now, Observation(status=Status.RUNNING, at=NOW + 30)),
        lambda now: advance(
            now, Observation(status=Status.SUCCEED, at=NOW + 40, result=Result(url="https://x/1"))
        ),
        lambda now: record_file(now, FileUpdate(status=FileStatus.NONE, error="offline")),
        lambda now: record_file(now, FileUpdate(status=FileStatus.STORED, path="/a.mp4")),
    ]
    async with open_ledger(state) as ledger:
        await ledger.add(task)
        for step in steps:
            await ledger.change(task.id, step)

    assert query_file(state, "SELECT status, file_status FROM event ORDER BY number") == [
        ("intended", "none"),
        ("pending", "none"),
        ("running", "none"),
        ("succeed", "none"),
        ("succeed", "stored"),
    ]


def one_more_look(task: Task) -> Task:
    return replace(task, poll_count=task.poll_count + 1)


async def test_callers_of_one_process_lose_no_change(state: Path) -> None:
    task = make_task()
    async with open_ledger(state) as ledger, open_ledger(state) as another:
        await ledger.add(task)
        async with anyio.create_task_group() as callers:
            for which in (ledger, another) * 20:
                callers.start_soon(which.change, task.id, one_more_look)

        found = await ledger.find(task.id)

    assert found is not None
    assert found.poll_count == 40


COUNT = """
import sys
from dataclasses import replace
from pathlib import Path
from geekai_video_mcp.ledger.sqlite.database import SqliteDatabase
from support.sync_store import SyncStore
store = SyncStore(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(25):
    store.change(sys.argv[2], lambda task: replace(task, poll_count=task.poll_count + 1))
store.close()
"""


async def test_processes_lose_no_change(state: Path) -> None:
    task = make_task()
    async with open_ledger(state) as ledger:
        await ledger.add(task)
        children = [child(COUNT, state, task.id) for _ in range(4)]
        all_at_once(children)
        found = await ledger.find(task.id)

    assert [process.returncode for process in children] == [0] * 4
    assert found is not None
    assert found.poll_count == 100


OPEN = """
import sys
from pathlib import Path
from geekai_video_mcp.ledger.sqlite.database import SqliteDatabase
from support.sync_store import SyncStore
from geekai_video_mcp.domain.tasks import new_task
print("ready", flush=True)
sys.stdin.readline()
store = SyncStore(Path(sys.argv[1]))
store.add(new_task(request={}, account="s", owner="a", at=0.0))
store.close()
"""


def test_eight_processes_may_open_it_for_the_first_time_at_once(state: Path) -> None:
    children = [child(OPEN, state) for _ in range(8)]
    all_at_once(children)

    assert [process.returncode for process in children] == [0] * 8
    assert query_file(state, "SELECT count(*) FROM task") == [(8,)]
    assert query_file(state, "PRAGMA user_version") == [(len(migrations.MIGRATIONS),)]


async def test_a_ledger_of_the_first_version_is_taken_over_whole(state: Path) -> None:
    state.mkdir()
    old = sqlite3.connect(state / "ledger.sqlite3")
    for statement in migrations.SCHEMA:
        old.execute(statement)
    old.execute(
        "INSERT INTO task (id, created_at, service, model, request, status, attempt, looks,"
        " file_status, fetches) VALUES ('old', 1.5, 's', 'm', '{}', 'pending', 1, 3, 'none', 0)"
    )
    old.execute("PRAGMA user_version=1")
    old.commit()
    old.close()

    async with open_ledger(state) as ledger:
        (task,) = await ledger.unfinished("s")
        await ledger.add(make_task())

    assert (task.id, task.poll_count, task.fingerprint, task.delivered_at) == ("old", 3, None, None)


async def test_a_ledger_of_a_newer_version_is_left_alone(state: Path) -> None:
    """Its rules for money may have grown, and this program would not keep them."""
    async with open_ledger(state) as ledger:
        await ledger.add(make_task())
    newer = sqlite3.connect(state / "ledger.sqlite3")
    newer.execute("PRAGMA user_version=99")
    newer.close()

    with pytest.raises(
        LedgerTooNew,
        match=r"^The task database was created by a newer version.*has to upgrade this server",
    ):
        await Ledger.open(state)


async def test_a_row_that_cannot_be_read_hides_no_other(
    state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken, whole = make_task(created_at=NOW - 1), make_task()
    async with open_ledger(state) as ledger:
        await ledger.add(broken)
        await ledger.add(whole)
        scratch = sqlite3.connect(state / "ledger.sqlite3")
        scratch.execute('UPDATE task SET request = \'{"prompt": "fox\' WHERE id = ?', [broken.id])
        scratch.commit()
        scratch.close()

        assert await ledger.unfinished("s") == [whole]
        with pytest.raises(StorageUnavailable):
            await ledger.find(broken.id)

    assert broken.id in caplog.text
    assert "fox" not in caplog.text


async def test_changes_of_several_tasks_are_one_transaction_and_fail_one_by_one(
    state: Path,
) -> None:
    tasks = [make_task(status=Status.RUNNING) for _ in range(4)]
    async with open_ledger(state) as ledger:
        for task in tasks:
            await ledger.add(task)
        with closing(sqlite3.connect(state / "ledger.sqlite3")) as db:
            db.execute("UPDATE task SET request = 'fox' WHERE id = ?", [tasks[1].id])
            db.commit()
        before = write_count(state)
        polled = partial(record_missed_poll, at=NOW + 10, delay=10)

        def raise_error(_: Task) -> Task:
            msg = "a bug"
            raise ValueError(msg)

        changes = [polled, polled, raise_error, polled]
        ids = [task.id for task in tasks]
        outcomes = await ledger.change_all([*zip(ids, changes, strict=True), ("nobody's", polled)])
        first, last = [await ledger.find(task_id) for task_id in (ids[0], ids[3])]
        third = await ledger.find(ids[2])

    assert [type(outcome) for outcome in outcomes] == [
        *(Task, StorageUnavailable, ValueError, Task, KeyError)
    ]
    assert outcomes[0] == first
    assert outcomes[3] == last
    assert last is not None
    assert last.poll_count == 1
    assert third == tasks[2]
    assert write_count(state) == before + 1


async def test_changes_of_several_tasks_that_the_disk_refuses_change_none(state: Path) -> None:
    tasks = [make_task(status=Status.RUNNING) for _ in range(3)]
    async with open_ledger(state) as ledger:
        for task in tasks:
            await ledger.add(task)
        with closing(sqlite3.connect(state / "ledger.sqlite3")) as db:
            # As a full disk does, it ends the whole transaction.
            db.execute(
                "CREATE TRIGGER full BEFORE UPDATE ON task WHEN NEW.id = '"
                + tasks[1].id
                + "' BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END"
            )
        polled = partial(record_missed_poll, at=NOW + 10, delay=10)
        with pytest.raises(StorageUnavailable, match="disk is full"):
            await ledger.change_all([(task.id, polled) for task in tasks])
        found = [await ledger.find(task.id) for task in tasks]

    assert found == tasks


async def test_leases_of_others_are_all_but_the_valid_ones_of_a_process(state: Path) -> None:
    running = [
        make_task(status=Status.RUNNING, lease_holder=holder, lease_expires_at=expires)
        for holder, expires in [
            *(("me", NOW + 100), ("me", NOW - 1), ("you", NOW + 100), (None, None)),
        ]
    ]
    finished = make_task(status=Status.SUCCEED)
    others = [
        *(make_task(status=Status.FAILED), make_task(status=Status.INTENDED)),
        *(make_task(status=Status.SUCCEED, file_status=FileStatus.STORED),),
        *(make_task(status=Status.RUNNING, account="another"),),
    ]
    async with open_ledger(state) as ledger:
        for task in (*running, finished, *others):
            await ledger.add(task)
        found = await ledger.leases_of_others("s", holder="me", at=NOW)
        unsent = await ledger.unsent("s")

    assert {lease.task_id for lease in found} == {task.id for task in [*running[1:], finished]}
    assert [lease.is_valid(at=NOW) for lease in found if lease.holder == "you"] == [True]
    assert [task.status for task in unsent] == [Status.INTENDED]


RACE = """
import sys
from pathlib import Path
from geekai_video_mcp.domain.admission import Admission, Limits, admit
from geekai_video_mcp.domain.catalogue import request_cost
from geekai_video_mcp.domain.task_prices import with_price
from geekai_video_mcp.domain.tasks import Media, new_task
from geekai_video_mcp.errors import CapReached
from geekai_video_mcp.ledger.sqlite.database import SqliteDatabase
from support.sync_store import SyncStore
path, name, per_day, cny_per_day, count = sys.argv[1:]
store = SyncStore(Path(path))
print("ready", flush=True)
sys.stdin.readline()
cny = None if cny_per_day == "any" else float(cny_per_day)
limits = Limits(per_day=int(per_day), in_flight=1000, cny_per_day=cny)
for number in range(int(count)):
    request = {"prompt": f"{name} {number}", "model": "viduq2-pro", "duration": 1}
    key = f"{number}" if name == "same" else None
    task = new_task(request=request, account="s", owner="a", at=1.0, idempotency_key=key)
    task = with_price(task, request_cost(request, media=Media.VIDEO))

    def decide(existing, _):
        admitted = admit(task, existing, at=1.0)
        return Admission(task=admitted, is_new=admitted is task)

    try:
        store.admit(task, request, decide, limits=limits)
    except CapReached:
        pass
store.close()
"""


def test_processes_that_race_to_the_cap_do_not_pass_it(state: Path) -> None:
    children = [child(RACE, state, f"mine {number}", 20, "any", 10) for number in range(4)]
    all_at_once(children)

    assert [process.returncode for process in children] == [0] * 4
    assert query_file(state, "SELECT count(*) FROM task") == [(20,)]


def test_processes_that_race_to_the_cap_in_cny_do_not_pass_it(state: Path) -> None:
    children = [child(RACE, state, f"mine {number}", 1000, 6.26, 10) for number in range(4)]
    all_at_once(children)

    assert [process.returncode for process in children] == [0] * 4
    # Twenty times 0.313 is 6.26 to the last digit.
    assert query_file(state, "SELECT count(*), round(sum(price_cny), 3) FROM task") == [(20, 6.26)]


def test_processes_that_ask_with_the_same_keys_record_each_once(state: Path) -> None:
    children = [child(RACE, state, "same", 1000, "any", 10) for _ in range(4)]
    all_at_once(children)

    assert [process.returncode for process in children] == [0] * 4
    assert query_file(state, "SELECT count(*), count(DISTINCT idempotency_key) FROM task") == [
        (10, 10)
    ]


# History and the shared budget


def finished_task(task: Task, *, took: float, at: float = NOW) -> Task:
    """*task* as two looks five seconds apart measured it."""
    return replace(
        task,
        status=Status.SUCCEED,
        submitted_at=at,
        last_polled_at=at + took - 2.5,
        ended_at=at + took + 2.5,
    )


async def durations_at_admission(ledger: Ledger, task: Task) -> tuple[DurationSample, ...]:
    """What is known about how long such a task takes when it is admitted."""
    known: list[ExistingTasks] = []

    def decide(existing: ExistingTasks, _: Budget) -> Admission:
        known.append(existing)
        return Admission(task=task, is_new=True)

    await ledger.admit(task, body=task.request, admit=decide, limits=None)
    return known[0].durations


async def test_history_is_the_newest_finished_tasks_of_the_same_kind_and_service(
    state: Path,
) -> None:
    others = [
        replace(finished_task(make_task(), took=1), account="other"),
        replace(finished_task(make_task(), took=2), duration_key="other"),
        replace(finished_task(make_task(), took=3), status=Status.FAILED),
        make_task(status=Status.RUNNING),
    ]
    async with open_ledger(state) as ledger:
        for task in others:
            await ledger.add(task)
        for number in range(60):
            await ledger.add(finished_task(make_task(), took=100 + number, at=NOW + number))
        history = await durations_at_admission(ledger, make_task())
        nothing = await durations_at_admission(
            ledger, replace(make_task(), duration_key="never seen")
        )

    assert [span.seconds for span in history] == [159 - number for number in range(HISTORY_LIMIT)]
    assert nothing == ()


def test_history_is_read_from_its_index_alone(state: Path) -> None:
    """A row may hold megabytes of pictures."""
    store = SyncStore(state)
    try:
        plan = store.connection.execute(
            f"EXPLAIN QUERY PLAN {schema.HISTORY}",
            {"tenant": "local", "service": "s", "kind": "k", "newest": 1},
        ).fetchall()
    finally:
        store.close()

    assert [row[3] for row in plan] == [
        "SEARCH task USING COVERING INDEX task_by_kind (tenant=? AND service=? AND kind=?)"
    ]


async def test_a_budget_outlives_a_process_and_belongs_to_one_service(state: Path) -> None:
    hold = partial(held, seconds=60)
    async with open_ledger(state) as ledger:
        await ledger.update_budget("s", hold)
    async with open_ledger(state) as ledger:
        blocked = await ledger.update_budget("s", partial(take_token, at=NOW + 1, per_second=2))
        free = await ledger.update_budget("another", partial(take_token, at=NOW + 1, per_second=2))

    assert (blocked, free) == (pytest.approx(59), 0.0)


def held(budget: Budget, *, seconds: float) -> tuple[Budget, None]:
    return pause(budget, at=NOW, seconds=seconds), None


SPEND = """
import sys
from functools import partial
from pathlib import Path
from geekai_video_mcp.ledger.sqlite.database import SqliteDatabase
from support.sync_store import SyncStore
from geekai_video_mcp.domain.polling import take_token
store = SyncStore(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
take = partial(take_token, at=1_790_000_000.0, per_second=2.0)
waits = [store.update_budget("s", take) for _ in range(10)]
store.close()
Path(sys.argv[2]).write_text(str(waits.count(0.0)), encoding="utf-8")
"""


def test_processes_share_one_budget(state: Path, tmp_path: Path) -> None:
    reports = [tmp_path / f"report-{number}" for number in range(4)]
    all_at_once([child(SPEND, state, str(report)) for report in reports])

    assert sum(int(report.read_text("utf-8")) for report in reports) == burst(REQUESTS_PER_SECOND)


# The disk


@posix
async def test_only_the_user_may_read_it(state: Path) -> None:
    task = make_task()
    async with open_ledger(state) as ledger:
        await ledger.add(task)
        await ledger.change(task.id, accepted)

    modes = {path.name: path.stat().st_mode & 0o777 for path in state.iterdir()}
    assert state.stat().st_mode & 0o777 == 0o700
    assert set(modes.values()) == {0o600}, modes


@posix
async def test_the_mode_of_a_folder_that_was_there_is_the_users_to_choose(state: Path) -> None:
    state.mkdir()
    state.chmod(0o755)

    async with open_ledger(state):
        assert (state / "ledger.sqlite3").stat().st_mode & 0o777 == 0o600

    assert state.stat().st_mode & 0o777 == 0o755


def test_a_commit_is_on_disk_before_it_is_believed(state: Path) -> None:
    store = SyncStore(state)
    try:
        settings = [
            store.connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous")
        ]
    finally:
        store.close()

    assert settings == ["truncate", 2]  # 2 is FULL


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"x" * 4096]
)
async def test_a_corrupt_file_is_the_operators_to_mend(state: Path, content: bytes) -> None:
    state.mkdir()
    (state / "ledger.sqlite3").write_bytes(content)

    with pytest.raises(StorageUnavailable, match="The task database could not be opened"):
        await Ledger.open(state)

    assert (state / "ledger.sqlite3").read_bytes() == content, "evidence, and maybe videos"


async def test_a_folder_that_cannot_be_made_is_the_operators_to_mend(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    for use in (SqliteDatabase, ProcessRegistry):
        with pytest.raises(StorageUnavailable):
            use(tmp_path / "file" / "state")


@posix
@pytest.mark.skipif(sys.platform != "win32" and os.geteuid() == 0, reason="root writes anywhere")
async def test_a_folder_that_cannot_be_written_is_the_operators_to_mend(state: Path) -> None:
    state.mkdir(mode=0o500)

    with pytest.raises(StorageUnavailable):
        await Ledger.open(state)


FULL_DISK = """
import resource, signal, sys
from dataclasses import replace
from pathlib import Path
from geekai_video_mcp.errors import StorageUnavailable
from geekai_video_mcp.ledger.sqlite.database import SqliteDatabase
from support.sync_store import SyncStore
from geekai_video_mcp.domain.tasks import new_task

store = SyncStore(Path(sys.argv[1]))
small = new_task(request={"prompt": "fits"}, account="s", owner="a", at=0.0)
store.add(small)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = (Path(sys.argv[1]) / "ledger.sqlite3").stat().st_size + 8192
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
for _ in range(2):
    for act in (
        lambda: store.add(new_task(request={"p": "x" * 99999}, account="s", owner="a", at=0.0)),
        lambda: store.change(small.id, lambda task: replace(task, raw_response="x" * 99999)),
    ):
        try:
            act()
        except StorageUnavailable as exc:
            assert "could not be written" in exc.message
            assert "charged" not in exc.message, "neither is on the way to a paid request"
            print("refused", exc.message)
assert store.find(small.id) == small, "readers still work"
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.change(small.id, lambda task: replace(task, poll_count=1))
assert [task.poll_count for task in store.unfinished("s")] == [1]
store.close()
"""


@posix
def test_a_full_disk_records_nothing_breaks_nothing_and_says_so(state: Path) -> None:
    process = child(FULL_DISK, state)
    output, _ = process.communicate(timeout=50)

    assert process.returncode == 0
    assert output.count("refused") == 4
    assert "rollback" not in output, "the cause is told, not what came after it"


@contextmanager
def reading(state: Path) -> Generator[None]:
    """Somebody else who has not finished reading."""
    db = sqlite3.connect(state / "ledger.sqlite3", isolation_level=None)
    try:
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM task").fetchone()
        yield
    finally:
        db.close()


def test_a_commit_that_fails_is_undone_and_the_next_one_works(state: Path) -> None:
    store, task = SyncStore(state), make_task()
    try:
        store.add(task)
        store.connection.execute("PRAGMA busy_timeout=10")
        with reading(state), pytest.raises(StorageUnavailable):
            store.change(task.id, one_more_look)

        assert store.change(task.id, one_more_look).poll_count == 1
    finally:
        store.close()


# Owners


LIVE = """
import sys
from pathlib import Path
from geekai_video_mcp.ledger import ProcessRegistry
with ProcessRegistry(Path(sys.argv[1])) as processes:
    print(processes.own_id, flush=True)
    sys.stdin.readline()
"""


@contextmanager
def living_process(state: Path) -> Generator[tuple["subprocess.Popen[str]", str]]:
    """A process that lives until it is killed or the block ends; and its name."""
    process = child(LIVE, state)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


@posix
def test_a_process_is_alive_until_it_is_killed(state: Path) -> None:
    with living_process(state) as (process, name), ProcessRegistry(state) as owners:
        assert owners.is_alive(name)
        assert owners.is_alive(owners.own_id)
        process.send_signal(signal.SIGKILL)
        process.wait()

        assert not owners.is_alive(name)


def test_a_process_that_ended_in_order_leaves_nothing(state: Path) -> None:
    with ProcessRegistry(state) as owners, living_process(state) as (process, name):
        process.communicate("\n")
        left = [path.stem for path in (state / "procs").iterdir()]

        assert not owners.is_alive(name)
        assert left == [owners.own_id]


def test_a_name_that_nobody_has_is_dead(state: Path) -> None:
    with ProcessRegistry(state) as owners:
        assert not owners.is_alive("00" * 16)


@posix
def test_only_what_the_dead_left_behind_is_swept(state: Path) -> None:
    with (
        living_process(state) as (_, alive),
        living_process(state) as (process, dead),
        ProcessRegistry(state) as owners,
    ):
        process.kill()
        process.wait()
        assert {path.stem for path in (state / "procs").iterdir()} == {alive, dead, owners.own_id}

        owners.remove_stale()

        assert {path.stem for path in (state / "procs").iterdir()} == {alive, owners.own_id}
        assert owners.is_alive(alive)


@posix
def test_a_lock_whose_process_died_before_it_had_its_name_is_swept(state: Path) -> None:
    """But not one that was only just made: it is not locked yet."""
    with ProcessRegistry(state) as owners:
        old, young = (state / "procs" / f"{name * 16}.new" for name in ("0d", "09"))
        for path in (old, young):
            path.touch()
        made = time.time() - UNNAMED_LOCK_TTL - 60
        os.utime(old, (made, made))
        owners.remove_stale()

        assert {path.name for path in (state / "procs").glob("*.new")} == {young.name}


@posix
def test_a_state_folder_that_knows_no_locks_is_refused(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There nobody could tell whose request is still under way."""

    def no_locks(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with pytest.raises(StorageUnavailable, match="No locks available"):
        ProcessRegistry(state)


@posix
def test_a_process_whose_lock_cannot_be_read_is_not_declared_dead(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_files(*_: object, **__: object) -> int:
        raise OSError(24, "Too many open files")

    with living_process(state) as (_, name), ProcessRegistry(state) as owners:
        monkeypatch.setattr(os, "open", out_of_files)
        alive = owners.is_alive(name)
        monkeypatch.undo()

    assert alive


@posix
def test_locks_are_the_users_alone(state: Path) -> None:
    with ProcessRegistry(state) as owners:
        lock = state / "procs" / f"{owners.own_id}.lock"

        assert lock.stat().st_mode & 0o777 == 0o600
        assert (state / "procs").stat().st_mode & 0o777 == 0o700
