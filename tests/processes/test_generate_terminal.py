"""`generate` at a terminal: the question, the live display, and Ctrl-C at each stage."""

import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from support.clips import make_clip
from support.process import run_cli, running_server
from support.provider import HELD_PREFIX, Provider, running_provider
from support.terminal import CTRL_C, CTRL_D, Terminal, terminal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="terminals are POSIX's here")

PAID = ("--model", "MiniMax-Hailuo-02", "--duration", "6")
QUESTION = "Type yes to continue: "
NOT_CHARGED = "Nothing was charged."
MAYBE_CHARGED = "It may have been charged."
HELD = f"{HELD_PREFIX}一只狐狸在雪中奔跑，黄昏的光线温暖而悠长，镜头缓缓推进，远处的山脊被染成金色"


def statuses(folder: Path) -> list[str]:
    db = sqlite3.connect(folder / "state" / "ledger.sqlite3")
    try:
        return [row[0] for row in db.execute("SELECT status FROM task ORDER BY created_at")]
    finally:
        db.close()


def task_id(folder: Path) -> str:
    db = sqlite3.connect(folder / "state" / "ledger.sqlite3")
    try:
        return db.execute("SELECT id FROM task").fetchone()[0][:8]
    finally:
        db.close()


def at_terminal(folder: Path, service: Provider, *command: str, **more: str) -> Any:  # noqa: ANN401 - a context manager
    return terminal(folder, *command, settings={**service.settings, "TERM": "xterm", **more})


async def press_ctrl_c(screen: Terminal) -> tuple[int, str]:
    """The exit status, and what is shown after it."""
    before = len(screen.shown)
    screen.type(CTRL_C)
    status = await screen.end()
    return status, screen.shown[before:]


async def test_a_person_sees_the_price_and_is_asked_before_anything_is_sent(tmp_path: Path) -> None:
    async with running_provider() as service:
        service.file = make_clip()
        async with at_terminal(tmp_path, service, "generate", "a fox", *PAID) as screen:
            shown = await screen.expect(QUESTION)
            assert service.prompts == []
            screen.type("yes\n")
            status = await screen.end()

    assert "MiniMax-Hailuo-02" in shown
    assert "seconds     6" in shown
    assert "CNY" in shown
    assert "50 more today, 10 at the same time" in shown
    assert status == 0, screen.shown
    assert service.prompts == ["a fox"]
    assert "is finished" in screen.shown
    assert max(map(len, shown.splitlines())) <= 80


async def test_two_terminals_that_agree_to_the_same_request_pay_once(tmp_path: Path) -> None:
    async with running_provider() as service:
        service.file = make_clip()
        command = ("generate", "a fox", *PAID)
        async with (
            at_terminal(tmp_path, service, *command) as one,
            at_terminal(tmp_path, service, *command) as other,
        ):
            await one.expect(QUESTION)
            await other.expect(QUESTION)
            one.type("yes\n")
            other.type("yes\n")
            statuses_at_end = await one.end(), await other.end()

    assert statuses_at_end == (0, 0)
    assert service.prompts == ["a fox"]
    assert "nothing new was sent" in one.shown + other.shown


@pytest.mark.parametrize("answer", ["no\n", "\n", CTRL_D])
async def test_without_a_yes_nothing_is_sent(tmp_path: Path, answer: str) -> None:
    async with (
        running_provider() as service,
        at_terminal(tmp_path, service, "generate", "a fox", *PAID) as screen,
    ):
        await screen.expect(QUESTION)
        screen.type(answer)
        status = await screen.end()

    assert status == 1
    assert NOT_CHARGED in screen.shown
    assert service.prompts == []
    assert statuses(tmp_path) == []


async def test_ctrl_c_at_the_question_charges_nothing(tmp_path: Path) -> None:
    async with (
        running_provider() as service,
        at_terminal(tmp_path, service, "generate", "a fox", *PAID) as screen,
    ):
        await screen.expect(QUESTION)
        status, said = await press_ctrl_c(screen)

    assert status == 130
    assert NOT_CHARGED in said
    assert "Traceback" not in said
    assert statuses(tmp_path) == []


