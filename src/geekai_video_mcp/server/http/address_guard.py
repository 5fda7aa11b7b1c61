"""Refuses what other names and foreign web pages address to this server.

It decides by the headers alone, so a refused request holds no memory for its body.
"""

import logging

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from geekai_video_mcp.quoting import quote
from geekai_video_mcp.server.http.addresses import TrustedAddresses
from geekai_video_mcp.server.http.file_links import is_file_request
from geekai_video_mcp.server.http.refusals import build_refusal

logger = logging.getLogger(__name__)


class AddressGuard:
    """Passes on requests whose Host and Origin are trusted, and whose target is a path."""

    def __init__(self, app: ASGIApp, *, trusted: TrustedAddresses) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        refusal = self._find_refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _find_refusal(self, scope: Scope) -> JSONResponse | None:
        """The refusal of a request that is not to be served; None for the others."""
        headers = Headers(scope=scope)
        if not scope.get("raw_path", b"/").startswith(b"/"):
            logger.warning("refused a request whose target is not a path, as to a proxy")
            return build_refusal(
                400, error="bad_target", description="The request target must be a path."
            )
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._trusted.trust_host(hosts[0]):
            logger.warning("refused a request to the host %s", quote(", ".join(hosts), limit=80))
            return build_refusal(
                421,
                error="host_not_allowed",
                description="This server does not serve the name in the Host header. Use the"
                " address that it printed when it started, such as http://127.0.0.1:8765, or have"
                " its operator add the name to GEEKAI_ALLOWED_HOSTS.",
            )
        origins = headers.getlist("origin")
        if not all(map(self._trusted.trust_origin, origins)) or len(origins) > 1:
            logger.warning("refused a web page of %s", quote(", ".join(origins), limit=80))
            return _build_origin_refusal()
        # A browser sends no Origin with an image or a link, but says that a foreign page did it.
        # A link to a file is meant to be opened from the page of a conversation.
        is_foreign = not origins and headers.get("sec-fetch-site") == "cross-site"
        if is_foreign and not is_file_request(scope):
            logger.warning("refused a web page that did not say its origin")
            return _build_origin_refusal()
        return None


def _build_origin_refusal() -> JSONResponse:
    return build_refusal(
        403,
        error="origin_not_allowed",
        description="Only web pages of the server's machine (http://localhost) and of the hosts in"
        " its GEEKAI_ALLOWED_HOSTS may call it.",
    )
