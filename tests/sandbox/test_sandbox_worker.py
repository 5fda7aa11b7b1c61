"""The worker: renderers that die, hang or are missing, and an idle worker."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import anyio
import pytest
import trio
import trio.testing

from geekai_sandbox.store import Store
from geekai_sandbox.worker import MAX_ATTEMPTS, RenderWorker

from .conftest import wait_until

if TYPE_CHECKING:
    from .conftest import World


async def test_a_renderer_that_dies_once_is_started_again(world: World) -> None:
    async with world.running() as client:
        done = await world.finish(client, await world.submit(client, "once"))

    assert done["task_status"] == "succeed"
    assert len(world.renders("begin")) == 2


async def test_a_renderer_that_dies_thrice_fails_the_task_and_not_the_next(world: World) -> None:
    async with world.running() as client:
        failed = await world.finish(client, await world.submit(client, "die"))
        done = await world.finish(client, await world.submit(client))

    assert failed["error"]["code"] == "render_failed"
    assert len(world.renders("dead")) == 3
    assert done["task_status"] == "succeed"


async def test_deaths_are_counted_across_restarts(world: World) -> None:
    async with world.client(world.sandbox()) as client:
        task_id = await world.submit(client, "die")
    record = world.folder / "tasks" / task_id / "task.json"

    def failed_attempts() -> int:
        return json.loads(record.read_bytes())["deaths"]

    while (before := failed_attempts()) < MAX_ATTEMPTS:

        async def another(earlier: int = before) -> bool:
            return failed_attempts() > earlier

        async with world.running():
            await wait_until(another)
    async with world.running() as client:
        failed = await world.finish(client, task_id)

    assert failed["error"]["code"] == "render_failed"


@pytest.mark.exhaustive
async def test_a_renderer_that_falls_silent_is_stopped(world: World) -> None:
    # Long enough for the child to begin at all on a machine with much else to do.
    async with world.running(stall_timeout_seconds=1.5) as client:
        failed = await world.finish(client, await world.submit(client, "mute"))

    assert failed["error"]["code"] == "render_failed"
    assert len(world.renders("begin")) == 3


async def test_a_renderer_that_is_not_there_fails_the_task(world: World) -> None:
    async with world.running(renderer=[str(world.folder / "nowhere")]) as client:
        failed = await world.finish(client, await world.submit(client))

    assert failed["error"]["code"] == "render_failed"


async def test_a_renderer_that_floods_its_output_is_no_trouble(world: World) -> None:
    flood = "import sys; sys.stdout.write('x' * 1_000_000); sys.stdout.flush()"
    async with world.running(renderer=[sys.executable, "-c", flood]) as client:
        failed = await world.finish(client, await world.submit(client))

    assert failed["task_status"] == "failed"


async def test_leaving_in_mid_render_stops_the_child_and_the_next_start_renders(
    world: World,
) -> None:
    async def rendering() -> bool:
        return bool(world.renders("begin"))

    with anyio.fail_after(15):
        async with world.running() as client:
            # It would not exit when its stdin is closed, so it must be terminated.
            task_id = await world.submit(client, "hold and linger")
            await wait_until(rendering)
    world.release_renders()
    async with world.running() as client:
        done = await world.finish(client, task_id)

    assert done["task_status"] == "succeed"
    assert world.renders("end") == [task_id]


async def test_a_child_that_will_not_stop_is_killed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geekai_sandbox.worker.STOP_SECONDS", 0.1)
    deaf = "; ".join([
        "import pathlib, signal, sys, time",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "pathlib.Path(sys.argv[1], 'deaf').touch()",
        "time.sleep(100)",
    ])  # fmt: skip
    with anyio.fail_after(15):
        async with world.running(renderer=[sys.executable, "-c", deaf]) as client:
            task_id = await world.submit(client)

            async def begun() -> bool:
                return (world.folder / "tasks" / task_id / "deaf").exists()

            await wait_until(begun)


async def test_a_report_is_proof_enough_when_the_parent_died_before_writing_it_down(
    world: World,
) -> None:
    async with world.running() as client:
        task_id = await world.submit(client)
        await world.finish(client, task_id)
    record = world.folder / "tasks" / task_id / "task.json"
    task = json.loads(record.read_text("utf-8"))
    record.write_text(json.dumps(task | {"status": "running", "report": None}), "utf-8")
    async with world.running() as client:
        done = await world.finish(client, task_id)

        async def recorded() -> bool:
            return json.loads(record.read_text("utf-8"))["status"] == "succeed"

        await wait_until(recorded)

    assert done["task_status"] == "succeed"
    assert world.renders("begin") == [task_id]


async def test_half_a_video_is_no_proof(world: World) -> None:
    async with world.running() as client:
        task_id = await world.submit(client)
        await world.finish(client, task_id)
    folder = world.folder / "tasks" / task_id
    task = json.loads((folder / "task.json").read_text("utf-8"))
    (folder / "task.json").write_text(json.dumps(task | {"status": "running"}), "utf-8")
    (folder / "video.mp4").write_bytes(b"torn")
    async with world.running() as client:
        await world.finish(client, task_id)

    assert world.renders("begin") == [task_id, task_id]


async def test_the_estimate_follows_the_renders_progress(world: World) -> None:
    async with world.running() as client:
        task_id = await world.submit(client, "hold", duration=20)
        first = (await client.get(f"videos/{task_id}")).json()["estimated_seconds"]
        seen = [first]

        async def halved() -> bool:
            seen.append((await client.get(f"videos/{task_id}")).json()["estimated_seconds"])
            return seen[-1] < first * 0.7

        await wait_until(halved)
        world.release_renders()
        await world.finish(client, task_id)

    assert min(seen) >= 0.3


async def test_a_sandbox_can_be_entered_again(world: World) -> None:
    sandbox = world.sandbox()
    for _ in range(2):
        async with sandbox, world.client(sandbox) as client:
            assert (await world.finish(client, await world.submit(client)))["video_result"]


async def test_an_error_inside_the_block_leaves_as_itself(world: World) -> None:
    class Ours(Exception):
        pass

    with pytest.raises((Ours, ExceptionGroup)) as caught:
        async with world.sandbox():
            raise Ours
    error = caught.value
    assert isinstance(error, Ours) or error.subgroup(Ours)


async def test_disk_trouble_does_not_end_the_worker(world: World) -> None:
    world.folder.write_text("in the way", "utf-8")
    async with world.running() as client:
        await client.get("videos/00000000-0000-4000-8000-000000000000")
        world.folder.unlink()
        done = await world.finish(client, await world.submit(client))

    assert done["task_status"] == "succeed"


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_an_idle_worker_has_no_timer_running(world: World) -> None:
    async with world.running() as client:
        await world.finish(client, await world.submit(client))
        # Threads and the exit of the last child count as blocked, so this may take a moment, but
        # a worker with a timer would never be without a deadline.
        deadline = 0.0
        for _ in range(100):
            await trio.testing.wait_all_tasks_blocked(0.05)
            deadline = trio.lowlevel.current_statistics().seconds_to_next_deadline
            if deadline == float("inf"):
                return
    pytest.fail(f"an idle worker still has a deadline in {deadline:.1f} s")


@pytest.mark.exhaustive
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_a_post_cancelled_anywhere_is_charged_once_or_not_at_all(world: World) -> None:
    """Every charged task is rendered, even if its id was never received."""
    sandbox = world.sandbox()
    outcomes: list[int] = []

    async def all_rendered() -> bool:
        # There are no requests, so only the worker's own wake-up can start the render.
        return len(world.renders("end")) == sum(outcomes)

    async with sandbox:
        for step in range(1, 30):
            before = len(sandbox.charges())
            async with world.client(sandbox) as client:
                with anyio.CancelScope() as scope:
                    trio.lowlevel.add_instrument(Axe(scope, step))
                    await world.submit(client, f"fox {step}")
            outcomes.append(len(sandbox.charges()) - before)
            await wait_until(all_rendered)

    assert set(outcomes) == {0, 1}
    assert world.renders("end") == [charge.task_id for charge in sandbox.charges()]


class Axe(trio.abc.Instrument):
    """Cancels *scope* before the *step*-th time that the test's own task runs."""

    def __init__(self, scope: anyio.CancelScope, step: int) -> None:
        self._scope = scope
        self._steps_left = step
        self._task = trio.lowlevel.current_task()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is not self._task:
            return
        self._steps_left -= 1
        if self._steps_left == 0:
            self._scope.cancel()
            trio.lowlevel.remove_instrument(self)


async def test_the_worker_needs_no_application(world: World) -> None:
    async with world.client(world.sandbox()) as client:
        task_id = await world.submit(client)
    store = Store(world.folder, keep_finished=10)
    worker = RenderWorker(store, renderer=world.renderer, stall_timeout_seconds=10)

    async def finished() -> bool:
        task = store.load_task(task_id)
        return task is not None and task.finished

    async with anyio.create_task_group() as group:
        group.start_soon(worker.run)
        await wait_until(finished)
        group.cancel_scope.cancel()