async def test_ctrl_c_while_the_request_is_under_way_keeps_the_answer_that_was_paid_for(
    tmp_path: Path,
) -> None:
    async with running_provider() as service:
        service.file = make_clip()
        service.answers_posts = anyio.Event()
        async with at_terminal(tmp_path, service, "generate", HELD, *PAID, "--yes") as screen:
            await screen.expect("submitting")
            await wait_for_post(service)
            screen.type(CTRL_C)
            await screen.expect("Stopping.")
            screen.type(CTRL_C)  # a second one does not lose it either
            service.answers_posts.set()
            status = await screen.end()
        assert statuses(tmp_path) in (["pending"], ["running"])
        name = task_id(tmp_path)
        assert f"geekai-video-mcp tasks fetch {name}" in screen.shown
        service.released.add(HELD)
        fetched = await run_cli(tmp_path, "tasks", "fetch", name, **service.settings)

    assert status == 130
    assert "goes on at GeekAI" in " ".join(screen.shown.split())
    assert fetched[0] == 0, fetched[2]
    assert service.prompts == [HELD]


async def wait_for_post(service: Provider) -> None:
    with anyio.fail_after(30):
        while not service.prompts:
            await service.wait_for_request()


@pytest.mark.exhaustive
async def test_ctrl_c_and_no_answer_at_all_is_an_unknown_outcome(tmp_path: Path) -> None:
    async with running_provider() as service:
        service.answers_posts = anyio.Event()
        async with at_terminal(tmp_path, service, "generate", "a fox", *PAID, "--yes") as screen:
            await wait_for_post(service)
            status, said = await press_ctrl_c(screen)
        name = task_id(tmp_path)
        resolved = await run_cli(
            tmp_path, "tasks", "resolve", name, "--abandon", "--yes", **service.settings
        )
        service.answers_posts.set()

    assert status == 130
    assert MAYBE_CHARGED in said
    ending = said[said.index("The outcome of task") :]
    assert max(map(len, ending.splitlines())) <= 80
    assert f"geekai-video-mcp tasks resolve {name} --abandon" in ending
    assert resolved[0] == 0, resolved[2]


async def test_ctrl_c_before_a_limited_request_is_sent_withdraws_it(tmp_path: Path) -> None:
    async with running_provider() as service:
        service.answer = (429, '{"error": {"code": "limit", "message": "too many"}}')
        async with at_terminal(tmp_path, service, "generate", "a fox", *PAID, "--yes") as screen:
            await wait_for_post(service)
            await screen.expect("submitting")
            while statuses(tmp_path) != ["intended"]:  # noqa: ASYNC110 - another process
                await anyio.sleep(0.05)
            async with running_server(tmp_path, **service.settings) as server:
                status, said = await press_ctrl_c(screen)
                sent = list(service.prompts)  # by a slow machine more than once
                service.answer = None
                # In which a server would send what a process has left.
                left = await server.call(
                    "get_video_task", task_id=task_id(tmp_path), wait_seconds=15
                )

    assert status == 130
    assert NOT_CHARGED in said
    assert left["structuredContent"]["task_status"] == "failed"
    assert statuses(tmp_path) == ["rejected"]
    assert service.prompts == sent
    assert set(sent) == {"a fox"}


async def test_ctrl_c_while_it_is_made_says_how_to_come_back(tmp_path: Path) -> None:
    async with running_provider() as service:
        service.file = make_clip()
        async with at_terminal(tmp_path, service, "generate", HELD, *PAID, "--yes") as screen:
            await screen.expect("running")
            status, said = await press_ctrl_c(screen)
        name = task_id(tmp_path)
        service.released.add(HELD)
        async with running_server(tmp_path, **service.settings) as server:
            done = await server.call("get_video_task", task_id=name, wait_seconds=45)

    assert status == 130
    assert "goes on at GeekAI" in " ".join(said.split())
    assert f"geekai-video-mcp tasks fetch {name}" in said
    assert "Traceback" not in said
    assert done["structuredContent"]["task_status"] == "succeed"
    assert service.prompts == [HELD]


