"""Answers of the field that are no answers: each is told as it came, and none becomes a verdict."""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from mcp import Client

from geekai_video_mcp.domain.lifecycle import NO_LINK_GRACE
from geekai_video_mcp.engine.watcher import CRASHES_UNTIL_STALLED
from geekai_video_mcp.errors import InvalidDecision
from geekai_video_mcp.server.views.report import LONG_STALL
from support.fake_geekai import KEY, Script, always_answer, documented_reply
from support.sampling import sample
from support.world import World, call, structured, text

WAITING = "GeekAI reports it finished and has not given its link yet"
NOTHING_GIVEN = (
    "GeekAI reports it finished but returned no video, often because of a content filter."
)


async def create_task(client: Client, prompt: str = "a fox") -> str:
    return str(structured(await call(client, "generate_video", prompt=prompt))["task_id"])


def answer_in_turn(answers: Iterable[httpx.Response]) -> Script:
    """A script that returns each of *answers*, and the documented reply after that."""
    left = list(answers)

    async def script(_: httpx.Request) -> httpx.Response | None:
        return left.pop(0) if left else None

    return script


def finished(**members: object) -> httpx.Response:
    return httpx.Response(200, json={"task_id": "t", "task_status": "succeed", **members})


# A success without a link


@pytest.mark.parametrize("video_result", sample([None, [], [{"url": ""}], {}, "soon"], every=3))
async def test_a_link_that_comes_a_little_later_is_waited_for(
    world: World, video_result: object
) -> None:
    world.service.job_seconds = 0
    world.service.on_poll = answer_in_turn([finished(video_result=video_result)] * 2)
    async with world.client() as client:
        task_id = await create_task(client)
        await anyio.sleep(12)
        waiting = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)
        again = structured(await call(client, "generate_video", prompt="a fox"))
        done = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))

    assert not waiting.is_error
    assert WAITING in text(waiting)
    assert "running" not in text(waiting)
    assert structured(waiting)["task_status"] == "running"
    assert structured(waiting)["stale_reason"] == f"{WAITING}."
    assert (again["task_id"], again["deduplicated"]) == (task_id, True)
    assert (done["task_status"], "file" in done) == ("succeed", True)
    assert world.service.charges == ["a fox"]


async def test_a_link_that_never_comes_is_told_after_ten_minutes(world: World) -> None:
    world.service.on_poll = always_answer(finished(video_result=[], trace="abc"))
    async with world.client() as client:
        task_id = await create_task(client)
        await anyio.sleep(NO_LINK_GRACE - 30)
        before = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)
        await anyio.sleep(100)
        polls = world.service.poll_count
        after = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)
        await anyio.sleep(600)

    assert WAITING in text(before)
    assert 20 < polls < 60
    assert world.service.poll_count == polls, "it is settled"
    assert after.is_error
    assert f"{NOTHING_GIVEN} It may have been charged." in text(after)
    assert f"tasks fetch {task_id[:8]}" in text(after)
    message = f"{NOTHING_GIVEN} It may have been charged."
    assert structured(after)["error"] == {"code": "no_link", "message": message}
    assert structured(after)["task_status"] == "succeed"
    assert "abc" in str((await world.find_task(task_id)).raw_response)


async def test_a_failure_that_follows_a_success_without_a_link_counts(world: World) -> None:
    failed = {"task_status": "failed", "error": {"code": "1301", "message": "unsafe"}}
    world.service.on_poll = answer_in_turn([finished(), httpx.Response(200, json=failed)])
    async with world.client() as client:
        task_id = await create_task(client)
        ended = await call(client, "get_video_task", task_id=task_id, wait_seconds=45)

    assert structured(ended)["task_status"] == "failed"
    assert "failed with code 1301" in text(ended)
    assert '"unsafe"' in text(ended)


async def test_a_creation_that_says_finished_without_a_link_is_polled(world: World) -> None:
    async def at_once(_: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200, json={"task_id": list(world.service.jobs)[-1], "task_status": "succeed"}
        )

    world.service.on_create, world.service.job_seconds = at_once, 20
    async with world.client() as client:
        started = await call(client, "generate_video", prompt="a fox")
        task_id = structured(started)["task_id"]
        done = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))

    assert WAITING in text(started)
    assert (done["task_status"], "file" in done) == ("succeed", True)


async def lose_link(world: World) -> str:
    """A task that has waited in vain for its link."""
    world.service.on_poll = always_answer(finished())
    async with world.client() as client:
        task_id = await create_task(client)
        await anyio.sleep(NO_LINK_GRACE + 60)
    return task_id


