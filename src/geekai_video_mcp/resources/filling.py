"""What changes while the server runs, filled into answers of the SDK's.

`MCPServer` lists the resources it was built with, gives a completion no way to what the
server works with, and a template one MIME type for good. Its public way to more is a
middleware: the SDK checks the request and frames the answer, and the content comes from here.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, cast

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, Resource

from geekai_video_mcp.app import App
from geekai_video_mcp.config import SANDBOX_URL
from geekai_video_mcp.entries import MP4, WEBM, file_resource, task_resource
from geekai_video_mcp.errors import GeekAIVideoError, TaskNotFound
from geekai_video_mcp.lifecycle import Task
from geekai_video_mcp.resources.completing import complete_argument

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

Answer = dict[str, Any]
Handler = Callable[[App, Mapping[str, Any], Answer], Awaitable[Answer]]

PAGE_SIZE: Final = 25
"""Tasks on a page of the list: with their files, at most 50 entries."""
_EBML: Final = "GkXfo"
"""How a WebM begins, as base64."""


async def fill_dynamic_content(
    ctx: "ServerRequestContext[App, Any]", call_next: "CallNext"
) -> "HandlerResult":
    """The SDK's answer, with what only this server knows."""
    answer = await call_next(ctx)
    fill = _HANDLERS.get(ctx.method)
    if fill is None or not isinstance(answer, dict):
        return answer
    try:
        return await fill(ctx.lifespan_context, ctx.params or {}, answer)
    except TaskNotFound as exc:
        msg = "There is no such page; list from the start."
        raise MCPError(code=INVALID_PARAMS, message=msg) from exc
    except GeekAIVideoError as exc:
        raise MCPError(code=INTERNAL_ERROR, message=exc.message) from exc


async def completion_stub(*_: object) -> None:
    """The SDK's completion handler: it announces completions; the middleware fills them."""


async def _fill_list(app: App, params: Mapping[str, Any], answer: Answer) -> Answer:
    """The tasks, newest first, each followed by its file."""
    before = params.get("cursor")
    if before is not None:
        before = (await app.engine.get_local(before)).id
    found = await app.engine.list_tasks(limit=PAGE_SIZE + 1, before=before)
    page = found[:PAGE_SIZE]
    listed = [resource for task in page for resource in _task_resources(task)]
    following = {"nextCursor": page[-1].id} if len(found) > PAGE_SIZE else {}
    return {**answer, "resources": [*answer["resources"], *listed], **following}


def _task_resources(task: Task) -> list[Answer]:
    sandbox = task.account == SANDBOX_URL
    both = (task_resource(task, sandbox=sandbox), file_resource(task, sandbox=sandbox))
    return [
        Resource(**asdict(one)).model_dump(mode="json", by_alias=True, exclude_none=True)
        for one in both
        if one is not None
    ]


async def _fill_completion(app: App, params: Mapping[str, Any], answer: Answer) -> Answer:
    argument = cast("Mapping[str, str]", params["argument"])
    completion = await complete_argument(app, argument["name"], argument["value"])
    said = completion.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {**answer, "completion": said}


async def _fix_mime_type(_: App, __: Mapping[str, Any], answer: Answer) -> Answer:
    """A video's type by what it is: a template has one type for all."""
    for content in answer["contents"]:
        if content.get("mimeType") == MP4 and content.get("blob", "").startswith(_EBML):
            content["mimeType"] = WEBM
    return answer


_HANDLERS: Final[Mapping[str, Handler]] = {
    "resources/list": _fill_list,
    "resources/read": _fix_mime_type,
    "completion/complete": _fill_completion,
}
