"""A throw-away PostgreSQL cluster from the system's packages, and a database of its own in it.

`python -m support.postgres COMMAND...` runs a command with one, whose address is in the variable
`GEEKAI_TEST_DATABASE_URL`; without the packages it says so, and runs the command all the same. Root
starts the cluster as the user `postgres`, since `initdb` refuses root.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

VARIABLE: Final = "GEEKAI_TEST_DATABASE_URL"
USER: Final = "postgres"
START_SECONDS: Final = 30.0

needs_postgres = pytest.mark.skipif(
    VARIABLE not in os.environ, reason="no PostgreSQL: its packages are not installed here"
)


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
    """One cluster in a temporary folder, on a port of loopback that was free."""

    def __init__(self, binaries: Path, **settings: str) -> None:
        self._binaries = binaries
        self._settings = settings
        self._folder = Path(tempfile.mkdtemp(prefix="geekai-pg-"))
        self._password = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.port: Final[int] = taken.getsockname()[1]

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
        data = str(self._folder / "data")
        self._run("initdb", "-D", data, "-U", USER, f"--pwfile={secret}", "-A", "scram-sha-256")

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
        command = [str(self._binaries / "postgres"), "-D", str(self._folder / "data")]
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
        pid = int((self._folder / "data" / "postmaster.pid").read_text("utf-8").split()[0])
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT if how == "immediate" else signal.SIGINT)
        self._process.wait(timeout=60)
        self._process = None

    def remove(self) -> None:
        """Stop it, and delete its files."""
        self.stop("immediate")
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
def running_cluster(**settings: str) -> Generator[PostgresCluster]:
    """A cluster with these settings while the block lasts."""
    binaries = find_binaries()
    assert binaries is not None
    cluster = PostgresCluster(binaries, **settings)
    try:
        cluster.create()
        cluster.start()
        yield cluster
    finally:
        cluster.remove()


def with_database(url: str, name: str) -> str:
    """The address of another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def create_database(url: str) -> str:
    """The address of a new, empty database in the cluster of *url*."""
    name = f"test_{secrets.token_hex(8)}"
    connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    return with_database(url, name)


async def drop_database(url: str) -> None:
    """Delete a database that `create_database` has made, whoever still uses it."""
    name = urlsplit(url).path.strip("/")
    connection: asyncpg.Connection[Any] = await asyncpg.connect(with_database(url, "postgres"))
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    finally:
        await connection.close()


def main(command: list[str]) -> int:
    """Run *command* with a cluster, if there can be one."""
    if find_binaries() is None:
        sys.stderr.write("note: PostgreSQL is not installed, and its tests are skipped\n")
        return subprocess.call(command)  # noqa: S603 - the caller's command
    with running_cluster() as cluster:
        return subprocess.call(command, env={**os.environ, VARIABLE: cluster.url})  # noqa: S603 - the same


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
