"""Where results may come from: public addresses, over https, and the service itself."""

from typing import Any

import anyio
import httpx
import pytest

from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.errors import ServiceUnavailable
from support.fake_geekai import VIDEO, file_reply
from support.net import LINK, PUBLIC, Net, download_refusal, redirect, succeeded_task

INSIDE = "The result's link points to a private address, which is not allowed"
BROKEN = "The download was interrupted (RemoteProtocolError)"
"""httpx reads the address of a redirect before we do, and refuses one that it cannot read."""
NO_LINK = {
    "The result's link is not a plain https link",
    "The result's link is not a valid URL",
    "The result's host could not be resolved",
    "The result's link did not return a known video format",
    BROKEN,
}


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

    assert await download_refusal(net, succeeded_task(f"https://{host}/a.mp4")) == INSIDE
    net.answers["static.geekai.co"] = redirect(f"https://{host}/a.mp4")
    assert await download_refusal(net, succeeded_task()) in {INSIDE, BROKEN}
    assert [request.headers["Host"] for request in net.requests] == ["static.geekai.co"]


async def test_one_private_address_among_public_ones_is_enough_to_refuse(net: Net) -> None:
    net.names["static.geekai.co"] = [PUBLIC, "10.0.0.1"]

    assert await download_refusal(net, succeeded_task()) == INSIDE
    assert net.requests == []


async def test_a_name_is_resolved_once_and_that_address_is_connected_to(net: Net) -> None:
    net.answers["static.geekai.co"] = file_reply(VIDEO)

    await net.fetch(succeeded_task())

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
    assert await download_refusal(net, succeeded_task(url)) in NO_LINK
    assert net.requests == []


@pytest.mark.parametrize("to", ["http://static.geekai.co/a.mp4", "https://[::1/", "ftp://x/"])
async def test_a_redirect_is_judged_like_a_link(net: Net, to: str) -> None:
    net.answers["static.geekai.co"] = redirect(to)

    assert await download_refusal(net, succeeded_task()) in NO_LINK
    assert len(net.requests) == 1


@pytest.mark.parametrize("status_code", [301, 302, 303, 307, 308])
async def test_a_redirect_to_a_public_host_is_followed(net: Net, status_code: int) -> None:
    net.answers["static.geekai.co"] = redirect("https://cdn.test/b.mp4?sig=1", status_code)

    assert (await net.fetch(succeeded_task())).status is FileStatus.STORED
    assert [str(request.url.raw_path, "ascii") for request in net.requests] == [
        "/video/2026/11/22/a.mp4",
        "/b.mp4?sig=1",
    ]


async def test_a_relative_redirect_stays_on_its_host(net: Net) -> None:
    async def twice(_: httpx.Request) -> httpx.Response:
        return redirect("/other.mp4") if len(net.requests) == 1 else file_reply(VIDEO)

    net.usual = twice
    await net.fetch(succeeded_task())

    assert [request.headers["Host"] for request in net.requests] == ["static.geekai.co"] * 2


async def test_a_link_that_redirects_for_ever_is_left_after_three(net: Net) -> None:
    net.answers["static.geekai.co"] = redirect("/again")

    assert await download_refusal(net, succeeded_task()) == "The result's link redirects too often"
    assert len(net.requests) == 4


async def test_a_host_without_an_address_may_have_one_later(net: Net) -> None:
    net.names["static.geekai.co"] = []

    assert (
        await download_refusal(net, succeeded_task()) == "The result's host could not be resolved"
    )


async def test_the_services_own_host_may_be_this_machine(net: Net) -> None:
    fact = await net.fetch(
        succeeded_task("http://127.0.0.1:8766/files/a.mp4"), service="http://127.0.0.1:8766/api/v1"
    )

    assert fact.status is FileStatus.STORED
    assert net.looked_up == []


async def test_another_port_of_this_machine_is_not_the_service(net: Net) -> None:
    with pytest.raises(ServiceUnavailable):
        await net.fetch(
            succeeded_task("http://127.0.0.1:22/a.mp4"), service="http://127.0.0.1:8766/api/v1"
        )

    assert net.requests == []


@pytest.mark.parametrize("url", [LINK, f"https://{PUBLIC}/files/a.mp4"])
async def test_no_result_host_is_sent_a_key_a_cookie_or_leave_to_compress(
    net: Net, url: str
) -> None:
    await net.fetch(succeeded_task(url))

    [request] = net.requests
    assert not {"authorization", "cookie", "x-api-key"} & set(request.headers)
    assert request.headers["Accept-Encoding"] == "identity"


async def test_behind_a_proxy_the_name_is_left_to_the_proxy(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tunnel's certificate is checked against what was asked for: it must be the name."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(ServiceUnavailable):
        await net.fetch(succeeded_task())

    assert net.looked_up == []
