"""A state folder of an earlier version is opened, and every task in it goes on.

`support.earlier` lays the folder out; what stands in it is compared by the names of its
columns and JSON keys, which never change: another server of that version may be running.
"""

import json
import sqlite3
import sys
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from support import earlier
from support.earlier import ELSEWHERE, Row, holding_process_lock, select, task_rows
from support.fake_geekai import STILL, VIDEO, always_answer
from support.result_host import ResultHost
from support.sampling import sample
from support.world import EPOCH, World, call, structured, text

SETTLED = {
    "一只狐狸, stored": "succeed",
    "a fox, stored": "succeed",
    "a fox, lost": "succeed",
    "a fox, failed": "failed",
    "a fox, rejected": "failed",
    "a fox, abandoned": "failed",
    "a fox, unknown": "unknown",
}
"""Tasks that nothing moves any more, and how each is shown."""
UNFINISHED = {
    "a fox, pending": "pending",
    "a fox, running, unheard": "running",
    ELSEWHERE: "running",
    "a fox, half fetched": "succeed",
    "a fox, under way": "submitting",
    "a fox, noted answer": "submitting",
    "a fox, noted refusal": "submitting",
    "a fox, asked to wait": "intended",
    "a fox, intended": "intended",
}
"""Tasks that somebody has to go on with, and the status of each in the ledger."""
REAL = {"model": "cogvideox-3", "duration": 5, "size": "1280x720"}
"""The settings of most requests in it."""
BLOCKED_UNTIL = EPOCH + 17
"""The service had answered 429, and asked to be left alone until then."""
posix = pytest.mark.skipif(sys.platform == "win32", reason="a lock is held as POSIX holds it")


@pytest.fixture
def world(tmp_path: Path, virtual_time: None) -> World:
    """The folder of the earlier version, and the service that it had paid."""
    del virtual_time
    earlier.restore_state_folder(tmp_path)
    world = World(tmp_path, account=earlier.SERVICE)
    earlier.add_charged_jobs(world.service)
    return world


def requests(world: World, method: str) -> list[httpx.Request]:
    return [request for request in world.service.requests if request.method == method]


def sent_prompts(world: World) -> list[str]:
    """The prompts that were sent since the folder was opened."""
    return [json.loads(request.content)["prompt"] for request in requests(world, "POST")]


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


# What stands in the folder


def test_the_folder_holds_a_task_in_every_status_and_a_value_in_every_column(
    world: World,
) -> None:
    tasks = task_rows(world.folder).values()

    assert {row["status"] for row in tasks} == {
        "intended",
        "submitting",
        "pending",
        "running",
        "succeed",
        "failed",
        "rejected",
        "unknown",
        "abandoned",
    }
    assert {row["file_status"] for row in tasks if row["status"] == "succeed"} == {
        "none",
        "stored",
        "lost",
    }
    filled = {name for row in tasks for name, value in row.items() if value is not None}
    assert filled == set(next(iter(tasks)))
    assert len(select(world.folder, "SELECT * FROM body")) == 2
    assert select(world.folder, "PRAGMA user_version") == [{"user_version": 3}]


# Read back exactly


def expected(row: Row) -> dict[str, Any]:
    """What `get_video_task` tells of these columns, under its published names."""
    facts: dict[str, Any] = {
        "task_id": row["id"],
        "model": row["model"],
        "file": row["file_path"],
    }
    lost = row["file_status"] == "lost"
    if lost or row["error_code"]:
        facts["provider_task_id"] = row["provider_task_id"]
    result = json.loads(row["result"] or "null")
    if result and row["media"] == "video":
        facts["duration"] = None if lost else result.pop("duration")
        result |= {"url": None} if lost else {}
        result.pop("duration", None)
        facts["video_result"] = {name: value for name, value in result.items() if value is not None}
    elif result:
        facts["data"] = [{"url": result["url"], "revised_prompt": result["revised_prompt"]}]
    return {name: value for name, value in facts.items() if value is not None}


