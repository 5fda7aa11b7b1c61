"""By which address a server is reached: what it refuses to start as, names, proxies, prefixes."""

import socket
from ipaddress import ip_network
from pathlib import Path

import anyio
import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from geekai_video_mcp.cli.access import refuse_to_be_open
from geekai_video_mcp.cli.serve import build_parser
from geekai_video_mcp.config.tokens_file import load_tokens_file
from geekai_video_mcp.config.write_tokens import add_token
from geekai_video_mcp.errors import ConfigError
from geekai_video_mcp.server.http import bind_address, trust_addresses
from geekai_video_mcp.server.http.proxies import ProxyHeaders
from support.process import SERVE, http_client, http_server, run_cli
from support.team_server import team_server, team_settings

KEY = {"GEEKAI_API_KEY": "sk-the-operators-own-key", "GEEKAI_BASE_URL": "http://127.0.0.1:9/v1"}
ALLOWED = {"GEEKAI_ALLOWED_HOSTS": "video.example.com host.docker.internal [2001:DB8:0:0::1]"}
TRUSTED = {**KEY, **ALLOWED, "GEEKAI_TRUSTED_PROXIES": "127.0.0.1 10.0.0.0/8"}
PROXY = {"GEEKAI_TRUSTED_PROXIES": "127.0.0.1"}
LOOPBACK_NAMES = {"GEEKAI_ALLOWED_HOSTS": "LOCALHOST 127.0.0.1 [::1]"}
LOOPBACK_URL = {"GEEKAI_PUBLIC_URL": "http://127.0.0.1:8080/video"}
PUBLIC = {"GEEKAI_PUBLIC_URL": "https://video.example.com"}
OAUTH = {**PUBLIC, "GEEKAI_OAUTH_ISSUER": "https://login.example.com"}
NEEDS_TOKENS, NEEDS_HOSTS, NO_TOKEN = "tokens add NAME", "GEEKAI_ALLOWED_HOSTS", "--no-token"


def make_token(folder: Path) -> str:
    """A token of alice, which is there before the server starts."""
    return add_token(team_settings(folder), "alice", "alice", {}).token


def refusal_of(folder: Path, *options: str, **variables: str) -> str:
    """Why a server with these options and variables does not start; empty if it does."""
    arguments = build_parser("serve").parse_args([*SERVE[1:], *options])
    settings = team_settings(folder, **variables)
    try:
        refuse_to_be_open(arguments, settings, load_tokens_file(settings))
    except ConfigError as exc:
        return exc.message
    return ""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "[2001:db8::7]"])  # noqa: S104
