"""PgBouncer before a test's database, where it is installed."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from support.missing import skip_test

START_SECONDS = 10.0


@contextmanager
def running_pooler(url: str, mode: Literal["session", "transaction"]) -> Generator[str]:
    """The address of the same database through a pooler in this mode; skips without PgBouncer."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        skip_test("PgBouncer is not installed")
    parts = urlsplit(url)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    # Not below the test's own folder, which the other user may not enter.
    folder = Path(tempfile.mkdtemp(prefix="geekai-pooler-"))
    config = folder / "pgbouncer.ini"
    config.write_text(
        "[databases]\n"
        f"* = host=127.0.0.1 port={parts.port} user={parts.username} password={parts.password}\n"
        "[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = any\npool_mode = {mode}\n",
        encoding="utf-8",
    )
    as_other: list[str] = []
    if os.getuid() == 0:  # which PgBouncer refuses to be
        shutil.chown(folder, "postgres")
        shutil.chown(config, "postgres")
        as_other = ["runuser", "-u", "postgres", "--"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*as_other, program, str(config)], stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait_until_listening(port)
        netloc = f"{parts.username}:{parts.password}@127.0.0.1:{port}"
        yield urlunsplit(parts._replace(netloc=netloc))
    finally:
        process.terminate()
        process.wait(timeout=10)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_listening(port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    msg = "PgBouncer does not listen"
    raise TimeoutError(msg)
