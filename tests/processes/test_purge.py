"""`tasks purge`: what is deleted leaves no trace, and everything else stays as it is."""

import sqlite3
import sys
import time
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from geekai_video_mcp.domain.sidecars import encode_sidecar
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.tasks import FileUpdate, Observation, Task, new_task
from geekai_video_mcp.ledger.journal import Journal
from support.ledgers import record_tasks
from support.process import run_cli, stdio
from support.world import call, structured

DAY = 86_400.0
CANARY = "zebra-canary"
VIDEO = b"not really a video"


def task(prompt: str, *, tenant: str = "alice", age: float = 3 * DAY, **changes: Any) -> Task:  # noqa: ANN401 - any field's own type
    """A task that failed some days ago."""
    at = time.time() - age
    made = new_task(
        request={"model": "m", "prompt": prompt}, account="s", owner="gone", at=at, tenant=tenant
    )
    usual = {"status": Status.FAILED, "attempt": 1, "ended_at": at + 60, "error_code": "x"}
    return replace(made, **{**usual, **changes})


def stored(folder: Path, prompt: str, **changes: Any) -> Task:  # noqa: ANN401 - any field's own type
    """A task whose file is in the tenant's folder."""
    made = task(prompt, **changes)
    path = folder / "videos" / "tenants" / made.tenant / f"{prompt}-{made.id[:8]}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(VIDEO)
    return replace(
        made,
        status=Status.SUCCEED,
        error_code=None,
        file_status=FileStatus.STORED,
        file_path=str(path),
        file_bytes=len(VIDEO),
        file_sha256=sha256(VIDEO).hexdigest(),
    )


def recorded(folder: Path) -> set[str]:
    with closing(sqlite3.connect(folder / "state" / "ledger.sqlite3")) as db:
        return {row[0] for row in db.execute("SELECT id FROM task")}


def traces(folder: Path, text: str) -> list[str]:
    """Every file under the folder that has the text in it or in its name."""
    wanted = text.encode()
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if text in path.name or (path.is_file() and wanted in path.read_bytes())
    ]


async def purge(folder: Path, *options: str) -> tuple[int, str, str]:
    return await run_cli(folder, "tasks", "purge", "--tenant", "alice", *options)


async def test_nothing_of_a_purged_task_is_left_in_any_folder(tmp_path: Path) -> None:
    gone = [stored(tmp_path, f"{CANARY}-{number}") for number in range(5)]
    failed = task(f"{CANARY} {'long ' * 3000}", error_message=f"{CANARY} is refused")
    await record_tasks(tmp_path / "state", *gone, failed)
    db = tmp_path / "state" / "ledger.sqlite3"
    with closing(sqlite3.connect(db)) as disk, disk:
        disk.execute("PRAGMA secure_delete=OFF")
        content = f'{{"image": "{CANARY}"}}'
        disk.execute("INSERT INTO body VALUES (?, ?, 'alice')", [failed.id, content])
        # What a server deletes once it is sent leaves traces in the file itself.
        disk.execute("INSERT INTO body VALUES ('sent', ?, 'alice')", [f"{CANARY} " * 9000])
        disk.execute("DELETE FROM body WHERE task_id = 'sent'")
    Journal(tmp_path / "state").write(
        gone[0].id, Observation(status=Status.FAILED, at=1.0, error_message=CANARY)
    )
    (Path(str(gone[1].file_path)).parent / f".{gone[1].id}.part").write_bytes(CANARY.encode())
    assert len(traces(tmp_path, CANARY)) >= 7

    status, out, err = await purge(tmp_path, "--yes")

    assert (status, err) == (0, "")
    assert "6 tasks of alice" in out
    assert "Deleted 6 tasks and 5 files." in out
    assert traces(tmp_path, CANARY) == []
    for each in (*gone, failed):
        assert traces(tmp_path, each.id) == []
    assert recorded(tmp_path) == set()


