"""The render child as the service uses it: arguments, output lines, files, exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any, cast

import pytest

SMALL: dict[str, Any] = {
    "prompt": "Kittens and puppies are playing in the grass",
    "model": "cogvideox-flash",
    "width": 192,
    "height": 108,
    "fps": 10,
    "seconds": 1.0,
    "audio": False,
    "watermark": False,
    "quality": "speed",
    "image": None,
    "image_tail": None,
    "camera": None,
    "movement": 1.0,
    "last_frame": False,
}

LONG: dict[str, object] = {"seconds": 60.0, "fps": 30, "width": 640, "height": 360}
"""Far more than can be rendered before a test looks."""


def start(folder: Path, **fields: object) -> subprocess.Popen[bytes]:
    (folder / "plan.json").write_text(json.dumps(SMALL | fields), encoding="utf-8")
    command = [sys.executable, "-m", "geekai_sandbox.render", str(folder)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)  # noqa: S603  our own interpreter and package


def finish(child: subprocess.Popen[bytes]) -> tuple[int, list[dict[str, Any]], bytes]:
    # Not communicate(): it would close stdin, which makes the child exit.
    with child:
        out, err = cast("IO[bytes]", child.stdout).read(), cast("IO[bytes]", child.stderr).read()
        status = child.wait(timeout=50)
    return status, [json.loads(line) for line in out.splitlines()], err


def wait_for_progress(child: subprocess.Popen[bytes]) -> None:
    """Wait for the first line of progress: the video is being encoded."""
    assert b"progress" in cast("IO[bytes]", child.stdout).readline()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_it_writes_the_contracted_files_and_nothing_else(tmp_path: Path) -> None:
    status, lines, err = finish(start(tmp_path, last_frame=True, audio=True))

    assert (status, err) == (0, b"")
    assert names(tmp_path) == {
        "plan.json",
        "cover.jpg",
        "last-frame.png",
        "video.mp4",
        "report.json",
    }
    assert lines[-1] == {"progress": 1.0}
    shares = [line["progress"] for line in lines]
    assert shares == sorted(shares)


def test_the_report_says_what_was_made(tmp_path: Path) -> None:
    finish(start(tmp_path))

    report = json.loads((tmp_path / "report.json").read_bytes())
    assert report.keys() == {
        "width", "height", "fps", "seconds", "frames", "audio", "codec", "bytes", "sha256", "mood",
        "typeset", "render_seconds",
    }  # fmt: skip
    assert (report["frames"], report["seconds"], report["mood"]) == (10, 1.0, "meadow")
    assert report["bytes"] == (tmp_path / "video.mp4").stat().st_size


def test_without_last_frame_there_is_no_last_frame(tmp_path: Path) -> None:
    finish(start(tmp_path))
    assert names(tmp_path) == {"plan.json", "cover.jpg", "video.mp4", "report.json"}


@pytest.mark.parametrize("field", ["image", "image_tail"])
def test_a_picture_that_is_none_ends_with_an_error_that_names_it(
    tmp_path: Path, field: str
) -> None:
    from PIL import Image  # noqa: PLC0415  the other tests here need no Pillow

    Image.new("RGB", (64, 64), "teal").save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 40)
    pictures = {"image": "good.png", "image_tail": None} | {field: "bad.png"}
    status, lines, err = finish(start(tmp_path, **pictures))

    assert (status, err) == (1, b"")
    error = lines[-1]["error"]
    assert error["code"] == "invalid_image"
    assert error["message"].startswith(field + " ")
    assert names(tmp_path) == {"plan.json", "good.png", "bad.png"}


@pytest.mark.parametrize(
    "plan", [b"{", b"{}", b'{"width": "wide"}', json.dumps(SMALL | {"width": 191}).encode()]
)
def test_a_plan_that_cannot_be_rendered_is_refused(tmp_path: Path, plan: bytes) -> None:
    child = start(tmp_path)
    child.kill()
    finish(child)
    (tmp_path / "plan.json").write_bytes(plan)
    from geekai_sandbox.render.plan import InvalidPlanError, read_plan  # noqa: PLC0415

    with pytest.raises(InvalidPlanError):
        read_plan(tmp_path)


def test_a_refused_plan_is_said_in_one_line(tmp_path: Path) -> None:
    status, lines, err = finish(start(tmp_path, fps=0))
    assert (status, err) == (1, b"")
    assert [line["error"]["code"] for line in lines] == ["invalid_plan"]


def test_a_failure_in_the_middle_leaves_nothing_half_made(tmp_path: Path) -> None:
    # Wider than H.264 allows: the encoder fails when the file has already been created.
    status, lines, err = finish(start(tmp_path, width=16386, height=2))
    assert (status, err) == (1, b"")
    assert lines[-1]["error"]["code"] == "render_failed"
    assert names(tmp_path) == {"plan.json"}


def test_when_the_parent_is_gone_it_leaves_and_cleans_up(tmp_path: Path) -> None:
    child = start(tmp_path, **LONG)
    wait_for_progress(child)
    cast("IO[bytes]", child.stdin).close()
    status, _, err = finish(child)

    assert (status, err) == (75, b"")
    assert names(tmp_path) == {"plan.json"}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
def test_when_told_to_end_it_ends_and_cleans_up(tmp_path: Path) -> None:
    child = start(tmp_path, **LONG)
    wait_for_progress(child)
    child.send_signal(signal.SIGTERM)
    status, _, err = finish(child)

    assert (status, err) == (75, b"")
    assert names(tmp_path) == {"plan.json"}


def test_importing_the_package_loads_no_codec() -> None:
    check = (
        "import sys, geekai_sandbox.render.__main__;"
        "print({'av', 'numpy', 'PIL'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, check=True)  # noqa: S603  as above
    assert done.stdout.strip() == b"set()"
