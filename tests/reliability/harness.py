"""The harness of the reliability programs: a folder, a provider, a zygote and its workers."""

import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from reliability import provider, worker
from reliability.oracle import Verdict, judge
from support.fake_geekai import KEY
from support.postgres import create_database

TESTS: Final = Path(__file__).parents[1]
TIMEOUT: Final = 60.0
"""Seconds that any step may take before it counts as stuck."""
NO_CAP: Final = "1000000"
"""Videos: these programs do not test the caps, unless they set one."""


@dataclass
class Child:
    """One worker process."""

    pid: int
    threads: list[int] = field(default_factory=list[int])
    """Its main thread, then its worker threads; known once `ready` is set."""
    refused: int = 0
    """How many of its calls a cap refused; known once it has ended."""
    status: int | None = None
    ready: anyio.Event = field(default_factory=anyio.Event)
    ended: anyio.Event = field(default_factory=anyio.Event)

    async def wait(self, *, max_seconds: float = TIMEOUT) -> int:
        """Wait for its exit status; negative for the signal that ended it."""
        with anyio.fail_after(max_seconds):
            await self.ended.wait()
        assert self.status is not None
        return self.status


@dataclass
class Harness:
    """One provider and one zygote, and the messages that they sent."""

    folder: Path
    origin: str
    size: int
    _provider: Process
    _zygote: Process
    children: dict[int, Child] = field(default_factory=dict[int, Child])
    events: Counter[str] = field(default_factory=Counter[str])
    """How often each kind of event happened at the provider."""
    _new_children: list[Child] = field(default_factory=list[Child])
    _changed: anyio.Event = field(default_factory=anyio.Event)
    _fork_lock: anyio.Lock = field(default_factory=anyio.Lock)
    server: str | None = None
    """The address of PostgreSQL, which has a database for each folder; None: each has a file."""
    _databases: dict[str, str] = field(default_factory=dict[str, str])
    _database_lock: anyio.Lock = field(default_factory=anyio.Lock)
    started_at: float = field(default_factory=time.time)

    def state(self, name: str = "one", machine: str = "") -> Path:
        """The state folder of a *machine*, several of which share the database of a folder."""
        return self.folder / name / "state" / machine

    async def prepare(self, name: str = "one") -> None:
        """Make the folder *name*, and its database if it is not a file."""
        (self.folder / name).mkdir(exist_ok=True)
        async with self._database_lock:
            if self.server is not None and name not in self._databases:
                self._databases[name] = await create_database(self.server)

    def database(self, name: str = "one") -> str | None:
        """The address of the database of the folder *name*; None if it is a file."""
        return self._databases.get(name)

    def env(self, name: str = "one", machine: str = "", **more: str) -> dict[str, str]:
        """The settings of a server in the folder *name* that uses this provider."""
        if database := self.database(name):
            more = {"GEEKAI_DATABASE_URL": database, **more}
        return {
            "GEEKAI_API_KEY": KEY,
            "GEEKAI_BASE_URL": f"{self.origin}/api/v1",
            "GEEKAI_STATE_DIR": str(self.state(name, machine)),
            "GEEKAI_OUTPUT_DIR": str(self.folder / name / "videos"),
            "GEEKAI_MAX_VIDEOS_PER_DAY": NO_CAP,
            "GEEKAI_MAX_IN_FLIGHT": NO_CAP,
            # A hundred tasks finish within seconds here, and each of them is polled.
            "GEEKAI_REQUESTS_PER_SECOND": "1000",
            **more,
        }

    async def fork(
        self,
        name: str = "one",
        *,
        env: Mapping[str, str] | None = None,
        machine: str = "",
        **order: Any,  # noqa: ANN401 - an Order's fields
    ) -> Child:
        """Start a worker in the folder *name*, with *env* added; see `worker.Order`."""
        await self.prepare(name)
        stderr = str(self.folder / name / "stderr.log")
        settings = self.env(name, machine, **(env or {}))
        async with self._fork_lock:
            await self._send_order(worker.Order(env=settings, stderr=stderr, **order))
            with anyio.fail_after(TIMEOUT):
                while not self._new_children:
                    await self.wait_for_change()
            return self._new_children.pop()

    async def _send_order(self, order: worker.Order) -> None:
        assert self._zygote.stdin is not None
        await self._zygote.stdin.send(worker.to_line(order))

    async def send_signal(self, child: Child, number: signal.Signals) -> None:
        """Send a signal through the zygote, which knows whether the child still exists."""
        assert self._zygote.stdin is not None
        line = json.dumps({"pid": child.pid, "signal": int(number)})
        await self._zygote.stdin.send(line.encode() + b"\n")

    async def kill(self, child: Child) -> None:
        """Kill the child with SIGKILL and wait for its end."""
        await self.send_signal(child, signal.SIGKILL)
        await child.wait()

    async def settle(
        self,
        name: str = "one",
        *,
        max_seconds: float = 45.0,
        **order: Any,  # noqa: ANN401 - an Order's fields
    ) -> None:
        """Let one last worker finish everything in the folder *name*, and carry out *order*.

        The oracle reports what it could not finish.
        """
        if self.server is not None:  # it asks about the dead in one sweep, and knows in the next
            order = {"constants": {"engine.SWEEP_INTERVAL": 0.5}, **order}
        survivor = await self.fork(name, max_seconds=max_seconds, **order)
        status = await survivor.wait()
        assert status in {worker.SETTLED, worker.NOT_SETTLED}, f"the survivor ended with {status}"

    async def set_connection_faults(self, *faults: str) -> None:
        """Set the faults of the provider's next connections; an empty string is no fault."""
        assert self._provider.stdin is not None
        before = self.events["next"]
        await self._provider.stdin.send(json.dumps({"next": faults}).encode() + b"\n")
        await self.wait_for_event("next", before + 1)

    async def wait_for_event(self, event: str, times: int) -> None:
        """Wait until *event* has happened *times* times at the provider."""
        while self.events[event] < times:
            await self.wait_for_change()

    async def wait_for_change(self) -> None:
        """Wait until anything happens at the provider or in a worker."""
        await self._changed.wait()

    def charges(self) -> list[provider.Charge]:
        """The POSTs that the provider has recorded so far."""
        return provider.read_log(self.folder / "provider.log")

    def verdict(self, name: str = "one", *, prompts: str = "", live: bool = False) -> Verdict:
        """The verdict on the folder *name* and the charges whose prompt begins with *prompts*."""
        return judge(
            state=self.folder / name / "state",
            output=self.folder / name / "videos",
            logs=[self.folder / name / "stderr.log"],
            charges=[charge for charge in self.charges() if charge.prompt.startswith(prompts)],
            video=lambda task_id: provider.video_bytes(task_id, self.size),
            key=KEY,
            started_at=self.started_at,
            live=live,
            database=self.database(name),
        )

    async def on_provider_message(self, message: dict[str, Any]) -> None:
        self.events[message["event"]] += 1
        self.events[f"{message['event']} {message['subject']}"] += 1
        self._notify()

    async def on_zygote_message(self, message: dict[str, Any]) -> None:
        pid = message.get("pid", 0)
        if "ended" in message:
            child = self.children.pop(pid)
            child.status = message["ended"]
            child.ended.set()
        elif "refused" in message:
            self._child(pid).refused = message["refused"]
        elif "threads" in message:
            child = self._child(pid)
            child.threads = message["threads"]
            child.ready.set()
        elif pid:
            self._new_children.append(self._child(pid))
        self._notify()

    def _child(self, pid: int) -> Child:
        """The child of this process id, which may write before its parent names it."""
        return self.children.setdefault(pid, Child(pid))

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


