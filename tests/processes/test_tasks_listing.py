"""Which tasks `geekai-video-mcp tasks` lists, as what, and what it does with their files."""

import csv
import io
import json
import os
import stat
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.tasks import Media, Result, Task, new_task
from support.ledgers import record_tasks
from support.process import run_cli
from support.recorded import STORED_FILE

DAY = 86_400.0
posix = pytest.mark.skipif(sys.platform == "win32", reason="openers are found otherwise there")


def task(prompt: str, *, age: float = 0.0, **changes: Any) -> Task:  # noqa: ANN401 - any field's own type
    request = {"model": changes.get("model", "m"), "prompt": prompt, "duration": 5}
    made = new_task(request=request, account="s", owner="gone", at=time.time() - age)
    usual = {"status": Status.FAILED, "attempt": 1, "error_code": "x"}
    return replace(made, **{**usual, **changes})


async def tasks(folder: Path, *arguments: str, **settings: str) -> tuple[int, str, str]:
    return await run_cli(folder, "tasks", *arguments, **settings)


async def prompts(folder: Path, *arguments: str) -> list[str]:
    status, out, err = await tasks(folder, *arguments, "--json")
    assert (status, err) == (0, "")
    return [json.loads(line)["prompt"] for line in out.splitlines()]


async def test_a_search_finds_words_of_the_prompt_the_model_and_an_id(tmp_path: Path) -> None:
    fox, owl = task("A red Fox in the snow"), task("an owl", age=1, model="kling-v2-6")
    chinese = task("一只狐狸在雪中奔跑", age=2)
    await record_tasks(tmp_path / "state", fox, owl, chinese)

    assert await prompts(tmp_path, "--search", "snow fox") == [fox.request["prompt"]]
    assert await prompts(tmp_path, "list", "--search", "KLING") == ["an owl"]
    assert await prompts(tmp_path, "--search", "狐狸") == [chinese.request["prompt"]]
    assert await prompts(tmp_path, "--search", owl.id[:8]) == ["an owl"]
    assert await prompts(tmp_path, "--search", "badger") == []
    _, out, _ = await tasks(tmp_path, "--search", "badger")
    assert out == "No task matches.\n"


async def test_since_is_a_day_of_utc_or_a_time_before_now(tmp_path: Path) -> None:
    at = 1_790_000_000.0  # 2026-09-21T14:13:20 UTC
    old = [replace(task(f"{hours}"), created_at=at + hours * 3600) for hours in (0, 9, 10, 34)]
    new = [task("now"), task("an hour", age=3700), task("three days", age=3 * DAY)]
    await record_tasks(tmp_path / "state", *old, *new)

    async def old_since(when: str) -> list[str]:
        # In the zone of Shanghai the day would begin at another time.
        status, out, _ = await tasks(tmp_path, "--since", when, "--json", TZ="CST-8")
        assert status == 0
        found = [json.loads(line)["prompt"] for line in out.splitlines()]
        return [each for each in found if each.isdigit()]

    assert await old_since("2026-09-22") == ["34", "10"]
    assert await old_since("2026-09-21") == ["34", "10", "9", "0"]
    assert await old_since("2026-09-22T23:00") == ["34"]
    assert await prompts(tmp_path, "--since", "1h") == ["now"]
    assert await prompts(tmp_path, "--since", "2h") == ["now", "an hour"]
    assert await prompts(tmp_path, "--since", "7d") == ["now", "an hour", "three days"]
    assert await prompts(tmp_path, "--since", "7d", "--search", "hour") == ["an hour"]


@pytest.mark.parametrize("when", ["7", "soon", "2026-13-01", "-1d", ""])
async def test_a_time_that_is_none_is_refused(tmp_path: Path, when: str) -> None:
    status, out, err = await tasks(tmp_path, f"--since={when}")

    assert (status, out) == (2, "")
    assert "2026-11-26" in err


