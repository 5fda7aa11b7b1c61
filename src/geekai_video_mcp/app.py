"""The composition root: everything that the tools work with, and the one way to open it.

Only `open_app` knows which service the engine talks to; `connections` makes its clients and starts
the sandbox. Heavy modules (HTTP, codecs, SQL) are imported when first needed, so that a client gets
its response to `initialize` before they are loaded. Importing this module opens nothing.
"""

import logging
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import anyio.to_thread

from geekai_video_mcp.config import PreviewDelivery, Settings
from geekai_video_mcp.connections import Transport, open_connections, run_sandbox
from geekai_video_mcp.domain.catalogue import Checks
from geekai_video_mcp.domain.storage import MEGABYTE
from geekai_video_mcp.domain.task_ids import MIN_DIGITS_TO_SPEND
from geekai_video_mcp.domain.tasks import Media, Result, Task
from geekai_video_mcp.domain.tenants import LOCAL_TENANT
from geekai_video_mcp.engine import (
    Engine,
    EngineContext,
    JoinedParts,
    JoinPlan,
    Operations,
    ProcessWork,
    Resolver,
)
from geekai_video_mcp.errors import (
    StorageUnavailable,
    hiding_folders,
)
from geekai_video_mcp.media.child_process import RunWorker, run_worker
from geekai_video_mcp.media.copies import FileCopies
from geekai_video_mcp.media.deletion import delete_task_file
from geekai_video_mcp.media.inputs import DecodingQueue, MediaResolver
from geekai_video_mcp.media.output_folder import check_output_folder
from geekai_video_mcp.media.preview import PreviewRenderer, PreviewRequest, RenderedPreview
from geekai_video_mcp.media.sidecars import save_sidecar

if TYPE_CHECKING:
    from pydantic import SecretStr

    from geekai_video_mcp.ledger import Ledger
    from geekai_video_mcp.ledger.processes import Processes
    from geekai_video_mcp.media.downloads import InspectFile
    from geekai_video_mcp.media.films import JoinedFilm, JoinRequest

logger = logging.getLogger(__name__)

FILE_WAIT_SECONDS: Final = 8.0
"""Seconds that a request waits for the file of a task that it uses, if another machine has it."""


class RenderPreview(Protocol):
    """Makes a picture of finished files, as `PreviewRenderer.render` does."""

    async def __call__(self, request: PreviewRequest) -> RenderedPreview: ...


class JoinFiles(Protocol):
    """Joins the files of a film into one, as `media.films.join_files` does."""

    async def __call__(
        self, request: "JoinRequest", *, report: Callable[[float], None] | None = None
    ) -> "JoinedFilm": ...


class FileLink(NamedTuple):
    """A link to one file, by which whoever has it may read the file until it ends."""

    url: str
    expires_at: float
    """Unix seconds, UTC."""


class FileLinks(Protocol):
    """Makes links to the files of tasks, as `SignedFileLinks` of the server over HTTP does."""

    def link(self, task: Task, picture: str | None = None) -> FileLink | None:
        """The link to the file of *task*, or to the *picture* of that name beside it.

        None where there is no such file, or nobody knows how this server is reached.
        """
        ...

    def origin(self) -> str | None:
        """The origin of the links, such as https://video.example.com; None if it is not known."""
        ...


@dataclass(frozen=True, kw_only=True)
class App:
    """What the tools and the command line work with; one for each tenant and key of a process."""

    engine: Engine
    resolver: Resolver
    """Carries out a person's decision about an unknown outcome."""
    at_geekai: bool
    """Whether the service is GeekAI itself: the ids of a gateway are its own affair."""
    default_models: Mapping[Media, str]
    media: MediaResolver
    render_preview: RenderPreview
    clock: Callable[[], float]
    """Unix seconds, UTC."""
    confirm_above: float | None
    """CNY above which the user's approval is required before a paid request; None: never."""
    checks: Checks
    """What becomes of a request that the maker of its model speaks against."""
    preview: PreviewDelivery
    """How a picture reaches the client, as GEEKAI_PREVIEW says."""
    notice: str | None
    """What every answer of a tool says beside its own words; None for nothing."""
    trust_roots: bool
    """Whether pictures may be read from the folders that a client declares (MCP's roots)."""
    operations: Operations
    output_dir: Path
    """Where the files of this tenant are, and nobody else's."""
    tenant: str = LOCAL_TENANT
    """Whose tasks the engine works on."""
    remote: bool = False
    """Whether the caller is on another machine, and may see no path of this one."""
    links: FileLinks | None = None
    """What makes links to files; None where a path is all that a caller needs."""
    keyless: bool = False
    """Whether there is neither a key nor the sandbox, so that every request is refused."""


