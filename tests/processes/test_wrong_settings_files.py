"""Settings files and key files that cannot be used: a line that names them, and status 2."""

import os
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from support.another_user import making_open_folder, run_as_another_user
from support.process import new_server, run_cli
from support.sampling import sample

KEY = "sk-canary-0123456789"
posix = pytest.mark.skipif(sys.platform == "win32", reason="pipes and permissions are POSIX's")


async def refusal(folder: Path, path: Path, *command: str, **settings: str) -> str:
    """What is said of settings that cannot be used, by a server or a command."""
    settings = {"GEEKAI_SETTINGS_FILE": str(path), **settings}
    status, out, err = await run_cli(folder, *command, **settings)
    assert (status, out) == (2, ""), err
    assert "Traceback" not in err
    assert "canary" not in err
    return err


def write(folder: Path, content: str | bytes, name: str = "settings.toml") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(0o600)
    return path


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("content", "reason"),
    sample(
        [
            (f"GEEKAI_API_KEY={KEY}\n", "line 1 is not TOML; text needs quotes"),
            (f"\n\nexport GEEKAI_API_KEY='{KEY}'\n", "line 3 is not TOML"),
            (
                'GEEKAI_OUTPUT_DIR = "C:\\Users\\canary"\n',
                "line 1 is not TOML; a path of Windows needs",
            ),
            ('GEEKAI_API_KEY = "sk-canary\n', "line 1 is not TOML"),
            ("GEEKAI_API_KEY: canary\n", "line 1 is not TOML"),
            ('{"GEEKAI_API_KEY": "canary"}\n', "line 1 is not TOML"),
            (f'GEEKAI_API_KEY = "{KEY}"\nGEEKAI_API_KEY = "{KEY}"\n', "line 2 is not TOML"),
            ("x = " + "[" * 20_000, "line 1 is not TOML"),
            ("GEEKAI_MAX_IN_FLIGHT = " + "9" * 5000, "is not TOML"),
            (f'GEEKAI_API_KEY = "{KEY}"\n'.encode("utf-16"), "probably in UTF-16"),
            (f'GEEKAI_API_KEY = "{KEY}"\n'.encode("utf-16-le"), "probably in UTF-16"),
            ('GEEKAI_OUTPUT_DIR = "/Filme f\xfcr canary"\n'.encode("latin-1"), "not in UTF-8"),
            (b"#" * 70_000, "too large"),
            ('GEEKAI_OUTPUT_DIR = "D:\\temp"\n', "GEEKAI_OUTPUT_DIR in"),
            ("GEEKAI_API_KEY = true\n", "must be text in quotes"),
            ("GEEKAI_API_KEY = 12\n", "must be text in quotes"),
            ("GEEKAI_API_KEY = 2026-11-26\n", "must be text in quotes"),
            (f'GEEKAI_API_KEY = ["{KEY}"]\n', "must be text in quotes"),
            ("GEEKAI_MAX_IN_FLIGHT = false\n", "must be a number"),
            ("GEEKAI_MAX_IN_FLIGHT = 1.5\n", "must be a whole number"),
            ("GEEKAI_MAX_CNY_PER_DAY = nan\n", "must be an amount"),
            ("GEEKAI_MAX_CNY_PER_DAY = -1\n", "must be an amount"),
            ('GEEKAI_IMAGE_DIRS = ["/a", 1]\n', "must be a list of texts"),
            ('GEEKAI_IMAGE_DIRS = ["a"]\n', "must be an absolute path"),
            (f'[settings]\nGEEKAI_API_KEY = "{KEY}"\n', '"settings" in'),
            (f'[GEEKAI_API_KEY]\nkey = "{KEY}"\n', '"GEEKAI_API_KEY" in'),
            (f'GEEKAI.API_KEY = "{KEY}"\n', '"GEEKAI" in'),
            (f'[[server]]\nGEEKAI_API_KEY = "{KEY}"\n', '"server" in'),
            ('GEEKAI_LOG_LEVEL = "LOUD"\n', "must be one of"),
            ('GEEKAI_DEFAULT_MODEL = "${MODEL}"\n', "refers to another variable"),
            (f'GEEKAI_API_KEY = "{KEY} {KEY}"\n', "without spaces"),
        ],
        every=3,
    ),
)
async def test_what_is_wrong_in_the_file_is_named_with_its_path(
    tmp_path: Path, content: str | bytes, reason: str
) -> None:
    path = write(tmp_path, content)
    err = await refusal(tmp_path, path)

    assert reason in err
    assert f'"{path}"' in err


def make_folder(path: Path) -> None:
    path.mkdir()


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_loop(path: Path) -> None:
    path.symlink_to(path)


def make_dangling(path: Path) -> None:
    path.symlink_to(path.with_name("gone"))


