"""GeekAI with faults, as a process on a loopback port. It charges before it replies.

Every POST whose whole body was read is a line of its log before a byte of the answer
leaves, so the log is what an invoice would say. Raw sockets, because most faults of a
transport cannot be told to an HTTP server.

A prompt says what goes wrong with it: `POST=rst`, `GET=status:500,garbage`,
`FILE=short`, each list used up in order, then all is well; `TAKES=2` is the job's time in
seconds. What goes wrong before a prompt can be read is told on stdin, for the next
connections: `{"next": ["rst_on_accept"]}`. What happens is told on stdout, a JSON line each.
"""

import argparse
import asyncio
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

from reliability.fault_rules import ON_ACCEPT, Gone, Request, spoil, to_json

FTYP: Final = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"
CHUNK: Final = 32 * 1024
"""Bytes of a download between two pauses: several to a file, so that a kill finds the middle."""
HEAD_LIMIT: Final = 64 * 1024
"""Bytes of a request's head: more than httpx ever sends."""
SMALL_BUFFER: Final = 4096
"""Bytes the system may take in for us: a body that is not read must block its sender."""
REFUSED: Final = range(400, 500)
"""Not executed, so not charged; 408 alone comes after the fact, like every 5xx."""
LATE: Final = 408
_TOLD: Final = re.compile(r"\b(POST|GET|FILE|TAKES)=([\w:.,]+)")


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
    """Every POST that *path* recorded, in order."""
    return [Charge(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def video(task_id: str, size: int) -> bytes:
    """The bytes of this task's video: an MP4's first box, then noise made of its id."""
    return FTYP + hashlib.shake_256(task_id.encode()).digest(size - len(FTYP))


@dataclass
class Job:
    """A video that someone asked for."""

    id: str
    prompt: str
    since: float
    takes: float
    faults: dict[str, list[str]]

    def fault(self, kind: str) -> str:
        """What goes wrong this time; empty for nothing."""
        left = self.faults.get(kind)
        return left.pop(0) if left else ""


@dataclass
class Provider:
    """The service: its jobs, its log, and its moods."""

    log: int
    """The descriptor of the log, open for appending."""
    takes: float
    latency: float
    size: int
    chance: random.Random
    origin: str = ""
    jobs: dict[str, Job] = field(default_factory=dict[str, Job])
    by_prompt: dict[str, Job] = field(default_factory=dict[str, Job])
    next: list[str] = field(default_factory=list[str])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection to its end."""
        try:
            if self.next and (fault := self.next.pop(0)):
                await ON_ACCEPT[fault](reader, writer)
                return
            while request := await _read(reader, writer):
                await self._answer(request)
        except (OSError, EOFError, Gone):
            pass
        finally:
            writer.close()

    async def _answer(self, request: Request) -> None:
        kind = "POST" if request.method == "POST" else _kind_of(request.path)
        job = self._charge(request) if kind == "POST" else self._job_of(request.path)
        _tell(kind, job.prompt if job else "")
        try:
            await self._pause()
            if job is None:
                await request.reply(404, to_json(error={"code": "not_found", "message": "no task"}))
                return
            fault = job.fault(kind)
            if fault and not await spoil(request, fault, partial=self._part_of(job, kind)):
                return
            await getattr(self, f"_{kind.lower()}")(request, job)
            if fault == "then_close":
                raise Gone
            if request.reader.at_eof():
                _tell("broken", kind)
        except OSError:
            _tell("broken", kind)
            raise

    def _charge(self, request: Request) -> Job:
        """The job of this request, logged before anything is said of it."""
        body: dict[str, Any] = json.loads(request.body)
        prompt = str(body.get("prompt"))
        told = dict(_TOLD.findall(prompt))
        before = self.by_prompt.get(prompt)
        faults = {kind: told[kind].split(",") for kind in ("POST", "GET", "FILE") if kind in told}
        job = Job(
            id=str(UUID(int=len(self.jobs) + 1)),
            prompt=prompt,
            since=time.time(),
            takes=float(told.get("TAKES", self.takes)),
            faults=before.faults if before else faults,
        )
        self.jobs[job.id] = self.by_prompt[prompt] = job
        charged = _charges((job.faults.get("POST") or [""])[0])
        line = Charge(at=job.since, task_id=job.id, charged=charged, body=body)
        os.write(self.log, json.dumps(asdict(line)).encode() + b"\n")
        os.fsync(self.log)
        return job

    def _job_of(self, path: str) -> Job | None:
        return self.jobs.get(path.rsplit("/", 1)[-1].removesuffix(".mp4"))

    def _part_of(self, job: Job, kind: str) -> bytes:
        """The honest answer's body, for a fault to cut."""
        return video(job.id, self.size) if kind == "FILE" else to_json(task_id=job.id, model="x")

    async def _post(self, request: Request, job: Job) -> None:
        said = to_json(
            model="m", task_id=job.id, task_status="pending", estimated_seconds=job.takes
        )
        await request.reply(200, said)

    async def _get(self, request: Request, job: Job) -> None:
        left = job.since + job.takes - time.time()
        if left > 0:
            said = to_json(task_id=job.id, task_status="running", estimated_seconds=left)
        else:
            url = f"{self.origin}/files/{job.id}.mp4"
            result = [{"id": "v1", "url": url, "duration": 5}]
            said = to_json(task_id=job.id, task_status="succeed", video_result=result)
        await request.reply(200, said)

    async def _file(self, request: Request, job: Job) -> None:
        whole, tag = video(job.id, self.size), f'"{job.id}"'
        start = _start(request.headers, tag, len(whole))
        headers = {"Content-Type": "video/mp4", "ETag": tag, "Accept-Ranges": "bytes"}
        headers["Content-Length"] = str(len(whole) - start)
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(whole) - 1}/{len(whole)}"
        await request.head(206 if start else 200, headers)
        for at in range(start, len(whole), CHUNK):
            await request.send(whole[at : at + CHUNK])
            await self._pause()

    async def _pause(self) -> None:
        await asyncio.sleep(self.chance.uniform(0.0, self.latency))


def _start(headers: dict[str, str], tag: str, size: int) -> int:
    """Where a resumed download goes on; 0 for one that starts, or whose file has changed."""
    asked = re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))
    same = headers.get("if-range", tag) == tag
    return int(asked[1]) if asked and same and int(asked[1]) < size else 0


