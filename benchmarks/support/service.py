"""A fake GeekAI over HTTP, as a process of its own: it does as little as a service can.

It keeps connections open and answers from memory, in one piece. A job finishes after
`job_seconds`; with None it never does. It has no faults: `tests/reliability/provider.py` has those.
"""

import argparse
import asyncio
import contextlib
import json
import math
import subprocess
import sys
import time
import uuid
from collections.abc import Generator
from typing import Any, Final

from benchmarks.report import ROOT

KEY: Final = "sk-benchmarks"
"""Any other key would do as well."""


@contextlib.contextmanager
def running_service(*, job_seconds: float | None = None) -> Generator[str]:
    """Run the service; yields the base URL to configure."""
    options = [] if job_seconds is None else ["--job-seconds", str(job_seconds)]
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.support.service", *options],
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

    def __init__(self, jobs: dict[str, float], job_seconds: float) -> None:
        self._jobs = jobs
        """When each job was made, by its id."""
        self._job_seconds = job_seconds
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
            job = str(uuid.uuid4())
            self._jobs[job] = time.monotonic()
            return {"model": "m", "task_id": job, "task_status": "pending"}
        job = path.rsplit("/", 1)[-1]
        if time.monotonic() - self._jobs.get(job, math.inf) < self._job_seconds:
            return {"model": "m", "task_id": job, "task_status": "running"}
        result = [{"id": job, "url": f"https://files.example/{job}.mp4", "duration": 5}]
        return {"model": "m", "task_id": job, "task_status": "succeed", "video_result": result}

    def _reply(self, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        self._transport.write(f"{head}\r\n\r\n".encode() + body)


async def serve(job_seconds: float) -> None:
    """Serve on a free port of this machine until the process is killed; print the base URL."""
    jobs: dict[str, float] = {}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(jobs, job_seconds), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/v1", flush=True)
    await server.serve_forever()


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job-seconds", type=float, default=math.inf, help="not given: for ever")
    asyncio.run(serve(parser.parse_args().job_seconds))


if __name__ == "__main__":
    main()
