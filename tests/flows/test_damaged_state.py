"""A state folder that a disk, a crash or a person has damaged: told, and never paid for twice.

Each kind of damage is done to the folder of a server that has made two videos. Then a server is
started on it. Either it refuses to start, and names the path; or it serves, and then what it
cannot read is named, and a request leaves only with a durable row.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

import anyio
import pytest

from flows.test_crash_recovery import leave_task
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import Observation
from geekai_video_mcp.errors import StorageUnavailable
from geekai_video_mcp.ledger.journal import SLOT_BYTES, Journal
from support.sampling import sample
from support.world import World, call, structured, text

pytestmark = [
    pytest.mark.usefixtures("virtual_time"),
    pytest.mark.skipif(sys.platform == "win32", reason="pipes, links and modes are POSIX's"),
]

Damage = Callable[[Path], object]


def ledger(state: Path) -> Path:
    return state / "ledger.sqlite3"


def execute(*statements: str) -> Damage:
    def damage(state: Path) -> None:
        with closing(sqlite3.connect(ledger(state), isolation_level=None)) as db:
            for statement in statements:
                db.execute(statement)

    return damage


def write(content: Callable[[bytes], bytes], name: str = "ledger.sqlite3") -> Damage:
    def damage(state: Path) -> None:
        path = state / name
        path.write_bytes(content(path.read_bytes() if path.exists() else b""))

    return damage


def replaced_by(make: Callable[[Path], object], name: str = "ledger.sqlite3") -> Damage:
    def damage(state: Path) -> None:
        path = state / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        make(path)

    return damage


def loop(path: Path) -> None:
    path.symlink_to(path.with_name("loop"))
    path.with_name("loop").symlink_to(path)


def another_program(version: int) -> Damage:
    def make(path: Path) -> None:
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE recipe (name TEXT)")
            db.execute(f"PRAGMA user_version={version}")
            db.commit()

    return replaced_by(make)


def garbage_from(offset: int) -> Damage:
    return write(lambda content: content[:offset] + b"\xa5" * (len(content) - offset))


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


HOT: Final = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + b"\xff" * 600
"""A rollback journal whose header is SQLite's, and whose counts are impossible."""

