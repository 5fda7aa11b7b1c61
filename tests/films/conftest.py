"""Films are joined by real child processes, on real files."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
