"""Runs the sandbox's renderer as the sandbox does, and makes the picture that it moves over."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from geekai_sandbox.render.plan import Plan
from geekai_sandbox.worker import child_environment

PLAN: Final = Plan(
    "A lighthouse on a cliff at dusk, waves below",
    "sandbox",
    width=1280,
    height=720,
    fps=30,
    seconds=5.0,
)


def render(plan: Plan, folder: Path) -> float:
    """Render *plan* in *folder*; return the CPU seconds of the child program."""
    (folder / "plan.json").write_text(json.dumps(asdict(plan)), "utf-8")
    command = [sys.executable, "-m", "geekai_sandbox.render", str(folder)]
    # Its standard input stays open: the renderer ends with its parent.
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=child_environment()
    )
    if child.stdin is None or child.stdout is None:
        msg = "opened without pipes"
        raise RuntimeError(msg)
    with child.stdin, child.stdout as output:
        written = output.read()
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        msg = f"The renderer ended with {child.returncode}: {written.decode()}"
        raise RuntimeError(msg)
    return usage.ru_utime + usage.ru_stime


def render_clip(path: Path, *, take: int, seconds: float, size: tuple[int, int]) -> Path:
    """A video of the sandbox at *path*, with sound; each *take* is another one."""
    folder = path.with_suffix("")
    folder.mkdir()
    plan = replace(PLAN, take=take, seconds=seconds, width=size[0], height=size[1], audio=True)
    render(plan, folder)
    return (folder / "video.mp4").replace(path)


def save_photo(path: Path, *, width: int, height: int) -> Path:
    """A picture with the statistics of a photograph.

    The amplitudes fall with the frequency, as in nature, and the finest details are softened by
    a lens; a JPEG of it is as large as one of a camera.
    """
    rng = np.random.default_rng(16)
    down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    frequency = np.hypot(down, across)
    frequency[0, 0] = 1
    envelope = np.exp(-2 * (np.pi * LENS_PX * frequency) ** 2) / frequency**1.1
    levels = list[np.ndarray]()
    for _ in range(3):
        phases = rng.standard_normal((2, height, width // 2 + 1))
        level = np.fft.irfft2((phases[0] + 1j * phases[1]) * envelope, (height, width))
        levels.append((level - level.mean()) / level.std())
    luma, *tints = levels
    channels = [118 + 48 * (luma + 0.35 * tint) for tint in (tints[0], -tints[0], tints[1])]
    pixels = np.clip(np.stack(channels, axis=-1), 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path, quality=90)
    return path


LENS_PX: Final = 0.8
"""Standard deviation of the blur of a lens and of a sensor's colour filter, in pixels."""
