"""A database that goes away or is full while a server runs, and what it says until it is back."""

import secrets
import shutil
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import httpx
import pytest
from mcp import Client

from support.disks import mounted_tmpfs
from support.postgres import (
    PostgresCluster,
    create_database,
    create_ledger_database,
    needs_postgres,
    run_sql,
    running_cluster,
    with_database,
)
from support.process import http_client, http_server, run_cli, token_header
from support.provider import HELD_PREFIX, Provider, running_provider
from support.world import call, structured, text

pytestmark = needs_postgres

SERVE: Final = ("serve", "--transport", "http", "--port", "0")
UNCAPPED: Final = {"GEEKAI_MAX_VIDEOS_PER_DAY": "1000", "GEEKAI_MAX_IN_FLIGHT": "1000"}


@pytest.fixture
def cluster() -> Generator[PostgresCluster]:
    """One that the test may stop."""
    with running_cluster() as own:
        yield own


@asynccontextmanager
async def serving(folder: Path, url: str, service: Provider) -> AsyncGenerator[tuple[Client, str]]:
    secret = {"GEEKAI_SECRET": "0123456789" * 4}
    settings = {**service.settings, **UNCAPPED, **secret, "GEEKAI_DATABASE_URL": url}
    async with (
        http_server(folder, *SERVE, **settings) as origin,
        http_client(f"{origin}/mcp", headers=token_header(folder)) as client,
    ):
        yield client, origin


async def readiness(origin: str) -> int:
    async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
        return (await client.get(f"{origin}/ready")).status_code


async def wait_for_readiness(origin: str, status: int) -> None:
    with anyio.fail_after(30):
        while await readiness(origin) != status:  # noqa: ASYNC110 - of another process
            await anyio.sleep(0.2)


async def make_video(client: Client, prompt: str) -> dict[str, Any]:
    return structured(await call(client, "generate_video", prompt=prompt))


async def wait_for_result(client: Client, task_id: str) -> dict[str, Any]:
    with anyio.fail_after(50):
        while True:
            shown = await call(client, "get_video_task", task_id=task_id, wait_seconds=5)
            if not shown.is_error and structured(shown)["task_status"] == "succeed":
                return structured(shown)
            await anyio.sleep(0.2)


async def test_a_database_that_is_stopped_costs_nothing_and_is_used_again_once_it_runs(
    tmp_path: Path, cluster: PostgresCluster
) -> None:
    url = await create_ledger_database(cluster.url)
    async with running_provider() as service:
        async with serving(tmp_path, url, service) as (client, origin):
            before = await make_video(client, "before")
            await wait_for_readiness(origin, 200)
            await anyio.to_thread.run_sync(cluster.stop)
            refused = await call(client, "generate_video", prompt="meanwhile")
            read = await call(client, "get_video_task", task_id=before["task_id"])
            listed = await call(client, "list_video_tasks")
            await wait_for_readiness(origin, 503)
            command = await run_cli(tmp_path, "tasks", GEEKAI_DATABASE_URL=url)
            await anyio.to_thread.run_sync(cluster.start)
            await wait_for_readiness(origin, 200)
            after = await wait_for_result(client, (await make_video(client, "after"))["task_id"])
            await wait_for_result(client, before["task_id"])
        log = (tmp_path / "stderr.log").read_text("utf-8")

    assert all(each.is_error for each in (refused, read, listed))
    assert "GEEKAI_DATABASE_URL" in text(refused)
    assert "Nothing was charged." in text(refused)
    assert "charged" not in text(read) + text(listed)
    assert command[0] == 2
    assert after["task_status"] == "succeed"
    assert service.prompts == ["before", "after"]
    for access in ("read", "written"):
        assert log.count(f"The task database could not be {access}: ") <= 3, "once for each reason"
        assert f"the task database can be {access} again" in log
    assert "The operator makes the database of GEEKAI_DATABASE_URL available again" in log
    secret = cluster.url.split(":")[2].partition("@")[0]
    words = text(refused) + text(read) + text(listed) + log + command[2]
    assert secret not in words
    assert str(cluster.port) not in words


async def test_a_database_that_stops_in_mid_call_loses_no_answer_that_was_paid_for(
    tmp_path: Path, cluster: PostgresCluster
) -> None:
    url = await create_ledger_database(cluster.url)
    results = list[Any]()
    async with running_provider() as service:
        service.answers_posts = anyio.Event()
        async with serving(tmp_path, url, service) as (client, origin):

            async def submit() -> None:
                results.append(await call(client, "generate_video", prompt="a fox"))

            async with anyio.create_task_group() as calls:
                calls.start_soon(submit)
                with anyio.fail_after(20):
                    while not service.prompts:  # noqa: ASYNC110 - the provider has no event for it
                        await anyio.sleep(0.05)
                await anyio.to_thread.run_sync(cluster.stop, "immediate")
                service.answers_posts.set()
            await anyio.to_thread.run_sync(cluster.start)
            await wait_for_readiness(origin, 200)
            (task,) = structured(await call(client, "list_video_tasks"))["tasks"]
            done = await wait_for_result(client, task["task_id"])

    (said,) = results
    assert said.is_error
    assert "It may have been charged." in text(said)
    assert done["task_status"] == "succeed"
    assert service.prompts == ["a fox"]


async def test_a_full_disk_says_what_it_cost_and_takes_requests_again_once_there_is_room(
    tmp_path: Path, cluster: PostgresCluster
) -> None:
    owner = cluster.data.stat()
    disk = cluster.data.parent / "small"
    options = f"size=48m,uid={owner.st_uid},gid={owner.st_gid},mode=700"
    with mounted_tmpfs(disk, options):
        await run_sql(cluster.url, f"CREATE TABLESPACE small LOCATION '{disk}'")
        empty = await create_database(cluster.url)
        name = empty.rpartition("/")[2]
        await run_sql(
            with_database(empty, "postgres"), f"ALTER DATABASE {name} SET TABLESPACE small"
        )
        async with (
            running_provider() as service,
            serving(tmp_path, empty, service) as (client, origin),
        ):
            filler = disk / "filler"
            with filler.open("wb") as file:
                file.write(bytes(shutil.disk_usage(disk).free))
            refusals = [
                each
                for _ in range(40)
                if (
                    each := await call(client, "generate_video", prompt=HELD_PREFIX + noise())
                ).is_error
            ]
            filler.unlink()
            await wait_for_readiness(origin, 200)
            done = await wait_for_result(client, (await make_video(client, "a fox"))["task_id"])
            listed = await run_cli(
                tmp_path, "tasks", "--all", GEEKAI_DATABASE_URL=empty, **service.settings
            )

    assert refusals
    for each in refusals:
        assert "the disk of its server is full" in text(each)
        assert "GEEKAI_DATABASE_URL" in text(each)
    of_nothing = [each for each in refusals if "Nothing was charged." in text(each)]
    of_something = [each for each in refusals if "It may have been charged." in text(each)]
    assert len(of_nothing) + len(of_something) == len(refusals)
    assert len(service.prompts) == 41 - len(of_nothing)
    assert len(set(service.prompts)) == len(service.prompts)
    assert done["task_status"] == "succeed"
    assert len(listed[1].splitlines()) - 1 == len(service.prompts)


def noise() -> str:
    """A prompt that no compression makes shorter than a kilobyte."""
    return secrets.token_hex(900)
