"""The loads, each against a server of its own. Each returns lines of figures, and what failed."""

import asyncio
import contextlib
import resource
import sqlite3
from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Final

from load.clients import Clients
from load.figures import describe_usage, percentile
from load.provider import provider_process
from load.raw_client import RawClient
from load.replicas import run_replicas_for_long
from load.result import ALLOWED_GROWTH_MB, MINUTE, TENANTS, Result
from load.server import LoadedServer, loaded_server


async def run_clients(folder: Path, *, count: int = 200, seconds: float = MINUTE) -> Result:
    """(a) Many clients at once, each in one session after another."""
    result = Result()
    async with (
        provider_process() as provider,
        loaded_server(folder, tenants=TENANTS, settings=provider.settings) as server,
    ):
        result.lines.append(describe_usage("before", server.usage()))
        clients, cpu = Clients(server), server.cpu_seconds()
        await clients.run(count, seconds)
        used = server.cpu_seconds() - cpu
        result.lines += clients.timings.lines()
        result.lines.append(f"CPU: {used:.1f} s in {seconds:.0f} s")
        result.lines.append(describe_usage("after", server.usage()))
        result.failures += clients.timings.errors
        charges = await provider.finish()
        if twice := [number for number, times in charges.items() if times != 1]:
            result.failures.append(f"charged more than once: {twice[:5]}")
    return result


async def leave_sessions_open(
    folder: Path, *, count: int = 5_000, tenants: int = 50, calls: int = 600
) -> Result:
    """(b) Sessions that nobody ends, and then new clients; *calls* are a tenant's in a minute."""
    result = Result()
    settings = {**_settings_without_provider(), "GEEKAI_MAX_CALLS_PER_MINUTE": str(calls)}
    async with loaded_server(folder, tenants=tenants + 1, settings=settings) as server:
        before = server.usage()
        result.lines.append(describe_usage("before", before))
        *flooding, other = server.tokens
        opened = await _open_sessions(server, flooding, count)
        after = server.usage()
        result.lines.append(f"{opened} of {count} sessions were opened and never ended")
        result.lines.append(describe_usage("after", after))
        result.lines.append(f"{(after.rss_mb - before.rss_mb) * 1000 / opened:.1f} kB a session")
        await _require_service(server, other, "another client", result)
        await _require_service(server, flooding[0], "a new client of the same tenant", result)
    return result


async def leave_streams_unread(folder: Path, *, count: int = 1_000, tenants: int = 50) -> Result:
    """(c) Event streams that nobody reads, while others are served."""
    result = Result()
    raise_descriptor_limit()
    async with loaded_server(
        folder, tenants=tenants + 1, settings=_settings_without_provider()
    ) as server:
        before = server.usage()
        result.lines.append(describe_usage("before", before))
        *flooding, other = server.tokens
        streams, statuses = await _open_streams(server, flooding, count)
        after = server.usage()
        result.lines.append(f"streams: {dict(sorted(statuses.items()))}")
        result.lines.append(describe_usage("after", after))
        if statuses.get(HTTPStatus.OK):
            growth = (after.rss_mb - before.rss_mb) * 1000 / statuses[HTTPStatus.OK]
            result.lines.append(f"{growth:.1f} kB a stream")
        await _require_service(server, other, "another client", result)
        if odd := statuses.keys() - {HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS}:
            result.failures.append(f"streams were answered with {odd}")
        for stream in streams:
            stream.close()
    return result


async def run_for_long(folder: Path, *, count: int = 50, seconds: float = 10 * MINUTE) -> Result:
    """(d) The same clients for long: memory, descriptors and times stay as they were."""
    result = Result()
    async with (
        provider_process() as provider,
        loaded_server(folder, tenants=TENANTS, settings=provider.settings) as server,
    ):
        clients = Clients(server)
        samples: list[tuple[float, float, int]] = []

        async def sample() -> None:
            while True:
                await asyncio.sleep(1)
                usage = server.usage()
                samples.append((len(samples) + 1, usage.rss_mb, usage.descriptors))

        sampling = asyncio.create_task(sample())
        await clients.run(count, seconds)
        sampling.cancel()
        result.lines += clients.timings.lines()
        result.failures += clients.timings.errors
        window = min(MINUTE, seconds / 4)
        medians: list[tuple[float, int]] = []
        for label, start in (("first", window / 2), ("last", seconds - window)):
            found = [each for each in samples if start <= each[0] < start + window]
            rss = percentile([each[1] for each in found], 50)
            descriptors = max((each[2] for each in found), default=0)
            medians.append((rss, descriptors))
            result.lines.append(
                f"{label} {window:.0f} s: RSS {rss:.1f} MB, up to {descriptors} descriptors"
            )
            for kind in ("tools/list", "generate_video", "get_video_task"):
                times = clients.timings.between(kind, start, start + window)
                result.lines.append(
                    f"  {kind} p50 {percentile(times, 50) * 1000:.0f} ms,"
                    f" p99 {percentile(times, 99) * 1000:.0f} ms"
                )
        (rss_before, open_before), (rss_after, open_after) = medians
        if rss_after > rss_before + ALLOWED_GROWTH_MB:
            result.failures.append(f"RSS grew from {rss_before:.1f} to {rss_after:.1f} MB")
        if open_after > open_before + count:
            result.failures.append(f"descriptors grew from {open_before} to {open_after}")
    return result


