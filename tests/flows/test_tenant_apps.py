"""The apps of one process: opened once, when they are needed, and closed when they are not."""

import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import httpx
import pytest
from pydantic import SecretStr

from geekai_video_mcp.app import App, LedgerBase, open_app
from geekai_video_mcp.config import Settings
from geekai_video_mcp.config.tokens_file import LiveTokens
from geekai_video_mcp.config.write_tokens import add_token
from geekai_video_mcp.domain.requests import GenerationRequest
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import Media, Task
from geekai_video_mcp.domain.tenants import Principal
from geekai_video_mcp.errors import GeekAIVideoError, ServiceUnavailable, StorageUnavailable
from geekai_video_mcp.tenant_apps import (
    IDLE_SECONDS,
    MAX_KEYS_OF_TENANT,
    TEND_INTERVAL,
    TenantApps,
    open_tenant_apps,
)
from support.fake_geekai import BASE_URL, KEY, ScriptedGeekAI
from support.world import World, now, skip_inspection

ALICE = Principal(tenant="alice")
FOX = GenerationRequest(Media.VIDEO, {"model": "cogvideox-flash", "prompt": "a fox"})


@dataclass
class Process:
    """A server of several tenants, and which apps it has opened and closed."""

    settings: Settings
    service: ScriptedGeekAI
    opened: Counter[str] = field(default_factory=Counter[str])
    closed: Counter[str] = field(default_factory=Counter[str])
    failures: list[GeekAIVideoError] = field(default_factory=list[GeekAIVideoError])
    """What the next openings for tenants fail with."""
    clock_is_ahead: float = 0.0
    """Seconds that the clock of this machine is ahead of the service's."""

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[TenantApps]:
        async with open_tenant_apps(
            self.settings, LiveTokens(self.settings), open_app=self._open
        ) as apps:
            yield apps

    @asynccontextmanager
    async def _open(
        self, settings: Settings, *, base: LedgerBase, may_import: bool
    ) -> AsyncGenerator[App]:
        await anyio.sleep(1)
        if settings.tenant != "local" and self.failures:
            raise self.failures.pop()
        self.opened[settings.tenant] += 1
        async with open_app(
            settings,
            base=base,
            may_import=may_import,
            transport=self.service.transport,
            clock=lambda: now() + self.clock_is_ahead,
            inspect_file=skip_inspection,
        ) as app:
            yield app
        self.closed[settings.tenant] += 1


@pytest.fixture
def process(world: World) -> Process:
    settings = Settings.from_env(
        {
            "GEEKAI_STATE_DIR": str(world.state),
            "GEEKAI_OUTPUT_DIR": str(world.output),
            "GEEKAI_API_KEY": KEY,
            "GEEKAI_BASE_URL": BASE_URL,
        }
    )
    return Process(settings, world.service)


def with_key(number: int) -> Principal:
    return Principal(tenant="alice", key=SecretStr(f"sk-key-number-{number:04}"))


async def submit(app: App) -> Task:
    return (await app.engine.submit(FOX)).task


async def test_two_first_calls_open_one_app(process: Process) -> None:
    seen = list[App]()

    async def use(apps: TenantApps) -> None:
        async with apps.serve(ALICE) as app:
            seen.append(app)

    async with process.run() as apps, anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(use, apps)

    assert process.opened == {"local": 1, "alice": 1}
    assert process.closed == process.opened
    assert all(app is seen[0] for app in seen)
    assert len(seen) == 3


async def test_an_app_that_cannot_be_opened_is_the_callers_answer_and_is_tried_again(
    process: Process,
) -> None:
    process.failures.append(StorageUnavailable("The folder", "it is full"))
    async with process.run() as apps:
        with pytest.raises(StorageUnavailable, match="it is full"):
            async with apps.serve(ALICE):
                pass
        async with apps.serve(ALICE) as app:
            task = await submit(app)

    assert task.status is Status.PENDING


