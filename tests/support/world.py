"""A world to act in: real server, real engine, real ledger on disk; scripted service and time."""

import subprocess
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import anyio
from mcp import Client
from mcp.client.extension import ClientExtension
from mcp.client.session import ElicitationFnT
from mcp_types import CallToolResult, TextContent
from pydantic import SecretStr

from geekai_video_mcp.admission import Limits
from geekai_video_mcp.artifacts import ResultDownloader
from geekai_video_mcp.client import GeekAIClient
from geekai_video_mcp.engine import Connections, Engine, EngineContext, Resolver
from geekai_video_mcp.ledger import Ledger, ProcessRegistry
from geekai_video_mcp.lifecycle import Media, Task
from geekai_video_mcp.pictures import Ended, MediaResolver, worker_command
from geekai_video_mcp.server import build_server
from geekai_video_mcp.tools import App
from support.service import BASE_URL, KEY, ScriptedGeekAI

EPOCH = 1_790_000_000.0
Era = Literal["auto", "legacy"]


def now() -> float:
    """Unix seconds on the test's clock."""
    return EPOCH + anyio.current_time()


@dataclass
class World:
    """Everything that outlives a server: the disk and the service."""

    folder: Path
    era: Era = "auto"
    service: ScriptedGeekAI = field(default_factory=lambda: ScriptedGeekAI(clock=now))
    limits: Limits | None = None
    account: str = "this key"
    """Stands for the service and key; a ledger may hold tasks of several."""
    confirm_above: float | None = None
    """CNY above which a person is asked before paying; None: never."""
    clock_is_ahead: float = 0.0
    """Seconds that this machine's clock is wrong by; a test sets it while servers run."""

    def clock(self) -> float:
        """Unix seconds, as this machine believes; the service keeps the true time."""
        return now() + self.clock_is_ahead

    @property
    def output(self) -> Path:
        return self.folder / "videos"

    @property
    def pictures(self) -> Path:
        """A folder that the operator lets pictures be read from."""
        return self.folder / "pictures"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @asynccontextmanager
    async def app(self, *, key: str = KEY) -> AsyncGenerator[App]:
        """What a server works with, opened as a new process would open it."""
        async with AsyncExitStack() as stack:
            owners = stack.enter_context(ProcessRegistry(self.state))
            ledger = await Ledger.open(self.state)
            stack.push_async_callback(ledger.close)
            beyond = await stack.enter_async_context(AsyncExitStack())

            async def connect() -> Connections:
                return await self._connect(beyond, key)

            engine = Engine(
                ledger=ledger,
                processes=owners,
                account=self.account,
                limits=self.limits,
                connect=connect,
                clock=self.clock,
            )
            yield App(
                engine=await stack.enter_async_context(engine.run()),
                default_models={
                    Media.VIDEO: "cogvideox-flash",
                    Media.IMAGE: "cogview-3-flash",
                },
                media=MediaResolver(
                    output_dir=self.output,
                    folders=(self.pictures,),
                    service=self.account,
                    service_url=BASE_URL,
                    find=engine.find_or_import,
                    child=_run_worker_now,
                    clock=self.clock,
                ),
                preview=_render_no_preview,
                clock=self.clock,
                confirm_above=self.confirm_above,
            )

    @asynccontextmanager
    async def resolver(self, *, key: str = KEY) -> AsyncGenerator[Resolver]:
        """What a person's decision is carried out with, opened as the command line does."""
        async with AsyncExitStack() as stack:
            owners = stack.enter_context(ProcessRegistry(self.state))
            ledger = await Ledger.open(self.state)
            stack.push_async_callback(ledger.close)
            beyond = await stack.enter_async_context(AsyncExitStack())

            async def connect() -> Connections:
                return await self._connect(beyond, key)

            yield Resolver(
                EngineContext(
                    ledger=ledger,
                    processes=owners,
                    account=self.account,
                    limits=self.limits,
                    connect=connect,
                    clock=self.clock,
                )
            )

    async def _connect(self, stack: AsyncExitStack, key: str) -> Connections:
        transport = self.service.transport()
        geekai = GeekAIClient(
            base_url=BASE_URL, api_key=SecretStr(key), transport=transport, clock=self.clock
        )
        artifacts = ResultDownloader(self.output, service_url=BASE_URL, transport=transport)
        return Connections(
            client=await stack.enter_async_context(geekai),
            downloader=await stack.enter_async_context(artifacts),
        )

    @asynccontextmanager
    async def client(
        self,
        *,
        key: str = KEY,
        extensions: Sequence[ClientExtension] = (),
        person: ElicitationFnT | None = None,
    ) -> AsyncGenerator[Client]:
        """An MCP client of a new server over the same disk and service."""
        server = build_server(lambda: self.app(key=key))
        async with Client(
            server, mode=self.era, extensions=extensions, elicitation_callback=person
        ) as client:
            yield client

    async def tasks(self) -> list[Task]:
        """What the ledger holds that is not finished."""
        ledger = await Ledger.open(self.state)
        try:
            return await ledger.unfinished(self.account)
        finally:
            await ledger.close()

    def files(self) -> list[str]:
        """Names in the output folder, part files included."""
        return sorted(path.name for path in self.output.iterdir()) if self.output.exists() else []


async def _run_worker_now(arguments: Sequence[str], content: bytes) -> Ended:
    """The program itself, while the test's clock stands still."""
    # Output and input are pipes, and what is run is our own.
    command = worker_command(arguments)
    done = subprocess.run(command, input=content, stdout=subprocess.PIPE, check=False)  # noqa: S603
    return Ended(done.returncode, done.stdout)


async def _render_no_preview(_: Path, __: str) -> None:
    """Pictures need codecs in a child process; their tests run in real time."""


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
