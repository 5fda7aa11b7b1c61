"""One of our tasks as an MCP task.

Every finished task is `completed`, a failed generation included (with `isError`), because
`failed` means a protocol error. No task is `cancelled`, because GeekAI cannot cancel a job: a
cancel request is acknowledged, as the specification requires, and changes nothing. The status
message of every `working` task says so.
"""

from datetime import UTC, datetime
from typing import Any, Final

from mcp.server.context import ServerRequestContext

from geekai_video_mcp import results, views
from geekai_video_mcp.app import App
from geekai_video_mcp.config import SANDBOX_URL
from geekai_video_mcp.errors import MAYBE_CHARGED, NOT_CHARGED
from geekai_video_mcp.lifecycle import Task

Ctx = ServerRequestContext[App, Any]

IDENTIFIER: Final = "io.modelcontextprotocol/tasks"
PROTOCOL_VERSIONS: Final = frozenset({"2026-07-28"})
"""Revisions with this extension; the experimental tasks of earlier ones had another form."""
TASK_TOOLS: Final = frozenset({"generate_video", "generate_image"})
CANNOT_CANCEL: Final = "GeekAI cannot stop a job: cancelled or not, it goes on."


def task_payload(task: Task, app: App) -> dict[str, Any]:
    """The state of *task*, without its result."""
    updates = (task.created_at, task.submitted_at, task.last_polled_at, task.ended_at)
    payload: dict[str, Any] = {
        "taskId": task.id,
        "status": "completed" if task.settled else "working",
        "createdAt": _iso_time(task.created_at),
        "lastUpdatedAt": _iso_time(max(at for at in updates if at is not None)),
        "ttlMs": None,  # unlimited: tasks are never deleted from the ledger
    }
    if not task.settled:
        at, sandbox = app.clock(), task.account == SANDBOX_URL
        charge_note = NOT_CHARGED if sandbox else MAYBE_CHARGED
        poll_after = views.video_task(task, at=at, sandbox=sandbox).poll_after_seconds or 1
        payload["statusMessage"] = (
            f"{views.progress_text(task, at=at)}. {CANNOT_CANCEL} {charge_note}"
        )
        payload["pollIntervalMs"] = 1000 * poll_after
    return payload


async def build_detailed_payload(task: Task, app: App) -> dict[str, Any]:
    """Return the state of *task*; if it is finished, with the result of get_video_task."""
    if not task.settled:
        return task_payload(task, app)
    result = await results.task_result(app, task, preview="frames")
    content = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {**task_payload(task, app), "result": {"resultType": "complete", **content}}


def _iso_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
