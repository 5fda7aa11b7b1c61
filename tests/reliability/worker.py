"""Worker processes that start in milliseconds: forks of a zygote that has imported everything.

The zygote opens nothing and forks a child for each order. A child runs the real composition
root with the real HTTP client, so a SIGKILL to it has the same effect as one to a server.
Orders arrive on stdin and reports go to stdout, one JSON line each. The zygote reaps and
kills its children itself, so that no signal can reach a process id that was reused.

Rule: nothing is opened, started or connected before the fork; only imported.
"""

import asyncio
import gc
import importlib
import json
import os
import select
import signal
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread
import httpx

from geekai_video_mcp.app import App, open_app
from geekai_video_mcp.config import Settings
from geekai_video_mcp.domain.requests import GenerationRequest
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.errors import CapReached, StorageUnavailable
from geekai_video_mcp.ledger import Ledger
from reliability.database_waits import CountingThread, pause_before_transactions
from reliability.progress import CallbackTimer
from support.world import skip_inspection

for _module in (
    "ledger.postgres.database",
    "media.downloads",
    "provider.client",
):  # which the server imports only when it needs them
    importlib.import_module(f"geekai_video_mcp.{_module}")

SETTLED: Final = 0
NOT_SETTLED: Final = 3
"""Exit statuses of a child: all tasks are settled, or its time ran out."""
CHECK_INTERVAL: Final = 0.05
"""Seconds between two checks whether a child has anything left to do."""
RETRY_DELAY: Final = 2.0
"""Seconds until a call is repeated that the database has refused."""
UNTIL: Final[Mapping[str, str]] = {
    "answered": "status IN ('waiting', 'intended', 'submitting')",
    "ready": "status IN ('waiting', 'intended', 'submitting', 'pending', 'running')",
    "settled": "status IN ('waiting', 'intended', 'submitting', 'pending', 'running')"
    " OR (status = 'succeed' AND file_status = 'none')",
}
"""How far every task must have come before a child exits: SQL for the tasks that have not."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """The work of one child."""

    env: Mapping[str, str]
    stderr: str
    """Path of its stderr; the file is searched for secrets afterwards."""
    prompts: list[str] = field(default_factory=list[str])
    """The prompts to submit, all at once."""
    keyed: bool = False
    """Whether each prompt is sent with itself as its idempotency key."""
    resubmit: bool = False
    """Only resubmit every unknown task, as the command line does."""
    image: int = 0
    """Characters of an image sent along, to make the body larger than any buffer."""
    cancel_after: float | None = None
    """Seconds after which these submissions are cancelled by their callers."""
    close_after: float | None = None
    """Seconds after which it closes properly, as a server does when its host exits."""
    proxy: str = ""
    """URL of the proxy for all requests; empty for none."""
    until: str = "settled"
    """How far every task of the ledger must have come before it exits: a key of `UNTIL`."""
    max_seconds: float = 20.0
    """Seconds after which it exits in any case."""
    hold: bool = False
    """Wait for SIGUSR1 before anything is opened, so that a tracer can attach."""
    sequential: bool = False
    """Submit one after another on one connection, instead of all at once."""
    constants: Mapping[str, float] = field(default_factory=dict[str, float])
    """Values for the product's constants, by names such as `client.SUBMIT_TIMEOUT`."""
    max_pause: float = 0.0
    """Longest pause in seconds before each transaction, so that other processes come between."""
    callback_log: str | None = None
    """Path of a file for the duration of each callback of its loop; see `blocking`."""


async def _run_order(order: Order, gate: "StartGate | None", refused: list[str]) -> int:
    if gate is not None:
        await gate.wait()
    settings = Settings.from_env(order.env)
    if order.resubmit:
        return await _resubmit_unknown(settings)
    with anyio.move_on_after(order.close_after) as life:
        return await _serve_order(order, settings, refused)
    return SETTLED if life.cancelled_caught else NOT_SETTLED


