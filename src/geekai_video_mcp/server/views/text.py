"""A task as text: what happened and what to do next, for a model that reads only text. Pure.

Each state has a sentence whose subject is the task; `failure_message` is also what the structured
`error` says, word for word, with the sentence about money.
"""

from collections.abc import Iterable
from typing import Final

from geekai_video_mcp.config import SANDBOX_MODEL
from geekai_video_mcp.domain.catalogue import format_cny
from geekai_video_mcp.domain.films import part_texts
from geekai_video_mcp.domain.obstacles import UNANSWERED
from geekai_video_mcp.domain.statuses import POLLED, UNSENT, FileStatus, Status
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.tasks import (
    Media,
    Task,
)
from geekai_video_mcp.domain.waiting import waiting_text
from geekai_video_mcp.errors import (
    MAYBE_CHARGED,
    NOT_CHARGED,
)
from geekai_video_mcp.quoting import (
    as_sentence,
    quote,
    quote_unless_id,
    sanitize,
)
from geekai_video_mcp.server.arguments import PublicStatus
from geekai_video_mcp.server.views.report import TaskReport
from geekai_video_mcp.server.views.settings import settings_text
from geekai_video_mcp.server.views.times import (
    elapsed_text,
    iso_time,
    length_and_size,
    size_text,
    span_text,
)

NO_CODE: Final = "failed"
"""The code of a failure that the service gave none for; it says nothing."""
WAITING_FOR_LINK: Final = "GeekAI reports it finished and has not given its link yet."

PUBLIC_STATUS: Final[dict[Status, PublicStatus]] = {
    Status.WAITING: "pending",
    Status.INTENDED: "submitting",
    Status.SUBMITTING: "submitting",
    Status.PENDING: "pending",
    Status.RUNNING: "running",
    Status.SUCCEED: "succeed",
    Status.FAILED: "failed",
    Status.REJECTED: "failed",
    Status.UNKNOWN: "unknown",
    Status.ABANDONED: "failed",
}


def public_status(task: Task) -> PublicStatus:
    """The status of a task as it is published; a film is never sent, but waits for its turn."""
    waits = task.media is Media.FILM and task.status is Status.INTENDED
    return "pending" if waits else PUBLIC_STATUS[task.status]


def task_text(report: TaskReport, step: str) -> str:
    """What happened, in one to three sentences, and what to do next: *step*."""
    parts = [_headline(report), *_notes(report), step]
    if report.deduplicated:
        ago = elapsed_text(max(0.0, report.at - report.task.created_at))
        same = f"This is the same request as {ago} ago, so nothing new was sent."
        if report.is_film:
            same = f"This film was asked for {ago} ago, so it is not joined again."
        parts.insert(0, same)
    return " ".join(part for part in parts if part)


def task_line(report: TaskReport) -> str:
    """The task in a line of several: its id, what happened, and what else is to be known."""
    subject = f"{short_id(report.task.id)} {_labels(report)}"
    if report.stored:
        subject = short_id(report.task.id)
    return " ".join([f"{subject} {_predicate(report)}", *_notes(report)])


def _headline(report: TaskReport) -> str:
    task = report.task
    if report.just_sent:
        return _sent_text(report)
    predicate = _predicate(report)
    if report.stored:
        return predicate[0].upper() + predicate[1:]
    labels = _labels(report)
    return " ".join(filter(None, (f"Task {short_id(task.id)}", labels, predicate)))


def _sent_text(report: TaskReport) -> str:
    task, price = report.task, _price_text(report)
    if report.is_film:
        made_of = ", ".join(part_texts(task.request))
        return f"The film is being joined as task {short_id(task.id)}, of {made_of}."
    service = "the sandbox" if report.sandbox else "GeekAI"
    sent = f"Sent to {service}" if task.status in POLLED else f"Being sent to {service}"
    waits = task.status is Status.WAITING
    then = f" It {waiting_text(task.waits_for)}." if waits else _typical_text(report)
    about = ", ".join(filter(None, (_model_text(report), settings_text(report.sent or {}))))
    details = f": {'; '.join(filter(None, (about, price)))}" if about else ""
    return f"{'Recorded' if waits else sent} as task {short_id(task.id)}{details}.{then}"


def _typical_text(report: TaskReport) -> str:
    typical = report.task.typical_duration
    return f" It usually takes {span_text(typical.p10, typical.p95)}." if typical else ""