async def test_nothing_is_known_of_the_files_of_an_earlier_version(world: World) -> None:
    async with world.app(sweep=False) as app:
        tasks = await app.engine.list_tasks(limit=100)
        found = await app.engine.list_tasks(limit=100, query=tasks[0].id[:8])

    stored = [task for task in tasks if task.file_status == "stored"]
    assert stored
    for task in stored:
        assert task.file_path is not None
        assert (task.file_seconds, task.file_width, task.file_height) == (None, None, None)
        assert (task.file_fps, task.file_has_sound) == (None, None)
    assert {task.price_cny for task in tasks} == {None}
    assert [task.id for task in found] == [tasks[0].id]


@pytest.mark.parametrize("prompt", sample(SETTLED, every=3))
async def test_a_finished_task_is_shown_with_all_its_facts(world: World, prompt: str) -> None:
    row = task_rows(world.folder)[prompt]
    async with world.client() as client:
        shown = await call(client, "get_video_task", task_id=row["id"], wait_seconds=0)

    facts = expected(row)
    assert {name: structured(shown).get(name) for name in facts} == facts
    assert structured(shown)["task_status"] == SETTLED[prompt]
    assert shown.is_error is (SETTLED[prompt] != "succeed" or row["file_status"] == "lost")
    if reason := row["file_problem"] if row["file_status"] == "lost" else row["error_message"]:
        assert reason in structured(shown)["error"]["message"]
        assert reason in text(shown)
    if row["file_status"] == "stored":
        assert Path(structured(shown)["file"]).read_bytes() in {VIDEO, STILL}
    assert sent_prompts(world) == []


@pytest.mark.parametrize("prompt", sample(SETTLED, every=3))
async def test_a_task_that_is_written_again_is_the_same_in_every_column(
    world: World, prompt: str
) -> None:
    before = task_rows(world.folder)[prompt]
    # As if nobody had been told how it ended: that a caller is told now writes the whole row.
    select(world.folder, "UPDATE task SET delivered_at = NULL WHERE id = ?", before["id"])
    async with world.client() as client:
        await call(client, "get_video_task", task_id=before["id"], wait_seconds=0)
    after = task_rows(world.folder)[prompt]

    assert after["delivered_at"] == pytest.approx(EPOCH, abs=1)
    assert {**after, "delivered_at": None} == {**before, "delivered_at": None}


@pytest.mark.parametrize(
    "prompt", ["a fox, pending", "a fox, running, unheard", ELSEWHERE, "a fox, half fetched"]
)
async def test_a_running_task_is_shown_as_it_was_left(world: World, prompt: str) -> None:
    """Before anything new is learned of it: nothing may be sent for a while."""
    row = task_rows(world.folder)[prompt]
    world.service.on_file = always_answer(httpx.Response(503))
    async with world.client() as client:
        shown = await call(client, "get_video_task", task_id=row["id"], wait_seconds=0)

    facts = expected(row)
    assert {name: structured(shown).get(name) for name in facts} == facts
    assert structured(shown)["task_status"] == UNFINISHED[prompt]
    stale_since = structured(shown).get("stale_since")
    assert stale_since == (iso(row["stale_since"]) if row["stale_since"] else None)
    if not row["ended_at"]:
        assert structured(shown)["elapsed_seconds"] == round(EPOCH - row["created_at"])
    if row["file_problem"]:
        assert row["file_problem"] in text(shown)


async def test_every_task_is_listed_as_it_stands_in_its_columns(world: World) -> None:
    before = list(task_rows(world.folder).values())
    async with world.client() as client:
        page = structured(await call(client, "list_video_tasks", limit=50))

    newest_first = sorted(before, key=lambda row: (row["created_at"], row["id"]), reverse=True)
    facts = [
        {
            "task_id": row["id"],
            "media": row["media"],
            "model": row["model"],
            "prompt": json.loads(row["request"]).get("prompt", ""),
            "created_at": iso(row["created_at"]),
            "sandbox": row["service"] != earlier.SERVICE,
        }
        for row in newest_first
    ]
    assert [{name: task[name] for name in facts[0]} for task in page["tasks"]] == facts


# Each goes on


