"""A database that cannot be used: a sentence that names the variable, from every command."""

import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import anyio
import pytest

from support.pgbouncer import running_pooler
from support.postgres import (
    create_ledger_database,
    needs_postgres,
    run_sql,
    running_cluster,
    with_database,
)
from support.process import run_cli

pytestmark = needs_postgres

COMMANDS: Final = (
    ("serve",),
    ("serve", "--transport", "http", "--port", "0"),
    ("tasks",),
    ("tasks", "export"),
    ("tasks", "show", "abcdef12"),
    ("tasks", "purge", "--yes"),
    ("spent",),
)


SERVER: Final = {
    "GEEKAI_API_KEY": "sk-any",
    "GEEKAI_BASE_URL": "http://127.0.0.1:8/api/v1",
    "GEEKAI_SECRET": "0123456789" * 4,
}
"""What every server on a database needs."""


async def check_refused(folder: Path, ledger_url: str, said: str, **settings: str) -> None:
    """Every command refuses the database alike, and `doctor` says it in its line."""
    settings = {"GEEKAI_DATABASE_URL": ledger_url, **SERVER, **settings}
    results = dict[tuple[str, ...], tuple[int, str, str]]()

    async def run(command: tuple[str, ...]) -> None:
        results[command] = await run_cli(folder, *command, **settings)

    async with anyio.create_task_group() as group:
        for command in (*COMMANDS, ("doctor",)):
            group.start_soon(run, command)
    status, checked, _ = results.pop(("doctor",))
    assert status == 1
    assert said in " ".join(checked.split())
    for command, (status, out, err) in results.items():
        # `export` has written its headings, as for a ledger without a task.
        assert (status, "" if "export" in command else out) == (2, ""), (command, err)
        assert "GEEKAI_DATABASE_URL" in err, command
        assert said in err, command
        assert "Traceback" not in err, command
    words = checked + "".join(out + err for _, out, err in results.values())
    parts = urlsplit(ledger_url)
    assert str(parts.password) not in words
    assert f":{parts.port}" not in words
    assert not list((folder / "videos").glob("*"))


async def test_a_database_that_is_not_there(tmp_path: Path, ledger_url: str) -> None:
    await check_refused(
        tmp_path, with_database(ledger_url, "nowhere"), "there is no database of that"
    )


async def test_a_wrong_password(tmp_path: Path, ledger_url: str) -> None:
    wrong = ledger_url.replace(str(urlsplit(ledger_url).password), "f" * 32)
    await check_refused(tmp_path, wrong, "does not accept this user with this password")


async def test_no_server(tmp_path: Path, ledger_url: str) -> None:
    parts = urlsplit(ledger_url)
    nobody = urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.port}", ":9")))
    await check_refused(tmp_path, nobody, "its server cannot be reached")


async def test_the_tables_of_a_newer_version(tmp_path: Path, ledger_url: str) -> None:
    """As with a file of one, the commands of a person end with 1."""
    await run_sql(ledger_url, "UPDATE schema_version SET version = version + 1")
    settings = {"GEEKAI_DATABASE_URL": ledger_url, **SERVER}
    served = [await run_cli(tmp_path, *command, **settings) for command in COMMANDS[:2]]
    listed = await run_cli(tmp_path, "tasks", **settings)
    checked = await run_cli(tmp_path, "doctor", **settings)

    assert [status for status, _, _ in (*served, listed, checked)] == [2, 2, 1, 1]
    said = "The task database (GEEKAI_DATABASE_URL) was created by a newer version of this server."
    for _, out, err in (*served, listed, checked):
        assert said in " ".join((out + err).split())


async def test_a_database_that_may_lose_what_it_has_confirmed(
    tmp_path: Path, ledger_url: str
) -> None:
    name = urlsplit(ledger_url).path.strip("/")
    await run_sql(ledger_url, f"ALTER DATABASE {name} SET synchronous_commit = off")
    await check_refused(tmp_path, ledger_url, "has synchronous_commit = off")


async def test_a_replica_that_is_read_only(tmp_path: Path) -> None:
    with running_cluster() as cluster:
        url = await create_ledger_database(cluster.url)
        await anyio.to_thread.run_sync(cluster.stop)
        (cluster.data / "standby.signal").touch()
        os.chown(cluster.data / "standby.signal", cluster.data.stat().st_uid, -1)
        await anyio.to_thread.run_sync(cluster.start)
        await check_refused(tmp_path, url, "is a read-only replica")


async def test_a_pooler_in_transaction_mode(tmp_path: Path, ledger_url: str) -> None:
    with running_pooler(ledger_url, "transaction") as pooled:
        await check_refused(tmp_path, pooled, "a pooler in transaction mode (PgBouncer)")


async def test_a_pooler_in_session_mode_is_as_good_as_the_server(
    tmp_path: Path, ledger_url: str
) -> None:
    with running_pooler(ledger_url, "session") as pooled:
        status, out, err = await run_cli(tmp_path, "tasks", GEEKAI_DATABASE_URL=pooled)

    assert (status, out, err) == (0, "No tasks yet.\n", "")


async def test_asyncpg_that_is_not_installed(tmp_path: Path, ledger_url: str) -> None:
    hiding = tmp_path / "hiding"
    hiding.mkdir()
    (hiding / "asyncpg.py").write_text(
        'raise ModuleNotFoundError("No module named \'asyncpg\'", name="asyncpg")\n', "utf-8"
    )
    path = os.pathsep.join(filter(None, [str(hiding), os.environ.get("PYTHONPATH")]))
    said = "needs asyncpg, which is not installed: pip install 'geekai-video-mcp[postgres]'"
    await check_refused(tmp_path, ledger_url, said, PYTHONPATH=path)


@pytest.mark.parametrize("wrong", ["mysql://user:canary-0815@127.0.0.1/x", "canary-0815"])
async def test_what_is_no_address_of_a_database(tmp_path: Path, wrong: str) -> None:
    for command in COMMANDS:
        status, out, err = await run_cli(tmp_path, *command, GEEKAI_DATABASE_URL=wrong)

        assert (status, out) == (2, "")
        assert "GEEKAI_DATABASE_URL: must have the form postgresql://USER:PASSWORD@HOST" in err
        assert "canary" not in err
