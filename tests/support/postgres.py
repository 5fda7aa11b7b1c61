"""A throw-away PostgreSQL cluster from the system's packages, and a database of its own in it.

`python -m support.postgres COMMAND...` runs a command with one, whose address is in the variable
`TEST_DATABASE_URL`; without the packages it says so, and runs the command all the same. Root
starts the cluster as the user `postgres`, since `initdb` refuses root. If the variable is set
already, that server is used, by a user who may create databases.

The command's temporary files are in memory if there is room, unless TMPDIR says where they go.
"""

import asyncio
import hashlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Coroutine, Generator, Mapping
from contextlib import (
    AbstractContextManager,
    ExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from itertools import chain
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from geekai_video_mcp.ledger.postgres.connection import prepare_database
from geekai_video_mcp.ledger.postgres.migrations import MIGRATIONS

VARIABLE: Final = "TEST_DATABASE_URL"
"""Not GEEKAI_*: the server warns of names like its own that it does not know."""
USER: Final = "postgres"
START_SECONDS: Final = 30.0
MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the files in it get a folder with a name of its own
MEMORY_BYTES: Final = 4 * 2**30
"""What has to be free there for the tests' own cluster and their temporary files."""
END_SECONDS: Final = 20.0
"""Seconds that an interrupted command has to end its own processes."""

_LOCK: Final = 0x74657374
"""The advisory lock of whoever makes the template."""

NO_POSTGRES: Final = (
    "no PostgreSQL: its packages are not installed, or pytest was not run by scripts/test"
)
needs_postgres = pytest.mark.skipif(VARIABLE not in os.environ, reason=NO_POSTGRES)


def find_binaries() -> Path | None:
    """The folder with `initdb` and `postgres`, of the newest version that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def _version(initdb: Path) -> int:
    name = initdb.parents[1].name
    return int(name) if name.isdigit() else 0


class PostgresCluster:
    """One cluster in a temporary folder of *parent*, on a port of loopback that was free."""

    def __init__(self, binaries: Path, *, parent: Path | None = None, **settings: str) -> None:
        self._binaries = binaries
        self._settings = settings
        self._folder = Path(tempfile.mkdtemp(prefix="geekai-pg-", dir=parent))
        self._password = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.port: Final[int] = taken.getsockname()[1]

    @property
    def data(self) -> Path:
        """The folder with its files."""
        return self._folder / "data"

    @property
    def url(self) -> str:
        """The address of the database that every cluster has."""
        return f"postgresql://{USER}:{self._password}@127.0.0.1:{self.port}/postgres"

    def create(self) -> None:
        """Make the cluster's files."""
        secret = self._folder / "password"
        secret.write_text(self._password, encoding="utf-8")
        if os.getuid() == 0:
            shutil.chown(self._folder, "postgres", "postgres")
            shutil.chown(secret, "postgres", "postgres")
        options = ["-U", USER, f"--pwfile={secret}", "-A", "scram-sha-256", "-E", "UTF8"]
        self._run("initdb", "-D", str(self.data), *options)

    def start(self) -> None:
        """Start its server, and wait until it takes connections."""
        options = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "300",
            "logging_collector": "off",
            **self._settings,
        }
        command = [str(self._binaries / "postgres"), "-D", str(self.data)]
        command += [part for item in options.items() for part in ("-c", "=".join(item))]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [*self._as_postgres(), *command],
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
        self._wait_until_ready()

    def stop(self, how: Literal["fast", "immediate"] = "fast") -> None:
        """Stop its server: `immediate` as a power cut would, without a checkpoint."""
        if self._process is None:
            return
        pid = int((self.data / "postmaster.pid").read_text("utf-8").split()[0])
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT if how == "immediate" else signal.SIGINT)
        self._process.wait(timeout=60)
        self._process = None

    def remove(self) -> None:
        """Stop it, however far it has come, and delete its files."""
        try:
            self.stop("immediate")
        except (OSError, IndexError):  # it has not written its id yet
            if self._process is not None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait(timeout=60)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + START_SECONDS
        while True:
            done = self._run("pg_isready", "-h", "127.0.0.1", "-p", str(self.port), check=False)
            if done.returncode == 0:
                return
            if time.monotonic() > until:
                raise TimeoutError((self._folder / "log").read_text("utf-8")[-2000:])
            time.sleep(0.05)

    def _run(
        self, program: str, *arguments: str, check: bool = True
    ) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(  # noqa: S603 - our own command
            [*self._as_postgres(), str(self._binaries / program), *arguments],
            check=check,
            capture_output=True,
            cwd=self._folder,
        )

    def _as_postgres(self) -> list[str]:
        return ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []


@contextmanager
def running_cluster(*, parent: Path | None = None, **settings: str) -> Generator[PostgresCluster]:
    """A cluster with these settings while the block lasts."""
    binaries = find_binaries()
    assert binaries is not None
    cluster = PostgresCluster(binaries, parent=parent, **settings)
    try:
        cluster.create()
        cluster.start()
        yield cluster
    finally:
        cluster.remove()


