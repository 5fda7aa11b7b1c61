"""MCP's Tasks extension: the same tasks, for clients that declare it on the call."""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client, MCPError
from mcp.client.extension import advertise
from mcp.server.context import CallNext, HandlerResult
from mcp_types import ClientCapabilities

from geekai_video_mcp.server import APPS_EXTENSION, tasks_extension
from geekai_video_mcp.server.build import build_server
from support.fake_geekai import always_answer, answer_once, api_error, documented_reply
from support.tasks import (
    IDENTIFIER,
    ListenRequest,
    Payload,
    Tasks,
    create_task,
    listening,
    request_task,
)
from support.world import Era, World, call, structured, text

pytestmark = pytest.mark.both_eras

METHODS: dict[str, dict[str, Any]] = {
    "tasks/get": {},
    "tasks/update": {"inputResponses": {"answer": {"action": "accept", "content": {}}}},
    "tasks/cancel": {},
}


@pytest.fixture
def era() -> Era:
    """The extension exists in the new era alone; what it is not in the old one, a test says."""
    return "auto"


async def test_a_bug_in_the_extension_leaves_the_result_that_has_the_id(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(tasks_extension, "task_payload", fail)
    async with world.client(extensions=[Tasks()]) as client:
        made = structured(await call(client, "generate_video", prompt="a fox"))

    assert made["task_id"]
    assert world.service.charges == ["a fox"]


async def refusal_of(client: Client, method: str, **params: Any) -> MCPError:  # noqa: ANN401 - JSON
    with pytest.raises(MCPError) as caught:
        await request_task(client.session, method, **params)
    return caught.value


@pytest.mark.parametrize("tool", ["generate_video", "generate_image"])
async def test_a_client_of_the_extension_gets_in_the_end_what_get_video_task_gives(
    world: World, tool: str
) -> None:
    tasks = Tasks()
    async with world.client(extensions=[tasks]) as client:
        done = await call(client, tool, **{"prompt": "a fox", "async": True})
        shown = await call(client, "get_video_task", task_id=structured(done)["task_id"])

    first, *_, last = tasks.results
    assert (first["resultType"], first["status"]) == ("task", "working")
    assert (last["resultType"], last["status"]) == ("complete", "completed")
    assert structured(done)["task_status"] == "succeed"
    assert Path(structured(done)["file"]).exists()
    assert done.content == shown.content
    assert structured(done) == structured(shown)
    assert done.is_error == shown.is_error
    assert world.service.charges == ["a fox"]


async def test_warnings_are_in_the_working_status_and_in_the_end(world: World) -> None:
    tasks = Tasks()
    request = {"model": "doubao-seedance-2.0", "fps": 60}
    warning = "lists no fps 60, only 24"
    async with world.client(extensions=[tasks]) as client:
        task = await create_task(client, "generate_video", prompt="a fox", **request)
        working = await request_task(client.session, "tasks/get", taskId=task["taskId"])
        done = await call(client, "generate_video", prompt="a fox", **request)
        shaped = {"model": "kling-video-v2-6", "aspect_ratio": "vertical"}
        noted = await create_task(client, "generate_video", prompt="a hare", **shaped)

    for state in (task, working):
        assert state["status"] == "working"
        assert warning in state["statusMessage"]
    assert structured(done)["task_status"] == "succeed"
    assert warning in text(done)
    assert [each for each in structured(done)["warnings"] if warning in each]
    assert 'aspect_ratio "vertical" was taken as 9:16.' in noted["statusMessage"]


async def test_the_server_says_that_it_speaks_the_extension(world: World) -> None:
    async with world.client() as client:
        extensions = client.server_capabilities.extensions

    assert extensions == {IDENTIFIER: {}, APPS_EXTENSION: {}}


async def test_a_call_that_does_not_declare_it_gets_no_task(world: World) -> None:
    async with world.client() as client:
        plain = await call(client, "generate_video", prompt="a fox")

    assert plain.result_type == "complete"
    assert structured(plain)["task_status"] == "pending"


async def test_the_old_protocol_knows_no_such_tasks(world: World) -> None:
    world.era = "legacy"
    async with world.client(extensions=[Tasks()]) as client:
        plain = await call(client, "generate_video", prompt="a fox")
        unknown = await refusal_of(client, "tasks/get", taskId=structured(plain)["task_id"])

    assert unknown.code == -32601


async def test_a_failed_generation_is_a_completed_task_with_an_error_in_its_result(
    world: World,
) -> None:
    world.service.error = {"code": "1301", "message": "sensitive"}
    tasks = Tasks()
    async with world.client(extensions=[tasks]) as client:
        done = await call(client, "generate_video", prompt="a fox")

    assert tasks.results[-1]["status"] == "completed"
    assert done.is_error
    assert structured(done)["error"]["code"] == "1301"


async def test_an_answer_that_leaves_nothing_to_wait_for_is_no_task(world: World) -> None:
    async with world.client(extensions=[Tasks()]) as client:

        async def directly(**arguments: Any) -> Any:  # noqa: ANN401 - JSON
            return await client.session.call_tool("generate_video", arguments)

        dry = await directly(prompt="a fox", dry_run=True)
        wrong = await directly(promt="a fox")
        waited = await directly(prompt="a fox", **{"async": False})
        world.service.before_charge = always_answer(api_error(400, "invalid", "no"))
        rejected = await directly(prompt="two")
        world.service.before_charge = documented_reply
        world.service.on_create = answer_once(httpx.ReadError("reset"))
        unknown = await directly(prompt="three")
        listed = await client.session.call_tool("list_video_tasks", {})

    assert structured(dry)["dry_run"]
    assert wrong.is_error
    assert structured(waited)["task_status"] == "succeed"
    assert structured(rejected)["task_status"] == "failed"
    assert structured(unknown)["task_status"] == "unknown"
    assert len(structured(listed)["tasks"]) == 3


async def test_a_repeat_is_given_the_task_that_it_repeats(world: World) -> None:
    async with world.client(extensions=[Tasks()]) as client:
        first = await create_task(client, "generate_video", prompt="a fox")
        again = await create_task(client, "generate_video", prompt="a fox")

    assert again["taskId"] == first["taskId"]
    assert world.service.charges == ["a fox"]


async def test_a_result_read_as_a_task_is_a_result_read(world: World) -> None:
    async with world.client(extensions=[Tasks()]) as client:
        first = structured(await call(client, "generate_video", prompt="a fox"))
        await anyio.sleep(120)
        second = structured(await call(client, "generate_video", prompt="a fox"))

    assert second["task_id"] != first["task_id"]
    assert world.service.charges == ["a fox", "a fox"]


async def test_a_cancel_is_acknowledged_and_the_true_status_is_shown(world: World) -> None:
    async with world.client(extensions=[Tasks()]) as client:
        task_id = (await create_task(client, "generate_video", prompt="a fox"))["taskId"]
        answer = await request_task(client.session, "tasks/cancel", taskId=task_id)
        after = await request_task(client.session, "tasks/get", taskId=task_id)
    async with world.client(extensions=[Tasks()]) as client:
        restarted = await request_task(client.session, "tasks/get", taskId=task_id)
        await anyio.sleep(60)
        done = await request_task(client.session, "tasks/get", taskId=task_id)

    assert answer.keys() == {"resultType", "_meta"}
    for task in (after, restarted):
        assert task["status"] == "working"
        assert "GeekAI cannot stop a job" in task["statusMessage"]
        assert "It may have been charged." in task["statusMessage"]
    assert done["status"] == "completed"
    assert not done["result"]["isError"]


async def test_an_update_answers_no_question_and_changes_nothing(world: World) -> None:
    async with world.client(extensions=[Tasks()]) as client:
        task_id = (await create_task(client, "generate_video", prompt="a fox"))["taskId"]
        before = await request_task(client.session, "tasks/get", taskId=task_id)
        answer = await request_task(
            client.session, "tasks/update", taskId=task_id, **METHODS["tasks/update"]
        )
        after = await request_task(client.session, "tasks/get", taskId=task_id)

    assert answer.keys() == {"resultType", "_meta"}
    assert after == before


@pytest.mark.parametrize("method", METHODS)
async def test_a_client_that_does_not_declare_the_extension_is_shown_what_is_missing(
    world: World, method: str
) -> None:
    async with world.client() as client:
        task_id = structured(await call(client, "generate_video", prompt="a fox"))["task_id"]
        missing = await refusal_of(client, method, taskId=task_id, **METHODS[method])

    assert missing.code == -32021
    needed = ClientCapabilities.model_validate(missing.data["requiredCapabilities"])
    assert needed.extensions == {IDENTIFIER: {}}


@pytest.mark.parametrize("method", METHODS)
async def test_an_id_that_is_no_tasks_is_refused_and_nobody_else_is_asked(
    world: World, method: str
) -> None:
    async with world.client(extensions=[Tasks()]) as client:
        mine = await call(client, "generate_video", prompt="a fox")
        looks = world.service.poll_count
        for strange in ("none", "", world.provider_id(structured(mine)["task_id"])):
            unknown = await refusal_of(client, method, taskId=strange, **METHODS[method])
            assert unknown.code == -32602
        assert world.service.poll_count == looks


async def test_a_task_says_when_it_was_made_and_when_to_ask_again(world: World) -> None:
    async with world.client(extensions=[Tasks()]) as client:
        task = await create_task(client, "generate_video", prompt="a fox")
        (waiting,) = await world.tasks()
        until_poll = (waiting.next_poll_at or 0.0) - world.clock()
        await anyio.sleep(15)
        later = await request_task(client.session, "tasks/get", taskId=task["taskId"])

    made, changed, current = (
        datetime.fromisoformat(at)
        for at in (task["createdAt"], task["lastUpdatedAt"], later["lastUpdatedAt"])
    )
    assert made == changed < current
    assert later["createdAt"] == task["createdAt"]
    assert task["pollIntervalMs"] == pytest.approx(until_poll * 1000, abs=1500)
    assert task["ttlMs"] is None
    assert later["ttlMs"] is None


async def test_a_task_is_found_by_every_process_on_the_same_ledger(world: World) -> None:
    async with world.client(extensions=[Tasks()]) as one:
        task_id = (await create_task(one, "generate_video", prompt="a fox"))["taskId"]
        async with world.client(extensions=[Tasks()]) as other:
            first_stream, there = [
                await request_task(client.session, "tasks/get", taskId=task_id)
                for client in (one, other)
            ]

    assert first_stream == there
    assert first_stream["status"] == "working"


async def test_a_ledger_that_cannot_be_read_is_an_error_and_no_missing_task(world: World) -> None:
    async with world.client(extensions=[Tasks()]) as client:
        task_id = (await create_task(client, "generate_video", prompt="a fox"))["taskId"]
        with unreadable(world):
            broken = await refusal_of(client, "tasks/get", taskId=task_id)

    assert broken.code == -32603


async def test_subscribers_get_each_change_and_the_end_as_tasks_get_shows_it(world: World) -> None:
    tasks = Tasks()
    async with world.client(extensions=[tasks]) as client:
        task_id = (await create_task(client, "generate_video", prompt="a fox"))["taskId"]
        other = (await create_task(client, "generate_video", prompt="two"))["taskId"]
        async with listening(client, task_id, task_id, "none"):
            await anyio.sleep(60)
        end = await request_task(client.session, "tasks/get", taskId=task_id)

    words = [each.get("statusMessage", each["status"]).split(",")[0] for each in tasks.received]
    assert words == ["pending", "running", "downloading", "completed"]
    assert other not in {notification["taskId"] for notification in tasks.received}
    streams = {
        notification["_meta"]["io.modelcontextprotocol/subscriptionId"]
        for notification in tasks.received
    }
    assert len(streams) == 1
    last = {name: value for name, value in tasks.received[-1].items() if name != "_meta"}
    assert last == {n: value for n, value in end.items() if n not in {"_meta", "resultType"}}


async def test_nothing_is_notified_before_the_subscription_is_acknowledged(world: World) -> None:
    tasks, server = Tasks(), build_server(world.app)

    async def slow(ctx: Any, call_next: CallNext) -> HandlerResult:  # noqa: ANN401 - the SDK's
        if ctx.method == "subscriptions/listen":
            await anyio.sleep(5)
        return await call_next(ctx)

    server.middleware.append(slow)
    async with Client(server, extensions=[tasks]) as client:
        task_id = (await create_task(client, "generate_video", prompt="a fox"))["taskId"]
        async with listening(client, task_id):
            await anyio.sleep(4)
            early = list(tasks.received)
            await anyio.sleep(2)

    assert early == []
    assert tasks.received


async def test_a_subscriber_is_notified_of_changes_by_another_process(world: World) -> None:
    tasks = Tasks()
    async with world.client(extensions=[Tasks()]) as maker:
        task_id = (await create_task(maker, "generate_video", prompt="a fox"))["taskId"]
        async with world.client(extensions=[tasks]) as client, listening(client, task_id):
            await anyio.sleep(60)

    assert tasks.received[-1]["status"] == "completed"


async def test_a_listener_survives_a_ledger_that_cannot_be_read(world: World) -> None:
    tasks = Tasks()
    async with world.client(extensions=[tasks]) as client:
        task_id = (await create_task(client, "generate_video", prompt="a fox"))["taskId"]
        async with listening(client, task_id):
            await anyio.sleep(1)
            with unreadable(world):
                await anyio.sleep(4)
            await anyio.sleep(60)

    assert tasks.received[-1]["status"] == "completed"
    assert [notification["status"] for notification in tasks.received].count("completed") == 1


async def test_a_result_sent_to_a_subscriber_counts_as_delivered(world: World) -> None:
    async with world.client(extensions=[Tasks()]) as client:
        task_id = (await create_task(client, "generate_video", prompt="a fox"))["taskId"]
        async with listening(client, task_id):
            await anyio.sleep(180)
        again = await create_task(client, "generate_video", prompt="a fox")

    assert again["taskId"] != task_id


@pytest.mark.parametrize(
    ("declared", "ids", "code"),
    [
        pytest.param([], ["any"], -32021, id="not declared"),
        pytest.param([advertise(IDENTIFIER)], [7], -32602, id="no strings"),
        pytest.param([advertise(IDENTIFIER)], "any", -32602, id="no list"),
    ],
)
async def test_listening_that_cannot_be_is_refused(
    world: World, declared: list[Any], ids: object, code: int
) -> None:
    async with world.client(extensions=declared) as client:
        with pytest.raises(MCPError) as caught:
            await client.session.send_request(
                ListenRequest(params={"notifications": {"taskIds": ids}}), Payload
            )

    assert caught.value.code == code


async def test_the_sdks_own_refusal_of_a_subscription_is_passed_on_unchanged(world: World) -> None:
    wrong = {"taskIds": ["any"], "toolsListChanged": "maybe"}
    async with world.client(extensions=[Tasks()]) as client:
        with pytest.raises(MCPError) as caught:
            await client.session.send_request(
                ListenRequest(params={"notifications": wrong}), Payload
            )

    assert caught.value.code == -32602


async def test_listening_to_other_things_is_as_it_was(world: World) -> None:
    async with world.client() as client:
        with anyio.fail_after(10):
            async with client.listen(tools_list_changed=True) as subscription:
                assert subscription.honored.tools_list_changed


@contextmanager
def unreadable(world: World) -> Generator[None]:
    """No task can be read while the block lasts."""
    with closing(sqlite3.connect(world.state / "ledger.sqlite3", isolation_level=None)) as disk:
        disk.execute("ALTER TABLE task RENAME TO away")
        yield
        disk.execute("ALTER TABLE away RENAME TO task")