@pytest.mark.parametrize("same", [True, False], ids=["the same id", "another id"])
async def test_a_person_can_attach_a_task_that_has_the_link(world: World, *, same: bool) -> None:
    task_id = await lose_link(world)
    provider_id = str((await world.find_task(task_id)).provider_task_id)
    world.service.on_poll = documented_reply
    if not same:
        async with world.client() as client:
            other = await create_task(client, "a hare")
            provider_id = "00000000-0000-0000-0000-000000000009"
            world.service.jobs[provider_id] = world.service.jobs[
                str((await world.find_task(other)).provider_task_id)
            ]
            world.service.jobs[provider_id].id = provider_id
            await anyio.sleep(60)
    async with world.resolver() as resolver:
        attached = await resolver.attach(task_id, provider_id)
    async with world.client() as client:
        done = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))

    assert (attached.provider_task_id, attached.file_status.value) == (provider_id, "none")
    assert (done["task_status"], "file" in done, "error" in done) == ("succeed", True, False)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (finished(), "has no link either"),
        (httpx.Response(200, json={"task_status": "running"}), "is running"),
        (httpx.Response(200, json={"task_status": "failed"}), "is failed"),
    ],
)
async def test_attaching_a_task_without_a_link_is_refused(
    world: World, answer: httpx.Response, says: str
) -> None:
    task_id = await lose_link(world)
    before = await world.find_task(task_id)
    world.service.on_poll = always_answer(answer)
    async with world.resolver() as resolver:
        with pytest.raises(InvalidDecision, match=says):
            await resolver.attach(task_id, str(before.provider_task_id))

    assert await world.find_task(task_id) == before


# Polls whose answer cannot be used

UNUSABLE: dict[str, tuple[Callable[[], httpx.Response], str]] = {
    "envelope": (
        lambda: httpx.Response(200, json={"code": 1002, "message": "slow down"}),
        'HTTP 200 without a task status: "1002: slow down"',
    ),
    "page": (lambda: httpx.Response(200, html="<html>welcome"), "with a web page instead of JSON"),
    "502": (lambda: httpx.Response(502, html="<html>oops"), "HTTP 502, with a web page"),
    "text": (
        lambda: httpx.Response(200, text="Zzz\x1b[31m"),
        'HTTP 200 without a task status: "Zzz',
    ),
    "empty": (lambda: httpx.Response(200), "HTTP 200 without a task status."),
    "401": (
        lambda: httpx.Response(401, json={"error": {"code": "unauthorized", "message": "no"}}),
        "GeekAI refused the key (HTTP 401)",
    ),
    "404": (
        lambda: httpx.Response(404, json={"error": {"code": "not_found", "message": "no"}}),
        "knows no such task (HTTP 404)",
    ),
    "half": (lambda: httpx.Response(200, text='{"task_status": "succ'), "task_status': 'succ"),
}


@pytest.mark.parametrize("kind", sample(UNUSABLE, every=3))
async def test_a_poll_that_was_answered_is_not_told_as_unanswered(world: World, kind: str) -> None:
    make_answer, says = UNUSABLE[kind]
    answer = make_answer()
    world.service.on_poll = always_answer(answer)
    async with world.client() as client:
        task_id = await create_task(client)
        await anyio.sleep(30)
        odd = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)
        kept = await world.find_task(task_id)
        world.service.on_poll = documented_reply
        await anyio.sleep(90)
        done = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)

    assert not odd.is_error
    assert "has not answered" not in text(odd)
    assert says in text(odd)
    assert says in structured(odd)["stale_reason"]
    assert "No poll has worked since" in text(odd)
    assert "\x1b" not in text(odd)
    if answer.text:
        assert answer.text[:20] in str(kept.raw_response)
    assert "stale_reason" not in structured(done)
    assert structured(done)["task_status"] == "succeed"


@pytest.mark.parametrize("failure", [httpx.ReadTimeout("silence"), httpx.ConnectError("no route")])
async def test_a_poll_that_was_not_answered_is_told_as_unanswered(
    world: World, failure: Exception
) -> None:
    world.service.on_poll = always_answer(failure)
    async with world.client() as client:
        task_id = await create_task(client)
        await anyio.sleep(30)
        silent = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)

    assert "GeekAI has not answered since 20" in text(silent)
    assert type(failure).__name__ in text(silent)
    assert "GeekAI has not answered since 20" in structured(silent)["stale_reason"]


async def test_an_unheard_of_status_is_told_while_it_lasts(world: World) -> None:
    odd = httpx.Response(200, json={"task_id": "t", "task_status": "MODAL{0}\u202e"})
    world.service.on_poll = answer_in_turn([odd])
    async with world.client() as client:
        task_id = await create_task(client)
        await anyio.sleep(12)
        told = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)
        done = await call(client, "get_video_task", task_id=task_id, wait_seconds=45)

    assert 'GeekAI reports the status "MODAL{0}", which this server does not know' in text(told)
    assert structured(told)["task_status"] == "running"
    assert "MODAL" not in text(done)


# The key, repeated by the service