@dataclass(frozen=True, kw_only=True)
class LedgerBase:
    """What the apps of one process share if it has several; see `open_ledger_base`."""

    ledger: "Ledger"
    processes: "Processes"
    operations: Operations = field(default_factory=Operations)
    work: ProcessWork = field(default_factory=ProcessWork)
    decoding: DecodingQueue = field(default_factory=DecodingQueue)
    clock: Callable[[], float] = time.time
    """Unix seconds, UTC, which all processes on the ledger have in common."""
    sandbox: Transport | None = None
    """The sandbox of all of them; without one, each that needs it starts its own."""


AppFactory = Callable[[], AbstractAsyncContextManager[App]]


@asynccontextmanager
async def open_app(
    settings: Settings,
    *,
    base: LedgerBase | None = None,
    sweep: bool = True,
    trust_roots: bool = False,
    may_import: bool = True,
    links: FileLinks | None = None,
    transport: Transport | None = None,
    clock: Callable[[], float] | None = None,
    run_worker: RunWorker = run_worker,
    render_preview: RenderPreview | None = None,
    inspect_file: "InspectFile | None" = None,
    join_files: "JoinFiles | None" = None,
) -> AsyncGenerator[App]:
    """Open everything behind the tools, for the life of one process, or of one tenant in it.

    It works with the tasks of `settings.tenant`. With *base*, in a ledger that several of them
    share and that its opener closes, after this; otherwise in one of its own.

    Without *sweep*, tasks that other processes left behind are not taken over: a command that
    ends in seconds must not start their requests and downloads. *trust_roots* is for a server
    over stdio alone: a client over HTTP could name any folder of this computer. Without
    *may_import*, a task that only the service knows is unknown: others have the same key. *links*
    makes links to files, for callers on another machine. The other parameters replace what lies
    outside this process; tests pass their own.

    Raises:
        StorageUnavailable: the state folder cannot be used.
        LedgerTooNew: the task database was created by a newer version of this server.
    """
    async with AsyncExitStack() as stack:
        if base is None:
            base = await stack.enter_async_context(
                open_ledger_base(settings.state_dir, database_url=settings.hosting.database_url)
            )
        clock = clock or base.clock
        ledger, processes = base.ledger.of_tenant(settings.tenant), base.processes
        remote = is_remote(settings)
        if settings.sandbox:
            transport = base.sandbox or await stack.enter_async_context(run_sandbox(settings))
        # Entered before the engine, so closed after it: draining needs the connections.
        connections = await stack.enter_async_context(AsyncExitStack())

        def check_folders() -> None:
            with hiding_folders(hide=remote):
                processes.ensure_own_lock()
                check_output_folder(settings.output_dir)

        async def resolve_parents(body: Mapping[str, Any]) -> Mapping[str, Any]:
            return await media.resolve_parents(body)

        context = EngineContext(
            ledger=ledger,
            processes=processes,
            account=settings.account,
            limits=settings.limits,
            requests_per_second=settings.requests_per_second,
            connect=partial(
                open_connections, settings, connections, transport, clock, inspect_file
            ),
            clock=clock,
            check_folders=check_folders,
            join_film=partial(_join_film, settings, join_files),
            delete_file=partial(delete_task_file, settings.output_dir),
            copies=FileCopies(settings.output_dir) if settings.hosting.database_url else None,
            quota_bytes=settings.hosting.quota_mb and settings.hosting.quota_mb * MEGABYTE,
            keep_days=settings.hosting.keep_days,
            resolve_parents=resolve_parents,
            drain=base.operations.drain,
            process_counters=base.operations.counters,
            may_import=may_import,
            work=base.work,
        )
        engine = Engine(context)
        media = _create_media_resolver(settings, engine, base.decoding, run_worker, clock)
        await stack.enter_async_context(engine.run(sweep=sweep))
        if sweep:
            engine.start_background(_warn_of_output_folder, settings.output_dir)
        yield App(
            engine=engine,
            resolver=Resolver(context),
            at_geekai=settings.at_geekai,
            default_models=settings.default_models,
            media=media,
            render_preview=render_preview or PreviewRenderer(run_worker=run_worker).render,
            clock=clock,
            confirm_above=settings.confirm_above,
            checks=settings.checks,
            # A path is of no use on another machine.
            preview="inline" if remote and settings.preview == "path" else settings.preview,
            notice=settings.sandbox_reason,
            trust_roots=trust_roots,
            output_dir=settings.output_dir,
            tenant=settings.tenant,
            remote=remote,
            links=links,
            # The sandbox keeps its tasks in one process, and there are several.
            keyless=settings.sandbox and settings.hosting.database_url is not None,
            operations=base.operations,
        )


