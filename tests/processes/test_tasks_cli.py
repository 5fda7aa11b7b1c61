"""`geekai-video-mcp tasks` as a person meets it: real processes over a ledger on disk."""

import csv
import io
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
import unicodedata
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from geekai_video_mcp.config import Settings
from geekai_video_mcp.domain.lifecycle import advance
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.tasks import (
    Observation,
    Result,
    Task,
    new_task,
)
from geekai_video_mcp.ledger import conversion, schema
from geekai_video_mcp.server.views.times import size_text
from support.ledgers import open_ledger, record_tasks
from support.process import MODULE, environment, http_server, run_cli
from support.recorded import STORED_FILE

PROMPT = "一只狐狸在雪中奔跑，黄昏的光线温暖而悠长，镜头缓缓推进，远处的山脊被染成金色"
MAYBE = "It may have been charged."


def task(folder: Path, *, age: float = 0.0, prompt: str = "a fox", **changes: Any) -> Task:  # noqa: ANN401 - any field's own type
    """A task whose request was sent by a process that is gone."""
    settings: dict[str, str] = changes.pop("settings", {})
    model = changes.get("model", "cogvideox-flash")
    made = new_task(
        request={"model": model, "prompt": prompt, "duration": 5, "size": "320x180"},
        account=Settings.from_env(environment(folder, **settings)).account,
        owner="dead",
        at=time.time() - age,
    )
    sent = Observation(status=Status.SUBMITTING, at=made.created_at, owner="dead", attempt=1)
    return replace(advance(made, sent), **changes)


def unknown(folder: Path, **changes: Any) -> Task:  # noqa: ANN401 - any field's own type
    made = task(folder, **changes)
    words = f"No answer came. {MAYBE}"
    return replace(made, status=Status.UNKNOWN, error_code="no_answer", error_message=words)


def rows(folder: Path, columns: str = "id, status") -> list[tuple[Any, ...]]:
    db = sqlite3.connect(folder / "state" / "ledger.sqlite3")
    try:
        return db.execute(f"SELECT {columns} FROM task ORDER BY created_at").fetchall()  # noqa: S608 - our own columns
    finally:
        db.close()


async def tasks(folder: Path, *arguments: str, **settings: str) -> tuple[int, str, str]:
    # No width by inheritance: a test runner may have set its own.
    return await run_cli(folder, "tasks", *arguments, **settings)


def cells(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(ch) in "WF" else 1 for ch in line)


# Reading


@pytest.mark.parametrize("command", [[], ["list"], ["--all"], ["--status", "unknown"]])
async def test_reading_where_nothing_is_makes_nothing(tmp_path: Path, command: list[str]) -> None:
    status, out, err = await tasks(tmp_path, *command)

    assert (status, err) == (0, "")
    assert out in {"No tasks yet.\n", "No task has the status unknown.\n"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["show", "abcdef"], ["resolve", "abcdef", "--abandon"]])
async def test_a_task_is_not_found_where_nothing_is(tmp_path: Path, command: list[str]) -> None:
    status, out, err = await tasks(tmp_path, *command)

    assert (status, out) == (1, "")
    assert "No tasks yet." in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("columns", [140, 180])
async def test_a_list_is_aligned_in_any_script_and_within_the_terminal(
    tmp_path: Path, columns: int
) -> None:
    video = f"/videos/{'kittens-and-puppies-' * 5}.mp4"
    await record_tasks(
        tmp_path / "state",
        task(tmp_path, age=3, prompt=PROMPT, status=Status.RUNNING),
        task(tmp_path, age=2, model="doubao-seedance-1-0-pro-250528", status=Status.FAILED),
        task(
            tmp_path,
            age=1,
            prompt="눈 속의 여우",
            status=Status.SUCCEED,
            file_status=FileStatus.STORED,
            file_path=video,
        ),
        unknown(tmp_path, prompt="the newest"),
    )

    status, out, err = await tasks(tmp_path, COLUMNS=str(columns))

    assert (status, err) == (0, "")
    table, _, choice = out.partition("\n\n")
    head, *lines = table.splitlines()
    assert [line.split()[2 + 1] for line in lines] == ["unknown", "succeed", "failed", "running"]
    assert all(cells(line) <= columns for line in [head, *lines])
    begins = head.index("PROMPT")
    assert {cells(line[: _at(line, begins)]) for line in lines} == {begins}
    assert "…" in table
    assert MAYBE in choice
    assert all(way in choice for way in ("--attach", "--abandon", "--resubmit"))


