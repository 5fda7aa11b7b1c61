"""What every part of the engine shares: the ledger, the clock, connections, change signals."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

import anyio
import anyio.to_thread

from geekai_video_mcp.domain import polling, waiting
from geekai_video_mcp.domain.admission import Admission
from geekai_video_mcp.domain.catalogue import request_cost
from geekai_video_mcp.domain.leases import acquire_lease
from geekai_video_mcp.domain.lifecycle import needs_watching
from geekai_video_mcp.domain.limits import Limits
from geekai_video_mcp.domain.service_names import is_sandbox, service_name
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.storage import Deleted
from geekai_video_mcp.domain.task_prices import with_price
from geekai_video_mcp.domain.tasks import (
    FileUpdate,
    Media,
    Observation,
    Task,
)
from geekai_video_mcp.engine.counters import Counters, TenantCounters
from geekai_video_mcp.engine.drain import Drain
from geekai_video_mcp.engine.file_copies import FileCopies
from geekai_video_mcp.engine.process_work import ProcessWork
from geekai_video_mcp.engine.signals import ChangeSignals
from geekai_video_mcp.errors import (
    RATE_LIMITED,
    ServiceUnavailable,
    StorageUnavailable,
    TaskNotFound,
    nothing_charged,
)

if TYPE_CHECKING:
    from geekai_video_mcp.ledger import Admit, Change, Ledger
    from geekai_video_mcp.ledger.processes import Processes
    from geekai_video_mcp.provider.wire import ModelsPage

RATE_LIMIT_MESSAGE: Final = "GeekAI is limiting the rate of requests"
OTHER_ACCOUNT: Final = (
    "The task belongs to another service or key; set the GEEKAI_BASE_URL and GEEKAI_API_KEY that"
    " it was created with"
)


class ProviderClient(Protocol):
    """GeekAI's API; `provider.client.GeekAIClient` implements it."""

    async def create_task(self, media: Media, body: dict[str, object]) -> Observation: ...
    async def get_task(self, media: Media, task_id: str) -> Observation: ...
    async def list_models(self, page: int) -> "ModelsPage": ...


class ParentResolver(Protocol):
    """Fetches what finished tasks give; `media.inputs.MediaResolver.resolve_parents` does."""

    async def __call__(self, body: Mapping[str, Any], /) -> Mapping[str, Any]:
        """The body with links and pictures in the place of references to tasks.

        Raises:
            RequestRefused: a task does not have what is wanted of it.
            ServiceUnavailable: it could not be prepared now; another attempt may work.
        """
        ...


class Downloader(Protocol):
    """Downloads results to disk; `media.downloads.ResultDownloader` implements it."""

    async def download(self, task: Task) -> FileUpdate: ...


@dataclass(frozen=True, kw_only=True)
class PlannedPart:
    """A video in a film, and the seconds of it that are kept; None: from the first, to the last."""

    path: str
    start: float | None
    end: float | None
    continues: bool
    """Whether its first frame may be the last one of the part before it."""


@dataclass(frozen=True, kw_only=True)
class JoinPlan:
    """Everything that a film is made of."""

    film: Task
    parts: Sequence[PlannedPart]
    audio: str | None
    """The path of the file whose sound replaces that of the parts."""
    prompt: str
    """That of the first shot, whose words name the file."""


@dataclass(frozen=True, kw_only=True)
class JoinedParts:
    """A film that is joined and stored."""

    file: FileUpdate
    notes: Sequence[str]
    """What was changed in order to join its parts, a sentence each."""


JoinFilm = Callable[[JoinPlan, Callable[[float], None]], Awaitable[JoinedParts]]
"""Joins a film, and reports the share of it that is done; `app` implements it with `media.films`.

Raises a `GeekAIVideoError` that says why it cannot be joined."""


DeleteFile = Callable[[Task], Deleted]
"""Deletes the file of a task and the pictures made of it, in the tenant's folder alone; blocks.

Raises `OSError` if the system refuses it."""


@dataclass(frozen=True, kw_only=True)
class Connections:
    """What reaches outside this process."""

    client: ProviderClient
    downloader: Downloader
    copier: Downloader | None = None
    """Downloads what another machine has stored, as a copy for this one."""


