"""Promise 1: at most one paid submission per request."""

from collections.abc import AsyncGenerator

import anyio
import httpx
import pytest

from geekai_video_mcp.domain.requests import GenerationRequest
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.engine import submitter
from geekai_video_mcp.server import views
from support.fake_geekai import always_answer, answer_once, api_error
from support.world import World, call, structured, text

pytestmark = pytest.mark.both_databases


async def test_the_row_is_durable_before_the_request_leaves(world: World) -> None:
    rows_at_post: list[tuple[str, int]] = []

    async def look_at_the_disk(_: httpx.Request) -> None:
        rows_at_post.extend(world.run_sql("SELECT status, attempt FROM task"))

    world.service.before_charge = look_at_the_disk
    async with world.client() as client:
        await call(client, "generate_video", prompt="a fox")

    assert rows_at_post == [("submitting", 1)]


@pytest.mark.parametrize(
    ("tool", "broken"),
    [
        ("generate_video", "task_text"),
        ("generate_video", "generation_result"),
        ("generate_image", "several_progress_text"),
        ("generate_image", "task_text"),
    ],
)
async def test_a_bug_after_the_payment_does_not_lose_the_id(
    world: World, monkeypatch: pytest.MonkeyPatch, tool: str, broken: str
) -> None:
    """Whatever fails in describing the task, its caller has paid for it and must find it."""

    def fail(*_: object, **__: object) -> None:
        msg = "a bug, which may hold a prompt"
        raise RuntimeError(msg)

    async with world.client() as client:
        with monkeypatch.context() as patched:
            patched.setattr(views, broken, fail)
            made = await call(client, tool, prompt="a fox")
        task_id = structured(made)["task_id"]
        found = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))

    assert not made.is_error
    assert task_id[:8] in text(made)
    assert "a bug" not in text(made)
    assert found["task_status"] == "succeed"
    assert world.service.charges == ["a fox"]


async def test_a_bug_before_the_payment_says_that_nothing_was_charged(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        msg = "a bug, which may hold a prompt"
        raise RuntimeError(msg)

    monkeypatch.setattr(submitter, "typical_duration", fail)
    async with world.client() as client:
        refused = await call(client, "generate_video", prompt="a fox")

    assert refused.is_error
    assert "RuntimeError" in text(refused)
    assert "Nothing was charged." in text(refused)
    assert "a bug" not in text(refused)
    assert world.service.charges == []


async def test_a_cancelled_call_pays_once_and_keeps_its_task(world: World) -> None:
    async def slowly(_: httpx.Request) -> None:
        await anyio.sleep(10)

    world.service.on_create = slowly
    async with world.client() as client:
        with anyio.move_on_after(5) as given_up:
            await client.call_tool("generate_video", {"prompt": "a fox"})
        await anyio.sleep(10)
        (task,) = await world.tasks()
        found = structured(await call(client, "get_video_task", task_id=task.id, wait_seconds=45))

    assert given_up.cancelled_caught
    assert world.service.charges == ["a fox"]
    assert found["task_status"] == "succeed"


async def test_a_server_that_closes_waits_for_the_answer_it_paid_for(world: World) -> None:
    async def slowly(_: httpx.Request) -> None:
        await anyio.sleep(5)

    world.service.on_create = slowly
    async with world.client() as client:
        with anyio.move_on_after(1):
            await client.call_tool("generate_video", {"prompt": "a fox"})

    (task,) = await world.tasks()
    assert task.provider_task_id is not None
    assert world.service.charges == ["a fox"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(httpx.ReadError("reset"), id="reset after the charge"),
        pytest.param(httpx.ReadTimeout("silence"), id="silence"),
        pytest.param(httpx.RemoteProtocolError("garbage"), id="garbage"),
        pytest.param(ZeroDivisionError("what nobody foresaw"), id="unforeseen"),
        pytest.param(httpx.Response(500, text="<html>oops</html>"), id="500"),
        pytest.param(httpx.Response(503), id="503"),
        pytest.param(httpx.Response(200, text="welcome"), id="200 without JSON"),
        pytest.param(httpx.Response(200, json={"code": 1002, "message": "slow"}), id="envelope"),
        pytest.param(httpx.Response(406, json={"error": {"message": "x"}}), id="406"),
        pytest.param(httpx.Response(200, json={"model": "x"}), id="200 without a task"),
    ],
)
async def test_an_outcome_that_is_not_known_is_never_sent_again(
    world: World, answer: httpx.Response | Exception
) -> None:
    world.service.on_create = answer_once(answer)
    async with world.client() as client:
        lost = await call(client, "generate_video", prompt="a fox")
        task_id = structured(lost)["task_id"]
    async with world.client() as client:
        await anyio.sleep(3600)
        later = await call(client, "get_video_task", task_id=task_id)

    assert world.service.charges == ["a fox"]
    for shown in (lost, later):
        assert shown.is_error
        assert structured(shown)["task_status"] == "unknown"
        assert structured(shown)["error"]["code"] == "no_answer"
        assert "It may have been charged." in text(shown)
        assert "Nothing was charged." not in text(shown)
        assert task_id[:8] in text(shown)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(httpx.Response(200, html="<!doctype html><p>welcome"), id="200"),
        pytest.param(httpx.Response(502, html="<html>bad gateway"), id="502"),
    ],
)
async def test_a_web_page_in_the_middle_of_work_may_have_been_charged(
    world: World, page: httpx.Response
) -> None:
    async with world.client() as client:
        await call(client, "generate_video", prompt="a fox")
        world.service.on_create = answer_once(page)
        lost = await call(client, "generate_video", prompt="a hare")

    assert structured(lost)["task_status"] == "unknown"
    assert "It may have been charged." in text(lost)
    assert world.service.charges == ["a fox", "a hare"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(httpx.Response(200, html="<!doctype html><p>welcome"), id="200 page"),
        pytest.param(httpx.Response(404, html="<html>no such page"), id="404 page"),
        pytest.param(httpx.Response(404, json={"detail": "Not Found"}), id="404"),
        pytest.param(httpx.Response(405), id="405"),
        pytest.param(httpx.Response(403, html="<html>forbidden"), id="403 page"),
    ],
)
async def test_what_is_not_the_api_has_charged_nothing_and_names_the_address(
    world: World, answer: httpx.Response
) -> None:
    world.service.before_charge = always_answer(answer)
    async with world.client() as client:
        refused = await call(client, "generate_video", prompt="a fox")

    assert refused.is_error
    assert structured(refused)["task_status"] == "failed"
    assert structured(refused)["error"]["code"] == "wrong_base_url"
    assert "Nothing was charged." in text(refused)
    assert "GEEKAI_BASE_URL is https://geekai.test/api/v1" in text(refused)
    assert len(world.service.requests) == 1, "it is not sent again"