async def _resubmit_unknown(settings: Settings) -> int:
    ledger = await open_ledger(settings)
    unknown = await ledger.list_tasks(limit=100, statuses=[Status.UNKNOWN])
    await ledger.close()
    async with open_app(settings, sweep=False, inspect_file=skip_inspection) as app:
        for task in unknown:
            await app.resolver.send(await app.resolver.supersede(task.id))
    return SETTLED


async def open_ledger(settings: Settings) -> Ledger:
    """The ledger alone, wherever these settings have it."""
    if (url := settings.hosting.database_url) is not None:
        return await Ledger.open_database(url.get_secret_value(), settings.state_dir)
    return await Ledger.open(settings.state_dir)


async def _serve_order(order: Order, settings: Settings, refused: list[str]) -> int:
    async with open_app(settings, inspect_file=skip_inspection) as app:
        with anyio.move_on_after(order.max_seconds):
            async with anyio.create_task_group() as calls:
                for prompt in order.prompts:
                    if order.sequential:
                        await _submit(app, order, settings, prompt, refused)
                    else:
                        calls.start_soon(_submit, app, order, settings, prompt, refused)
            with counting_unfinished(order) as count:
                while await count():  # noqa: ASYNC110 - other processes' work wakes nobody here
                    await anyio.sleep(CHECK_INTERVAL)
            return SETTLED
    return NOT_SETTLED


async def _submit(
    app: App, order: Order, settings: Settings, prompt: str, refused: list[str]
) -> None:
    body = {"model": "m", "prompt": prompt, "async": True}
    if order.image:
        body["image"] = "data:image/png;base64," + "A" * order.image
    request = GenerationRequest(Media.VIDEO, body)
    key = prompt if order.keyed else None
    with anyio.move_on_after(order.cancel_after):
        while True:
            try:
                await app.engine.submit(request, idempotency_key=key)
            except CapReached:
                refused.append(prompt)
            except StorageUnavailable:
                # A database is away or busy now and then. The same call works later, or returns
                # the task that was recorded all the same.
                if settings.hosting.database_url is None:
                    raise
                await anyio.sleep(RETRY_DELAY)
                continue
            return


@contextmanager
def counting_unfinished(order: Order) -> Generator[Callable[[], Awaitable[int]]]:
    """Counts the tasks of the order's ledger that have not reached its `until`."""
    state_dir, unfinished = Path(order.env["GEEKAI_STATE_DIR"]), UNTIL[order.until]

    async def count() -> int:
        return count_unfinished(state_dir, order.until)

    async def count_in_thread() -> int:
        # A timed loop must contain only what the product does, so this runs in a thread.
        return await anyio.to_thread.run_sync(count_unfinished, state_dir, order.until)

    if database := order.env.get("GEEKAI_DATABASE_URL"):
        with CountingThread(database, unfinished) as thread:
            yield thread.count
    else:
        yield count if order.callback_log is None else count_in_thread


def count_unfinished(state_dir: Path, until: str) -> int:
    """How many tasks of this ledger have not reached *until*."""
    # mode=rw: a reader must also be able to roll back a transaction that a victim left open.
    path = f"file:{state_dir / 'ledger.sqlite3'}?mode=rw"
    with closing(sqlite3.connect(path, uri=True, timeout=30)) as ledger:
        statement = f"SELECT count(*) FROM task WHERE {UNTIL[until]}"  # noqa: S608 - words of this file
        return ledger.execute(statement).fetchone()[0]


class StartGate:
    """Makes a child report its threads and wait for SIGUSR1.

    The threads are those that anyio will use. They are created here so that each can be
    traced by its id, because strace counts calls per thread.
    """

    THREADS: Final = 2
    """As many as a child ever uses at once: one for the ledger and one for files."""

    def __init__(self, report_fd: int) -> None:
        self._report_fd = report_fd
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})

    async def wait(self) -> None:
        together, threads = threading.Barrier(self.THREADS), list[int]()

        def name_thread() -> None:
            threads.append(threading.get_native_id())
            together.wait()

        async with anyio.create_task_group() as group:
            for _ in range(self.THREADS):
                group.start_soon(anyio.to_thread.run_sync, name_thread)
        _write_message(self._report_fd, pid=os.getpid(), threads=[os.getpid(), *threads])
        signal.sigwait({signal.SIGUSR1})


