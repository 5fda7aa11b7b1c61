"""Fixtures: virtual time for flows, real time where a real process or socket is the point."""

from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from trio.testing import MockClock

from support.clock import run_without_thread
from support.world import Era, World


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Trio on a clock that jumps to the next deadline once everything waits."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.fixture
def virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No threads: a clock that jumps while a thread works would jump over it."""
    monkeypatch.setattr(anyio.to_thread, "run_sync", run_without_thread)


@pytest.fixture(params=["auto", "legacy"])
def era(request: pytest.FixtureRequest) -> Era:
    """Which of the protocol's two eras a client speaks; every flow holds in both."""
    return request.param


@pytest.fixture
def world(tmp_path: Path, era: Era, virtual_time: None) -> World:
    """A fresh disk and a fresh service."""
    del virtual_time
    return World(tmp_path, era=era)
