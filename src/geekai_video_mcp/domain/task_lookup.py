"""Which task is meant by the beginning of an id. Pure."""

from collections.abc import Sequence
from typing import Final

from geekai_video_mcp.domain.task_ids import shorten_ids
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.errors import TaskNotFound
from geekai_video_mcp.quoting import quote

CANDIDATES_SHOWN: Final = 5
_PROMPT_CHARS: Final = 40


def pick_candidate(prefix: str, candidates: Sequence[Task], *, minimum: int) -> Task:
    """The only task whose id begins with *prefix*.

    Raises:
        TaskNotFound: there are several, or the prefix has fewer than *minimum* digits. It names
            them, so that the next call can give more of the right id.
    """
    if len(candidates) == 1 and len(prefix) >= minimum:
        return candidates[0]
    named = ", ".join(_describe_candidates(candidates[:CANDIDATES_SHOWN]))
    if len(candidates) > 1:
        others = ", and others" if len(candidates) > CANDIDATES_SHOWN else ""
        problem = f"More than one task id begins with {quote(prefix)}: {named}{others}"
        raise TaskNotFound(prefix, problem=problem, remedy="Give more digits of the one you mean.")
    problem = (
        f"{quote(prefix)} is too short to name {named} in a call that may cost money: it takes"
        f" at least {minimum} digits of the id"
    )
    raise TaskNotFound(prefix, problem=problem, remedy="Give more digits of the id.")


def _describe_candidates(candidates: Sequence[Task]) -> list[str]:
    ids = shorten_ids([task.id for task in candidates])
    return [
        f"{shown} ({task.status.value}, {quote(task.prompt or task.model, limit=_PROMPT_CHARS)})"
        for shown, task in zip(ids, candidates, strict=True)
    ]
