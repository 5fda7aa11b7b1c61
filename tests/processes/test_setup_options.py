"""`setup` without a terminal: the values come by options, and nothing is asked."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

import anyio
import httpx
import pytest
from pydantic import SecretStr

from geekai_video_mcp.cli.key_check import check_entries, choose_entry
from geekai_video_mcp.config import GEEKAI_URLS
from support.disks import mounted_tmpfs
from support.key_service import running_key_service
from support.process import MODULE, environment, run_cli
from support.sampling import sample

KEY = "sk-canary-0123456789abcdef"


async def run_setup(
    folder: Path, *options: str, stdin: bytes = b"", **settings: str
) -> tuple[int, str]:
    """Run `setup` for a file in *folder*; returns the exit status and all that it printed."""
    env = environment(folder, **{"GEEKAI_SETTINGS_FILE": str(folder / "s.toml"), **settings})
    with anyio.fail_after(60):
        done = await anyio.run_process(
            [*MODULE, "setup", *options], env=env, input=stdin, check=False
        )
    printed = (done.stdout + done.stderr).decode()
    assert "Traceback" not in printed
    assert "canary" not in printed
    return done.returncode, printed


def written(folder: Path) -> Mapping[str, object]:
    return tomllib.loads((folder / "s.toml").read_text("utf-8"))


@pytest.mark.parametrize("options", [[], ["--yes"], ["--no-check"]])
async def test_without_a_terminal_and_options_one_line_says_what_to_do(
    tmp_path: Path, options: list[str]
) -> None:
    status, printed = await run_setup(tmp_path, *options)

    assert status == 2
    assert printed.count("\n") == 1
    assert "--key-stdin" in printed
    assert "GEEKAI_API_KEY" in printed
    assert str(tmp_path / "s.toml") in printed
    assert not (tmp_path / "s.toml").exists()


async def test_the_null_device_is_no_place_for_settings(tmp_path: Path) -> None:
    status, printed = await run_setup(tmp_path, GEEKAI_SETTINGS_FILE=os.devnull)

    assert status == 2
    assert "There is no place for settings" in printed


async def test_options_are_stored_with_a_key_that_is_accepted(tmp_path: Path) -> None:
    async with running_key_service(KEY) as service:
        options = ["--base-url", service.base, "--max-cny-per-day", "20", "--output-dir", "/films"]
        status, printed = await run_setup(
            tmp_path, "--key-stdin", *options, stdin=f"Bearer {KEY}\n".encode()
        )

    assert status == 0
    assert f"Written to {tmp_path / 's.toml'}" in printed
    assert written(tmp_path) == {
        "GEEKAI_BASE_URL": service.base,
        "GEEKAI_OUTPUT_DIR": "/films",
        "GEEKAI_MAX_CNY_PER_DAY": 20,
        "GEEKAI_API_KEY": KEY,
    }
    assert service.requests == ["GET task"]


async def test_a_key_that_is_not_accepted_is_stored_only_unchecked(tmp_path: Path) -> None:
    async with running_key_service("sk-another") as service:
        given = ["--key-stdin", "--base-url", service.base]
        status, printed = await run_setup(tmp_path, *given, stdin=KEY.encode())

        assert status == 1
        assert "refuses the key (HTTP 401)" in printed
        assert "Nothing was written." in printed
        assert not (tmp_path / "s.toml").exists()

        status, _ = await run_setup(tmp_path, *given, "--no-check", stdin=KEY.encode())
        assert status == 0
    assert written(tmp_path)["GEEKAI_API_KEY"] == KEY


async def test_a_file_of_the_key_takes_the_place_of_the_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY, "utf-8")
    (tmp_path / "s.toml").write_text(f'# mine\nGEEKAI_API_KEY = "{KEY}"\n', "utf-8")
    status, _ = await run_setup(tmp_path, "--key-file", str(tmp_path / "key"), "--no-check")

    assert status == 0
    assert written(tmp_path) == {"GEEKAI_API_KEY_FILE": str(tmp_path / "key")}


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("options", "stdin", "reason"),
    sample(
        [
            (["--max-videos-per-day", "ten"], b"", "--max-videos-per-day: must be a whole number"),
            (["--max-cny-per-day", "1e3"], b"", "--max-cny-per-day: must be an amount"),
            (["--output-dir", "films"], b"", "--output-dir: must be an absolute path"),
            (["--output-dir", "${HOME}"], b"", "--output-dir: refers to another variable"),
            (["--base-url", "http://geekai.co"], b"", "--base-url: must be https"),
            (["--key-file", "key"], b"", "--key-file: must be an absolute path"),
            (["--key-file", "/nowhere/key"], b"", "does not exist"),
            (["--key-stdin"], b"", "--key-stdin: gives nothing"),
            (["--key-stdin"], b"sk-...\n", "--key-stdin: is a placeholder"),
            (["--key-stdin"], b"sk-1\nsk-2\n", "--key-stdin: gives more than one line"),
            (["--key-stdin"], b"x" * 99_999, "--key-stdin: gives more than one line"),
            (["--key-stdin"], b"sk-\xff\xfe", "--key-stdin: must be printable"),
        ],
        every=4,
    ),
)
async def test_an_option_that_is_wrong_is_named_and_nothing_is_written(
    tmp_path: Path, options: list[str], stdin: bytes, reason: str
) -> None:
    status, printed = await run_setup(tmp_path, *options, "--no-check", stdin=stdin)

    assert status == 2
    assert reason in printed
    assert not (tmp_path / "s.toml").exists()


async def test_a_settings_file_that_is_broken_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("GEEKAI_API_KEY = \n", "utf-8")
    status, printed = await run_setup(tmp_path, "--output-dir", "/films")

    assert status == 2
    assert "line 1 is not TOML" in printed
    assert (tmp_path / "s.toml").read_text("utf-8") == "GEEKAI_API_KEY = \n"


async def test_a_device_in_the_place_of_the_file_is_not_replaced(tmp_path: Path) -> None:
    status, printed = await run_setup(
        tmp_path, "--output-dir", "/films", GEEKAI_SETTINGS_FILE="/dev/full"
    )

    assert status == 2
    assert "a pipe or a device" in printed


@pytest.mark.parametrize(
    ("options", "reason"), [("ro", "its file system is read-only"), ("size=4k", "its disk is full")]
)
async def test_a_disk_that_takes_nothing_is_said_and_nothing_is_left(
    tmp_path: Path, options: str, reason: str
) -> None:
    with mounted_tmpfs(tmp_path / "disk", options) as disk:
        if options != "ro":
            (disk / "full").write_bytes(bytes(4096))
        path = disk / "settings.toml"
        status, printed = await run_setup(
            tmp_path, "--output-dir", "/films", GEEKAI_SETTINGS_FILE=str(path)
        )
        left = [each.name for each in disk.iterdir()]

    assert status == 1
    assert f'The settings file "{path}" could not be written: {reason}.' in printed
    assert set(left) <= {"full"}


@pytest.mark.parametrize(
    ("accepting", "present", "chosen"),
    [
        ({"geekai.co"}, None, "https://geekai.co/api/v1"),
        ({"geekai.dev"}, None, "https://geekai.dev/api/v1"),
        ({"geekai.co", "geekai.dev"}, GEEKAI_URLS[1], "https://geekai.dev/api/v1"),
        (set[str](), None, None),
    ],
)
async def test_the_entry_is_the_one_that_accepts_the_key(
    accepting: set[str], present: str | None, chosen: str | None
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.method == "GET"
        error = {"error": {"code": "not_found", "message": "no such task"}}
        return httpx.Response(404 if request.url.host in accepting else 401, json=error)

    checks = await check_entries(
        GEEKAI_URLS, SecretStr(KEY), transport=lambda: httpx.MockTransport(answer)
    )
    found = choose_entry(checks, present)

    assert (found and found.base_url) == chosen


async def test_help_names_every_option(tmp_path: Path) -> None:
    status, out, _ = await run_cli(tmp_path, "setup", "--help")

    assert status == 0
    assert max(map(len, out.splitlines())) <= 80
