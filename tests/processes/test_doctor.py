"""`geekai-video-mcp doctor`: green where everything works, and telling for each planted fault."""

import json
import shutil
import signal
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from geekai_video_mcp import __version__
from support import ROOT
from support.disks import mounted_tmpfs
from support.process import MODULE, environment, run_cli
from support.small_service import api_error_body, small_service

KEY: Final = "sk-canary-0123456789-wxyz"


@dataclass(frozen=True)
class Findings:
    """What doctor has printed as JSON."""

    status: int
    checks: list[dict[str, Any]]
    text: str

    def of(self, check: str) -> list[dict[str, Any]]:
        return [line for line in self.checks if line["check"] == check]

    def failing(self, check: str) -> str:
        """The text and the remedies of everything that failed in this check."""
        failed = [line for line in self.of(check) if line["state"] == "FAIL"]
        return " ".join(f"{line['text']} {line['remedy']}" for line in failed)

    @property
    def failed_checks(self) -> set[str]:
        return {line["check"] for line in self.checks if line["state"] == "FAIL"}


async def examine(folder: Path, **settings: str) -> Findings:
    """Run doctor for a user whose home is *folder*."""
    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / ".config")}
    status, out, err = await run_cli(folder, "doctor", "--json", **home, **settings)
    assert err == ""
    answer = json.loads(out)
    assert answer["ok"] is (status == 0)
    assert KEY not in out
    return Findings(status, answer["checks"], out)


def write_settings(folder: Path, mode: int = 0o600, **values: str) -> str:
    path = folder / "settings.toml"
    path.write_text("".join(f'{name} = "{value}"\n' for name, value in values.items()), "utf-8")
    path.chmod(mode)
    return str(path)


async def test_everything_is_green_in_the_sandbox_and_nothing_is_left_behind(
    tmp_path: Path,
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / ".config")}
    status, out, err = await run_cli(tmp_path, "doctor", **home, TMPDIR=str(temporary))
    rows = out.splitlines()

    assert (status, err) == (0, "")
    assert rows[-1] == "Nothing failed."
    assert "FAIL" not in out
    assert {row[:4] for row in rows[:-1]} <= {"ok  ", "note", "    "}
    for check in ("settings", "versions", "service", "folders", "tasks", "http token", "fonts"):
        assert f"ok    {check}: " in out
    assert "ok    video: the sandbox made 3 s of video" in out
    assert f"geekai-video-mcp {__version__}" in out
    assert f"GEEKAI_STATE_DIR = {tmp_path / 'state'} (environment)" in " ".join(out.split())
    assert "GEEKAI_MAX_IN_FLIGHT = 10 (default)" in out
    assert [row for row in rows if len(row) > 80 and str(tmp_path) not in row] == []
    assert list(temporary.iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"temporary"}


@pytest.mark.exhaustive
async def test_an_accepted_key_is_said_and_never_shown(tmp_path: Path) -> None:
    settings_file = write_settings(tmp_path, GEEKAI_API_KEY=KEY)
    with small_service(404, api_error_body("not_found", "no such task")) as (url, requests):
        found = await examine(tmp_path, GEEKAI_SETTINGS_FILE=settings_file, GEEKAI_BASE_URL=url)
    (shown,) = [line["facts"] for line in found.of("settings") if "GEEKAI_API_KEY" in line["facts"]]

    assert found.status == 0
    assert [line["text"] for line in found.of("key")] == ["127.0.0.1 accepted the key"]
    assert [line["state"] for line in found.of("clock")] == ["ok"]
    assert shown["GEEKAI_API_KEY"] == {
        "value": "...wxyz",
        "source": "settings file",
    }
    assert shown["GEEKAI_BASE_URL"]["source"] == "environment"
    (request,) = requests
    assert request.startswith("GET /api/v1/videos/")


@pytest.mark.exhaustive
async def test_a_refused_key_a_clock_ahead_and_a_settings_file_open_to_others(
    tmp_path: Path,
) -> None:
    settings_file = write_settings(tmp_path, 0o644, GEEKAI_API_KEY=KEY)
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "ledger.sqlite3").write_bytes(b"SQLite format 3\0" + b"damage" * 999)
    (state / "http-token").write_text("x" * 43, "utf-8")
    (state / "http-token").chmod(0o644)
    refusal = api_error_body("unauthorized", "invalid token")
    with small_service(401, refusal, clock_ahead=7200.0) as (url, _):
        found = await examine(tmp_path, GEEKAI_SETTINGS_FILE=settings_file, GEEKAI_BASE_URL=url)

    assert found.status == 1
    assert found.failed_checks == {"key", "clock", "settings", "tasks", "http token"}
    assert "refused the key (HTTP 401)" in found.failing("key")
    assert "GEEKAI_API_KEY" in found.failing("key")
    assert "7200 s ahead" in found.failing("clock").replace("7199", "7200").replace("7201", "7200")
    assert "Set this machine's clock" in found.failing("clock")
    assert f'chmod 600 "{settings_file}"' in found.failing("settings")
    assert "restores it from a backup" in found.failing("tasks")
    assert "let other users read" in found.failing("http token")


@pytest.mark.exhaustive
async def test_an_unreachable_service_and_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = await examine(
        tmp_path,
        GEEKAI_API_KEY=KEY,
        GEEKAI_BASE_URL="http://127.0.0.1:9/api/v1",
        GEEKAI_OUTPUT_DIR=str(tmp_path / "file" / "videos"),
        GEEKAI_IMAGE_DIRS=str(tmp_path / "nowhere"),
    )

    assert found.status == 1
    assert found.failed_checks == {"service", "folders"}
    assert "refused the connection" in found.failing("service")
    assert [line["state"] for line in found.of("key")] == ["note"]
    assert "a part of its path is a file and not a folder" in found.failing("folders")
    assert "GEEKAI_IMAGE_DIRS" in found.failing("folders")


