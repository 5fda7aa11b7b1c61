"""How fast a large result is downloaded, and how much memory that takes."""

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.comparison import Spread, compare
from benchmarks.report import ROOT
from benchmarks.rows import Row, Target, ratio_row
from benchmarks.support.downloading import Taken, download_in_process
from benchmarks.support.file_server import running_file_server
from benchmarks.support.receiving import cpu_seconds_to_receive, receive_with_httpx
from geekai_video_mcp.media.downloads.receiving import receive_chunks
from support.clips import make_clip
from support.fake_geekai import box

SIZE: Final = 300_000_000
"""Bytes of the result."""
LARGE, SMALL = "large.mp4", "small.mp4"


def measure(rounds: int) -> Sequence[Row]:
    """Both receive the same file from the same server, and write it to the same disk."""
    with tempfile.TemporaryDirectory(dir=ROOT) as name:
        folder = Path(name)
        make_files(folder)
        with running_file_server(folder) as origin:
            return [
                *measure_downloads(origin, folder / "received", rounds),
                measure_receiving(origin, rounds),
            ]


def make_files(folder: Path) -> None:
    """Write two videos, of which the large one ends with bytes that no player looks at."""
    video = make_clip(frames=60, size=(1280, 720), container_options={"movflags": "faststart"})
    (folder / SMALL).write_bytes(video)
    padding = box(b"free", os.urandom(SIZE - len(video) - 8))
    (folder / LARGE).write_bytes(video + padding)


def measure_downloads(origin: str, folder: Path, rounds: int) -> Sequence[Row]:
    """The rows; that of the speed is left out where there is no curl."""
    downloads = list[Taken]()

    def download() -> float:
        empty(folder)
        taken = download_in_process(origin, LARGE, warm_up=SMALL, folder=folder)
        downloads.append(taken)
        return SIZE / 1e6 / taken.seconds

    def download_with_curl() -> float:
        empty(folder)
        path = str(folder / LARGE)
        started = time.perf_counter()
        subprocess.run(["curl", "-s", "-f", "-o", path, f"{origin}/{LARGE}"], check=True)
        subprocess.run(["sync", path], check=True)
        return SIZE / 1e6 / (time.perf_counter() - started)

    rows = list[Row]()
    if shutil.which("curl") and shutil.which("sync"):
        speeds = compare(floor=download_with_curl, subject=download, rounds=rounds)
        rows.append(
            ratio_row(
                speeds,
                figure="download of 300 MB: its speed, hashed, inspected and synced",
                floor="`curl` and `sync`, from the same server to the same disk",
                target=Target(value=0.9, bound="at least"),
                details=f"{statistics.median(speeds.floor):.0f} MB/s, ours"
                f" {statistics.median(speeds.subject):.0f} MB/s with"
                f" {statistics.median(taken.cpu_seconds for taken in downloads):.2f} s of CPU",
            )
        )
    else:
        print("the speed of a download is left out: there is no curl or no sync")
        for _ in range(rounds):
            download()
    growth = [taken.growth_bytes / 1e6 for taken in downloads if taken.growth_bytes is not None]
    if not growth:
        print("the memory of a download is left out: only Linux tells it")
        return rows
    spread = Spread.of(growth)
    memory = Row(
        figure="memory while 300 MB are downloaded: the peak against before",
        floor="the same process after a download of a small video",
        unit="MB",
        value=spread.median,
        spread=(spread.low, spread.high),
        target=Target(value=16),
    )
    return [*rows, memory]


def measure_receiving(origin: str, rounds: int) -> Row:
    """The part of a download that its event loop has: receiving, of which nothing is kept."""
    url = f"{origin}/{LARGE}"
    cpu = compare(
        floor=lambda: cpu_seconds_to_receive(url, receive_with_httpx),
        subject=lambda: cpu_seconds_to_receive(url, receive_chunks),
        rounds=rounds,
    )
    ratio, noise = cpu.ratio, cpu.noise
    return Row(
        figure="receiving 300 MB and keeping nothing, CPU",
        floor="httpx's `aiter_raw`",
        unit="x",
        value=ratio.median,
        spread=(ratio.low, ratio.high),
        noise=(noise.low, noise.high),
        details="{:.2f} s; ours {:.2f} s".format(*map(statistics.median, (cpu.floor, cpu.subject))),
    )


def empty(folder: Path) -> None:
    """Make the folder new, and leave nothing for the disk to write for anyone else."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    os.sync()