def _at(line: str, begins: int) -> int:
    """The index of the character that stands in the cell *begins*."""
    at = 0
    while cells(line[:at]) < begins:
        at += 1
    return at


@pytest.mark.exhaustive
async def test_a_list_is_bounded_and_filtered_as_asked(tmp_path: Path) -> None:
    many = [task(tmp_path, age=n, status=Status.RUNNING) for n in range(25)]
    await record_tasks(tmp_path / "state", *many, unknown(tmp_path, age=99))

    _, default, _ = await tasks(tmp_path)
    _, five, _ = await tasks(tmp_path, "list", "--limit", "5")
    _, both, _ = await tasks(tmp_path, "--limit", "3", "list")
    _, every, _ = await tasks(tmp_path, "--all")
    _, only, _ = await tasks(tmp_path, "--status", "unknown")

    counts = [len(re.findall(r"(?m)^[0-9a-f]{8}  ", out)) for out in (default, five, both, every)]
    assert counts == [20, 5, 3, 26]
    assert "--all" in default
    assert "--all" not in every
    assert "running" not in only
    assert "unknown" in only


@pytest.mark.parametrize(
    "wrong",
    [
        ["--limit", "0"],
        ["--limit", "many"],
        ["--status", "lost"],
        ["show"],
        ["resolve", "abcdef"],
        ["resolve", "abcdef", "--abandon", "--resubmit"],
        ["frobnicate"],
    ],
)
async def test_wrong_usage_is_reported_with_its_own_status(
    tmp_path: Path, wrong: list[str]
) -> None:
    status, out, err = await tasks(tmp_path, *wrong)

    assert (status, out) == (2, "")
    assert err
    assert "Traceback" not in err


async def test_one_task_is_shown_whole_with_its_history_and_as_data(tmp_path: Path) -> None:
    reply = "<html>\n\x1b[2J\x1b]0;owned\x07502 Bad Gateway\n</html>"
    one = task(tmp_path, prompt=f"{PROMPT}\x1b[31m")
    await record_tasks(tmp_path / "state", one)
    lost = Observation(
        status=Status.UNKNOWN, at=time.time(), error_code="no_answer", raw_response=reply
    )
    async with open_ledger(tmp_path / "state") as ledger:
        await ledger.change(one.id, lambda now: advance(now, lost))

    status, out, err = await tasks(tmp_path, "show", one.id[:6], COLUMNS="80")

    assert (status, err) == (0, "")
    assert one.id in out
    assert PROMPT in re.sub(r"\s+", "", out)
    assert "  | " in out
    assert "502 Bad Gateway" in out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", out)
    assert max(map(cells, out.splitlines())) <= 80
    assert re.findall(r"UTC  (\w+)", out) == ["submitting", "unknown"]
    assert f"tasks resolve {one.id[:8]}" in out


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("facts", "shown", "columns"),
    [
        (
            {"seconds": 5.04, "width": 1920, "height": 1080, "fps": 29.97, "has_sound": True},
            "5.04 s, 1920x1080, 29.97 fps, sound",
            ["5.04", "1920x1080,", "29.97", "fps,", "sound"],
        ),
        (
            {"seconds": 10.0, "width": 768, "height": 1280, "fps": 24.0, "has_sound": False},
            "10 s, 768x1280, 24 fps, no sound",
            ["10", "768x1280,", "24", "fps,", "no", "sound"],
        ),
        ({"width": 1024, "height": 1024}, "1024x1024", ["5", "1024x1024"]),
        ({}, None, ["5"]),
    ],
)
async def test_what_was_measured_on_a_file_is_shown_and_listed(
    tmp_path: Path, facts: dict[str, Any], shown: str | None, columns: list[str]
) -> None:
    one = task(
        tmp_path,
        status=Status.SUCCEED,
        file_status=FileStatus.STORED,
        file_path="/videos/a.mp4",
        **{f"file_{name}": value for name, value in facts.items()},
    )
    await record_tasks(tmp_path / "state", one)

    _, report, _ = await tasks(tmp_path, "show", one.id)
    _, wide, _ = await tasks(tmp_path, "list")
    _, narrow, _ = await tasks(tmp_path, "list", COLUMNS="80")

    assert re.findall(r"(?m)^ +measured +(.*)$", report) == ([shown] if shown else [])
    assert wide.splitlines()[1].split()[5:] == [*columns, "a.mp4", "a", "fox"]
    first, second = narrow.splitlines()[1:3]
    size = [each.rstrip(",") for each in columns[:2]]
    assert first.split()[4:] == [*size, "cogvideox-flash"]
    assert second == f"{' ' * 10}a fox"


