"""The server over HTTP: SSE, Streamable HTTP, or both on one port.

A request passes `DrainGate`, `ProxyHeaders`, `AddressGuard` (Host and Origin), CORS,
`RequireToken`, `LimitRequests`, `IdentifyPrincipal`, `UnreadStreams`, `BodyGuard` (size, time,
valid JSON-RPC), `AcceptJson` and then the SDK, whose own checks are off: each is decided in one
place, and nothing is read of a body before its sender is known.
"""

from geekai_video_mcp.server.http.addresses import TrustedAddresses, trust_addresses
from geekai_video_mcp.server.http.application import Transport, build_http
from geekai_video_mcp.server.http.file_links import FileLinkSigner, SignedFileLinks
from geekai_video_mcp.server.http.listener import bind_address, bind_loopback, serve_http
from geekai_video_mcp.server.http.token_file import load_token, token_path
from geekai_video_mcp.server.http.verifiers import FirstOf, LocalTokenVerifier, TokensFileVerifier

__all__ = [
    "FileLinkSigner",
    "FirstOf",
    "LocalTokenVerifier",
    "SignedFileLinks",
    "TokensFileVerifier",
    "Transport",
    "TrustedAddresses",
    "bind_address",
    "bind_loopback",
    "build_http",
    "load_token",
    "serve_http",
    "token_path",
    "trust_addresses",
]
