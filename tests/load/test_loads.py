"""The loads, in small. `python -m load NAME` runs them as large as a team's server has them."""

from pathlib import Path

import pytest

from load.loads import (
    leave_sessions_open,
    leave_streams_unread,
    run_clients,
    run_for_long,
    stop_under_load,
)
from load.replicas import run_replicas_for_long
from load.result import Result
from support.postgres import needs_postgres

pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(180)]


def require_success(result: Result) -> None:
    assert result.failures == [], result.lines


async def test_many_clients_at_once_meet_no_error(tmp_path: Path) -> None:
    require_success(await run_clients(tmp_path, count=20, seconds=8))


async def test_sessions_that_nobody_ends_keep_nobody_out(tmp_path: Path) -> None:
    require_success(await leave_sessions_open(tmp_path, count=1_100, tenants=1, calls=1_000_000))


async def test_streams_that_nobody_reads_keep_nobody_out(tmp_path: Path) -> None:
    require_success(await leave_streams_unread(tmp_path, count=150, tenants=5))


async def test_the_server_stays_as_it_was(tmp_path: Path) -> None:
    require_success(await run_for_long(tmp_path, count=10, seconds=20))


@needs_postgres
async def test_servers_on_one_database_stay_as_they_were(tmp_path: Path) -> None:
    require_success(await run_replicas_for_long(tmp_path, count=10, seconds=20))


async def test_a_stop_under_load_loses_nothing(tmp_path: Path) -> None:
    require_success(await stop_under_load(tmp_path, count=10, seconds=4))
