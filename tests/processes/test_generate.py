"""`generate` and `image` in scripts: real processes, a service on loopback, and no terminal."""

import json
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from support.clips import make_clip
from support.process import MODULE, environment, run_cli, running_server, stdio
from support.provider import HELD_PREFIX, running_provider
from support.world import call, structured

SMALL = ("--size", "320x180", "--duration", "1", "--fps", "12")
"""Options of a video that the sandbox renders in a moment."""
PAID = ("--model", "MiniMax-Hailuo-02", "--duration", "6")
NOT_CHARGED = "Nothing was charged."
MAYBE_CHARGED = "It may have been charged."


def rows(folder: Path) -> list[tuple[Any, ...]]:
    db = sqlite3.connect(folder / "state" / "ledger.sqlite3")
    try:
        return db.execute("SELECT id, status FROM task ORDER BY created_at").fetchall()
    finally:
        db.close()


async def test_without_a_key_a_preview_is_made_without_a_question(tmp_path: Path) -> None:
    status, out, err = await run_cli(tmp_path, "generate", "a fox in the snow", *SMALL)

    assert status == 0, err
    (video,) = (tmp_path / "videos").glob("*.mp4")
    assert str(video) in out
    assert "1.0 s, 320x180, 12 fps" in out
    assert "free: a sandbox preview, not made by GeekAI" in out
    assert "a fox in the snow" in err
    assert "\x1b" not in out + err


async def test_the_result_is_one_json_object_of_the_tool(tmp_path: Path) -> None:
    status, out, err = await run_cli(tmp_path, "generate", "a fox", *SMALL, "--json")

    assert status == 0, err
    made = json.loads(out)
    assert made["task_status"] == "succeed"
    assert made["sandbox"] is True
    assert Path(made["file"]).is_file()
    assert Path(made["sheet"]).is_file()
    assert out.count("\n") == 1


async def test_a_picture_is_made_and_begins_a_video(tmp_path: Path) -> None:
    status, out, err = await run_cli(tmp_path, "image", "a red fox", "--size", "320x180", "--json")
    assert status == 0, err
    picture = json.loads(out)
    named = Path(picture["file"]).relative_to(tmp_path)
    status, out, err = await run_cli(
        tmp_path,
        "generate",
        "it turns its head",
        "--image",
        f"task:{picture['task_id'][:8]}",
        *SMALL,
    )
    assert status == 0, err
    # Also as a file, by a path relative to where the person is, outside the configured folders.
    copy = tmp_path / "elsewhere.png"
    copy.write_bytes((tmp_path / named).read_bytes())
    with anyio.fail_after(60):
        done = await anyio.run_process(
            [*MODULE, "generate", "it sleeps", "--image", "elsewhere.png", *SMALL],
            cwd=tmp_path,
            env=environment(tmp_path),
            check=False,
        )

    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "videos").glob("*.mp4"))) == 2


async def test_a_dry_run_says_what_would_be_sent_and_leaves_nothing(tmp_path: Path) -> None:
    async with running_provider() as service:
        settings = {**service.settings, "GEEKAI_MAX_CNY_PER_DAY": "30"}
        status, out, err = await run_cli(
            tmp_path, "generate", "a fox", *PAID, "--dry-run", **settings
        )
        as_json = await run_cli(
            tmp_path, "generate", "a fox", *PAID, "--dry-run", "--json", **settings
        )

    assert status == 0, err
    assert "MiniMax-Hailuo-02" in out
    assert "seconds     6" in out
    assert " CNY" in out
    assert "50 more today, 10 at the same time, 30 CNY today" in out
    assert NOT_CHARGED in out
    assert json.loads(as_json[1])["dry_run"]["videos_left_today"] == 50
    assert rows(tmp_path) == []
    assert service.prompts == []


async def test_without_a_terminal_nothing_is_paid_unless_yes_is_said(tmp_path: Path) -> None:
    async with running_provider() as service:
        service.file = make_clip()
        refused = await run_cli(tmp_path, "generate", "a fox", *PAID, **service.settings)
        assert service.prompts == []
        made = await run_cli(tmp_path, "generate", "a fox", *PAID, "--yes", **service.settings)

    assert refused[0] == 1
    assert "MiniMax-Hailuo-02" in refused[2]
    assert "--yes" in refused[2]
    assert NOT_CHARGED in refused[2]
    assert refused[1] == ""
    assert made[0] == 0, made[2]
    assert service.prompts == ["a fox"]
    assert "2 CNY, by " in made[1]


