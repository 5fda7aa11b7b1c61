"""Films with the real server, the real sandbox and the real codecs."""

from pathlib import Path
from typing import Any

import anyio
import av
import pytest

from geekai_video_mcp.media.films import JOIN_SECONDS
from support.process import children_running, run_cli, running_server, stdio
from support.world import call, structured

JOIN = "geekai_video_mcp.media.workers.join"
SMALL = {"size": "320x180", "duration": 2, "fps": 12, "prompt": "a red fox"}


async def make_part(client: Any) -> str:  # noqa: ANN401 - either kind of client
    """The id of a finished video of 24 frames."""
    task_id = structured(await call(client, "generate_video", **SMALL))["task_id"]
    done = await call(client, "get_video_task", task_id=task_id, wait_seconds=45, view="none")
    assert "file" in structured(done)
    return task_id


def count_frames(path: str | Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.exhaustive
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="children are found by /proc")
async def test_a_server_killed_in_mid_join_leaves_one_film_to_the_next(tmp_path: Path) -> None:
    async with stdio(tmp_path) as client:
        part = await make_part(client)
    parts = [f"{part}@0.25-"] * 20
    async with running_server(tmp_path) as server:
        request = {"name": "join_videos", "arguments": {"parts": parts}}
        await server.send_message(id=7, method="tools/call", params=request)
        with anyio.fail_after(30):
            while not children_running(JOIN, of=server.process.pid):  # noqa: ASYNC110 - other processes
                await anyio.sleep(0.02)
        await server.kill()
    assert not list((tmp_path / "videos").glob("*-film-*.mp4"))
    async with stdio(tmp_path) as client:
        (film, _) = structured(await call(client, "list_video_tasks"))["tasks"]
        done: dict[str, Any] = {}
        with anyio.fail_after(JOIN_SECONDS):
            while "file" not in done:
                wait = {"task_id": film["task_id"], "wait_seconds": 45}
                done = structured(await call(client, "get_video_task", **wait))
        same = structured(await call(client, "join_videos", parts=parts))

    assert film["task_status"] == "running"
    assert same["task_id"] == film["task_id"]
    assert same["deduplicated"] is True
    assert done["sandbox"] is True
    assert list((tmp_path / "videos").glob("*-film-*.mp4")) == [Path(done["file"])]
    assert not list((tmp_path / "videos").glob("*.part"))
    assert count_frames(done["file"]) == 20 * 21


async def test_three_shots_are_joined_without_loss_and_listed_by_the_command_line(
    tmp_path: Path,
) -> None:
    async with stdio(tmp_path) as client:
        part = await make_part(client)
        film = structured(await call(client, "join_videos", parts=[part] * 3))
    status, out, err = await run_cli(tmp_path, "join", part[:8], f"{part}@1-")
    _, listed, _ = await run_cli(tmp_path, "tasks", COLUMNS="200")
    _, shown, _ = await run_cli(tmp_path, "tasks", "show", film["task_id"])
    wrong = await run_cli(tmp_path, "join", "ffff00aa")
    fetch = await run_cli(tmp_path, "tasks", "fetch", film["task_id"])
    _, spent, _ = await run_cli(tmp_path, "spent")

    assert count_frames(film["file"]) == 72
    assert film["warnings"] == ["The parts were joined without re-encoding."]
    assert status == 0, err
    assert out.startswith("Film ")
    assert "(3.0 s, " in out
    lines = [line for line in listed.splitlines() if " film " in line]
    assert len(lines) == 2
    assert " ".join([part[:8]] * 3) in lines[1]
    assert "service" in shown
    assert "local" in shown
    assert wrong[0] == 1
    assert "no task of this id" in wrong[2]
    assert fetch[0] == 0
    assert spent.startswith("No request to GeekAI")
