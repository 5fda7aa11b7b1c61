"""Who may call: the bearer token of a request, and the answer to a request without one.

`RequireToken` knows nothing of where tokens come from; any `TokenVerifier` of the SDK will do.
"""

import hmac
import logging
import re
from typing import Final

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken, TokenVerifier
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

logger = logging.getLogger(__name__)

REALM: Final = "geekai-video-mcp"
TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""What a bearer token consists of; RFC 6750, section 2.1."""
_CREDENTIALS: Final = re.compile(rf"bearer +({TOKEN.pattern})", re.IGNORECASE)
_READS: Final = frozenset({"GET", "HEAD"})
HOW_TO: Final = (
    "Send the header Authorization: Bearer TOKEN. The command geekai-video-mcp token, run on the"
    " server's machine by the user who runs the server, prints the token and a host's"
    " configuration with it."
)


class LocalTokenVerifier:
    """Accepts the one token of the user who runs this server."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    async def verify_token(self, token: str) -> AccessToken | None:
        if not hmac.compare_digest(token.encode(), self._token):
            return None
        # Without the token itself: what is in a request may be logged.
        return AccessToken(token="", client_id="local", scopes=[])


class RequireToken:
    """Passes on requests with a valid token; whose it is stands in the scope's `user`."""

    def __init__(self, app: ASGIApp, *, verifier: TokenVerifier) -> None:
        self._app = app
        self._verifier = verifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_public(scope):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope).getlist("authorization")
        found = _CREDENTIALS.fullmatch(headers[0]) if len(headers) == 1 else None
        access = await self._verifier.verify_token(found[1]) if found else None
        if access is None:
            await _unauthorized(given=bool(headers))(scope, receive, send)
            return
        scope["user"] = AuthenticatedUser(access)
        await self._app(scope, receive, send)


def _is_public(scope: Scope) -> bool:
    """Whether the request needs no token.

    /.well-known/ is empty, and has to say so with 404: a client that gets 401 there as well
    reports that its OAuth login failed, and not that the header is missing.
    """
    path: str = scope["path"]
    return scope["method"] in _READS and (path == "/health" or path.startswith("/.well-known/"))


def _unauthorized(*, given: bool) -> JSONResponse:
    challenge = f'Bearer realm="{REALM}"'
    if given:
        logger.warning("refused a request with a wrong token")
        error, problem = "invalid_token", "The token is not the one of this server."
        challenge += f', error="{error}"'
    else:
        logger.warning("refused a request without a token")
        error, problem = "unauthorized", "This server can spend money and requires a token."
    return JSONResponse(
        {"error": error, "error_description": f"{problem} {HOW_TO}"},
        status_code=401,
        headers={"WWW-Authenticate": challenge},
    )