async def test_a_repeated_command_pays_once_and_another_take_is_asked_for(tmp_path: Path) -> None:
    command = ("generate", "a fox", *PAID, "--yes")
    async with running_provider() as service:
        service.file = make_clip()
        first = await run_cli(tmp_path, *command, "--json", **service.settings)
        again = await run_cli(tmp_path, *command, "--json", **service.settings)
        take = await run_cli(tmp_path, *command, "--variation", "2", "--json", **service.settings)

    assert (first[0], again[0], take[0]) == (0, 0, 0)
    made, same, other = (json.loads(out) for _, out, _ in (first, again, take))
    assert same["task_id"] == made["task_id"]
    assert same["deduplicated"] is True
    assert "--variation 2" in again[2]
    assert other["task_id"] != made["task_id"]
    assert service.prompts == ["a fox", "a fox"]


async def test_a_refusal_by_the_service_costs_nothing(tmp_path: Path) -> None:
    async with running_provider() as service:
        service.answer = (400, '{"error": {"code": "bad", "message": "no foxes today"}}')
        status, out, err = await run_cli(
            tmp_path, "generate", "a fox", *PAID, "--yes", **service.settings
        )

    assert status == 1
    assert out == ""
    assert "no foxes today" in err
    assert NOT_CHARGED in err


async def test_an_unusable_answer_is_an_unknown_outcome(tmp_path: Path) -> None:
    async with running_provider() as service:
        service.answer = (200, '{"task_id": ""}')
        status, out, err = await run_cli(
            tmp_path, "generate", "a fox", *PAID, "--yes", "--json", **service.settings
        )

    ((task_id, ledger_status),) = rows(tmp_path)
    assert status == 3
    assert ledger_status == "unknown"
    assert json.loads(out)["task_status"] == "unknown"
    assert MAYBE_CHARGED in err
    assert f"geekai-video-mcp tasks resolve {task_id[:8]} --abandon" in err
    shown = (await run_cli(tmp_path, "tasks", "show", task_id[:8]))[1]
    assert MAYBE_CHARGED in shown
    assert "ask the user" not in shown


async def test_a_service_that_hangs_up_is_an_unknown_outcome(tmp_path: Path) -> None:
    async def hang_up(stream: SocketStream) -> None:
        async with stream:
            await stream.receive()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - anyio's
    base = f"http://127.0.0.1:{port}/api/v1"
    done: list[tuple[int, str, str]] = []
    async with listener, anyio.create_task_group() as serving:
        serving.start_soon(listener.serve, hang_up)
        command = ("generate", "a fox", *PAID, "--yes")
        keyed = {"GEEKAI_BASE_URL": base, "GEEKAI_API_KEY": "sk-any"}
        done.append(await run_cli(tmp_path, *command, **keyed))
        serving.cancel_scope.cancel()

    ((status, _, err),) = done
    assert status == 3
    assert MAYBE_CHARGED in err


async def test_a_service_that_is_not_there_costs_nothing(tmp_path: Path) -> None:
    settings = {"GEEKAI_BASE_URL": "http://127.0.0.1:9/api/v1", "GEEKAI_API_KEY": "sk-any"}
    status, _, err = await run_cli(tmp_path, "generate", "a fox", *PAID, "--yes", **settings)

    assert status == 1
    assert NOT_CHARGED in err


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [("--duration", "soon", "duration"), ("--extra-body", "[1", "extra_body")],
)
async def test_a_wrong_value_is_wrong_usage(
    tmp_path: Path, option: str, value: str, word: str
) -> None:
    status, out, err = await run_cli(tmp_path, "generate", "a fox", option, value)

    assert status == 2
    assert word in err
    assert NOT_CHARGED in err
    assert out == ""
    assert not (tmp_path / "state" / "ledger.sqlite3").exists()


