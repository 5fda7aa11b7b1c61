"""Authorisation servers that nobody here wrote, and the SDK's own client that logs in at them."""

import json
import re
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urljoin, urlsplit

import anyio
import httpx
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from geekai_video_mcp.domain.tenants import oauth_tenant
from support import ROOT
from support.missing import skip_test
from support.team_server import TeamServer, team_server

HERE: Final = Path(__file__).parent
NODE: Final = HERE / "node_modules" / ".bin" / "node"
OIDC_PROVIDER: Final = HERE / "node_modules" / "oidc-provider"
MOCK: Final = ROOT / ".venv-oidc" / "bin" / "python"
CLIENT: Final = ("resource-server", "a-secret-of-32-bytes-or-more-000")
CALLBACK: Final = "http://127.0.0.1:1/callback"
KEY: Final = {
    "GEEKAI_API_KEY": "sk-the-operators-own-key",
    "GEEKAI_BASE_URL": "http://127.0.0.1:9/v1",
}


def skip_unless_installed(tool: Path, made_by: str, config: pytest.Config) -> None:
    if tool.exists():
        return
    absent = f"no {tool.relative_to(ROOT)} here; `{made_by}` installs it"
    if config.getoption("--every-client", default=False):
        pytest.fail(absent)
    skip_test(f"this authorisation server is not installed: {absent}")


@pytest.mark.parametrize("format_of_tokens", ["jwt", "opaque"])
async def test_the_sdks_client_logs_in_at_node_oidc_provider(
    tmp_path: Path, format_of_tokens: str, pytestconfig: pytest.Config
) -> None:
    """By the issuer's keys, or by introspection; found from the challenge of a 401 alone."""
    skip_unless_installed(OIDC_PROVIDER, "make clients", pytestconfig)
    port, issuer_port = free_port(), free_port()
    public, issuer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{issuer_port}"
    errand = {
        "port": issuer_port,
        "resource": f"{public}/mcp",
        "format": format_of_tokens,
        "client": CLIENT,
    }
    command = [str(NODE), str(HERE / "oidc_provider.mjs"), json.dumps(errand)]
    variables = {"GEEKAI_OAUTH_ISSUER": issuer, "GEEKAI_OAUTH_SCOPES": "video"}
    if format_of_tokens == "opaque":
        variables["GEEKAI_OAUTH_CLIENT_ID"], variables["GEEKAI_OAUTH_CLIENT_SECRET"] = CLIENT
    async with (
        running(command, "listening"),
        served(tmp_path, public, variables) as server,
    ):
        alice, token = await log_in(server, "alice")
        again, _ = await log_in(server, "alice")
        bob, _ = await log_in(server, "bob")
        broken = await server.status_of(f"{token}x")

    assert alice == again == {"tenant": oauth_tenant(issuer, "alice"), "key": "", "url": public}
    assert bob["tenant"] == oauth_tenant(issuer, "bob")
    assert broken == 401
    assert token.count(".") == (2 if format_of_tokens == "jwt" else 0)


async def test_a_token_of_oidc_provider_mock_is_verified_by_its_keys(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """It signs no access tokens, so its ID token stands for one, whose audience is the client.

    Here the client calls itself by this server's address.
    """
    skip_unless_installed(MOCK, "make test", pytestconfig)
    port, issuer_port = free_port(), free_port()
    public, issuer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{issuer_port}"
    command = [str(MOCK), "-m", "oidc_provider_mock", "--port", str(issuer_port)]
    variables = {"GEEKAI_OAUTH_ISSUER": issuer}
    async with (
        running(command, f":{issuer_port}"),
        served(tmp_path, public, variables) as server,
    ):
        mine = await id_token(issuer, client_id=f"{public}/mcp", subject="alice")
        other = await id_token(issuer, client_id="https://other.example.com", subject="alice")
        seen = await server.who_is(mine["id_token"])
        statuses = [
            await server.status_of(other["id_token"]),
            await server.status_of(mine["access_token"]),
        ]

    assert seen["tenant"] == oauth_tenant(issuer, "alice")
    assert statuses == [401, 401]


def free_port() -> int:
    """A port that is free now: both servers have to know the other's address beforehand."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def running(command: Sequence[str], said: str) -> AsyncGenerator[None]:
    """Run an authorisation server, which says when it listens, while the block lasts."""
    async with await anyio.open_process(command, stderr=-2) as process:
        assert process.stdout is not None
        reader = BufferedByteReceiveStream(process.stdout)
        try:
            with anyio.fail_after(30):
                await reader.receive_until(said.encode(), 100_000)
            yield
        finally:
            process.kill()


@asynccontextmanager
async def served(
    folder: Path, public: str, variables: dict[str, str]
) -> AsyncGenerator[TeamServer]:
    given = {**KEY, "GEEKAI_PUBLIC_URL": public, **variables}
    port = public.rpartition(":")[2]
    async with team_server(folder, "--port", port, variables=given) as server:
        yield server


class Memory:
    """Where the SDK's client keeps what it has registered and been given."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


async def log_in(server: TeamServer, name: str) -> tuple[dict[str, str], str]:
    """Who the server takes a new client for, at which *name* has logged in; and its token."""
    memory, reached = Memory(), list[str]()

    async def visit(url: str) -> None:
        reached.append(await drive_login(url, name))

    async def report() -> AuthorizationCodeResult:
        query = parse_qs(urlsplit(reached[-1]).query)
        state, issuer = query.get("state", [None])[0], query.get("iss", [None])[0]
        return AuthorizationCodeResult(code=query["code"][0], state=state, iss=issuer)

    url = f"{server.origin}/mcp"
    metadata = OAuthClientMetadata(
        client_name="a client", redirect_uris=[AnyUrl(CALLBACK)], scope="video"
    )
    auth = OAuthClientProvider(url, metadata, memory, visit, report)
    async with (
        create_mcp_http_client(auth=auth) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        result = await client.call_tool("who_am_i", {})
    assert memory.tokens is not None
    assert result.content[0].type == "text"
    return json.loads(result.content[0].text), memory.tokens.access_token


async def drive_login(url: str, name: str) -> str:
    """Log in and consent as a person would in a browser; returns the address that it ends at."""
    async with httpx.AsyncClient(timeout=20) as browser:
        answer = await browser.get(url)
        for _ in range(20):
            while answer.is_redirect:
                url = urljoin(str(answer.request.url), answer.headers["location"])
                if url.startswith(CALLBACK):
                    return url
                answer = await browser.get(url)
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
            action = re.search(r'action="([^"]+)"', answer.text)
            assert prompt, answer.text
            assert action, answer.text
            form = {"prompt": prompt[1], "login": name, "password": "any"}
            answer = await browser.post(urljoin(str(answer.request.url), action[1]), data=form)
    msg = "the login has no end"
    raise AssertionError(msg)


async def id_token(issuer: str, *, client_id: str, subject: str) -> dict[str, str]:
    """What the mock gives to a client of this name after *subject* has logged in."""
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": CALLBACK,
        "scope": "openid",
        "nonce": "n",
        "state": "x",
    }
    async with httpx.AsyncClient(timeout=20) as browser:
        endpoints = (await browser.get(f"{issuer}/.well-known/openid-configuration")).json()
        answer = await browser.post(
            endpoints["authorization_endpoint"], params=query, data={"sub": subject}
        )
        code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "client_id": client_id,
            "client_secret": "any secret",
        }
        answer = await browser.post(endpoints["token_endpoint"], data=form)
    assert answer.is_success, answer.text
    return answer.json()
