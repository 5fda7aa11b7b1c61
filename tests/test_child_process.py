"""What a child program is given, and what it keeps to: real processes."""

import os
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from geekai_sandbox.worker import child_environment
from geekai_video_mcp.media.child_process import run_worker, worker_environment
from geekai_video_mcp.media.inspection import Reason, inspect_file
from geekai_video_mcp.media.preview import Preview, PreviewRenderer, PreviewRequest
from support.clips import make_clip
from support.process import children_running, descendants_naming
from support.sampling import sample
from support.stills import write_file

INSPECT = "geekai_video_mcp.media.workers.inspect"


async def open_for_writing(pipe: Path) -> int:
    """A descriptor, once somebody has opened *pipe* to read from it."""
    while True:
        await anyio.lowlevel.checkpoint()
        with suppress(OSError):
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the system has no /proc")
async def test_a_child_shows_no_words_of_a_prompt_and_has_no_secret_and_ends_with_its_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GEEKAI_API_KEY", "SOME_TOKEN", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "CANARY")
    path = tmp_path / "a-fox-on-a-meadow.mp4"
    os.mkfifo(path)
    words, environment = b"fox", b"CANARY"
    with anyio.fail_after(20), ExitStack() as held:
        async with anyio.create_task_group() as group:
            group.start_soon(run_worker, ["inspect", str(path)], b"")
            held.callback(os.close, await open_for_writing(path))
            (child,) = children_running(INSPECT)
            words, environment = (child / "cmdline").read_bytes(), (child / "environ").read_bytes()
            group.cancel_scope.cancel()
        # The pipe is still open: whoever reads from it would read for ever.
        assert children_running(INSPECT) == []

    assert b"fox" not in words
    assert b"CANARY" not in environment
    assert b"GEEKAI" not in environment


@pytest.mark.parametrize("make", [worker_environment, child_environment])
def test_an_environment_is_written_out_and_imports_nothing_from_the_working_folder(
    make: Any,  # noqa: ANN401 - either of the two functions
) -> None:
    made = make({"PATH": "/bin", "HOME": "/home/a", "PYTHONPATH": f"{os.pathsep}lib", "X_KEY": "x"})

    assert made.keys() == {"PATH", "HOME", "PYTHONPATH", "MALLOC_ARENA_MAX"}
    paths = made["PYTHONPATH"].split(os.pathsep)
    assert paths[0] == str(Path("lib").absolute())
    assert all(Path(path).is_absolute() for path in paths)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not keep to the limit")
@pytest.mark.parametrize(
    "limit",
    [
        "geekai_video_mcp.media.workers.limits import limit_resources as limit",
        "geekai_sandbox.render.__main__ import limit_memory as limit",
    ],
)
def test_a_child_cannot_take_more_memory_than_it_may(limit: str) -> None:
    program = f"from {limit}; limit(); bytearray(1100 * 1024 * 1024)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)  # noqa: S603 - our own interpreter

    assert done.stderr.strip().endswith(b"MemoryError")


async def test_a_frame_that_would_fill_the_memory_is_not_decoded(tmp_path: Path) -> None:
    bomb = make_clip(frames=1, size=(8000, 4400), form="mov", codec="png", pix_fmt="gray")
    path = write_file(tmp_path, "a.mp4", bomb)
    assert len(bomb) < 300_000

    facts = await inspect_file(path, max_seconds=20)

    assert facts.reason is Reason.TOO_LARGE
    shown = await PreviewRenderer().render(PreviewRequest(paths=(path,), kind="cover"))
    assert (shown.picture, shown.files[0].reason) == (None, Reason.TOO_LARGE)


KINDS: tuple[Preview, ...] = ("cover", "frames", "last")
ODD: dict[str, dict[str, Any]] = {
    "one-frame": {"frames": 1},
    "variable-rate": {"frames": 4, "times": [0, 1, 30, 31]},
    "turned": {"rotation": 90},
    "ten-bits": {"pix_fmt": "yuv420p10le"},
    "odd-sides": {"size": (63, 47), "pix_fmt": "yuv444p"},
    "alpha": {"form": "webm", "codec": "libvpx-vp9", "pix_fmt": "yuva420p"},
    "no-duration": {"form": "webm", "codec": "libvpx", "container_options": {"live": "1"}},
    "key-frames": {"frames": 40, "options": {"g": "7", "bf": "3"}},
    "no-seeking": {"form": "mpegts"},
}


@pytest.mark.parametrize("name", sample(ODD, every=3))
async def test_a_video_of_any_kind_has_a_cover_frames_and_a_last_frame(
    tmp_path: Path, name: str
) -> None:
    path = write_file(tmp_path, "a.mp4", make_clip(**ODD[name]))
    done = [await run_worker(["preview", str(path), kind], b"") for kind in KINDS]

    assert [each.returncode for each in done] == [0, 0, 0]
    assert all(each.stdout for each in done)


@pytest.mark.skipif(not Path("/proc").exists(), reason="the system has no /proc")
async def test_a_child_that_writes_nothing_ends_with_its_parent() -> None:
    child = (
        "import time; from geekai_video_mcp.media.workers.limits import end_with_parent;"
        " end_with_parent(); print('on', flush=True); time.sleep(1234.5)"
    )
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with anyio.fail_after(20):
        async with await anyio.open_process([sys.executable, "-c", parent]) as process:
            assert process.stdout is not None
            await process.stdout.receive()
            process.kill()
        while descendants_naming("end_with_parent(); print"):
            await anyio.lowlevel.checkpoint()
