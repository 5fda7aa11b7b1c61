"""Transfer a result into its part file: every byte of one representation, or an error.

An interrupted download is resumed if a strong ETag guarantees the same bytes; otherwise the
whole file is requested again. A body that is not of the expected medium is discarded as soon
as its first bytes show it; one that is only incomplete stays in the part.
"""

import base64
import hashlib
import re
import shutil
from dataclasses import replace
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

import anyio
import anyio.to_thread
import httpx

from geekai_video_mcp.domain.media_formats import SIGNATURE_BYTES, describe_unknown
from geekai_video_mcp.domain.retries import LASTING, PASSING, Obstacle
from geekai_video_mcp.errors import DownloadFailed
from geekai_video_mcp.media.downloads.block_writer import write_blocks
from geekai_video_mcp.media.downloads.formats import is_complete
from geekai_video_mcp.media.downloads.links import SafeHttpClient
from geekai_video_mcp.media.downloads.partial import Part, Source
from geekai_video_mcp.media.downloads.receiving import receive_chunks
from geekai_video_mcp.media.output_folder import RESERVED_BYTES, describe_output_folder

SIZE_LIMIT: Final = 4 * 1024**3
"""Bytes of one video: 30 s of 4K at ten times the highest bit rate observed."""
STALL_WINDOW: Final = 60.0
"""Seconds in which `MIN_BYTES_PER_WINDOW`, or all that is left, must arrive."""
MIN_BYTES_PER_WINDOW: Final = 240 * 1024
"""Bytes in each window: at a lower rate 7 MB would not arrive before the deadline."""

DEAD_LINK_STATUSES: Final = frozenset({403, 404, 410})
"""HTTP statuses of an expired or withdrawn link: a new link is needed, retrying does not help."""
PASSING_STATUSES: Final = frozenset({408, 425, 429})
"""HTTP statuses below 500 after which the same request may work later."""

_STRONG_ETAG: Final = re.compile(r'"[\x21\x23-\x7e]{1,200}"')
_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_URL_ALPHABET: Final = str.maketrans("-_", "+/")
_DECIMAL: Final = re.compile(r"[0-9]{1,18}")


async def download(client: SafeHttpClient, url: str, part: Part) -> str | None:
    """Complete *part* from *url*; returns why the link is dead, or None when it is complete.

    Raises:
        DownloadFailed: the link is not allowed, its host refuses, or what it gives is no media.
        OSError: the disk failed.
        httpx.HTTPError: the connection failed.
    """
    if part.source is not None and await _resume(client, url, part):
        return None
    async with client.get(url, {}) as response:
        if response.status_code in DEAD_LINK_STATUSES:
            return f"The link returned HTTP {response.status_code}."
        if response.status_code != HTTPStatus.OK:
            raise _refused(response.status_code)
        await _receive_from_start(response, part)
    return None


async def decode_inline(link: str, part: Part) -> str | None:
    """Complete *part* from an image in a data URI; returns why it could not be decoded, or None.

    Raises:
        DownloadFailed: it is no media, or the disk has too little free space.
        OSError: the disk failed.
    """
    return await anyio.to_thread.run_sync(_write_decoded, link.partition(",")[2], part)


def _write_decoded(text: str, part: Part) -> str | None:
    content = _decode_base64(text)
    if content is None:
        return "The data in the response could not be decoded."
    part.start(Source(url_digest=hashlib.sha256(content).hexdigest(), total=len(content)))
    _check_free_space(part)
    part.write(content)
    _check_format(part)
    return None


def _decode_base64(text: str) -> bytes | None:
    """The bytes, however the text is written; None if it is no base64.

    Encoders break lines, use the alphabet for URLs, leave out the padding, and escape for a URL.
    """
    compact = "".join(unquote(text).split()).rstrip("=").translate(_URL_ALPHABET)
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except ValueError:
        return None


async def _resume(client: SafeHttpClient, url: str, part: Part) -> bool:
    """Request the missing bytes; whether the response completed *part*."""
    source = part.source
    if source is None or source.etag is None:
        return False
    headers = {"Range": f"bytes={part.size}-", "If-Range": source.etag}
    async with client.get(url, headers) as response:
        if response.status_code == HTTPStatus.OK:
            await _receive_from_start(response, part)
            return True
        if response.status_code != HTTPStatus.PARTIAL_CONTENT:
            if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                await anyio.to_thread.run_sync(part.reset)
            return False
        if not _same_representation(response, part):
            await anyio.to_thread.run_sync(part.reset)
            return False
        await _receive_body(response, part)
        return True