@pytest.mark.exhaustive
async def test_a_read_only_folder_and_a_full_disk(tmp_path: Path) -> None:
    with (
        mounted_tmpfs(tmp_path / "readonly", "ro") as readonly,
        mounted_tmpfs(tmp_path / "full", "size=64k") as full,
    ):
        (full / "filler").write_bytes(bytes(64 * 1024))
        found = await examine(
            tmp_path,
            GEEKAI_OUTPUT_DIR=str(readonly),
            GEEKAI_STATE_DIR=str(full),
        )

    assert found.status == 1
    assert found.failed_checks == {"folders"}
    assert "its file system is read-only" in found.failing("folders")
    assert "GEEKAI_OUTPUT_DIR" in found.failing("folders")
    assert "its disk is full" in found.failing("folders")
    assert "GEEKAI_STATE_DIR" in found.failing("folders")


@pytest.mark.exhaustive
async def test_what_answers_and_is_not_the_api_is_no_matter_of_the_key(tmp_path: Path) -> None:
    with small_service(404, {"detail": "Not Found"}) as (url, _):
        found = await examine(tmp_path, GEEKAI_API_KEY=KEY, GEEKAI_BASE_URL=url)

    assert found.failed_checks == {"service"}
    assert "is this GeekAI's API?" in found.failing("service")
    assert [line["state"] for line in found.of("key")] == ["note"]


@pytest.mark.exhaustive
async def test_wrong_settings_are_one_failing_line_and_the_rest_is_checked(tmp_path: Path) -> None:
    found = await examine(
        tmp_path,
        GEEKAI_API_KEY="sk canary\t1",
        GEEKAI_MAX_IN_FLIGHT="many",
        GEEKAI_OUTPUT_DIR="videos",
    )
    (failing,) = [line for line in found.checks if line["state"] == "FAIL"]

    assert found.status == 1
    assert failing["facts"]["problems"].keys() == {
        "GEEKAI_API_KEY",
        "GEEKAI_MAX_IN_FLIGHT",
        "GEEKAI_OUTPUT_DIR",
    }
    assert "canary" not in found.text
    for check in ("folders", "service", "tasks", "http token"):
        assert [line["text"] for line in found.of(check)] == [
            "skipped, because the settings are wrong"
        ]
    for check in ("versions", "fonts", "video"):
        assert [line["state"] for line in found.of(check)] == ["ok"]


@pytest.mark.exhaustive
async def test_a_broken_proxy_and_an_unknown_outcome(tmp_path: Path) -> None:
    await run_cli(tmp_path, "join")  # no task yet
    make_unknown(tmp_path / "state")
    found = await examine(
        tmp_path, GEEKAI_API_KEY=KEY, HTTPS_PROXY="http://me:canary#1@proxy.example:8080"
    )
    (unknown,) = [line for line in found.of("tasks") if line["state"] == "note"]

    assert found.status == 1
    assert found.failed_checks == {"network"}
    assert "HTTPS_PROXY is not a valid URL" in found.failing("network")
    assert "canary#1" not in found.text
    assert "abcdef01" in unknown["text"]
    assert "tasks resolve" in unknown["remedy"]
    assert [line["text"] for line in found.of("tasks") if line["state"] == "ok"]


def make_unknown(state: Path) -> None:
    """A ledger with one task whose outcome is unknown."""
    from geekai_video_mcp.ledger.sqlite import connection  # noqa: PLC0415 - makes the database

    state.mkdir(mode=0o700, exist_ok=True)
    path = state / "ledger.sqlite3"
    path.touch(mode=0o600)
    connection.create_database(path)
    with closing(sqlite3.connect(path)) as db, db:
        wanted = {
            row[1]: "abcdef01" * 4 if row[1] == "id" else 0
            for row in db.execute("PRAGMA table_info(task)")
            if row[3] and row[4] is None
        }
        wanted["status"] = "unknown"
        names, marks = ", ".join(wanted), ", ".join("?" * len(wanted))
        db.execute(f"INSERT INTO task ({names}) VALUES ({marks})", list(wanted.values()))  # noqa: S608


@pytest.mark.exhaustive
async def test_a_missing_font_is_named(tmp_path: Path) -> None:
    copy = tmp_path / "site"
    shutil.copytree(ROOT / "src", copy, ignore=shutil.ignore_patterns("__pycache__"))
    fonts = copy / "geekai_sandbox" / "render" / "fonts"
    (fonts / "NotoSerifSC.otf").unlink()
    (fonts / "NotoEmoji.ttf").write_bytes((fonts / "NotoEmoji.ttf").read_bytes()[:20_000])
    found = await examine(tmp_path, PYTHONPATH=str(copy))

    assert found.status == 1
    assert "NotoSerifSC.otf is missing" in found.failing("fonts")
    assert "NotoEmoji.ttf" in found.failing("fonts")
    assert "pip install" in found.failing("fonts")


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is a signal elsewhere")
async def test_ctrl_c_ends_it_without_a_traceback_and_leaves_nothing(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    env = environment(tmp_path, TMPDIR=str(temporary), HOME=str(tmp_path))
    async with await anyio.open_process([*MODULE, "doctor"], env=env) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        out = b""
        with anyio.fail_after(50):
            while b"versions" not in out:
                out += await process.stdout.receive()
            process.send_signal(signal.SIGINT)
            status = await process.wait()
        errors = b"".join([part async for part in process.stderr])

    assert status == 130
    assert errors == b""
    assert list(temporary.iterdir()) == []
