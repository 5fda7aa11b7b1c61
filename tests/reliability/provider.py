"""A fake GeekAI with faults, as a process on a loopback port. It charges before it replies.

Every POST whose whole body was read becomes a line of its log before any byte of the answer
is sent, so the log corresponds to the invoice. It uses raw sockets, because an HTTP server
cannot produce most faults of a transport.

A prompt contains its faults: `POST=rst`, `GET=status:500,garbage`, `FILE=short`. Each list is
used up in order, and later requests succeed. `TAKES=2` is the duration of the job in seconds.
Faults of the next connections, before a prompt can be read, arrive on stdin:
`{"next": ["rst_on_accept"]}`. Events are written to stdout, one JSON line each.
"""

import argparse
import asyncio
import functools
import hashlib
import json
import os
import random
import re
import socket
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from reliability.fault_rules import ON_ACCEPT, ConnectionEnded, Request, apply_fault, to_json
from support.clips import make_clip
from support.fake_geekai import box

CHUNK: Final = 32 * 1024
"""Bytes of a download between two pauses; a file has several, so that a kill can hit one."""
HEAD_LIMIT: Final = 64 * 1024
"""Bytes of a request's head: more than httpx ever sends."""
SMALL_BUFFER: Final = 4096
"""Bytes of the receive buffer: a body that is not read must block its sender."""
REFUSED: Final = range(400, 500)
"""Not executed, so not charged; except 408, which may be charged like every 5xx."""
REQUEST_TIMEOUT: Final = 408
_DIRECTIVE: Final = re.compile(r"\b(POST|GET|FILE|JOB_SECONDS)=([\w:.,]+)")


@dataclass(frozen=True)
class Charge:
    """One line of the log: a POST whose whole body arrived."""

    at: float
    task_id: str
    charged: bool
    body: dict[str, Any]

    @property
    def prompt(self) -> str:
        return str(self.body.get("prompt", ""))


