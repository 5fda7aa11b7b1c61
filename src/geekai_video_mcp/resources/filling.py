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

from geekai_video_mcp.config import SANDBOX_URL
from geekai_video_mcp.entries import MP4, WEBM, file_resource, task_resource
from geekai_video_mcp.errors import GeekAIVideoError, TaskNotFound
from geekai_video_mcp.resources.completing import complete_argument
from geekai_video_mcp.tools import App

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

Result = dict[str, Any]
Handler = Callable[[App, Mapping[str, Any], Result], Awaitable[Result]]

PAGE_SIZE: Final = 25
"""Tasks on a page of the list: with their files, at most 50 entries."""
_WEBM_START: Final = "GkXfo"
"""How a WebM begins, as base64."""


async def fill_dynamic_content(
    ctx: "ServerRequestContext[App, Any]", call_next: "CallNext"
) -> "HandlerResult":
    """The SDK's result, with what only this server knows."""
    result = await call_next(ctx)
    handler = _HANDLERS.get(ctx.method)
    if handler is None or not isinstance(result, dict):
        return result
    try:
        return await handler(ctx.lifespan_context, ctx.params or {}, result)
    except TaskNotFound as exc:
        msg = "There is no such page; list from the start."
        raise MCPError(code=INVALID_PARAMS, message=msg) from exc
    except GeekAIVideoError as exc:
        raise MCPError(code=INTERNAL_ERROR, message=exc.message) from exc


async def completion_stub(*_: object) -> None:
    """The SDK's completion handler: it announces completions; the middleware fills them."""


async def _fill_list(app: App, params: Mapping[str, Any], result: Result) -> Result:
    """The tasks, newest first, each followed by its file."""
    before = params.get("cursor")
    if before is not None:
        before = (await app.engine.get_local(before)).id
    tasks = await app.engine.list_tasks(limit=PAGE_SIZE + 1, before=before)
    page = tasks[:PAGE_SIZE]
    entries = list[Result]()
    for task in page:
        sandbox = task.account == SANDBOX_URL
        for descriptor in (
            task_resource(task, sandbox=sandbox),
            file_resource(task, sandbox=sandbox),
        ):
            if descriptor is not None:
                resource = Resource(**asdict(descriptor))
                entries.append(resource.model_dump(mode="json", by_alias=True, exclude_none=True))
    next_cursor = {"nextCursor": page[-1].id} if len(tasks) > PAGE_SIZE else {}
    return {**result, "resources": [*result["resources"], *entries], **next_cursor}


async def _fill_completion(app: App, params: Mapping[str, Any], result: Result) -> Result:
    argument = cast("Mapping[str, str]", params["argument"])
    completion = await complete_argument(app, argument["name"], argument["value"])
    content = completion.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {**result, "completion": content}


async def _fix_mime_type(_: App, __: Mapping[str, Any], result: Result) -> Result:
    """A video's type by what it is: a template has one type for all."""
    for content in result["contents"]:
        if content.get("mimeType") == MP4 and content.get("blob", "").startswith(_WEBM_START):
            content["mimeType"] = WEBM
    return result


_HANDLERS: Final[Mapping[str, Handler]] = {
    "resources/list": _fill_list,
    "resources/read": _fix_mime_type,
    "completion/complete": _fill_completion,
}
