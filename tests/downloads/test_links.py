"""Where results may come from: public addresses, over https, and the service itself."""

import ipaddress
from typing import Any

import anyio
import httpx
import pytest
from pydantic import SecretStr

from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.errors import DownloadFailed
from support.fake_geekai import VIDEO, file_reply
from support.net import LINK, PUBLIC, Net, download_refusal, redirect, succeeded_task

INSIDE = "The result's link points to a private address, which is not allowed"
BROKEN = "The download was interrupted (RemoteProtocolError)"
"""httpx reads the address of a redirect before we do, and refuses one that it cannot read."""
NO_LINK = {
    "The result's link is not a plain http or https link",
    "The result's link is not a valid URL",
    "The result's host could not be resolved",
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


async def test_a_private_address_among_public_ones_is_passed_over(net: Net) -> None:
    net.names["static.geekai.co"] = ["10.0.0.1", "fd00::1", PUBLIC, "127.0.0.1"]

    assert (await net.fetch(succeeded_task())).status is FileStatus.STORED
    assert [request.url.host for request in net.requests] == [PUBLIC]


@pytest.mark.parametrize(
    "address",
    [
        "198.18.0.7",
        "198.19.255.254",
        "64:ff9b::5db8:d822",
        "2002:5db8:d822::1",
        "::ffff:93.184.216.34",
        "64:ff9b::c612:7",
    ],
)
async def test_what_a_fake_ip_proxy_or_nat64_answers_is_connected_to(
    everywhere: Net, address: str
) -> None:
    """Every name has such an address on these machines, and the packets go to the public host."""
    everywhere.names["static.geekai.co"] = [address]

    fact = await everywhere.fetch(succeeded_task())

    assert fact.status is FileStatus.STORED
    [request] = everywhere.requests
    assert ipaddress.ip_address(request.url.host) == ipaddress.ip_address(address)
    assert request.headers["Host"] == "static.geekai.co"
    assert request.extensions["sni_hostname"] == "static.geekai.co"


@pytest.mark.parametrize(
    "address",
    ["64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:a00:1::1", "::ffff:10.0.0.1", "fdfe::1"],
)
async def test_a_private_address_inside_another_is_judged_as_itself(net: Net, address: str) -> None:
    net.names["static.geekai.co"] = [address]

    assert await download_refusal(net, succeeded_task()) == INSIDE
    assert net.requests == []


@pytest.mark.parametrize("host", ["198.18.0.7", "198.18.7", "[64:ff9b::c612:7]", "[::ffff:c612:7]"])
async def test_an_address_of_the_fake_ip_range_in_a_link_is_never_followed(
    net: Net, host: str
) -> None:
    net.names[host.strip("[]")] = ["198.18.0.7"]

    assert await download_refusal(net, succeeded_task(f"https://{host}/a.mp4")) == INSIDE
    assert net.requests == []


async def test_another_address_is_tried_when_one_takes_no_connection(everywhere: Net) -> None:
    net = everywhere
    net.names["static.geekai.co"] = ["2606:4700::1111", PUBLIC]

    async def only_over_ipv4(request: httpx.Request) -> httpx.Response:
        if request.url.host != PUBLIC:
            msg = "no route"
            raise httpx.ConnectError(msg)
        return file_reply(VIDEO)

    net.usual = only_over_ipv4

    assert (await net.fetch(succeeded_task())).status is FileStatus.STORED
    assert [request.url.host for request in net.requests] == ["2606:4700::1111", PUBLIC]


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
        "ftp://static.geekai.co/a.mp4",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https:///a.mp4",
        "https://",
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


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://中国.cn/a.mp4", "xn--fiqs8s.cn"),
        ("https://bücher.example:8443/a.mp4", "xn--bcher-kva.example:8443"),
        ("cdn.example.com/a.mp4", "cdn.example.com"),
        ("cdn.example.com:8443/a.mp4", "cdn.example.com:8443"),
    ],
    ids=ascii,
)
async def test_a_link_is_read_as_a_browser_reads_it(net: Net, url: str, name: str) -> None:
    assert (await net.fetch(succeeded_task(url))).status is FileStatus.STORED
    [request] = net.requests
    assert request.headers["Host"] == name


@pytest.mark.parametrize("host", ["①②⑦.⓪.⓪.①", "127。0。0。1", "localhost", "127.0.0.1"])
async def test_no_spelling_of_a_private_host_is_followed(net: Net, host: str) -> None:
    net.names["127.0.0.1"] = net.names["localhost"] = ["127.0.0.1"]

    assert await download_refusal(net, succeeded_task(f"https://{host}/a.mp4")) == INSIDE
    assert net.requests == []


@pytest.mark.parametrize("to", ["https://u@static.geekai.co/", "https://[::1/", "ftp://x/"])
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


