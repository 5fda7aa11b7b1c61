"""A status call shows what any process has recorded before it, without waiting for anything."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from geekai_video_mcp.config import SANDBOX_URL
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import Task
from support.ledgers import open_ledger
from support.process import running_server

TASK_ID = "0123abcd" * 4
AN_HOUR = 3600.0


async def test_a_status_call_shows_at_once_what_another_process_has_recorded(
    tmp_path: Path,
) -> None:
    async with open_ledger(tmp_path / "state") as ledger, running_server(tmp_path) as server:
        read = partial(server.call, "get_video_task", wait_seconds=0, view="none")
        unknown = await read(task_id=TASK_ID)
        await ledger.add(
            Task(
                id=TASK_ID,
                created_at=0.0,
                account=SANDBOX_URL,
                model="cogvideox-flash",
                status=Status.FAILED,
                ended_at=AN_HOUR,
            )
        )
        shown: list[str] = []
        for number in range(20):
            change = partial(replace, error_message=f"take {number}", delivered_at=AN_HOUR)
            await ledger.change(TASK_ID, change)
            found = await read(task_id=TASK_ID[:8] if number % 2 else TASK_ID)
            shown.append(found["structuredContent"]["error"]["message"])

    assert unknown["isError"]
    assert [message.split('"')[1] for message in shown] == [f"take {n}" for n in range(20)]
