"""Where the reliability programs act: a folder, a provider, a zygote, and their ends."""

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

TESTS: Final = Path(__file__).parents[1]
PATIENCE: Final = 60.0
"""Seconds that anything here may take before it counts as stuck."""
NO_CAP: Final = "1000000"
"""Videos: the caps are not what these programs are about, unless they say so."""


@dataclass
class Child:
    """One worker process."""

    pid: int
    threads: list[int] = field(default_factory=list[int])
    """Its main thread, then those that do its blocking work; known once it holds."""
    refused: int = 0
    """How many of its calls a cap held, known once it has ended."""
    status: int | None = None
    holds: anyio.Event = field(default_factory=anyio.Event)
    ended: anyio.Event = field(default_factory=anyio.Event)

    async def end(self, *, at_most: float = PATIENCE) -> int:
        """Its exit status, once it has one; negative for the signal that ended it."""
        with anyio.fail_after(at_most):
            await self.ended.wait()
        assert self.status is not None
        return self.status


@dataclass
class Harness:
    """One provider and one zygote, and what they said."""

    folder: Path
    origin: str
    size: int
    _provider: Process
    _zygote: Process
    children: dict[int, Child] = field(default_factory=dict[int, Child])
    events: Counter[str] = field(default_factory=Counter[str])
    """How often each kind of thing happened at the provider."""
    _born: list[Child] = field(default_factory=list[Child])
    _news: anyio.Event = field(default_factory=anyio.Event)
    _turn: anyio.Lock = field(default_factory=anyio.Lock)
    began: float = field(default_factory=time.time)

    def env(self, name: str = "one", **more: str) -> dict[str, str]:
        """The settings of a server that works in the folder *name* for this provider."""
        return {
            "GEEKAI_API_KEY": KEY,
            "GEEKAI_BASE_URL": f"{self.origin}/api/v1",
            "GEEKAI_STATE_DIR": str(self.folder / name / "state"),
            "GEEKAI_OUTPUT_DIR": str(self.folder / name / "videos"),
            "GEEKAI_MAX_VIDEOS_PER_DAY": NO_CAP,
            "GEEKAI_MAX_IN_FLIGHT": NO_CAP,
            **more,
        }

    async def fork(
        self,
        name: str = "one",
        *,
        env: Mapping[str, str] | None = None,
        **order: Any,  # noqa: ANN401 - an Order's fields
    ) -> Child:
        """A new worker in the folder *name*, with *env* on top; see `worker.Order`."""
        (self.folder / name).mkdir(exist_ok=True)
        stderr = str(self.folder / name / "stderr.log")
        settings = self.env(name, **(env or {}))
        async with self._turn:
            await self._order(worker.Order(env=settings, stderr=stderr, **order))
            with anyio.fail_after(PATIENCE):
                while not self._born:
                    await self.news()
            return self._born.pop()

    async def _order(self, order: worker.Order) -> None:
        assert self._zygote.stdin is not None
        await self._zygote.stdin.send(worker.to_line(order))

    async def signal(self, child: Child, number: signal.Signals) -> None:
        """Send a signal, by the one process that knows whether the child still is."""
        assert self._zygote.stdin is not None
        line = json.dumps({"pid": child.pid, "signal": int(number)})
        await self._zygote.stdin.send(line.encode() + b"\n")

    async def kill(self, child: Child) -> None:
        """The end that nobody can prepare for."""
        await self.signal(child, signal.SIGKILL)
        await child.end()

    async def settle(
        self,
        name: str = "one",
        *,
        at_most: float = 45.0,
        **order: Any,  # noqa: ANN401 - an Order's fields
    ) -> None:
        """Let one last worker carry everything in the folder *name* to its end, and *order*.

        What it could not settle is the oracle's to name.
        """
        survivor = await self.fork(name, at_most=at_most, **order)
        status = await survivor.end()
        assert status in {worker.SETTLED, worker.NOT_SETTLED}, f"the survivor ended with {status}"

    async def next_connections(self, *faults: str) -> None:
        """What goes wrong with the provider's next connections; an empty one is well."""
        assert self._provider.stdin is not None
        told = self.events["next"]
        await self._provider.stdin.send(json.dumps({"next": faults}).encode() + b"\n")
        await self.happened("next", told + 1)

    async def happened(self, event: str, times: int) -> None:
        """Wait until *event* has happened so often at the provider."""
        while self.events[event] < times:
            await self.news()

    async def news(self) -> None:
        """Wait until anything happens, at the provider or with a worker."""
        await self._news.wait()

    def charges(self) -> list[provider.Charge]:
        """What the provider recorded so far."""
        return provider.read_log(self.folder / "provider.log")

    def verdict(self, name: str = "one", *, prompts: str = "", live: bool = False) -> Verdict:
        """The oracle's word on the folder *name* and the charges whose prompt begins so."""
        return judge(
            state=self.folder / name / "state",
            output=self.folder / name / "videos",
            logs=[self.folder / name / "stderr.log"],
            charges=[charge for charge in self.charges() if charge.prompt.startswith(prompts)],
            video=lambda task_id: provider.video(task_id, self.size),
            key=KEY,
            began=self.began,
            live=live,
        )

    async def on_provider_message(self, line: dict[str, Any]) -> None:
        self.events[line["event"]] += 1
        self.events[f"{line['event']} {line['what']}"] += 1
        self._wake()

    async def on_zygote_message(self, line: dict[str, Any]) -> None:
        pid = line.get("pid", 0)
        if "ended" in line:
            child = self.children.pop(pid)
            child.status = line["ended"]
            child.ended.set()
        elif "refused" in line:
            self.children[pid].refused = line["refused"]
        elif "threads" in line:
            child = self.children[pid]
            child.threads = line["threads"]
            child.holds.set()
        elif pid:
            self.children[pid] = child = Child(pid)
            self._born.append(child)
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = anyio.Event()


