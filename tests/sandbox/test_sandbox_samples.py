"""The sandbox against the documents: it takes their requests and speaks their answers.

Samples whose name says `old` are GeekAI's former words, and `error_string` and
`error_message_only` are other gateways'; a client must read them, the sandbox does not say them.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from .conftest import Options, World

FILES = sorted((Path(__file__).parents[1] / "samples").glob("*.json"))
SAMPLES: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text("utf-8")) for path in FILES
}
REQUESTS = [name for name, sample in SAMPLES.items() if sample["kind"] == "request"]
PICTURE_REQUESTS = [name for name, sample in SAMPLES.items() if sample["kind"] == "image_request"]
KINDS = {
    "request", "create_answer", "task_answer", "error", "models_page", "model_detail",
    "image_request", "image_create_answer", "image_task_answer",
}  # fmt: skip


@pytest.fixture
def anyio_backend() -> str:
    # The documents do not depend on the loop; once is enough.
    return "asyncio"


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_says_where_and_when_it_was_read(name: str) -> None:
    sample = SAMPLES[name]

    assert set(sample) == {"source", "read_on", "kind", "status_code", "payload"}
    assert sample["kind"] in KINDS
    assert sample["source"]
    assert date.fromisoformat(sample["read_on"]) == date(2026, 11, 22)
    assert (sample["status_code"] is None) is sample["kind"].endswith("request")


@pytest.mark.parametrize("name", REQUESTS)
async def test_every_documented_request_becomes_a_video(world: World, name: str) -> None:
    async with world.running() as client:
        answer = await client.post("videos/generations", json=SAMPLES[name]["payload"])
        assert answer.status_code == 200, answer.text
        done = await world.finish(client, answer.json()["task_id"])

    assert done["task_status"] == "succeed"
    assert done["model"] == SAMPLES[name]["payload"]["model"]


@pytest.mark.parametrize("name", PICTURE_REQUESTS)
async def test_every_documented_request_becomes_a_picture(world: World, name: str) -> None:
    async with world.running() as client:
        answer = await client.post("images/generations", json=SAMPLES[name]["payload"])
        assert answer.status_code == 200, answer.text
        done = await world.finish(client, answer.json()["task_id"], "images")

    assert done["task_status"] == "succeed"
    assert done["model"] == SAMPLES[name]["payload"]["model"]


def json_kinds(value: object, path: str = "$") -> dict[str, str]:
    """The JSON type at every path of *value*; of a list, its first element's."""
    if isinstance(value, dict):
        inner = cast("dict[str, Any]", value).items()
        below = [json_kinds(item, f"{path}.{name}") for name, item in inner]
        return {path: "object"} | {key: kind for part in below for key, kind in part.items()}
    if isinstance(value, list):
        first = cast("list[Any]", value)[:1]
        return {path: "array"} | (json_kinds(first[0], f"{path}[0]") if first else {})
    if isinstance(value, bool) or value is None:
        return {path: "null" if value is None else "boolean"}
    return {path: "string" if isinstance(value, str) else "number"}


def missing_paths(documented: object, actual: object) -> list[str]:
    """The paths of *documented* that *actual* lacks, or has with another type (null apart)."""
    have = json_kinds(actual)
    return [
        path
        for path, kind in json_kinds(documented).items()
        if have.get(path) not in (kind, "null")
    ]


async def test_answers_have_every_documented_key_with_its_type(world: World) -> None:
    actual: dict[str, Any] = {}
    ask = {"model": "m", "prompt": "a fox"}
    async with world.running() as client:
        create = await client.post(
            "videos/generations", json={**ask, "prompt": "hold", "async": True}
        )
        actual["create_async"] = create.json()
        actual["task_running"] = (await client.get(f"videos/{create.json()['task_id']}")).json()
        world.release_renders()
        actual["task_result_object"] = await world.finish(client, create.json()["task_id"])
        actual["task_result_array"] = await world.finish(client, await world.submit(client))
        actual["create_sync_success"] = (await client.post("videos/generations", json=ask)).json()
        actual["task_failed"] = await world.finish(client, await world.submit(client, "refuse"))
        actual["create_sync_failed"] = (
            await client.post("videos/generations", json={**ask, "prompt": "refuse"})
        ).json()
        create = await client.post("images/generations", json={**ask, "async": True})
        actual["image_create_async"] = create.json()
        actual["image_task_succeed"] = await world.finish(
            client, create.json()["task_id"], "images"
        )
        actual["image_create_sync_success"] = (
            await client.post("images/generations", json=ask)
        ).json()
        refused = await world.submit_images(client, "refuse")
        actual["image_task_failed"] = await world.finish(client, refused, "images")
        actual["models_page"] = (await client.get("models?page_size=2")).json()
        actual["model_detail"] = (await client.get("models/MiniMax-H3")).json()

    assert {
        name: missing_paths(SAMPLES[name]["payload"], answer) for name, answer in actual.items()
    } == {name: [] for name in actual}
    for name, answer in actual.items():
        unknown = set(answer) - set(SAMPLES[name]["payload"])
        assert unknown, f"{name} has no field that the documents lack"


@pytest.mark.parametrize(
    ("name", "body", "options"),
    [
        ("error_validation", b"{}", {}),
        ("error_unauthorized", b"{}", {"api_key": "k"}),
        ("error_balance", b'{"model": "m", "prompt": "p"}', {"balance": 0}),
        ("error_rate_limit", b'{"model": "m", "prompt": "p"}', {"max_waiting": 0}),
    ],
)
async def test_errors_have_the_documented_status_code_and_shape(
    world: World, name: str, body: bytes, options: Options
) -> None:
    sample = SAMPLES[name]
    async with world.client(world.sandbox(**options)) as client:
        answer = await client.post("videos/generations", content=body)

    assert answer.status_code == sample["status_code"]
    assert answer.json()["error"]["code"] == sample["payload"]["error"]["code"]
    assert missing_paths(sample["payload"], answer.json()) == []
