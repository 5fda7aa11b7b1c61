"""Results onto disk: from public addresses only, whole or not at all, replacing nothing."""

import errno
import hashlib
import itertools
import os
import socket
import stat
import unicodedata
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from geekai_video_mcp import artifacts
from geekai_video_mcp.artifacts import Artifacts, is_public
from geekai_video_mcp.errors import MAYBE_CHARGED, ServiceUnavailable, StorageUnavailable
from geekai_video_mcp.lifecycle import FileStatus, Result, Status, Task
from support.service import VIDEO, file

PUBLIC = "93.184.216.34"
SERVICE = f"https://{PUBLIC}/api/v1"
"""The service at an address, so that its transport also carries what is resolved to it."""
LINK = "https://static.geekai.co/video/2026/11/22/a.mp4"
WEBM = b"\x1a\x45\xdf\xa3" + bytes(5000)

Answer = Callable[[httpx.Request], Awaitable[httpx.Response]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def virtual_time() -> pytest.MarkDecorator:
    """Trio on a clock that jumps: a deadline is reached without waiting for it."""
    clock = MockClock(autojump_threshold=0)
    return pytest.mark.parametrize("anyio_backend", [("trio", {"clock": clock})], ids=["virtual"])


@dataclass
class Net:
    """The internet: what every name resolves to, what is asked, and what is answered."""

    folder: Path
    names: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    answers: dict[str, httpx.Response] = field(default_factory=dict[str, httpx.Response])
    """By the name that the request is for."""
    usual: Answer | None = None
    requests: list[httpx.Request] = field(default_factory=list[httpx.Request])
    looked_up: list[str] = field(default_factory=list[str])

    async def resolve(self, host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        self.looked_up.append(host)
        found = self.names.get(host, [PUBLIC])
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.usual is not None:
            return await self.usual(request)
        return self.answers.get(request.headers["Host"]) or file(VIDEO)

    async def fetch(self, task: Task, *, service: str = SERVICE) -> "artifacts.FileFact":
        transport = httpx.MockTransport(self.answer)
        async with Artifacts(self.folder, service_url=service, transport=transport) as fetcher:
            return await fetcher.fetch(task)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("*"))


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Net:
    net = Net(tmp_path / "videos")
    monkeypatch.setattr(anyio, "getaddrinfo", net.resolve)
    return net


def succeeded(url: str | None = LINK, *, prompt: str = "a fox in the snow") -> Task:
    return Task(
        id="0123456789abcdef" * 2,
        created_at=0.0,
        service="s",
        model="cogvideox-flash",
        request={"prompt": prompt},
        status=Status.SUCCEED,
        result=Result(url=url),
    )


def redirect(to: str, status_code: int = 302) -> httpx.Response:
    return httpx.Response(status_code, headers={"Location": to})


async def refused(net: Net, task: Task) -> str:
    """Why the download did not come about; that it left nothing behind."""
    with pytest.raises(ServiceUnavailable) as told:
        await net.fetch(task)
    assert net.files() == []
    assert "://" not in told.value.message
    return told.value.reason


# Onto disk


async def test_a_video_is_published_whole_under_a_name_of_its_own(net: Net) -> None:
    fact = await net.fetch(succeeded())

    assert net.files() == ["a-fox-in-the-snow-01234567.mp4"]
    path = net.folder / net.files()[0]
    assert path.read_bytes() == VIDEO
    assert fact == artifacts.FileFact(
        status=FileStatus.STORED,
        path=str(path),
        size_bytes=len(VIDEO),
        sha256=hashlib.sha256(VIDEO).hexdigest(),
    )


async def test_a_second_video_of_the_same_name_replaces_nothing(net: Net) -> None:
    net.folder.mkdir()
    (net.folder / "a-fox-in-the-snow-01234567.mp4").write_bytes(b"mine")

    first, second = [(await net.fetch(succeeded())).path for _ in range(2)]

    assert net.files() == [f"a-fox-in-the-snow-01234567{n}.mp4" for n in ("-2", "-3", "")]
    assert (net.folder / "a-fox-in-the-snow-01234567.mp4").read_bytes() == b"mine"
    assert [Path(str(path)).name[-6:] for path in (first, second)] == ["-2.mp4", "-3.mp4"]


async def test_a_dangling_link_of_the_name_is_not_followed(net: Net, tmp_path: Path) -> None:
    net.folder.mkdir()
    (net.folder / "a-fox-in-the-snow-01234567.mp4").symlink_to(tmp_path / "elsewhere")

    assert str((await net.fetch(succeeded())).path).endswith("-2.mp4")
    assert not (tmp_path / "elsewhere").exists()


async def test_a_disk_without_links_is_published_to_as_well(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")  # exFAT

    monkeypatch.setattr(os, "link", no_links)
    for _ in range(2):
        await net.fetch(succeeded())

    assert net.files() == [f"a-fox-in-the-snow-01234567{n}.mp4" for n in ("-2", "")]
    assert {(net.folder / name).read_bytes() for name in net.files()} == {VIDEO}


async def test_bytes_are_synced_before_the_name_and_the_name_before_the_answer(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, link = os.fsync, os.link

    def synced(descriptor: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "bytes")
        fsync(descriptor)

    def linked(part: Path, path: Path) -> None:
        steps.append("name")
        link(part, path)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "link", linked)
    await net.fetch(succeeded())

    assert steps == ["bytes", "name", "folder"]


async def test_webm_is_called_webm(net: Net) -> None:
    net.answers["static.geekai.co"] = file(WEBM)

    assert str((await net.fetch(succeeded())).path).endswith(".webm")


@pytest.mark.parametrize("chunk", [1, 3, 7, 4096])
async def test_a_video_may_come_in_pieces_of_any_size(net: Net, chunk: int) -> None:
    net.answers["static.geekai.co"] = file(VIDEO[:9000], chunk=chunk)

    assert (await net.fetch(succeeded())).size_bytes == 9000


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (file(VIDEO[:5000], announced=len(VIDEO)), "cut short"),
        (file(VIDEO, announced=5000), "cut short"),
        (file(b"", announced=0), "cut short"),
        (file(b"\x00\x00\x00\x18fty"), "no video"),
        (file(b"<!doctype html><title>Sign in</title>"), "no video"),
        (file(b"\x89PNG\r\n\x1a\n" + bytes(5000)), "no video"),
        (file(b"\x1f\x8b" + VIDEO), "no video"),
        (httpx.Response(206, content=VIDEO), "HTTP 206"),
        (httpx.Response(204), "HTTP 204"),
        (httpx.Response(304), "HTTP 304"),
        (httpx.Response(401), "HTTP 401"),
        (httpx.Response(429), "HTTP 429"),
        (httpx.Response(503, text="busy"), "HTTP 503"),
    ],
    ids=itertools.count(),
)
async def test_what_is_no_whole_video_is_not_published(
    net: Net, answer: httpx.Response, why: str
) -> None:
    net.answers["static.geekai.co"] = answer

    assert why in await refused(net, succeeded())