@asynccontextmanager
async def open_harness(
    folder: Path,
    *,
    job_seconds: float = 0.1,
    latency: float = 0.0,
    size: int = 200_000,
    seed: int = 0,
    server: str | None = None,
) -> AsyncGenerator[Harness]:
    """Run a provider and a zygote while the block lasts; with *server*, on this PostgreSQL."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "provider.log").touch()
    options = {"log": folder / "provider.log", "job-seconds": job_seconds, "latency": latency}
    arguments = [f"--{k}={v}" for k, v in {**options, "size": size, "seed": seed}.items()]
    with (folder / "programs.log").open("ab") as stderr:
        async with (
            await _start_program("reliability.provider", *arguments, stderr=stderr) as service,
            await _start_program("reliability.worker", stderr=stderr) as zygote,
        ):
            from_service, from_zygote = _stdout_of(service), _stdout_of(zygote)
            listening = await _read_line(from_service)
            await _read_line(from_zygote)
            harness = Harness(folder, listening["subject"], size, service, zygote, server=server)
            async with anyio.create_task_group() as readers:
                readers.start_soon(_dispatch_messages, from_service, harness.on_provider_message)
                readers.start_soon(_dispatch_messages, from_zygote, harness.on_zygote_message)
                try:
                    yield harness
                finally:
                    readers.cancel_scope.cancel()
            await _stop_program(zygote)
            await _stop_program(service)


async def _start_program(module: str, *arguments: str, stderr: Any) -> Process:  # noqa: ANN401 - a file
    prefixes = ("GEEKAI_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
    inherited = {k: v for k, v in os.environ.items() if not k.upper().startswith(prefixes)}
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", module, *arguments]
    env = {**inherited, "PYTHONPATH": path}
    return await anyio.open_process(command, env=env, stderr=stderr)


async def _stop_program(process: Process) -> None:
    """Close its stdin, which makes it exit."""
    assert process.stdin is not None
    await process.stdin.aclose()
    with anyio.move_on_after(10, shield=True):
        await process.wait()


def _stdout_of(process: Process) -> BufferedByteReceiveStream:
    assert process.stdout is not None
    return BufferedByteReceiveStream(process.stdout)


async def _read_line(reader: BufferedByteReceiveStream) -> dict[str, Any]:
    with anyio.fail_after(TIMEOUT):
        return json.loads(await reader.receive_until(b"\n", 1_000_000))


async def _dispatch_messages(
    reader: BufferedByteReceiveStream, handle: Callable[[dict[str, Any]], Any]
) -> None:
    while True:
        try:
            line = await reader.receive_until(b"\n", 1_000_000)
        except (anyio.EndOfStream, anyio.IncompleteRead):
            return
        await handle(json.loads(line))