@pytest.mark.exhaustive
async def test_a_task_is_found_by_a_beginning_that_is_its_own(tmp_path: Path) -> None:
    twins = [
        replace(unknown(tmp_path, provider_task_id="theirs"), id="abcdef" + "1" * 26),
        replace(unknown(tmp_path), id="abcdef" + "2" * 26),
    ]
    await record_tasks(tmp_path / "state", *twins)

    found, shown, _ = await tasks(tmp_path, "show", "ABCDEF2")
    theirs, named, _ = await tasks(tmp_path, "show", "theirs")
    several, _, both = await tasks(tmp_path, "resolve", "abcdef", "--abandon", "--yes")
    short, _, none = await tasks(tmp_path, "show", "abcde")
    paid, _, careful = await tasks(tmp_path, "resolve", "abcdef2", "--resubmit", "--yes")

    assert (found, theirs, several, short, paid) == (0, 0, 1, 1, 1)
    assert twins[1].id in shown
    assert twins[0].id in named
    assert (
        'More than one task id begins with "abcdef": abcdef11 (unknown, "a fox"), abcdef22' in both
    )
    assert "No task" in none
    assert "takes at least 8 digits of the id" in careful
    assert {status for _, status in rows(tmp_path)} == {"unknown"}


async def test_every_task_is_exported_and_no_cell_is_a_formula(tmp_path: Path) -> None:
    wild = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "＝1+1", 'say "hi",\nthere', PROMPT]
    many = [task(tmp_path, age=n, prompt=prompt) for n, prompt in enumerate(wild)]
    stored = task(
        tmp_path,
        age=50,
        provider_task_id="-theirs",
        **STORED_FILE,
    )
    await record_tasks(tmp_path / "state", *many, stored)

    status, out, err = await tasks(tmp_path, "export", LC_ALL="C", PYTHONUTF8="0")

    assert (status, err) == (0, "")
    read = list(csv.DictReader(io.StringIO(out)))
    assert [row["prompt"] for row in read] == [
        "'=1+1",
        "'+1",
        "'-1",
        "'@SUM(A1)",
        "'=1",
        "'=1",
        "'＝1+1",
        'say "hi", there',
        PROMPT,
        "a fox",
    ]
    last = read[-1]
    assert last["provider_task_id"] == "'-theirs"
    assert last["ended_at"] == "2026-09-21T14:13:20+00:00"
    assert last["created_at"].endswith("+00:00")
    assert (last["status"], last["duration"], last["resolution"]) == ("succeed", "5", "320x180")
    assert (last["file_path"], last["file_bytes"]) == ("/videos/狐.mp4", "5")
    assert last["sha256"] == "ab" * 32
    facts = ["file_seconds", "file_width", "file_height", "file_fps", "file_has_sound"]
    facts += ["price_cny", "price_source", "price_date", "media", "parts"]
    assert out.splitlines()[0].endswith(f",prompt,{','.join(facts)}")
    price = ["4.2", "a list, official", "2026-04-25"]
    assert [last[name] for name in facts] == [
        "5.04",
        "1920",
        "1080",
        "30",
        "no",
        *price,
        "video",
        "",
    ]
    assert [read[0][name] for name in facts] == [*[""] * 8, "video", ""]


async def test_an_export_keeps_every_fact_in_its_own_column(tmp_path: Path) -> None:
    of_result = Result(duration=7.5, revised_prompt='a sign that says "duration": 9')
    odd = task(
        tmp_path,
        model="model,mini",
        status=Status.SUCCEED,
        result=of_result,
        submitted_at=1_790_000_059.9,
        file_bytes=123_456_789_012,
        error_code="",
    )
    asked = task(
        tmp_path,
        age=1,
        status=Status.SUCCEED,
        result=Result(revised_prompt="a fox"),
        provider_task_id='the "second", really',
    )
    await record_tasks(tmp_path / "state", odd, asked)

    _, out, _ = await tasks(tmp_path, "export")

    first, second = csv.DictReader(io.StringIO(out))
    assert None not in first
    assert (first["model"], second["provider_task_id"]) == ("model,mini", 'the "second", really')
    assert first["submitted_at"] == "2026-09-21T14:14:19+00:00"
    assert (first["file_bytes"], first["media"]) == ("123456789012", "video")
    assert (first["duration"], second["duration"]) == ("7.5", "5")