async def test_a_video_larger_than_any_is_not_kept(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "SIZE_LIMIT", 10_000)

    assert "larger than 10,000 bytes" in await refused(net, succeeded())


@pytest.mark.parametrize("status_code", [403, 404, 410])
async def test_a_dead_link_is_a_lost_file_and_not_a_matter_of_patience(
    net: Net, status_code: int
) -> None:
    net.answers["static.geekai.co"] = httpx.Response(status_code)

    fact = await net.fetch(succeeded())

    assert (fact.status, fact.problem) == (
        FileStatus.LOST,
        f"The link answered HTTP {status_code}.",
    )


async def test_a_result_without_a_link_is_lost(net: Net) -> None:
    assert (await net.fetch(succeeded(None))).status is FileStatus.LOST
    assert (await net.fetch(replace(succeeded(), result=None))).status is FileStatus.LOST


async def test_a_line_that_breaks_leaves_nothing(net: Net) -> None:
    async def breaks() -> AsyncGenerator[bytes]:
        yield VIDEO[:5000]
        what = f"{LINK}?signature=secret"
        raise httpx.ReadError(what)

    net.answers["static.geekai.co"] = httpx.Response(200, content=breaks())

    assert await refused(net, succeeded()) == "The download broke off (ReadError)"


async def drip() -> AsyncGenerator[bytes]:
    yield VIDEO[:100]
    while True:
        await anyio.sleep(20)
        yield b"\0"


@virtual_time()
async def test_a_download_that_never_ends_is_ended(net: Net) -> None:
    net.answers["static.geekai.co"] = httpx.Response(200, content=drip())

    assert "too long" in await refused(net, succeeded())
    assert anyio.current_time() == pytest.approx(artifacts.FETCH_DEADLINE)


