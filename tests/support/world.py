"""A world to act in: real server, real engine, real ledger on disk; scripted service and time."""

import asyncio
import sqlite3
import subprocess
from collections.abc import AsyncGenerator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.from_thread
from mcp import Client
from mcp.client.extension import ClientExtension
from mcp.client.session import ElicitationFnT, ListRootsFnT
from mcp_types import CallToolResult, Implementation, TextContent
from pydantic import SecretStr

from geekai_video_mcp.app import App, FileLinks, LedgerBase, RenderPreview, open_app
from geekai_video_mcp.config import PreviewDelivery, Settings
from geekai_video_mcp.config.hosting import HostingSettings
from geekai_video_mcp.domain.admission import Admission, ExistingTasks, Limits
from geekai_video_mcp.domain.catalogue import Checks
from geekai_video_mcp.domain.limits import REQUESTS_PER_SECOND
from geekai_video_mcp.domain.polling import Budget
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.domain.tenants import LOCAL_TENANT
from geekai_video_mcp.engine import Resolver
from geekai_video_mcp.ledger import Ledger
from geekai_video_mcp.media.child_process import (
    worker_command,
    worker_environment,
    worker_input,
)
from geekai_video_mcp.media.inspection import FileFacts, Reason, Verdict, inspect_file
from geekai_video_mcp.media.preview import (
    PreviewRenderer,
    PreviewRequest,
    RenderedPreview,
    ShownFile,
)
from geekai_video_mcp.server.build import build_server
from support.fake_geekai import BASE_URL, KEY, ScriptedGeekAI
from support.films import FakeJoin
from support.postgres import run_sql

EPOCH = 1_790_000_000.0
Era = Literal["auto", "legacy"]


def now() -> float:
    """Unix seconds on the test's clock; also on a worker thread, inside a transaction."""
    try:
        return EPOCH + anyio.current_time()
    except anyio.NoEventLoopError:
        return EPOCH + anyio.from_thread.run_sync(anyio.current_time)


async def _render_no_preview(request: PreviewRequest) -> RenderedPreview:
    """Previews need codecs in a child process; their tests run in real time."""
    unknown = ShownFile(reason=Reason.NO_ANSWER)
    return RenderedPreview(picture=None, files=(unknown,) * len(request.paths))


@dataclass(frozen=True, kw_only=True)
class WorldSettings(Settings):
    """Settings whose account and caps are given by a test, not by the key and the variables."""

    given_account: str
    given_limits: Limits | None

    @property
    def account(self) -> str:
        return self.given_account

    @property
    def limits(self) -> Limits | None:
        return self.given_limits


