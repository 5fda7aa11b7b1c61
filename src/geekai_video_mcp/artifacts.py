"""Results onto disk: fetched at once, checked, published whole or not at all.

The order is the promise: a private part file in the target's own folder, its bytes
checked and synced, then a link to the final name that refuses to replace anything, then a
sync of the folder; only then may the ledger say `stored`. A crash between any two steps
leaves a part file and no lie.

A result link comes from outside, so it is followed to public addresses only, over https,
and each redirect is judged anew. The configured service's own host is the one exception:
a gateway or a sandbox on this machine is where the operator sent us.
"""

import hashlib
import ipaddress
import itertools
import os
import re
import socket
import subprocess
import sys
import unicodedata
import urllib.request
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, Final, Literal, Self
from urllib.parse import SplitResult, urljoin, urlsplit

import anyio
import anyio.to_thread
import httpx

from geekai_video_mcp.errors import ServiceUnavailable, StorageUnavailable, plain
from geekai_video_mcp.lifecycle import FileFact, FileStatus, Task

SIZE_LIMIT: Final = 4 * 1024**3
"""Bytes of one video: 30 s of 4K at ten times the rate seen."""
FETCH_TIMEOUT: Final = httpx.Timeout(connect=10.0, read=30.0, write=10.0, pool=10.0)
"""Seconds. A read that is silent for longer is a connection that died."""
FETCH_DEADLINE: Final = 1800.0
"""Seconds for one whole download; after that it starts again."""
REDIRECTS: Final = 3
GONE: Final = frozenset({403, 404, 410})
"""How an expired or withdrawn link answers: a fresh link is needed, not patience."""
PREVIEW_DEADLINE: Final = 8.0
"""Seconds to decode a few frames; a file that needs longer goes without a picture."""

CHUNK: Final = 64 * 1024
"""Bytes written at a time: the first of them must hold what kind of file it is."""
_PLAIN_HOST: Final = re.compile(r"[\w.:\-\[\]]+", re.ASCII)
"""A name or an address with a port; no user, and nothing that two parsers read differently."""

Preview = Literal["cover", "frames"]


