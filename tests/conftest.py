"""For every test: what `make test` leaves out, the event loop, and no settings file of the user."""

import os
from collections import defaultdict
from pathlib import Path
from typing import Final

import pytest

WHOLE_PROGRAM: Final = frozenset({"downloads", "films", "flows", "processes", "sandbox"})
"""Folders of tests which each start a server, a program or a renderer."""
MOST_VALUES: Final = 6
"""Of such a test that is tried with more values, `make test` takes about so many."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave most of many values of one test to `make test-all`, evenly over all of them."""
    tried: dict[str, list[pytest.Item]] = defaultdict(list)
    here = Path(__file__).parent
    for item in items:
        whole = item.path.relative_to(here).parts[0] in WHOLE_PROGRAM
        if whole and item.get_closest_marker("exhaustive") is None:
            tried[item.nodeid.partition("[")[0]].append(item)
    for same in tried.values():
        every = -(-len(same) // MOST_VALUES)
        for number, item in enumerate(sorted(same, key=lambda item: item.nodeid)):
            if number % every:
                item.add_marker("exhaustive")


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop, unless a folder or a module says otherwise."""
    return "asyncio"


@pytest.fixture(autouse=True, scope="session")
def no_settings_file_of_this_user() -> None:
    """For the programs that inherit this process's environment."""
    os.environ["GEEKAI_SETTINGS_FILE"] = os.devnull