async def stop_under_load(folder: Path, *, count: int = 50, seconds: float = 10.0) -> Result:
    """(e) SIGTERM while clients generate: each charge is known after the next start."""
    result = Result()
    async with provider_process() as provider:
        async with loaded_server(folder, tenants=TENANTS, settings=provider.settings) as server:
            clients = Clients(server, pause=0.1)
            running = asyncio.create_task(clients.run(count, 10 * MINUTE))
            await asyncio.sleep(seconds)
            began = asyncio.get_running_loop().time()
            clients.stopping = True
            status = await server.stop()
            took = asyncio.get_running_loop().time() - began
            result.lines.append(f"stopped in {took:.1f} s with exit status {status}")
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError, ExceptionGroup):
                await running
        charges = await provider.finish()
        recorded = _count_recorded(folder)
        result.lines.append(f"{len(charges)} requests were charged, {recorded} are recorded")
        if twice := [number for number, times in charges.items() if times != 1]:
            result.failures.append(f"charged more than once: {twice[:5]}")
        if recorded < len(charges):
            result.failures.append(f"{len(charges) - recorded} charges are in no ledger")
    return result


LOADS: Final[Mapping[str, Callable[..., Coroutine[None, None, Result]]]] = {
    "clients": run_clients,
    "sessions": leave_sessions_open,
    "streams": leave_streams_unread,
    "long": run_for_long,
    "replicas": run_replicas_for_long,
    "stop": stop_under_load,
}


def raise_descriptor_limit() -> None:
    """Let this process, and the servers that it starts, open as many files as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _require_service(server: LoadedServer, token: str, name: str, result: Result) -> None:
    client = RawClient("127.0.0.1", server.port, token=token)
    response = await client.initialize()
    client.close()
    result.lines.append(f"{name} gets {response.status}")
    if response.status != HTTPStatus.OK:
        result.failures.append(f"{name} was not served: {response.body[:300]!r}")


async def _open_sessions(server: LoadedServer, tokens: list[str], count: int) -> int:
    opened = 0

    async def open_some(number: int) -> None:
        nonlocal opened
        while opened < count:
            opened += 1
            client = RawClient("127.0.0.1", server.port, token=tokens[number % len(tokens)])
            response = await client.initialize()
            while response.status == HTTPStatus.TOO_MANY_REQUESTS:
                await asyncio.sleep(int(response.headers["retry-after"]))
                response = await client.initialize()
            client.close()

    async with asyncio.TaskGroup() as group:
        for number in range(min(len(tokens), count)):
            group.create_task(open_some(number))
    return opened


async def _open_streams(
    server: LoadedServer, tokens: list[str], count: int
) -> tuple[list[RawClient], dict[int, int]]:
    streams: list[RawClient] = []
    statuses: dict[int, int] = {}
    for number in range(count):
        stream = RawClient("127.0.0.1", server.port, token=tokens[number % len(tokens)])
        head = await stream.open_stream("/sse")
        streams.append(stream)
        statuses[head.status] = statuses.get(head.status, 0) + 1
    return streams, statuses


def _count_recorded(folder: Path) -> int:
    """How many tasks the ledger has."""
    database = folder / "state" / "ledger.sqlite3"
    with contextlib.closing(sqlite3.connect(database)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM task").fetchone()
    return int(count)


def _settings_without_provider() -> dict[str, str]:
    return {"GEEKAI_BASE_URL": "http://127.0.0.1:9/api/v1", "GEEKAI_API_KEY": "sk-any"}