REFUSED: Final[dict[str, Damage]] = {
    "no database": write(lambda _: b"not a database at all" * 100),
    "only the header of one": write(lambda content: content[:16] + b"x" * 4096),
    "one byte": write(lambda content: content[:1]),
    "only its first page": write(lambda content: content[:4096]),
    "half of it": write(lambda content: content[: len(content) // 2]),
    "empty": write(lambda _: b""),
    "all zeros": write(lambda content: bytes(len(content))),
    "garbage in its schema": garbage_from(100),
    "garbage from its second page on": garbage_from(4096),
    "another program's database": another_program(0),
    "another program's database with a version": another_program(2),
    "another program's database with a high version": another_program(99),
    "a folder": replaced_by(Path.mkdir),
    "a pipe": replaced_by(make_pipe),
    "a device": replaced_by(lambda path: path.symlink_to("/dev/zero")),
    "a loop of links": replaced_by(loop),
    "a link to nothing": replaced_by(lambda path: path.symlink_to("elsewhere")),
    "no version": execute("PRAGMA user_version=0"),
    "no table of tasks": execute("PRAGMA foreign_keys=OFF", "DROP TABLE task"),
    "no table of bodies": execute("DROP TABLE body"),
    "no table of budgets": execute("DROP TABLE budget"),
    "a column less": execute("ALTER TABLE task DROP COLUMN file_problem"),
    "a folder for its journal": replaced_by(Path.mkdir, "ledger.sqlite3-journal"),
    "locks in a file": replaced_by(Path.touch, "procs"),
    "locks in a loop of links": replaced_by(loop, "procs"),
}
SERVED: Final[dict[str, Damage]] = {
    "a link to a whole one": replaced_by(
        lambda path: path.symlink_to(shutil.copy(path.with_name("copy"), path.with_name("other")))
    ),
    "a journal of garbage": write(lambda _: b"\xa5" * 4096, "ledger.sqlite3-journal"),
    "a hot journal of garbage": write(lambda _: HOT, "ledger.sqlite3-journal"),
    "an index of garbage": lambda state: damage_index(state),  # noqa: PLW0108 - defined below
    "a row of no known status": execute("UPDATE task SET status = 'dancing' WHERE rowid = 1"),
    "a row without JSON": execute("UPDATE task SET request = '{' WHERE rowid = 1"),
    "a row with a list for its request": execute("UPDATE task SET request='[1]' WHERE rowid = 1"),
    "a row of no known medium": execute("UPDATE task SET media = 'opera' WHERE rowid = 1"),
    "a row that is not UTF-8": execute(
        "UPDATE task SET model = CAST(x'ff41' AS TEXT) WHERE rowid = 1"
    ),
    "a result of other types": execute("UPDATE task SET result='{\"url\":[5]}' WHERE rowid = 1"),
    "a result without end": execute(
        "UPDATE task SET result='{\"duration\":Infinity}' WHERE rowid = 1"
    ),
    "an event of no known status": execute("UPDATE event SET status = 'x', file_status = 'y'"),
    "an event that is not UTF-8": execute("UPDATE event SET owner = CAST(x'ff41' AS TEXT)"),
    "an emergency journal in a folder": replaced_by(Path.mkdir, "journal"),
    "an emergency journal in a pipe": replaced_by(make_pipe, "journal"),
    "an emergency journal of garbage": write(lambda old: b"\xa5" * len(old), "journal"),
    "an empty emergency journal": write(lambda _: b"", "journal"),
    "entries of other types": write(lambda old: slots() + old[len(slots()) :], "journal"),
    "a lock that is a folder": lambda state: (state / "procs" / "a.lock").mkdir(),
    "a lock that is a link to nothing": lambda state: (state / "procs" / "a.lock").symlink_to("b"),
    "a lock that is a loop": lambda state: loop(state / "procs" / "a.new"),
    "no locks at all": lambda state: shutil.rmtree(state / "procs"),
}


def damage_index(state: Path) -> None:
    """Overwrite the root page of the index by which a repeated request is found."""
    with closing(sqlite3.connect(ledger(state))) as db:
        ((root, size),) = db.execute(
            "SELECT rootpage, page_size FROM sqlite_master, pragma_page_size"
            " WHERE name = 'task_by_fingerprint'"
        ).fetchall()
    content = bytearray(ledger(state).read_bytes())
    content[(root - 1) * size : root * size] = b"\xa5" * size
    ledger(state).write_bytes(content)


def slots() -> bytes:
    """Entries as another program, or a failing disk, might leave them."""
    entries = (
        b'{"task_id": 5, "status": "pending", "at": 1.0}',
        b'{"task_id": "a", "status": "pending", "at": "x"}',
        b'{"task_id": "a", "status": "pending", "at": NaN}',
        b'{"task_id": "a", "status": "pending", "at": 1.0, "attempt": "one"}',
        b'{"task_id": "a", "status": "pending", "at": 1.0, "provider_task_id": [1]}',
        b'["a"]',
        b'{"task_id": "nobody", "status": "pending", "at": 1.0, "provider_task_id": "G7"}',
    )
    return b"".join(entry.ljust(SLOT_BYTES, b"\0") for entry in entries)


async def make_two_videos(world: World) -> list[str]:
    """Their ids, of a server that has ended."""
    async with world.client() as client:
        made = [
            structured(await call(client, "generate_video", prompt=prompt))["task_id"]
            for prompt in ("a hare", "a lynx")
        ]
        for task_id in made:
            await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
    shutil.copy(ledger(world.state), world.state / "copy")
    return made


@pytest.mark.parametrize("name", sample(REFUSED, every=3))
async def test_a_database_that_cannot_be_used_stops_the_start_and_is_left_as_it_is(
    tmp_path: Path, name: str
) -> None:
    world = World(tmp_path)
    await make_two_videos(world)
    REFUSED[name](world.state)
    before = fingerprint(world.state)

    for _ in range(2):
        with pytest.raises(StorageUnavailable) as refused:
            async with world.app():
                pass
        assert str(world.state) in refused.value.message
        assert "charged" not in refused.value.message, "no request was on its way"
        if "ledger.sqlite3" in refused.value.message and "journal" not in name:
            assert "restores it from a backup" in refused.value.message
            assert "does not know the tasks that were paid for" in refused.value.message
    assert fingerprint(world.state) == before
    assert world.service.charges == ["a hare", "a lynx"]


def fingerprint(state: Path) -> bytes:
    """The content of the database, if it is a file."""
    path = ledger(state)
    return path.read_bytes() if path.is_file() and path.stat().st_size else b""


@pytest.mark.parametrize("name", sample(SERVED, every=3))
async def test_damage_that_does_not_stop_the_start_is_told_and_stops_nothing_else(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path)
    made = await make_two_videos(world)
    SERVED[name](world.state)

    async with world.client() as client:
        fox = await call(client, "generate_video", prompt="a fox")
        await anyio.sleep(60)
        looks = [await call(client, "get_video_task", task_id=task_id) for task_id in made]
        listed = await call(client, "list_video_tasks")

    assert "failed:" not in caplog.text, "background work has met an error of no kind of ours"
    assert "Traceback" not in caplog.text
    if fox.is_error:
        assert "Nothing was charged." in text(fox)
        assert str(world.state) in text(fox)
        assert world.service.charges == ["a hare", "a lynx"]
    else:
        assert world.service.charges == ["a hare", "a lynx", "a fox"]
        assert fox.structured_content is not None
        assert rows(world, fox.structured_content["task_id"]) == 1
    for task_id, look in zip(made, looks, strict=True):
        whole = not look.is_error and structured(look)["task_status"] == "succeed"
        assert whole or task_id in text(look) or str(world.state) in text(look)
    assert not looks[1].is_error or name == "an index of garbage"
    assert not listed.is_error or str(world.state) in text(listed)
    assert looks[0].is_error == name.startswith(("a row", "a result"))
    if looks[0].is_error:
        assert made[0] in caplog.text


def rows(world: World, task_id: str) -> int:
    with closing(sqlite3.connect(ledger(world.state))) as db:
        ((count,),) = db.execute("SELECT count(*) FROM task WHERE id = ?", [task_id]).fetchall()
        return count


async def test_an_outcome_whose_task_is_not_in_the_database_is_logged_with_its_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As after moving a damaged database away: GeekAI's name still leads to the video."""
    world = World(tmp_path)
    await make_two_videos(world)
    outcome = Observation(status=Status.PENDING, at=1.0, provider_task_id="G7")
    Journal(world.state).write("a" * 32, outcome)
    ledger(world.state).unlink()

    async with world.client():
        await anyio.sleep(1)

    assert '"G7"' in caplog.text
    assert Journal(world.state).pending() == []


async def test_a_database_that_is_damaged_while_it_is_used_is_named_before_anything_is_paid(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    made = await make_two_videos(world)
    async with world.client() as client:
        await call(client, "get_video_task", task_id=made[0])
        content = ledger(world.state).read_bytes()
        with ledger(world.state).open("r+b") as file:  # the same file, as a failing disk
            file.seek(24)  # its change counter: the pages in memory are stale
            file.write(b"\xa5" * (len(content) - 24))
        refused = await call(client, "generate_video", prompt="a fox")
        look = await call(client, "get_video_task", task_id=made[0])
        with ledger(world.state).open("r+b") as file:
            file.write(content)
        again = await call(client, "generate_video", prompt="a fox")

    for result in (refused, look):
        assert result.is_error
        assert str(ledger(world.state)) in text(result)
        assert "is damaged" in text(result)
        assert "restores it from a backup" in text(result)
    assert "Nothing was charged." in text(refused)
    assert "charged." not in text(look)
    assert not again.is_error
    assert world.service.charges == ["a hare", "a lynx", "a fox"]


def replace_by_copy(path: Path) -> None:
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    copy.rename(path)


GONE: Final[dict[str, tuple[Callable[[Path], object], str]]] = {
    "its folder deleted": (shutil.rmtree, "was deleted or moved"),
    "its folder moved": (lambda state: state.rename(state.with_name("away")), "deleted or moved"),
    "its folder replaced by a file": (
        lambda state: (state.rename(state.with_name("away")), state.touch()),
        "cannot be reached",
    ),
    "deleted": (lambda state: ledger(state).unlink(), "was deleted or moved"),
    "replaced by a copy": (lambda state: replace_by_copy(ledger(state)), "was replaced"),
    "replaced by an empty file": (
        lambda state: (ledger(state).unlink(), ledger(state).touch()),
        "was replaced",
    ),
}


@pytest.mark.parametrize("name", sample(GONE, every=3))
async def test_a_database_that_goes_away_stops_new_requests_and_is_told_to_reads(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path)
    made = await make_two_videos(world)
    act, words = GONE[name]
    async with world.client() as client:
        await call(client, "get_video_task", task_id=made[0])
        act(world.state)
        refused = await call(client, "generate_video", prompt="a fox")
        look = await call(client, "get_video_task", task_id=made[0])
        listed = await call(client, "list_video_tasks")
        dry = await call(client, "generate_video", prompt="a fox", dry_run=True)
        await anyio.sleep(120)

    assert refused.is_error
    assert text(refused).count("Nothing was charged.") == 1
    for result in (look, listed, dry):
        assert result.is_error
        assert "charged." not in text(result)
    for result in (refused, look, listed, dry):
        assert words in text(result)
        assert str(world.state) in text(result)
    assert world.service.charges == ["a hare", "a lynx"]
    assert caplog.text.count(words) == 1, "the log says it once, and not at every sweep"
    assert "emergency journal is in the same folder" in caplog.text
    assert not (world.state / "procs").exists() or name in {
        *("deleted", "replaced by a copy", "replaced by an empty file")
    }, "the state folder is not made anew behind the operator's back"


async def test_a_folder_that_is_put_back_is_used_again_by_the_same_server(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path)
    made = await make_two_videos(world)
    away = tmp_path / "away"
    async with world.client() as client:
        world.state.rename(away)
        refused = await call(client, "generate_video", prompt="a fox")
        away.rename(world.state)
        started = structured(await call(client, "generate_video", prompt="a fox"))
        look = structured(await call(client, "get_video_task", task_id=made[0]))

    assert refused.is_error
    assert started["task_status"] == "pending"
    assert look["task_status"] == "succeed"
    assert world.service.charges == ["a hare", "a lynx", "a fox"]
    assert "is back" in caplog.text


async def test_an_outcome_that_finds_no_folder_is_in_the_message_and_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path)
    await make_two_videos(world)

    async def delete_folder(_: object) -> None:
        shutil.rmtree(world.state)

    async with world.client() as client:
        world.service.on_create = delete_folder
        lost = await call(client, "generate_video", prompt="a fox")

    name = list(world.service.jobs)[-1]
    assert lost.is_error
    assert "It may have been charged." in text(lost)
    for said in (text(lost), caplog.text):
        assert f'"{name}"' in said
    assert "the emergency journal" in caplog.text


async def test_a_server_whose_lock_file_is_removed_makes_it_again_before_it_pays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without it another server takes this one for dead, and its requests over."""
    world = World(tmp_path)
    async with world.client() as client, world.app() as other:
        shutil.rmtree(world.state / "procs")
        started = structured(await call(client, "generate_video", prompt="a fox"))
        locks = list((world.state / "procs").glob("*.lock"))
        processes = other.engine._context.processes  # pyright: ignore[reportPrivateUsage]
        alive = [processes.is_alive(lock.stem) for lock in locks]

    assert started["task_status"] == "pending"
    assert len(locks) >= 1
    assert all(alive)
    assert "lock file of this process was removed" in caplog.text


async def test_locks_that_cannot_be_made_again_stop_new_requests(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.client() as client:
        shutil.rmtree(world.state / "procs")
        (world.state / "procs").touch()
        refused = await call(client, "generate_video", prompt="a fox")
        (world.state / "procs").unlink()
        started = await call(client, "generate_video", prompt="a fox")

    assert refused.is_error
    assert str(world.state / "procs") in text(refused)
    assert "GEEKAI_STATE_DIR" in text(refused)
    assert "Nothing was charged." in text(refused)
    assert not started.is_error
    assert world.service.charges == ["a fox"]


DIE_BEFORE_NAME: Final = """
import os, sys
from pathlib import Path
from geekai_video_mcp.ledger.sqlite.database import SqliteDatabase
os.link = lambda *_: os._exit(9)
SqliteDatabase(Path(sys.argv[1]))
"""
DIE_AFTER_NAME: Final = """
import os, sys
from pathlib import Path
from geekai_video_mcp.ledger.sqlite.database import SqliteDatabase
link = os.link
def link_and_die(*names):
    link(*names)
    os._exit(9)
os.link = link_and_die
SqliteDatabase(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("code", [DIE_BEFORE_NAME, DIE_AFTER_NAME])
async def test_a_server_killed_while_it_creates_the_database_leaves_a_folder_that_works(
    tmp_path: Path, code: str
) -> None:
    world = World(tmp_path)
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code, str(world.state)], check=False, timeout=50
    )
    (leftover,) = world.state.glob("*.new")
    os.utime(leftover, (0, 0))
    async with world.client() as client:
        started = await call(client, "generate_video", prompt="a fox")

    assert done.returncode == 9
    assert not started.is_error
    assert not list(world.state.glob("*.new*"))
    assert world.service.charges == ["a fox"]


async def test_one_entry_or_row_that_is_damaged_holds_up_no_other_outcome(tmp_path: Path) -> None:
    """The emergency journal has the outcome of three dead requests; two of them are unreadable."""
    world = World(tmp_path)
    torn, odd, whole = [await leave_task(world, sending=True) for _ in range(3)]
    journal = Journal(world.state)
    for task, name in ((torn, "G1"), (odd, "G2"), (whole, "G3")):
        outcome = Observation(status=Status.PENDING, at=1.0, provider_task_id=name)
        journal.write(task.id, replace(outcome, owner="dead", attempt=1))
    content = (world.state / "journal").read_bytes()
    (world.state / "journal").write_bytes(
        content.replace(b'"at": 1.0', b'"at": "x"', 2).replace(b'"at": "x"', b'"at": 1.0', 1)
    )
    execute(f"UPDATE task SET request = '{{' WHERE id = '{torn.id}'")(world.state)  # noqa: S608

    async with world.client() as client:
        await anyio.sleep(60)
        looks = [
            await call(client, "get_video_task", task_id=task.id) for task in (torn, odd, whole)
        ]
        same = await call(client, "generate_video", prompt="a fox")
        other = await call(client, "generate_video", prompt="a hare")

    assert torn.id in text(looks[0])
    assert "repairs the row" in text(looks[0])
    assert structured(looks[1])["task_status"] == "unknown"
    assert world.provider_id(whole.id) == "G3"
    assert [entry.task_id for entry in journal.pending()] == [torn.id], "kept until it is repaired"
    assert same.is_error, "the damaged row may be this very request"
    assert torn.id in text(same)
    assert "Nothing was charged." in text(same)
    assert not other.is_error
    assert world.service.charges == ["a hare"]
