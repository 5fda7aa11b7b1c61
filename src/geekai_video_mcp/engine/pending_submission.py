"""What a call of `Engine.submit` and the background work that carries it out tell each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import anyio

from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.errors import GeekAIVideoError


@dataclass
class PendingSubmission:
    """The body of a submission, and what its caller waits for."""

    body: Mapping[str, Any]
    """The request as it is to be sent."""
    fixed_id: bool = False
    """Whether the task keeps its id although another begins like it: it was consented to."""
    recorded: anyio.Event = field(default_factory=anyio.Event)
    answered: anyio.Event = field(default_factory=anyio.Event)
    recorded_as: str | None = None
    """The id under which the new task is recorded; another than it had, if that was not free."""
    duplicate_of: Task | None = None
    """The earlier task that is returned instead of a new one."""
    outcome: Task | None = None
    """The task as its outcome was recorded."""
    error: GeekAIVideoError | None = None

    def finish(self, error: GeekAIVideoError | None = None) -> None:
        self.error = self.error or error
        self.recorded.set()
        self.answered.set()


class SubmitResult(NamedTuple):
    """What became of a request."""

    task: Task
    deduplicated: bool
    """Whether it is an earlier request's task and nothing new was sent."""
