"""Fixtures: virtual time for flows, real time where a real process or socket is the point."""

import functools
import ssl
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from support.clock import run_without_thread, virtual_backend
from support.counts import Counts, count_from_now
from support.world import Era, World


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the second era of a flow that cannot differ by it to `make test-all`."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec is None or callspec.params.get("era") != "legacy":
            continue
        chosen = [mark.args[0] for mark in item.iter_markers("parametrize")]
        if "era" not in chosen and item.get_closest_marker("both_eras") is None:
            item.add_marker("exhaustive")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Trio on a clock that jumps to the next deadline once everything waits."""
    return virtual_backend()


@pytest.fixture
def virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No threads: a clock that jumps while a thread works would jump over it."""
    monkeypatch.setattr(anyio.to_thread, "run_sync", run_without_thread)


@pytest.fixture(params=["auto", "legacy"])
def era(request: pytest.FixtureRequest) -> Era:
    """Which of the protocol's two eras a client speaks; every flow holds in both."""
    return request.param


read_certificates = functools.cache(ssl.create_default_context)
"""To read all certificates for each server would take longer than many of the tests."""


@pytest.fixture
def shared_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """One TLS context for all servers that trust the same certificates; no test connects."""
    monkeypatch.setattr(ssl, "create_default_context", read_certificates)


@pytest.fixture
def world(tmp_path: Path, era: Era, virtual_time: None, shared_certificates: None) -> World:
    """A fresh disk and a fresh service."""
    del virtual_time, shared_certificates
    return World(tmp_path, era=era)


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch, virtual_time: None) -> Counts:
    """What every server does that is opened from now on."""
    del virtual_time  # which replaces what is counted here
    return count_from_now(monkeypatch)