@virtual_time()
async def test_a_cancelled_download_leaves_nothing(net: Net) -> None:
    net.answers["static.geekai.co"] = httpx.Response(200, content=drip())

    with anyio.move_on_after(100) as cancelled:
        await net.fetch(succeeded())

    assert cancelled.cancelled_caught
    assert net.files() == []


async def test_a_folder_that_is_a_file_is_the_operators_to_mend(net: Net) -> None:
    net.folder.touch()

    with pytest.raises(StorageUnavailable, match=MAYBE_CHARGED):
        await net.fetch(succeeded())


async def test_a_full_disk_leaves_nothing_and_says_so(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StorageUnavailable, match="No space left on device"):
        await net.fetch(succeeded())
    assert net.files() == []


# Names


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("A Fox, in the SNOW!", "a-fox-in-the-snow"),
        ("雪の中の狐", "雪の中の狐"),
        ("हिन्दी में लोमड़ी", "हिन्दी-में-लोमड़ी"),
        ("สุนัขจิ้งจอก", "สุนัขจิ้งจอก"),
        ("e\u0301te\u0301", "été"),
        ("../../etc/passwd", "etc-passwd"),
        ("..\\..\\windows\\system32", "windows-system32"),
        ("/absolute", "absolute"),
        (".hidden", "hidden"),
        ("-rf *", "rf"),
        ("con", "con"),
        ("a\0b\nc\x1b[0m", "a-b-c-0m"),
        ("🦊🦊🦊", "video"),
        ("half \ud800", "half"),
        ("\u202egnp.exe", "gnp-exe"),
        ("", "cogvideox-flash"),
    ],
)
async def test_a_file_is_named_after_its_prompt_in_any_script(
    net: Net, prompt: str, name: str
) -> None:
    await net.fetch(succeeded(prompt=prompt))

    assert net.files() == [f"{unicodedata.normalize('NFC', name)}-01234567.mp4"]


@settings(deadline=None, max_examples=300)
@given(st.text(st.characters(codec=None), max_size=200))
def test_no_prompt_makes_a_name_that_a_disk_would_not_take(prompt: str) -> None:
    name = artifacts._name(succeeded(prompt=prompt))  # pyright: ignore[reportPrivateUsage]

    assert 9 < len(name.encode()) <= 200, "255 bytes with a number, an ending and .part"
    assert not set(name) & set('/\\:*?"<>|. \0\n')
    assert name[0] not in ".-"
    assert name.isprintable()


# From where


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",  # noqa: S104 - refused
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "192.0.0.192",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:a9fe:a9fe",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2001::1",
        "2001:db8::1",
        "100::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
    ],
)
def test_an_address_inside_some_network_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["93.184.216.34", "1.1.1.1", "8.8.8.8", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8"],
)
def test_an_address_on_the_open_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("evil.test", "127.0.0.1"),
        ("evil.test", "169.254.169.254"),
        ("evil.test", "::1"),
        ("127.0.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("[::ffff:7f00:1]", "::ffff:7f00:1"),
        ("[64:ff9b::7f00:1]", "64:ff9b::7f00:1"),
    ],
)
async def test_a_link_into_a_private_network_is_never_followed(
    net: Net, host: str, address: str
) -> None:
    net.names[host.strip("[]")] = [address]

    assert "private address" in await refused(net, succeeded(f"https://{host}/a.mp4"))
    net.answers["static.geekai.co"] = redirect(f"https://{host}/a.mp4")
    assert await refused(net, succeeded())
    assert [request.headers["Host"] for request in net.requests] == ["static.geekai.co"]


async def test_one_private_address_among_public_ones_is_enough_to_refuse(net: Net) -> None:
    net.names["static.geekai.co"] = [PUBLIC, "10.0.0.1"]

    assert "private address" in await refused(net, succeeded())
    assert net.requests == []


async def test_a_name_is_resolved_once_and_that_address_is_connected_to(net: Net) -> None:
    net.answers["static.geekai.co"] = file(VIDEO)

    await net.fetch(succeeded())

    [request] = net.requests
    assert net.looked_up == ["static.geekai.co"]
    assert request.url.host == PUBLIC
    assert request.headers["Host"] == "static.geekai.co"
    assert request.extensions["sni_hostname"] == "static.geekai.co"


