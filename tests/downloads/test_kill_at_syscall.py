"""kill -9 at every step of a download: the next process ends it, with one whole video."""

import json
import subprocess
import sys
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from support.fake_geekai import VIDEO, box
from support.sampling import sample

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and fork are POSIX")

BIG = VIDEO + box(b"mdat", bytes(range(200)) * 1000)
"""Several reads from a socket, whatever its buffers do."""
MP4 = "fox-01234567.mp4"
PROGRAM = Path(__file__).with_name("kill_at_syscall.py")


class Files(BaseHTTPRequestHandler):
    """One video, whole or in part; every other path is dead."""

    ranges: list[str]

    def do_GET(self) -> None:
        if self.path != "/video.mp4":
            self.send_error(404)
            return
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=")[:-1]) if wanted else 0
        self.send_response(206 if wanted else 200)
        if wanted:
            self.ranges.append(wanted)
            self.send_header("Content-Range", f"bytes {start}-{len(BIG) - 1}/{len(BIG)}")
        self.send_header("ETag", '"v1"')
        self.send_header("Content-Length", str(len(BIG) - start))
        self.end_headers()
        self.wfile.write(BIG[start:])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class calls it
        """Nothing to anyone."""


class Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the base class
        """A client that was killed is what this is about."""


@pytest.fixture
def files() -> Generator[tuple[str, list[str]]]:
    """A host of results: its origin, and the ranges that it was asked for."""
    handler = type("Handler", (Files,), {"ranges": list[str]()})
    with Server(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", handler.ranges
        server.shutdown()
        thread.join()


def run_killed(folder: Path, origin: str, afterwards: str, disk: str) -> list[dict[str, str]]:
    done = subprocess.run(  # noqa: S603 - a program of our own
        [sys.executable, str(PROGRAM), str(folder), origin, afterwards, disk],
        check=True,
        capture_output=True,
        timeout=50,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def names(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


@pytest.mark.parametrize("disk", sample(["links", "no links"], every=2))
async def test_a_killed_download_is_ended_by_the_next_with_one_video(
    tmp_path: Path, files: tuple[str, list[str]], disk: str
) -> None:
    origin, ranges = files
    runs = run_killed(tmp_path, origin, "video.mp4", disk)

    assert {"open", "write", "drop", "fsync", "unlink", "link"} <= {run["at"] for run in runs}
    for run in runs:
        assert run["then"] == "stored", run
        assert names(run["folder"]) == [MP4], run
        assert (Path(run["folder"]) / MP4).read_bytes() == BIG, run
    assert ranges, "none of them was gone on with"


async def test_a_video_on_disk_is_not_lost_though_its_link_died_with_the_process(
    tmp_path: Path, files: tuple[str, list[str]]
) -> None:
    for run in run_killed(tmp_path, files[0], "gone.mp4", "links"):
        found = {name for name in names(run["folder"]) if not name.startswith(".")}

        assert (run["then"], found) in [("stored", {MP4}), ("lost", set())], run
        if found:
            assert (Path(run["folder"]) / MP4).read_bytes() == BIG, run
