"""The answer to a request that comes at a bad time: nothing of it was begun, and it may come again.

429 if its sender has reached a limit of its own, 503 if the server has.
"""

from http import HTTPStatus
from typing import Final

from mcp_types import INTERNAL_ERROR
from starlette.responses import JSONResponse
from starlette.types import Scope

from geekai_video_mcp.server.jsonrpc import error_response

SOON_SECONDS: Final = 5
"""What Retry-After says where nobody knows when something else ends."""


def retry_later(
    scope: Scope,
    description: str,
    *,
    retry_after: int = SOON_SECONDS,
    status_code: int = HTTPStatus.TOO_MANY_REQUESTS,
) -> JSONResponse:
    """As JSON-RPC to a POST: the SDK's client shows the message of no other body."""
    retry_after = max(1, retry_after)
    seconds = "second" if retry_after == 1 else "seconds"
    text = f"{description} This request was not begun: send it again in {retry_after} {seconds}."
    content = (
        error_response(None, INTERNAL_ERROR, text)
        if scope["method"] == "POST"
        else {"error": HTTPStatus(status_code).name.lower(), "error_description": text}
    )
    return JSONResponse(content, status_code, headers={"Retry-After": str(retry_after)})