async def test_what_is_refused_here_is_not_sent(tmp_path: Path) -> None:
    async with running_provider() as service:
        refused = ("generate", "a fox", "--image", "task:ffff00aa", "--yes")
        status, _, err = await run_cli(tmp_path, *refused, **service.settings)
        as_json = await run_cli(tmp_path, *refused, "--json", **service.settings)

    assert status == 1
    assert NOT_CHARGED in err
    assert "geekai-video-mcp tasks --all lists all" in err
    assert service.prompts == []
    assert NOT_CHARGED in json.loads(as_json[1])["error"]["message"]


async def test_a_task_that_was_only_sent_is_collected_by_its_command(tmp_path: Path) -> None:
    async with running_provider() as service:
        service.file = make_clip()
        prompt = f"{HELD_PREFIX}a fox"
        sent = await run_cli(
            tmp_path, "generate", prompt, *PAID, "--yes", "--no-wait", **service.settings
        )
        service.released.add(prompt)
        ((task_id, ledger_status),) = rows(tmp_path)
        fetched = await run_cli(tmp_path, "tasks", "fetch", task_id[:8], **service.settings)

    assert sent[0] == 0, sent[2]
    assert ledger_status in {"pending", "running"}
    assert f"geekai-video-mcp tasks fetch {task_id[:8]}" in sent[1]
    assert fetched[0] == 0, fetched[2]
    assert len(list((tmp_path / "videos").glob("*.mp4"))) == 1


async def test_the_same_command_comes_back_to_a_task_whose_process_is_gone(tmp_path: Path) -> None:
    async with running_provider() as service:
        service.file = make_clip()
        prompt = f"{HELD_PREFIX}a fox"
        command = ("generate", prompt, *PAID, "--yes")
        await run_cli(tmp_path, *command, "--no-wait", **service.settings)
        service.released.add(prompt)
        back = await run_cli(tmp_path, *command, "--json", **service.settings)

    assert back[0] == 0, back[2]
    assert json.loads(back[1])["task_status"] == "succeed"
    assert service.prompts == [prompt]


async def test_the_same_command_sends_what_a_process_that_is_gone_has_only_recorded(
    tmp_path: Path,
) -> None:
    """Without waiting for its end as well; nobody else would send it."""
    async with running_provider() as service:
        command = ("generate", f"{HELD_PREFIX}a fox", *PAID, "--yes", "--no-wait")
        await run_cli(tmp_path, *command, **service.settings)
        with closing(sqlite3.connect(tmp_path / "state" / "ledger.sqlite3")) as db, db:
            db.execute(
                "UPDATE task SET status = 'intended', attempt = 0, owner = 'dead',"
                " submitted_at = NULL, provider_task_id = NULL, watcher = NULL"
            )
        again = await run_cli(tmp_path, *command, **service.settings)

    assert again[0] == 0, again[2]
    assert len(rows(tmp_path)) == 1
    assert len(service.prompts) == 2


async def test_beside_a_running_server_each_does_its_own(tmp_path: Path) -> None:
    """The server's task is not touched, and the command's is the server's once it is gone."""
    async with running_provider() as service:
        service.file = make_clip()
        theirs, ours = f"{HELD_PREFIX}theirs", f"{HELD_PREFIX}ours"
        async with running_server(tmp_path, **service.settings) as server:
            await server.call("generate_video", prompt=theirs)
            service.released |= {theirs, ours}
            made = await run_cli(
                tmp_path, "generate", ours, *PAID, "--yes", "--json", **service.settings
            )
            assert made[0] == 0, made[2]
            await run_cli(
                tmp_path, "generate", "sent", *PAID, "--yes", "--no-wait", **service.settings
            )
            ids = [task_id for task_id, _ in rows(tmp_path)]
            waited = await server.call("get_video_task", task_id=" ".join(ids), wait_seconds=45)

    assert [one["task_status"] for one in waited["structuredContent"]["tasks"]] == ["succeed"] * 3
    assert service.prompts == [theirs, ours, "sent"]


async def test_a_task_of_a_dead_server_is_left_to_the_servers(tmp_path: Path) -> None:
    async with running_provider() as service:
        service.file = make_clip()
        theirs = f"{HELD_PREFIX}theirs"
        async with running_server(tmp_path, **service.settings) as server:
            await server.call("generate_video", prompt=theirs)
            await server.kill()
        service.released.add(theirs)
        made = await run_cli(tmp_path, "generate", "ours", *PAID, "--yes", **service.settings)

    assert made[0] == 0, made[2]
    assert rows(tmp_path)[0][1] in {"pending", "running"}


