"""A file as an HTTP response: conditions and ranges by RFC 9110, and bytes as they are taken.

Starlette's `FileResponse` opens a path by itself, following links, and refuses what the RFC wants
ignored. Here the file has been opened by whoever checked it.
"""

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import BinaryIO, Final, NamedTuple
from urllib.parse import quote

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

CHUNK_BYTES: Final = 256 * 1024
"""Bytes that are read at once, and held for each client that is slow to take them."""
_ONE_RANGE: Final = re.compile(r"bytes=(?:([0-9]{1,15})-([0-9]{0,15})|-([0-9]{1,15}))")


@dataclass(frozen=True, kw_only=True)
class OpenFile:
    """A file that may be sent; whoever makes the response closes it."""

    content: BinaryIO
    size: int
    """Bytes."""
    sha256: str
    """In hexadecimal digits."""
    mime_type: str
    name: str
    """What a browser saves it as, in any script."""

    @property
    def etag(self) -> str:
        """The strong entity tag, in quotation marks."""
        return f'"{self.sha256}"'


class _Range(NamedTuple):
    start: int
    end: int
    """The first byte that is not sent."""


class _Unsatisfiable(Exception):
    pass


def respond_with_file(file: OpenFile, request: Request, *, attached: bool) -> Response:
    """The response to a GET or HEAD for this file, which is closed once it has been sent.

    *attached*: whether a browser is to save it rather than show it.
    """
    try:
        return _respond(file, request, _file_headers(file, attached=attached))
    except BaseException:
        file.content.close()
        raise


def _respond(file: OpenFile, request: Request, headers: dict[str, str]) -> Response:
    given = request.headers
    status_code, span = 200, _Range(0, file.size)
    if _matches(given, "if-none-match", file.etag):
        status_code, span = 304, _Range(0, 0)
    elif "if-match" in given and not _matches(given, "if-match", file.etag):
        status_code, span = 412, _Range(0, 0)
    elif request.method == "GET":  # a range means nothing to a HEAD
        try:
            part = _find_range(given, file)
        except _Unsatisfiable:
            headers["Content-Range"] = f"bytes */{file.size}"
            status_code, span = 416, _Range(0, 0)
        else:
            if part is not None:
                headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{file.size}"
                status_code, span = 206, part
    if status_code != 304:  # noqa: PLR2004 - HTTP's
        headers["Content-Length"] = str(span.end - span.start)
    if status_code in {412, 416}:
        del headers["Content-Disposition"]
    if request.method == "HEAD" or span.start == span.end:
        file.content.close()
        return Response(status_code=status_code, headers=headers, media_type=file.mime_type)
    return _FileStream(file, span, status_code=status_code, headers=headers)


class _FileStream(StreamingResponse):
    """Sends a part of a file, and closes it, whatever becomes of the connection."""

    def __init__(
        self, file: OpenFile, span: _Range, *, status_code: int, headers: dict[str, str]
    ) -> None:
        super().__init__(
            _read_chunks(file.content, span), status_code, headers, media_type=file.mime_type
        )
        self._content = file.content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._content.close()


async def _read_chunks(content: BinaryIO, span: _Range) -> AsyncGenerator[bytes]:
    def read(size: int) -> bytes:
        return content.read(size)

    left = span.end - span.start
    await anyio.to_thread.run_sync(content.seek, span.start)
    while left:
        chunk = await anyio.to_thread.run_sync(read, min(left, CHUNK_BYTES))
        if not chunk:  # cut off while it was being sent: the client sees that bytes are missing
            return
        left -= len(chunk)
        yield chunk


def _find_range(given: Headers, file: OpenFile) -> _Range | None:
    """The part that a client requests; None for the whole file.

    Several parts, other units and what no client should send get the whole file, as
    the RFC allows or wants.

    Raises:
        _Unsatisfiable: it begins beyond the end.
    """
    if (condition := given.get("if-range")) is not None and condition != file.etag:
        return None
    if (found := _ONE_RANGE.fullmatch(given.get("range", "").strip())) is None:
        return None
    first, last, suffix = found.groups()
    start = max(file.size - int(suffix), 0) if suffix else int(first)
    end = min(int(last) + 1, file.size) if last else file.size
    if last and int(last) < start:
        return None
    if start >= file.size:
        raise _Unsatisfiable
    return _Range(start, end)


def _matches(given: Headers, header: str, etag: str) -> bool:
    tags = [tag.strip() for tag in ", ".join(given.getlist(header)).split(",")]
    weak = header == "if-none-match"
    return any(tag == "*" or (tag.removeprefix("W/") if weak else tag) == etag for tag in tags)


def _file_headers(file: OpenFile, *, attached: bool) -> dict[str, str]:
    kind = "attachment" if attached else "inline"
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", file.name).strip("-") or "file"
    disposition = f'{kind}; filename="{plain}"'
    if plain != file.name:
        disposition += f"; filename*=UTF-8''{quote(file.name, safe='')}"
    return {
        **COMMON_HEADERS,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=3600",
        "Content-Disposition": disposition,
        "Cross-Origin-Resource-Policy": "cross-origin",
        "ETag": file.etag,
    }


COMMON_HEADERS: Final = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
"""Of every response under /files/: its address is a secret between the server and its caller."""
