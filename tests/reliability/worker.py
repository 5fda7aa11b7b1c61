"""Processes that cost milliseconds: a zygote has imported everything, its children run it.

The zygote opens nothing and forks a child for each order; a child runs the real composition
root over the real HTTP client, so SIGKILL to it is as good as to a server. Orders come on
stdin and news go to stdout, a JSON line each. The zygote reaps and kills its children
itself, so that no signal can ever meet a process id that was given to someone else.

Rule: nothing is opened, started or connected before the fork; only imported.
"""

import asyncio
import gc
import importlib
import json
import os
import random
import select
import signal
import sqlite3
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread
import httpx

from geekai_video_mcp.app import App, open_app
from geekai_video_mcp.config import Settings
from geekai_video_mcp.domain.lifecycle import Media
from geekai_video_mcp.domain.requests import GenerationRequest
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.errors import CapReached
from geekai_video_mcp.ledger import Ledger
from reliability.progress import Watch

for _heavy in (
    "media.downloads",
    "provider.client",
):  # which the server imports only when it needs them
    importlib.import_module(f"geekai_video_mcp.{_heavy}")

OFTEN: Final = {"domain.polling.POLLS_PER_SECOND": 1000.0}
"""A hundred tasks come to their end in seconds here, and each is looked at."""
SETTLED: Final = 0
NOT_SETTLED: Final = 3
"""Exit statuses of a child: all its tasks came to their end, or its time ran out."""
GLANCE: Final = 0.05
"""Seconds between a child's looks at whether anything is left to do."""
UNTIL: Final[Mapping[str, str]] = {
    "answered": "status IN ('intended', 'submitting')",
    "ready": "status IN ('intended', 'submitting', 'pending', 'running')",
    "settled": "status IN ('intended', 'submitting', 'pending', 'running')"
    " OR (status = 'succeed' AND file_status = 'none')",
}
"""How far a child carries its tasks before it goes: what none may be any more, in SQL."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What one child is to do."""

    env: Mapping[str, str]
    stderr: str
    """Where it may complain: the file is searched for secrets afterwards."""
    prompts: list[str] = field(default_factory=list[str])
    """To be submitted, all at once."""
    keyed: bool = False
    """Whether each prompt is sent with itself as its idempotency key."""
    resubmit: bool = False
    """Instead of all else, send every unknown outcome again, as a person's command does."""
    image: int = 0
    """Characters of a picture sent along: a body too large for any buffer."""
    cancel_after: float | None = None
    """Seconds after which the callers of these submissions give up."""
    close_after: float | None = None
    """Seconds after which it closes in good order, as a server does whose host goes."""
    proxy: str = ""
    """Through which it must go, whatever the host; empty for none."""
    until: str = "settled"
    """How far every task of the ledger must have come before it goes: a key of `UNTIL`."""
    at_most: float = 20.0
    """Seconds until it goes all the same."""
    hold: bool = False
    """Wait, with nothing opened, until told to go: so a tracer can attach."""
    in_turn: bool = False
    """Submit one after another, on one connection, instead of all at once."""
    constants: Mapping[str, float] = field(default_factory=dict[str, float])
    """Numbers in place of the product's own, as `client.SUBMIT_TIMEOUT`: see `_hurry`."""
    falter: float = 0.0
    """Seconds of a pause at most before each transaction: others come between any two."""
    watch: str | None = None
    """Where to write how long each callback of its loop took; see `blocking`."""


async def _carry(order: Order, hold: "Hold | None", refused: list[str]) -> int:
    if hold is not None:
        await hold.wait()
    settings = Settings.from_env(order.env)
    if order.resubmit:
        return await _resubmit(settings)
    with anyio.move_on_after(order.close_after) as life:
        return await _live(order, settings, refused)
    return SETTLED if life.cancelled_caught else NOT_SETTLED


async def _resubmit(settings: Settings) -> int:
    ledger = await Ledger.open(settings.state_dir)
    unknown = await ledger.list_tasks(limit=100, statuses=[Status.UNKNOWN])
    await ledger.close()
    async with open_app(settings, sweep=False) as app:
        for task in unknown:
            await app.resolver.send(await app.resolver.supersede(task.id))
    return SETTLED


async def _live(order: Order, settings: Settings, refused: list[str]) -> int:
    async with open_app(settings) as app:
        with anyio.move_on_after(order.at_most):
            async with anyio.create_task_group() as calls:
                for prompt in order.prompts:
                    if order.in_turn:
                        await _submit(app, order, prompt, refused)
                    else:
                        calls.start_soon(_submit, app, order, prompt, refused)
            while await _left(order, settings.state_dir):  # noqa: ASYNC110 - other processes' work wakes nobody here
                await anyio.sleep(GLANCE)
            return SETTLED
    return NOT_SETTLED


async def _submit(app: App, order: Order, prompt: str, refused: list[str]) -> None:
    body = {"model": "m", "prompt": prompt, "async": True}
    if order.image:
        body["image"] = "data:image/png;base64," + "A" * order.image
    request = GenerationRequest(Media.VIDEO, body)
    with anyio.move_on_after(order.cancel_after):
        try:
            key = prompt if order.keyed else None
            await app.engine.submit(request, idempotency_key=key)
        except CapReached:
            refused.append(prompt)


async def _left(order: Order, state_dir: Path) -> int:
    if order.watch is None:
        return left(state_dir, order.until)
    # A loop that is watched is watched for what the product does on it.
    return await anyio.to_thread.run_sync(left, state_dir, order.until)