@pytest.mark.parametrize("where", ["creation", "poll", "failure", "link"])
async def test_a_key_that_the_service_repeats_stays_between_the_two(
    world: World, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    said: dict[str, dict[str, Any]] = {
        "creation": {"error": {"code": KEY, "message": f"bad key {KEY}"}},
        "poll": {"code": 7, "message": f"Bearer {KEY}"},
        "failure": {"task_status": "failed", "error": {"code": KEY, "message": KEY}},
        "link": {"task_status": "succeed", "video_result": [{"url": f"https://x.test/?k={KEY}"}]},
    }
    answer = httpx.Response(400 if where == "creation" else 200, json=said[where])
    if where == "creation":
        world.service.before_charge = always_answer(answer)
    else:
        world.service.on_poll = always_answer(answer)
    async with world.client() as client:
        started = await call(client, "generate_video", prompt="a fox")
        task_id = structured(started)["task_id"]
        await anyio.sleep(NO_LINK_GRACE + 60)
        shown = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)

    for result in (started, shown):
        assert KEY not in text(result) + str(structured(result))
    assert b"[secret]" in b"".join(path.read_bytes() for path in world.state.glob("ledger*"))
    assert KEY.encode() not in b"".join(path.read_bytes() for path in world.state.glob("ledger*"))
    assert KEY not in caplog.text
    if where == "link":
        assert "its link repeats a secret of this server" in text(shown)
        assert "It may have been charged." in text(shown)


# A watch that fails in a way that nobody foresaw


async def test_a_watch_that_raises_again_and_again_is_shown_as_stalled(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    polls = 0

    async def unforeseen(_: httpx.Request) -> None:
        nonlocal polls
        polls += 1
        await anyio.lowlevel.checkpoint()
        msg = "a fox"
        raise ZeroDivisionError(msg)

    world.service.on_poll = unforeseen
    async with world.client() as client:
        task_id = await create_task(client)
        await anyio.sleep(12)
        early = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)
        await anyio.sleep(600)
        stalled = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)
        made = polls
        world.service.on_poll = documented_reply
        await anyio.sleep(320)
        done = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)

    assert "could not follow" not in text(early)
    assert "This server could not follow it" in text(stalled)
    assert "ZeroDivisionError at test_odd_answers.py:" in text(stalled)
    assert "ZeroDivisionError" in structured(stalled)["stale_reason"]
    assert not stalled.is_error
    assert CRASHES_UNTIL_STALLED < made < 10, "it is tried again, and less and less often"
    assert "a fox" not in caplog.text
    assert (structured(done)["task_status"], "file" in structured(done)) == ("succeed", True)
    assert "stale_reason" not in structured(done)


async def test_a_download_that_raises_again_and_again_is_shown_as_stalled(world: World) -> None:
    async def unforeseen(_: httpx.Request) -> None:
        await anyio.lowlevel.checkpoint()
        raise ZeroDivisionError

    world.service.job_seconds, world.service.on_file = 0, unforeseen
    async with world.client() as client:
        task_id = await create_task(client)
        await anyio.sleep(120)
        stalled = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)
        world.service.on_file = documented_reply
        await anyio.sleep(320)
        done = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)

    assert "ZeroDivisionError at test_odd_answers.py:" in text(stalled)
    assert "file" in structured(done)
    assert "could not follow" not in text(done)


async def test_a_ledger_that_cannot_be_written_is_shown_from_memory(world: World) -> None:
    """The stall itself cannot be recorded; the poll is the first thing that meets the disk."""
    async with world.client() as client:
        task_id = await create_task(client)
        with closing(sqlite3.connect(world.state / "ledger.sqlite3")) as disk:
            disk.execute(
                "CREATE TRIGGER full BEFORE UPDATE ON task"
                " BEGIN SELECT RAISE(ABORT, 'disk full'); END"
            )
            disk.commit()
            await anyio.sleep(200)
            stalled = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)
            disk.execute("DROP TRIGGER full")
            disk.commit()
        await anyio.sleep(400)
        done = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)

    assert "This server could not follow it" in text(stalled)
    assert "task database could not be written" in text(stalled)
    assert structured(stalled)["task_status"] == "pending"
    assert "file" in structured(done)


@pytest.mark.parametrize("status_code", [401, 404, 500])
async def test_nobody_is_asked_to_wait_for_what_has_failed_for_ten_minutes(
    world: World, status_code: int
) -> None:
    async with world.client() as client:
        task_id = await create_task(client)
        world.service.on_poll = always_answer(
            httpx.Response(status_code, json={"error": {"code": "c", "message": "m"}})
        )
        await anyio.sleep(120)
        early = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)
        await anyio.sleep(LONG_STALL + 60)
        late = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)
        world.service.on_poll = documented_reply
        await anyio.sleep(120)
        found = await call(client, "get_video_task", task_id=task_id)

    assert "Call get_video_task with this task_id" in text(early)
    assert "Call get_video_task with this task_id" not in text(late)
    assert "Tell the user why there is no news of it." in text(late)
    assert str(status_code) in text(late)
    assert structured(found)["task_status"] == "succeed"
