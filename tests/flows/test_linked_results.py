"""A finished result that this server cannot fetch: the caller is given its link, and the reason.

Whatever the obstacle is, the task settles after a few tries, both forms of the result hold the
link and the reason, and nothing in it asks to be called again.
"""

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from geekai_video_mcp.errors import InvalidDecision
from geekai_video_mcp.media.inspection import FileFacts, Reason, Verdict
from support import world as world_module
from support.fake_geekai import VIDEO, always_answer, documented_reply, file_reply
from support.ledgers import open_ledger
from support.world import World, call, structured, text

MINUTES = 60.0

Script = Callable[[httpx.Request], Awaitable[httpx.Response | None]]


def answer_with_link(url: str) -> Script:
    """A script for polls: the job has finished, with this link."""

    async def script(request: httpx.Request) -> httpx.Response:
        job = request.url.path.rsplit("/", 1)[-1]
        answer = {"task_id": job, "task_status": "succeed", "video_result": [{"url": url}]}
        return httpx.Response(200, json=answer)

    return script


def always_give(content: bytes) -> Script:
    """A script for downloads: the link gives this."""

    async def script(_: httpx.Request) -> httpx.Response:
        return file_reply(content)

    return script


async def settled_result(world: World, *, after: float = 10 * MINUTES) -> Any:  # noqa: ANN401
    """The result of get_video_task some minutes after the request."""
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        await anyio.sleep(after)
        return await call(client, "get_video_task", task_id=task_id, wait_seconds=45)


def assert_linked(result: Any, *, url: str | None, reason: str) -> None:  # noqa: ANN401
    shown, words = structured(result), text(result)
    assert not result.is_error
    assert shown["task_status"] == "succeed"
    assert reason in words
    assert reason in shown["file_problem"]
    assert "call get_video_task" not in words
    assert "being downloaded" not in words
    assert "geekai-video-mcp tasks fetch" in shown["next_step"]
    assert "charged" not in words
    if url is not None:
        assert url in words
        assert shown["video_result"]["url"] == url
        assert shown["url_expires_at"] in words


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://cdn.test/a.mp4", "not a plain http or https link"),
        ("https://user:x@cdn.test/a.mp4", "not a plain http or https link"),
        ("https://127.0.0.1/a.mp4", "points to a private address"),
        ("https://[::1]/a.mp4", "points to a private address"),
        ("http://169.254.169.254/latest/meta-data", "points to a private address"),
        ("https://cdn.test:99999/a.mp4", "not a valid URL"),
    ],
)
async def test_a_link_that_a_rule_of_ours_forbids_is_given_to_the_caller_at_once(
    world: World, url: str, reason: str
) -> None:
    world.service.on_poll = answer_with_link(url)

    assert_linked(await settled_result(world, after=0), url=url, reason=reason)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda: file_reply(b"#EXTM3U\n#EXTINF:4,\nseg1.ts\n"), "gives an HLS playlist"),
        (lambda: file_reply(b"PK\x03\x04" + bytes(150)), "gives a zip archive"),
        (lambda: file_reply(b"\x1f\x8b\x08\x00" + bytes(150)), "gives a gzip file"),
        (lambda: file_reply(b"<html>Sign in</html>"), "gives a web page"),
        (lambda: httpx.Response(401), "HTTP 401"),
        (lambda: httpx.Response(451), "HTTP 451"),
        (lambda: httpx.Response(302, headers={"Location": "/files/a.mp4"}), "redirects too often"),
        (lambda: httpx.Response(302, headers={"Location": "ftp://x/"}), "not a plain http"),
    ],
)
async def test_what_a_link_gives_in_place_of_a_video_settles_the_task_within_a_minute(
    world: World, answer: Callable[[], httpx.Response], reason: str
) -> None:
    async def script(_: httpx.Request) -> httpx.Response:
        return answer()

    world.service.on_file = script
    result = await settled_result(world, after=1 * MINUTES)

    assert_linked(result, url=structured(result)["video_result"]["url"], reason=reason)