def with_database(url: str, name: str) -> str:
    """The address of another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def create_database(url: str, *, template: str = "template1") -> str:
    """The address of a new database in the cluster of *url*, empty without a *template*."""
    name = f"test_{secrets.token_hex(8)}"
    async with connected(url) as connection:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return with_database(url, name)


async def create_ledger_database(url: str) -> str:
    """The address of a new database that has the tables of a ledger, and nothing in them.

    They are copied from a template, which takes half the time; whoever is first makes that.
    """
    text = "".join(chain.from_iterable(MIGRATIONS)).encode()
    template = f"ledger_{hashlib.sha256(text).hexdigest()[:16]}"
    async with connected(url) as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        select = "SELECT FROM pg_database WHERE datname = $1"
        if await connection.fetchrow(select, template) is None:
            unfinished = await create_database(url)
            await prepare_database(unfinished)
            name = urlsplit(unfinished).path.strip("/")
            await connection.execute(f"ALTER DATABASE {name} RENAME TO {template}")
    return await create_database(url, template=template)


def new_database() -> AbstractContextManager[str]:
    """The address of an empty database of the tests' own cluster, while the block lasts."""
    return _while_it_lasts(create_database(os.environ[VARIABLE]))


def new_ledger_database() -> AbstractContextManager[str]:
    """The address of one with the ledger's tables, while the block lasts."""
    return _while_it_lasts(create_ledger_database(os.environ[VARIABLE]))


@contextmanager
def _while_it_lasts(creation: Coroutine[Any, Any, str]) -> Generator[str]:
    url = asyncio.run(creation)
    try:
        yield url
    finally:
        asyncio.run(drop_database(url))


@asynccontextmanager
async def connected(url: str) -> "AsyncGenerator[asyncpg.Connection[Any]]":
    """A connection beside those of the servers."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def drop_database(url: str) -> None:
    """Delete a database that `create_database` has made, whoever still uses it."""
    name = urlsplit(url).path.strip("/")
    async with connected(with_database(url, "postgres")) as connection:
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def run_sql(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run each statement beside the servers; the rows of the last one."""
    async with connected(url) as connection:
        await connection.execute("SET search_path = geekai_video, public")
        return [[tuple(row) for row in await connection.fetch(each)] for each in statements][-1]


@asynccontextmanager
async def open_transaction(url: str) -> AsyncGenerator[None]:
    """A transaction that writes goes on in this database while the block lasts."""
    async with connected(url) as connection, connection.transaction():
        await connection.execute("SELECT pg_current_xact_id()")
        yield


def main(command: list[str]) -> int:
    """Run *command* with a cluster, if there can be one; returns its exit status."""
    for each in _SIGNALS:
        signal.signal(each, _end_once)
    environment = dict(os.environ)
    with suppress(KeyboardInterrupt), ExitStack() as until_its_end:
        memory = _find_memory()
        # Some tests run programs from their files, which Docker refuses in /dev/shm.
        if memory is not None and not os.statvfs(memory).f_flag & os.ST_NOEXEC:
            environment["TMPDIR"] = until_its_end.enter_context(_temporary_files(memory))
        if VARIABLE in environment:
            pass
        elif find_binaries() is None:
            sys.stderr.write("note: there is no initdb here (Debian's package is postgresql)\n")
        else:
            cluster = until_its_end.enter_context(running_cluster(parent=memory))
            environment[VARIABLE] = cluster.url
        return _run_to_end(command, environment)
    return 128 + signal.SIGINT


def _find_memory() -> Path | None:
    """A folder in memory, if there is room, and if TMPDIR does not say where files go.

    A test's ledger waits for the disk at each change, and a test's database is a checkpoint of
    the whole cluster when it is made and when it is deleted.
    """
    if "TMPDIR" in os.environ:
        return None
    roomy = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES
    return MEMORY if roomy else None


@contextmanager
def _temporary_files(parent: Path) -> Generator[str]:
    """A folder for temporary files, also those of other users, while the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="", dir=parent))
    try:
        folder.chmod(0o1777)
        yield str(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def _end_once(number: int, _: object) -> None:
    """End by the first signal, and let no later one disturb the removal of the cluster."""
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


def _run_to_end(command: list[str], environment: Mapping[str, str]) -> int:
    """Run *command*, which is told of a signal before this program ends by it."""
    process = subprocess.Popen(command, env=environment)  # noqa: S603 - the caller's command
    try:
        status = process.wait()
    except (SystemExit, KeyboardInterrupt) as exc:
        # From a terminal it has the interrupt already; a second one would cut its summary off.
        if not (isinstance(exc, KeyboardInterrupt) and sys.stdin.isatty()):
            process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=END_SECONDS)
        process.kill()
        raise
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
