"""The responses to requests that this server does not serve.

Each has a status, a code for programs, and a description that says what to do. Where the same
request may be served later, Retry-After says in how many seconds.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from mcp_types import INTERNAL_ERROR, INVALID_REQUEST
from starlette.responses import JSONResponse
from starlette.types import Scope

from geekai_video_mcp.server.call_limit import SOON_SECONDS, describe_retry
from geekai_video_mcp.server.jsonrpc import error_response


def build_refusal(
    status_code: int,
    *,
    error: str,
    description: str,
    retry_after: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A refusal in the form of OAuth's errors (RFC 6749, section 5.2).

    *retry_after* is in seconds; without it there is no Retry-After.
    """
    content = {"error": error, "error_description": description}
    return _build_response(content, status_code, retry_after=retry_after, headers=headers)


def build_rpc_refusal(
    status_code: int,
    *,
    message: str,
    code: int = INVALID_REQUEST,
    request_id: int | str | None = None,
    retry_after: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A refusal as a JSON-RPC error: the SDK's client shows the message of no other body.

    *request_id* is None where it has not been read. *retry_after* is in seconds; without it there
    is no Retry-After.
    """
    content = error_response(request_id, code, message)
    return _build_response(content, status_code, retry_after=retry_after, headers=headers)


def build_temporary_refusal(
    scope: Scope, *, status_code: int, error: str, description: str, retry_after: int
) -> JSONResponse:
    """The refusal of a request that may be served after *retry_after* seconds.

    As JSON-RPC to a POST, in the form of OAuth's errors to any other method.
    """
    if scope["method"] != "POST":
        return build_refusal(
            status_code, error=error, description=description, retry_after=retry_after
        )
    return build_rpc_refusal(
        status_code, message=description, code=INTERNAL_ERROR, retry_after=retry_after
    )


def build_overload_refusal(
    scope: Scope,
    *,
    description: str,
    retry_after: int = SOON_SECONDS,
    status_code: HTTPStatus = HTTPStatus.TOO_MANY_REQUESTS,
) -> JSONResponse:
    """The refusal of a request for which there is no room now; nothing of it was begun.

    429 if its sender has reached a limit of its own, 503 if the server has. It may come again after
    *retry_after* seconds, or after one second if those are fewer.
    """
    retry_after = max(1, retry_after)
    return build_temporary_refusal(
        scope,
        status_code=status_code,
        error=status_code.name.lower(),
        description=f"{description} {describe_retry(retry_after)}",
        retry_after=retry_after,
    )


def _build_response(
    content: Mapping[str, Any],
    status_code: int,
    *,
    retry_after: int | None,
    headers: Mapping[str, str] | None,
) -> JSONResponse:
    retry = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return JSONResponse(content, status_code, headers={**(headers or {}), **retry})