async def test_what_may_still_matter_stays(tmp_path: Path) -> None:
    parent = stored(tmp_path, "a parent")
    waiting = replace(task("a child", status=Status.WAITING, ended_at=None), waits_for=(parent.id,))
    staying = [
        parent,
        waiting,
        task("unknown", status=Status.UNKNOWN),
        task("running", status=Status.RUNNING, ended_at=None),
        task("young", age=DAY - 600),
        stored(tmp_path, "bobs", tenant="bob"),
        task("the operator's", tenant="local"),
    ]
    going = task("an old one")
    await record_tasks(tmp_path / "state", *staying, going)
    before = {path: path.read_bytes() for path in (tmp_path / "videos").rglob("*.mp4")}

    status, out, _ = await purge(tmp_path, "--yes")

    assert status == 0
    assert recorded(tmp_path) == {each.id for each in staying}
    assert {path: path.read_bytes() for path in (tmp_path / "videos").rglob("*.mp4")} == before
    assert "1 of unknown outcome" in out
    assert "1 of the last 24 hours" in out


async def test_only_what_was_made_before_the_day_is_deleted(tmp_path: Path) -> None:
    older, newer = task("older", age=40 * DAY), task("newer", age=20 * DAY)
    await record_tasks(tmp_path / "state", older, newer)
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 30 * DAY))

    status, out, _ = await purge(tmp_path, "--before", day, "--yes")

    assert status == 0
    assert recorded(tmp_path) == {newer.id}
    assert "1 of a later day" in out
    status, _, err = await purge(tmp_path, "--before", "yesterday", "--yes")
    assert status == 2
    assert "2026-11-26" in err


async def test_nothing_is_deleted_unless_a_person_agrees(tmp_path: Path) -> None:
    made = stored(tmp_path, "a fox")
    await record_tasks(tmp_path / "state", made)

    status, out, err = await purge(tmp_path)

    assert status == 1
    assert "1 task of alice" in out
    assert "--yes" in err
    assert recorded(tmp_path) == {made.id}
    assert Path(str(made.file_path)).exists()


@pytest.mark.parametrize("change", ["other bytes", "a link"])
async def test_a_file_that_was_changed_is_left_and_named(tmp_path: Path, change: str) -> None:
    made = stored(tmp_path, "a fox")
    await record_tasks(tmp_path / "state", made)
    path, outside = Path(str(made.file_path)), tmp_path / "outside"
    outside.write_bytes(VIDEO)
    if change == "other bytes":
        path.write_bytes(b"mine")
    else:
        path.unlink()
        path.symlink_to(outside)

    status, _, err = await purge(tmp_path, "--yes")

    assert status == 1
    assert str(path) in err
    assert path.exists()
    assert outside.read_bytes() == VIDEO
    assert recorded(tmp_path) == set()


async def test_a_preview_is_deleted_from_the_sandbox_as_well(tmp_path: Path) -> None:
    small = {"size": "320x180", "duration": 1, "fps": 12}
    async with stdio(tmp_path) as client:
        made = structured(await call(client, "generate_video", prompt=CANARY, **small))
        task_id = made["task_id"]
        done = await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
        assert Path(structured(done)["file"]).exists()
    with closing(sqlite3.connect(tmp_path / "state" / "ledger.sqlite3")) as disk, disk:
        disk.execute("UPDATE task SET created_at = created_at - ?", [3 * DAY])
    assert any(each.startswith("state/sandbox/tasks") for each in traces(tmp_path, CANARY))

    status, out, err = await run_cli(tmp_path, "tasks", "purge", "--yes")

    assert (status, err) == (0, "")
    assert "Deleted 1 task and 1 file." in out
    assert traces(tmp_path, CANARY) == []


def contents(folder: Path, *but: str) -> dict[str, bytes]:
    """Every file under the folder, without those of the database."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in paths
        if not path.name.startswith("ledger.sqlite3") and path.name not in but
    }


def rows(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of the database, but the one that keeps the last event's number."""
    with closing(sqlite3.connect(folder / "state" / "ledger.sqlite3")) as db:
        names = [
            name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        found = {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in names}  # noqa: S608 - its own names
    found["event"] = [event for event in found["event"] if event[2]]
    return found


async def test_whatever_was_not_purged_is_left_byte_for_byte(tmp_path: Path) -> None:
    staying = [
        stored(tmp_path, "a young one", age=DAY - 600),
        task("unknown", status=Status.UNKNOWN),
        stored(tmp_path, "bobs", tenant="bob"),
        task("the operator's", tenant="local"),
    ]
    async with stdio(tmp_path):  # a server makes what a state folder has
        pass
    await record_tasks(tmp_path / "state", *staying)
    Journal(tmp_path / "state").write(
        staying[1].id, Observation(status=Status.UNKNOWN, at=1.0, error_message="stays")
    )
    for name in ("http-token", "tokens.json.old", "sandbox/tasks/other/task.json", "server.log"):
        path = tmp_path / "state" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"somebody's")
    files, before = contents(tmp_path), rows(tmp_path)
    going = [stored(tmp_path, f"{CANARY}-{number}") for number in range(3)]
    await record_tasks(tmp_path / "state", *going)

    status, _, err = await purge(tmp_path, "--yes")

    assert (status, err) == (0, "")
    assert traces(tmp_path, CANARY) == []
    assert contents(tmp_path) == files
    assert rows(tmp_path) == before


