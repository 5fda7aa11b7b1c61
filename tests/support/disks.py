"""Real disks that are small or read-only, where this machine lets a test mount one."""

import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from support.missing import skip_test


@contextmanager
def mounted_tmpfs(disk: Path, options: str) -> Generator[Path]:
    """A new tmpfs at *disk*, mounted with *options* such as `size=24m`; skips without one."""
    mount = shutil.which("mount")
    if sys.platform != "linux" or mount is None:
        skip_test("only Linux mounts a disk of a chosen size as tmpfs")
    disk.mkdir()
    command = [mount, "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=10)  # noqa: S603 - our own words
    if done.returncode != 0:
        skip_test("only root may mount a disk, and not in every container")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True, timeout=10)  # noqa: S603, S607 - our own words