class Artifacts:
    """The output folder, and the way of results into it."""

    def __init__(
        self,
        output_dir: Path,
        *,
        service_url: str,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._output_dir = output_dir
        self._service = urlsplit(service_url)
        mounts = {f"all://{self._service.hostname}": transport} if transport else None
        # Of its own, without default headers: no result host is ever sent the key.
        self._http = httpx.AsyncClient(
            mounts=mounts,
            follow_redirects=False,
            timeout=FETCH_TIMEOUT,
            trust_env=transport is None,  # a service in this process is behind no proxy
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._http.aclose()

    async def fetch(self, task: Task) -> FileFact:
        """Download the task's video and publish it; `lost` when the link is dead.

        Raises:
            ServiceUnavailable: not now; the link may still be good.
            StorageUnavailable: the output folder cannot hold it.
        """
        url = task.result.url if task.result else None
        if url is None:
            return FileFact(status=FileStatus.LOST, problem="The service gave no link.")
        try:
            with anyio.fail_after(FETCH_DEADLINE):
                async with self._get(url) as response:
                    if response.status_code in GONE:
                        gone = f"The link answered HTTP {response.status_code}."
                        return FileFact(status=FileStatus.LOST, problem=gone)
                    if response.status_code != HTTPStatus.OK:
                        raise _not_now(f"The result's host answered HTTP {response.status_code}")
                    return await self._publish(response, _name(task))
        except TimeoutError as exc:
            raise _not_now("The download took too long") from exc
        except httpx.HTTPError as exc:
            raise _not_now(f"The download broke off ({type(exc).__name__})") from exc
        except OSError as exc:
            reason = exc.strerror or type(exc).__name__
            raise StorageUnavailable("The video", reason, sent=True) from exc

    @asynccontextmanager
    async def _get(self, url: str) -> AsyncGenerator[httpx.Response]:
        here, link = "", url
        for _ in range(REDIRECTS + 1):
            try:
                here = urljoin(here, link)
                request = await self._vetted(urlsplit(here))
            except (ValueError, httpx.InvalidURL) as exc:
                raise _not_now("The result's link cannot be read") from exc
            response = await self._http.send(request, stream=True)
            try:
                if not response.has_redirect_location:
                    yield response
                    return
                link = response.headers["Location"]
            finally:
                await response.aclose()
        raise _not_now("The result's link redirects too often")

    async def _vetted(self, url: SplitResult) -> httpx.Request:
        """A request that can only go where results may come from."""
        # Compressed bytes could expand without end; a video gains nothing by them.
        headers = {"Accept-Encoding": "identity"}
        if (url.scheme, url.netloc) == (self._service.scheme, self._service.netloc):
            return self._http.build_request("GET", url.geturl(), headers=headers)
        if url.scheme != "https" or not url.hostname or not _PLAIN_HOST.fullmatch(url.netloc):
            raise _not_now("The result's link is not a plain https link")
        if _proxied(url.hostname):
            # The proxy looks the name up and connects; what it may reach is its operator's say.
            return self._http.build_request("GET", url.geturl(), headers=headers)
        address = await _public_address(url.hostname, url.port or 443)
        # Connected by the address that was judged: a second lookup might answer otherwise.
        # The certificate is still checked against the name.
        direct = url._replace(netloc=f"{address}:{url.port or 443}")
        headers["Host"] = url.netloc
        extensions = {"sni_hostname": url.hostname}
        return self._http.build_request(
            "GET", direct.geturl(), headers=headers, extensions=extensions
        )

    async def _publish(self, response: httpx.Response, stem: str) -> FileFact:
        folder = self._output_dir
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{stem}-{os.urandom(4).hex()}.part"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                digest, size = await _receive(response, file)
                await anyio.to_thread.run_sync(_sync, file)
            path = await anyio.to_thread.run_sync(_name_it, part, stem)
        finally:
            part.unlink(missing_ok=True)
        return FileFact(status=FileStatus.STORED, path=str(path), size_bytes=size, sha256=digest)


async def preview(path: Path, kind: Preview) -> bytes | None:
    """A JPEG of the video's frames, small enough for a conversation; None if it has none.

    Decoding happens in a child process: the codecs are heavy, and the file is a stranger's.
    """
    # -P: a file named av.py in the user's folder must not be what the child imports.
    command = [sys.executable, "-P", "-m", "geekai_video_mcp.frames", str(path), kind]
    with suppress(OSError), anyio.move_on_after(PREVIEW_DEADLINE):
        done = await anyio.run_process(command, stdin=subprocess.DEVNULL, check=False)
        if done.returncode == 0 and done.stdout:
            return done.stdout
    return None


async def _receive(response: httpx.Response, file: BinaryIO) -> tuple[str, int]:
    """The body into *file*: (sha256, bytes). What is no video, or cut short, is refused."""
    digest, size = hashlib.sha256(), 0
    async for chunk in response.aiter_raw(CHUNK):
        if size == 0 and not _is_video(chunk):
            raise _not_now("The result's link gave something that is no video")
        size += len(chunk)
        if size > SIZE_LIMIT:
            raise _not_now(f"The result is larger than {SIZE_LIMIT:,} bytes")
        digest.update(chunk)
        await anyio.to_thread.run_sync(file.write, chunk)
    announced = response.headers.get("Content-Length")
    if size == 0 or (announced and announced.isdigit() and int(announced) != size):
        raise _not_now("The download was cut short")
    return digest.hexdigest(), size


def _is_video(start: bytes) -> bool:
    """MP4 and its kin name themselves at byte 4, WebM at byte 0."""
    return start[4:8] == b"ftyp" or start.startswith(_EBML)


_EBML: Final = b"\x1a\x45\xdf\xa3"


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _name_it(part: Path, stem: str) -> Path:
    """Give the finished part its final name, replacing nothing, and make the name durable."""
    with part.open("rb") as file:
        suffix = ".webm" if file.read(4) == _EBML else ".mp4"
    for number in itertools.count(1):
        path = part.with_name(f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}")
        try:
            _give_name(part, path)
        except FileExistsError:
            continue
        _sync_folder(path.parent)
        return path
    raise AssertionError


def _give_name(part: Path, path: Path) -> None:
    try:
        # A link refuses an existing name; a rename would replace it without a word.
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:
        # exFAT and some shares have no links: there the name is reserved, and then replaced.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            part.replace(path)
        except OSError:
            path.unlink(missing_ok=True)
            raise


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":  # which has no handle to sync a folder by
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


STEM_LENGTH: Final = 40
"""Characters of the prompt in a file's name: enough to know it by, short on every disk."""


def _name(task: Task) -> str:
    """The file's name without its ending, made by us: words of the prompt and the task's id."""
    prompt = plain(str(task.request.get("prompt") or task.model), limit=STEM_LENGTH * 4)
    # Letters, marks and numbers: without their marks, Hindi and Thai lose their vowels.
    folded = unicodedata.normalize("NFC", prompt.casefold())
    kept = "".join(ch if unicodedata.category(ch)[0] in "LMN" else " " for ch in folded)
    # 40 letters of a four-byte script are 160 bytes; names end at 255.
    words = "-".join(kept.split())
    if len(words) > STEM_LENGTH:  # cut between words, where the script has them
        head, _, tail = words[: STEM_LENGTH + 1].rpartition("-")
        words = head or tail[:STEM_LENGTH]
    return f"{words or 'video'}-{task.id[:8]}"


def _proxied(host: str) -> bool:
    """Whether the environment sends https requests for *host* through a proxy, as httpx would."""
    proxies = urllib.request.getproxies()
    through = proxies.get("https") or proxies.get("all")
    return bool(through) and not urllib.request.proxy_bypass(host)


async def _public_address(host: str, port: int) -> str:
    """One address of *host*, all of whose addresses are public."""
    try:
        found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:  # a label too long for any name
        raise _not_now("The result's host has no address") from exc
    addresses = [entry[4][0] for entry in found]
    if not addresses or not all(is_public(str(address)) for address in addresses):
        raise _not_now("The result's link leads to a private address, where none may come from")
    address = str(addresses[0])
    return f"[{address}]" if ":" in address else address


_UNICAST: Final = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is public. `is_global` alone lets others through: 64:ff9b::/96 (NAT64),
::/96 and ::ffff:0:0:0/96 (any IPv4 address in disguise), fec0::/10 (sites)."""
_NOT_PUBLIC: Final = (
    ipaddress.ip_network("2002::/16"),  # 6to4: any IPv4 address in disguise
    ipaddress.ip_network("192.0.0.0/24"),  # a cloud's metadata service among them
)


def is_public(address: str) -> bool:
    """Whether *address* can only be a host on the open internet."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    if isinstance(ip, ipaddress.IPv6Address) and ip not in _UNICAST:
        return False
    inside = any(ip in network for network in _NOT_PUBLIC if network.version == ip.version)
    return ip.is_global and not ip.is_multicast and not inside


def _not_now(reason: str) -> ServiceUnavailable:
    return ServiceUnavailable(reason, code="download_failed")