async def test_a_purge_beside_a_running_server_leaves_no_trace_in_its_files(tmp_path: Path) -> None:
    stays = task("a fox", tenant="bob")
    async with stdio(tmp_path) as client:
        await call(client, "list_video_tasks")  # which opens the database
        await record_tasks(
            tmp_path / "state", stays, *(task(CANARY, age=9 * DAY) for _ in range(9))
        )
        assert traces(tmp_path, CANARY) == ["state/ledger.sqlite3"]

        status, _, err = await purge(tmp_path, "--yes")

        assert (status, err) == (0, "")
        assert traces(tmp_path, CANARY) == []
        assert structured(await call(client, "list_video_tasks"))["tasks"] == []
    assert traces(tmp_path, CANARY) == []
    assert recorded(tmp_path) == {stays.id}


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are POSIX's here")
@pytest.mark.parametrize(("answer", "left"), [("yes", 0), ("y", 1), ("", 1)])
async def test_a_person_at_a_terminal_is_asked_first(
    tmp_path: Path, answer: str, left: int
) -> None:
    from support.pty_output import run_in_terminal  # noqa: PLC0415 - POSIX's

    await record_tasks(tmp_path / "state", task(CANARY, tenant="local"))

    command = ("tasks", "purge", "--before", "2100-01-01")
    status, shown = await anyio.to_thread.run_sync(
        lambda: run_in_terminal(tmp_path, *command, typed=f"{answer}\n")
    )

    assert b"1 task will be deleted for good" in shown
    assert shown.index(b"will be deleted") < shown.index(b"Type yes to continue:")
    assert max(map(len, shown.splitlines())) <= 80
    assert (status, len(recorded(tmp_path))) == (left, left)
    assert (b"Nothing was changed." in shown) == bool(left)


def age_task(folder: Path, task_id: str) -> None:
    """Let the task be three days old."""
    with closing(sqlite3.connect(folder / "state" / "ledger.sqlite3")) as disk, disk:
        statement = "UPDATE task SET created_at = created_at - ? WHERE id = ?"
        disk.execute(statement, [3 * DAY, task_id])


def leave_parts(folder: Path, task_id: str) -> list[Path]:
    """What processes that died have left of a download, a sidecar and a picture of the task."""
    names = [
        f".{task_id}.part",
        f".{task_id}.part.json",
        f".{task_id}-01234567.part",
        f".{task_id[:8]}{'0a' * 12}-89abcdef.part",
    ]
    for name in names:
        (folder / name).write_bytes(f"{CANARY} of {task_id}".encode())
    return [folder / name for name in names]


async def test_none_of_a_tasks_files_is_left_and_every_other_is_as_it_was(tmp_path: Path) -> None:
    small = {"size": "320x180", "duration": 1, "fps": 12}
    results = list[dict[str, Any]]()
    async with stdio(tmp_path) as client:
        for prompt in (CANARY, "a fox"):
            made = structured(await call(client, "generate_video", prompt=prompt, **small))
            wait = {"task_id": made["task_id"], "wait_seconds": 45}
            results.append(structured(await call(client, "get_video_task", **wait)))
    await run_cli(tmp_path, "gallery")
    gone, kept = results
    path, output = Path(gone["file"]), tmp_path / "videos"
    going = [path, path.with_suffix(".json"), path.with_suffix(".frames.jpg")]
    assert all(each.exists() for each in going)
    going += [*leave_parts(output, gone["task_id"]), output / "gallery.html"]
    leave_parts(output, kept["task_id"])
    short = gone["task_id"][:8]
    # What people put there, also under names that are much like ours.
    (output / f"{path.stem}.txt").write_bytes(b"notes")
    (output / f"{path.stem}.cover.jpg").write_bytes(b"a picture of another program")
    (output / f"notes-{short}.json").write_bytes(b'{"program": "another"}')
    (output / f"{short}-sketch.frames.jpg").write_bytes(going[2].read_bytes())
    (output / "album").mkdir()
    (output / "album" / path.name).write_bytes(path.read_bytes())
    (output / f".{short}.part").write_bytes(b"of another program")
    before = {each: each.read_bytes() for each in output.rglob("*") if each.is_file()}
    age_task(tmp_path, gone["task_id"])

    status, out, err = await run_cli(tmp_path, "tasks", "purge", "--yes")

    assert (status, err) == (0, "")
    assert "Deleted 1 task and 1 file." in out
    assert "The gallery" in out
    after = {each: each.read_bytes() for each in output.rglob("*") if each.is_file()}
    assert after == {each: content for each, content in before.items() if each not in going}
    assert recorded(tmp_path) == {kept["task_id"]}
    with_name = [output / f"{path.stem}.txt", output / f"{path.stem}.cover.jpg", output / "album"]
    assert {tmp_path / each for each in traces(tmp_path, CANARY)} <= {
        *with_name,
        output / "album" / path.name,
        *leave_parts(output, kept["task_id"]),
    }


