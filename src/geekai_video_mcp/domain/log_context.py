"""For whom something is being done: what a line of the log says beside its message."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

TENANT: Final[ContextVar[str | None]] = ContextVar("TENANT", default=None)
REQUEST_METHOD: Final[ContextVar[str | None]] = ContextVar("REQUEST_METHOD", default=None)
"""The method of the MCP request, or of the HTTP request if there is no other yet."""


@contextmanager
def log_context(*, tenant: str | None = None, method: str | None = None) -> Generator[None]:
    """What is logged in the block, and by tasks that it starts, is for *tenant* and *method*."""
    former = TENANT.set(tenant or TENANT.get()), REQUEST_METHOD.set(method)
    try:
        yield
    finally:
        TENANT.reset(former[0])
        REQUEST_METHOD.reset(former[1])