@pytest.mark.parametrize(
    ("link", "service"),
    [
        ("http://localhost:8766/files/a.mp4", "http://127.0.0.1:8766/api/v1"),
        ("http://LOCALHOST:8766/files/a.mp4", "http://127.0.0.1:8766/api/v1"),
        ("http://127.0.0.1:8766/files/a.mp4", "http://localhost:8766/api/v1"),
        ("http://[::1]:8766/files/a.mp4", "http://127.0.0.1:8766/api/v1"),
        ("HTTP://127.0.0.1:8766/files/a.mp4", "http://127.0.0.1:8766/api/v1"),
        ("/files/a.mp4", "http://127.0.0.1:8766/api/v1"),
        ("https://GATEWAY.corp:443/files/a.mp4", "https://gateway.corp/api/v1"),
        ("https://gateway.corp./files/a.mp4", "https://gateway.corp/api/v1"),
        ("//gateway.corp/files/a.mp4", "https://gateway.corp/api/v1"),
        ("/files/a.mp4", "https://gateway.corp/api/v1"),
    ],
)
async def test_the_service_is_known_by_every_spelling_of_its_host(
    net: Net, link: str, service: str
) -> None:
    fact = await net.fetch(succeeded_task(link), service=service)

    assert fact.status is FileStatus.STORED
    [request] = net.requests
    assert str(request.url) == service.replace("/api/v1", "/files/a.mp4")


async def test_a_link_without_a_folder_belongs_to_the_services_api(net: Net) -> None:
    await net.fetch(succeeded_task("files/a.mp4"), service="http://127.0.0.1:8766/api/v1")

    assert [str(request.url) for request in net.requests] == [
        "http://127.0.0.1:8766/api/v1/files/a.mp4"
    ]


@pytest.mark.parametrize(
    "link",
    [
        LINK.replace("https", "http"),
        LINK.replace("https://static.geekai.co", "http://static.geekai.co:80"),
    ],
)
async def test_an_http_link_of_a_public_host_is_tried_as_https(net: Net, link: str) -> None:
    fact = await net.fetch(succeeded_task(link))

    assert fact.status is FileStatus.STORED
    assert [str(request.url) for request in net.requests] == [
        LINK.replace("static.geekai.co", PUBLIC)
    ]


async def test_a_redirect_to_http_is_tried_as_https(net: Net) -> None:
    net.answers["static.geekai.co"] = redirect("http://cdn.test/b.mp4")

    assert (await net.fetch(succeeded_task())).status is FileStatus.STORED
    assert [request.url.scheme for request in net.requests] == ["https", "https"]


async def test_an_http_link_whose_host_has_no_https_says_so(net: Net) -> None:
    async def refused(_: httpx.Request) -> httpx.Response:
        msg = "refused"
        raise httpx.ConnectError(msg)

    net.usual = refused
    assert (
        await download_refusal(net, succeeded_task("http://static.geekai.co/a.mp4"))
        == "The result's link is http, and its host does not answer over https"
    )


def wants_the_key(request: httpx.Request) -> httpx.Response:
    """A gateway whose files need the same key as its API."""
    if request.headers.get("Authorization") == "Bearer sk-mine":
        return file_reply(VIDEO)
    return httpx.Response(401)


async def test_the_services_own_host_is_given_the_key_when_it_asks_for_it(net: Net) -> None:
    async def gateway(request: httpx.Request) -> httpx.Response:
        return wants_the_key(request)

    net.usual, net.api_key = gateway, SecretStr("sk-mine")
    fact = await net.fetch(
        succeeded_task("http://localhost:8766/files/a.mp4"), service="http://127.0.0.1:8766/api/v1"
    )

    assert fact.status is FileStatus.STORED
    assert ["authorization" in request.headers for request in net.requests] == [False, True]


async def test_another_host_is_not_given_the_key_though_it_asks_for_it(everywhere: Net) -> None:
    net = everywhere

    async def elsewhere(request: httpx.Request) -> httpx.Response:
        if request.headers["Host"] == "127.0.0.1:8766":
            return redirect(LINK)
        return wants_the_key(request)

    net.usual, net.api_key = elsewhere, SecretStr("sk-mine")
    service = "http://127.0.0.1:8766/api/v1"
    with pytest.raises(DownloadFailed, match="HTTP 401"):
        await net.fetch(succeeded_task("/files/a.mp4"), service=service)
    with pytest.raises(DownloadFailed, match="HTTP 401"):
        await net.fetch(succeeded_task(), service=service)

    assert not [r for r in net.requests if "authorization" in r.headers]


async def test_another_port_of_this_machine_is_not_the_service(net: Net) -> None:
    with pytest.raises(DownloadFailed):
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
    with pytest.raises(DownloadFailed):
        await net.fetch(succeeded_task())

    assert net.looked_up == []