def _price_text(report: TaskReport) -> str:
    price = report.price
    if price is None:
        return ""
    listed = f"listed at {format_cny(price.cny)}" if price.cny else "listed as free"
    day = f" on {report.price_date}" if report.price_date else ""
    source = f" by {sanitize(report.price_source)}" if report.price_source else ""
    return f"{listed}{day}{source}"


def _model_text(report: TaskReport) -> str:
    """The model's id; nothing for the sandbox's own, which is named in any case."""
    model = report.task.model
    return (
        "" if not model or (report.sandbox and model == SANDBOX_MODEL) else quote_unless_id(model)
    )


def _labels(report: TaskReport) -> str:
    """The model and what is to be known of every task, in parentheses."""
    preview = "sandbox preview" if not report.is_film else "with sandbox previews"
    labels = (_model_text(report), preview if report.sandbox else _price_text(report))
    return f"({', '.join(label for label in labels if label)})" if any(labels) else ""


def _predicate(report: TaskReport) -> str:
    """What happened to the task, as the rest of a sentence about it, and what belongs to it."""
    task = report.task
    if report.failed:
        return f"{_failure_predicate(report)} {failure_message(report)}"
    if report.stored:
        return _stored_predicate(report)
    if task.status is Status.SUCCEED:
        return _finished_predicate(report)
    return _progress_predicate(report)


def _progress_predicate(report: TaskReport) -> str:
    """Of a task that has no result yet."""
    task, elapsed = report.task, f"{elapsed_text(report.elapsed_seconds)} so far"
    if task.no_link_since is not None and task.status in POLLED:
        return f"has no file yet, {elapsed}."
    if task.status is Status.WAITING:
        return f"{waiting_text(task.waits_for)} (pending, {elapsed})."
    if report.is_film:
        doing = "waits for its turn" if task.status is Status.INTENDED else "is being joined"
        return f"{doing}, {elapsed}."
    if task.status in UNSENT:
        where = "the sandbox" if report.sandbox else "GeekAI"
        return f"is being sent to {where} (submitting, {elapsed})."
    return f"is {public_status(task)}, {elapsed}.{_typical_text(report)}"


def _stored_predicate(report: TaskReport) -> str:
    task = report.task
    where = " in the sandbox" if report.sandbox else ""
    if report.is_film:
        where = " (a film with sandbox previews)" if report.sandbox else " (a film)"
    facts = ", ".join(file_facts(report))
    about = ", ".join(filter(None, (_model_text(report), _price_text(report))))
    details = "; ".join(part for part in (facts, about) if part)
    picture, sheet = report.picture, report.sheet
    sheet = f" {picture.kind.capitalize()}: {sheet}." if picture and sheet else ""
    problem = f" {as_sentence(task.file_error)}" if task.file_error else ""
    finished = f"finished{where}: {details}." if details else f"finished{where}."
    file = f" File: {_file_text(report)}." if report.file else ""
    link = f" Link: {report.extra_link.described()}." if report.extra_link else ""
    return f"{finished}{file}{link}{sheet}{problem}"


def _file_text(report: TaskReport) -> str:
    """Where the file is, how large it is, and how long its link works."""
    size = report.task.file_bytes
    return report.file.described(size_text(size) if size else None) if report.file else ""


def file_facts(report: TaskReport) -> Iterable[str]:
    """What is known of the file that a person would see or hear."""
    task = report.task
    yield from length_and_size(report.duration, task.file_width, task.file_height)
    if task.file_fps:
        yield f"{task.file_fps:.4g} fps"
    if task.file_has_sound is not None:
        yield "with sound" if task.file_has_sound else "without sound"


def _finished_predicate(report: TaskReport) -> str:
    """Of a task that is finished, and whose file is not on this machine."""
    task = report.task
    where = "in the sandbox" if report.sandbox else "at GeekAI"
    reason = f" {as_sentence(task.file_error)}" if task.file_error else ""
    link, length = report.offered_link, report.duration
    length_note = f" ({length:.1f} s)" if length is not None else ""
    offer = f" Its link, valid until {iso_time(report.link_expires_at)}: {link}" if link else ""
    if task.file_status is FileStatus.NONE:
        waiting = f"is finished {where}{length_note} and is being downloaded."
        return f"{waiting}{reason}{offer if reason else ''}"
    if task.file_status is FileStatus.DELETED:
        facts = ", ".join(file_facts(report))
        return f"is finished{f' ({facts})' if facts else ''}.{reason}{offer}"
    copy = f" What came is kept in {_file_text(report)}." if report.file else ""
    failure = f"is ready {where}{length_note}, but this server could not download it."
    return f"{failure}{reason}{copy}{offer}"


