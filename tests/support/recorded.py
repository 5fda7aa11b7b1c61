"""Tasks as a ledger has them, for tests that begin in the middle of a task's life."""

from dataclasses import replace
from typing import Any, Final

from geekai_video_mcp.domain.lifecycle import advance
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.tasks import Observation, Task, new_task

NOW: Final = 1_790_000_000.0

STORED_FILE: Final[dict[str, Any]] = {
    "status": Status.SUCCEED,
    "file_status": FileStatus.STORED,
    "file_path": "/videos/狐.mp4",
    "file_bytes": 5,
    "file_sha256": "ab" * 32,
    "file_seconds": 5.04,
    "file_width": 1920,
    "file_height": 1080,
    "file_fps": 30.0,
    "file_has_sound": False,
    "price_cny": 4.2,
    "price_source": "a list, official",
    "price_read_on": "2026-04-25",
    "ended_at": NOW,
}
"""What is recorded of a finished task whose file is there."""


def make_task(**changes: Any) -> Task:  # noqa: ANN401 - any field's own type
    """A task that was just recorded, with these fields changed."""
    task = new_task(
        request={"model": "m", "prompt": "雪の中の狐 🦊"}, account="s", owner="a", at=NOW
    )
    return replace(task, **changes)


def accepted(task: Task, *, by: str = "theirs") -> Task:
    """*task* after its claim and the service's answer, which gives it the id *by*."""
    sent = Observation(status=Status.SUBMITTING, at=NOW, owner="a", attempt=1)
    answer = Observation(
        status=Status.PENDING, at=NOW + 1, owner="a", attempt=1, provider_task_id=by
    )
    return advance(advance(task, sent), answer)
