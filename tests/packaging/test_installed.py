"""The wheel alone in a clean environment: a person's first conversation, and its removal."""

from pathlib import Path

import anyio
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from support.packages import (
    SUPPORTED,
    Distributions,
    Environment,
    find_python,
    lowest_versions,
    make_environment,
    outside_environment,
    run,
)

pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("versions", ["newest", "lowest"])
@pytest.mark.parametrize("python", SUPPORTED)
async def test_the_wheel_alone_holds_a_conversation_and_leaves_nothing(
    python: str, versions: str, distributions: Distributions, tmp_path: Path
) -> None:
    found = find_python(python)
    if found is None:
        pytest.skip(reason=f"no Python {python} works here; name one in PYTHONS")
    environment = make_environment(found, tmp_path / "venv")
    floors = tmp_path / "floors.txt"
    pins = lowest_versions(distributions.requirements()) if versions == "lowest" else []
    floors.write_text("\n".join(pins), "utf-8")

    install = ["install", "--quiet", "--only-binary", ":all:", "--constraint", floors]
    environment.pip(*install, distributions.wheel)

    place = run(
        [environment.python, "-c", "import geekai_video_mcp as p; print(p.__file__)"], tmp_path
    )
    assert Path(place.stdout.strip()).is_relative_to(environment.folder)
    assert_pinned(environment, pins)
    command = environment.program("geekai-video-mcp")
    assert (
        run([command, "--version"], tmp_path).stdout.strip() == distributions.metadata()["Version"]
    )
    assert "serve" in run([command, "--help"], tmp_path).stdout
    await hold_conversation([str(command)], tmp_path)

    environment.pip("uninstall", "--quiet", "--yes", "geekai-video-mcp")
    assert environment.package_files() == []


def assert_pinned(environment: Environment, pins: list[str]) -> None:
    """Each floor is the version that is installed: no requirement of another package raised it."""
    installed = environment.pip("list", "--format", "freeze").lower().split()
    for pin in pins:
        assert any(each == pin or each.startswith(f"{pin}.0") for each in installed), pin


async def hold_conversation(command: list[str], folder: Path) -> None:
    """Make two videos in the sandbox, look at one and join them, over stdio."""
    environ = outside_environment(
        folder,
        GEEKAI_OUTPUT_DIR=str(folder / "videos"),
        GEEKAI_STATE_DIR=str(folder / "state"),
    )
    server = StdioServerParameters(
        command=command[0], args=command[1:], env=environ, cwd=str(folder)
    )
    with anyio.fail_after(300):
        async with Client(stdio_client(server)) as client:
            shots = [await make_video(client, prompt) for prompt in ("a red kite", "a blue boat")]
            for _, file in shots:
                assert Path(file).read_bytes()[4:8] == b"ftyp"

            assert await count_pictures(client, shots[0][0]) == 1

            film = await client.call_tool("join_videos", {"parts": [shots[0][0], shots[1][0]]})
            assert not film.is_error, film.content
            assert film.structured_content is not None
            _, file = await wait_for_file(client, film.structured_content["task_id"])
            assert Path(file).stat().st_size > 10_000


async def make_video(client: Client, prompt: str) -> tuple[str, str]:
    """Make a short video; return its task's id and its file."""
    asked = await client.call_tool("generate_video", {"prompt": prompt, "duration": 5})
    assert not asked.is_error, asked.content
    assert asked.structured_content is not None
    return await wait_for_file(client, asked.structured_content["task_id"])


async def count_pictures(client: Client, task_id: str) -> int:
    """The pictures that view_video shows, called again where this machine is too busy."""
    while True:
        seen = await client.call_tool("view_video", {"task_id": task_id})
        if not seen.is_error:
            return [block.type for block in seen.content].count("image")
        assert "Call view_video again" in str(seen.content), seen.content


async def wait_for_file(client: Client, task_id: str) -> tuple[str, str]:
    while True:
        arguments = {"task_id": task_id, "wait_seconds": 45}
        task = (await client.call_tool("get_video_task", arguments)).structured_content
        assert task is not None
        assert task["task_status"] != "failed"
        if "file" in task:
            return task_id, task["file"]