@pytest.mark.parametrize(
    ("options", "variables", "has_token", "missing"),
    [
        ((), {}, False, {NEEDS_TOKENS, NEEDS_HOSTS}),
        ((), KEY, False, {NEEDS_TOKENS, NEEDS_HOSTS}),
        ((), KEY, True, {NEEDS_HOSTS}),
        ((), {**KEY, **ALLOWED}, False, {NEEDS_TOKENS}),
        ((), {**KEY, **OAUTH}, False, {NEEDS_HOSTS}),
        (("--no-token",), {**KEY, **ALLOWED}, True, {NO_TOKEN}),
        (("--no-token",), {}, False, {NEEDS_TOKENS, NEEDS_HOSTS, NO_TOKEN}),
        ((), {**KEY, **ALLOWED}, True, set[str]()),
        ((), ALLOWED, True, set[str]()),
        ((), {**KEY, **ALLOWED, **OAUTH}, False, set[str]()),
    ],
)
def test_everything_that_is_missing_is_named_at_once(
    tmp_path: Path,
    host: str,
    options: tuple[str, ...],
    variables: dict[str, str],
    *,
    has_token: bool,
    missing: set[str],
) -> None:
    if has_token:
        make_token(tmp_path)
    said = refusal_of(tmp_path, "--host", host, *options, **variables)

    assert {each for each in (NEEDS_TOKENS, NEEDS_HOSTS, NO_TOKEN) if each in said} == missing
    assert bool(said) == bool(missing)
    assert f"--host {host}" in said or not said


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
@pytest.mark.parametrize(
    ("options", "variables", "has_token", "missing"),
    [
        ((), {**KEY, **ALLOWED}, False, {NEEDS_TOKENS}),
        ((), {**KEY, **PUBLIC}, False, {NEEDS_TOKENS}),
        ((), {**KEY, **PROXY}, False, {NEEDS_TOKENS}),
        ((), ALLOWED, False, {NEEDS_TOKENS}),
        ((), {**ALLOWED, **PUBLIC, **PROXY}, False, {NEEDS_TOKENS}),
        ((), {**LOOPBACK_NAMES, **PROXY}, False, {NEEDS_TOKENS}),
        (("--no-token",), {**KEY, **PUBLIC}, False, {NEEDS_TOKENS, NO_TOKEN}),
        (("--no-token",), PROXY, True, {NO_TOKEN}),
        (("--no-token",), {**KEY, **OAUTH}, False, {NO_TOKEN}),
        ((), {**KEY, **ALLOWED, **PUBLIC, **PROXY}, True, set[str]()),
        ((), {**KEY, **OAUTH}, False, set[str]()),
        ((), {**KEY, **LOOPBACK_NAMES, **LOOPBACK_URL}, False, set[str]()),
        (("--no-token",), {**KEY, **LOOPBACK_NAMES, **LOOPBACK_URL}, False, set[str]()),
        ((), KEY, False, set[str]()),
    ],
)
def test_on_loopback_a_variable_that_lets_others_in_is_named_with_all_that_is_missing(
    tmp_path: Path,
    host: str,
    options: tuple[str, ...],
    variables: dict[str, str],
    *,
    has_token: bool,
    missing: set[str],
) -> None:
    if has_token:
        make_token(tmp_path)
    said = refusal_of(tmp_path, "--host", host, *options, **variables)
    place, _, reason = said.partition("\n")[2].partition(":")
    exposing = {**ALLOWED, **PUBLIC, **PROXY}
    named = {each for each in variables if variables[each] == exposing.get(each)}

    assert {each for each in (NEEDS_TOKENS, NEEDS_HOSTS, NO_TOKEN) if each in reason} == missing
    assert bool(said) == bool(missing)
    assert set(place.replace(" and ", " ").split()) == (named if said else set[str]())


@pytest.mark.parametrize("variables", [{}, KEY])
async def test_an_open_server_does_not_start(tmp_path: Path, variables: dict[str, str]) -> None:
    for host, said in (("0.0.0.0", "other machines reach"), ("example.com", "not a name")):  # noqa: S104
        status, out, err = await run_cli(tmp_path, *SERVE, "--host", host, **variables)

        assert (status, out) == (2, "")
        assert f"--host {host}" in err
        assert said in err
        assert "Traceback" not in err