async def test_an_export_begins_at_once_and_servers_write_while_it_waits_for_its_reader(
    tmp_path: Path,
) -> None:
    await record_tasks(tmp_path / "state")
    long = [task(tmp_path, age=each, prompt=f"{each} {'a fox ' * 100}") for each in range(2000)]
    with closing(sqlite3.connect(tmp_path / "state" / "ledger.sqlite3", timeout=1)) as db:
        db.executemany(schema.INSERT, map(conversion.to_row, long))
        db.commit()
        with subprocess.Popen(  # noqa: S603 - our own program, read a line at a time
            [*MODULE, "tasks", "export"],
            env=environment(tmp_path),
            stdout=subprocess.PIPE,
            encoding="utf-8",
        ) as export:
            assert export.stdout is not None
            head = export.stdout.readline()
            first = next(csv.reader(export.stdout))
            # The pipe has no room for the rest, so it has not been read.
            db.execute(schema.INSERT, conversion.to_row(task(tmp_path, prompt="a newer one")))
            db.execute("UPDATE task SET error_code = 'late' WHERE id = ?", [long[-1].id])
            db.commit()
            rest = list(csv.reader(export.stdout))

    assert head.startswith("id,provider_task_id,created_at")
    assert [row[0] for row in (first, *rest)] == [each.id for each in long]
    assert rest[-1][head.split(",").index("error_code")] == "late"


async def test_an_export_of_nothing_is_a_head(tmp_path: Path) -> None:
    status, out, _ = await tasks(tmp_path, "export")

    assert status == 0
    assert len(out.splitlines()) == 1
    assert out.startswith("id,provider_task_id,")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise there")
