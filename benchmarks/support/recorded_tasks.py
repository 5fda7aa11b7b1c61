"""Tasks that an earlier server would have left in the ledger."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from geekai_video_mcp.config import SANDBOX_URL
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.tasks import Result, Task

_REQUEST: Final = {"prompt": "A fox walks through fresh snow at dawn", "aspect_ratio": "16:9"}


def finished_task(number: int, *, file: Path) -> Task:
    """A video that is stored, and that a caller has been shown."""
    now = time.time()
    return replace(
        _sent_task(number, Status.SUCCEED, at=now - 90),
        result=Result(url="https://example.com/fox.mp4", duration=5),
        ended_at=now - 30,
        file_status=FileStatus.STORED,
        file_path=str(file),
        file_bytes=2_400_000,
        file_seconds=5,
        file_width=1280,
        file_height=720,
        file_fps=24,
        file_has_sound=True,
        delivered_at=now - 20,
    )


def running_task(number: int) -> Task:
    """A video that is being made, and that no server asks for within the next hour."""
    now = time.time()
    return replace(
        _sent_task(number, Status.RUNNING, at=now - 30),
        last_polled_at=now,
        next_poll_at=now + 3600,
        poll_count=1,
    )


def _sent_task(number: int, status: Status, *, at: float) -> Task:
    return Task(
        id=f"{number:07x}f{number:024x}",
        created_at=at,
        account=SANDBOX_URL,
        model="cogvideox-flash",
        request=_REQUEST,
        owner="benchmark",
        status=status,
        submitted_at=at + 1,
        provider_task_id=f"{status.value}-{number}",
    )