async def test_what_a_crash_has_left_of_a_task_without_a_file_is_found_by_its_id(
    tmp_path: Path,
) -> None:
    failed = task(CANARY, tenant="local")
    await record_tasks(tmp_path / "state", failed)
    output = tmp_path / "videos"
    output.mkdir()
    short = failed.id[:8]
    update = FileUpdate(status=FileStatus.STORED, size_bytes=1, sha256="0" * 64)
    (output / f"{CANARY}-{short}.json").write_bytes(
        encode_sidecar(failed, update, file_name=f"{CANARY}-{short}.mp4")
    )
    comment = b"geekai-video-mcp picture 1 {}"
    picture = b"\xff\xd8\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + b"pixels"
    (output / f"{CANARY}-{short}-2.frames.jpg").write_bytes(picture)
    leave_parts(output, failed.id)
    # Another task's, whose prompt has these digits in it.
    other = output / f"like-{short}-0123abcd.frames.jpg"
    other.write_bytes(picture)

    status, _, err = await run_cli(tmp_path, "tasks", "purge", "--yes")

    assert (status, err) == (0, "")
    assert [*output.iterdir()] == [other]
    assert traces(tmp_path, CANARY) == []


@pytest.mark.parametrize("change", ["changed", "no JSON any more"])
async def test_a_sidecar_that_was_changed_is_left_and_named(tmp_path: Path, change: str) -> None:
    made = stored(tmp_path, "a fox")
    await record_tasks(tmp_path / "state", made)
    path = Path(str(made.file_path)).with_suffix(".json")
    update = FileUpdate(status=FileStatus.STORED, size_bytes=1, sha256="0" * 64)
    content = encode_sidecar(made, update, file_name="a fox.mp4")
    content = content.replace(b"a fox", b"my fox") if change == "changed" else content[:-3]
    path.write_bytes(content)

    status, _, err = await purge(tmp_path, "--yes")

    assert status == 1
    assert f"{path} was left" in err
    assert path.read_bytes() == content
    assert not Path(str(made.file_path)).exists()


async def test_a_gallery_that_was_changed_is_left_and_named(tmp_path: Path) -> None:
    made = stored(tmp_path, "a fox")
    await record_tasks(tmp_path / "state", made)
    assert (await run_cli(tmp_path, "gallery", "--tenant", "alice"))[0] == 0
    page = Path(str(made.file_path)).parent / "gallery.html"
    page.write_bytes(page.read_bytes().replace(b"a fox", b"my fox"))

    status, _, err = await purge(tmp_path, "--yes")

    assert status == 1
    assert f"{page} shows some of them" in err
    assert page.exists()


async def test_a_gallery_of_other_tasks_stays(tmp_path: Path) -> None:
    kept = stored(tmp_path, "a fox", age=DAY / 2)
    going = task("an old one")
    await record_tasks(tmp_path / "state", kept, going)
    assert (await run_cli(tmp_path, "gallery", "--tenant", "alice"))[0] == 0

    status, _, _ = await purge(tmp_path, "--yes")

    assert status == 0
    assert recorded(tmp_path) == {kept.id}
    assert (Path(str(kept.file_path)).parent / "gallery.html").exists()