@dataclass(kw_only=True)
class EngineContext:
    """What the parts of one engine share."""

    ledger: "Ledger"
    processes: "Processes"
    account: str
    """Which service and key this engine works for; see `config.Settings.account`."""
    limits: Limits | None
    """The caps on requests to the service; None if there are none."""
    requests_per_second: float
    """The rate of the request budget that all processes share."""
    connect: Callable[[], Awaitable[Connections]]
    clock: Callable[[], float]
    """Unix seconds, UTC."""
    check_folders: Callable[[], None]
    """Raises `StorageUnavailable` if a result could not be saved or tracked now; blocks."""
    join_film: JoinFilm
    resolve_parents: ParentResolver
    delete_file: DeleteFile
    copies: FileCopies | None = None
    """Where files are that other machines have stored; None if the ledger is of one machine."""
    quota_bytes: int | None = None
    """Bytes that the tenant's files may take; None for no quota."""
    keep_days: int | None = None
    """Days after its end until the files of a task are deleted; None for never."""
    may_import: bool = True
    """Whether a task that only the service knows is taken for this tenant's own."""
    work: ProcessWork = field(default_factory=ProcessWork)
    drain: Drain = field(default_factory=Drain)
    """Says that the process is stopping; the engines of one process share it."""
    process_counters: Counters = field(default_factory=Counters)
    signals: ChangeSignals = field(default_factory=ChangeSignals)
    stalls: dict[str, Callable[[Task], Task]] = field(
        default_factory=dict[str, Callable[[Task], Task]]
    )
    """By task: what marks it as stalled while its watch in this process fails."""
    _connections: Connections | None = None
    _connect_lock: anyio.Lock = field(default_factory=anyio.Lock)

    def __post_init__(self) -> None:
        self.counters: TenantCounters = self.process_counters.of_tenant(self.tenant)

    def with_price(self, task: Task) -> Task:
        """A new task with what it costs by the price list; a preview has no price."""
        if is_sandbox(self.account):
            return task
        return with_price(task, request_cost(task.request, media=task.media))

    @property
    def tenant(self) -> str:
        """Whose tasks this engine makes and sees: those of its ledger."""
        return self.ledger.tenant

    @property
    def service(self) -> str:
        """Who answers for this engine's account, as the beginning of a sentence."""
        return service_name(self.account)

    async def get_connections(self) -> Connections:
        """The provider client and the downloader, made on first use because they are heavy.

        Raises:
            ServiceUnavailable: they cannot be made, as with a bad SSL_CERT_FILE or proxy; it
                names the variable, if `connect` has found it.
        """
        if self._connections is not None:
            return self._connections
        async with self._connect_lock:
            if self._connections is None:
                try:
                    self._connections = await self.connect()
                except ServiceUnavailable:
                    raise
                except Exception as exc:
                    kind = getattr(exc, "strerror", None) or type(exc).__name__
                    reason = (
                        f"No connection can be prepared ({kind}); the operator checks the proxy"
                        " and certificate variables (ALL_PROXY, HTTPS_PROXY, NO_PROXY,"
                        " SSL_CERT_FILE)"
                    )
                    raise ServiceUnavailable(reason, code="unreachable") from exc
            return self._connections

    async def require_task(self, task_id: str) -> Task:
        """The task of this id, ours or the provider's, from the ledger.

        Raises:
            TaskNotFound: the ledger has no such task.
            StorageUnavailable: the ledger cannot be read.
        """
        task = await self.find_task(task_id)
        if task is None:
            raise TaskNotFound(task_id)
        return task

    async def find_task(
        self, task_id: str, *, minimum: int | None = None, max_seconds: float | None = None
    ) -> Task | None:
        """The task of this id, ours or the provider's, with a stall that only memory could keep.

        With *minimum*, the beginning of an id of ours is enough, of as many digits.

        Raises:
            TaskNotFound: it is the beginning of several ids, or too short.
            StorageUnavailable: the ledger cannot be read.
            TimeoutError: the ledger was not free for *max_seconds*.
        """
        if minimum is None:
            task = await self.ledger.find(task_id, max_seconds=max_seconds)
        else:
            task = await self.ledger.find_by_any_id(
                task_id, minimum=minimum, max_seconds=max_seconds
            )
        stall = self.stalls.get(task.id) if task is not None else None
        return stall(task) if task is not None and stall is not None else task

    async def require_folders(self) -> None:
        """Refuse a request before it is paid if its result could not be saved or tracked.

        Raises:
            StorageUnavailable: it names the folder; nothing was charged.
        """
        with nothing_charged():
            await anyio.to_thread.run_sync(self.check_folders)

    async def admit(
        self, task: Task, *, body: Mapping[str, Any], admit: "Admit", fixed_id: bool
    ) -> Admission:
        """Call `Ledger.admit`, and notify those who wait for any task to change."""
        admission = await self.ledger.admit(
            task,
            body=body,
            admit=admit,
            limits=self.limits,
            quota_bytes=self.quota_bytes,
            fixed_id=fixed_id,
        )
        if admission.is_new:
            self.signals.notify(task.id)
        return admission

    async def record_outcome(self, task_id: str, observation: Observation) -> Task:
        """Call `Ledger.record_outcome`, and notify those who wait for the task.

        If there is something to watch now, this process has the lease for it.
        """
        task = await self.ledger.record_outcome(task_id, observation, lease=self.take_lease)
        self.signals.notify(task_id)
        return task

    def take_lease(self, task: Task) -> Task:
        """The task leased to this process, if there is something to watch and nobody else does.

        For use inside a transaction: a time that was read before a wait for the ledger would let a
        lease that was given meanwhile look as if a clock had been set back.
        """
        if not needs_watching(task):
            return task
        holder = task.lease_holder
        gone = holder if holder is not None and not self.processes.is_alive(holder) else None
        return acquire_lease(task, holder=self.processes.own_id, at=self.clock(), dead_holder=gone)

    def has_lease(self, task: Task) -> bool:
        """Whether this process is the one that watches the task, by what the task says."""
        return needs_watching(task) and task.lease_holder == self.processes.own_id

    async def change(self, task_id: str, change: Callable[[Task], Task]) -> Task:
        """Call `Ledger.change`, and notify those who wait for the task."""
        task = await self.ledger.change(task_id, change)
        self.signals.notify(task_id)
        return task

    async def change_all(self, changes: "Sequence[tuple[str, Change]]") -> list[Task | Exception]:
        """Call `Ledger.change_all`, and notify those who wait for the tasks."""
        outcomes = await self.ledger.change_all(changes)
        for task_id, _ in changes:
            self.signals.notify(task_id)
        return outcomes

    async def claim(self, task_id: str, change: Callable[[Task], Task]) -> Task:
        """Call `Ledger.claim`, and notify those who wait for the task."""
        task = await self.ledger.claim(task_id, change)
        self.signals.notify(task_id)
        return task

    async def release(self, task_id: str, *, body: Mapping[str, Any], ready_at: float) -> Task:
        """Call `Ledger.release` for this process, and notify those who wait for the task."""
        at = self.clock()
        release = partial(
            waiting.release,
            ready_at=ready_at,
            owner=self.processes.own_id,
            at=at,
        )
        task = await self.ledger.release(
            task_id, body=body, release=release, limits=self.limits, at=at
        )
        if task.status is not Status.WAITING:
            self.signals.notify(task_id)
        return task

    async def acquire_request_slot(self) -> float:
        """Take one token from the request budget that all processes share, before any poll.

        Returns 0.0 if the request may be sent now, or the seconds to wait before the next attempt;
        see `polling.take_token`.
        """
        spend = partial(
            polling.take_token,
            at=self.clock(),
            per_second=self.requests_per_second,
            priority=True,
        )
        return await self.ledger.update_budget(self.account, spend)

    async def acquire_poll_slots(self, count: int) -> polling.Grant:
        """Take up to *count* tokens from the request budget that all processes share."""
        spend = partial(
            polling.take_tokens,
            at=self.clock(),
            per_second=self.requests_per_second,
            count=count,
        )
        return await self.ledger.update_budget(self.account, spend)

    async def pause_requests(self, seconds: float | None) -> None:
        """Stop all processes from sending after a 429; *seconds* is None if it named no time."""
        at = self.clock()
        # Pausing is a courtesy: if it fails, the outcome of the request must still be recorded.
        with suppress(StorageUnavailable):
            await self.ledger.update_budget(
                self.account, lambda budget: (polling.pause(budget, at=at, seconds=seconds), None)
            )

    async def poll(self, media: Media, provider_task_id: str) -> Observation:
        """Poll a task once. Raises what `GeekAIClient.get_task` raises."""
        connections = await self.get_connections()
        try:
            return await connections.client.get_task(media, provider_task_id)
        except ServiceUnavailable as exc:
            if exc.code == RATE_LIMITED:
                await self.pause_requests(exc.retry_after_seconds)
            raise

    async def poll_now(self, media: Media, provider_task_id: str) -> Observation:
        """Poll a task once for a caller that waits: before background polls, but not in a pause.

        Raises:
            ServiceUnavailable: no request may be sent now; otherwise as `poll`.
        """
        if wait := await self.acquire_request_slot():
            raise ServiceUnavailable(
                RATE_LIMIT_MESSAGE, code=RATE_LIMITED, retry_after_seconds=wait
            )
        return await self.poll(media, provider_task_id)
