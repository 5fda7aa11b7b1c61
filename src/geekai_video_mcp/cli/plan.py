"""What a paid request would do, as a person sees it before they agree: model, seconds, price, caps.

Making the plan costs nothing, sends nothing and records nothing.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from geekai_video_mcp.cli.table import key_value_lines
from geekai_video_mcp.config import SANDBOX_URL
from geekai_video_mcp.domain.admission import Forecast
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.errors import NOT_CHARGED
from geekai_video_mcp.quoting import sanitize
from geekai_video_mcp.server import views
from geekai_video_mcp.server.request_checks import PreparedRequest, prepare_request
from geekai_video_mcp.server.views.dry_run import caps_left
from geekai_video_mcp.server.views.settings import settings_text

if TYPE_CHECKING:
    from geekai_video_mcp.app import App
    from geekai_video_mcp.server.arguments import Generate
    from geekai_video_mcp.server.views.tasks import DryRunView

_SHOWN_ELSEWHERE = frozenset({"prompt", "model", "async", "duration"})
"""What has a line of its own."""


class Plan(NamedTuple):
    """A request that is ready to be sent, and what would become of it."""

    prepared: PreparedRequest
    forecast: Forecast
    result: "views.Generation"
    """That of the tool's dry run."""
    sandbox: bool
    """Whether it costs nothing, because nothing is generated."""

    @property
    def prompt(self) -> str:
        return self.forecast.task.prompt

    @property
    def may_be_paid(self) -> bool:
        """Whether going on may cost money: not in the sandbox, and not for what was sent before."""
        earlier = self.forecast.duplicate_of
        unsent = earlier is None or earlier.status in {Status.INTENDED, Status.WAITING}
        return unsent and not self.sandbox

    @property
    def other_take(self) -> str:
        """The option by which the same request is a new one."""
        if self.forecast.task.idempotency_key is not None:
            return "a new --idempotency-key"
        return f"--variation {(self.forecast.task.variation or 1) + 1}"


async def make_plan(app: "App", args: "Generate", folders: Sequence[Path]) -> Plan:
    """Prepare the request, and look what would become of it; files are read from *folders* too.

    Raises:
        GeekAIVideoError: it cannot be sent; it says that nothing was charged.
    """

    async def list_folders() -> Sequence[Path]:
        return folders

    prepared = await prepare_request(app, args, list_roots=list_folders)
    forecast = await app.engine.forecast(
        prepared.request, idempotency_key=args.idempotency_key, variation=args.variation
    )
    sandbox = app.engine.account == SANDBOX_URL
    result = views.dry_run(
        forecast,
        default_model=app.default_models[args.media],
        sandbox=sandbox,
        warnings=prepared.warnings,
    )
    return Plan(prepared, forecast, result, sandbox)


def describe_plan(plan: Plan, *, width: int) -> list[str]:
    """The request, its price and what the caps leave, in lines."""
    view = plan.result.dry_run
    return key_value_lines(list(_rows(plan, view)) if view else [], width=width)


def _rows(plan: Plan, view: "DryRunView") -> Iterator[tuple[str, str]]:
    task = plan.forecast.task
    yield "prompt", sanitize(plan.prompt)
    yield "model", sanitize(task.model)
    if task.media is Media.VIDEO:
        seconds = task.request.get("duration")
        yield "seconds", "as the model makes them" if seconds is None else f"{seconds}"
    others = {name: each for name, each in view.request.items() if name not in _SHOWN_ELSEWHERE}
    if settings := settings_text(others):
        yield "settings", settings
    if view.waiting_for:
        yield "waits for", ", ".join(map(short_id, view.waiting_for))
    yield "price", view.price
    if left := caps_left(view):
        yield "caps leave", ", ".join(left)
    if plan.forecast.refused is not None:
        yield "refused", f"{plan.forecast.refused.reason} {plan.forecast.refused.remedy}"


def describe_repeat(plan: Plan) -> str | None:
    """That the request repeats an earlier one, and how it would be a new one; None if it is new."""
    earlier = plan.forecast.duplicate_of
    if earlier is None:
        return None
    unsent = earlier.status in {Status.INTENDED, Status.WAITING}
    then = "which is recorded and not sent yet" if unsent else "so nothing new is sent"
    return (
        f"This is the same request as task {short_id(earlier.id)}, {then}. For another take:"
        f" {plan.other_take}"
    )


def describe_dry_run(plan: Plan, *, width: int) -> list[str]:
    """The plan, and that this was all."""
    repeat = describe_repeat(plan)
    return [
        *describe_plan(plan, width=width),
        *([repeat] if repeat else []),
        f"Nothing was sent. {NOT_CHARGED}",
    ]
