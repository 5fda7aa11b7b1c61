"""One request of a person: what it costs, whether they agree, and what becomes of it.

Money moves in the engine alone; this decides only whether the engine is asked. Whatever ends a
command, it says whether something was charged, and how to come back to a task that goes on.
"""

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import anyio

from geekai_video_mcp.cli.following import follow_task, show_task
from geekai_video_mcp.cli.interruption import Interruption, interruptible
from geekai_video_mcp.cli.live import Display, show_live
from geekai_video_mcp.cli.outcome import (
    Outcome,
    print_error,
    print_outcome,
    print_warnings,
    print_wrapped,
)
from geekai_video_mcp.cli.output import (
    OK,
    json_line,
    notice_width,
    print_line,
    print_notice,
    terminal_width,
)
from geekai_video_mcp.cli.plan import (
    Plan,
    describe_dry_run,
    describe_plan,
    describe_repeat,
    make_plan,
)
from geekai_video_mcp.domain.statuses import UNSENT, Status
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.tenants import tasks_command
from geekai_video_mcp.early_interrupt import INTERRUPTED, NOTHING_SENT
from geekai_video_mcp.engine.drain import DRAIN_TIMEOUT
from geekai_video_mcp.errors import (
    NOT_CHARGED,
    ConsentNotGiven,
    GeekAIVideoError,
    first_own_error,
    nothing_charged,
)

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from geekai_video_mcp.app import App
    from geekai_video_mcp.config import Settings
    from geekai_video_mcp.domain.tasks import Task
    from geekai_video_mcp.server.arguments import Generate

T = TypeVar("T")

QUESTION = "Send it? Type yes to continue: "


class RequestOptions(NamedTuple):
    """How the command goes about it."""

    wait: bool
    yes: bool
    dry_run: bool
    as_json: bool
    opens: bool


def run_in_loop(job: Callable[[], Awaitable[T]]) -> T:
    """What *job* returns; an error of ours comes without the groups of the tasks around it."""
    try:
        return anyio.run(job)
    except BaseExceptionGroup as exc:
        own_error = first_own_error(exc)
        if own_error is None:
            raise
        raise own_error from exc


