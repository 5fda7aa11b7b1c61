"""The server behind nginx with `deploy/nginx.conf`: TLS, a prefix, streams, limits, a crowd."""

import re
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from geekai_video_mcp.config.write_tokens import add_token
from support.handshake import HELLO
from support.nginx import nginx_before
from support.process import SERVE, http_client, http_server, run_cli, token_header
from support.provider import HELD_PREFIX, Provider, running_provider
from support.sampling import sample
from support.team_server import team_settings
from support.world import Era, call, structured, text

PROXY = {
    "GEEKAI_TRUSTED_PROXIES": "127.0.0.1",
    "GEEKAI_ALLOWED_HOSTS": "video.example.com",
    "GEEKAI_MAX_CALLS_PER_MINUTE": "100000",
}
CLIENTS = 200
CALL: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "list_video_tasks", "arguments": {}},
}


@dataclass(frozen=True, kw_only=True)
class Site:
    """A server and the proxy before it."""

    url: str
    """As clients see it, with the prefix."""
    headers: dict[str, str]
    certificate: Path
    service: Provider

    @asynccontextmanager
    async def http(self) -> AsyncGenerator[httpx.AsyncClient]:
        trusted = ssl.create_default_context(cafile=self.certificate)
        headers = {"Accept": "application/json, text/event-stream", **self.headers}
        async with httpx.AsyncClient(
            base_url=self.url, headers=headers, verify=trusted, timeout=60
        ) as client:
            yield client


@asynccontextmanager
async def hosted(folder: Path, *, at_root: bool = False) -> AsyncGenerator[Site]:
    add_token(team_settings(folder), "alice", "alice", {})  # it does not start without one
    async with (
        running_provider() as service,
        http_server(folder, *SERVE, **service.settings, **PROXY) as origin,
    ):
        with nginx_before([origin], folder / "nginx", at_root=at_root) as (url, certificate):
            yield Site(
                url=url,
                headers=token_header(folder),
                certificate=certificate,
                service=service,
            )


WAYS: list[tuple[str, Era, bool]] = [
    ("/mcp", "auto", False),
    ("/mcp", "legacy", False),
    ("/sse", "auto", False),
    ("/mcp", "auto", True),
    ("/sse", "legacy", True),
]


@pytest.mark.parametrize(("path", "era", "at_root"), sample(WAYS, every=2))
async def test_a_client_makes_a_video_and_sees_it_proceed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, era: Era, *, at_root: bool
) -> None:
    """Progress that came with the answer alone would be a stream that the proxy has held back."""
    messages: list[str | None] = []
    async with hosted(tmp_path, at_root=at_root) as site:
        monkeypatch.setenv("SSL_CERT_FILE", str(site.certificate))

        async def listen(progress: float, total: float | None, message: str | None) -> None:
            del progress, total
            messages.append(message)
            site.service.released.add(prompt)

        prompt = f"{HELD_PREFIX} a fox"
        async with http_client(site.url + path, headers=site.headers, era=era) as client:
            started = structured(await call(client, "generate_video", prompt=prompt))
            done = await client.call_tool(
                "get_video_task",
                {"task_id": started["task_id"], "wait_seconds": 45},
                progress_callback=listen,
            )

    assert messages
    assert structured(done)["task_status"] == "succeed"


async def test_probes_and_limits_are_as_the_documents_say(tmp_path: Path) -> None:
    async with hosted(tmp_path) as site, site.http() as client:
        health = await client.get("/health")
        ready = await client.get("/ready")
        metrics = await client.get("/metrics")
        too_long = await client.post("/mcp", content=b" " * 26_000_000)
        largest = await client.post("/mcp", content=b" " * 23_000_000)
        client.headers.pop("Authorization")
        stranger = await client.post("/mcp", json=HELLO)
        spoofed = await client.get(
            "/health", headers={"X-Forwarded-Host": "evil.test", "X-Forwarded-Prefix": "/evil"}
        )
        foreign = await client.get("/health", headers={"Host": "evil.test"})

    assert (health.status_code, ready.status_code, metrics.status_code) == (200, 200, 404)
    assert ready.json()["status"] == "ready"
    assert (too_long.status_code, largest.status_code) == (413, 400)  # nginx's, and ours
    assert stranger.status_code == 401
    assert spoofed.status_code == 200
    assert foreign.status_code == 421


