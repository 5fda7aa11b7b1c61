"""A host of results that resumes by the book (RFC 9110, 13.1.5 and 14), and breaks off as told."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import httpx

from support.fake_geekai import VIDEO


@dataclass
class BrokenBody(httpx.AsyncByteStream):
    """A body whose connection is reset at its end, unless that is where it should end."""

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
    """What it holds, what it was asked for, and how it fails."""

    content: bytes = VIDEO
    etag: str | None = '"v1"'
    cuts: list[int] = field(default_factory=list[int])
    """Of the next bodies, each: the bytes that come before the connection breaks."""
    resumes: bool = True
    asked: list[str | None] = field(default_factory=list[str | None])
    """The ranges of all requests so far."""
    sent: int = 0
    """Bytes of bodies so far."""

    async def answer(self, request: httpx.Request) -> httpx.Response:
        wanted = request.headers.get("Range")
        self.asked.append(wanted)
        same = request.headers.get("If-Range") == self.etag
        start = int(wanted.removeprefix("bytes=")[:-1]) if wanted and same and self.resumes else 0
        headers = {"ETag": self.etag} if self.etag else {}
        if start >= len(self.content):
            return httpx.Response(416, headers=headers)
        if start:
            last = len(self.content) - 1
            headers["Content-Range"] = f"bytes {start}-{last}/{len(self.content)}"
        return self.body(206 if start else 200, headers, self.content[start:])

    def body(self, status_code: int, headers: dict[str, str], rest: bytes) -> httpx.Response:
        cut = min(self.cuts.pop(0), len(rest)) if self.cuts else len(rest)
        self.sent += cut
        return httpx.Response(
            status_code,
            headers={"Content-Length": str(len(rest)), **headers},
            stream=BrokenBody(rest[:cut], whole=cut == len(rest)),
        )
