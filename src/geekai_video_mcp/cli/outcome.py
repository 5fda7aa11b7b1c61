"""What became of a request, as a person reads it at the end, and as a program does with --json."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from geekai_video_mcp.cli.for_people import for_person, wrap_notice
from geekai_video_mcp.cli.open_file import open_file
from geekai_video_mcp.cli.output import (
    FAILED,
    NO_TERMINAL_WIDTH,
    OK,
    UNKNOWN_OUTCOME,
    json_line,
    print_line,
    print_notice,
)
from geekai_video_mcp.cli.report import plain_unlimited
from geekai_video_mcp.cli.table import key_value_lines
from geekai_video_mcp.domain.catalogue import format_cny
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.domain.tenants import tasks_command
from geekai_video_mcp.early_interrupt import INTERRUPTED, NOTHING_SENT
from geekai_video_mcp.errors import MAYBE_CHARGED, NOT_CHARGED, GeekAIVideoError

if TYPE_CHECKING:
    from geekai_video_mcp.domain.tasks import Task
    from geekai_video_mcp.server.views import TaskReport

NOUNS = {Media.VIDEO: "Video", Media.IMAGE: "Picture", Media.FILM: "Film"}


class Outcome(NamedTuple):
    """What became of a request."""

    report: "TaskReport | None"
    """About its task; None if there is none."""
    structure: Mapping[str, Any]
    """The tool's structured result."""
    interrupted: int | None = None
    """The exit status after a signal."""
    said: Sequence[str] = ()
    """The warnings that a person was shown before it was sent."""


def print_outcome(outcome: Outcome, *, as_json: bool, opens: bool) -> int:
    """Print what became of the request; returns the exit status."""
    report = outcome.report
    if as_json:
        print_line(json_line(outcome.structure))
    if report is None:
        print_notice(NOTHING_SENT)
        return INTERRUPTED if outcome.interrupted is None else outcome.interrupted
    print_warnings(one for one in report.warnings if one not in outcome.said)
    if report.stored:
        if not as_json:
            _print_facts(report)
        if opens and outcome.interrupted is None:
            open_result(report.task)
    else:
        # After --no-wait, the line with the id is the result.
        is_result = outcome.interrupted is None and not report.task.settled and not as_json
        for line in describe_unfinished(report, stopped=outcome.interrupted is not None):
            print_line(line) if is_result else print_notice(line)
    return exit_status(report) if outcome.interrupted is None else outcome.interrupted


def print_warnings(warnings: Iterable[str]) -> None:
    """Print what a person has to know of a request, each as a sentence."""
    from geekai_video_mcp.server.views.text import warning_sentences

    for sentence in warning_sentences(warnings):
        print_wrapped(plain_unlimited(for_person(sentence)))


def print_error(error: GeekAIVideoError, *, as_json: bool) -> int:
    """Print an error, also as the one JSON object; returns the exit status."""
    code = getattr(error, "code", None) or "refused"
    message = for_person(error.message)
    if as_json:
        print_line(json_line({"error": {"code": code, "message": message}}))
    print_wrapped(plain_unlimited(message))
    return UNKNOWN_OUTCOME if error.money == MAYBE_CHARGED else FAILED


def exit_status(report: "TaskReport") -> int:
    """The exit status that tells a script how the task is."""
    task = report.task
    if task.status is Status.UNKNOWN:
        return UNKNOWN_OUTCOME
    if report.failed or (task.settled and not report.stored):
        return FAILED
    return OK


def open_result(task: "Task") -> None:
    """Open the file in the system's player; that there is none is no failure."""
    from pathlib import Path

    problem = open_file(Path(task.file_path or ""))
    if problem is not None:
        print_wrapped(f"It was not opened: {plain_unlimited(problem)}.")


def _print_facts(report: "TaskReport") -> None:
    task = report.task
    earlier = " It is that of an earlier, equal request: nothing new was sent."
    head = f"{NOUNS[task.media]} {short_id(task.id)} is finished."
    print_line(f"{head}{earlier if report.deduplicated else ''}")
    # As wide as they are: a path that is broken over two lines cannot be copied.
    for line in key_value_lines(list(_facts(report)), width=NO_TERMINAL_WIDTH):
        print_line(line)


