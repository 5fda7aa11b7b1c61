"""A file host that supports ranges (RFC 9110, 13.1.5 and 14) and breaks connections on demand."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import httpx

from support.fake_geekai import VIDEO


@dataclass
class BrokenBody(httpx.AsyncByteStream):
    """A body that ends with a connection reset, unless it is *whole*."""

    content: bytes
    whole: bool = False
    chunk: int = 1000

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        for start in range(0, len(self.content), self.chunk):
            yield self.content[start : start + self.chunk]
        if not self.whole:
            msg = "reset"
            raise httpx.ReadError(msg)


@dataclass
class ResultHost:
    """Its content, the requests that it received, and its faults."""

    content: bytes = VIDEO
    etag: str | None = '"v1"'
    cuts: list[int] = field(default_factory=list[int])
    """For each of the next bodies: the bytes before the connection breaks."""
    resumes: bool = True
    ranges: list[str | None] = field(default_factory=list[str | None])
    """The Range headers of all requests so far."""
    sent: int = 0
    """Bytes of all bodies so far."""

    async def answer(self, request: httpx.Request) -> httpx.Response:
        wanted = request.headers.get("Range")
        self.ranges.append(wanted)
        same = request.headers.get("If-Range") == self.etag
        start = int(wanted.removeprefix("bytes=")[:-1]) if wanted and same and self.resumes else 0
        headers = {"ETag": self.etag} if self.etag else {}
        if start >= len(self.content):
            return httpx.Response(416, headers=headers)
        if start:
            last = len(self.content) - 1
            headers["Content-Range"] = f"bytes {start}-{last}/{len(self.content)}"
        return self.respond(206 if start else 200, headers, self.content[start:])

    def respond(self, status_code: int, headers: dict[str, str], rest: bytes) -> httpx.Response:
        cut = min(self.cuts.pop(0), len(rest)) if self.cuts else len(rest)
        self.sent += cut
        return httpx.Response(
            status_code,
            headers={"Content-Length": str(len(rest)), **headers},
            stream=BrokenBody(rest[:cut], whole=cut == len(rest)),
        )
