"""A state folder of an earlier version in the hands of real processes."""

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from geekai_video_mcp.cli.for_people import for_person
from support import earlier
from support.mp4 import probe
from support.process import run_cli, running_server, stdio
from support.world import call, structured

SANDBOXED = "hold: a fox in the snow"
"""The prompt of the task that its sandbox was rendering when its process died."""


def words(row: earlier.Row) -> Iterator[str]:
    """What a page about this task has to hold, of its columns."""
    for name in ("id", "status", "model", "provider_task_id", "error_code", "file_path"):
        if row[name] is not None:
            yield row[name]
    for name in ("created_at", "submitted_at", "ended_at", "stale_since"):
        if row[name] is not None:
            yield f"{datetime.fromtimestamp(row[name], UTC):%Y-%m-%d %H:%M:%S} UTC"
    if row["error_message"]:
        yield for_person(row["error_message"])
    for value in json.loads(row["request"]).values():
        if isinstance(value, str) and not value.startswith("data:"):
            yield value


@pytest.mark.exhaustive
async def test_every_task_is_shown_to_a_person_with_what_stands_in_its_columns(
    tmp_path: Path,
) -> None:
    earlier.restore_state_folder(tmp_path)
    before = earlier.task_rows(tmp_path)
    limit = anyio.Semaphore(2)

    async def show(row: earlier.Row) -> None:
        async with limit:
            status, out, err = await run_cli(tmp_path, "tasks", "show", row["id"], COLUMNS="4000")
        assert (status, err) == (0, "")
        assert [word for word in words(row) if word not in out] == []

    row_by_state = {row["status"] + row["file_status"]: row for row in before.values()}
    async with anyio.create_task_group() as group:
        for row in row_by_state.values():
            group.start_soon(show, row)

    assert len(row_by_state) == 11
    assert earlier.task_rows(tmp_path) == before


async def test_every_task_is_exported_with_what_stands_in_its_columns(tmp_path: Path) -> None:
    earlier.restore_state_folder(tmp_path)
    status, out, err = await run_cli(tmp_path, "tasks", "export")
    exported = {row["id"]: row for row in csv.DictReader(io.StringIO(out))}

    assert (status, err) == (0, "")
    for row in earlier.task_rows(tmp_path).values():
        names = ("provider_task_id", "status", "model", "file_path", "file_bytes", "error_code")
        found = {name: exported[row["id"]][name] for name in names}
        assert found == {name: "" if row[name] is None else str(row[name]) for name in names}
        assert exported[row["id"]]["sha256"] == (row["file_sha256"] or "")
        assert exported[row["id"]]["prompt"] == json.loads(row["request"]).get("prompt", "")


@pytest.mark.exhaustive
async def test_a_preview_that_was_being_rendered_is_rendered_and_fetched(tmp_path: Path) -> None:
    earlier.restore_state_folder(tmp_path)
    task_id = earlier.task_rows(tmp_path)[SANDBOXED]["id"]
    async with stdio(tmp_path) as client:
        done = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))
    found = probe(Path(done["file"]))

    assert (done["task_status"], done["sandbox"]) == ("succeed", True)
    assert (found.width, found.height, found.seconds) == (320, 180, 1.0)
    row = earlier.task_rows(tmp_path)[SANDBOXED]
    assert (row["status"], row["file_status"], row["attempt"]) == ("succeed", "stored", 1)


async def test_what_another_key_had_under_way_is_unknown_to_whoever_comes(tmp_path: Path) -> None:
    """Nobody needs the key for that; what it was told before stands in the journal."""
    earlier.restore_state_folder(tmp_path)
    path = tmp_path / "state" / "ledger.sqlite3"
    async with running_server(tmp_path) as server:
        with anyio.fail_after(30), closing(sqlite3.connect(path)) as db:
            query = "SELECT count(*) FROM task WHERE status IN ('intended', 'submitting')"
            while db.execute(query).fetchone()[0]:
                await server.call("list_video_tasks", limit=1)
    after = {
        prompt: (row["status"], row["provider_task_id"])
        for prompt, row in earlier.task_rows(tmp_path).items()
    }

    accepted, _ = (kept["note"] for kept in earlier.journal_notes())
    assert after["a fox, under way"] == ("unknown", None)
    assert after["a fox, noted answer"] == ("pending", accepted["provider_task_id"])
    assert after["a fox, noted refusal"] == ("rejected", None)
    # Too old by the real clock to be sent by anyone.
    assert after["a fox, intended"] == ("rejected", None)