def _override_constants(constants: Mapping[str, float]) -> None:
    """Replace constants of the product in this child, before anything is opened.

    So a test does not have to wait five minutes to see what happens after five minutes.
    """
    for name, seconds in constants.items():
        module, _, constant = name.rpartition(".")
        owner = importlib.import_module(f"geekai_video_mcp.{module}")
        timeout = isinstance(getattr(owner, constant), httpx.Timeout)
        setattr(owner, constant, httpx.Timeout(seconds) if timeout else seconds)


def _run_child(order: Order, report_fd: int) -> int:
    gate = StartGate(report_fd) if order.hold else None
    _override_constants(order.constants)
    if order.max_pause:
        pause_before_transactions(order.max_pause)
    if order.proxy:
        os.environ["ALL_PROXY"] = order.proxy
    timer = CallbackTimer()
    if order.callback_log is not None:
        timer.install()
    refused = list[str]()
    try:
        return asyncio.run(_run_order(order, gate, refused))
    finally:
        _write_message(report_fd, pid=os.getpid(), refused=len(refused))
        if order.callback_log is not None:
            timer.save(Path(order.callback_log))


class Zygote:
    """The parent process: forks, kills and reaps children, and reports it."""

    def __init__(self) -> None:
        self._children: set[int] = set()
        self._pending = b""

    def run(self) -> None:
        """Carry out orders until stdin ends, then kill every child."""
        # Otherwise a child's first full collection copies every page shared with the parent.
        gc.freeze()
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.signal(signal.SIGCHLD, _ignore_signal)
        signal.set_wakeup_fd(writing)
        self._own = (reading, writing)
        _write_message(1, ready=os.getpid())
        while True:
            ready, _, _ = select.select([0, reading], [], [])
            if reading in ready:
                os.read(reading, 4096)
                self._reap_children()
            if 0 in ready and not self._read_orders():
                break
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)

    def _read_orders(self) -> bool:
        data = os.read(0, 1 << 20)
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "order" in message:
                self._fork_child(Order(**message["order"]))
            elif message["pid"] in self._children:
                os.kill(message["pid"], message["signal"])
        return bool(data)

    def _fork_child(self, order: Order) -> None:
        pid = os.fork()
        if pid:
            self._children.add(pid)
            _write_message(1, pid=pid)
            return
        status = 1
        try:
            status = _run_child(order, self._detach_child(order))
        except BaseException as exc:  # noqa: BLE001 - a forked child must never return
            os.write(2, f"worker broke: {type(exc).__name__}\n".encode())
        finally:
            os._exit(status)

    def _detach_child(self, order: Order) -> int:
        """Close the parent's descriptors except a copy of stdout for reports; returns the copy."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in self._own:
            os.close(descriptor)
        report_fd = os.dup(1)
        os.set_inheritable(report_fd, False)  # noqa: FBT003 - a positional of the system's own
        null = os.open(os.devnull, os.O_RDWR)
        stderr = os.open(order.stderr, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for descriptor, target in ((null, 0), (null, 1), (stderr, 2)):
            os.dup2(descriptor, target)
        return report_fd

    def _reap_children(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._children.discard(pid)
            _write_message(1, pid=pid, ended=os.waitstatus_to_exitcode(status))


def _write_message(descriptor: int, **message: Any) -> None:  # noqa: ANN401 - JSON
    os.write(descriptor, json.dumps(message).encode() + b"\n")


def _ignore_signal(_number: int, _frame: object) -> None:
    """Do nothing; the signal only needs a handler to wake the loop."""


def to_line(order: Order) -> bytes:
    """The order as a line for the zygote."""
    return json.dumps({"order": asdict(order)}).encode() + b"\n"


if __name__ == "__main__":
    Zygote().run()
