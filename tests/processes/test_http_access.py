"""Who is let in over HTTP: each variant of Host, Origin, target and token, byte for byte."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from support.handshake import HELLO
from support.process import SERVE, http_server, token_header

KEY = {"GEEKAI_API_KEY": "sk-any", "GEEKAI_BASE_URL": "http://127.0.0.1:9/api/v1"}
PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
FOREIGN = "http://evil.test"


@dataclass
class Served:
    """A running server with a key."""

    port: int
    token: str

    async def exchange(self, *parts: bytes) -> bytes:
        """Send the parts on a new connection, and return what comes until it is closed.

        A server that closes before it has read everything resets the connection: that ends the
        answer too, and what came before it counts.
        """
        answer = bytearray()
        stream = await anyio.connect_tcp("127.0.0.1", self.port)
        async with stream:
            with anyio.fail_after(30), suppress(anyio.BrokenResourceError):
                for part in parts:
                    await stream.send(part)
                async for chunk in stream:
                    answer += chunk
        return bytes(answer)

    async def status_of(self, request: bytes) -> int:
        answer = await self.exchange(request)
        return int(answer.split(b" ", 2)[1])

    def request(self, start: str = "GET /sse HTTP/1.1", **changed: str | None) -> bytes:
        """A request with the right Host and token, and changes to them; None leaves one out."""
        usual = {"Host": f"127.0.0.1:{self.port}", "Authorization": f"Bearer {self.token}"}
        headers = {**usual, "Connection": "close", **changed}
        lines = [f"{name.replace('_', '-')}: {v}" for name, v in headers.items() if v is not None]
        return "\r\n".join([start, *lines, "", ""]).encode()


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with serving(tmp_path_factory.mktemp("served")) as server:
        yield server


@asynccontextmanager
async def serving(folder: Path, *options: str) -> AsyncGenerator[Served]:
    command = (*SERVE, *options)
    async with http_server(folder, *command, **KEY) as origin:
        token = token_header(folder).get("Authorization", "").removeprefix("Bearer ")
        yield Served(int(origin.rpartition(":")[2]), token)


READ = "GET /health HTTP/1.1"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:{port}", 200),
        ("localhost:1", 200),
        ("LocalHost:{port}", 200),
        ("[::1]:{port}", 200),
        ("[0:0:0:0:0:0:0:1]", 200),
        ("  localhost  ", 200),
        (None, 400),
        ("", 421),
        ("localhost.", 421),
        ("localhost:", 421),
        ("localhost:80:80", 421),
        ("localhost:99999", 421),
        ("localhost:+80", 421),
        ("localhost:８０", 421),
        ("localhost.evil.test", 421),
        ("127.0.0.1:{port}.evil.test", 421),
        ("127.0.0.1.evil.test:{port}", 421),
        ("evil.test", 421),
        ("evil.test:{port}", 421),
        ("evil.test@127.0.0.1:{port}", 421),
        ("127.0.0.1:{port}@evil.test", 421),
        ("127.0.0.1 :{port}", 421),
        ("127.0.0.1 evil.test", 421),
        ("127.0.0.1,evil.test", 421),
        ("127.1", 421),
        ("0x7f000001", 421),
        ("2130706433", 421),
        ("0.0.0.0:{port}", 421),
        ("[::1", 421),
        ("::1", 421),
        ("[::1%25lo]", 421),
        ("[::ffff:127.0.0.1]", 421),
        ("[::1].evil.test", 421),
        ("http://127.0.0.1", 421),
        ("127.0.0.1/", 421),
        ("127.0.0.1%2eevil.test", 421),
    ],
)
async def test_a_host_is_compared_whole(served: Served, host: str | None, status: int) -> None:
    host = host.replace("{port}", str(served.port)) if host is not None else None

    assert await served.status_of(served.request(READ, Host=host)) == status


async def test_a_second_host_or_none_is_no_host(served: Served) -> None:
    twice = served.request(READ).replace(b"\r\n\r\n", b"\r\nHost: evil.test\r\n\r\n")
    old = served.request("GET /health HTTP/1.0", Host=None)

    assert await served.status_of(twice) == 400
    assert await served.status_of(old) == 421


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:5173", 200),
        ("http://localhost", 200),
        ("http://127.0.0.1:{port}", 200),
        ("http://[::1]:3000", 200),
        ("HTTP://LOCALHOST:5173", 200),
        ("null", 403),
        ("", 403),
        ("https://localhost", 403),
        ("https://localhost.evil.com", 403),
        ("http://localhost.evil.com", 403),
        ("http://localhost:5173.evil.test", 403),
        ("http://localhost.", 403),
        ("http://user@localhost", 403),
        ("http://evil.test@localhost", 403),
        ("http://localhost:5173/", 403),
        ("http://localhost:5173/path", 403),
        ("http://localhost http://evil.test", 403),
        ("http://localhost, http://evil.test", 403),
        ("http://evil.test", 403),
        ("file://", 403),
        ("chrome-extension://abc", 403),
        ("localhost", 403),
        ("//localhost", 403),
    ],
)
async def test_an_origin_is_compared_whole(served: Served, origin: str, status: int) -> None:
    origin = origin.replace("{port}", str(served.port))

    assert await served.status_of(served.request(READ, Origin=origin)) == status


async def test_a_foreign_page_that_sends_no_origin_is_refused(served: Served) -> None:
    """As Chromium 156 sends an image: without Origin, and with this header."""
    image = served.request(READ, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors")
    typed = served.request(READ, Sec_Fetch_Site="none", Sec_Fetch_Mode="navigate")
    twice = served.request(READ, Origin="http://localhost").replace(
        b"\r\n\r\n", b"\r\nOrigin: http://evil.test\r\n\r\n"
    )

    assert await served.status_of(image) == 403
    assert await served.status_of(typed) == 200
    assert await served.status_of(twice) == 403


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer {token}", 404),
        ("bearer {token}", 404),
        ("BEARER   {token}  ", 404),
        (None, 401),
        ("", 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        ("{token}", 401),
        ("Bearer{token}", 401),
        ("Bearer\t{token}", 401),
        ("Basic {token}", 401),
        ("Bearer {token}x", 401),
        ("Bearer {token} x", 401),
        ("Bearer {token},x", 401),
        ("Bearer x{token}", 401),
        ('Bearer "{token}"', 401),
        ("Bearer {half}", 401),
        ("Bearer ｔｏｋｅｎ", 401),
        ("Bearer undefined", 401),
    ],
)
async def test_only_the_whole_token_opens_the_server(
    served: Served, authorization: str | None, status: int
) -> None:
    """404: the session in the path does not exist, which only who is let in hears."""
    if authorization is not None:
        half = served.token[: len(served.token) // 2]
        authorization = authorization.replace("{token}", served.token).replace("{half}", half)
    path = "/messages/?session_id=0123456789abcdef0123456789abcdef"
    post = served.request(
        f"POST {path} HTTP/1.1",
        Authorization=authorization,
        Content_Type="application/json",
        Content_Length=str(len(PING)),
    )

    assert await served.status_of(post + PING) == status


async def test_two_tokens_are_none(served: Served) -> None:
    request = served.request("GET /nothing HTTP/1.1")
    twice = request.replace(b"\r\n\r\n", b"\r\nAuthorization: Bearer wrong\r\n\r\n")

    assert await served.status_of(request) == 404
    assert await served.status_of(twice) == 401


PATHS = [
    "/mcp",
    "/mcp/",
    "/%6dcp",
    "//mcp",
    "/./mcp",
    "/sse",
    "/messages/",
    "/messages",
    "/",
    "/nothing",
    "/health/",
    "//health",
    "/health/../mcp",
    "/mcp?/health",
    "/.well-known",
    "/%2ewell-known/../mcp",
    "/register",
]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "QUERY"])
async def test_nothing_but_health_is_served_without_a_token(served: Served, method: str) -> None:
    found = {
        path: await served.status_of(
            served.request(f"{method} {path} HTTP/1.1", Authorization=None, Content_Length="0")
        )
        for path in PATHS
    }
    if method in {"GET", "HEAD"}:  # decoded, it is a path below /.well-known/, where nothing is
        assert found.pop("/%2ewell-known/../mcp") == 404

    assert set(found.values()) == {401}


async def test_health_and_an_empty_well_known_are_for_everyone(served: Served) -> None:
    """A client that reads there that this server has no OAuth reports our 401, and no login."""
    for method, path, status in (
        ("GET", "/health", 200),
        ("HEAD", "/health", 200),
        ("POST", "/health", 401),
        ("GET", "/.well-known/oauth-protected-resource/mcp", 404),
        ("GET", "/.well-known/oauth-authorization-server", 404),
        ("GET", "/.well-known/openid-configuration", 404),
        ("POST", "/.well-known/oauth-protected-resource", 401),
    ):
        request = served.request(
            f"{method} {path} HTTP/1.1", Authorization=None, Content_Length="0"
        )
        assert await served.status_of(request) == status, (method, path)


@pytest.mark.parametrize(
    "target", ["http://evil.test/mcp", "http://127.0.0.1/mcp", "*", "evil.test:443", "mcp"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "CONNECT"])
async def test_a_target_that_is_no_path_is_refused(
    served: Served, method: str, target: str
) -> None:
    request = served.request(f"{method} {target} HTTP/1.1", Content_Length="0")

    assert await served.status_of(request) == 400


async def test_a_401_says_which_header_is_missing_and_where_the_token_is(served: Served) -> None:
    answers = {
        given: (
            await served.exchange(
                served.request(
                    "POST /mcp HTTP/1.1", Authorization=given, Content_Length=str(len(PING))
                )
                + PING
            )
        ).decode()
        for given in (None, "Bearer wrong")
    }

    assert 'www-authenticate: Bearer realm="geekai-video-mcp"\r\n' in answers[None]
    assert 'error="invalid_token"' in answers["Bearer wrong"]
    for answer in answers.values():
        content = json.loads(answer.partition("\r\n\r\n")[2])
        assert "Authorization: Bearer TOKEN" in content["error_description"]
        assert "geekai-video-mcp token" in content["error_description"]
        assert "http-token" not in answer
        assert served.token not in answer


async def test_a_pipelined_request_needs_a_token_of_its_own(served: Served) -> None:
    first = served.request("GET /nothing HTTP/1.1", Connection=None)
    second = served.request("GET /nothing HTTP/1.1", Authorization=None)
    answer = await served.exchange(first + second)

    assert answer.count(b"HTTP/1.1 404 ") == 1
    assert answer.count(b"HTTP/1.1 401 ") == 1


async def test_without_a_token_no_body_is_asked_for(served: Served) -> None:
    request = served.request(
        "POST /mcp HTTP/1.1",
        Authorization=None,
        Expect="100-continue",
        Content_Length="24000000",
    )
    answer = await served.exchange(request)

    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"100 Continue" not in answer


async def test_a_page_of_this_machine_connects_as_chromium_does(served: Served) -> None:
    """The headers are those that Chromium 156 sent from http://localhost:5599."""
    page = {
        "Origin": "http://localhost:5599",
        "Referer": "http://localhost:5599/",
        "Sec_Fetch_Dest": "empty",
        "Sec_Fetch_Mode": "cors",
        "Sec_Fetch_Site": "cross-site",
    }
    asked = "authorization,content-type,mcp-method,mcp-name,mcp-protocol-version,mcp-session-id"
    preflights = {
        method: (
            await served.exchange(
                served.request(
                    f"OPTIONS {path} HTTP/1.1",
                    **page,
                    Authorization=None,
                    Access_Control_Request_Method=method,
                    Access_Control_Request_Headers=asked,
                )
            )
        ).decode()
        for method, path in (("POST", "/mcp"), ("DELETE", "/mcp"), ("GET", "/sse"))
    }
    hello = json.dumps(HELLO)
    headers = {
        **page,
        "Accept": "application/json, text/event-stream",
        "Content_Type": "application/json",
        "Content_Length": str(len(hello)),
    }
    post = served.request("POST /mcp HTTP/1.1", **headers)
    connected = (await served.exchange(post + hello.encode())).decode()
    stranger = served.request("POST /mcp HTTP/1.1", **headers, Authorization=None)
    refused = (await served.exchange(stranger + hello.encode())).decode()

    for answer in (*preflights.values(), connected, refused):
        assert "access-control-allow-origin: http://localhost:5599\r\n" in answer
        assert "vary: Origin" in answer
    for method, answer in preflights.items():
        assert answer.startswith("HTTP/1.1 200 ")
        assert method in answer.partition("access-control-allow-methods: ")[2].split("\r\n")[0]
    for answer in (connected, refused):
        exposed = answer.partition("access-control-expose-headers: ")[2].split("\r\n")[0]
        assert {"Mcp-Session-Id", "WWW-Authenticate"} <= set(exposed.split(", "))
    assert connected.startswith("HTTP/1.1 200 ")
    assert "mcp-session-id: " in connected
    assert refused.startswith("HTTP/1.1 401 ")


