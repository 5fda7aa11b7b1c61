"""The JSON file beside a result: what it says, who gets one, and what becomes of it."""

import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client

from geekai_video_mcp.config.hosting import HostingSettings
from geekai_video_mcp.domain.sidecars import read_sidecar
from support.fake_geekai import VIDEO
from support.world import World, call, structured

pytestmark = pytest.mark.both_databases

DAY = 86_400.0


async def finish(client: Client, prompt: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The structured result of a video that was waited for."""
    made = structured(await call(client, "generate_video", prompt=prompt, **arguments))
    task_id = made["task_id"]
    return structured(await call(client, "get_video_task", task_id=task_id, wait_seconds=45))


def sidecar_of(result: dict[str, Any]) -> Path:
    return Path(result["file"]).with_suffix(".json")


async def test_a_result_has_one_name_and_a_file_that_says_how_it_was_made(world: World) -> None:
    signed = "https://example.com/fox.png?signature=secret#x"
    async with world.client() as client:
        result = await finish(
            client,
            "slow dolly shot of a red fox",
            model="sora-2",
            duration=8,
            image=signed,
            variation=2,
        )
    task = await world.find_task(result["task_id"])

    path, short = Path(result["file"]), result["task_id"][:8]
    assert sorted(each.name for each in world.output.iterdir()) == [
        f"red-fox-v2-{short}.json",
        f"red-fox-v2-{short}.mp4",
    ]
    content = sidecar_of(result).read_bytes()
    said = json.loads(content)
    assert said["prompt"] == "slow dolly shot of a red fox"
    assert said["parameters"] == {
        "duration": 8,
        "image": "https://example.com/fox.png",
    }
    assert (said["task_id"], said["geekai_id"]) == (task.id, task.provider_task_id)
    assert (said["media"], said["model"], said["variation"]) == ("video", "sora-2", 2)
    assert said["price_cny"] == task.price_cny == 6
    assert said["file"] == path.name
    assert said["bytes"] == len(VIDEO)
    assert said["sha256"] == hashlib.sha256(VIDEO).hexdigest() == task.file_sha256
    assert b"secret" not in content
    assert task.result is not None
    assert str(task.result.url).encode() not in content
    assert stat.S_IMODE(sidecar_of(result).stat().st_mode) == 0o600


async def test_any_prompt_can_be_read_back(world: World) -> None:
    prompt = '一只狐狸 "\\n\u2028</script>\n🦊 \U000e0001 end'
    async with world.client() as client:
        result = await finish(client, prompt)

    content = sidecar_of(result).read_bytes()
    assert (
        json.loads(content)["prompt"]
        == (await world.find_task(result["task_id"])).request["prompt"]
    )
    assert "一只狐狸".encode() in content
    found = read_sidecar(content)
    assert found is not None
    assert found.unchanged


async def test_a_film_says_what_it_was_joined_of(world: World) -> None:
    async with world.client() as client:
        ids = [(await finish(client, prompt))["task_id"] for prompt in ("a fox", "an owl")]
        film = structured(await call(client, "join_videos", parts=ids))

    said = json.loads(sidecar_of(film).read_bytes())
    assert said["media"] == "film"
    assert [part["task"] for part in said["parameters"]["parts"]] == ids
    assert said["notes"] == ["The parts were joined without re-encoding."]
    assert said["sha256"] == (await world.find_task(film["task_id"])).file_sha256
    assert Path(film["file"]).name == f"fox-film-{film['task_id'][:8]}.mp4"


async def test_the_prompts_of_other_tenants_stay_in_the_ledger(world: World) -> None:
    world.tenant = "alice"
    async with world.client() as client:
        one, other = await finish(client, "a fox"), await finish(client, "an owl")
        film = structured(
            await call(client, "join_videos", parts=[one["task_id"], other["task_id"]])
        )

    assert {each.suffix for each in world.output.iterdir()} == {".mp4"}
    assert film["task_status"] == "succeed"


def refuse_side_files(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let the disk be full whenever a file beside a result is begun; returns what makes room."""
    real_open, refusing = os.open, [True]

    def open_unless_side_file(path: Any, *arguments: Any, **more: Any) -> int:  # noqa: ANN401 - as os.open
        if refusing and re.search(r"-[0-9a-f]{8}\.part$", str(path)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real_open(path, *arguments, **more)

    monkeypatch.setattr(os, "open", open_unless_side_file)
    return refusing.clear


async def test_a_full_disk_costs_the_file_beside_a_result_and_never_the_result(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_room = refuse_side_files(monkeypatch)
    async with world.client() as client:
        result = await finish(client, "a secret fox")
        assert Path(result["file"]).read_bytes() == VIDEO
        assert not sidecar_of(result).exists()
        make_room()
        second = await finish(client, "an owl")

    assert result["task_status"] == "succeed"
    assert sidecar_of(second).exists()
    assert result["task_id"] in caplog.text
    assert "its disk is full" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("theirs", [b"my notes", b"", b'{"program": "another"}', b"changed"])
async def test_a_file_of_somebody_else_is_never_replaced(world: World, theirs: bytes) -> None:
    async with world.client() as client:
        first = await finish(client, "a fox")
        path = sidecar_of(first)
        if theirs == b"changed":
            theirs = path.read_bytes().replace(b"a fox", b"my fox")
        path.write_bytes(theirs)
        Path(first["file"]).unlink()
        world.run_sql("UPDATE task SET file_status = 'linked'")
    async with world.app(sweep=False) as app:
        again = await app.engine.fetch_again(first["task_id"])

    assert again.file_path == first["file"]
    assert path.read_bytes() == theirs


async def test_a_sidecar_is_written_anew_with_its_result(world: World) -> None:
    async with world.client() as client:
        first = await finish(client, "a fox")
    written = sidecar_of(first).read_bytes()
    for left in ("missing", "ours"):
        if left == "missing":
            sidecar_of(first).unlink()
        Path(first["file"]).unlink()
        world.run_sql("UPDATE task SET file_status = 'linked'")
        async with world.app(sweep=False) as app:
            await app.engine.fetch_again(first["task_id"])
        assert sidecar_of(first).read_bytes() == written


async def test_what_is_kept_for_some_days_goes_with_everything_beside_it(world: World) -> None:
    world.hosting = HostingSettings(keep_days=10)
    async with world.client() as client:
        gone, changed = await finish(client, "a fox"), await finish(client, "an owl")
    kept = sidecar_of(changed)
    kept.write_bytes(kept.read_bytes().replace(b"an owl", b"my owl"))
    world.clock_is_ahead = 10.1 * DAY
    async with world.client() as client:
        await call(client, "list_video_tasks")
        await anyio.sleep(1)

    assert not Path(gone["file"]).exists()
    assert [*world.output.iterdir()] == [kept]


async def test_a_result_whose_process_died_before_it_was_recorded_has_its_sidecar(
    world: World,
) -> None:
    async with world.client() as client:
        first = await finish(client, "a fox")
    sidecar_of(first).unlink()
    world.run_sql("UPDATE task SET file_status = 'none', file_path = NULL")

    async def gone(_: httpx.Request) -> httpx.Response:
        return httpx.Response(404)

    world.service.on_file = gone
    async with world.client() as client:
        found = structured(
            await call(client, "get_video_task", task_id=first["task_id"], wait_seconds=45)
        )

    assert found["file"] == first["file"]
    assert sidecar_of(first).exists()
