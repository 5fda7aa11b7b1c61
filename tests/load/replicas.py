"""The load of several servers on one PostgreSQL database: they stay as they were for long."""

import asyncio
import itertools
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg

from load.clients import Clients
from load.figures import Timings, describe_usage, percentile
from load.provider import provider_process
from load.result import ALLOWED_GROWTH_MB, MINUTE, TENANTS, Result
from load.server import LoadedServer, loaded_server
from support.postgres import create_database, find_binaries, running_cluster

ALLOWED_CONNECTIONS: Final = 9
"""To the database, of one server: its pool, and the one by which it is known to be alive."""
KINDS: Final = ("tools/list", "generate_video", "get_video_task")


@dataclass(frozen=True)
class Sample:
    """What all servers use in one second."""

    rss_mb: float
    """Of the largest."""
    descriptors: int
    """Of the server that has the most."""
    connections: int
    """To the database, of all servers."""


async def run_replicas_for_long(
    folder: Path, *, count: int = 50, seconds: float = 10 * MINUTE, replicas: int = 2
) -> Result:
    """(f) Clients of several servers on one database: memory, descriptors, connections, times."""
    result = Result()
    if find_binaries() is None:
        result.lines.append("PostgreSQL is not installed, and nothing was measured")
        return result
    async with AsyncExitStack() as stack:
        cluster = await asyncio.to_thread(stack.enter_context, running_cluster())
        database = await create_database(cluster.url)
        provider = await stack.enter_async_context(provider_process())
        settings = {
            **provider.settings,
            "GEEKAI_DATABASE_URL": database,
            "GEEKAI_SECRET": "a secret of the replicas, of forty characters",
        }
        servers = list[LoadedServer]()
        for number in range(replicas):
            server = loaded_server(
                folder / str(number),
                tenants=TENANTS,
                settings=settings,
                tokens=servers[0].tokens if servers else (),
            )
            servers.append(await stack.enter_async_context(server))
        timings = Timings()
        samples = await _run(servers, timings, database, count, seconds)
        result.lines += timings.lines()
        result.failures += timings.errors
        _compare(samples, timings, seconds, replicas, result)
        result.lines += [describe_usage("at the end", each.usage()) for each in servers]
        result.failures += await _find_lost(database, await provider.finish())
    return result


async def _run(
    servers: Sequence[LoadedServer], timings: Timings, database: str, count: int, seconds: float
) -> list[Sample]:
    samples, numbers = list[Sample](), itertools.count(1)
    watching: asyncpg.Connection[Any] = await asyncpg.connect(database)

    async def sample() -> None:
        while True:
            await asyncio.sleep(1)
            usages = [server.usage() for server in servers]
            connections = await watching.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'geekai-video-mcp'"
            )
            most = (max(each.rss_mb for each in usages), max(each.descriptors for each in usages))
            samples.append(Sample(*most, connections))

    sampling = asyncio.create_task(sample())
    async with asyncio.TaskGroup() as group:
        for server in servers:
            clients = Clients(server, timings=timings, numbers=numbers, stateless=True)
            group.create_task(clients.run(count // len(servers), seconds))
    sampling.cancel()
    await watching.close()
    return samples


def _compare(
    samples: Sequence[Sample], timings: Timings, seconds: float, replicas: int, result: Result
) -> None:
    """The last part of the load against the first, in lines and failures."""
    window = min(MINUTE, seconds / 4)
    found = list[Sample]()
    for label, start in (("first", window / 2), ("last", seconds - window)):
        part = samples[int(start) : int(start + window)]
        found.append(
            Sample(
                percentile([each.rss_mb for each in part], 50),
                max((each.descriptors for each in part), default=0),
                max((each.connections for each in part), default=0),
            )
        )
        result.lines.append(
            f"{label} {window:.0f} s: RSS {found[-1].rss_mb:.1f} MB, up to"
            f" {found[-1].descriptors} descriptors, {found[-1].connections} connections"
        )
        for kind in KINDS:
            times = timings.between(kind, start, start + window)
            result.lines.append(
                f"  {kind} p50 {percentile(times, 50) * 1000:.0f} ms,"
                f" p99 {percentile(times, 99) * 1000:.0f} ms"
            )
    first, last = found
    if last.rss_mb > first.rss_mb + ALLOWED_GROWTH_MB:
        result.failures.append(f"RSS grew from {first.rss_mb:.1f} to {last.rss_mb:.1f} MB")
    if last.descriptors > first.descriptors + MINUTE:
        result.failures.append(f"descriptors grew to {last.descriptors}")
    if last.connections > ALLOWED_CONNECTIONS * replicas:
        result.failures.append(f"{last.connections} connections to the database")


async def _find_lost(database: str, charges: dict[str, int]) -> list[str]:
    """What was charged twice, or is in no ledger."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(database)
    recorded = await connection.fetchval("SELECT count(*) FROM geekai_video.task")
    await connection.close()
    twice = [number for number, times in charges.items() if times != 1]
    found = [f"charged more than once: {twice[:5]}"] if twice else []
    if recorded < len(charges):
        found.append(f"{len(charges) - recorded} charges are in no ledger")
    return found