async def test_what_had_not_left_is_sent_once_as_it_was_and_when_the_service_allows_it(
    world: World,
) -> None:
    bodies = {
        row["task_id"]: json.loads(row["content"])
        for row in select(world.folder, "SELECT * FROM body")
    }
    before = task_rows(world.folder)
    async with world.client(), world.client():
        await anyio.sleep(90)
    after = task_rows(world.folder)

    unsent = ["a fox, asked to wait", "a fox, intended"]
    assert sorted(sent_prompts(world)) == unsent
    charged = {job.body["prompt"]: job for job in world.service.jobs.values()}
    assert charged["a fox, intended"].body == bodies[before["a fox, intended"]["id"]]
    assert len(charged["a fox, intended"].body["image"]) > 1024
    for prompt in unsent:
        assert charged[prompt].charged_at >= BLOCKED_UNTIL
        assert after[prompt]["attempt"] == before[prompt]["attempt"] + 1
        assert after[prompt]["submitted_at"] == pytest.approx(charged[prompt].charged_at, abs=1)
        assert (after[prompt]["status"], after[prompt]["file_status"]) == ("succeed", "stored")
    kept = select(world.folder, "SELECT task_id FROM body")
    assert kept == [{"task_id": before["a fox, unknown"]["id"]}]


async def test_what_had_not_left_and_nobody_expects_any_more_is_not_sent(world: World) -> None:
    world.clock_is_ahead = 3600
    async with world.client():
        await anyio.sleep(60)
    after = task_rows(world.folder)

    assert sent_prompts(world) == []
    for prompt in ("a fox, asked to wait", "a fox, intended"):
        assert after[prompt]["status"] == "rejected"
        assert after[prompt]["error_code"] == "orphaned"
        assert "Nothing was charged." in after[prompt]["error_message"]


async def test_what_the_journal_kept_is_what_became_of_the_request(world: World) -> None:
    accepted, refused = (kept["note"] for kept in earlier.journal_notes())
    looked_at: list[float] = []

    async def record(request: httpx.Request) -> None:
        if request.url.path.endswith(accepted["provider_task_id"]):
            looked_at.append(world.service.clock())

    world.service.on_poll = record
    async with world.client() as client:
        await anyio.sleep(60)
        done = structured(await call(client, "get_video_task", task_id=accepted["task_id"]))
        failed = structured(await call(client, "get_video_task", task_id=refused["task_id"]))
    after = {row["id"]: row for row in task_rows(world.folder).values()}

    assert world.provider_id(done["task_id"]) == accepted["provider_task_id"]
    assert Path(done["file"]).read_bytes() == VIDEO
    # Not before the service's own estimate, which stands in the note.
    assert looked_at[0] >= accepted["at"] + accepted["estimated_seconds"]
    assert failed["error"]["code"] == refused["error_code"]
    assert refused["error_message"] in failed["error"]["message"]
    assert after[refused["task_id"]]["status"] == "rejected"
    assert after[refused["task_id"]]["ended_at"] == refused["at"]
    assert not {"a fox, noted answer", "a fox, noted refusal"} & set(sent_prompts(world))
    assert (world.state / "journal").read_bytes() == bytes(earlier.JOURNAL_BYTES)


async def test_what_was_under_way_and_left_no_note_is_unknown_and_never_sent_again(
    world: World,
) -> None:
    async with world.client() as client:
        await anyio.sleep(60)
        arguments = {**REAL, "prompt": "a fox, under way", "idempotency_key": "shot 4"}
        again = await call(client, "generate_video", **arguments)
    row = task_rows(world.folder)["a fox, under way"]

    assert (row["status"], row["error_code"]) == ("unknown", "orphaned")
    assert "It may have been charged." in row["error_message"]
    assert structured(again)["deduplicated"]
    assert structured(again)["task_id"] == row["id"]
    assert "a fox, under way" not in sent_prompts(world)