@asynccontextmanager
async def open_ledger_base(
    state_dir: Path,
    operations: Operations | None = None,
    *,
    database_url: "SecretStr | None" = None,
) -> AsyncGenerator[LedgerBase]:
    """Open the ledger of a state folder or a database, and register this process with it.

    Raises:
        ConfigError: the database of GEEKAI_DATABASE_URL cannot be used.
        StorageUnavailable: the state folder cannot be used.
        LedgerTooNew: the task database was created by a newer version of this server.
    """
    from geekai_video_mcp.ledger import Ledger, ProcessRegistry

    async with AsyncExitStack() as stack:
        processes: Processes
        clock = time.time
        if database_url is not None:
            url = database_url.get_secret_value()
            ledger = await Ledger.open_database(url, state_dir)
            stack.push_async_callback(ledger.close)
            # Not before: without the extra, opening says so in words.
            from geekai_video_mcp.ledger.postgres.processes import PostgresProcesses

            processes = PostgresProcesses(url)
            await stack.enter_async_context(processes.run())
            clock = processes.clock
            ledger.use_clock(clock)
        else:
            processes = stack.enter_context(ProcessRegistry(state_dir))
            ledger = await Ledger.open(state_dir)
            stack.push_async_callback(ledger.close)
        operations = operations or Operations()
        operations.ledger, operations.processes = ledger, processes
        yield LedgerBase(ledger=ledger, processes=processes, operations=operations, clock=clock)


def is_remote(settings: Settings) -> bool:
    """Whether whoever has these settings is on another machine than this server."""
    return settings.tenant != LOCAL_TENANT


def _create_media_resolver(
    settings: Settings,
    engine: Engine,
    decoding: DecodingQueue,
    run_worker: RunWorker,
    clock: Callable[[], float],
) -> MediaResolver:
    return MediaResolver(
        output_dir=settings.output_dir,
        image_dirs=settings.image_dirs,
        account=settings.account,
        service_url=settings.base_url,
        find_task=partial(engine.find_or_import, minimum=MIN_DIGITS_TO_SPEND),
        locate_file=partial(engine.locate_file, wait_seconds=FILE_WAIT_SECONDS),
        remote=is_remote(settings),
        decoding=decoding,
        run_worker=run_worker,
        clock=clock,
    )


async def _join_film(
    settings: Settings,
    join_files: JoinFiles | None,
    plan: JoinPlan,
    report: Callable[[float], None],
) -> JoinedParts:
    from geekai_video_mcp.media import films
    from geekai_video_mcp.media.downloads.publishing import film_stem

    request = films.JoinRequest(
        parts=[
            films.JoinPart(path=part.path, start=part.start, end=part.end, continues=part.continues)
            for part in plan.parts
        ],
        audio=plan.audio,
        output_dir=settings.output_dir,
        stem=film_stem(plan.film, prompt=plan.prompt),
        task_id=plan.film.id,
    )
    with hiding_folders(hide=is_remote(settings)):
        joined = await (join_files or films.join_files)(request, report=report)
    if not is_remote(settings):
        film = replace(plan.film, result=Result(notes=joined.notes))
        await anyio.to_thread.run_sync(save_sidecar, film, joined.update)
    return JoinedParts(file=joined.update, notes=joined.notes)


async def _warn_of_output_folder(folder: Path) -> None:
    """Try the output folder at start; reads are served without it, and requests are refused."""
    try:
        # Shielded, so that the warning is in the log of a server that is closed at once.
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(check_output_folder, folder)
    except StorageUnavailable as exc:
        logger.warning("%s Until then no paid request is sent.", exc.message)
