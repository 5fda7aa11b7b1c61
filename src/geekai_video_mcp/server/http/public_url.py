"""The address by which the client of the current request reaches this server."""

from contextvars import ContextVar
from typing import Final

PUBLIC_URL: Final[ContextVar[str]] = ContextVar("PUBLIC_URL")
"""Scheme, host and path prefix, without a slash at the end; not set outside a request by HTTP."""
