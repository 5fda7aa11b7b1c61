"""A program: downloads killed before each call that touches the disk, and the next download.

Forks for each, so that the imports are paid once. Says one line of JSON per killed download:
the call it died at, and what the next one made of it.
"""

import functools
import itertools
import json
import os
import signal
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import httpx

from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import (
    Result,
    Task,
)
from geekai_video_mcp.media.downloads import ResultDownloader, block_writer, partial
from geekai_video_mcp.media.inspection import FileFacts, Verdict

CALLS = ("open", "link", "unlink", "replace", "fsync")
STEPS = (*CALLS, "write", "drop")


class Killer:
    """Ends this process before the *last*-th call of *name*, once `armed`.

    By name: how the bytes arrive moves the calls about, and one that comes once would be
    missed at times by its number among all.
    """

    def __init__(self, name: str, last: int, report_fd: int, *, links: bool) -> None:
        self.armed, self.name, self.left = False, name, last
        self.said, self.links = report_fd, links

    def before(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: object, **kwargs: object) -> object:
            if self.armed and name == self.name:
                self.left -= 1
                if self.left == 0:
                    os.write(self.said, name.encode())
                    os.kill(os.getpid(), signal.SIGKILL)
            if name == "link" and not self.links:
                raise PermissionError(1, "Operation not permitted")  # exFAT
            return work(*args, **kwargs)

        return step


async def _inspect_nothing(_: Path) -> FileFacts:
    """What comes has no frames, and a child program is no part of what is killed here."""
    return FileFacts(verdict=Verdict.UNKNOWN)


def download(folder: Path, origin: str, killer: Killer, path: str) -> None:
    """One download, in this process; prints what became of it if it lives."""
    task = Task(
        id="0123456789abcdef" * 2,
        created_at=0.0,
        account="s",
        model="m",
        request={"prompt": "a fox"},
        status=Status.SUCCEED,
        result=Result(url=f"{origin}/{path}"),
    )
    partial.CHECKPOINT_BYTES = 50_000  # pyright: ignore[reportPrivateUsage, reportConstantRedefinition]
    block_writer.BLOCK_BYTES = 50_000  # pyright: ignore[reportPrivateUsage, reportConstantRedefinition]
    for name in CALLS:
        setattr(os, name, killer.before(name, getattr(os, name)))
    partial.Part.write = killer.before("write", partial.Part.write)  # pyright: ignore[reportAttributeAccessIssue]
    partial.Part.reset = killer.before("drop", partial.Part.reset)  # pyright: ignore[reportAttributeAccessIssue]

    async def fetch() -> str:
        async with ResultDownloader(
            folder, service_url=origin, inspect_file=_inspect_nothing
        ) as artifacts:
            killer.armed = True
            fact = await artifacts.download(task)
            killer.armed = False
            return fact.status

    status = anyio.run(fetch)
    os.write(killer.said, status.encode())


def run_forked(work: Callable[[int], object]) -> str:
    """What *work* says in a process of its own, whatever becomes of that."""
    ours, theirs = os.pipe()
    if os.fork() == 0:
        with suppress(BaseException):
            work(theirs)
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as report_fd:
        answer = report_fd.read().decode()
    os.wait()
    return answer


def main(folder: Path, origin: str, afterwards: str, *, links: bool) -> None:
    # What every download needs is read and imported once, and not once per process.
    ssl.create_default_context = functools.cache(ssl.create_default_context)
    httpx.AsyncClient()
    anyio.run(anyio.sleep, 0)
    for name in STEPS:
        for last in itertools.count(1):
            place = folder / f"{name}-{last}"

            def killed(
                report_fd: int, place: Path = place, name: str = name, last: int = last
            ) -> None:
                download(place, origin, Killer(name, last, report_fd, links=links), "video.mp4")

            def next_one(report_fd: int, place: Path = place) -> None:
                download(place, origin, Killer("", 0, report_fd, links=links), afterwards)

            at, then = run_forked(killed), run_forked(next_one)
            report_fd = {"at": at, "then": then, "folder": str(place)}
            sys.stdout.write(f"{json.dumps(report_fd)}\n")
            if at == "stored":
                break


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], links=sys.argv[4] == "links")
