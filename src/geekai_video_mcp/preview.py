"""Preview images of a result, small enough for a conversation.

Decoding happens in a child process: the codecs are large, and the file is not trusted.
"""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

import anyio

PREVIEW_DEADLINE: Final = 8.0
"""Seconds to decode a few frames; a file that needs longer gets no preview image."""

Preview = Literal["cover", "frames", "picture", "last"]


async def render_preview(path: Path, kind: Preview) -> bytes | None:
    """A JPEG, or for `last` a PNG, made by `frames`; None if no frame can be decoded in time."""
    # -P: the child must not import a file named av.py from the user's folder.
    command = [sys.executable, "-P", "-m", "geekai_video_mcp.frames", str(path), kind]
    with suppress(OSError), anyio.move_on_after(PREVIEW_DEADLINE):
        completed = await anyio.run_process(command, stdin=subprocess.DEVNULL, check=False)
        if completed.returncode == 0 and completed.stdout:
            return completed.stdout
    return None