async def test_a_foreign_page_gets_no_preflight(served: Served) -> None:
    for origin in (FOREIGN, "null", "http://localhost.evil.com"):
        request = served.request(
            "OPTIONS /mcp HTTP/1.1",
            Origin=origin,
            Authorization=None,
            Access_Control_Request_Method="POST",
        )
        answer = await served.exchange(request)

        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"access-control-" not in answer


@pytest.mark.exhaustive
async def test_noise_is_logged_once_for_each_kind_and_without_tracebacks(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        post = {"Content_Type": "application/json", "Content_Length": str(len(PING))}
        noise = [
            server.request(READ, Host="evil.test"),
            server.request(READ, Origin=FOREIGN),
            server.request(READ, Sec_Fetch_Site="cross-site"),
            server.request("GET http://evil.test/ HTTP/1.1"),
            server.request(Authorization=None),
            server.request(Authorization="Bearer wrong"),
            server.request("POST /messages/ HTTP/1.1", **post) + PING,
            server.request("POST /messages/?session_id=x HTTP/1.1", **post) + PING,
            server.request("POST /messages/?session_id=" + "0" * 32 + " HTTP/1.1", **post) + PING,
            server.request("POST /mcp HTTP/1.1", **post) + PING,
            server.request("POST /mcp HTTP/1.1", **post, Mcp_Session_Id="x") + PING,
            server.request("POST /mcp HTTP/1.1", **post) + b"x" * len(PING),
            server.request(READ, Connection="Upgrade", Upgrade="websocket").replace(
                b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"
            ),
            server.request("GET /mcp HTTP/1.1"),
            b"nonsense\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n",
        ]
        for request in noise * 5:
            await server.exchange(request)

    log = (tmp_path / "stderr.log").read_text("utf-8")
    lines = [line for line in log.splitlines() if line.startswith("WARNING:")]
    assert "Traceback" not in log
    assert len(lines) == len(set(lines))
    assert len(lines) <= len(noise)
    assert 'refused a web page of "http://evil.test"' in log
    assert server.token not in log