@pytest.mark.exhaustive
@posix
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (make_folder, "is a folder and not a file"),
        (make_pipe, "a pipe or a device"),
        (make_loop, "loop of symbolic links"),
        (make_dangling, "to a file that does not exist"),
    ],
)
@pytest.mark.parametrize("command", [[], ["tasks"], ["setup", "--output-dir", "/films"]])
async def test_what_is_in_the_place_of_the_file_is_said(
    tmp_path: Path, make: Callable[[Path], None], reason: str, command: list[str]
) -> None:
    path = tmp_path / "settings.toml"
    make(path)

    assert f'The settings file "{path}": ' in (err := await refusal(tmp_path, path, *command))
    assert reason in err


async def test_a_mark_of_the_order_of_bytes_and_windows_lines_do_no_harm(tmp_path: Path) -> None:
    path = write(tmp_path, b'\xef\xbb\xbfGEEKAI_LOG_LEVEL = "LOUD"\r\n')

    assert "GEEKAI_LOG_LEVEL in" in await refusal(tmp_path, path)


async def test_a_name_that_is_none_is_a_warning_with_the_nearest(tmp_path: Path) -> None:
    path = write(
        tmp_path, f'api_key = "{KEY}"\nGEEKAI_OUTPUT_FOLDER = "/x"\nGEEKAI_SETTINGS_FILE = "/y"\n'
    )
    async with new_server(tmp_path, GEEKAI_SETTINGS_FILE=str(path)) as server:
        await server.initialize()
        assert await server.close() == 0
    err = (tmp_path / "stderr.log").read_text("utf-8")

    assert '"api_key" is not a setting of this server; did you mean GEEKAI_API_KEY?' in err
    assert "did you mean GEEKAI_OUTPUT_DIR?" in err
    assert "GEEKAI_SETTINGS_FILE in" in err
    assert err.count("WARNING") == 3
    assert KEY not in err


# The file of a key


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("content", "reason"),
    sample(
        [
            (b"", "is empty"),
            (b" \n\n", "is empty"),
            (f"{KEY}\n{KEY}\n", "has several lines"),
            (b"x" * 20_000, "too large"),
            (f"{KEY}\n".encode("utf-16"), "probably in UTF-16"),
            ("two canary words", "without spaces"),
            (b"\xff\xfecanary", "UTF-16"),
        ],
        every=3,
    ),
)
async def test_a_key_file_that_holds_no_key_is_named(
    tmp_path: Path, content: str | bytes, reason: str
) -> None:
    path = write(tmp_path, content, "key")
    err = await refusal(tmp_path, Path(os.devnull), GEEKAI_API_KEY_FILE=str(path))

    assert "GEEKAI_API_KEY_FILE" in err
    assert reason in err


@posix
@pytest.mark.parametrize(
    ("make", "reason"),
    [(make_folder, "is a folder"), (make_pipe, "a pipe"), (make_loop, "loop"), (None, "not exist")],
)
async def test_what_is_in_the_place_of_a_key_file_is_said(
    tmp_path: Path, make: Callable[[Path], None] | None, reason: str
) -> None:
    path = tmp_path / "key"
    if make is not None:
        make(path)
    settings = write(tmp_path, f'GEEKAI_API_KEY_FILE = "{path}"\n')
    err = await refusal(tmp_path, settings)

    assert f'GEEKAI_API_KEY_FILE in "{settings}": names "{path}", which' in err
    assert reason in err


async def test_a_key_and_the_file_of_one_in_one_place_exclude_each_other(tmp_path: Path) -> None:
    path = write(tmp_path, KEY, "key")
    err = await refusal(
        tmp_path, Path(os.devnull), GEEKAI_API_KEY=KEY, GEEKAI_API_KEY_FILE=str(path)
    )
    assert "GEEKAI_API_KEY_FILE: is set beside GEEKAI_API_KEY" in err

    both = write(tmp_path, f'GEEKAI_API_KEY = "{KEY}"\nGEEKAI_API_KEY_FILE = "{path}"\n')
    assert f'GEEKAI_API_KEY_FILE in "{both}": is set beside' in await refusal(tmp_path, both)


# Permissions


@pytest.fixture
def open_folder() -> Generator[Path]:
    with making_open_folder() as folder:
        yield folder


async def run_in_folder(folder: Path, **settings: str) -> tuple[int, str]:
    """Run the server as another user, whose videos and tasks are in *folder*."""
    folders = {
        "GEEKAI_OUTPUT_DIR": str(folder / "videos"),
        "GEEKAI_STATE_DIR": str(folder / "state"),
    }
    return await run_as_another_user([], {**folders, **settings})


async def test_a_file_that_this_user_may_not_read_is_said(open_folder: Path) -> None:
    path = write(open_folder, f'GEEKAI_API_KEY = "{KEY}"\n')
    status, err = await run_in_folder(open_folder, GEEKAI_SETTINGS_FILE=str(path))

    assert status == 2, err
    assert f'The settings file "{path}": cannot be read: this user has no permission' in err


async def test_a_folder_that_this_user_may_not_enter_is_a_warning(open_folder: Path) -> None:
    """As in a container whose HOME is root's: it ran before there was such a file."""
    home = open_folder / "home"
    home.mkdir(mode=0o700)
    status, err = await run_in_folder(open_folder, HOME=str(home))

    assert status == 0, err
    assert "cannot be looked for" in err
    assert err.count("WARNING") == 1
