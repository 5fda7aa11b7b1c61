"""Whose `App` a request over HTTP gets: that of whoever sent it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import cast

from starlette.requests import Request

from geekai_video_mcp.app import App
from geekai_video_mcp.domain.tenants import Principal
from geekai_video_mcp.errors import ServiceUnavailable
from geekai_video_mcp.server.http.principals import principal_of
from geekai_video_mcp.server.late_app import AppSource
from geekai_video_mcp.tenant_apps import TenantApps

OpenApps = Callable[[], AbstractAsyncContextManager[App | TenantApps]]
"""Opens the `App` of everybody who calls, or of the one tenant that does."""


class RequestApps(AppSource):
    """The `App` of each request, from what the HTTP application holds open for all of them.

    The SDK enters a server's lifespan once per SSE connection, and a paid request must not depend
    on a connection: so that opens nothing.
    """

    def __init__(self) -> None:
        self.opened: App | TenantApps | None = None

    @asynccontextmanager
    async def as_lifespan(self) -> AsyncGenerator[AppSource]:
        if self.opened is None:
            msg = "the HTTP application is not running"
            raise RuntimeError(msg)
        yield self

    @asynccontextmanager
    async def serve(self, request: object) -> AsyncGenerator[App]:
        known = cast("Request", request) if isinstance(request, Request) else None
        principal = principal_of(known)
        if isinstance(self.opened, TenantApps):
            async with self.opened.serve(principal) as app:
                yield app
        else:
            app = await self.find(principal.tenant)
            if app is None or principal != Principal(tenant=principal.tenant):
                why = "This server works for one tenant alone, and the token is another's"
                raise ServiceUnavailable(why, remedy="The operator has to start it for tenants.")
            yield app

    async def find(self, tenant: str) -> App | None:
        """An `App` of *tenant*; None if this server has none for it.

        Raises:
            GeekAIVideoError: it cannot be opened now.
        """
        if isinstance(self.opened, TenantApps):
            return await self.opened.find(tenant)
        app = self.opened
        return app if app is not None and app.tenant == tenant else None