async def test_json_has_the_facts_of_the_export_as_values(tmp_path: Path) -> None:
    wild = 'say "hi"\x1b[31m,\nthere\u202e'
    stored = task(wild, age=1, error_code=None, result=Result(duration=7.5), **STORED_FILE)
    film = task("", age=2, media=Media.FILM, model="", request={"parts": [{"task": stored.id}]})
    await record_tasks(tmp_path / "state", stored, film)

    _, out, _ = await tasks(tmp_path, "--json")
    _, shown, _ = await tasks(tmp_path, "show", stored.id, "--json")
    _, exported, _ = await tasks(tmp_path, "export")

    assert not {"\x1b", "\u202e"} & set(out)
    first, second = out.splitlines(keepends=True)
    assert shown == first
    fields, film_fields = json.loads(first), json.loads(second)
    assert list(fields) == list(film_fields) == next(csv.reader(io.StringIO(exported)))
    assert (film_fields["media"], film_fields["parts"]) == ("film", [stored.id[:8]])
    assert fields["prompt"] == wild
    assert fields["file_path"] == "/videos/狐.mp4"
    assert (fields["duration"], fields["price_cny"], fields["file_has_sound"]) == (7.5, 4.2, False)
    assert (fields["error_code"], fields["resolution"], fields["parts"]) == (None, None, None)
    assert fields["ended_at"] == "2026-09-21T14:13:20+00:00"


async def test_every_task_comes_once_as_json_however_many_there_are(tmp_path: Path) -> None:
    await record_tasks(tmp_path / "state", *(task(f"n{n}", age=n) for n in range(450)))

    assert await prompts(tmp_path, "--all") == [f"n{n}" for n in range(450)]
    assert await prompts(tmp_path, "--limit", "201") == [f"n{n}" for n in range(201)]
    assert len(await prompts(tmp_path)) == 20
    ones = [f"n{n}" for n in range(450) if str(n).startswith("1")]
    assert await prompts(tmp_path, "--all", "--search", "n1") == ones


def stored(folder: Path) -> Task:
    path = folder / "videos" / "a fox.mp4"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"a video")
    return task(
        "a fox",
        status=Status.SUCCEED,
        error_code=None,
        file_status=FileStatus.STORED,
        file_path=str(path),
    )


def opener(folder: Path, script: str) -> dict[str, str]:
    """The settings of a desktop whose opener is this shell script."""
    programs = folder / "bin"
    programs.mkdir()
    for name in ("xdg-open", "open"):
        path = programs / name
        path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "DISPLAY": ":99"}


@posix
async def test_a_file_is_opened_in_the_systems_player_and_not_waited_for(tmp_path: Path) -> None:
    one = stored(tmp_path)
    await record_tasks(tmp_path / "state", one)
    desktop = opener(tmp_path, f'echo "$1" > {tmp_path}/opened; sleep 300')

    status, out, err = await tasks(tmp_path, "open", one.id[:8], **desktop)

    assert (status, err) == (0, "")
    assert out == f"{one.file_path}\n"
    assert (tmp_path / "opened").read_text("utf-8") == f"{one.file_path}\n"


@posix
async def test_why_a_file_was_not_opened_is_told_with_its_place(tmp_path: Path) -> None:
    one = stored(tmp_path)
    await record_tasks(tmp_path / "state", one)
    desktop = opener(tmp_path, "exit 4")

    failed, out, why = await tasks(tmp_path, "open", one.id, **desktop)
    nowhere = await tasks(tmp_path, "open", one.id, PATH=str(tmp_path), DISPLAY=":99")

    assert (failed, out) == (1, f"{one.file_path}\n")
    assert why == f"It was not opened: {opener_name()} failed with status 4.\n"
    assert nowhere[0] == 1
    assert f"{opener_name()} is not installed" in nowhere[2]


def opener_name() -> str:
    return "open" if sys.platform == "darwin" else "xdg-open"


@pytest.mark.skipif(sys.platform != "linux", reason="a desktop is told by variables on Linux alone")
async def test_nothing_is_started_where_there_is_no_desktop(tmp_path: Path) -> None:
    one = stored(tmp_path)
    await record_tasks(tmp_path / "state", one)
    desktop = opener(tmp_path, f"touch {tmp_path}/opened")

    settings = {**desktop, "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    status, _, err = await tasks(tmp_path, "open", one.id, **settings)

    assert status == 1
    assert "no desktop" in err
    assert not (tmp_path / "opened").exists()


async def test_only_a_file_of_this_machine_is_opened(tmp_path: Path) -> None:
    gone, failed = stored(tmp_path), task("an owl", age=1)
    await record_tasks(tmp_path / "state", gone, failed)
    Path(str(gone.file_path)).unlink()

    missing = await tasks(tmp_path, "open", gone.id)
    none = await tasks(tmp_path, "open", failed.id)
    unknown = await tasks(tmp_path, "open", "beefbeef")

    assert [each[:2] for each in (missing, none, unknown)] == [(1, "")] * 3
    assert f"geekai-video-mcp tasks fetch {gone.id[:8]}" in missing[2]
    assert "it is failed" in none[2]
    assert "No task matches" in unknown[2]
