"""Settings that cannot work, as a host meets them: one sentence, status 2, and no traceback."""

import os
import sys
from collections.abc import Generator
from pathlib import Path

import anyio
import pytest

from support.another_user import making_open_folder, run_as_another_user
from support.process import MODULE, SERVE, environment, new_server, run_cli, running_server
from support.sampling import sample

TRANSPORTS = [[], [*SERVE]]


@pytest.fixture
def open_folder() -> Generator[Path]:
    with making_open_folder() as folder:
        yield folder


@pytest.mark.exhaustive
@pytest.mark.parametrize("home", [None, "", "relative"])
async def test_a_user_without_a_home_is_told_which_variables_to_set(
    open_folder: Path, home: str | None
) -> None:
    env = {} if home is None else {"HOME": home}
    status, err = await run_as_another_user([], env)

    assert status == 2, err
    assert "Traceback" not in err
    assert "GEEKAI_OUTPUT_DIR: is not set" in err
    assert "GEEKAI_STATE_DIR: is not set" in err

    folders = {
        "GEEKAI_OUTPUT_DIR": str(open_folder / "videos"),
        "GEEKAI_STATE_DIR": str(open_folder / "state"),
    }
    status, err = await run_as_another_user([], {**env, **folders})
    assert (status, err) == (0, "")


@pytest.mark.exhaustive
@pytest.mark.parametrize("command", [*TRANSPORTS, ["tasks"]], ids=["stdio", "http", "tasks"])
async def test_a_folder_of_another_user_is_named_by_path_and_variable(
    open_folder: Path, command: list[str]
) -> None:
    (open_folder / "state").mkdir(mode=0o700)
    env = {"GEEKAI_OUTPUT_DIR": str(open_folder), "GEEKAI_STATE_DIR": str(open_folder / "state")}
    status, err = await run_as_another_user(command, env)

    assert status == (1 if command == ["tasks"] else 2), err
    assert "Traceback" not in err
    assert str(open_folder / "state") in err
    assert "GEEKAI_STATE_DIR" in err
    assert "this user has no permission" in err


async def test_an_output_folder_of_another_user_is_a_warning_at_start(open_folder: Path) -> None:
    (open_folder / "videos").mkdir(mode=0o755)
    env = {
        "GEEKAI_OUTPUT_DIR": str(open_folder / "videos"),
        "GEEKAI_STATE_DIR": str(open_folder / "state"),
    }
    status, err = await run_as_another_user([], env)

    assert status == 0, err
    assert "Traceback" not in err
    assert err.count("WARNING") == 1
    assert f'"{open_folder / "videos"}" (GEEKAI_OUTPUT_DIR)' in err
    assert "this user has no permission" in err


@pytest.mark.parametrize("command", sample(TRANSPORTS, every=3), ids=["stdio", "http"])
@pytest.mark.parametrize("content", [b"", b"not a database" * 99])
async def test_a_damaged_database_is_named_with_the_way_out_on_every_transport(
    tmp_path: Path, command: list[str], content: bytes
) -> None:
    (tmp_path / "state").mkdir()
    path = tmp_path / "state" / "ledger.sqlite3"
    path.write_bytes(content)
    status, out, err = await run_cli(tmp_path, *command)

    assert (status, out) == (2, ""), err
    assert "Traceback" not in err
    assert str(path) in err
    assert "moves it away" in err
    assert path.read_bytes() == content


async def test_a_file_in_the_place_of_the_sandboxs_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "sandbox").touch()
    status, _, err = await run_cli(tmp_path)

    assert status == 2
    assert "Traceback" not in err
    assert str(tmp_path / "state" / "sandbox") in err


@pytest.mark.exhaustive
@pytest.mark.parametrize("folder", ["~nobody-of-this-name/a", f"{__file__}/a"])
async def test_a_sandbox_that_cannot_have_its_folder_says_so(tmp_path: Path, folder: str) -> None:
    status, _, err = await run_cli(tmp_path, "sandbox", "--port", "0", "--folder", folder)

    assert status == 2
    assert "Traceback" not in err
    assert "--folder: cannot hold the sandbox's tasks" in err


async def test_a_server_with_no_usable_output_folder_answers_and_says_what_to_mend(
    tmp_path: Path,
) -> None:
    (tmp_path / "film").touch()
    output = str(tmp_path / "film" / "videos")
    async with running_server(tmp_path, GEEKAI_OUTPUT_DIR=output) as server:
        listed = await server.call("list_video_tasks")
        refused = await server.call("generate_video", prompt="a fox")
        assert await server.close() == 0
    err = (tmp_path / "stderr.log").read_text("utf-8")

    assert not listed.get("isError")
    assert refused["isError"]
    assert f'The output folder "{output}" (GEEKAI_OUTPUT_DIR)' in refused["content"][0]["text"]
    assert "Nothing was charged." in refused["content"][0]["text"]
    assert err.count("GEEKAI_OUTPUT_DIR) could not be written") == 1
    assert "Traceback" not in err


async def test_a_misspelt_name_is_a_warning_and_a_placeholder_an_error(tmp_path: Path) -> None:
    async with new_server(tmp_path, GEEKAI_OUTPUT_FOLDER="/x") as server:
        await server.initialize()
        assert await server.close() == 0
    err = (tmp_path / "stderr.log").read_text("utf-8")
    assert "did you mean GEEKAI_OUTPUT_DIR?" in err

    status, _, err = await run_cli(tmp_path, GEEKAI_DEFAULT_MODEL="${MODEL}")
    assert status == 2
    assert "GEEKAI_DEFAULT_MODEL: refers to another variable" in err
    assert "Traceback" not in err


@pytest.mark.skipif(sys.platform == "win32", reason="its environment variables are always text")
async def test_bytes_that_are_no_text_are_refused_in_words(tmp_path: Path) -> None:
    env = {os.fsencode(name): os.fsencode(value) for name, value in environment(tmp_path).items()}
    env[b"GEEKAI_OUTPUT_DIR"] = os.fsencode(tmp_path) + b"/\xff\xfe"
    with anyio.fail_after(60):
        done = await anyio.run_process(MODULE, env=env, check=False, input=b"")  # pyright: ignore[reportArgumentType]

    assert done.returncode == 2
    assert b"GEEKAI_OUTPUT_DIR: is not valid UTF-8" in done.stderr
    assert b"Traceback" not in done.stderr