@pytest.mark.skipif(sys.platform == "win32", reason="nohup is POSIX's")
async def test_under_nohup_it_goes_on_after_its_terminal_is_closed(tmp_path: Path) -> None:
    async with running_provider() as service:
        service.file = make_clip()
        prompt = f"{HELD_PREFIX}a fox"
        command = ["nohup", *MODULE, "generate", prompt, *PAID, "--yes"]
        with anyio.fail_after(60):
            async with await anyio.open_process(
                command, env=environment(tmp_path, **service.settings)
            ) as process:
                while not service.prompts:
                    await service.wait_for_request()
                process.send_signal(signal.SIGHUP)
                service.released.add(prompt)
                status = await process.wait()

    assert status == 0
    assert len(list((tmp_path / "videos").glob("*.mp4"))) == 1


async def test_a_prompt_is_no_markup_and_has_no_control_characters(tmp_path: Path) -> None:
    prompt = "[bold red]a fox[/] \x1b[31m\x07 一只狐狸"
    status, out, err = await run_cli(tmp_path, "generate", prompt, *SMALL)

    assert status == 0, err
    assert "[bold red]a fox[/]" in err
    assert "\x1b" not in out + err
    assert "\x07" not in out + err


@pytest.mark.skipif(sys.platform != "linux", reason="xdg-open is Linux's")
async def test_a_finished_video_is_opened(tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    program = tmp_path / "bin" / "xdg-open"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$1" > "{opened}"\n', "utf-8")
    program.chmod(0o755)
    settings = {"PATH": f"{program.parent}:/usr/bin:/bin", "DISPLAY": ":9"}
    status, out, err = await run_cli(tmp_path, "generate", "a fox", *SMALL, "--open", **settings)

    assert status == 0, err
    assert opened.read_text("utf-8").strip() in out


async def test_nothing_else_imports_what_draws(tmp_path: Path) -> None:
    """`serve` and `tasks` start without rich."""
    program = (
        "import sys; from geekai_video_mcp import cli; sys.argv = ['x', *sys.argv[1:]];"
        " status = cli.main(); print(sorted(m for m in sys.modules if m.split('.')[0] == 'rich'))"
    )
    for command in (["tasks"], ["serve"]):
        with anyio.fail_after(60):
            done = await anyio.run_process(
                [sys.executable, "-c", program, *command], input=b"", env=environment(tmp_path)
            )
        assert done.stdout.decode().splitlines()[-1] == "[]"


async def test_the_help_teaches_within_80_columns(tmp_path: Path) -> None:
    for command in ("generate", "image", "view", "join"):
        status, out, _ = await run_cli(tmp_path, command, "--help", COLUMNS="80")
        assert status == 0
        assert f"geekai-video-mcp {command} " in out
        assert max(map(len, out.splitlines())) <= 80


async def test_the_sheet_of_a_video_is_written_where_it_is_wanted(tmp_path: Path) -> None:
    async with stdio(tmp_path) as client:
        asked = {"prompt": "a fox", "size": "320x180", "duration": 1, "fps": 12, "async": False}
        made = structured(await call(client, "generate_video", **asked))
    name = made["task_id"][:8]
    beside = await run_cli(tmp_path, "view", name)
    written = await run_cli(
        tmp_path, "view", name, "--at", "0", "0.5", "-o", str(tmp_path / "s.jpg")
    )
    again = await run_cli(tmp_path, "view", name, "-o", str(tmp_path / "s.jpg"))
    unknown = await run_cli(tmp_path, "view", "ffff00aa")
    wrong = await run_cli(tmp_path, "view", name, "--at", "soon")

    assert beside[0] == 0, beside[2]
    assert Path(beside[1].partition(": ")[2].strip()).read_bytes()[:2] == b"\xff\xd8"
    assert written[0] == 0, written[2]
    assert (tmp_path / "s.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert again[0] == 1
    assert "a file is in its place" in again[2]
    assert unknown[0] == 1
    assert wrong[0] == 2
