"""The outcome of every fault of a POST, a poll or a download, row by row."""

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

from reliability.faults import BEFORE_READ, SHORT_CONNECT, SHORT_TIMEOUTS, TABLES
from reliability.harness import Harness, open_harness
from reliability.oracle import tasks_by_prompt

pytestmark = [pytest.mark.timeout(180), pytest.mark.exhaustive]

LARGE = 12_000_000
"""Characters of a request that is larger than any buffer of the system."""


@pytest.fixture(scope="module")
async def harness(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Harness]:
    """One harness for all tests; each has a folder and prompts of its own name."""
    async with open_harness(tmp_path_factory.mktemp("faults")) as opened:
        yield opened


async def play_faults(
    harness: Harness,
    name: str,
    *faults: str,
    **order: Any,  # noqa: ANN401 - an Order's fields
) -> dict[str, str]:
    """Submit a prompt for each fault; its final status, or `stored` once its file is on disk."""
    prompts = [f"{name} {fault}" for fault in faults]
    worker = await harness.fork(name, prompts=prompts, max_seconds=40, **order)
    assert await worker.wait() == 0
    assert not harness.verdict(name, prompts=f"{name} ").violations
    return {
        prompt.removeprefix(f"{name} "): (
            "stored" if row["file_status"] == "stored" else row["status"]
        )
        for prompt, row in tasks_by_prompt(harness.folder / name / "state").items()
    }


def count_charges(harness: Harness, name: str) -> Counter[str]:
    """How often the prompt of each fault was charged."""
    mine = (charge for charge in harness.charges() if charge.prompt.startswith(f"{name} "))
    return Counter(charge.prompt.removeprefix(f"{name} ") for charge in mine if charge.charged)


@pytest.fixture(scope="module")
async def ends(harness: Harness) -> dict[str, dict[str, str]]:
    """The outcomes of each table; the tables run concurrently, because most of it is waiting."""
    outcomes = dict[str, dict[str, str]]()

    async def play(table: str) -> None:
        rows, constants = TABLES[table]
        faults = [row.fault for row in rows]
        outcomes[table] = await play_faults(harness, table, *faults, constants=constants)

    async with anyio.create_task_group() as tables:
        for table in TABLES:
            tables.start_soon(play, table)
    return outcomes


@pytest.mark.parametrize("table", TABLES)
async def test_every_row_ends_as_the_table_says_and_is_charged_at_most_once(
    harness: Harness, ends: dict[str, dict[str, str]], table: str
) -> None:
    rows, _ = TABLES[table]
    times = count_charges(harness, table)

    assert ends[table] == {row.fault: row.ends for row in rows}
    assert {row.fault: times[row.fault] for row in rows} == {row.fault: row.charges for row in rows}


@pytest.mark.parametrize("fault", BEFORE_READ)
async def test_a_request_that_was_not_read_is_not_sent_again(harness: Harness, fault: str) -> None:
    await harness.set_connection_faults(fault)
    large = LARGE if fault == "never_reads" else 0
    ends = await play_faults(harness, fault, "fox", image=large, constants=SHORT_TIMEOUTS)

    assert ends["fox"] in BEFORE_READ[fault]
    assert count_charges(harness, fault)["fox"] == (ends["fox"] == "stored")


async def test_a_connection_that_ends_while_idle_is_no_fault(harness: Harness) -> None:
    ends = await play_faults(harness, "idle", "POST=then_close", "hare", sequential=True)

    assert ends == {"POST=then_close": "stored", "hare": "stored"}
    assert count_charges(harness, "idle") == {"POST=then_close": 1, "hare": 1}


async def test_a_connection_that_ends_during_the_second_request_is_unknown(
    harness: Harness,
) -> None:
    ends = await play_faults(harness, "second", "fox", "POST=fin", sequential=True)

    assert ends == {"fox": "stored", "POST=fin": "unknown"}


async def test_a_web_page_instead_of_the_second_answer_is_unknown(harness: Harness) -> None:
    """GeekAI's API has answered this process before, so the page hides its answer."""
    ends = await play_faults(harness, "page", "fox", "POST=odd:page", sequential=True)

    assert ends == {"fox": "stored", "POST=odd:page": "unknown"}


@contextmanager
def refusing() -> Generator[str]:
    """A bound port that does not listen."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"


@contextmanager
def full() -> Generator[str]:
    """A port whose queue is full: a connection to it is never established."""
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
    """A port that accepts connections and never answers the TLS handshake."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield f"https://127.0.0.1:{sock.getsockname()[1]}"


@contextmanager
def nowhere() -> Generator[str]:
    yield "https://nowhere.invalid"