@pytest.mark.parametrize("status_code", [409, 410, 451])
async def test_a_refusal_of_any_kind_has_charged_nothing(world: World, status_code: int) -> None:
    world.service.before_charge = always_answer(api_error(status_code, "no", "not this one"))
    async with world.client() as client:
        refused = await call(client, "generate_video", prompt="a fox")

    assert "Nothing was charged." in text(refused)
    assert "not this one" in text(refused)


async def test_an_answer_that_broke_off_after_its_task_id_is_used(world: World) -> None:
    async def broken_off(_: httpx.Request) -> httpx.Response:
        async def half() -> AsyncGenerator[bytes]:
            job = list(world.service.jobs)[-1]
            yield b'{"model": "m", "task_id": "' + job.encode() + b'", "task_st'
            raise httpx.RemoteProtocolError("incomplete chunked read")

        return httpx.Response(200, content=half())

    world.service.on_create = broken_off
    async with world.client() as client:
        started = await call(client, "generate_video", prompt="a fox")
        task_id = structured(started)["task_id"]
        done = structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))

    assert not started.is_error
    assert structured(started)["task_status"] == "pending"
    assert "up to its task id" in text(started)
    assert (done["task_status"], "file" in done) == ("succeed", True)
    assert world.service.charges == ["a fox"]


async def test_an_answer_that_names_no_task_is_kept_for_a_person(world: World) -> None:
    world.service.on_create = always_answer(httpx.Response(200, text="welcome"))
    async with world.app() as app:
        request = GenerationRequest(Media.VIDEO, {"model": "m", "prompt": "a fox"})
        task, _ = await app.engine.submit(request)

    assert task.raw_response is not None
    assert "welcome" in task.raw_response


@pytest.mark.parametrize(
    "kind", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError]
)
async def test_what_surely_did_not_leave_is_tried_again_and_paid_once(
    world: World, kind: type[httpx.TransportError]
) -> None:
    world.service.before_charge = answer_once(kind("not sent"))
    async with world.client() as client:
        started = await call(client, "generate_video", prompt="a fox")

    assert not started.is_error
    assert world.service.charges == ["a fox"]


async def test_a_rate_limit_is_waited_out_as_long_as_the_service_asks(world: World) -> None:
    limited = api_error(429, "rate_limit", "slow down")
    limited.headers["Retry-After"] = "40"
    world.service.before_charge = answer_once(limited)
    async with world.client() as client:
        started = structured(await call(client, "generate_video", prompt="a fox"))
        await anyio.sleep(39 - 15)
        before = list(world.service.charges)
        await anyio.sleep(2)
        after = list(world.service.charges)

    assert started["task_status"] == "submitting"
    assert (before, after) == ([], ["a fox"])


async def test_a_redirect_is_not_followed(world: World) -> None:
    away = httpx.Response(307, headers={"Location": "https://evil.test/videos/generations"})
    world.service.before_charge = always_answer(away)
    async with world.client() as client:
        refused = await call(client, "generate_video", prompt="a fox")

    assert refused.is_error
    assert "Nothing was charged." in text(refused)
    assert len(world.service.requests) == 1