def _same_representation(response: httpx.Response, part: Part) -> bool:
    """Whether the body continues *part* and belongs to the same representation."""
    content_range = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if content_range is None or int(content_range[1]) != part.size:
        return False
    return replace(_source_of(response), total=int(content_range[3])) == part.source


async def _receive_from_start(response: httpx.Response, part: Part) -> None:
    await anyio.to_thread.run_sync(part.start, _source_of(response))
    await _receive_body(response, part)


async def _receive_body(response: httpx.Response, part: Part) -> None:
    await anyio.to_thread.run_sync(_check_free_space, part)
    received = window_start = 0
    total = part.source.total if part.source else None
    expected = None if total is None else total - part.size
    async with write_blocks(part, _check_so_far, expected_bytes=expected) as writer:
        with anyio.move_on_after(STALL_WINDOW) as window:
            async for chunk in receive_chunks(response):
                await writer.write(chunk)
                received += len(chunk)
                if received - window_start >= MIN_BYTES_PER_WINDOW:
                    window_start = received
                    window.deadline = anyio.current_time() + STALL_WINDOW
    if window.cancelled_caught:
        raise interrupted("The download was too slow")
    await anyio.to_thread.run_sync(_check_complete, response, part)


def interrupted(reason: str) -> DownloadFailed:
    """The error of a download that broke off and may succeed when it is tried again."""
    return DownloadFailed(reason, code=Obstacle.INTERRUPTED, attempts=PASSING)


def _refused(status_code: int) -> DownloadFailed:
    """The error of a host that gives a status in place of the file."""
    passing = status_code in PASSING_STATUSES or status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
    return DownloadFailed(
        f"The result's host returned HTTP {status_code}",
        code=Obstacle.REFUSED,
        attempts=PASSING if passing else LASTING,
    )


def _check_free_space(part: Part) -> None:
    """Raise an error before a download that is too large or would fill the disk."""
    total = part.source.total if part.source else None
    if total is not None and total > SIZE_LIMIT:
        part.reset()
        raise _too_large()
    needed = (total or part.size) - part.size + RESERVED_BYTES
    free = shutil.disk_usage(part.path.parent).free
    if free < needed:
        msg = (
            f"{describe_output_folder(part.path.parent)} has {free / 1e6:,.0f} MB free, and"
            f" {needed / 1e6:,.0f} MB are needed"
        )
        raise DownloadFailed(msg, code=Obstacle.DISK_FULL, attempts=PASSING)


def _check_so_far(part: Part) -> None:
    """Raise an error as soon as the bytes received cannot become a result."""
    if len(part.head) == SIGNATURE_BYTES:
        _check_format(part)
    total = part.source.total if part.source else None
    if total is not None and part.size > total:
        part.reset()
        raise interrupted("The result is longer than its announced length")
    if part.size > SIZE_LIMIT:
        part.reset()
        raise _too_large()


def _check_format(part: Part) -> None:
    if part.format is None:
        msg = f"The result's link gives {describe_unknown(part.head)}"
        part.reset()
        raise DownloadFailed(msg, code=Obstacle.NOT_MEDIA, attempts=LASTING)


def _check_complete(response: httpx.Response, part: Part) -> None:
    if part.size > 0:
        _check_format(part)
    total = part.source.total if part.source else None
    if part.size == 0 or total not in {None, part.size}:
        raise interrupted("The download ended early")
    # The end of a body without a length looks like a broken connection: check the container.
    chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
    has_known_end = total is not None or chunked
    if not has_known_end and not is_complete(part.file):
        part.reset()
        raise interrupted("The download ended early")
    if part.source is not None:
        part.source = replace(part.source, total=part.size)
    part.write_checkpoint()


def _too_large() -> DownloadFailed:
    msg = f"The result is larger than {SIZE_LIMIT:,} bytes"
    return DownloadFailed(msg, code=Obstacle.TOO_LARGE, attempts=LASTING)


def _source_of(response: httpx.Response) -> Source:
    request = response.request
    # Without its query: a new link to the same file has a new signature there.
    location = f"{request.headers['Host']}{request.url.path}".encode()
    etag = response.headers.get("ETag", "")
    length = response.headers.get("Content-Length", "")
    return Source(
        url_digest=hashlib.sha256(location).hexdigest(),
        etag=etag if _STRONG_ETAG.fullmatch(etag) else None,
        total=int(length) if _DECIMAL.fullmatch(length) else None,
    )
