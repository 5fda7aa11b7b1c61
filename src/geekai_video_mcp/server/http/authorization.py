"""Who may call: the bearer token of a request, and the response to a request without one.

`RequireToken` knows nothing of where tokens come from; any `TokenVerifier` of the SDK will do. The
SDK's own middleware is repeated around it, because its responses say too little.
"""

import logging
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import anyio
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser, BearerAuthBackend
from mcp.server.auth.provider import TokenVerifier
from mcp.server.auth.settings import AuthSettings
from starlette.authentication import AuthCredentials
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geekai_video_mcp.server.call_limit import SOON_SECONDS
from geekai_video_mcp.server.http.file_links import READ_METHODS, is_file_request
from geekai_video_mcp.server.http.protected_resource import challenge_members, required_scopes
from geekai_video_mcp.server.http.refusals import build_refusal
from geekai_video_mcp.server.http.verifiers import TokenRefused, VerifierUnavailable

logger = logging.getLogger(__name__)

REALM: Final = "geekai-video-mcp"
TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""What a bearer token consists of; RFC 6750, section 2.1."""
_CREDENTIALS: Final = re.compile(rf"bearer +({TOKEN.pattern})", re.IGNORECASE)
_PROBES: Final = frozenset({"/health", "/ready"})
"""What a platform requests, which has no token."""
RECHECK_SECONDS: Final = 15.0
"""Seconds after which the token of a request that is still open is verified once more."""
HOW_TO: Final = (
    "Send the header Authorization: Bearer TOKEN. The server's operator makes a token for you with"
    " geekai-video-mcp tokens add NAME; the command geekai-video-mcp token, run on the server's"
    " machine by the user who runs the server, prints the operator's own and a host's"
    " configuration with it."
)


class RequireToken:
    """Passes on requests with a valid token; whose it is stands in the scope's `user`.

    *auth* is given where the tokens of an authorisation server are accepted: a token needs its
    scopes then, and a challenge names it.
    """

    def __init__(self, app: ASGIApp, *, verifier: TokenVerifier, auth: AuthSettings | None) -> None:
        self._public_app = app
        self._app = AuthContextMiddleware(app)
        self._auth = auth
        resource = auth.resource_server_url if auth and auth.validate_token_resource else None
        self._backend = BearerAuthBackend(verifier, resource_server_url=resource)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_public(scope):
            await self._public_app(scope, receive, send)
            return
        reason, found = "it is unknown", None
        try:
            found = await self._authenticate(scope)
        except TokenRefused as exc:
            reason = str(exc)
        except VerifierUnavailable as exc:
            logger.warning("refused a request whose token cannot be checked: %s", exc)
            await _build_verifier_refusal()(scope, receive, send)
            return
        if found is None:
            given = bool(Headers(scope=scope).getlist("authorization"))
            if given:
                logger.warning("refused a request with a wrong token: %s", reason)
            else:
                logger.warning("refused a request without a token")
            await self._build_token_refusal(scope, given=given)(scope, receive, send)
            return
        scope["auth"], scope["user"] = found
        if not set(required_scopes(self._auth)) <= set(found[0].scopes):
            logger.warning("refused a request whose token lacks a scope of GEEKAI_OAUTH_SCOPES")
            await self._build_scope_refusal(scope)(scope, receive, send)
            return
        stream = _OpenResponse(receive, send, partial(self._has_ended, scope))
        await self._app(scope, stream.receive, stream.send)
        await stream.finish()

    async def _has_ended(self, scope: Scope) -> bool:
        """Whether the token of a request that was let in is no longer valid."""
        try:
            return await self._authenticate(scope) is None
        except TokenRefused:
            return True
        except VerifierUnavailable:
            return False

    async def _authenticate(self, scope: Scope) -> tuple[AuthCredentials, AuthenticatedUser] | None:
        headers = Headers(scope=scope).getlist("authorization")
        given = _CREDENTIALS.fullmatch(headers[0]) if len(headers) == 1 else None
        if given is None:
            return None
        # The SDK's backend takes a single space, and the first of several headers.
        header = (b"authorization", f"Bearer {given[1]}".encode())
        return await self._backend.authenticate(HTTPConnection({**scope, "headers": [header]}))

    def _build_token_refusal(self, scope: Scope, *, given: bool) -> Response:
        if given:
            error = "invalid_token"
            problem = (
                "The token is wrong, has expired or was revoked, or is meant for another server."
            )
        else:
            error, problem = "unauthorized", "This server can spend money and requires a token."
        how_to = f"Log in, or: {HOW_TO}" if self._auth else HOW_TO
        return build_refusal(
            401,
            error=error,
            description=f"{problem} {how_to}",
            headers={"WWW-Authenticate": self._build_challenge(scope, error if given else None)},
        )

    def _build_scope_refusal(self, scope: Scope) -> Response:
        required = " ".join(required_scopes(self._auth))
        error = "insufficient_scope"
        return build_refusal(
            403,
            error=error,
            description=f"The token needs the scope {required}. Log in again with it.",
            headers={"WWW-Authenticate": self._build_challenge(scope, error)},
        )

    def _build_challenge(self, scope: Scope, error: str | None) -> str:
        members = {"realm": REALM} | ({"error": error} if error else {})
        if self._auth is not None:
            members |= challenge_members(self._auth, scope["path"])
        return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in members.items())


class _OpenResponse:
    """A response that ends with the token: a stream would go on after the token was revoked."""

    def __init__(
        self, receive: Receive, send: Send, has_ended: Callable[[], Awaitable[bool]]
    ) -> None:
        self._receive = receive
        self._send = send
        self._has_ended = has_ended
        self._ended = False
        self._is_open = False
        """Whether the response has begun and is not complete."""

    async def receive(self) -> Message:
        while not self._ended:
            with anyio.move_on_after(RECHECK_SECONDS):
                return await self._receive()
            self._ended = await self._has_ended()
        logger.warning("ended a stream whose token has expired or was revoked")
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self._ended and self._is_open:
            return  # for the application, the client is gone
        self._is_open = message["type"] == "http.response.start" or message.get("more_body", False)
        await self._send(message)

    async def finish(self) -> None:
        """Complete the response, as the application does not for a client that is gone."""
        if self._ended and self._is_open:
            await self._send({"type": "http.response.body", "body": b""})


def _build_verifier_refusal() -> Response:
    return build_refusal(
        503,
        error="temporarily_unavailable",
        description="The token cannot be checked at present. Nothing is wrong with the request:"
        " send it again in a few seconds. The server's log says more.",
        retry_after=SOON_SECONDS,
    )


def is_public(scope: Scope) -> bool:
    """Whether the request needs no token.

    Without OAuth /.well-known/ is empty, and has to say so with 404: a client that gets 401 there
    as well reports that its OAuth login failed, and not that the header is missing. Under /files/
    the signature of the link is the permission.
    """
    if is_file_request(scope):
        return True
    path: str = scope["path"]
    is_listed = path in _PROBES or path.startswith("/.well-known/")
    return scope["method"] in READ_METHODS and is_listed