@pytest.mark.parametrize(
    "url",
    [
        "http://static.geekai.co/a.mp4",
        "ftp://static.geekai.co/a.mp4",
        "file:///etc/passwd",
        "data:video/mp4;base64,AAAA",
        "javascript:alert(1)",
        "//static.geekai.co/a.mp4",
        "https:///a.mp4",
        "https://",
        "a.mp4",
        "https://user:secret@static.geekai.co/a.mp4",
        "https://user@static.geekai.co/a.mp4",
        "https://@static.geekai.co/a.mp4",
        "https://[::1/a.mp4",
        "https://static.geekai.co:99999/a.mp4",
        "https://static.geekai.co:x/a.mp4",
        "https://a..b/a.mp4",
        f"https://{'x' * 64}.co/a.mp4",
        "https://例\ud800.jp/a.mp4",
        "https://static.geekai.co\\@evil.test/a.mp4",
        "https://static geekai.co/a.mp4",
        "https://static.geekai.co/\x00",
    ],
    ids=ascii,
)
async def test_what_is_no_plain_https_link_is_never_followed(
    net: Net, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def really(host: str, *_: object, **__: object) -> list[tuple[Any, ...]]:
        host.encode("idna")  # as the real one does, before it asks anyone
        return await net.resolve(host, 443)

    monkeypatch.setattr(anyio, "getaddrinfo", really)
    assert await refused(net, succeeded(url))
    assert net.requests == []


@pytest.mark.parametrize("to", ["http://static.geekai.co/a.mp4", "https://[::1/", "ftp://x/"])
async def test_a_redirect_is_judged_like_a_link(net: Net, to: str) -> None:
    net.answers["static.geekai.co"] = redirect(to)

    assert await refused(net, succeeded())
    assert len(net.requests) == 1


@pytest.mark.parametrize("status_code", [301, 302, 303, 307, 308])
async def test_a_redirect_to_a_public_host_is_followed(net: Net, status_code: int) -> None:
    net.answers["static.geekai.co"] = redirect("https://cdn.test/b.mp4?sig=1", status_code)

    assert (await net.fetch(succeeded())).status is FileStatus.STORED
    assert [str(request.url.raw_path, "ascii") for request in net.requests] == [
        "/video/2026/11/22/a.mp4",
        "/b.mp4?sig=1",
    ]


async def test_a_relative_redirect_stays_on_its_host(net: Net) -> None:
    async def twice(_: httpx.Request) -> httpx.Response:
        return redirect("/other.mp4") if len(net.requests) == 1 else file(VIDEO)

    net.usual = twice
    await net.fetch(succeeded())

    assert [request.headers["Host"] for request in net.requests] == ["static.geekai.co"] * 2


async def test_a_link_that_redirects_for_ever_is_left_after_three(net: Net) -> None:
    net.answers["static.geekai.co"] = redirect("/again")

    assert "redirects too often" in await refused(net, succeeded())
    assert len(net.requests) == 4


async def test_a_host_without_an_address_may_have_one_later(net: Net) -> None:
    net.names["static.geekai.co"] = []

    assert "no address" in await refused(net, succeeded())


async def test_the_services_own_host_may_be_this_machine(net: Net) -> None:
    fact = await net.fetch(
        succeeded("http://127.0.0.1:8766/files/a.mp4"), service="http://127.0.0.1:8766/api/v1"
    )

    assert fact.status is FileStatus.STORED
    assert net.looked_up == []


async def test_another_port_of_this_machine_is_not_the_service(net: Net) -> None:
    with pytest.raises(ServiceUnavailable):
        await net.fetch(
            succeeded("http://127.0.0.1:22/a.mp4"), service="http://127.0.0.1:8766/api/v1"
        )

    assert net.requests == []


@pytest.mark.parametrize("url", [LINK, f"https://{PUBLIC}/files/a.mp4"])
async def test_no_result_host_is_sent_a_key_a_cookie_or_leave_to_compress(
    net: Net, url: str
) -> None:
    await net.fetch(succeeded(url))

    [request] = net.requests
    assert not {"authorization", "cookie", "x-api-key"} & set(request.headers)
    assert request.headers["Accept-Encoding"] == "identity"


async def test_behind_a_proxy_the_name_is_left_to_the_proxy(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tunnel's certificate is checked against what was asked for: it must be the name."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(ServiceUnavailable):
        await net.fetch(succeeded())

    assert net.looked_up == []