async def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    await record_tasks(
        tmp_path / "state", *(task(tmp_path, age=n, prompt="x" * 3000) for n in range(60))
    )
    command = subprocess.Popen(  # noqa: S603 - our own command, and a pipe to break
        [*MODULE, "tasks", "export"],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert command.stdout is not None
    assert command.stderr is not None
    command.stdout.close()
    output = command.stderr.read()
    command.stderr.close()

    assert (command.wait(timeout=30), output) == (141, b"")


# Deciding


async def test_giving_up_says_what_it_does_and_does_it_without_a_service(tmp_path: Path) -> None:
    offline = {"GEEKAI_API_KEY": "sk-x", "GEEKAI_BASE_URL": "http://127.0.0.1:9/api/v1"}
    one = unknown(tmp_path, prompt=PROMPT, settings=offline)
    await record_tasks(tmp_path / "state", one)

    status, out, err = await tasks(tmp_path, "resolve", one.id[:8], "--abandon", "--yes", **offline)
    again, _, why = await tasks(tmp_path, "resolve", one.id[:8], "--abandon", "--yes", **offline)

    assert (status, err) == (0, "")
    assert out.count(MAYBE) == 1
    assert out.endswith("Marked as abandoned.\n")
    assert again == 1
    assert "is abandoned" in why
    assert rows(tmp_path) == [(one.id, "abandoned")]


@pytest.mark.parametrize("way", [["--abandon"], ["--resubmit"], ["--attach", "x"]])
async def test_nothing_is_decided_where_nobody_can_be_asked(tmp_path: Path, way: list[str]) -> None:
    one = unknown(tmp_path)
    await record_tasks(tmp_path / "state", one)

    status, _, err = await tasks(tmp_path, "resolve", one.id, *way)

    assert status == 1
    assert "--yes" in err
    assert rows(tmp_path) == [(one.id, "unknown")]


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are POSIX's here")
@pytest.mark.parametrize(("answer", "after"), [("yes", "abandoned"), ("y", "unknown")])
async def test_a_person_at_a_terminal_is_asked(tmp_path: Path, answer: str, after: str) -> None:
    import pty  # noqa: PLC0415 - POSIX's

    one = unknown(tmp_path)
    await record_tasks(tmp_path / "state", one)
    ours, theirs = pty.openpty()
    try:
        os.write(ours, f"{answer}\n".encode())
        with anyio.fail_after(60):
            done = await anyio.run_process(
                [*MODULE, "tasks", "resolve", one.id, "--abandon"],
                stdin=theirs,
                env=environment(tmp_path),
                check=False,
            )
    finally:
        os.close(ours)
        os.close(theirs)

    assert "Type yes" in done.stdout.decode()
    assert done.returncode == (0 if answer == "yes" else 1)
    assert rows(tmp_path) == [(one.id, after)]


@asynccontextmanager
async def service(folder: Path) -> AsyncGenerator[dict[str, str]]:
    """The sandbox as a service on a port, and the settings that lead to it."""
    there = folder / "service"
    there.mkdir()
    command = ["sandbox", "--port", "0", "--folder", str(there / "tasks")]
    async with http_server(there, *command) as origin:
        yield {"GEEKAI_BASE_URL": f"{origin}/api/v1"}


async def create_at_service(settings: dict[str, str]) -> str:
    """A task that the service took and whose answer was lost on the way."""
    body = {"model": "sandbox", "prompt": "a fox", "size": "320x180", "duration": 1, "async": True}
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{settings['GEEKAI_BASE_URL']}/videos/generations", json=body)
    return answer.json()["task_id"]


async def test_a_task_found_at_the_service_is_attached_and_no_other(tmp_path: Path) -> None:
    async with service(tmp_path) as settings:
        theirs = await create_at_service(settings)
        one = unknown(tmp_path, age=5, settings=settings)
        two, elsewhere = unknown(tmp_path, settings=settings), unknown(tmp_path, age=9)
        await record_tasks(tmp_path / "state", one, two, elsewhere)

        async def attach(which: Task, provider_task_id: str) -> tuple[int, str, str]:
            ways = ["--attach", provider_task_id, "--yes"]
            return await tasks(tmp_path, "resolve", which.id, *ways, **settings)

        unheard_of = await attach(one, "00000000-0000-0000-0000-000000000000")
        attached = await attach(one, theirs)
        taken = await attach(two, theirs)
        foreign = await attach(elsewhere, theirs)

    assert [result[0] for result in (unheard_of, attached, taken, foreign)] == [1, 0, 1, 1]
    assert "knows no task" in unheard_of[2]
    assert theirs in attached[1]
    assert f"tasks show {one.id[:8]}" in attached[1]
    assert one.id in taken[2]
    assert "another service or key" in foreign[2]
    assert [found for _, found in rows(tmp_path, "id, provider_task_id")] == [None, theirs, None]


async def test_a_service_that_cannot_be_reached_changes_nothing(tmp_path: Path) -> None:
    offline = {"GEEKAI_API_KEY": "sk-x", "GEEKAI_BASE_URL": "http://127.0.0.1:9/api/v1"}
    one = unknown(tmp_path, settings=offline)
    await record_tasks(tmp_path / "state", one)

    status, _, err = await tasks(tmp_path, "resolve", one.id, "--attach", "x", "--yes", **offline)

    assert status == 1
    assert "could not be reached" in err
    assert rows(tmp_path) == [(one.id, "unknown")]


@pytest.mark.exhaustive
async def test_a_file_is_fetched_once_more_and_what_cannot_be_is_explained(tmp_path: Path) -> None:
    async with service(tmp_path) as settings:
        theirs = await create_at_service(settings)
        finished = Observation(status=Status.SUCCEED, at=time.time(), provider_task_id=theirs)
        lost = replace(
            advance(task(tmp_path, settings=settings), finished), file_status=FileStatus.LOST
        )
        gone = replace(
            task(tmp_path, settings=settings, age=3),
            status=Status.SUCCEED,
            provider_task_id="00000000-0000-0000-0000-000000000000",
            file_status=FileStatus.LOST,
        )
        running = unknown(tmp_path, settings=settings, age=5)
        await record_tasks(tmp_path / "state", lost, gone, running)
        await wait_for_result(settings, theirs)

        fetched = await tasks(tmp_path, "fetch", lost.id[:8], **settings)
        again = await tasks(tmp_path, "fetch", lost.id, **settings)
        refused = await tasks(tmp_path, "fetch", gone.id, **settings)
        unfinished = await tasks(tmp_path, "fetch", running.id, **settings)

    [path] = [found for _, found in rows(tmp_path, "id, file_path") if found]
    assert Path(path).read_bytes()[4:8] == b"ftyp"
    assert (fetched[0], fetched[1]) == (
        0,
        f"Fetched: {path} ({size_text(Path(path).stat().st_size)})\n",
    )
    assert (again[0], again[1]) == (0, f"It is on this machine already: {path}\n")
    assert (refused[0], refused[1]) == (1, "Not fetched. The service returned no link.\n")
    assert unfinished[0] == 1
    assert "only a finished one has a file to fetch" in unfinished[2]


@pytest.mark.exhaustive
async def test_a_task_without_a_link_is_attached_to_the_task_that_has_the_video(
    tmp_path: Path,
) -> None:
    async with service(tmp_path) as settings:
        theirs = await create_at_service(settings)
        await wait_for_result(settings, theirs)
        finished = Observation(status=Status.SUCCEED, at=time.time(), provider_task_id="gone")
        lost = replace(
            advance(task(tmp_path, settings=settings), finished),
            file_status=FileStatus.LOST,
            file_error="GeekAI gave no video.",
            file_error_code="no_link",
        )
        await record_tasks(tmp_path / "state", lost)

        abandoned = await tasks(tmp_path, "resolve", lost.id, "--abandon", "--yes", **settings)
        attached = await tasks(
            tmp_path, "resolve", lost.id, "--attach", theirs, "--yes", **settings
        )

    assert abandoned[0] == 1
    assert "only an unknown outcome" in abandoned[2]
    assert (attached[0], theirs in attached[1]) == (0, True)
    assert rows(tmp_path, "provider_task_id, file_status") == [(theirs, "none")]


async def wait_for_result(settings: dict[str, str], provider_task_id: str) -> None:
    url = f"{settings['GEEKAI_BASE_URL']}/videos/{provider_task_id}"
    with anyio.fail_after(60):
        async with httpx.AsyncClient() as http:
            while (await http.get(url)).json()["task_status"] != "succeed":  # noqa: ASYNC110 - another process
                await anyio.sleep(0.2)


async def test_a_request_is_sent_again_once_from_any_number_of_terminals(tmp_path: Path) -> None:
    async with service(tmp_path) as settings:
        one = unknown(tmp_path, settings=settings)
        await record_tasks(tmp_path / "state", one)
        ends = list[tuple[int, str, str]]()

        async def resubmit() -> None:
            again = ["resolve", one.id, "--resubmit", "--yes"]
            ends.append(await tasks(tmp_path, *again, **settings))

        async with anyio.create_task_group() as terminals:
            for _ in range(3):
                terminals.start_soon(resubmit)
        charges = list((tmp_path / "service" / "tasks").rglob("task.json"))

    assert sorted(status for status, _, _ in ends) == [0, 1, 1]
    (out,) = (out for status, out, _ in ends if status == 0)
    assert MAYBE in out
    assert "a second time" in out
    (old, first), (new, second) = rows(tmp_path)
    assert (old, first) == (one.id, "abandoned")
    assert second in {"pending", "running", "succeed"}
    assert new in out
    assert len(charges) == 1
    for status, _, err in ends:
        assert status == 0 or "is abandoned" in err


@pytest.mark.exhaustive
async def test_a_preview_is_sent_again_to_the_sandbox_of_this_very_process(
    tmp_path: Path,
) -> None:
    one = unknown(tmp_path)
    await record_tasks(tmp_path / "state", one)

    status, out, err = await tasks(tmp_path, "resolve", one.id, "--resubmit", "--yes")

    assert (status, err) == (0, "")
    (_, first), (new, second) = rows(tmp_path)
    assert first == "abandoned"
    assert second in {"pending", "running", "succeed"}
    assert new in out


async def test_no_key_and_no_prompt_is_in_what_is_said_on_standard_error(tmp_path: Path) -> None:
    secret = {"GEEKAI_API_KEY": "sk-canary", "GEEKAI_BASE_URL": "http://127.0.0.1:9/api/v1"}
    one = unknown(tmp_path, settings=secret, prompt="canary prompt")
    await record_tasks(tmp_path / "state", one)

    ends = [
        await tasks(tmp_path, *command, GEEKAI_LOG_LEVEL="DEBUG", **secret)
        for command in (["list"], ["show", one.id], ["resolve", one.id, "--resubmit", "--yes"])
    ]

    assert [status for status, _, _ in ends] == [0, 0, 1]
    assert "canary" not in "".join(err for _, _, err in ends)
    assert "sk-canary" not in json.dumps(ends)