async def test_a_service_that_was_never_reached_charges_nothing(harness: Harness) -> None:
    async def submit_to(where: Callable[[], AbstractContextManager[str]]) -> None:
        name = where.__name__
        with where() as origin:
            settings = {"GEEKAI_BASE_URL": f"{origin}/api/v1"}
            ends = await play_faults(harness, name, "fox", constants=SHORT_CONNECT, env=settings)
        (row,) = tasks_by_prompt(harness.folder / name / "state").values()
        outcomes[name] = (ends["fox"], row["error_code"], row["attempt"])

    outcomes = dict[str, tuple[str, str, int]]()
    async with anyio.create_task_group() as all_at_once:
        for where in (refusing, full, mute, nowhere):
            all_at_once.start_soon(submit_to, where)

    assert outcomes == dict.fromkeys(outcomes, ("rejected", "unreachable", 4))
    assert not any(count_charges(harness, name) for name in outcomes)


async def test_a_service_that_comes_back_gets_the_request_once(harness: Harness) -> None:
    host, _, port = harness.origin.removeprefix("http://").partition(":")

    async def forward(stream: SocketStream) -> None:
        async with (
            stream,
            await anyio.connect_tcp(host, int(port)) as upstream,
            anyio.create_task_group() as both,
        ):
            both.start_soon(copy, stream, upstream)
            both.start_soon(copy, upstream, stream)

    name, state = "comes-back", harness.folder / "comes-back" / "state"
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        mine = sock.getsockname()[1]
        worker = await harness.fork(
            name,
            prompts=[f"{name} fox"],
            until="answered",
            env={"GEEKAI_BASE_URL": f"http://127.0.0.1:{mine}/api/v1"},
        )
        while not is_unreachable_recorded(state):  # noqa: ASYNC110 - another process's work wakes nobody here
            await anyio.sleep(0.02)
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=mine) as listener,
        anyio.create_task_group() as service,
    ):
        service.start_soon(listener.serve, forward)
        assert await worker.wait() == 0
        service.cancel_scope.cancel()

    (row,) = tasks_by_prompt(state).values()
    assert row["attempt"] > 1
    assert count_charges(harness, name) == {"fox": 1}
    assert not harness.verdict(name, prompts=f"{name} ", live=True).violations


def is_unreachable_recorded(state: Path) -> bool:
    """Whether a request of this ledger was recorded as one that did not leave."""
    if not (state / "ledger.sqlite3").exists():
        return False
    try:
        return any(row["error_code"] == "unreachable" for row in tasks_by_prompt(state).values())
    except sqlite3.OperationalError:  # its tables are being created
        return False


async def submit_through_proxy(
    harness: Harness, name: str, answer: bytes, base_url: str
) -> tuple[str, int, bytes]:
    """A request through a proxy that answers every connection with *answer*, and closes it.

    Returns the status of the task, its attempts, and all bytes that the proxy received.
    """
    received = bytearray()

    async def behave(stream: SocketStream) -> None:
        async with stream:
            received.extend(await stream.receive())
            await stream.send(answer)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - no database is near
    async with listener, anyio.create_task_group() as proxy:
        proxy.start_soon(listener.serve, behave)
        worker = await harness.fork(
            name,
            prompts=[f"{name} fox"],
            env={"GEEKAI_BASE_URL": base_url},
            proxy=f"http://127.0.0.1:{port}",
        )
        assert await worker.wait() == 0
        proxy.cancel_scope.cancel()
    (row,) = tasks_by_prompt(harness.folder / name / "state").values()
    return row["status"], row["attempt"], bytes(received)


@pytest.mark.parametrize("status_line", ["403 Forbidden", "407 Who are you", "502 Bad gateway"])
async def test_a_proxy_that_opens_no_tunnel_receives_no_request(
    harness: Harness, status_line: str
) -> None:
    answer = f"HTTP/1.1 {status_line}\r\nContent-Length: 0\r\n\r\n".encode()
    name = f"tunnel-{status_line[:3]}"
    status, attempts, received = await submit_through_proxy(
        harness, name, answer, "https://geekai.test/api/v1"
    )

    assert (status, attempts) == ("rejected", 4)
    assert received.count(b"CONNECT geekai.test:443") == 4
    assert b"POST" not in received


async def test_a_proxy_that_closes_early_may_have_forwarded_the_request(
    harness: Harness,
) -> None:
    """Without TLS a proxy can see the request and forward it, so no answer proves nothing."""
    status, attempts, received = await submit_through_proxy(
        harness, "forward", b"", "http://localhost:1/api/v1"
    )

    assert (status, attempts) == ("unknown", 1)
    assert received.startswith(b"POST http://localhost:1/api/v1/videos/generations")


async def copy(source: SocketStream, target: SocketStream) -> None:
    try:
        async for data in source:
            await target.send(data)
        await target.send_eof()
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        return