def left(state_dir: Path, until: str) -> int:
    """How many tasks of this ledger have not come as far as *until*."""
    # mode=rw: a reader as well must be able to roll back what a victim left half done.
    path = f"file:{state_dir / 'ledger.sqlite3'}?mode=rw"
    with closing(sqlite3.connect(path, uri=True, timeout=30)) as ledger:
        asked = f"SELECT count(*) FROM task WHERE {UNTIL[until]}"  # noqa: S608 - words of this file
        return ledger.execute(asked).fetchone()[0]


class Hold:
    """A child that waits, with its threads named, until SIGUSR1 tells it to go.

    The threads are those that anyio will use: made here, so that each can be traced by
    name, for strace counts calls per thread.
    """

    THREADS: Final = 2
    """As many as a child ever has at work at once: the ledger's, and one for files."""

    def __init__(self, news: int) -> None:
        self._news = news
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})

    async def wait(self) -> None:
        together, threads = threading.Barrier(self.THREADS), list[int]()

        def name() -> None:
            threads.append(threading.get_native_id())
            together.wait()

        async with anyio.create_task_group() as group:
            for _ in range(self.THREADS):
                group.start_soon(anyio.to_thread.run_sync, name)
        _say(self._news, pid=os.getpid(), threads=[os.getpid(), *threads])
        signal.sigwait({signal.SIGUSR1})


def _hurry(constants: Mapping[str, float]) -> None:
    """Other constants in this child, before anything is opened; the code is the product's.

    This is how a test needs no five minutes to see what happens after five minutes.
    """
    for name, seconds in {**OFTEN, **constants}.items():
        module, _, constant = name.rpartition(".")
        owner = importlib.import_module(f"geekai_video_mcp.{module}")
        timeout = isinstance(getattr(owner, constant), httpx.Timeout)
        setattr(owner, constant, httpx.Timeout(seconds) if timeout else seconds)


def _falter(at_most: float) -> None:
    """Pause before each transaction, as a busy machine may.

    Whoever waits for SQLite's lock sleeps, so by itself the process that had it takes it
    again, and what wrongly stands in two transactions goes well nearly always.
    """
    connect: Any = sqlite3.connect

    def pause(statement: str) -> None:
        if statement.startswith("BEGIN"):
            time.sleep(random.uniform(0.0, at_most))  # noqa: S311 - a test's own dice

    def connected(*args: Any, **more: Any) -> sqlite3.Connection:  # noqa: ANN401 - its own
        made = connect(*args, **more)
        made.set_trace_callback(pause)
        return made

    sqlite3.connect = connected  # pyright: ignore[reportAttributeAccessIssue]


def _child(order: Order, news: int) -> int:
    hold = Hold(news) if order.hold else None
    _hurry(order.constants)
    if order.falter:
        _falter(order.falter)
    if order.proxy:
        os.environ["ALL_PROXY"] = order.proxy
    watch = Watch()
    if order.watch is not None:
        watch.install()
    refused = list[str]()
    try:
        return asyncio.run(_carry(order, hold, refused))
    finally:
        _say(news, pid=os.getpid(), refused=len(refused))
        if order.watch is not None:
            watch.save(Path(order.watch))


class Zygote:
    """The parent: forks, kills, reaps, and says so."""

    def __init__(self) -> None:
        self._children: set[int] = set()
        self._pending = b""

    def run(self) -> None:
        """Obey until stdin ends; then no child is left."""
        # Or a child's first full collection would copy every page that it shares with us.
        gc.freeze()
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.signal(signal.SIGCHLD, _woken)
        signal.set_wakeup_fd(writing)
        self._own = (reading, writing)
        _say(1, ready=os.getpid())
        while True:
            ready, _, _ = select.select([0, reading], [], [])
            if reading in ready:
                os.read(reading, 4096)
                self._reap()
            if 0 in ready and not self._obey():
                break
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)

    def _obey(self) -> bool:
        data = os.read(0, 1 << 20)
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            told = json.loads(line)
            if "order" in told:
                self._fork(Order(**told["order"]))
            elif told["pid"] in self._children:
                os.kill(told["pid"], told["signal"])
        return bool(data)

    def _fork(self, order: Order) -> None:
        pid = os.fork()
        if pid:
            self._children.add(pid)
            _say(1, pid=pid)
            return
        status = 1
        try:
            status = _child(order, self._alone(order))
        except BaseException as exc:  # noqa: BLE001 - a forked child must never return
            os.write(2, f"worker broke: {type(exc).__name__}\n".encode())
        finally:
            os._exit(status)

    def _alone(self, order: Order) -> int:
        """Give up what is the parent's; the descriptor for news stays."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in self._own:
            os.close(descriptor)
        news = os.dup(1)
        os.set_inheritable(news, False)  # noqa: FBT003 - a positional of the system's own
        nothing = os.open(os.devnull, os.O_RDWR)
        complaints = os.open(order.stderr, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for descriptor, target in ((nothing, 0), (nothing, 1), (complaints, 2)):
            os.dup2(descriptor, target)
        return news

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._children.discard(pid)
            _say(1, pid=pid, ended=os.waitstatus_to_exitcode(status))


def _say(descriptor: int, **news: Any) -> None:  # noqa: ANN401 - JSON
    os.write(descriptor, json.dumps(news).encode() + b"\n")


def _woken(_number: int, _frame: object) -> None:
    """Nothing: that a signal has a handler is what wakes the loop."""


def to_line(order: Order) -> bytes:
    """The order as the zygote reads it."""
    return json.dumps({"order": asdict(order)}).encode() + b"\n"


if __name__ == "__main__":
    Zygote().run()
