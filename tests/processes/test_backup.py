"""A copy of the ledger, taken while a server uses it, and a server that goes on from the copy."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import anyio
import httpx
import pytest

from support.process import SERVE, http_client, http_server, run_cli, token_header
from support.provider import HELD_PREFIX, running_provider
from support.world import call, structured


def tasks_in(path: Path) -> dict[str, str]:
    """The status of every task, by its prompt."""
    with closing(sqlite3.connect(path)) as ledger:
        return dict(ledger.execute("SELECT request ->> 'prompt', status FROM task"))


async def test_a_backup_under_load_has_every_task_that_was_answered_before(
    tmp_path: Path,
) -> None:
    answered: list[str] = []
    copies: list[tuple[Path, list[str], int]] = []
    begun = anyio.Event()
    async with (
        running_provider() as service,
        http_server(tmp_path, *SERVE, **service.settings, **UNCAPPED) as origin,
        http_client(f"{origin}/mcp", headers=token_header(tmp_path)) as client,
        anyio.create_task_group() as load,
    ):

        async def submit() -> None:
            while True:
                prompt = f"fox {len(answered)}"
                await call(client, "generate_video", prompt=prompt)
                answered.append(prompt)
                begun.set()

        load.start_soon(submit)
        await begun.wait()
        for number in range(3):
            before, path = list(answered), tmp_path / f"copy{number}.sqlite3"
            status, out, err = await run_cli(tmp_path, "tasks", "backup", str(path))
            assert (status, err) == (0, ""), err
            assert str(path) in out
            copies.append((path, before, len(answered)))
        load.cancel_scope.cancel()

    for path, before, _ in copies:
        assert set(before) <= set(tasks_in(path))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert copies[-1][2] > copies[0][2] > 0
    assert not list(tmp_path.glob(".*.part"))


async def test_a_restored_backup_sends_nothing_that_may_have_been_sent_since(
    tmp_path: Path,
) -> None:
    copy = tmp_path / "copy.sqlite3"
    async with running_provider() as service:
        async with (
            http_server(tmp_path, *SERVE, **service.settings) as origin,
            http_client(f"{origin}/mcp", headers=token_header(tmp_path)) as client,
        ):
            first = structured(await call(client, "generate_video", prompt=f"{HELD_PREFIX} one"))
            await call(
                client,
                "generate_video",
                prompt="two",
                image=f"task:{first['task_id']}",
                model="cogvideox-3",
            )
            _, out, _ = await run_cli(tmp_path, "tasks", "backup", str(copy))
        restored = tmp_path / "restored"
        (restored / "state").mkdir(parents=True, mode=0o700)
        copy.rename(restored / "state" / "ledger.sqlite3")
        async with (
            http_server(restored, *SERVE, **service.settings) as origin,
            http_client(f"{origin}/mcp", headers=token_header(restored)) as client,
        ):
            again = await call(client, "get_video_task", task_id=first["task_id"])
        sent = list(service.prompts)

    assert "1 task was not sent yet" in out
    assert tasks_in(tmp_path / "state" / "ledger.sqlite3")["two"] == "waiting"
    assert tasks_in(restored / "state" / "ledger.sqlite3")["two"] == "unknown"
    assert structured(again)["task_status"] in {"pending", "running"}
    assert sent == [f"{HELD_PREFIX} one"]


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("no ledger", "there is no task database yet"),
        ("a file in its place", "a file is in its place, which is never replaced"),
        ("no folder", "its folder does not exist"),
    ],
)
async def test_a_backup_that_cannot_be_made_says_why(tmp_path: Path, what: str, why: str) -> None:
    target = tmp_path / "copy.sqlite3"
    if what != "no ledger":
        async with http_server(tmp_path, *SERVE) as origin, httpx.AsyncClient() as client:
            await client.get(f"{origin}/health")  # once that is answered, there is a ledger
    if what == "a file in its place":
        target.write_text("mine", "utf-8")
    if what == "no folder":
        target = tmp_path / "nowhere" / "copy.sqlite3"
    status, out, err = await run_cli(tmp_path, "tasks", "backup", str(target))

    assert (status, out) == (1, "")
    assert f"could not be written: {why}. Nothing was changed." in err
    assert "Traceback" not in err


UNCAPPED = {
    "GEEKAI_MAX_VIDEOS_PER_DAY": "100000",
    "GEEKAI_MAX_IN_FLIGHT": "100000",
    "GEEKAI_MAX_CALLS_PER_MINUTE": "100000",
}
