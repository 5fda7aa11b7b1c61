"""Real processes, sockets and time: one event loop is enough."""

import pytest


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"