@pytest.mark.parametrize("variables", [{}, KEY])
async def test_a_server_behind_a_proxy_does_not_start_without_tokens(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    """The operator's own token, which every start with a key makes, is not one of a caller."""
    assert (await run_cli(tmp_path, "token", **variables))[0] == 0
    status, out, err = await run_cli(tmp_path, *SERVE, "--no-token", **variables, **PUBLIC)

    assert (status, out) == (2, "")
    assert "  GEEKAI_PUBLIC_URL: says that others reach this server" in err
    assert NEEDS_TOKENS in err
    assert NO_TOKEN in err
    assert "Traceback" not in err


async def test_an_address_of_another_machine_is_said_to_be_one(tmp_path: Path) -> None:
    make_token(tmp_path)
    status, _, err = await run_cli(tmp_path, *SERVE, "--host", "192.0.2.7", **KEY, **ALLOWED)

    assert status == 2
    assert "--host 192.0.2.7: is no address of this machine" in err


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104
async def test_with_tokens_and_names_others_are_served(tmp_path: Path, host: str) -> None:
    token = make_token(tmp_path)
    options = (*SERVE, "--host", host)
    async with http_server(tmp_path, *options, **ALLOWED) as origin:
        port = int(origin.rpartition(":")[2])
        url = f"http://127.0.0.1:{port}/mcp"
        headers = {"Authorization": f"Bearer {token}", "Host": f"host.docker.internal:{port}"}
        async with http_client(url, headers=headers) as client:
            tools = await client.list_tools()
        async with httpx.AsyncClient() as client:
            refused = await client.post(url, json={})
            foreign = await client.get(f"http://127.0.0.1:{port}/health", headers={"Host": host})
    log = (tmp_path / "stderr.log").read_text("utf-8")

    assert tools.tools
    assert refused.status_code == 401
    assert foreign.status_code == 421
    assert "unencrypted" in log
    assert "tokens list" in log


NAMES = [
    ("video.example.com", True),
    ("video.example.com:443", True),
    ("VIDEO.example.com:8765", True),
    ("host.docker.internal:8765", True),
    ("[2001:db8::1]:8765", True),
    ("[2001:0db8::1]", True),
    ("localhost:8765", True),
    ("video.example.com.", False),
    ("video.example.com.evil.test", False),
    ("evil-video.example.com", False),
    ("a.video.example.com", False),
    ("example.com", False),
    ("0.0.0.0:8765", False),
    ("[::]:8765", False),
]


@pytest.mark.parametrize(("header", "trusted"), NAMES)
def test_the_operators_names_are_trusted_as_host_and_as_origin(
    header: str, *, trusted: bool
) -> None:
    settings = team_settings(Path("/nowhere"), **ALLOWED)
    addresses = trust_addresses(listening="0.0.0.0", allowed=settings.hosting.allowed_hosts)  # noqa: S104

    assert addresses.trust_host(header) is trusted
    assert addresses.trust_origin(f"https://{header}") is (
        trusted and not header.startswith("localhost")
    )
    assert addresses.trust_origin(f"http://{header}") is trusted


async def test_a_name_that_is_not_served_is_told_the_variable(tmp_path: Path) -> None:
    async with team_server(tmp_path, variables=KEY) as server:
        refused = await server.get("/health", Host="host.docker.internal:8765")
    make_token(tmp_path)
    async with team_server(tmp_path, variables={**KEY, **ALLOWED}) as server:
        served = await server.get("/health", Host="host.docker.internal:8765")
        page = await server.get("/health", Origin="https://video.example.com")

    assert refused.status_code == 421
    assert "GEEKAI_ALLOWED_HOSTS" in refused.json()["error_description"]
    assert served.status_code == 200
    assert page.headers["access-control-allow-origin"] == "https://video.example.com"


async def test_the_public_address_is_a_name_of_the_server(tmp_path: Path) -> None:
    token = make_token(tmp_path)
    variables = {**KEY, "GEEKAI_PUBLIC_URL": "https://Video.Example.com/tools"}
    async with team_server(tmp_path, variables=variables) as server:
        served = await server.get("/health", Host="video.example.com")
        seen = await server.who_is(token)

    assert served.status_code == 200
    assert seen["url"] == "https://Video.Example.com/tools"


FORWARDED = {
    "X_Forwarded_Proto": "https",
    "X_Forwarded_Host": "video.example.com",
    "X_Forwarded_Prefix": "/tools/video",
    "X_Forwarded_For": "203.0.113.9",
}


async def test_a_trusted_proxy_says_how_the_client_reached_it(tmp_path: Path) -> None:
    token = make_token(tmp_path)
    async with team_server(tmp_path, variables=TRUSTED) as server:
        through = await server.who_is(token, **FORWARDED)
        chain = await server.who_is(
            token,
            X_Forwarded_Proto="https, http",
            X_Forwarded_Host="video.example.com, 10.0.0.7:8080",
        )
        foreign = await server.post(token, X_Forwarded_Host="evil.test")
        direct = await server.who_is(token)

    assert through["url"] == "https://video.example.com/tools/video"
    assert chain["url"] == "https://video.example.com"
    assert foreign.status_code == 421
    assert direct["url"] == server.origin


async def test_a_sender_that_is_no_trusted_proxy_is_not_believed_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    variables = {**KEY, **ALLOWED, "GEEKAI_TRUSTED_PROXIES": "10.0.0.0/8"}
    token = make_token(tmp_path)
    async with team_server(tmp_path, variables=variables) as server:
        seen = [await server.who_is(token, **FORWARDED) for _ in range(2)]

    assert {each["url"] for each in seen} == {server.origin}
    assert caplog.text.count("GEEKAI_TRUSTED_PROXIES") == 1
    assert '"127.0.0.1"' in caplog.text


PREFIXES = [
    ("/video", "/video"),
    ("/video/", "/video"),
    ("/a/b-c_d.e~f", "/a/b-c_d.e~f"),
    ("/mcp", "/mcp"),
    ("/sse", "/sse"),
    ("/", ""),
    ("video", ""),
    ("//evil.test", ""),
    ("/../x", ""),
    ("/a/./b", ""),
    ("/a b", ""),
    ("https://evil.test", ""),
    ("/a?b", ""),
    ("/a#b", ""),
    ("/%2e%2e", ""),
]


@pytest.mark.parametrize(("sent", "prefix"), PREFIXES)
async def test_a_prefix_is_a_plain_path_or_ignored(tmp_path: Path, sent: str, prefix: str) -> None:
    """Whether the proxy has removed it from the path or not."""
    token = make_token(tmp_path)
    async with team_server(tmp_path, variables=TRUSTED) as server:
        removed = await server.who_is(token, X_Forwarded_Prefix=sent)
        kept = (
            await server.who_is(token, path=f"{prefix}/mcp", X_Forwarded_Prefix=sent)
            if prefix
            else removed
        )

    assert removed["url"] == kept["url"] == server.origin + prefix


@pytest.mark.parametrize("how", ["--root-path", "GEEKAI_PUBLIC_URL", "X-Forwarded-Prefix"])
async def test_an_sse_client_below_a_prefix_reaches_its_messages(tmp_path: Path, how: str) -> None:
    """Its messages go to the address that the first event names."""
    variables, headers, options = dict(TRUSTED), dict[str, str](), tuple[str, ...]()
    if how == "--root-path":
        options = ("--root-path", "/tools/video/")
    elif how == "GEEKAI_PUBLIC_URL":
        variables["GEEKAI_PUBLIC_URL"] = "https://video.example.com/tools/video"
    else:
        headers = {"X_Forwarded_Prefix": "/tools/video"}
    token = make_token(tmp_path)
    async with team_server(tmp_path, *options, variables=variables) as server:
        seen = await server.who_is(token, path="/tools/video/sse", **headers)
        endpoint = await first_event(f"{server.origin}/sse", token, headers)

    assert seen["tenant"] == "alice"
    assert seen["url"].endswith("/tools/video")
    assert endpoint.startswith("/tools/video/messages/?session_id=")


async def first_event(url: str, token: str, headers: dict[str, str]) -> str:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    given["Authorization"] = f"Bearer {token}"
    async with (
        httpx.AsyncClient() as client,
        client.stream("GET", url, headers=given) as response,
    ):
        async for line in response.aiter_lines():
            if line.startswith("data:"):
                return line.removeprefix("data:").strip()
    msg = "the stream has ended"
    raise AssertionError(msg)


@pytest.mark.parametrize("path", ["video", "/a b", "//x", "/../x", "https://x"])
async def test_a_root_path_that_is_no_path_is_refused(tmp_path: Path, path: str) -> None:
    status, _, err = await run_cli(tmp_path, *SERVE, "--root-path", path)

    assert status == 2
    assert "must be a path such as /video" in err


@pytest.mark.parametrize(
    ("sent", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::9]:4711", "2001:db8::9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("10.1.2.3", "10.1.2.3"),
        ("unknown", "127.0.0.1"),
        ("evil, 10.1.2.3", "10.1.2.3"),
        ("", "127.0.0.1"),
    ],
)
async def test_the_client_is_the_last_address_that_is_no_proxy_of_ours(
    sent: str, client: str
) -> None:
    """What stands before it was written by the client."""
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive, send
        seen.append(scope["client"][0])

    async def receive() -> Message:
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: Message) -> None:
        del message

    scope = {
        "type": "http",
        "client": ("127.0.0.1", 1),
        "scheme": "http",
        "path": "/",
        "headers": [(b"host", b"localhost"), (b"x-forwarded-for", sent.encode())],
    }
    proxies = [ip_network("127.0.0.1"), ip_network("10.0.0.0/8")]
    await ProxyHeaders(app, proxies=proxies)(scope, receive, send)

    assert seen == [client]


async def test_the_server_of_one_machine_goes_on_as_before(tmp_path: Path) -> None:
    """Without tokens and names, on loopback: the sandbox asks nobody for anything."""
    async with team_server(tmp_path) as server:
        seen = await server.who_is(**FORWARDED)
        health = await server.get("/health")

    assert seen == {"tenant": "local", "key": "", "url": server.origin}
    assert health.json()["status"] == "ok"


def test_both_kinds_of_addresses_are_listened_on_together() -> None:
    with (
        bind_address("::", 0) as listener,
        socket.create_connection(("127.0.0.1", listener.getsockname()[1]), timeout=5),
    ):
        pass