class RequestCommand:
    """A request, from its arguments to the exit status."""

    def __init__(
        self,
        settings: "Settings",
        args: "Generate",
        folders: Sequence[Path],
        options: RequestOptions,
    ) -> None:
        self._settings = settings
        self._args = args
        self._folders = folders
        self._options = options
        self._plan: Plan | None = None
        self._submitted = False
        """Whether the engine was asked to send it."""
        self._task: Task | None = None
        """As it was last seen: of this request, or of the earlier one that it repeats."""
        self._deduplicated = False

    def run(self) -> int:
        """Plan the request, ask, send it and wait for it; returns the exit status."""
        options = self._options
        try:
            begun = run_in_loop(self._plan_and_go_on)
            if isinstance(begun, Outcome):
                return print_outcome(begun, as_json=options.as_json, opens=options.opens)
            if options.dry_run:
                return _print_dry_run(begun, as_json=options.as_json)
            _require_consent(begun)
            outcome = run_in_loop(lambda: self._go_on(begun))
            return print_outcome(outcome, as_json=options.as_json, opens=options.opens)
        except GeekAIVideoError as exc:
            return self._print_error(exc)
        except KeyboardInterrupt:
            return self._print_interrupted()

    async def _plan_and_go_on(self) -> Plan | Outcome:
        """The plan, for a person to agree to; or what became of it where nobody is asked.

        A person is not asked in here: they may think for minutes, and nothing would go on.
        """
        with interruptible() as interruption:
            async with self._open_app() as app:
                with interruption.scope:
                    with nothing_charged():
                        plan = self._plan = await make_plan(app, self._args, self._folders)
                    if self._options.dry_run:
                        return plan
                    if plan.forecast.refused is not None:
                        raise plan.forecast.refused
                    if plan.may_be_paid and not self._options.yes:
                        return plan
                    _print_beforehand(plan)
                    return await self._carry_out(app, plan)
                return await self._stop(app, interruption)

    async def _go_on(self, plan: Plan) -> Outcome:
        """Carry out what a person has agreed to; the plan was made by an engine that is closed."""
        with interruptible() as interruption:
            async with self._open_app() as app:
                with interruption.scope:
                    return await self._carry_out(app, plan)
                return await self._stop(app, interruption)

    def _open_app(self) -> "AbstractAsyncContextManager[App]":
        from geekai_video_mcp.app import open_app

        # Without a sweep: other tasks are left to the servers.
        return open_app(self._settings, sweep=False)

    async def _carry_out(self, app: "App", plan: Plan) -> Outcome:
        with show_live(plan.prompt) as display:
            task = self._task = await self._submit(app, plan, display)
            is_over = self._has_ended if self._options.wait else self._is_answered
            task = await follow_task(app, task, display, may_send=True, is_over=is_over)
            await app.engine.mark_delivered(task)
            return await self._describe(app, plan, task)

    async def _submit(self, app: "App", plan: Plan, display: Display) -> "Task":
        """The task of the request; of one that was sent before, without asking the engine."""
        earlier = plan.forecast.duplicate_of
        if earlier is not None:
            self._deduplicated = True
            return await app.engine.get_local(earlier.id)
        # Since now: the question may have been open for long.
        show_task(app, replace(plan.forecast.task, created_at=app.clock()), display)
        self._submitted = True
        task, self._deduplicated = await app.engine.submit(
            plan.prepared.request,
            idempotency_key=self._args.idempotency_key,
            variation=self._args.variation,
            # A task of this id is the one that was agreed to, and there is no second.
            task_id=plan.forecast.task.id,
        )
        return task

    def _has_ended(self, task: "Task") -> bool:
        self._task = task
        return task.settled

    def _is_answered(self, task: "Task") -> bool:
        self._task = task
        return task.status not in UNSENT or task.status is Status.WAITING

    async def _stop(self, app: "App", interruption: Interruption) -> Outcome:
        """What becomes of it after a signal; what is under way is finished first."""
        plan, task = self._plan, self._task
        if self._submitted and not self._deduplicated and plan is not None:
            if task is None or task.status in UNSENT:
                print_wrapped(
                    f"Stopping. If the request is under way, its answer is waited for, up to"
                    f" {DRAIN_TIMEOUT:.0f} s."
                )
            task = await app.engine.withdraw(plan.forecast.task.id)
        elif task is not None:
            task = await app.engine.get_local(task.id)
        if task is None or plan is None:
            return Outcome(None, {"task_id": None}, interruption.status)
        described = await self._describe(app, plan, task)
        return described._replace(interrupted=interruption.status)

    async def _describe(self, app: "App", plan: Plan, task: "Task") -> Outcome:
        from geekai_video_mcp.server.results import Request, report_request, request_structure

        report = await report_request(
            app,
            task,
            warnings=plan.prepared.warnings,
            request=Request(self._deduplicated, plan.prepared.sent_settings),
        )
        return Outcome(report, request_structure(report), said=plan.prepared.warnings)

    def _print_error(self, error: GeekAIVideoError) -> int:
        if not self._submitted:
            error.money = error.money or NOT_CHARGED
        status = print_error(error, as_json=self._options.as_json)
        if self._task is not None:
            self._print_way_to_look(self._task)
        return status

    def _print_interrupted(self) -> int:
        """After Ctrl-C at the question, or once the end of the task is known."""
        if not self._submitted:
            print_notice(f"\n{NOTHING_SENT}")
        elif self._task is not None:
            self._print_way_to_look(self._task)
        return INTERRUPTED

    def _print_way_to_look(self, task: "Task") -> None:
        command = tasks_command(self._settings.tenant)
        print_notice(f"To look at it: {command} show {short_id(task.id)}")


def _print_beforehand(plan: Plan) -> None:
    """Say what would be paid, what to know of it, and whether it repeats an earlier request."""
    if plan.may_be_paid:
        for line in describe_plan(plan, width=notice_width()):
            print_notice(line)
    print_warnings(plan.prepared.warnings)
    if repeat := describe_repeat(plan):
        print_wrapped(repeat)


def _print_dry_run(plan: Plan, *, as_json: bool) -> int:
    if as_json:
        from geekai_video_mcp.server.results import dump

        print_line(json_line(dump(plan.result)))
        return OK
    print_warnings(plan.prepared.warnings)
    for line in describe_dry_run(plan, width=terminal_width()):
        print_line(line)
    return OK


def _require_consent(plan: Plan) -> None:
    """Show what would be paid, and ask.

    Raises:
        ConsentNotGiven: the person does not agree, or there is no terminal to ask them at.
    """
    _print_beforehand(plan)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConsentNotGiven(
            "There is no terminal here at which you could be asked, so nothing was sent",
            remedy="With --yes it is sent without a question",
        )
    sys.stderr.write(QUESTION)
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"yes", "y"}:
        raise ConsentNotGiven("Nothing was sent", remedy="The same command asks again")
