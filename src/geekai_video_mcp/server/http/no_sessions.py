"""Streamable HTTP without sessions: what needs one is refused in words, and no client waits for it.

Several servers on one database answer, and any of them may get the next request. So there is no
stream that belongs to a client of an earlier revision, and nothing to end.
"""

from http import HTTPStatus
from typing import Final

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_PATH: Final = "/mcp"
_WHY: Final = (
    "This server keeps no sessions over Streamable HTTP: any of several servers may get the next"
    " request."
)
_REFUSED: Final = {
    "GET": f"{_WHY} It has no stream of events for a client, and sends it no requests. Send each"
    " message by POST: its response has the progress. get_video_task with wait_seconds waits for a"
    " task, and from protocol revision 2026-07-28 on subscriptions/listen tells of changes.",
    "DELETE": f"{_WHY} There is none to end.",
}


class RefuseSessions:
    """Answers 405 to what would open or end a session's stream; passes on everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == _PATH and scope["method"] in _REFUSED:
            content = {
                "error": "method_not_allowed",
                "error_description": _REFUSED[scope["method"]],
            }
            response = JSONResponse(
                content, HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "POST"}
            )
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)
