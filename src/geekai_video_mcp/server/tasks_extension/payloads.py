"""One of our tasks as an MCP task.

Every finished task is `completed`, a failed generation included (with `isError`), because
`failed` means a protocol error. No task is `cancelled`, because GeekAI cannot cancel a job: a
cancel request is acknowledged, as the specification requires, and changes nothing. The status
message of every `working` task says so.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from mcp.server.context import ServerRequestContext

from geekai_video_mcp.app import App
from geekai_video_mcp.domain import catalogue
from geekai_video_mcp.domain.lifecycle import poll_due
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import (
    Media,
    Task,
)
from geekai_video_mcp.errors import NOT_CHARGED, RequestRefused
from geekai_video_mcp.server import results, views

Ctx = ServerRequestContext[App, Any]

PROTOCOL_VERSIONS: Final = frozenset({"2026-07-28"})
"""Revisions with this extension; the experimental tasks of earlier ones had another form."""
FOLLOW_UP: Final = "get_video_task with this taskId shows it as well."


def task_payload(task: Task, app: App, *, warnings: Sequence[str] = ()) -> dict[str, Any]:
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
        payload["statusMessage"] = _status_message(task, app, warnings)
        payload["pollIntervalMs"] = 1000 * _poll_interval(task, at=app.clock())
    return payload


def _status_message(task: Task, app: App, warnings: Sequence[str]) -> str:
    report = results.make_report(app, task, warnings or stored_warnings(task, app.checks))
    money = NOT_CHARGED if task.status is Status.WAITING else report.money
    service = [f"{report.service} cannot stop a job: cancelled or not, it goes on.", money]
    if report.is_film:
        service = ["Cancelled or not, it goes on."]
    sentences = [
        f"{views.progress_text(task, at=report.at)}.",
        *service,
        *views.warning_sentences(report.warnings),
        FOLLOW_UP,
    ]
    return " ".join(sentences)


def _poll_interval(task: Task, *, at: float) -> int:
    """Whole seconds until this server has polled GeekAI again."""
    if task.next_poll_at is None or poll_due(task, at=at):
        return 1
    return 1 + round(task.next_poll_at - at)


def stored_warnings(task: Task, checks: catalogue.Checks) -> tuple[str, ...]:
    """The warnings about the request of *task*, as it was sent.

    They are recomputed, because no state of this extension may outlive a call.
    """
    if not task.request.get("model") or not task.request.get("prompt"):
        return ()  # made elsewhere
    if task.media is Media.IMAGE:
        return catalogue.with_general_warnings(task.request).warnings
    try:
        return catalogue.check_request(task.request, checks=checks).warnings
    except RequestRefused:  # the catalogue has changed since
        return catalogue.with_general_warnings(task.request).warnings


async def build_detailed_payload(task: Task, ctx: Ctx) -> dict[str, Any]:
    """Return the state of *task*; if it is finished, with the result of get_video_task."""
    app = ctx.lifespan_context
    if not task.settled:
        return task_payload(task, app)
    warnings = stored_warnings(task, app.checks)
    result = await results.task_result(app, task, ctx, view="frames", warnings=warnings)
    result = results.with_notice(result, app.notice)
    content = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {**task_payload(task, app), "result": {"resultType": "complete", **content}}


def _iso_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