@dataclass
class World:
    """Everything that outlives a server: the disk and the service."""

    folder: Path
    era: Era = "auto"
    service: ScriptedGeekAI = field(default_factory=lambda: ScriptedGeekAI(clock=now))
    limits: Limits | None = None
    base_url: str = BASE_URL
    """Where the service is configured to be; the scripted one answers at every address."""
    default_model: str = "cogvideox-flash"
    account: str = "this key"
    """Stands for the service and key; a ledger may hold tasks of several."""
    confirm_above: float | None = None
    """CNY above which the user's approval is required; None: never."""
    render_preview: RenderPreview = _render_no_preview
    """What makes pictures of results; a test that looks at them takes `render_now`."""
    join: FakeJoin = field(default_factory=FakeJoin)
    """What joins films; a test says how long that takes, and what comes of it."""
    requests_per_second: float = REQUESTS_PER_SECOND
    trust_roots: bool = True
    """Whether the server is one over stdio, which may read the folders that a client declares."""
    other_disk: Path | None = None
    """Where the output folder is, if it is not on the disk of the state folder."""
    preview: PreviewDelivery = "auto"
    checks: Checks = "refuse"
    tenant: str = LOCAL_TENANT
    """Whose server it is, and who calls it; worlds of one folder and service share a ledger."""
    base: LedgerBase | None = None
    """The ledger of an app that shares it with those of other tenants in one process."""
    links: FileLinks | None = None
    """What makes links to files."""
    hosting: HostingSettings = field(default_factory=HostingSettings)
    clock_is_ahead: float = 0.0
    """Seconds that this machine's clock is wrong by; a test sets it while servers run."""

    def clock(self) -> float:
        """Unix seconds, as this machine believes; the service keeps the true time."""
        return now() + self.clock_is_ahead

    @property
    def output(self) -> Path:
        return (self.other_disk or self.folder) / "videos"

    @property
    def pictures(self) -> Path:
        """A folder that the operator lets pictures be read from."""
        return self.folder / "pictures"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def provider_id(self, task_id: str) -> str:
        """GeekAI's id of a task: results tell it only where a person needs it."""
        ((found,),) = self.run_sql(f"SELECT provider_task_id FROM task WHERE id = '{task_id}'")  # noqa: S608 - our own
        return found

    def run_sql(self, statement: str) -> list[tuple[Any, ...]]:
        """What the database itself says, or is made to hold, beside the servers."""
        if (url := self.hosting.database_url) is not None:
            with ThreadPoolExecutor(1) as beside_the_loop:
                query = run_sql(url.get_secret_value(), statement)
                return beside_the_loop.submit(asyncio.run, query).result()
        with closing(sqlite3.connect(self.state / "ledger.sqlite3")) as disk, disk:
            return disk.execute(statement).fetchall()

    def refuse_statements(self, statement: str, *, when: str = "true") -> None:
        """Have the database refuse these statements on tasks, as it does once its disk is full.

        *statement* is such as `BEFORE INSERT`. In SQLite all others go on, those of the same
        transaction too; PostgreSQL undoes all of that.
        """
        if self.hosting.database_url is None:
            self.run_sql(
                f"CREATE TRIGGER full {statement} ON task WHEN {when}"
                " BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"
            )
            return
        self.run_sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE 'no room' USING ERRCODE = 'disk_full'; END $$"
        )
        self.run_sql(
            f"CREATE TRIGGER refused {statement} ON task FOR EACH ROW WHEN ({when})"
            " EXECUTE FUNCTION refuse()"
        )

    @asynccontextmanager
    async def app(self, *, key: str = KEY, sweep: bool = True) -> AsyncGenerator[App]:
        """What a server works with, opened as a new process would open it."""
        settings = WorldSettings(
            api_key=SecretStr(key),
            base_url=self.base_url,
            default_model=self.default_model,
            output_dir=self.output,
            state_dir=self.state,
            image_dirs=(self.pictures,),
            log_level="WARNING",
            requests_per_second=self.requests_per_second,
            confirm_above=self.confirm_above,
            preview=self.preview,
            checks=self.checks,
            tenant=self.tenant,
            hosting=self.hosting,
            given_account=self.account,
            given_limits=self.limits,
        )
        async with open_app(
            settings,
            base=self.base,
            sweep=sweep,
            trust_roots=self.trust_roots,
            links=self.links,
            transport=self.service.transport,
            clock=self.clock,
            run_worker=_run_worker_now,
            render_preview=self.render_preview,
            inspect_file=skip_inspection,
            join_files=self.join,
        ) as app:
            yield app

    @asynccontextmanager
    async def resolver(self, *, key: str = KEY) -> AsyncGenerator[Resolver]:
        """What a person's decision is carried out with, opened as the command line does."""
        async with self.app(key=key, sweep=False) as app:
            yield app.resolver

    @asynccontextmanager
    async def client(
        self,
        *,
        key: str = KEY,
        extensions: Sequence[ClientExtension] = (),
        person: ElicitationFnT | None = None,
        name: str = "a test",
        list_roots: ListRootsFnT | None = None,
    ) -> AsyncGenerator[Client]:
        """An MCP client of a new server over the same disk and service."""
        server = build_server(lambda: self.app(key=key))
        async with Client(
            server,
            mode=self.era,
            extensions=extensions,
            elicitation_callback=person,
            client_info=Implementation(name=name, version="1"),
            list_roots_callback=list_roots,
        ) as client:
            yield client

    @asynccontextmanager
    async def open_ledger(self) -> AsyncGenerator[Ledger]:
        """The ledger, beside the servers that use it."""
        url = self.hosting.database_url
        if url is None:
            ledger = await Ledger.open(self.state)
        else:
            ledger = await Ledger.open_database(url.get_secret_value(), self.state)
        try:
            yield ledger.of_tenant(self.tenant)
        finally:
            await ledger.close()

    async def find_task(self, task_id: str) -> Task:
        """The task as the ledger holds it."""
        async with self.open_ledger() as ledger:
            task = await ledger.find(task_id)
        assert task is not None
        return task

    async def tasks(self) -> list[Task]:
        """What the ledger holds that is not finished."""
        async with self.open_ledger() as ledger:
            return await ledger.unfinished(self.account)

    def files(self) -> list[str]:
        """Names in the output folder, part files included, but for the JSON beside each result."""
        names = [path.name for path in self.output.iterdir()] if self.output.exists() else []
        return sorted(name for name in names if not name.endswith(".json") or ".part" in name)


async def _run_worker_now(
    arguments: Sequence[str], content: bytes
) -> "subprocess.CompletedProcess[bytes]":
    """Run the program while the test's clock stands still."""
    program, *rest = arguments
    # Output and input are pipes, and what is run is our own.
    done = subprocess.run(  # noqa: S603
        worker_command(program),
        input=worker_input(rest, content),
        stdout=subprocess.PIPE,
        env=worker_environment(),
        check=False,
    )
    if done.returncode != 0:  # as `run_worker`
        done.stdout = b""
    return done


async def render_now(request: PreviewRequest) -> RenderedPreview:
    """Make the picture while the test's clock stands still."""
    return await PreviewRenderer(run_worker=_run_worker_now).render(request)


async def skip_inspection(_: Path) -> FileFacts:
    """The samples have no frames, and codecs run in a child process, which takes real time."""
    return FileFacts(verdict=Verdict.UNKNOWN, reason=Reason.NO_ANSWER)


async def inspect_now(path: Path) -> FileFacts:
    """The facts of a real clip, in place of `skip_inspection`, while the clock stands still."""
    return await inspect_file(path, run_worker=_run_worker_now)


async def call(client: Client, tool: str, **arguments: Any) -> CallToolResult:  # noqa: ANN401 - JSON
    """The result of a tool, bounded in time; ten minutes on the test's clock is for ever."""
    with anyio.fail_after(600):
        return await client.call_tool(tool, arguments)


def text(result: CallToolResult) -> str:
    """The words of a result."""
    return " ".join(block.text for block in result.content if isinstance(block, TextContent))


def structured(result: CallToolResult) -> dict[str, Any]:
    """The structured part of a result."""
    assert result.structured_content is not None, text(result)
    return result.structured_content


async def admit_new(
    ledger: Ledger, task: Task, *, body: Mapping[str, Any], fixed_id: bool = False
) -> None:
    """Record a new task and nothing more, whatever the ledger holds."""

    def decide(_existing: ExistingTasks, _budget: Budget) -> Admission:
        return Admission(task=task, is_new=True)

    await ledger.admit(task, body=body, admit=decide, limits=None, fixed_id=fixed_id)