async def test_a_stream_of_events_begins_at_once_and_names_the_prefix(tmp_path: Path) -> None:
    async with (
        hosted(tmp_path) as site,
        site.http() as client,
        client.stream("GET", "/sse") as stream,
    ):
        with anyio.fail_after(10):
            lines = stream.aiter_lines()
            event = [await anext(lines), await anext(lines)]

    assert event[0] == "event: endpoint"
    assert event[1].startswith("data: /studio/messages/?session_id=")


async def test_a_tenants_file_is_fetched_by_its_link_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, added, _ = await run_cli(tmp_path, "tokens", "add", "alice", "--raw")
    token = {"Authorization": f"Bearer {added.strip()}"}
    async with http_server(tmp_path / "nowhere", "sandbox", "--port", "0") as sandbox:
        service = {"GEEKAI_BASE_URL": f"{sandbox}/api/v1", "GEEKAI_API_KEY": "sk-any"}
        async with http_server(tmp_path, *SERVE, **service, **PROXY) as origin:
            with nginx_before([origin], tmp_path / "nginx", at_root=False) as (url, certificate):
                monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
                async with http_client(f"{url}/mcp", headers=token) as client:
                    made = structured(
                        await call(client, "generate_video", prompt="a fox", size="320x180", fps=12)
                    )
                    done = await call(
                        client, "get_video_task", task_id=made["task_id"], wait_seconds=45
                    )
                link = re.search(rf"{url}/files/[^\s)\"]+", text(done))
                assert link, text(done)
                async with httpx.AsyncClient(
                    verify=ssl.create_default_context(cafile=certificate)
                ) as browser:
                    part = await browser.get(link[0], headers={"Range": "bytes=4-7"})
                    metrics = await browser.get(f"{origin}/metrics", headers=token)
                    cookies = await browser.get(link[0], headers={"Cookie": "a" * 40_000})
                    no_path = await browser.get(f"{link[0]}%00")
                    elsewhere = await browser.get(link[0].replace("/studio/", "/"))
        log = (tmp_path / "nginx" / "access.log").read_text("utf-8")
        errors = (tmp_path / "nginx" / "error.log").read_text("utf-8")

    assert (part.status_code, part.content) == (206, b"ftyp")
    assert part.headers["Content-Type"] == "video/mp4"
    assert metrics.status_code == 403
    assert "operator's own token" in metrics.json()["error_description"]
    assert "/studio/mcp" in log
    assert (cookies.status_code, no_path.status_code, elsewhere.status_code) == (400, 400, 404)
    assert "/studio/files/" not in log
    assert "/files/" not in errors


async def test_two_hundred_clients_at_once_are_served(tmp_path: Path) -> None:
    statuses: list[int] = []

    async def converse(site: Site) -> None:
        async with site.http() as client:
            opened = await client.post("/mcp", json=HELLO)
            statuses.append(opened.status_code)
            if opened.status_code == 429:
                return
            client.headers["Mcp-Session-Id"] = opened.headers["Mcp-Session-Id"]
            answers = [await client.post("/mcp", json=CALL) for _ in range(3)]
            statuses.extend(answer.status_code for answer in answers)

    async with hosted(tmp_path) as site, anyio.create_task_group() as crowd:
        for _ in range(CLIENTS):
            crowd.start_soon(converse, site)

    assert set(statuses) <= {200, 429}
    assert len(statuses) >= CLIENTS
    assert statuses.count(200) > CLIENTS
