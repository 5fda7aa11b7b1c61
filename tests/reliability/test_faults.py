"""The decision table of a POST that went wrong, row by row; the same for looks and downloads."""

import socket
import sqlite3
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from reliability.faults import IMPATIENT, TABLES, UNREACHED, UNREAD
from reliability.harness import Harness, open_harness
from reliability.oracle import tasks

pytestmark = pytest.mark.timeout(180)

LARGE = 12_000_000
"""Characters of a request that no buffer of the system takes in whole."""


@pytest.fixture(scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Harness]:
    """One stage for them all: each test has a folder, and prompts, of its own name."""
    async with open_harness(tmp_path_factory.mktemp("faults")) as made:
        yield made


async def played(
    here: Harness,
    name: str,
    *faults: str,
    **order: Any,  # noqa: ANN401 - an Order's fields
) -> dict[str, str]:
    """How the task of each fault ended: its status, or `stored` once its file is on disk."""
    prompts = [f"{name} {fault}" for fault in faults]
    worker = await here.fork(name, prompts=prompts, at_most=40, **order)
    assert await worker.end() == 0
    assert not here.verdict(name, prompts=f"{name} ").violations
    return {
        prompt.removeprefix(f"{name} "): (
            "stored" if row["file_status"] == "stored" else row["status"]
        )
        for prompt, row in tasks(here.folder / name / "state").items()
    }


def charged(here: Harness, name: str) -> Counter[str]:
    """How often each fault's prompt was paid for."""
    mine = (charge for charge in here.charges() if charge.prompt.startswith(f"{name} "))
    return Counter(charge.prompt.removeprefix(f"{name} ") for charge in mine if charge.charged)


@pytest.fixture(scope="module")
async def ends(here: Harness) -> dict[str, dict[str, str]]:
    """How the rows of each table ended; they are played at once, for most of it is waiting."""
    found = dict[str, dict[str, str]]()

    async def play(table: str) -> None:
        rows, constants = TABLES[table]
        faults = [row.fault for row in rows]
        found[table] = await played(here, table, *faults, constants=constants)

    async with anyio.create_task_group() as tables:
        for table in TABLES:
            tables.start_soon(play, table)
    return found


@pytest.mark.parametrize("table", TABLES)
async def test_every_row_ends_as_the_table_says_and_is_charged_at_most_once(
    here: Harness, ends: dict[str, dict[str, str]], table: str
) -> None:
    rows, _ = TABLES[table]
    times = charged(here, table)

    assert ends[table] == {row.fault: row.ends for row in rows}
    assert {row.fault: times[row.fault] for row in rows} == {row.fault: row.charges for row in rows}


@pytest.mark.parametrize("fault", UNREAD)
async def test_a_request_nobody_read_is_not_sent_again(here: Harness, fault: str) -> None:
    await here.next_connections(fault)
    large = LARGE if fault == "never_reads" else 0
    ends = await played(here, fault, "fox", image=large, constants=IMPATIENT)

    assert ends["fox"] in UNREAD[fault]
    assert charged(here, fault)["fox"] == (ends["fox"] == "stored")


async def test_a_connection_that_ends_while_idle_is_no_fault(here: Harness) -> None:
    ends = await played(here, "idle", "POST=then_close", "hare", in_turn=True)

    assert ends == {"POST=then_close": "stored", "hare": "stored"}
    assert charged(here, "idle") == {"POST=then_close": 1, "hare": 1}


async def test_a_connection_that_ends_during_the_second_request_is_unknown(here: Harness) -> None:
    ends = await played(here, "second", "fox", "POST=fin", in_turn=True)

    assert ends == {"fox": "stored", "POST=fin": "unknown"}


@contextmanager
def refusing() -> Generator[str]:
    """A port that is taken and listens to nobody."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"


@contextmanager
def full() -> Generator[str]:
    """A port whose queue is full: a connection to it is never made."""
    with ExitStack() as stack:
        sock = stack.enter_context(socket.socket())
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(sock.getsockname())
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"


@contextmanager
def mute() -> Generator[str]:
    """A port that takes connections and never speaks TLS."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield f"https://127.0.0.1:{sock.getsockname()[1]}"


@contextmanager
def nowhere() -> Generator[str]:
    yield "https://nowhere.invalid"


