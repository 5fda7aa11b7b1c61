"""Middleware that adds content which changes at run time to the SDK's results.

`MCPServer` lists only the resources that it was built with, gives a completion handler no access
to the lifespan context, and fixes one MIME type per template. A middleware is the public way
around this: the SDK validates the request and builds the result, and this module fills it.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, Resource

from geekai_video_mcp.app import App
from geekai_video_mcp.domain.films import is_preview
from geekai_video_mcp.errors import GeekAIVideoError, TaskNotFound
from geekai_video_mcp.server.file_places import error_for
from geekai_video_mcp.server.resource_links import (
    MP4,
    WEBM,
    describe_resource,
    file_resource,
    task_resource,
)
from geekai_video_mcp.server.resources.completion import complete_argument

if TYPE_CHECKING:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

Result = dict[str, Any]
Handler = Callable[[App, Mapping[str, Any], Result], Awaitable[Result]]

PAGE_SIZE: Final = 25
"""Tasks on one page of the list: at most 50 entries, since each task may have a file."""
_WEBM_START: Final = "GkXfo"
"""The first bytes of a WebM file (EBML), as base64."""


async def fill_dynamic_content(
    ctx: "ServerRequestContext[App, Any]", call_next: "CallNext"
) -> "HandlerResult":
    """Middleware of `FILLED`: the SDK's result with the content that only this server has."""
    result = await call_next(ctx)
    if not isinstance(result, dict):
        return result
    try:
        return await _HANDLERS[ctx.method](ctx.lifespan_context, ctx.params or {}, result)
    except TaskNotFound as exc:
        msg = "This cursor is not valid; list the resources from the start."
        raise MCPError(code=INVALID_PARAMS, message=msg) from exc
    except GeekAIVideoError as exc:
        raise MCPError(
            code=INTERNAL_ERROR, message=error_for(ctx.lifespan_context, exc).message
        ) from exc


async def completion_stub(*_: object) -> None:
    """The completion handler for the SDK: it announces the capability; the middleware fills it."""


async def _fill_list(app: App, params: Mapping[str, Any], result: Result) -> Result:
    """Add the tasks, newest first, each followed by its file."""
    before = params.get("cursor")
    if before is not None:
        before = (await app.engine.get_local(before)).id
    tasks = await app.engine.list_tasks(limit=PAGE_SIZE + 1, before=before)
    page = tasks[:PAGE_SIZE]
    entries = list[Result]()
    for task in page:
        description = describe_resource(task, sandbox=is_preview(task))
        for descriptor in (task_resource(task), file_resource(task)):
            if descriptor is not None:
                resource = Resource(**vars(descriptor), description=description)
                entries.append(resource.model_dump(mode="json", by_alias=True, exclude_none=True))
    next_cursor = {"nextCursor": page[-1].id} if len(tasks) > PAGE_SIZE else {}
    return {**result, "resources": [*result["resources"], *entries], **next_cursor}


async def _fill_completion(app: App, params: Mapping[str, Any], result: Result) -> Result:
    argument = cast("Mapping[str, str]", params["argument"])
    completion = await complete_argument(app, argument["name"], argument["value"])
    content = completion.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {**result, "completion": content}


async def _fix_mime_type(_: App, __: Mapping[str, Any], result: Result) -> Result:
    """Correct the MIME type of a WebM video: a template has one type for all its resources."""
    for content in result["contents"]:
        if content.get("mimeType") == MP4 and content.get("blob", "").startswith(_WEBM_START):
            content["mimeType"] = WEBM
    return result


_HANDLERS: Final[Mapping[str, Handler]] = {
    "resources/list": _fill_list,
    "resources/read": _fix_mime_type,
    "completion/complete": _fill_completion,
}
FILLED: Final = tuple(_HANDLERS)
"""The methods whose results are filled."""