@asynccontextmanager
async def open_harness(
    folder: Path, *, takes: float = 0.1, latency: float = 0.0, size: int = 200_000, seed: int = 0
) -> AsyncGenerator[Harness]:
    """A provider and a zygote of their own, for as long as the block lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "provider.log").touch()
    options = {"log": folder / "provider.log", "takes": takes, "latency": latency}
    words = [f"--{k}={v}" for k, v in {**options, "size": size, "seed": seed}.items()]
    with (folder / "programs.log").open("ab") as stderr:
        async with (
            await _open("reliability.provider", *words, stderr=stderr) as service,
            await _open("reliability.worker", stderr=stderr) as zygote,
        ):
            from_service, from_zygote = _reader(service), _reader(zygote)
            listening = await _line(from_service)
            await _line(from_zygote)
            made = Harness(folder, listening["what"], size, service, zygote)
            async with anyio.create_task_group() as hearing:
                hearing.start_soon(_hear, from_service, made.on_provider_message)
                hearing.start_soon(_hear, from_zygote, made.on_zygote_message)
                try:
                    yield made
                finally:
                    hearing.cancel_scope.cancel()
            await _close(zygote)
            await _close(service)


async def _open(module: str, *words: str, stderr: Any) -> Process:  # noqa: ANN401 - a file
    ours = ("GEEKAI_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
    inherited = {k: v for k, v in os.environ.items() if not k.upper().startswith(ours)}
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", module, *words]
    env = {**inherited, "PYTHONPATH": path}
    return await anyio.open_process(command, env=env, stderr=stderr)


async def _close(process: Process) -> None:
    """Their stdin ends, and so do they."""
    assert process.stdin is not None
    await process.stdin.aclose()
    with anyio.move_on_after(10, shield=True):
        await process.wait()


def _reader(process: Process) -> BufferedByteReceiveStream:
    assert process.stdout is not None
    return BufferedByteReceiveStream(process.stdout)


async def _line(reader: BufferedByteReceiveStream) -> dict[str, Any]:
    with anyio.fail_after(PATIENCE):
        return json.loads(await reader.receive_until(b"\n", 1_000_000))


async def _hear(reader: BufferedByteReceiveStream, hear: Callable[[dict[str, Any]], Any]) -> None:
    while True:
        try:
            line = await reader.receive_until(b"\n", 1_000_000)
        except (anyio.EndOfStream, anyio.IncompleteRead):
            return
        await hear(json.loads(line))