def _facts(report: "TaskReport") -> Iterator[tuple[str, str]]:
    from geekai_video_mcp.server.views.text import file_facts
    from geekai_video_mcp.server.views.times import elapsed_text, size_text

    task = report.task
    yield "file", plain_unlimited(task.file_path or "")
    size = [size_text(task.file_bytes)] if task.file_bytes else []
    yield "facts", ", ".join([*file_facts(report), *size])
    if report.sheet:
        yield "sheet", plain_unlimited(report.sheet)
    if task.file_error:
        yield "problem", plain_unlimited(for_person(task.file_error))
    if task.media is not Media.FILM:
        yield "model", plain_unlimited(task.model)
    yield "price", _price_text(report)
    yield "took", elapsed_text(report.elapsed_seconds)


def _price_text(report: "TaskReport") -> str:
    if report.is_film:
        previews = "; it has sandbox previews in it, not made by GeekAI" if report.sandbox else ""
        return f"free, made on this machine{previews}"
    if report.sandbox:
        return "free: a sandbox preview, not made by GeekAI"
    price = report.price
    if price is None:
        return "not known here"
    listed = format_cny(price.cny) if price.cny else "listed as free"
    return plain_unlimited(f"{listed}, by {price.source}, read {price.read_on}")


def describe_unfinished(report: "TaskReport", *, stopped: bool) -> list[str]:
    """What is to be known of a task whose file is not here; *stopped*: a person has ended it."""
    from geekai_video_mcp.server.views.text import failure_message

    task, name = report.task, short_id(report.task.id)
    noun = NOUNS[task.media]
    if task.status in {Status.UNKNOWN, Status.SUBMITTING}:
        return _describe_unknown(report)
    if report.failed:
        reason = plain_unlimited(for_person(failure_message(report)))
        return [f"{noun} {name} was not made.", *wrap_notice(reason)]
    if task.settled:
        return _describe_link(report)
    sentence = f"{noun} {name} {_state_sentence(report, stopped=stopped)}"
    return [*wrap_notice(sentence), *_way_back(report)]


def _state_sentence(report: "TaskReport", *, stopped: bool) -> str:
    from geekai_video_mcp.server.views.text import state_text

    task = report.task
    state = plain_unlimited(state_text(task))
    if task.media is Media.FILM:
        return "is not finished. It is joined on this machine, which costs nothing."
    if report.sandbox:
        return f"is {state}. The sandbox stops with this command, and costs nothing."
    if task.status in {Status.INTENDED, Status.WAITING}:
        return f"is recorded and not sent yet ({state}). {NOT_CHARGED}"
    if task.status is Status.SUCCEED:
        return "is finished at GeekAI, and its file is not here yet."
    goes_on = "goes on" if stopped else "is on its way"
    return f"{goes_on} at GeekAI ({state}), which charges for it."


def _way_back(report: "TaskReport") -> list[str]:
    task = report.task
    if task.media is Media.FILM:
        return [
            "A running server, or the next start of one, finishes it, and so does this command."
        ]
    verb = "sends" if task.status in {Status.INTENDED, Status.WAITING} else "collects"
    if report.sandbox:
        verb = "finishes"
    server = f"A running server, or the next start of one, {verb} it."
    if verb == "sends":
        return [f"{server} To look: {tasks_command(task.tenant)} show {short_id(task.id)}"]
    return [
        f"{server} To come back to it:",
        f"  {tasks_command(task.tenant)} fetch {short_id(task.id)}",
    ]


def _describe_unknown(report: "TaskReport") -> list[str]:
    task = report.task
    money = NOT_CHARGED if report.sandbox else MAYBE_CHARGED
    return [
        *wrap_notice(
            f"The outcome of task {short_id(task.id)} is unknown: no usable answer came. {money}"
        ),
        "It is not sent again by itself. Look in GeekAI's console for it, and decide:",
        f"  {tasks_command(task.tenant)} resolve {short_id(task.id)} --attach ITS_ID",
        f"  {tasks_command(task.tenant)} resolve {short_id(task.id)} --abandon",
        f"  {tasks_command(task.tenant)} resolve {short_id(task.id)} --resubmit",
    ]


def _describe_link(report: "TaskReport") -> list[str]:
    task = report.task
    lines = [
        f"{NOUNS[task.media]} {short_id(task.id)} is finished. Its file is not on this machine.",
        *wrap_notice(plain_unlimited(for_person(task.file_error or "No reason is known."))),
    ]
    if report.offered_link:
        lines.append(f"Its link: {report.offered_link}")
    return [*lines, f"To try once more: {tasks_command(task.tenant)} fetch {short_id(task.id)}"]


def print_wrapped(text: str) -> None:
    """Print a text of sentences on stderr, which tears no word at a terminal."""
    for line in wrap_notice(text):
        print_notice(line)
