"""A task as a tool result, which resources and the Tasks extension show as well."""

import base64
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Literal

from mcp_types import CallToolResult, ImageContent, ResourceLink, TextContent
from pydantic import BaseModel

from geekai_video_mcp.app import App
from geekai_video_mcp.config import SANDBOX_URL
from geekai_video_mcp.domain.lifecycle import Task
from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.errors import GeekAIVideoError
from geekai_video_mcp.server import views
from geekai_video_mcp.server.pictures import render_view
from geekai_video_mcp.server.resource_links import file_resource, task_resource

PreviewChoice = Literal["none", "cover", "frames"]
"""What `get_video_task` takes as `preview`."""


def text_result(
    view: BaseModel, text: str, *, failed: bool = False, link: ResourceLink | None = None
) -> CallToolResult:
    """A tool's result in both forms: *view* as structure, *text* for a model that reads text."""
    return CallToolResult(
        content=[TextContent(text=text), *([link] if link else [])],
        structured_content=view.model_dump(mode="json", exclude_none=True),
        is_error=failed,
    )


def task_view(app: App, task: Task) -> views.VideoTask:
    """*task* as `get_video_task` shows it now."""
    # Decided by the task, not by the server: one ledger may hold previews and paid videos.
    sandbox = task.account == SANDBOX_URL
    same_account = task.account == app.engine.account
    return views.video_task(task, at=app.clock(), sandbox=sandbox, same_account=same_account)


async def task_result(app: App, task: Task, *, preview: PreviewChoice) -> CallToolResult:
    """*task* as a tool result, with a picture of what it made if there is a file and *preview*."""
    text = views.task_text(
        task,
        at=app.clock(),
        sandbox=task.account == SANDBOX_URL,
        same_account=task.account == app.engine.account,
    )
    result = text_result(
        task_view(app, task), text, failed=views.is_failure(task), link=resource_link(task)
    )
    if preview != "none" and task.file_status is FileStatus.STORED:
        rendered = await render_view(app, [task], view=preview)
        if rendered is not None:
            data = base64.b64encode(rendered.jpeg).decode()
            result.content.append(ImageContent(data=data, mime_type="image/jpeg"))
    return result


def resource_link(task: Task) -> ResourceLink:
    """A link to the task's file, or to the task while there is none."""
    sandbox = task.account == SANDBOX_URL
    linked = file_resource(task, sandbox=sandbox) or task_resource(task, sandbox=sandbox)
    # The result around it already describes the task, and every word costs tokens.
    return ResourceLink(**asdict(replace(linked, description=None)))


async def mark_delivered(app: App, task: Task) -> None:
    """Record that a caller got the final result of the task, if it has ended."""
    with suppress(GeekAIVideoError):  # if this fails, a repeated request returns the task again
        await app.engine.mark_delivered(task)