async def test_a_host_that_never_answers_settles_the_task_within_ten_minutes(world: World) -> None:
    world.service.on_file = always_answer(httpx.ConnectError("refused"))
    result = await settled_result(world)

    assert_linked(
        result, url=structured(result)["video_result"]["url"], reason="interrupted (ConnectError)"
    )


async def test_a_result_that_is_late_is_still_fetched_after_its_link_was_given_away(
    world: World,
) -> None:
    """The caller has the link, and the file comes all the same, without anyone asking."""
    world.service.on_file = always_answer(httpx.Response(503))
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        await anyio.sleep(30 * MINUTES)
        given = await call(client, "get_video_task", task_id=task_id)
        world.service.on_file = documented_reply
        await anyio.sleep(20 * MINUTES)
        fetched = structured(await call(client, "get_video_task", task_id=task_id))

    assert "this server could not download it" in text(given)
    assert Path(fetched["file"]).read_bytes() == VIDEO
    assert "file_problem" not in fetched


@pytest.mark.skipif(
    sys.platform != "win32" and os.geteuid() == 0, reason="root may write everywhere"
)
async def test_an_output_folder_that_cannot_be_written_is_named(world: World) -> None:
    world.output.mkdir(mode=0o500)
    result = await settled_result(world, after=1 * MINUTES)

    assert_linked(result, url=None, reason=str(world.output))


async def test_an_output_folder_that_is_a_file_is_named_and_the_link_given(world: World) -> None:
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        world.output.rmdir()
        world.output.write_text("in the way", encoding="utf-8")
        await anyio.sleep(1 * MINUTES)
        result = await call(client, "get_video_task", task_id=task_id)

    assert_linked(result, url=structured(result)["video_result"]["url"], reason=str(world.output))
    assert "Do not generate it again" in structured(result)["next_step"]


async def test_a_file_that_cannot_be_decoded_is_not_called_finished_and_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def undecodable(_: Path) -> FileFacts:
        return FileFacts(verdict=Verdict.UNDECODABLE, reason=Reason.FRAME)

    monkeypatch.setattr(world_module, "skip_inspection", undecodable)
    result = await settled_result(world, after=1 * MINUTES)

    reason = "not one frame of the video can be decoded"
    assert_linked(result, url=structured(result)["video_result"]["url"], reason=reason)
    assert "is finished" not in text(result)
    assert Path(structured(result)["file"]).read_bytes() == VIDEO
    assert f"kept in {structured(result)['file']}" in text(result)
    assert len(world.service.requests) >= 3