async def test_a_service_that_was_never_reached_took_nothing(here: Harness) -> None:
    async def ask(where: Callable[[], AbstractContextManager[str]]) -> None:
        name = where.__name__
        with where() as origin:
            elsewhere = {"GEEKAI_BASE_URL": f"{origin}/api/v1"}
            ends = await played(here, name, "fox", constants=UNREACHED, env=elsewhere)
        (row,) = tasks(here.folder / name / "state").values()
        found[name] = (ends["fox"], row["error_code"], row["attempt"])

    found = dict[str, tuple[str, str, int]]()
    async with anyio.create_task_group() as all_at_once:
        for where in (refusing, full, mute, nowhere):
            all_at_once.start_soon(ask, where)

    assert found == dict.fromkeys(found, ("rejected", "unreachable", 4))
    assert not any(charged(here, name) for name in found)


async def test_a_service_that_comes_back_gets_the_request_once(here: Harness) -> None:
    host, _, port = here.origin.removeprefix("http://").partition(":")

    async def forward(stream: SocketStream) -> None:
        async with (
            stream,
            await anyio.connect_tcp(host, int(port)) as beyond,
            anyio.create_task_group() as both,
        ):
            both.start_soon(copy, stream, beyond)
            both.start_soon(copy, beyond, stream)

    name, state = "comes-back", here.folder / "comes-back" / "state"
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        mine = sock.getsockname()[1]
        worker = await here.fork(
            name,
            prompts=[f"{name} fox"],
            until="answered",
            env={"GEEKAI_BASE_URL": f"http://127.0.0.1:{mine}/api/v1"},
        )
        while not refused(state):  # noqa: ASYNC110 - another process's work wakes nobody here
            await anyio.sleep(0.02)
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=mine) as listener,
        anyio.create_task_group() as service,
    ):
        service.start_soon(listener.serve, forward)
        assert await worker.end() == 0
        service.cancel_scope.cancel()

    (row,) = tasks(state).values()
    assert row["attempt"] > 1
    assert charged(here, name) == {"fox": 1}
    assert not here.verdict(name, prompts=f"{name} ", live=True).violations


def refused(state: Path) -> bool:
    """Whether a request of this ledger was recorded as one that did not leave."""
    if not (state / "ledger.sqlite3").exists():
        return False
    try:
        return any(row["error_code"] == "unreachable" for row in tasks(state).values())
    except sqlite3.OperationalError:  # its tables are being made
        return False


async def proxied(here: Harness, name: str, answer: bytes, base_url: str) -> tuple[str, int, bytes]:
    """A request through a proxy that answers every connection with *answer*, and closes it.

    Gives how the task ended, the attempts, and all that the proxy was ever told.
    """
    heard = bytearray()

    async def behave(stream: SocketStream) -> None:
        async with stream:
            heard.extend(await stream.receive())
            await stream.send(answer)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - no database is near
    async with listener, anyio.create_task_group() as proxy:
        proxy.start_soon(listener.serve, behave)
        worker = await here.fork(
            name,
            prompts=[f"{name} fox"],
            env={"GEEKAI_BASE_URL": base_url},
            proxy=f"http://127.0.0.1:{port}",
        )
        assert await worker.end() == 0
        proxy.cancel_scope.cancel()
    (row,) = tasks(here.folder / name / "state").values()
    return row["status"], row["attempt"], bytes(heard)


@pytest.mark.parametrize("said", ["403 Forbidden", "407 Who are you", "502 Bad gateway"])
async def test_a_proxy_that_opens_no_tunnel_was_told_nothing(here: Harness, said: str) -> None:
    answer = f"HTTP/1.1 {said}\r\nContent-Length: 0\r\n\r\n".encode()
    name = f"tunnel-{said[:3]}"
    status, attempts, heard = await proxied(here, name, answer, "https://geekai.test/api/v1")

    assert (status, attempts) == ("rejected", 4)
    assert heard.count(b"CONNECT geekai.test:443") == 4
    assert b"POST" not in heard


async def test_a_proxy_that_breaks_off_may_have_passed_the_request_on(here: Harness) -> None:
    """Only without TLS can a proxy see the request; then its silence proves nothing."""
    status, attempts, heard = await proxied(here, "forward", b"", "http://localhost:1/api/v1")

    assert (status, attempts) == ("unknown", 1)
    assert heard.startswith(b"POST http://localhost:1/api/v1/videos/generations")


async def copy(source: SocketStream, target: SocketStream) -> None:
    try:
        async for data in source:
            await target.send(data)
        await target.send_eof()
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        return