def read_log(path: Path) -> list[Charge]:
    """Every POST in the log at *path*, in order."""
    return [Charge(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def video_bytes(task_id: str, size: int) -> bytes:
    """The bytes of this task's video: one that can be decoded, then noise derived from its id."""
    clip = _clip()
    noise = size - len(clip) - 8
    return clip + box(b"free", hashlib.shake_256(task_id.encode()).digest(noise))


@functools.cache
def _clip() -> bytes:
    return make_clip(frames=1, size=(16, 16))


@dataclass
class Job:
    """One requested video."""

    id: str
    prompt: str
    created_at: float
    job_seconds: float
    faults: dict[str, list[str]]

    def next_fault(self, kind: str) -> str:
        """The fault of the next request of this kind; empty for none."""
        left = self.faults.get(kind)
        return left.pop(0) if left else ""


@dataclass
class Provider:
    """The service: its jobs, its log, and its faults."""

    log: int
    """The descriptor of the log, open for appending."""
    job_seconds: float
    latency: float
    size: int
    chance: random.Random
    origin: str = ""
    jobs: dict[str, Job] = field(default_factory=dict[str, Job])
    by_prompt: dict[str, Job] = field(default_factory=dict[str, Job])
    connection_faults: list[str] = field(default_factory=list[str])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends."""
        try:
            if self.connection_faults and (fault := self.connection_faults.pop(0)):
                await ON_ACCEPT[fault](reader, writer)
                return
            while request := await _read_request(reader, writer):
                await self._answer(request)
        except (OSError, EOFError, ConnectionEnded):
            pass
        finally:
            writer.close()

    async def _answer(self, request: Request) -> None:
        kind = "POST" if request.method == "POST" else _request_kind(request.path)
        job = self._record_charge(request) if kind == "POST" else self._find_job(request.path)
        _report(kind, job.prompt if job else "")
        try:
            await self._pause()
            if job is None:
                await request.reply(404, to_json(error={"code": "not_found", "message": "no task"}))
                return
            fault = job.next_fault(kind)
            if fault and not await apply_fault(request, fault, partial=self._whole_body(job, kind)):
                return
            await getattr(self, f"_{kind.lower()}")(request, job)
            if fault == "then_close":
                raise ConnectionEnded
            if request.reader.at_eof():
                _report("broken", kind)
        except OSError:
            _report("broken", kind)
            raise

    def _record_charge(self, request: Request) -> Job:
        """Create the job of this request, and log it before anything is answered."""
        body: dict[str, Any] = json.loads(request.body)
        prompt = str(body.get("prompt"))
        directives = dict(_DIRECTIVE.findall(prompt))
        before = self.by_prompt.get(prompt)
        faults = {
            kind: directives[kind].split(",")
            for kind in ("POST", "GET", "FILE")
            if kind in directives
        }
        job = Job(
            id=str(UUID(int=len(self.jobs) + 1)),
            prompt=prompt,
            created_at=time.time(),
            job_seconds=float(directives.get("TAKES", self.job_seconds)),
            faults=before.faults if before else faults,
        )
        self.jobs[job.id] = self.by_prompt[prompt] = job
        charged = _is_charged((job.faults.get("POST") or [""])[0])
        line = Charge(at=job.created_at, task_id=job.id, charged=charged, body=body)
        os.write(self.log, json.dumps(asdict(line)).encode() + b"\n")
        os.fsync(self.log)
        return job

    def _find_job(self, path: str) -> Job | None:
        return self.jobs.get(path.rsplit("/", 1)[-1].removesuffix(".mp4"))

    def _whole_body(self, job: Job, kind: str) -> bytes:
        """The body of the correct answer, for a fault to truncate."""
        return (
            video_bytes(job.id, self.size) if kind == "FILE" else to_json(task_id=job.id, model="x")
        )

    async def _post(self, request: Request, job: Job) -> None:
        answer = to_json(
            model="m", task_id=job.id, task_status="pending", estimated_seconds=job.job_seconds
        )
        await request.reply(200, answer)

    async def _get(self, request: Request, job: Job) -> None:
        left = job.created_at + job.job_seconds - time.time()
        if left > 0:
            answer = to_json(task_id=job.id, task_status="running", estimated_seconds=left)
        else:
            url = f"{self.origin}/files/{job.id}.mp4"
            result = [{"id": "v1", "url": url, "duration": 5}]
            answer = to_json(task_id=job.id, task_status="succeed", video_result=result)
        await request.reply(200, answer)

    async def _file(self, request: Request, job: Job) -> None:
        whole, tag = video_bytes(job.id, self.size), f'"{job.id}"'
        start = _range_start(request.headers, tag, len(whole))
        headers = {"Content-Type": "video/mp4", "ETag": tag, "Accept-Ranges": "bytes"}
        headers["Content-Length"] = str(len(whole) - start)
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(whole) - 1}/{len(whole)}"
        await request.send_head(206 if start else 200, headers)
        for at in range(start, len(whole), CHUNK):
            await request.send(whole[at : at + CHUNK])
            await self._pause()

    async def _pause(self) -> None:
        await asyncio.sleep(self.chance.uniform(0.0, self.latency))


def _range_start(headers: dict[str, str], tag: str, size: int) -> int:
    """The offset of a resumed download; 0 for a new one, or if the file has changed."""
    match = re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))
    same = headers.get("if-range", tag) == tag
    return int(match[1]) if match and same and int(match[1]) < size else 0


def _is_charged(fault: str) -> bool:
    """Whether a request with this fault is charged."""
    name, _, detail = fault.partition(":")
    if name == "status":
        return int(detail) not in REFUSED or int(detail) == REQUEST_TIMEOUT
    return name not in {"redirect", "limited"}


async def _read_request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Request | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body, writer, reader)


def _request_kind(path: str) -> str:
    return "FILE" if path.startswith("/files/") else "GET"


def _report(event: str, subject: str) -> None:
    sys.stdout.write(json.dumps({"event": event, "subject": subject}) + "\n")
    sys.stdout.flush()


async def _serve(options: argparse.Namespace) -> None:
    log = os.open(options.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    provider = Provider(
        log=log,
        job_seconds=options.job_seconds,
        latency=options.latency,
        size=options.size,
        chance=random.Random(options.seed),  # noqa: S311 - a test's own dice
    )
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    server = await asyncio.start_server(provider.serve, sock=sock, limit=HEAD_LIMIT)
    provider.origin = f"http://127.0.0.1:{sock.getsockname()[1]}"
    _report("listening", provider.origin)
    directives = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(directives), sys.stdin
    )
    while line := await directives.readline():
        provider.connection_faults.extend(json.loads(line)["next"])
        _report("next", "")
    # Not waited for: since Python 3.12 that lasts until every connection has ended, and those
    # with a fault to hang never end. They are cancelled with the loop.
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", required=True, help="where each POST is recorded")
    parser.add_argument("--job-seconds", type=float, default=0.1, help="seconds that a job takes")
    parser.add_argument("--latency", type=float, default=0.0, help="longest delay in seconds")
    parser.add_argument("--size", type=int, default=200_000, help="bytes of a video")
    parser.add_argument("--seed", type=int, default=0)
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