async def test_the_copy_of_an_undecodable_file_is_not_forgotten_by_another_fetch(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def undecodable(_: Path) -> FileFacts:
        return FileFacts(verdict=Verdict.UNDECODABLE, reason=Reason.FRAME)

    monkeypatch.setattr(world_module, "skip_inspection", undecodable)
    kept = structured(await settled_result(world, after=1 * MINUTES))
    async with world.app(sweep=False) as app:
        tried = await app.engine.fetch_again(kept["task_id"])

    assert (tried.file_status, tried.file_error_code) == ("linked", "undecodable")
    assert tried.file_path == kept["file"]
    assert Path(kept["file"]).read_bytes() == VIDEO


async def test_a_gif_is_kept_as_a_gif_and_said_to_be_one(world: World) -> None:
    world.service.on_file = always_give(b"GIF89a" + bytes(150))
    result = await settled_result(world, after=1 * MINUTES)

    assert structured(result)["file"].endswith(".gif")
    assert "The link gave a GIF picture" in text(result)
    assert "The link gave a GIF picture" in structured(result)["file_problem"]


async def linked_task(world: World, *, content: bytes = b"PK\x03\x04" + bytes(150)) -> str:
    """A task whose link gives *content*, which no server can use."""
    world.service.on_file = always_give(content)
    return structured(await settled_result(world, after=1 * MINUTES))["task_id"]


async def test_a_person_can_have_a_linked_result_fetched_once_more(world: World) -> None:
    task_id = await linked_task(world)
    world.service.on_file = documented_reply
    async with world.app(sweep=False) as app:
        fetched = await app.engine.fetch_again(task_id)
    async with world.client() as client:
        shown = structured(await call(client, "get_video_task", task_id=task_id))

    assert Path(str(fetched.file_path)).read_bytes() == VIDEO
    assert shown["file"] == fetched.file_path
    assert len(world.service.charges) == 1


async def test_a_linked_result_that_still_cannot_be_fetched_stays_linked_with_the_new_reason(
    world: World,
) -> None:
    task_id = await linked_task(world)
    world.service.on_file = always_answer(httpx.Response(500))
    async with world.app(sweep=False) as app:
        tried = await app.engine.fetch_again(task_id)

    assert (tried.file_status, tried.settled) == ("linked", True)
    assert tried.file_error == "The result's host returned HTTP 500"


async def test_a_lost_result_is_asked_for_again_and_fetched_if_there_is_a_new_link(
    world: World,
) -> None:
    world.service.on_file = always_answer(httpx.Response(404))
    lost = await settled_result(world, after=20 * MINUTES)
    world.service.on_file = documented_reply
    async with world.app(sweep=False) as app:
        fetched = await app.engine.fetch_again(structured(lost)["task_id"])

    assert lost.is_error
    assert "asks for a new link" in structured(lost)["next_step"]
    assert Path(str(fetched.file_path)).read_bytes() == VIDEO


async def test_a_task_without_a_link_is_asked_for_again_and_fetched_once_it_has_one(
    world: World,
) -> None:
    async def without_link(request: httpx.Request) -> httpx.Response:
        job = request.url.path.rsplit("/", 1)[-1]
        return httpx.Response(200, json={"task_id": job, "task_status": "succeed"})

    world.service.on_poll = without_link
    lost = structured(await settled_result(world, after=20 * MINUTES))
    async with world.app(sweep=False) as app:
        still = await app.engine.fetch_again(lost["task_id"])
        world.service.on_poll = documented_reply
        fetched = await app.engine.fetch_again(lost["task_id"])

    assert lost["error"]["code"] == "no_link"
    assert (still.file_status, still.file_error_code) == ("lost", "no_link")
    assert lost["error"]["message"] == f"{still.file_error} It may have been charged."
    assert Path(str(fetched.file_path)).read_bytes() == VIDEO


async def test_only_a_finished_task_of_this_key_has_a_result_to_fetch(world: World) -> None:
    async with world.client() as client:
        running = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
    other = World(world.folder, era=world.era, service=world.service, account="another key")
    async with world.app(sweep=False) as app, other.app(sweep=False) as strange:
        with pytest.raises(InvalidDecision, match="only a finished one"):
            await app.engine.fetch_again(running)
        with pytest.raises(InvalidDecision, match="another service or key"):
            await strange.engine.fetch_again(running)


async def test_a_fetch_that_dies_is_gone_on_with_by_the_next_server(world: World) -> None:
    task_id = await linked_task(world)

    async def for_ever(_: httpx.Request) -> None:
        await anyio.sleep_forever()

    world.service.on_file = for_ever
    async with world.app(sweep=False) as app:
        with anyio.move_on_after(5):
            await app.engine.fetch_again(task_id)
    world.service.on_file = documented_reply
    async with world.client() as client:
        shown = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))

    assert Path(shown["file"]).read_bytes() == VIDEO


async def test_a_linked_video_can_be_passed_on_by_its_task(world: World) -> None:
    """GeekAI may well fetch what this machine cannot."""
    task_id = await linked_task(world)
    async with world.client() as client:
        longer = {"video": f"task:{task_id}", "model": "super-video-2.0"}
        await call(client, "generate_video", prompt="longer", **longer)

    jobs = list(world.service.jobs.values())
    assert jobs[-1].body["video"] == f"https://geekai.test/files/{jobs[0].id}.mp4"


async def test_the_ledger_counts_linked_results_that_may_still_come(world: World) -> None:
    task_id = await linked_task(world)
    async with open_ledger(world.state) as ledger:
        never = await ledger.retryable_downloads(world.account, since=0.0)

    assert never == [], f"the archive of {task_id} will not turn into a video"
