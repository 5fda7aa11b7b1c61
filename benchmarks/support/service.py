"""A fake GeekAI over HTTP, as a process of its own: it does as little as a service can.

It keeps connections open and answers from memory, in one piece. A job never ends. It has no faults:
`tests/reliability/provider.py` has those.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import uuid
from collections.abc import Generator
from typing import Any, Final

from benchmarks.report import ROOT

KEY: Final = "sk-benchmarks"
"""Any other key would do as well."""


@contextlib.contextmanager
def running_service() -> Generator[str]:
    """Run the service; yields the base URL to configure."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.support.service"],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().decode().strip()
        finally:
            process.kill()


class Connection(asyncio.Protocol):
    """One connection: the requests on it are answered in order."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where the answers go."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete now."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head, start = self._received[:end], end + 4
            size = next(
                (
                    int(line.partition(b":")[2])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                ),
                0,
            )
            if len(self._received) < start + size:
                return
            self._received = self._received[start + size :]
            method, path, _ = head.split(b" ", 2)
            self._reply(self._answer(method, path.decode()))

    def _answer(self, method: bytes, path: str) -> dict[str, Any]:
        if method == b"POST":
            return {"model": "m", "task_id": str(uuid.uuid4()), "task_status": "pending"}
        return {"model": "m", "task_id": path.rsplit("/", 1)[-1], "task_status": "running"}

    def _reply(self, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        self._transport.write(f"{head}\r\n\r\n".encode() + body)


async def serve() -> None:
    """Serve on a free port of this machine until the process is killed; print the base URL."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
