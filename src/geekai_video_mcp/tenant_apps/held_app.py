"""The record of one `App` of a tenant: what it was opened with, and whether it may be closed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import anyio

from geekai_video_mcp.app import App
from geekai_video_mcp.config import Settings
from geekai_video_mcp.domain.films import LOCAL_ACCOUNT
from geekai_video_mcp.domain.tenants import LOCAL_TENANT, Principal

Key = tuple[str, str]
"""A tenant and an account."""
Unfinished = Mapping[str, Collection[str]]
"""The accounts of the tasks that a server has to work on, by tenant."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a principal's `App` is opened with."""

    settings: Settings
    may_import: bool

    @property
    def key(self) -> Key:
        return self.settings.tenant, self.settings.account


@dataclass(eq=False, kw_only=True)
class HeldApp:
    """An `App` that is being opened, is open, or is being closed."""

    principal: Principal
    terms: Terms
    app: App | None = None
    error: Exception | None = None
    """Why it could not be opened."""
    ready: anyio.Event = field(default_factory=anyio.Event)
    """Set when it is open, or cannot be."""
    closing: anyio.Event = field(default_factory=anyio.Event)
    closed: anyio.Event = field(default_factory=anyio.Event)
    users: int = 0
    """Requests that are being handled with it."""
    unused_since: float = field(default_factory=anyio.current_time)
    outdated: bool = False
    """Whether it has to be opened anew for what the tokens file says now."""

    def has_nothing_to_do(self, unfinished: Unfinished, *, since: float) -> bool:
        """Whether it may be closed: unused *since* then, and without a task to work on."""
        tenant, account = self.terms.key
        if tenant == LOCAL_TENANT or self.app is None or self.closing.is_set():
            return False
        if {account, LOCAL_ACCOUNT} & {*unfinished.get(tenant, ())}:
            return False
        return not self.users and self.unused_since <= since
