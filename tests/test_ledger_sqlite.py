"""What is of SQLite's file alone: its versions, its disk, and the locks of its processes."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from geekai_video_mcp.domain.obstacles import record_missed_poll
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.errors import LedgerTooNew, StorageUnavailable
from geekai_video_mcp.ledger import Ledger, ProcessRegistry, schema
from geekai_video_mcp.ledger.sqlite import migrations
from geekai_video_mcp.ledger.sqlite.database import SqliteDatabase
from geekai_video_mcp.ledger.sqlite.processes import UNNAMED_LOCK_TTL
from support.ledgers import open_ledger, start_python
from support.recorded import NOW, accepted, make_task
from support.sync_store import SyncStore

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and signals are POSIX's")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def write_count(state: Path) -> int:
    """How many transactions have written to the file: its header counts them."""
    return int.from_bytes((state / "ledger.sqlite3").read_bytes()[24:28], "big")


# Its tables


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


async def test_a_ledger_that_is_not_there_is_not_made_by_asking(state: Path) -> None:
    assert not Ledger.exists(state)
    assert not state.exists()
    async with open_ledger(state):
        assert Ledger.exists(state)


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


async def test_changes_of_several_tasks_are_one_transaction(state: Path) -> None:
    tasks = [make_task(status=Status.RUNNING) for _ in range(4)]
    polled = partial(record_missed_poll, at=NOW + 10, delay=10)
    async with open_ledger(state) as ledger:
        for task in tasks:
            await ledger.add(task)
        before = write_count(state)
        await ledger.change_all([(task.id, polled) for task in tasks])

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
    process = start_python(FULL_DISK, state)
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
            store.change(task.id, accepted)

        assert store.change(task.id, accepted).status is Status.PENDING
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
    process = start_python(LIVE, state)
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
async def test_only_what_the_dead_left_behind_is_swept(state: Path) -> None:
    with (
        living_process(state) as (_, alive),
        living_process(state) as (process, dead),
        ProcessRegistry(state) as owners,
    ):
        process.kill()
        process.wait()
        assert {path.stem for path in (state / "procs").iterdir()} == {alive, dead, owners.own_id}

        await owners.refresh()

        assert {path.stem for path in (state / "procs").iterdir()} == {alive, owners.own_id}
        assert owners.is_alive(alive)


@posix
async def test_a_lock_whose_process_died_before_it_had_its_name_is_swept(state: Path) -> None:
    """But not one that was only just made: it is not locked yet."""
    with ProcessRegistry(state) as owners:
        old, young = (state / "procs" / f"{name * 16}.new" for name in ("0d", "09"))
        for path in (old, young):
            path.touch()
        made = time.time() - UNNAMED_LOCK_TTL - 60
        os.utime(old, (made, made))
        await owners.refresh()

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
