"""Resolve a task whose outcome is unknown: describe the user's decision, then apply it."""

import argparse
from typing import TYPE_CHECKING

from geekai_video_mcp.cli.for_people import for_person, print_for_person
from geekai_video_mcp.cli.output import FAILED, OK, print_line
from geekai_video_mcp.cli.report import format_time, plain_unlimited
from geekai_video_mcp.cli.table import GAP, wrap_text
from geekai_video_mcp.domain.result_file import has_no_link
from geekai_video_mcp.domain.statuses import POLLED, UNRESOLVED, Status
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.tasks import Task
from geekai_video_mcp.domain.tenants import tasks_command
from geekai_video_mcp.errors import (
    MAYBE_CHARGED,
    GeekAIVideoError,
    InvalidDecision,
)
from geekai_video_mcp.quoting import quote

if TYPE_CHECKING:
    from geekai_video_mcp.config import Settings
    from geekai_video_mcp.engine import Resolver


def describe_decision(task: Task, arguments: argparse.Namespace, *, width: int) -> list[str]:
    """The task to be resolved, and what the decision will do.

    Raises:
        InvalidDecision: the task's outcome is known, so there is nothing to confirm. A task
            that GeekAI reports finished and gave no link for may be attached.
    """
    if task.status not in UNRESOLVED and not (arguments.attach and has_no_link(task)):
        msg = f"The task is {task.status.value}; only an unknown outcome can be resolved"
        raise InvalidDecision(msg)
    sent = f", sent {format_time(task.submitted_at)}" if task.submitted_at else ""
    prompt = plain_unlimited(task.prompt)
    return [
        f"Task {task.id}",
        f"{GAP}{task.status.value}{sent}, {plain_unlimited(task.model)}",
        *(f"{GAP}{line}" for line in wrap_text(prompt, width - len(GAP))),
        "",
        *_describe_consequence(arguments),
    ]


def _describe_consequence(arguments: argparse.Namespace) -> list[str]:
    if arguments.attach is not None:
        provider_id = quote(arguments.attach, limit=64)
        return [
            f"This task will be linked to GeekAI task {provider_id}, if GeekAI knows it,",
            "and downloaded when finished. Nothing new is generated.",
        ]
    if arguments.abandon:
        return [f"The task will be marked abandoned and no longer polled. {MAYBE_CHARGED}"]
    return [
        "The task will be marked abandoned, and the same request sent again as a new task.",
        f"{MAYBE_CHARGED} The new task may be charged a second time.",
    ]


async def resolve_task(settings: "Settings", task: Task, arguments: argparse.Namespace) -> int:
    """Apply the decision and print its outcome; returns the exit status."""
    from geekai_video_mcp.app import open_app

    # Without a sweep: other tasks are left to the servers.
    async with open_app(settings, sweep=False) as app:
        # Caught inside: the sandbox's task group would wrap the error in an exception group.
        try:
            return await _apply_decision(app.resolver, task, arguments)
        except GeekAIVideoError as exc:
            print_for_person(exc.message)
            return FAILED


async def _apply_decision(resolver: "Resolver", task: Task, arguments: argparse.Namespace) -> int:
    if arguments.attach is not None:
        return _print_outcome(await resolver.attach(task.id, arguments.attach), "Attached")
    if arguments.abandon:
        await resolver.abandon(task.id)
        print_line("Marked as abandoned.")
        return OK
    resubmitted = await resolver.supersede(task.id)
    print_line(
        f"Resubmitted as task {resubmitted.id}. Waiting up to 7 minutes for GeekAI's response ..."
    )
    return _print_outcome(await resolver.send(resubmitted), "Accepted")


def _print_outcome(task: Task, verb: str) -> int:
    if task.status in POLLED | {Status.SUCCEED}:
        provider_id = quote(task.provider_task_id or "", limit=64)
        print_line(f"{verb}: GeekAI's task {provider_id} is {task.status.value}.")
        print_line("A server running with the same settings will download it. Check its status:")
        print_line(f"{GAP}{tasks_command(task.tenant)} show {short_id(task.id)}")
        return OK
    reason = for_person(task.error_message or "no reason was given")
    print_line(f"{task.status.value}: {plain_unlimited(reason)}")
    return FAILED
