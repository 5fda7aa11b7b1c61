"""Fixtures: virtual time for flows, real time where a real process or socket is the point."""

import functools
import ssl
from collections.abc import Generator
from pathlib import Path
from typing import Any, Literal

import anyio.to_thread
import pytest
from pydantic import SecretStr
from trio.testing import MockClock

from geekai_video_mcp.config.hosting import HostingSettings
from support.clock import run_without_thread
from support.counts import Counts, count_from_now
from support.postgres import needs_postgres, new_ledger_database
from support.virtual_loop import VirtualTimeLoop
from support.world import Era, World

DatabaseKind = Literal["sqlite", "postgres"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the flows that are marked so on PostgreSQL as well."""
    marked = {mark.name for mark in metafunc.definition.iter_markers()}
    wanted = "both_databases" in marked and "sqlite_only" not in marked
    if wanted and "database" in metafunc.fixturenames:
        on_postgres = pytest.param("postgres", marks=needs_postgres)
        metafunc.parametrize("database", ["sqlite", on_postgres], indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the second era of a flow that cannot differ by it to `make test-all`.

    And two of three flows on PostgreSQL, where no flow runs in the second era: a database knows
    nothing of it.
    """
    again = {item for item in items if _params(item) == {"database": "postgres", "era": "legacy"}}
    config.hook.pytest_deselected(items=[*again])
    items[:] = [item for item in items if item not in again]
    on_postgres = [item for item in items if _params(item).get("database") == "postgres"]
    for number, item in enumerate(sorted(on_postgres, key=lambda item: item.nodeid)):
        if number % 3:
            item.add_marker("exhaustive")
    for item in items:
        if _params(item).get("era") != "legacy":
            continue
        chosen = [mark.args[0] for mark in item.iter_markers("parametrize")]
        if "era" not in chosen and item.get_closest_marker("both_eras") is None:
            item.add_marker("exhaustive")


def _params(item: pytest.Item) -> dict[str, object]:
    """In which era a flow runs, and on which database, if it has the choice."""
    callspec = getattr(item, "callspec", None)
    params: dict[str, object] = callspec.params if callspec is not None else {}
    return {name: params[name] for name in ("database", "era") if name in params}


@pytest.fixture
def database(request: pytest.FixtureRequest) -> DatabaseKind:
    """Which database has the ledger."""
    return getattr(request, "param", "sqlite")


@pytest.fixture
def anyio_backend(database: DatabaseKind) -> tuple[str, dict[str, Any]]:
    """Trio on a clock that jumps to the next deadline once everything waits.

    Or asyncio on such a clock, which asyncpg needs.
    """
    if database == "postgres":
        return "asyncio", {"loop_factory": VirtualTimeLoop}
    return "trio", {"clock": MockClock(autojump_threshold=0)}


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
def hosting(database: DatabaseKind) -> Generator[HostingSettings]:
    """Where the ledger of a fresh world is."""
    if database == "sqlite":
        yield HostingSettings()
        return
    with new_ledger_database() as url:
        yield HostingSettings(database_url=SecretStr(url))


@pytest.fixture
def world(
    tmp_path: Path,
    era: Era,
    hosting: HostingSettings,
    virtual_time: None,
    shared_certificates: None,
) -> World:
    """A fresh disk, a fresh database and a fresh service."""
    del virtual_time, shared_certificates
    return World(tmp_path, era=era, hosting=hosting)


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch, virtual_time: None) -> Counts:
    """What every server does that is opened from now on."""
    del virtual_time  # which replaces what is counted here
    return count_from_now(monkeypatch)