def _failure_predicate(report: TaskReport) -> str:
    task = report.task
    if task.status is Status.SUCCEED:
        return "is finished, but there is no file."
    if task.status is Status.UNKNOWN:
        return "has an unknown outcome."
    if task.status is Status.ABANDONED:
        return "is closed."
    code = task.error_code if task.status is Status.FAILED else None
    note = f" with code {quote_unless_id(code, limit=64)}" if code and code != NO_CODE else ""
    return f"failed{note}."


def failure_message(report: TaskReport) -> str:
    """Why there is no result, and whether it was charged."""
    task = report.task
    if report.is_film:
        return as_sentence(task.error_message or "No reason is known")
    if task.status is Status.SUCCEED:
        reason = as_sentence(task.file_error) if task.file_error else "It is lost."
        return f"{_name_service(reason, report)} {report.money}"
    if task.status is Status.FAILED:
        cause = f": {quote(task.error_message)}" if task.error_message else " and gave no reason"
        reason = as_sentence(f"{report.service} could not make the {task.media}{cause}")
        return f"{reason} {report.money}"
    # The message was written when the task ended, with its cost and the next step.
    message = _name_service(task.error_message or _DEFAULT_MESSAGES[task.status], report)
    return message.replace(MAYBE_CHARGED, NOT_CHARGED) if report.sandbox else message


_DEFAULT_MESSAGES: Final = {
    Status.REJECTED: f"It was not accepted. {NOT_CHARGED}",
    Status.UNKNOWN: f"No answer came. {MAYBE_CHARGED}",
    Status.ABANDONED: f"A person has given it up. {MAYBE_CHARGED}",
}


def _name_service(text: str, report: TaskReport) -> str:
    """A sentence of ours, which begins with GeekAI's name also where the sandbox answered."""
    if report.sandbox and text.startswith("GeekAI "):
        return f"{report.service}{text.removeprefix('GeekAI')}"
    return text


def _notes(report: TaskReport) -> Iterable[str]:
    """What else is to be known: GeekAI's id, why nothing new is learned, no price, and warnings."""
    if report.provider_task_id and report.task.status is not Status.UNKNOWN:
        yield f"Its id at GeekAI is {quote_unless_id(report.provider_task_id)}."
    if stall := stall_text(report):
        yield stall
    if report.price_note:
        yield report.price_note
    yield from warning_sentences(report.warnings)


def ignored_fields(task: Task) -> Iterable[str]:
    """The warning that fields of the request of *task* had no effect, if it is known."""
    if task.ignored:
        one = ", " not in task.ignored
        rest = "the preview is made without it" if one else "the preview is made without them"
        yield f"The sandbox ignored {task.ignored}: {rest}"


def warning_sentences(warnings: Iterable[str]) -> Iterable[str]:
    """Warnings as sentences, to follow others; an id at the beginning stays as it is written."""
    for warning in warnings:
        begins_with_word = warning.partition(" ")[0].isalpha()
        yield as_sentence(warning[:1].upper() + warning[1:] if begins_with_word else warning)


def stall_text(report: TaskReport) -> str | None:
    """Why nothing new is learned about the task; None if nothing is odd."""
    task = report.task
    since, reason = iso_time(task.unreachable_since), task.stall_reason
    if task.no_link_since is not None and not task.settled:
        return _name_service(WAITING_FOR_LINK, report)
    if task.settled or (since is None and reason is None):
        return None
    if since is None:
        return _name_service(reason or "", report)
    unanswered = f"{UNANSWERED} since {since}"
    if reason is None:
        text = f"{unanswered}."
    elif reason.startswith(UNANSWERED):
        text = f"{unanswered}{reason.removeprefix(UNANSWERED)}"
    else:
        text = f"{as_sentence(reason)} No poll has worked since {since}."
    return _name_service(text, report)


def progress_text(task: Task, *, at: float) -> str:
    """The message of a progress notification."""
    return f"{state_text(task)}, {max(0.0, (task.ended_at or at) - task.created_at):.0f} s"


def state_text(task: Task) -> str:
    """How far the task is, in a word or a few."""
    downloading = task.status is Status.SUCCEED and task.file_status is FileStatus.NONE
    state = "downloading" if downloading else public_status(task)
    if task.no_link_since is not None and task.status in POLLED:
        state = "finished, waiting for its link"
    return waiting_text(task.waits_for) if task.status is Status.WAITING else state
