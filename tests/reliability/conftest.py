"""These tests use real processes, sockets and time, so one event loop is enough."""

import pytest


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"
