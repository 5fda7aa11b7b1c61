"""A process that downloads one result with the real `ResultDownloader`, and says what it took."""

import json
import os
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, run
from uuid import uuid4

import anyio

from benchmarks.report import ROOT
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.tasks import FileUpdate, Result, Task
from geekai_video_mcp.media.downloads import ResultDownloader


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What one download took."""

    seconds: float
    cpu_seconds: float
    """Of the process and of the children that looked at the file."""
    growth_bytes: int | None
    """Of the resident memory: its peak, against what it was before. None where Linux is not."""


def download_in_process(origin: str, name: str, *, warm_up: str, folder: Path) -> Taken:
    """Download *name* into *folder* in a new process, which has downloaded *warm_up* before."""
    command = [sys.executable, "-m", "benchmarks.support.downloading"]
    arguments = [origin, name, warm_up, str(folder)]
    done = run([*command, *arguments], stdout=PIPE, check=True, cwd=ROOT)
    return Taken(**json.loads(done.stdout))


async def main(origin: str, name: str, warm_up: str, folder: Path) -> None:
    """Print what the download of *name* took."""
    async with ResultDownloader(folder, service_url=f"{origin}/api/v1") as downloader:
        # Whatever is imported, read or pooled at the first download is here after this one.
        await download(downloader, f"{origin}/{warm_up}")
        before, cpu_before = resident_bytes(reset_peak=True), cpu_seconds()
        started = time.perf_counter()
        await download(downloader, f"{origin}/{name}")
        seconds = time.perf_counter() - started
    taken = {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds() - cpu_before,
        "growth_bytes": peak_bytes() - before if before else None,
    }
    print(json.dumps(taken))


async def download(downloader: ResultDownloader, url: str) -> FileUpdate:
    """Download a new task's result, and fail unless it is stored and found to be good."""
    task = Task(
        id=uuid4().hex,
        created_at=0.0,
        account="benchmarks",
        model="cogvideox-3",
        request={"prompt": "a fox in the snow"},
        status=Status.SUCCEED,
        result=Result(url=url),
    )
    update = await downloader.download(task)
    if update.status is not FileStatus.STORED or update.width is None:
        raise RuntimeError(update)
    return update


def cpu_seconds() -> float:
    """User and system time of this process and of the children that have ended."""
    both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def resident_bytes(*, reset_peak: bool) -> int:
    """The resident memory now, from which the peak counts anew; 0 where it is not known."""
    if not Path("/proc/self/clear_refs").exists():
        return 0
    if reset_peak:
        Path("/proc/self/clear_refs").write_text("5", "ascii")
    return status_bytes("VmRSS")


def peak_bytes() -> int:
    """The most that was resident at once since the peak was reset."""
    return status_bytes("VmHWM")


def status_bytes(field: str) -> int:
    """A figure of /proc/self/status."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(os.getpid())


if __name__ == "__main__":
    _, origin, name, warm_up, folder = sys.argv
    anyio.run(main, origin, name, warm_up, Path(folder))
