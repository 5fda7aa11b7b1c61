"""Fixtures: a folder for results, and an internet that obeys."""

import functools
import ssl
from pathlib import Path

import anyio
import anyio.to_thread
import httpx
import pytest

from support.clock import run_without_thread
from support.net import Net

once = functools.cache(ssl.create_default_context)
"""To read all certificates for each fetch would take longer than everything else."""


@pytest.fixture(autouse=True)
def certificates_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssl, "create_default_context", once)


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Net:
    net = Net(tmp_path / "videos")
    monkeypatch.setattr(anyio, "getaddrinfo", net.resolve)
    return net


@pytest.fixture
def everywhere(net: Net, monkeypatch: pytest.MonkeyPatch) -> Net:
    """The internet that answers at every address, and not only at the service's."""

    async def handle(_: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        return await net.answer(request)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle)
    return net


@pytest.fixture(autouse=True)
def no_threads_in_virtual_time(
    anyio_backend: str | tuple[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    if anyio_backend != "asyncio":
        monkeypatch.setattr(anyio.to_thread, "run_sync", run_without_thread)