@pytest.mark.parametrize("prompt", ["a fox, pending", "a fox, running, unheard", ELSEWHERE])
async def test_what_was_accepted_is_followed_to_its_file(world: World, prompt: str) -> None:
    before = task_rows(world.folder)[prompt]
    async with world.client() as client:
        done = structured(
            await call(client, "get_video_task", task_id=before["id"], wait_seconds=45)
        )
    after = task_rows(world.folder)[prompt]

    media = before["media"]
    assert Path(done["file"]).read_bytes() == (VIDEO if media == "video" else STILL)
    assert (after["status"], after["file_status"]) == ("succeed", "stored")
    assert after["looks"] > before["looks"]
    assert after["watcher"] != before["watcher"]
    assert after["stale_since"] is None
    assert after["next_look_at"] is None
    changing = {"status", "result", "ended_at", "looks", "watcher", "watched_until"}
    changing |= {"stale_since", "next_look_at", "delivered_at"}
    changing |= {name for name in before if name.startswith("file_")}
    stays = set(before) - changing
    assert {name: after[name] for name in stays} == {name: before[name] for name in stays}


async def test_a_partial_download_resumes_where_its_note_says(world: World) -> None:
    before = task_rows(world.folder)["a fox, half fetched"]
    host = ResultHost()

    async def by_name(request: httpx.Request) -> httpx.Response | None:
        mine = request.url.path.endswith(f"{before['provider_task_id']}.mp4")
        return await host.answer(request) if mine else None

    world.service.on_file = by_name
    async with world.client() as client:
        done = structured(
            await call(client, "get_video_task", task_id=before["id"], wait_seconds=45)
        )
    after = task_rows(world.folder)["a fox, half fetched"]

    assert host.ranges == [f"bytes={earlier.PART_BYTES}-"]
    assert Path(done["file"]).read_bytes() == VIDEO
    assert (after["file_bytes"], after["file_problem"]) == (len(VIDEO), None)
    assert after["fetches"] == before["fetches"] == 4
    assert not [name for name in world.files() if ".part" in name]


async def test_nothing_is_paid_for_but_what_had_not_left(world: World) -> None:
    """And nobody asks again for what is over: not for its state, and not for its file."""
    before = task_rows(world.folder)
    async with world.client():
        await anyio.sleep(3600)
    after = task_rows(world.folder)

    assert sorted(sent_prompts(world)) == ["a fox, asked to wait", "a fox, intended"]
    statuses = {prompt: after[prompt]["status"] for prompt in UNFINISHED}
    assert statuses == {
        **dict.fromkeys(UNFINISHED, "succeed"),
        "a fox, under way": "unknown",
        "a fox, noted refusal": "rejected",
    }
    over = {str(before[prompt]["provider_task_id"]) for prompt in SETTLED}
    over |= {str(row["provider_task_id"]) for name, row in before.items() if "history" in name}
    assert not [one for one in world.service.requests if Path(one.url.path).stem in over]
    assert {prompt: after[prompt] for prompt in SETTLED} == {
        prompt: before[prompt] for prompt in SETTLED
    }


# Known again


@pytest.mark.parametrize(
    ("prompt", "settings"),
    [
        ("a fox, pending", {"idempotency_key": "shot 2"}),
        ("一只狐狸, stored", {"idempotency_key": "shot 1", "variation": 2}),
        ("a fox, running, unheard", {"variation": 3, "watermark": False}),
        ("a fox, half fetched", {}),
    ],
)
async def test_the_same_request_finds_the_task_of_the_earlier_version(
    world: World, prompt: str, settings: dict[str, Any]
) -> None:
    async with world.client() as client:
        again = structured(await call(client, "generate_video", **REAL, prompt=prompt, **settings))
        await anyio.sleep(30)  # for the downloads of other tasks, which no test has to cut off

    assert again["deduplicated"]
    assert again["task_id"] == task_rows(world.folder)[prompt]["id"]
    assert prompt not in sent_prompts(world)


async def test_the_key_of_another_request_is_refused_and_that_of_a_rejected_one_is_free(
    world: World,
) -> None:
    async with world.client() as client:
        arguments = {**REAL, "prompt": "an owl"}
        taken = await call(client, "generate_video", **arguments, idempotency_key="shot 1")
        free = await call(client, "generate_video", **arguments, idempotency_key="shot 3")
        await anyio.sleep(30)

    assert taken.is_error
    assert "Nothing was charged." in text(taken)
    assert not structured(free).get("deduplicated")
    assert sent_prompts(world).count("an owl") == 1


