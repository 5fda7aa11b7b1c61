"""What is refused, how, and that nothing is charged for it."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import BASE_URL, wait_until

if TYPE_CHECKING:
    from .conftest import World

ASK: dict[str, Any] = {"model": "sandbox", "prompt": "a fox", "async": True}


@pytest.fixture
def anyio_backend() -> str:
    # What is refused does not depend on the loop; once is enough.
    return "asyncio"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"prompt": None}, "prompt is required."),
        ({"prompt": "  "}, "prompt is required."),
        ({"prompt": 7}, "prompt must be a string."),
        ({"prompt": "x" * 20_001}, "longer than 20000"),
        ({"prompt": "\ud800"}, "an unpaired surrogate"),
        ({"\ud800": 1}, "an unpaired surrogate"),
        ({"model": None}, "model is required"),
        ({"async": "yes"}, "async must be true or false."),
        ({"with_audio": 1}, "with_audio must be true or false."),
        ({"duration": 0}, "duration must be"),
        ({"duration": 61}, "at most 60 seconds"),
        ({"duration": "long"}, "duration must be a number."),
        ({"fps": 61}, "fps must be from 1 to 60."),
        ({"fps": True}, "fps must be a number."),
        ({"size": "wide"}, "for example 1280x720"),
        ({"size": "32x32"}, "at least 64 pixels"),
        ({"size": "4096x2160"}, "3840x2160"),
        ({"size": "3840x2160", "duration": 11, "fps": 60}, "too much for the sandbox"),
        ({"resolution": "big"}, "resolution must be"),
        ({"resolution": "8k"}, "resolution must be"),
        ({"aspect_ratio": "9:1"}, "from 1:4 to 4:1"),
        ({"aspect_ratio": "0:0"}, "from 1:4 to 4:1"),
        ({"extra_body": "draft"}, "extra_body must be an object."),
        ({"extra_body": {"camera_control": "{zoom"}}, "is not valid JSON"),
        ({"extra_body": {"camera_control": 5}}, "the name of a preset or an object"),
        ({"extra_body": {"camera_control": {"config": {"zoom": 11}}}}, "from -10 to 10"),
        (
            {"extra_body": {"camera_control": {"config": {"dolly": 1}}}},
            "supported are horizontal, vertical",
        ),
        ({"image": "https://example.com/cat.png"}, "has no network access"),
        ({"image": "data:image/png;base64,?"}, "not valid base64"),
        ({"image": "data:image/png,raw"}, "must be a base64 data URI"),
        ({"image": "data:image/gif;base64,R0lGODlhAQABAAAAACw="}, "PNG, JPEG or WebP"),
        ({"image": {"url": "x"}}, "image must be a link or a data URI."),
        ({"image_tail": "file:///etc/passwd"}, "image_tail is a link"),
    ],
    ids=lambda value: json.dumps(value)[:70] if isinstance(value, dict) else "",
)
async def test_a_request_that_cannot_be_drawn_is_refused_in_a_sentence(
    world: World, fields: dict[str, Any], says: str
) -> None:
    sandbox = world.sandbox()
    async with world.client(sandbox) as client:
        answer = await client.post("videos/generations", content=json.dumps(ASK | fields))

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "validation_error")
    assert says in error["message"]
    assert sandbox.charges() == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a": NaN}', b"[" * 100_000, b"\xff\xfe"])
async def test_a_body_that_is_no_json_object_is_refused(world: World, body: bytes) -> None:
    async with world.client(world.sandbox()) as client:
        answer = await client.post("videos/generations", content=body)

    assert answer.status_code == 400
    assert "must be" in answer.json()["error"]["message"]


async def test_a_wrong_key_is_refused_everywhere_but_at_files_and_health(world: World) -> None:
    sandbox = world.sandbox(api_key="right")
    async with world.client(sandbox, key="wrong") as client:
        answers = [
            await client.post("videos/generations", json=ASK),
            await client.get("videos/0"),
            await client.get("video/0/result"),
            await client.get("models"),
            await client.get("models/sandbox"),
        ]
    async with world.client(sandbox, key="right") as client:
        right = await client.get("models")

    assert {answer.status_code for answer in answers} == {401}
    assert answers[0].json()["error"]["code"] == "unauthorized"
    assert right.status_code == 200
    assert sandbox.charges() == []


async def test_without_a_key_of_its_own_the_sandbox_takes_any(world: World) -> None:
    async with world.client(world.sandbox(), key="anything") as client:
        assert (await client.post("videos/generations", json=ASK)).status_code == 200


async def test_the_balance_counts_down_and_survives_a_restart(world: World) -> None:
    async with world.client(world.sandbox(balance=2)) as client:
        paid = [await client.post("videos/generations", json=ASK) for _ in range(2)]
    async with world.client(world.sandbox(balance=2)) as client:
        refused = await client.post("videos/generations", json=ASK)

    assert [answer.status_code for answer in paid] == [200, 200]
    assert (refused.status_code, refused.json()["error"]["code"]) == (402, "insufficient_balance")


async def test_a_full_queue_says_when_to_come_back_and_charges_nothing(world: World) -> None:
    sandbox = world.sandbox(max_waiting=3)
    async with world.client(sandbox) as client:
        answers = [await client.post("videos/generations", json=ASK) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert int(answers[3].headers["retry-after"]) >= 1
    assert len(sandbox.charges()) == 3


async def test_the_video_being_rendered_does_not_count_as_waiting(world: World) -> None:
    async with world.running(max_waiting=1) as client:
        held = await world.submit(client, "hold")

        async def rendering() -> bool:
            return bool(world.renders("begin"))

        await wait_until(rendering)
        await world.submit(client)
        full = await client.post("videos/generations", json=ASK)
        world.release_renders()
        await world.finish(client, held)

    assert full.status_code == 429


@pytest.mark.parametrize(
    "task_id",
    ["0", "..", "%2e%2e", "00000000-0000-0000-0000-000000000000", "A" * 5000, "x\x00y", ".new-1"],
)
async def test_an_id_that_is_not_ours_never_reaches_the_disk(world: World, task_id: str) -> None:
    async with world.client(world.sandbox()) as client:
        answer = await client.get(f"{BASE_URL}/videos/{task_id}".replace("\x00", "%00"))

    assert answer.status_code == 404
    assert isinstance(answer.json()["error"]["message"], str)


@pytest.mark.parametrize("name", ["plan.json", "task.json", "render.log", "..%2ftask.json", "x"])
async def test_only_results_can_be_fetched(world: World, name: str) -> None:
    async with world.running() as client:
        task_id = await world.submit(client)
        await world.finish(client, task_id)
        answer = await client.get(f"files/{task_id}/{name}")

    assert answer.status_code == 404


async def test_a_file_of_a_task_that_is_not_done_is_not_there(world: World) -> None:
    async with world.client(world.sandbox()) as client:
        task_id = await world.submit(client)
        assert (await client.get(f"files/{task_id}/video.mp4")).status_code == 404


# On trio, httpx's in-process transport leaves its half-sent body to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_body_over_the_cap_is_refused_whether_announced_or_not(world: World) -> None:
    async def flood() -> AsyncGenerator[bytes]:
        for _ in range(49):
            yield bytes(1024 * 1024)

    async with world.client(world.sandbox()) as client:
        announced = await client.post(
            "videos/generations", content=b"{}", headers={"Content-Length": "50331649"}
        )
        streamed = await client.post("videos/generations", content=flood())

    for answer in (announced, streamed):
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "invalid_request")


async def test_a_folder_that_cannot_be_used_is_a_500_in_json(world: World) -> None:
    world.folder.write_text("a file where a folder should be", "utf-8")
    async with world.running() as client:
        post = await client.post("videos/generations", json=ASK)
        health = await client.get(BASE_URL.replace("/api/v1", "/health"))

    for answer in (post, health):
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")


async def test_unknown_addresses_and_methods_are_refused_in_json(world: World) -> None:
    async with world.client(world.sandbox()) as client:
        nowhere = await client.get("nowhere")
        method = await client.get("videos/generations")
        delete = await client.delete("models")

    assert (nowhere.status_code, nowhere.json()["error"]["code"]) == (404, "not_found")
    assert method.status_code in (404, 405)
    assert (delete.status_code, delete.json()["error"]["code"]) == (405, "method_not_allowed")


async def test_no_log_holds_a_prompt_or_a_key(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="geekai_sandbox")
    sandbox = world.sandbox(api_key="canary-key")
    async with sandbox, world.client(sandbox, key="canary-key") as client:
        await world.finish(client, await world.submit(client, "canary-prompt"))
        await world.finish(client, await world.submit(client, "refuse canary-prompt"))

    ours = [r.getMessage() for r in caplog.records if r.name.startswith("geekai_sandbox")]
    assert ours
    assert "canary" not in " ".join(ours)