def _charges(fault: str) -> bool:
    """Whether this way of going wrong comes after the money went."""
    name, _, detail = fault.partition(":")
    if name == "status":
        return int(detail) not in REFUSED or int(detail) == LATE
    return name not in {"redirect", "limited"}


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body, writer, reader)


def _kind_of(path: str) -> str:
    return "FILE" if path.startswith("/files/") else "GET"


def _tell(event: str, what: str) -> None:
    sys.stdout.write(json.dumps({"event": event, "what": what}) + "\n")
    sys.stdout.flush()


async def _listen(options: argparse.Namespace) -> None:
    log = os.open(options.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    provider = Provider(
        log=log,
        takes=options.takes,
        latency=options.latency,
        size=options.size,
        chance=random.Random(options.seed),  # noqa: S311 - a test's own dice
    )
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    server = await asyncio.start_server(provider.serve, sock=sock, limit=HEAD_LIMIT)
    provider.origin = f"http://127.0.0.1:{sock.getsockname()[1]}"
    _tell("listening", provider.origin)
    told = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(told), sys.stdin
    )
    while line := await told.readline():
        provider.next.extend(json.loads(line)["next"])
        _tell("next", "")
    # Not waited for: since Python 3.12 that lasts until every connection has ended, and those
    # that were told to hang never do. They are cancelled with the loop.
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", required=True, help="where each POST is recorded")
    parser.add_argument("--takes", type=float, default=0.1, help="seconds a job takes")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds a reply takes at most")
    parser.add_argument("--size", type=int, default=200_000, help="bytes of a video")
    parser.add_argument("--seed", type=int, default=0)
    asyncio.run(_listen(parser.parse_args()))


if __name__ == "__main__":
    main()