async def test_a_new_task_is_recorded_like_those_before_it(world: World) -> None:
    """By the same columns, and by the pace that the earlier version measured."""
    before = task_rows(world.folder)
    async with world.client() as client:
        arguments = {**REAL, "prompt": "an owl", "idempotency_key": "owl", "variation": 1}
        await call(client, "generate_video", **arguments)
        await anyio.sleep(60)
    new, old = task_rows(world.folder)["an owl"], before["一只狐狸, stored"]

    filled = {name for name, value in old.items() if value is not None} - {"delivered_at"}
    assert {name for name in filled if new[name] is None} == set()
    assert new["kind"] == old["kind"]
    just_before = before["a fox, under way"]
    assert new["soonest"] == pytest.approx(just_before["soonest"], abs=1)
    assert new["latest"] == pytest.approx(just_before["latest"], abs=1)
    assert new["service"] == earlier.SERVICE
    assert json.loads(new["request"]) == {**json.loads(old["request"]), "prompt": "an owl"}
    assert set(json.loads(new["result"])) == set(json.loads(old["result"]))


# Written so that the earlier version can read it


async def test_a_note_of_a_paid_answer_is_written_under_the_same_keys(world: World) -> None:
    accepted, refused = (kept["note"] for kept in earlier.journal_notes())

    async def estimate(_: httpx.Request) -> httpx.Response:
        answer = {"model": "m", "task_id": "owl", "task_status": "pending"}
        return httpx.Response(200, json={**answer, "estimated_seconds": 25})

    async def refuse(request: httpx.Request) -> httpx.Response | None:
        hare = json.loads(request.content)["prompt"] == "a hare"
        return httpx.Response(402, json={"error": {"code": "c", "message": "m"}}) if hare else None

    world.service.on_create, world.service.before_charge = estimate, refuse
    async with world.client() as client:
        await anyio.sleep(60)
        with closing(sqlite3.connect(world.state / "ledger.sqlite3")) as disk:
            disk.execute(
                "CREATE TRIGGER full BEFORE UPDATE ON task WHEN OLD.status = 'submitting'"
                " BEGIN SELECT RAISE(ABORT, 'disk full'); END"
            )
        await call(client, "generate_video", **REAL, prompt="an owl")
        await call(client, "generate_video", **REAL, prompt="a hare")
        journal = (world.state / "journal").read_bytes()

    assert len(journal) == earlier.JOURNAL_BYTES
    slots = range(0, 2 * earlier.SLOT_BYTES, earlier.SLOT_BYTES)
    written = [json.loads(journal[at : at + earlier.SLOT_BYTES].rstrip(b"\0")) for at in slots]
    assert [set(note) for note in written] == [set(accepted), set(refused)]
    assert [note["status"] for note in written] == ["pending", "rejected"]


async def test_a_note_beside_a_part_file_is_written_under_the_same_keys(world: World) -> None:
    (old,) = (earlier.SAMPLE / "videos").glob(".*.part.json")
    task = task_rows(world.folder)["a fox, pending"]
    host, broke_off = ResultHost(cuts=[6000]), anyio.Event()

    async def break_off(request: httpx.Request) -> httpx.Response | None:
        if task["provider_task_id"] not in request.url.path:
            return None
        if host.ranges:
            broke_off.set()
            return httpx.Response(503)
        return await host.answer(request)

    world.service.on_file = break_off
    async with world.client():
        with anyio.fail_after(600):
            await broke_off.wait()

    before = json.loads(old.read_text("utf-8"))
    after = json.loads((world.output / f".{task['id']}.part.json").read_text("utf-8"))
    assert set(after) == set(before)
    assert set(after["source"]) == set(before["source"])
    assert (after["size"], after["source"]["etag"]) == (6000, '"v1"')


