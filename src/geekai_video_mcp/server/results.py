"""A task as a tool result, which resources and the Tasks extension show as well."""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal, NamedTuple, Protocol

import anyio
from mcp.server.session import ServerSession
from mcp_types import CallToolResult, ImageContent, ResourceLink, TextContent
from pydantic import BaseModel

from geekai_video_mcp.app import App
from geekai_video_mcp.domain.films import LOCAL_ACCOUNT, is_preview
from geekai_video_mcp.domain.tasks import (
    Media,
    Task,
)
from geekai_video_mcp.engine.exceptions import log_exception
from geekai_video_mcp.errors import FileElsewhere
from geekai_video_mcp.server import views
from geekai_video_mcp.server.file_places import link_to_file, place_of_picture
from geekai_video_mcp.server.pictures import (
    RenderedView,
    View,
    client_name,
    render_view,
    shows_pictures,
)
from geekai_video_mcp.server.resource_links import file_resource, task_resource

FILE_WAIT_SECONDS: Final = 5.0
"""Seconds that a result waits for a file that another machine has stored."""
ViewChoice = View | Literal["none"]
"""What `get_video_task` takes as `view`."""


class HasSession(Protocol):
    """A context of the SDK."""

    @property
    def session(self) -> ServerSession:
        """Who called; slow to read, so it is read where it is needed."""
        ...


class Request(NamedTuple):
    """What the result of a request reports beside its task."""

    deduplicated: bool
    sent: Mapping[str, Any]
    """The settings that were sent."""


def text_result(view: BaseModel, text: str, *, failed: bool = False) -> CallToolResult:
    """A tool's result in both forms: *view* as structure, *text* for a model that reads text."""
    return structured_result(dump(view), text, failed=failed)


def dump(view: BaseModel) -> dict[str, Any]:
    """The structure of *view*, whose next step comes last, as in the text."""
    structure = view.model_dump(mode="json", exclude_none=True)
    if "next_step" in structure:
        structure["next_step"] = structure.pop("next_step")
    return structure


def structured_result(
    structure: dict[str, Any], text: str, *, failed: bool, link: ResourceLink | None = None
) -> CallToolResult:
    """A tool's result in both forms."""
    return CallToolResult(
        content=[TextContent(text=text), *([link] if link else [])],
        structured_content=structure,
        is_error=failed,
    )


def with_notice(result: CallToolResult, notice: str | None) -> CallToolResult:
    """*result* with what the operator has to know in both forms: before its text, as a warning."""
    if notice is None:
        return result
    structure = result.structured_content
    if structure is not None:
        step = {"next_step": structure.pop("next_step")} if "next_step" in structure else {}
        warnings = [*structure.get("warnings", ()), notice]
        result.structured_content = {**structure, "warnings": warnings, **step}
    first = next((one for one in result.content if isinstance(one, TextContent)), None)
    if first is not None:
        first.text = f"{notice}\n{first.text}"
    return result


def make_report(app: App, task: Task, warnings: Sequence[str] = ()) -> views.TaskReport:
    """The report about *task* as it is now."""
    return views.TaskReport(
        task=task,
        at=app.clock(),
        # Decided by the task, not by the server: one ledger may hold previews and paid videos.
        sandbox=is_preview(task),
        same_account=task.account in {app.engine.account, LOCAL_ACCOUNT},
        warnings=(*warnings, *(task.result.notes if task.result else ())),
        remote=app.remote,
        linked_file=link_to_file(app, task),
    )


def task_view(app: App, task: Task) -> views.VideoTask:
    """*task* as `get_video_task` shows it now."""
    return views.video_task(make_report(app, task))


