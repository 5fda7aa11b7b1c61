"""Whether tasks can be joined into a film, and what to say of one that cannot be. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from geekai_video_mcp.domain.films import FilmPart, film_parts
from geekai_video_mcp.domain.statuses import NO_RESULT, FileStatus, Status
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.tasks import (
    Media,
    Task,
)
from geekai_video_mcp.domain.tenants import LOCAL_TENANT, tasks_command
from geekai_video_mcp.errors import RequestRefused
from geekai_video_mcp.quoting import (
    as_sentence,
    quote,
    quote_unless_id,
)

MAX_PROBLEMS: Final = 8
"""Parts of which one refusal says what is wrong."""
SOUND: Final = "audio"
"""What stands for the sound where a part has its number."""
ROUNDING: Final = 0.05
"""Seconds beyond the end that are not worth a word: lengths are shown with one decimal."""
_CHANGE: Final = "Change the call and try again."
_PICTURES: Final = ("image", "images")
"""Fields that hold a first frame."""


@dataclass(frozen=True)
class PartProblem:
    """Why a task cannot be joined."""

    sentence: str
    will_pass: bool = False
    """Whether the same call works once the task is finished."""


def name_part(number: int, part: FilmPart) -> str:
    """A part in a sentence, by its number and its id as the caller gave it."""
    text = part.task_id
    shown = short_id(text) if len(text) > len(short_id(text)) and text.isalnum() else text
    return f"Part {number} ({quote_unless_id(shown, limit=64)})"


def unknown_task(name: str) -> PartProblem:
    """What to say of an id that the ledger does not know."""
    return PartProblem(
        f"{name}: no task of this id is recorded here; list_video_tasks shows those"
        " that are, and get_video_task also fetches one that was made elsewhere with this key"
    )


def find_part_problem(name: str, part: FilmPart, task: Task) -> PartProblem | None:
    """Why the task is no part of a film; None if its video was stored on this machine."""
    problem, length = _find_problem(name, task), task.file_seconds
    begins_late = part.start is not None and length is not None and part.start >= length
    if problem is None and begins_late:
        return PartProblem(
            f"{name} is {length:.3g} s long, so nothing of it is left from {part.start:g} s on"
        )
    return problem


def find_silence(task: Task) -> PartProblem | None:
    """That the task has no sound to be taken, if that is known."""
    if task.file_has_sound is False:
        return PartProblem(f"{SOUND}: the {task.media} of task {short_id(task.id)} has no sound")
    return None


def missing_file(name: str, task: Task) -> PartProblem:
    """What to say of a file that is no longer where it was stored."""
    path = f" {quote(task.file_path or '')}" if task.tenant == LOCAL_TENANT else ""
    who = "user" if task.tenant == LOCAL_TENANT else "server's operator"
    return PartProblem(f"{name}: its file{path} was moved or deleted; ask the {who} to put it back")


def _find_problem(name: str, task: Task) -> PartProblem | None:
    if task.media is Media.IMAGE:
        return PartProblem(
            f"{name} is a picture, and only videos and films can be joined; generate_video with"
            f' image "task:{short_id(task.id)}" makes a video of it'
        )
    if task.file_status is FileStatus.STORED and task.file_path:
        return None
    if task.status is not Status.SUCCEED:
        return _describe_unfinished(name, task)
    reason = f" ({as_sentence(task.file_error).rstrip('.')})" if task.file_error else ""
    if task.file_status is FileStatus.LINKED:
        return PartProblem(
            f"{name} is not on this machine{reason}, but only at its link; on the command line,"
            f" {tasks_command(task.tenant)} fetch {short_id(task.id)} downloads it"
        )
    if task.file_status in {FileStatus.LOST, FileStatus.DELETED}:
        return PartProblem(f"{name} has no file any more{reason}; leave it out, or make it again")
    wait = f"so call {_follow(task)} until it gives a file"
    return PartProblem(f"{name} is still being downloaded, {wait}", will_pass=True)


def _describe_unfinished(name: str, task: Task) -> PartProblem:
    if task.status is Status.UNKNOWN:
        return PartProblem(f"{name} has an unknown outcome and no file; call {_follow(task)}")
    if task.status in NO_RESULT:
        return PartProblem(f"{name} failed and has no {task.media}; {_follow(task)} says why")
    wait = f"so call {_follow(task)} until it gives a file"
    return PartProblem(f"{name} is not finished, {wait}", will_pass=True)


def _follow(task: Task) -> str:
    return f'get_video_task with task_id "{short_id(task.id)}"'


def refuse_parts(problems: Sequence[PartProblem]) -> RequestRefused:
    """One refusal of everything that is wrong; joining is free, so it says nothing of money."""
    sentences = [problem.sentence for problem in problems[:MAX_PROBLEMS]]
    if len(problems) > MAX_PROBLEMS:
        sentences.append(f"and {len(problems) - MAX_PROBLEMS} more parts")
    again = "Then make the same call."
    remedy = again if all(problem.will_pass for problem in problems) else _CHANGE
    return RequestRefused("; ".join(sentences), code="parts", money=None, remedy=remedy)


def fit_to_lengths(
    found: Sequence[tuple[FilmPart, Task]],
) -> tuple[list[FilmPart], list[str]]:
    """The parts without an end that lies beyond the video's, and a note for each of these.

    So the same film is found however far beyond its end a part was said to last.
    """
    kept, notes = list[FilmPart](), list[str]()
    for number, (part, task) in enumerate(found, 1):
        length = task.file_seconds
        if part.end is None or length is None or part.end < length:
            kept.append(part)
            continue
        kept.append(replace(part, end=None))
        if part.end > length + ROUNDING:
            notes.append(f"Part {number} is {length:.3g} s long, so it was kept to its end.")
    return kept, notes


def may_continue(part: FilmPart, task: Task, *, after: FilmPart, after_task: Task) -> bool:
    """Whether the first frame of *part* may be the last one of the part *after* which it comes.

    It may if it was given a picture, and both frames are kept; whether it is that picture, the
    frames themselves tell, unless the request names the task that it came from.
    """
    if part.start is not None:
        return False
    given = next((task.request[name] for name in _PICTURES if task.request.get(name)), None)
    first = cast("list[object]", given)[0] if isinstance(given, list) else given
    if isinstance(first, str) and first.startswith("task:"):
        named, _, moment = first.removeprefix("task:").partition("@")
        return any(
            shot.task_id == named and moment == ("" if shot.end is None else f"{shot.end:g}")
            for shot in _last_shots(after, after_task)
        )
    return after.end is None and (task.media is Media.FILM or first is not None)


def _last_shots(part: FilmPart, task: Task) -> list[FilmPart]:
    """The part itself, and if it is a whole film, the part that this film ends with."""
    inner = film_parts(task.request) if task.media is Media.FILM and part.end is None else []
    return [part, *inner[-1:]]


def choose_film(film: Task, same: Sequence[Task], *, has_file: Callable[[Task], bool]) -> Task:
    """The earlier film of the same parts that is being made or still has its file, or *film*."""
    return next(
        (each for each in same if each.status is not Status.SUCCEED or has_file(each)), film
    )
