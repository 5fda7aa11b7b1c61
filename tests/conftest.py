"""For every test: the order, what `make test` leaves out, the loop, settings, and databases."""

import os
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest

from support.ledgers import LedgerPlace
from support.postgres import NO_POSTGRES, needs_postgres, new_database, new_ledger_database

WHOLE_PROGRAM: Final = frozenset({"downloads", "films", "flows", "processes", "sandbox"})
"""Folders of tests which each start a server, a program or a renderer."""
MOST_VALUES: Final = 6
"""Of such a test that is tried with more values, `make test` takes about so many."""
LONG_FILES: Final = frozenset({"clients", "load", "packaging", "processes", "reliability"})
"""Folders whose files take longest."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--most-values",
        type=int,
        default=MOST_VALUES,
        help="of a test that starts a program, about so many values are not exhaustive",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put long files first, and leave most of many values of one test to `make test-all`.

    A worker that takes a long file last would work alone at the end. The values that are taken
    are evenly spread over all of them.
    """
    items.sort(key=lambda item: _folder(item) not in LONG_FILES)
    most: int = config.option.most_values
    tried: dict[tuple[str, object], list[pytest.Item]] = defaultdict(list)
    for item in items:
        if _folder(item) in WHOLE_PROGRAM and item.get_closest_marker("exhaustive") is None:
            # Each database apart: of two in turn, every second value would be of one of them.
            callspec = getattr(item, "callspec", None)
            database = callspec.params.get("database") if callspec is not None else None
            tried[item.nodeid.partition("[")[0], database].append(item)
    for same in tried.values():
        every = -(-len(same) // most)
        for number, item in enumerate(sorted(same, key=lambda item: item.nodeid)):
            if number % every:
                item.add_marker("exhaustive")


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).parts[0]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was not tried for want of a database, just before the last line."""
    skipped: list[pytest.TestReport] = terminalreporter.getreports("skipped")
    count = sum(NO_POSTGRES in str(report.longrepr) for report in skipped)
    if count:
        terminalreporter.write_line(f"note: {count} tests were skipped: {NO_POSTGRES}")


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop, unless a folder or a module says otherwise."""
    return "asyncio"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=needs_postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[LedgerPlace]:
    """Where a new ledger is, in each of the databases in turn."""
    if request.param == "sqlite":
        yield LedgerPlace(tmp_path / "state")
        return
    with new_ledger_database() as url:
        yield LedgerPlace(tmp_path / "state", url)


@pytest.fixture(autouse=True, scope="session")
def no_settings_file_of_this_user() -> None:
    """For the programs that inherit this process's environment."""
    os.environ["GEEKAI_SETTINGS_FILE"] = os.devnull


@pytest.fixture
def database_url() -> Generator[str]:
    """The address of a PostgreSQL database without tables."""
    with new_database() as url:
        yield url


@pytest.fixture
def ledger_url() -> Generator[str]:
    """The address of a PostgreSQL database with the tables of an empty ledger."""
    with new_ledger_database() as url:
        yield url
