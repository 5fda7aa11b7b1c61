"""Receive a large body in large reads.

httpx passes a body on in pieces of 64 KB and copies each several times on its way, which takes
more of a processor than all the rest of a download. So the connection itself is read, through the
`network_stream` of httpx's extensions, once httpx has passed on what it has of the body.
"""

from collections.abc import AsyncGenerator
from typing import Final

import httpcore
import httpx

from geekai_video_mcp.media.downloads.links import FETCH_TIMEOUT

READ_BYTES: Final = 256 * 1024
"""Bytes that are asked for at a time: as many as asyncio takes from a socket at once."""


async def receive_chunks(response: httpx.Response) -> AsyncGenerator[bytes]:
    """The body as it comes; incomplete if its connection is closed before its announced length.

    Raises:
        httpx.HTTPError: the connection failed.
    """
    stream: httpcore.AsyncNetworkStream | None = response.extensions.get("network_stream")
    length = response.headers.get("Content-Length", "")
    is_plain = response.http_version == "HTTP/1.1" and "Transfer-Encoding" not in response.headers
    chunks = response.aiter_raw()
    if stream is None or not is_plain or not length.isdecimal():
        async for chunk in chunks:
            yield chunk
        return
    # The first chunk is what has come with the head. If httpx ever kept some of it back, it would
    # be missing at the end: the length decides what is complete. `chunks` stays as it is meanwhile,
    # because httpx closes the connection when it is left.
    chunk = await anext(chunks, b"")
    remaining = int(length) - len(chunk)
    while chunk:
        yield chunk
        chunk = await _read(stream, min(READ_BYTES, remaining)) if remaining else b""
        remaining -= len(chunk)


async def _read(stream: httpcore.AsyncNetworkStream, max_bytes: int) -> bytes:
    try:
        return await stream.read(max_bytes, FETCH_TIMEOUT.read)
    except httpcore.TimeoutException as exc:
        raise httpx.ReadTimeout(str(exc)) from exc
    except httpcore.NetworkError as exc:
        raise httpx.ReadError(str(exc)) from exc