async def test_an_app_without_a_request_or_a_task_to_work_on_is_closed(process: Process) -> None:
    process.service.job_seconds = 3 * IDLE_SECONDS
    async with process.run() as apps:
        async with apps.serve(ALICE) as app:
            await anyio.sleep(2 * IDLE_SECONDS)
            in_use = process.closed.total()
            await submit(app)
        await anyio.sleep(2 * IDLE_SECONDS)
        at_work = process.closed.total()
        await anyio.sleep(3 * IDLE_SECONDS)
        after = dict(process.closed)
        async with apps.serve(ALICE) as again:
            (task,) = await again.engine.list_tasks(limit=5)

    assert (in_use, at_work, after) == (0, 0, {"alice": 1})
    assert task.settled
    assert process.opened["alice"] == 2


async def test_the_old_files_of_a_tenant_that_sends_nothing_any_more_are_deleted(
    process: Process,
) -> None:
    async with process.run() as apps, apps.serve(ALICE) as app:
        task = await submit(app)
        await anyio.sleep(60)
        task = await app.engine.get_local(task.id)
    path = Path(str(task.file_path))
    assert path.exists()
    hosting = replace(process.settings.hosting, keep_days=1)
    process.settings = replace(process.settings, hosting=hosting)
    # By this computer's own clock, the tests' times are long past.
    process.clock_is_ahead = time.time() - now()
    async with process.run():
        await anyio.sleep(2 * TEND_INTERVAL)
        assert not path.exists()
        await anyio.sleep(2 * IDLE_SECONDS)

    assert process.closed == {"local": 2, "alice": 2}


async def test_a_folder_that_the_operator_changes_is_taken_when_nothing_is_under_way(
    process: Process, tmp_path: Path
) -> None:
    async with process.run() as apps:
        async with apps.serve(ALICE) as app:
            await submit(app)
        add_token(process.settings, "phone", "alice", {"output_dir": str(tmp_path / "new")})
        async with apps.serve(ALICE) as app:
            during = app.output_dir
        await anyio.sleep(200)
        async with apps.serve(ALICE) as app:
            after = app.output_dir

    assert during == process.settings.output_dir / "tenants" / "alice"
    assert after == tmp_path / "new"


async def test_a_tenant_has_so_many_keys_in_use_and_no_more(process: Process) -> None:
    async with process.run() as apps, AsyncExitStack() as using:
        for number in range(MAX_KEYS_OF_TENANT - 1):
            await using.enter_async_context(apps.serve(with_key(number)))
        async with apps.serve(with_key(98)) as app:
            await submit(app)  # which the service refuses
        async with apps.serve(with_key(99)):
            with pytest.raises(ServiceUnavailable, match="20 GeekAI keys are in use"):
                async with apps.serve(with_key(100)):
                    pass
        async with apps.serve(ALICE), apps.serve(Principal(tenant="bob")):
            pass

    assert process.opened["alice"] == MAX_KEYS_OF_TENANT + 2


async def test_a_request_that_is_being_sent_is_not_left_behind_for_another_key(
    process: Process,
) -> None:
    """Both apps are of one tenant and one process, and each sweeps every ten seconds."""

    async def answer_late(_: httpx.Request) -> None:
        await anyio.sleep(4 * TEND_INTERVAL)

    process.service.on_create = answer_late
    async with process.run() as apps, apps.serve(ALICE) as app, apps.serve(with_key(1)) as other:
        task = await submit(app)
        await anyio.sleep(2 * TEND_INTERVAL)
        during = (await other.engine.get_local(task.id)).status
        await anyio.sleep(3 * TEND_INTERVAL)
        after = await other.engine.get_local(task.id)

    assert task.status is during is Status.SUBMITTING
    assert after.status in {Status.PENDING, Status.RUNNING, Status.SUCCEED}
    assert after.account == app.engine.account
