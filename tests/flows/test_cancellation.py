"""Promises 1 and 2 when somebody gives up, at every step that the scheduler takes.

A step is one task's turn, of whatever task. Each run is a world of its own, cancelled later than
the one before, until it ends by itself first.
"""

import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Generator
from contextlib import aclosing, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import anyio
import httpx
import pytest
import trio

from geekai_video_mcp.domain.requests import GenerationRequest
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.engine import Engine
from geekai_video_mcp.errors import StorageUnavailable
from support.descriptors import open_files_in
from support.fake_geekai import VIDEO, ScriptedGeekAI
from support.memory import in_memory
from support.world import World, now

REQUEST: Final = GenerationRequest(Media.VIDEO, {"model": "m", "prompt": "a fox", "async": True})
SETTLED: Final = 90.0
"""Seconds in which a server takes up, watches and fetches what another left."""
FEW: Final = 10
"""Steps that the shortest of these takes at least, or nothing was tried."""
pytestmark = [
    pytest.mark.usefixtures("virtual_time"),
    pytest.mark.timeout(300),
    # httpx leaves the generator of a body that was cut to the collector; nothing is open then.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

Run = Callable[[World, "CancelAt"], Awaitable[None]]


class CancelAt(trio.abc.Instrument):
    """Cancels its scope after so many steps; the steps count while the scope is open."""

    def __init__(self, step: int) -> None:
        self.left = step
        self.scope = trio.CancelScope()

    def __enter__(self) -> None:
        trio.lowlevel.add_instrument(self)
        self.scope.__enter__()

    def __exit__(self, *exc: object) -> bool:
        trio.lowlevel.remove_instrument(self)
        return bool(self.scope.__exit__(*exc))  # pyright: ignore[reportArgumentType]

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        del task
        self.left -= 1
        if self.left == 0:
            self.scope.cancel()


@pytest.fixture
def folder() -> Generator[Path]:
    with TemporaryDirectory(dir=in_memory()) as name:
        yield Path(name)


@pytest.fixture(
    params=[
        pytest.param(1, marks=pytest.mark.exhaustive, id="every step"),
        pytest.param(11, id="every eleventh step"),
    ]
)
def stride(request: pytest.FixtureRequest) -> int:
    """How many steps later than the run before each run is cancelled."""
    return request.param


async def cancel_at_steps(
    folder: Path, run: Run, stride: int, *, left_by: World | None = None
) -> int:
    """Cancel *run* at step 1, 1 + *stride*, ... until it ends first, and judge each world.

    Returns the last step.
    """
    step = 1 - stride
    while True:
        step += stride
        world = World(folder / str(step), service=left_by.service if left_by else service())
        if left_by is not None:
            shutil.copytree(left_by.folder, world.folder)
        meant = CancelAt(step)
        await run(world, meant)
        assert open_files_in(world.folder) == [], f"step {step}"
        async with world.app():
            await anyio.sleep(SETTLED)
        assert all_paid_videos_stored(world), f"step {step}"
        shutil.rmtree(world.folder, ignore_errors=True)
        if meant.left > 0:
            return step


def service() -> ScriptedGeekAI:
    async def takes_a_moment(_: httpx.Request) -> None:
        await anyio.sleep(0.1)

    return ScriptedGeekAI(clock=now, before_charge=takes_a_moment, on_create=takes_a_moment)


def all_paid_videos_stored(world: World) -> bool:
    """Each task was paid for once, and its whole video is on the disk; there is no other."""
    with closing(sqlite3.connect(world.state / "ledger.sqlite3")) as ledger:
        found = ledger.execute("SELECT status, file_status, file_path FROM task").fetchall()
    stored = all(row[:2] == ("succeed", "stored") for row in found)
    whole = stored and all(Path(path).read_bytes() == VIDEO for *_, path in found)
    return whole and len(world.service.charges) == len(found) <= 1


async def wait_until_settled(engine: Engine, task_id: str) -> None:
    async with aclosing(
        engine.follow(await engine.get_local(task_id), wait_seconds=SETTLED)
    ) as states:
        async for _ in states:
            pass


async def test_the_caller_of_a_submission_may_give_up_anywhere(folder: Path, stride: int) -> None:
    async def submitted(world: World, meant: CancelAt) -> None:
        async with world.app() as app:
            with meant:
                await app.engine.submit(REQUEST)

    assert await cancel_at_steps(folder, submitted, stride) > FEW


async def test_a_server_may_be_asked_to_go_anywhere_from_its_start_to_the_file(
    folder: Path, stride: int
) -> None:
    async def served(world: World, meant: CancelAt) -> None:
        with meant:
            async with world.app() as app:
                task, _ = await app.engine.submit(REQUEST)
                await wait_until_settled(app.engine, task.id)

    assert await cancel_at_steps(folder, served, stride) > FEW


async def test_a_server_may_be_stopped_anywhere_while_it_replays_the_journal(
    folder: Path, stride: int
) -> None:
    before = World(folder / "before", service=service())
    async with before.app() as app:
        with closing(sqlite3.connect(before.state / "ledger.sqlite3")) as disk:
            disk.execute(
                "CREATE TRIGGER full BEFORE UPDATE ON task WHEN NEW.status = 'pending'"
                " BEGIN SELECT RAISE(ABORT, 'disk full'); END"
            )
            with pytest.raises(StorageUnavailable):
                await app.engine.submit(REQUEST)
    with closing(sqlite3.connect(before.state / "ledger.sqlite3")) as disk:
        disk.execute("DROP TRIGGER full")

    async def taken_up(world: World, meant: CancelAt) -> None:
        with meant:
            async with world.app():
                await anyio.sleep(1)

    assert await cancel_at_steps(folder, taken_up, stride, left_by=before) > FEW


async def test_whoever_waits_for_a_video_may_give_up_anywhere(folder: Path, stride: int) -> None:
    async def waited_for(world: World, meant: CancelAt) -> None:
        async with world.app() as app:
            task, _ = await app.engine.submit(REQUEST)
            with meant:
                found = await app.engine.find_or_import(task.id)
                await wait_until_settled(app.engine, found.id)
            # By this very server, and not only by the next.
            await wait_until_settled(app.engine, task.id)
            assert all_paid_videos_stored(world)

    assert await cancel_at_steps(folder, waited_for, stride) > FEW
