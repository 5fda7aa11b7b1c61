"""The connections of an engine: the clients that talk to the service, and the sandbox behind them.

HTTP and the sandbox are imported when they are first needed. Importing this module opens nothing.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import anyio.to_thread

from geekai_video_mcp.config import Settings
from geekai_video_mcp.domain.polling import polls_at_once
from geekai_video_mcp.domain.tasks import FileUpdate, Task
from geekai_video_mcp.domain.tenants import LOCAL_TENANT
from geekai_video_mcp.engine import Connections
from geekai_video_mcp.errors import ServiceUnavailable, hiding_folders
from geekai_video_mcp.media.copies import copies_folder
from geekai_video_mcp.media.sidecars import save_sidecar
from geekai_video_mcp.quoting import quote

if TYPE_CHECKING:
    import httpx

    from geekai_video_mcp.media.downloads import InspectFile, ResultDownloader
    from geekai_video_mcp.provider.client import GeekAIClient

Transport = Callable[[], "httpx.AsyncBaseTransport"]
"""Makes the HTTP transport when the first request needs it."""


@asynccontextmanager
async def run_sandbox(settings: Settings) -> AsyncGenerator[Transport]:
    """Run the sandbox in this process; its transport is made when it is needed.

    Raises:
        StorageUnavailable: its folder in the state folder cannot be used.
    """
    from geekai_sandbox.app import Sandbox
    from geekai_video_mcp.ledger.sqlite.database_file import VARIABLE, folder_error

    folder = settings.sandbox_dir
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as exc:
        what = f"The sandbox's folder {quote(str(folder))} in the state folder ({VARIABLE})"
        raise folder_error(settings.state_dir, exc, what=what) from exc
    sandbox = Sandbox(folder, base_url=settings.base_url)

    def transport() -> "httpx.AsyncBaseTransport":
        import httpx

        # As over a socket, an exception in the sandbox becomes an HTTP 500 and is not raised here.
        return httpx.ASGITransport(sandbox.app, raise_app_exceptions=False)

    async with sandbox:
        yield transport


async def open_connections(
    settings: Settings,
    stack: AsyncExitStack,
    transport: Transport | None,
    clock: Callable[[], float],
    inspect_file: "InspectFile | None",
) -> Connections:
    """Open the HTTP clients; *stack* closes them."""
    # In a thread, because importing HTTP and reading the certificates would block other calls.
    client, downloader = await anyio.to_thread.run_sync(
        _create_clients, settings, transport, clock, inspect_file
    )
    client = await stack.enter_async_context(client)
    downloader = await stack.enter_async_context(downloader)
    return Connections(
        client=client,
        downloader=_TenantsDownloader(downloader, settings, writes_sidecars=True),
        copier=_TenantsDownloader(downloader.into(copies_folder(settings.output_dir)), settings),
    )


class _TenantsDownloader:
    """Downloads for one tenant; only the operator's records of failures name a folder.

    *writes_sidecars*: a file comes with the JSON file that says how it was made. Only the user of
    this machine sees it; other tenants get files by links, and their prompts stay in the ledger.
    """

    def __init__(
        self, downloader: "ResultDownloader", settings: Settings, *, writes_sidecars: bool = False
    ) -> None:
        self._downloader = downloader
        self._hide = settings.tenant != LOCAL_TENANT
        self._writes_sidecars = writes_sidecars and not self._hide

    async def download(self, task: Task) -> FileUpdate:
        with hiding_folders(hide=self._hide):
            update = await self._downloader.download(task)
        if self._writes_sidecars:
            await anyio.to_thread.run_sync(save_sidecar, task, update)
        return update


def _create_clients(
    settings: Settings,
    transport: Transport | None,
    clock: Callable[[], float],
    inspect_file: "InspectFile | None",
) -> "tuple[GeekAIClient, ResultDownloader]":
    from geekai_video_mcp.media import inspection
    from geekai_video_mcp.media.downloads import ResultDownloader
    from geekai_video_mcp.provider.client import GeekAIClient
    from geekai_video_mcp.provider.network_settings import find_wrong_variable

    if transport is None and (problem := find_wrong_variable()):
        raise ServiceUnavailable(
            f"No request can be sent: {problem}",
            code="unreachable",
            remedy="The operator corrects this variable and restarts the server.",
        )
    http_transport = transport() if transport else None
    url = settings.base_url
    return (
        GeekAIClient(
            base_url=url,
            api_key=settings.api_key,
            polls_at_once=polls_at_once(settings.requests_per_second),
            transport=http_transport,
            clock=clock,
        ),
        ResultDownloader(
            settings.output_dir,
            service_url=url,
            api_key=settings.api_key,
            transport=http_transport,
            inspect_file=inspect_file or inspection.inspect_file,
        ),
    )
