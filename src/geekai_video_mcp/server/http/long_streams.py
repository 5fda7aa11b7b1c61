"""Ends a stream whose token has been revoked or has expired since it was opened.

A token is checked when a request comes. A stream of notifications may go on for days after that.
"""

import logging
from typing import Final

import anyio
from mcp.server.auth.provider import TokenVerifier
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from geekai_video_mcp.server.http.verifiers import VerifierUnavailable

logger = logging.getLogger(__name__)

FIRST_CHECK: Final = 90.0
"""Seconds after which the token of a response that goes on is checked again. Every call is answered
before that: what a client has paid for is never withheld."""
CHECK_INTERVAL: Final = 10.0
"""Seconds between checks after that; there is one before each message that is due."""


class EndRevokedStreams:
    """Checks the token of a response that goes on, before it sends more of it."""

    def __init__(self, app: ASGIApp, *, verifier: TokenVerifier) -> None:
        self._app = app
        self._verifier = verifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope.get("user") is None:
            await self._app(scope, receive, send)
            return
        check_at = anyio.current_time() + FIRST_CHECK
        with anyio.CancelScope() as response:

            async def send_while_valid(message: Message) -> None:
                nonlocal check_at
                if message["type"] == "http.response.body" and anyio.current_time() >= check_at:
                    check_at = anyio.current_time() + CHECK_INTERVAL
                    if not await self._is_valid(scope):
                        logger.warning("ended a stream whose token is no longer valid")
                        await send({"type": "http.response.body", "body": b"", "more_body": False})
                        response.cancel()
                        await anyio.lowlevel.checkpoint()
                await send(message)

            await self._app(scope, receive, send_while_valid)

    async def _is_valid(self, scope: Scope) -> bool:
        token = Headers(scope=scope)["authorization"].split()[-1]
        try:
            access = await self._verifier.verify_token(token)
        except VerifierUnavailable:
            return True  # nobody knows that it is not
        user = scope["user"]
        return (
            access is not None
            and access.client_id == user.access_token.client_id
            and (access.claims == user.access_token.claims)
        )
