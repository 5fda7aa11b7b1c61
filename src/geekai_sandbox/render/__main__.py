"""The child program: renders the plan in a folder and reports JSON lines on stdout.

It exits with its parent: the end of stdin means that nobody needs the video any more.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from geekai_sandbox.render.workspace import Workspace

try:
    import resource
except ImportError:  # Windows
    resource = None

MEMORY_BYTES: Final = 1024 * 1024 * 1024
"""Bytes that this program may allocate. A 4K video takes 720 MB, the stacks of its threads
included; the largest input image that is decoded takes as much before the video begins."""

PROGRESS_SECONDS: Final = 0.2
"""At most five lines of progress a second."""

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2


def emit(message: dict[str, Any]) -> None:
    try:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # the parent has exited; _exit_with_parent handles it


class ProgressReporter:
    """Reports the progress at most every PROGRESS_SECONDS, and always the final 1.0."""

    def __init__(self) -> None:
        self._next_at = 0.0

    def __call__(self, share: float) -> None:
        now = time.monotonic()
        if now >= self._next_at or share >= 1.0:
            self._next_at = now + PROGRESS_SECONDS
            emit({"progress": round(share, 3)})


def limit_memory() -> None:
    """Limit this process's memory and let it write no core file: its input images are untrusted."""
    if resource is None:
        return
    for limit, most in ((resource.RLIMIT_DATA, MEMORY_BYTES), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(limit)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with suppress(ValueError, OSError):  # macOS refuses some of them
            resource.setrlimit(limit, (least, least))


def _exit_with_parent(workspace: Workspace) -> None:
    # os.read: a daemon thread inside a buffered reader would abort the interpreter's exit.
    while os.read(0, 4096):
        pass
    workspace.exit()


def _run_render(workspace: Workspace) -> dict[str, Any] | None:
    """Render; return the error to report, if any."""
    # Imported here: the watch for the parent starts without waiting for a codec, and a
    # missing codec (no wheel of av for this Python) is reported as an error of the task.
    try:
        from geekai_sandbox.render.image_scene import InvalidImageError  # noqa: PLC0415
        from geekai_sandbox.render.pictures import render_images  # noqa: PLC0415
        from geekai_sandbox.render.pipeline import render_video  # noqa: PLC0415
        from geekai_sandbox.render.plan import (  # noqa: PLC0415
            ImagePlan,
            InvalidPlanError,
            read_plan,
        )
    except ImportError as exc:
        return {"code": "renderer_unavailable", "message": f"No renderer is installed: {exc}"}

    try:
        plan = read_plan(workspace.folder)
        if isinstance(plan, ImagePlan):
            render_images(plan, workspace, ProgressReporter())
        else:
            render_video(plan, workspace, ProgressReporter())
    except InvalidPlanError as exc:
        return {"code": "invalid_plan", "message": str(exc)}
    except InvalidImageError as exc:
        return {"code": "invalid_image", "message": str(exc)}
    except MemoryError:
        limit = f"{MEMORY_BYTES // 1024**2} MB"
        return {"code": "render_failed", "message": f"The preview takes more memory than {limit}."}
    except Exception as exc:  # noqa: BLE001  every failure must be reported to the parent
        return {"code": "render_failed", "message": f"The preview could not be rendered: {exc}"}
    return None


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m geekai_sandbox.render FOLDER\n")
        return EXIT_USAGE
    limit_memory()
    # NumPy's library would reserve memory for each core of the machine.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    workspace = Workspace(Path(arguments[0]))
    # Exit on SIGTERM, or when the parent process has exited.
    signal.signal(signal.SIGTERM, lambda _number, _frame: workspace.exit())
    threading.Thread(target=_exit_with_parent, args=(workspace,), daemon=True).start()
    error = _run_render(workspace)
    if error is None:
        return 0
    workspace.remove_parts()
    emit({"error": error})
    return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
