"""What every part of the engine works with: the record, the clock, the way out, the news."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

import anyio

from geekai_video_mcp import pace
from geekai_video_mcp.admission import Limits
from geekai_video_mcp.errors import RATE_LIMITED, ServiceUnavailable, StorageUnavailable
from geekai_video_mcp.ledger import Ledger, ProcessRegistry
from geekai_video_mcp.lifecycle import FileUpdate, Media, Observation, Task
from geekai_video_mcp.wire import ModelsPage

RATE_LIMIT_MESSAGE: Final = "GeekAI is limiting the rate of requests"


class ProviderClient(Protocol):
    """GeekAI, as `client.GeekAIClient` is it."""

    async def create_task(self, media: Media, body: dict[str, object]) -> Observation: ...
    async def get_task(self, media: Media, task_id: str) -> Observation: ...
    async def list_models(self, page: int) -> ModelsPage: ...


class Downloader(Protocol):
    """The way of results onto disk, as `artifacts.ResultDownloader` is it."""

    async def download(self, task: Task) -> FileUpdate: ...


@dataclass(frozen=True, kw_only=True)
class Connections:
    """What lies beyond this process."""

    client: ProviderClient
    downloader: Downloader


class ChangeSignals:
    """Wakes whoever waits for a task; the ledger, not the news, says what happened."""

    def __init__(self) -> None:
        self._events: dict[str | None, anyio.Event] = {}

    def event_for(self, task_id: str | None) -> anyio.Event:
        """Set at the task's next change, for None at any task's. Take it before reading."""
        return self._events.setdefault(task_id, anyio.Event())

    def notify(self, task_id: str) -> None:
        for who in (task_id, None):
            if event := self._events.pop(who, None):
                event.set()


@dataclass(kw_only=True)
class EngineContext:
    """Shared by the parts of one engine."""

    ledger: Ledger
    processes: ProcessRegistry
    account: str
    """Which service and key this engine works for; see `config.Settings.account`."""
    limits: Limits | None
    """The caps on what is asked of the service; None for none."""
    connect: Callable[[], Awaitable[Connections]]
    clock: Callable[[], float]
    """Unix seconds, UTC."""
    signals: ChangeSignals = field(default_factory=ChangeSignals)
    _connections: Connections | None = None
    _connect_lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def connections(self) -> Connections:
        """The service and the way of results; made when first needed, for it is heavy.

        Raises:
            ServiceUnavailable: it cannot be made, as with a bad SSL_CERT_FILE or a proxy.
        """
        async with self._connect_lock:
            if self._connections is None:
                try:
                    self._connections = await self.connect()
                except Exception as exc:
                    # Of any kind: a certificate file, a proxy's address, a package for SOCKS.
                    kind = getattr(exc, "strerror", None) or type(exc).__name__
                    reason = (
                        f"No connection can be prepared ({kind}); the operator checks the proxy"
                        " and certificate variables (ALL_PROXY, HTTPS_PROXY, SSL_CERT_FILE)"
                    )
                    raise ServiceUnavailable(reason, code="unreachable") from exc
            return self._connections

    async def record_outcome(self, task_id: str, seen: Observation) -> Task:
        """`Ledger.record_outcome`, and word of it."""
        task = await self.ledger.record_outcome(task_id, seen)
        self.signals.notify(task_id)
        return task

    async def change(self, task_id: str, change: Callable[[Task], Task]) -> Task:
        """`Ledger.change`, and word of it."""
        task = await self.ledger.change(task_id, change)
        self.signals.notify(task_id)
        return task

    async def claim(self, task_id: str, change: Callable[[Task], Task]) -> Task:
        """`Ledger.claim_part`, and word of it."""
        task = await self.ledger.claim(task_id, change)
        self.signals.notify(task_id)
        return task

    async def acquire_request_slot(self, *, priority: bool = False) -> float:
        """Take the right to send one request now, of the budget that all processes share.

        Gives 0.0, or the seconds to wait before asking again; see `pace.take_token`.
        """
        spend = partial(pace.take_token, at=self.clock(), priority=priority)
        return await self.ledger.update_budget(self.account, spend)

    async def pause_requests(self, seconds: float | None) -> None:
        """Keep all processes from sending, as a 429 has asked; None if it named no time."""
        at = self.clock()
        # A courtesy: it must not stand in the way of the record of what else happened.
        with suppress(StorageUnavailable):
            await self.ledger.update_budget(
                self.account, lambda task: (pace.pause(task, at=at, seconds=seconds), None)
            )

    async def poll(self, media: Media, provider_task_id: str) -> Observation:
        """One look at a task. Raises what `client.GeekAIClient.get_task` does."""
        outside = await self.connections()
        try:
            return await outside.client.get_task(media, provider_task_id)
        except ServiceUnavailable as exc:
            if exc.code == RATE_LIMITED:
                await self.pause_requests(exc.retry_after_seconds)
            raise

    async def poll_now(self, media: Media, provider_task_id: str) -> Observation:
        """One look that somebody waits for: ahead of the others, and not while none may go.

        Raises:
            ServiceUnavailable: nobody may ask now; otherwise as `poll`.
        """
        if held := await self.acquire_request_slot(priority=True):
            raise ServiceUnavailable(
                RATE_LIMIT_MESSAGE, code=RATE_LIMITED, retry_after_seconds=held
            )
        return await self.poll(media, provider_task_id)
