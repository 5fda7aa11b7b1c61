"""The user's approval of a paid request, by MCP elicitation, if GEEKAI_CONFIRM requires it.

The question says what would be sent and what it costs. From revision 2026-07-28 on, the server
returns the question as the result of the call (`InputRequiredResult`), and the client repeats
the call with the user's reply. The SDK seals the state that we return with the question and
binds it to the arguments of the call; our state contains the id that the new task will have. So
a reply is valid for this one request only, and a reply that is sent twice finds the task that
the first one created. In earlier revisions the question is a request in the middle of the call.
"""

from collections.abc import Sequence
from typing import Any, Final

import anyio
from mcp.server.mcpserver import Context
from mcp_types import (
    ElicitRequest,
    ElicitRequestedSchema,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
)
from mcp_types.version import is_version_at_least

from geekai_video_mcp.domain.admission import Forecast
from geekai_video_mcp.domain.catalogue import may_cost_more
from geekai_video_mcp.errors import ConsentNotGiven
from geekai_video_mcp.quoting import quote_unless_id
from geekai_video_mcp.server import views
from geekai_video_mcp.server.views.next_steps import MEDIA_NOUN

INPUT_REQUIRED_SINCE: Final = "2026-07-28"
"""The first protocol revision in which a tool call may return `InputRequiredResult`."""
ANSWER_TIMEOUT: Final = 600.0
"""Seconds the user has to answer; the SDK's sealed state is valid as long."""
INPUT_KEY: Final = "consent"
APPROVAL_FIELD: Final = "approve"
"""The one field of the form, which has to be true: some hosts accept an empty form by
themselves, without asking anybody (Codex 0.171, read 2026-11-26)."""


async def request_consent(
    ctx: "Context[Any]", forecast: Forecast, warnings: Sequence[str], *, above: float
) -> str | InputRequiredResult:
    """Return the id of the task that may be paid for, or the question for the client to ask.

    Raises:
        CapReached: no paid request is allowed now, so the user is not asked.
        ConsentNotGiven: the user did not approve, or cannot be asked.
    """
    if forecast.refused is not None:
        raise forecast.refused
    if forecast.duplicate_of is not None:
        # A new id could create a task without approval.
        return forecast.duplicate_of.id
    view = views.dry_run(
        forecast, default_model=forecast.task.model, sandbox=False, warnings=warnings
    ).dry_run
    if view is None or not _needs_confirmation(view, above=above):
        return forecast.task.id
    if (obstacle := _find_obstacle(ctx)) is not None:
        raise ConsentNotGiven(
            f"GEEKAI_CONFIRM={policy_text(above)} requires the user's approval before a paid"
            f" request, and {obstacle}",
            remedy="Tell the user: dry_run shows the price; to approve requests, use a client"
            " that supports elicitation, or have the operator change GEEKAI_CONFIRM",
        )
    question = ElicitRequestFormParams(
        message=views.consent_text(forecast, view), requested_schema=_approval_form(forecast, view)
    )
    if is_version_at_least(str(ctx.protocol_version), INPUT_REQUIRED_SINCE):
        return _read_consent_reply(ctx, forecast, question)
    reply = None
    with anyio.move_on_after(ANSWER_TIMEOUT):
        reply = await ctx.session.elicit_form(
            question.message, question.requested_schema, ctx.request_context.request_id
        )
    _require_acceptance(reply)
    return forecast.task.id


def policy_text(above: float) -> str:
    """The value of GEEKAI_CONFIRM that sets this limit."""
    return "always" if above < 0 else f"above:{above:g}"


def _approval_form(forecast: Forecast, view: views.DryRunView) -> ElicitRequestedSchema:
    """A form that cannot be accepted by accident: one required boolean, without a default."""
    task = forecast.task
    noun, model = MEDIA_NOUN[task.media], quote_unless_id(task.model)
    field = {
        "type": "boolean",
        "title": "Approve this paid request",
        "description": f"Yes: request {noun} from {model}. {view.price}"
        " No: nothing is sent and nothing is charged.",
    }
    return {"type": "object", "properties": {APPROVAL_FIELD: field}, "required": [APPROVAL_FIELD]}


def _needs_confirmation(view: views.DryRunView, *, above: float) -> bool:
    """Whether the request may cost more than *above* CNY; an unknown price counts as more."""
    cost = view.cost_cny
    if cost is None or cost > above:
        return True
    return cost > 0 and bool(may_cost_more(view.request))


def _find_obstacle(ctx: "Context[Any]") -> str | None:
    """Why the user cannot be asked, as the end of a sentence; None if that is possible."""
    stateless = is_version_at_least(str(ctx.protocol_version), INPUT_REQUIRED_SINCE)
    if not stateless and not ctx.session.can_send_request:
        return (
            "over this connection they cannot be asked: before protocol revision"
            f" {INPUT_REQUIRED_SINCE} a question needs a session whose events the client reads"
        )
    elicitation = ctx.client_capabilities and ctx.client_capabilities.elicitation
    if not elicitation or (elicitation.form is None and elicitation.url is not None):
        return "this client does not support MCP elicitation"
    return None


def _read_consent_reply(
    ctx: "Context[Any]", forecast: Forecast, question: ElicitRequestFormParams
) -> str | InputRequiredResult:
    """The task id that the user approved, or the question if this call has no reply to it."""
    task, answer = forecast.task, (ctx.input_responses or {}).get(INPUT_KEY)
    fingerprint, _, task_id = (ctx.request_state or "").partition(" ")
    if answer is None or fingerprint != task.fingerprint:
        return InputRequiredResult(
            input_requests={INPUT_KEY: ElicitRequest(params=question)},
            request_state=f"{task.fingerprint} {task.id}",
        )
    _require_acceptance(answer)
    return task_id


def _require_acceptance(answer: object) -> None:
    """Return only if the user accepted, and the form says so.

    Raises:
        ConsentNotGiven: the user or the client declined, or did not answer.
    """
    action = answer.action if isinstance(answer, ElicitResult) else None
    content = (answer.content if isinstance(answer, ElicitResult) else None) or {}
    if action == "accept" and content.get(APPROVAL_FIELD) is True:
        return
    declined, form = "The user or their client declined", ""
    if action == "accept":
        form = (
            f"The form came back without {APPROVAL_FIELD}: true, which alone approves the request. "
        )
    elif action != "decline":
        declined = "The user did not answer the question"
    raise ConsentNotGiven(
        declined, remedy=f"{form}Ask the user what to change before you call again"
    )