async def task_result(
    app: App,
    task: Task,
    ctx: "HasSession",
    *,
    view: ViewChoice,
    warnings: Sequence[str] = (),
    request: Request | None = None,
    picture_deadline: float = math.inf,
) -> CallToolResult:
    """*task* as a tool result, with a picture of what it made if there is a file and *view*.

    *request* is given where the call itself was a request. *picture_deadline*, on anyio's clock,
    is when the result leaves at the latest, if need be without a picture.
    """
    report, jpeg = make_report(app, task, (*warnings, *views.ignored_fields(task))), None
    if view != "none" and report.stored:
        with anyio.CancelScope(deadline=picture_deadline):
            rendered = await _render(app, task, view)
            if rendered is not None:
                attached = shows_pictures(client_name(ctx.session), app.preview)
                report, jpeg = _with_picture(app, report, rendered, view=view, attached=attached)
    if request is not None:
        report = replace(report, sent=request.sent, deduplicated=request.deduplicated)
    structure = views.task_structure(report) if request is None else request_structure(report)
    text, link = views.task_text(report, structure["next_step"]), resource_link(task)
    result = structured_result(structure, text, failed=report.failed, link=link)
    if jpeg is not None:
        result.content.append(ImageContent(data=jpeg, mime_type="image/jpeg"))
    return result


async def report_request(
    app: App, task: Task, *, warnings: Sequence[str], request: Request
) -> views.TaskReport:
    """The report that the result of a request holds, for a person who opens pictures by path."""
    report = make_report(app, task, (*warnings, *views.ignored_fields(task)))
    rendered = await _render(app, task, "frames") if report.stored else None
    if rendered is not None:
        report, _ = _with_picture(app, report, rendered, view="frames", attached=False)
    return replace(report, sent=request.sent, deduplicated=request.deduplicated)


def request_structure(report: views.TaskReport) -> dict[str, Any]:
    """The structured result of a request, as JSON."""
    return dump(views.film_result(report) if report.is_film else views.generation_result(report))


async def _render(app: App, task: Task, view: View) -> RenderedView | None:
    try:
        here = await app.engine.locate_file(task, wait_seconds=FILE_WAIT_SECONDS)
        return await render_view(app, [here], view=view)
    except FileElsewhere:
        return None  # `view_video` says why
    except Exception as exc:  # noqa: BLE001 - without a picture, the caller still gets the task
        log_exception(render_view, exc)
        return None


def _with_picture(
    app: App,
    report: views.TaskReport,
    rendered: RenderedView,
    *,
    view: View,
    attached: bool,
) -> tuple[views.TaskReport, str | None]:
    """The report with its picture, and the picture as base64 if it is *attached*."""
    kind = "contact sheet" if view == "frames" else "cover"
    if report.task.media is Media.IMAGE:
        kind = "picture"
    place = place_of_picture(app, report.task, rendered.path) if rendered.path else None
    if not attached and place is None:
        return report, None
    picture = views.Picture(kind=kind, attached=attached, path=place and place.text)
    jpeg = base64.b64encode(rendered.jpeg).decode() if attached else None
    return replace(report, picture=picture), jpeg


def several_result(entries: Sequence[views.Entry], *, until: str) -> CallToolResult:
    """Several tasks as a tool result; an error only if every one has failed."""
    structure = views.several_tasks(entries, until=until)
    text = views.several_tasks_text(entries, structure)
    return text_result(structure, text, failed=views.all_failed(entries))


def bare_result(task: Task) -> CallToolResult:
    """The id of a task, after an unexpected error: it is all that leads to what may be paid for."""
    step = f'Call get_video_task with task_id "{task.id}". Do not send the request again.'
    text = f"The request is recorded as task {task.id}, which cannot be described now. {step}"
    return text_result(views.Generation(task_id=task.id, next_step=step), text)


def resource_link(task: Task) -> ResourceLink:
    """A link to the task's file, or to the task while there is none."""
    linked = file_resource(task) or task_resource(task)
    # Without a description, and without a title beside the name: the result around it says both,
    # and every word costs tokens.
    return ResourceLink(
        uri=linked.uri,
        name=linked.name,
        mime_type=linked.mime_type,
        size=linked.size,
        annotations=linked.annotations,
    )