async def test_a_closed_terminal_loses_no_answer_that_was_paid_for(tmp_path: Path) -> None:
    async with running_provider() as service:
        service.answers_posts = anyio.Event()
        async with at_terminal(tmp_path, service, "generate", HELD, *PAID, "--yes") as screen:
            await wait_for_post(service)
            screen.process.send_signal(signal.SIGHUP)
            await screen.expect("Stopping.")
            service.answers_posts.set()
            status = await screen.end()

    assert status == 128 + signal.SIGHUP
    assert statuses(tmp_path) in (["pending"], ["running"])


async def test_ctrl_c_in_the_sandbox_stops_it_and_fetch_finishes_it(tmp_path: Path) -> None:
    size = ("--size", "1280x720", "--duration", "6")
    settings = {"TERM": "xterm"}
    async with terminal(tmp_path, "generate", "a fox", *size, settings=settings) as screen:
        await screen.expect("pending")
        status, said = await press_ctrl_c(screen)
    fetched = await run_cli(tmp_path, "tasks", "fetch", task_id(tmp_path))

    assert status == 130
    assert "The sandbox stops with this command, and costs nothing." in " ".join(said.split())
    assert fetched[0] == 0, fetched[2]
    assert len(list((tmp_path / "videos").glob("*.mp4"))) == 1


async def test_ctrl_c_while_a_film_is_joined_leaves_it_to_the_same_command(tmp_path: Path) -> None:
    small = ("--size", "320x180", "--duration", "2", "--fps", "12")
    made = await run_cli(tmp_path, "generate", "a fox", *small)
    part = task_id(tmp_path)
    command = ("join", *[f"{part}@0.25-"] * 40)
    async with terminal(tmp_path, *command, settings={"TERM": "xterm-256color"}) as screen:
        await screen.expect("%")
        status, said = await press_ctrl_c(screen)
    finished = await run_cli(tmp_path, *command)

    assert made[0] == 0, made[2]
    assert status == 130
    assert "is not finished" in said
    assert "━" in screen.shown
    assert "\x1b[38;" not in screen.shown  # no shade that is of a dark terminal alone
    assert finished[0] == 0, finished[2]
    assert "joining, " in finished[2]
    assert len(list((tmp_path / "videos").glob("*-film-*.mp4"))) == 1


async def test_the_display_fits_80_columns_and_tears_no_wide_character(tmp_path: Path) -> None:
    async with (
        running_provider() as service,
        at_terminal(tmp_path, service, "generate", HELD, *PAID, "--yes") as screen,
    ):
        await screen.expect("running")
        await screen.expect("running")
        await press_ctrl_c(screen)

    drawn = [line for line in screen.shown.splitlines() if "一只狐狸" in line and "…" in line]
    assert drawn
    assert "�" not in screen.shown
    assert "\x1b[?25h" in screen.shown  # the cursor is shown again


async def test_no_color_is_honoured(tmp_path: Path) -> None:
    async with (
        running_provider() as service,
        at_terminal(tmp_path, service, "generate", HELD, *PAID, "--yes", NO_COLOR="1") as screen,
    ):
        await screen.expect("running")
        await press_ctrl_c(screen)

    assert "\x1b[3" not in screen.shown


async def test_a_dumb_terminal_gets_lines(tmp_path: Path) -> None:
    async with (
        running_provider() as service,
        at_terminal(tmp_path, service, "generate", HELD, *PAID, "--yes", TERM="dumb") as screen,
    ):
        await screen.expect("running")
        await press_ctrl_c(screen)

    assert "\x1b" not in screen.shown