async def test_what_the_earlier_version_writes_still_fits_the_ledger(world: World) -> None:
    """Columns are only added, and none that it would have to fill."""
    tables = ("task", "event", "body", "budget")
    before = {table: select(world.folder, f"SELECT * FROM {table}")[0] for table in tables}  # noqa: S608 - our own names
    async with world.client():
        await anyio.sleep(1)

    for table, row in before.items():
        key = {"event": "number", "task": "id", "body": "task_id", "budget": "service"}[table]
        new = {**row, key: 10_000} if key == "number" else {**row, key: "new"}
        if table == "task":
            new["idempotency_key"] = None
        names, places = ", ".join(new), ", ".join("?" for _ in new)
        if table == "body":
            new["task_id"] = before["task"]["id"]
        select(world.folder, f"INSERT INTO {table} ({names}) VALUES ({places})", *new.values())  # noqa: S608 - our own names
    async with world.client() as client:
        page = structured(await call(client, "list_video_tasks", limit=50))
    assert "new" in {task["task_id"] for task in page["tasks"]}


# A server of the earlier version that still runs


@posix
async def test_a_request_that_a_running_server_of_the_earlier_version_has_under_way_is_left_to_it(
    world: World,
) -> None:
    """Its answer, written in its own columns, is followed by the newer server as well."""
    before = task_rows(world.folder)["a fox, under way"]
    (paid,) = (job for job in world.service.jobs.values() if job.body["prompt"].endswith("way"))
    with holding_process_lock(world.folder, before["owner"]):
        async with world.client() as client:
            await anyio.sleep(60)
            waiting = structured(
                await call(client, "get_video_task", task_id=before["id"], wait_seconds=0)
            )
            untouched = task_rows(world.folder)["a fox, under way"]
            record_accepted(world, before, paid.id)
    async with world.client() as client:
        done = structured(
            await call(client, "get_video_task", task_id=before["id"], wait_seconds=45)
        )

    assert waiting["task_status"] == "submitting"
    assert untouched == before
    assert world.provider_id(done["task_id"]) == paid.id
    assert Path(done["file"]).read_bytes() == VIDEO
    assert world.service.charges.count("a fox, under way") == 1


def record_accepted(world: World, before: Row, provider_task_id: str) -> None:
    """What a server of the earlier version records when the service accepts a request."""
    after = {
        **before,
        "status": "pending",
        "provider_task_id": provider_task_id,
        "looked_at": world.clock(),
        "next_look_at": world.clock() + 10,
    }
    names = ", ".join(f"{name} = ?" for name in after)
    select(
        world.folder,
        f"UPDATE task SET {names} WHERE id = ?",  # noqa: S608 - the sample's own columns
        *after.values(),
        before["id"],
    )
    select(world.folder, "DELETE FROM body WHERE task_id = ?", before["id"])
    story = ("status", "attempt", "owner", "provider_task_id", "file_status", "error_code")
    select(
        world.folder,
        f"INSERT INTO event (at, task_id, {', '.join(story)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - as above
        world.clock(),
        before["id"],
        *(after[name] for name in story),
    )


@posix
async def test_a_server_of_the_earlier_version_that_dies_meanwhile_leaves_an_unknown_outcome(
    world: World,
) -> None:
    before = task_rows(world.folder)["a fox, under way"]
    with ExitStack() as older:
        older.enter_context(holding_process_lock(world.folder, before["owner"]))
        async with world.client() as client:
            await anyio.sleep(60)
            older.close()
            await anyio.sleep(20)
            shown = await call(client, "get_video_task", task_id=before["id"], wait_seconds=0)

    assert structured(shown)["task_status"] == "unknown"
    assert "It may have been charged." in text(shown)
    assert world.service.charges.count("a fox, under way") == 1


@posix
async def test_a_task_that_a_running_server_of_the_earlier_version_watches_is_left_to_it(
    world: World,
) -> None:
    before = task_rows(world.folder)["a fox, pending"]
    assert before["watched_until"] > EPOCH + 30
    looked_at: list[float] = []

    async def record(request: httpx.Request) -> None:
        if request.url.path.endswith(before["provider_task_id"]):
            looked_at.append(world.service.clock())

    world.service.on_poll = record
    with holding_process_lock(world.folder, before["owner"]):
        async with world.client():
            await anyio.sleep(120)

    assert looked_at
    assert looked_at[0] >= before["watched_until"]
