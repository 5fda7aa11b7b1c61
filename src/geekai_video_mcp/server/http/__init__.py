"""The server over HTTP: SSE, Streamable HTTP, or both on one port. Loopback only.

A request passes `AddressGuard` (Host and Origin), CORS, `RequireToken`, `BodyGuard` (size, time,
valid JSON-RPC) and then the SDK, whose own checks are off: each is decided in one place, and
nothing is read of a body before its sender is known.
"""

from geekai_video_mcp.server.http.addresses import TrustedAddresses, trust_loopback
from geekai_video_mcp.server.http.application import Transport, build_http
from geekai_video_mcp.server.http.authorization import LocalTokenVerifier
from geekai_video_mcp.server.http.listener import bind_loopback, serve_http
from geekai_video_mcp.server.http.token_file import load_token, token_path

__all__ = [
    "LocalTokenVerifier",
    "Transport",
    "TrustedAddresses",
    "bind_loopback",
    "build_http",
    "load_token",
    "serve_http",
    "token_path",
    "trust_loopback",
]
