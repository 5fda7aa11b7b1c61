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

LIMITING: Final = "GeekAI is limiting the rate of requests"


class Service(Protocol):
    """GeekAI, as `client.GeekAI` is it."""

    async def create(self, media: Media, body: dict[str, object]) -> Observation: ...
    async def get(self, media: Media, task_id: str) -> Observation: ...
    async def list_models(self, page: int) -> ModelsPage: ...


class Fetcher(Protocol):
    """The way of results onto disk, as `artifacts.Artifacts` is it."""

    async def fetch(self, task: Task) -> FileUpdate: ...


@dataclass(frozen=True, kw_only=True)
class Outside:
    """What lies beyond this process."""

    service: Service
    fetcher: Fetcher


class News:
    """Wakes whoever waits for a task; the ledger, not the news, says what happened."""

    def __init__(self) -> None:
        self._events: dict[str | None, anyio.Event] = {}

    def of(self, task_id: str | None) -> anyio.Event:
        """Set at the task's next change, for None at any task's. Take it before reading."""
        return self._events.setdefault(task_id, anyio.Event())

    def tell(self, task_id: str) -> None:
        for who in (task_id, None):
            if event := self._events.pop(who, None):
                event.set()


@dataclass(kw_only=True)
class Means:
    """Shared by the parts of one engine."""

    ledger: Ledger
    owners: ProcessRegistry
    service: str
    """Which service and key this engine works for; see `config.Settings.account`."""
    limits: Limits | None
    """The caps on what is asked of the service; None for none."""
    connect: Callable[[], Awaitable[Outside]]
    clock: Callable[[], float]
    """Unix seconds, UTC."""
    news: News = field(default_factory=News)
    _outside: Outside | None = None
    _turn: anyio.Lock = field(default_factory=anyio.Lock)

    async def outside(self) -> Outside:
        """The service and the way of results; made when first needed, for it is heavy.

        Raises:
            ServiceUnavailable: it cannot be made, as with a bad SSL_CERT_FILE or a proxy.
        """
        async with self._turn:
            if self._outside is None:
                try:
                    self._outside = await self.connect()
                except Exception as exc:
                    # Of any kind: a certificate file, a proxy's address, a package for SOCKS.
                    kind = getattr(exc, "strerror", None) or type(exc).__name__
                    reason = (
                        f"No connection can be prepared ({kind}); the operator checks the proxy"
                        " and certificate variables (ALL_PROXY, HTTPS_PROXY, SSL_CERT_FILE)"
                    )
                    raise ServiceUnavailable(reason, code="unreachable") from exc
            return self._outside

    async def settle(self, task_id: str, seen: Observation) -> Task:
        """`Ledger.record_outcome`, and word of it."""
        task = await self.ledger.record_outcome(task_id, seen)
        self.news.tell(task_id)
        return task

    async def change(self, task_id: str, change: Callable[[Task], Task]) -> Task:
        """`Ledger.change`, and word of it."""
        task = await self.ledger.change(task_id, change)
        self.news.tell(task_id)
        return task

    async def claim(self, task_id: str, change: Callable[[Task], Task]) -> Task:
        """`Ledger.claim`, and word of it."""
        task = await self.ledger.claim(task_id, change)
        self.news.tell(task_id)
        return task

    async def take(self, *, ahead: bool = False) -> float:
        """Take the right to send one request now, of the budget that all processes share.

        Gives 0.0, or the seconds to wait before asking again; see `typical_duration.take`.
        """
        spend = partial(pace.take_token, at=self.clock(), priority=ahead)
        return await self.ledger.update_budget(self.service, spend)

    async def hold(self, seconds: float | None) -> None:
        """Keep all processes from sending, as a 429 has asked; None if it named no time."""
        at = self.clock()
        # A courtesy: it must not stand in the way of the record of what else happened.
        with suppress(StorageUnavailable):
            await self.ledger.update_budget(
                self.service, lambda now: (pace.pause(now, at=at, seconds=seconds), None)
            )

    async def look(self, media: Media, provider_task_id: str) -> Observation:
        """One look at a task. Raises what `client.GeekAI.get` does."""
        outside = await self.outside()
        try:
            return await outside.service.get(media, provider_task_id)
        except ServiceUnavailable as exc:
            if exc.code == RATE_LIMITED:
                await self.hold(exc.retry_after_seconds)
            raise

    async def look_now(self, media: Media, provider_task_id: str) -> Observation:
        """One look that somebody waits for: ahead of the others, and not while none may go.

        Raises:
            ServiceUnavailable: nobody may ask now; otherwise as `look`.
        """
        if held := await self.take(ahead=True):
            raise ServiceUnavailable(LIMITING, code=RATE_LIMITED, retry_after_seconds=held)
        return await self.look(media, provider_task_id)
