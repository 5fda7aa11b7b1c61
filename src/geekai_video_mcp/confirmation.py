"""Consent before paying: asked of a person, by the client, where the operator wants it.

The question holds what would be sent and what it costs. In the new protocol it is the answer
to the call, and the call comes again with the reply: the SDK seals what we give along and
binds it to these arguments, and what we give is the id that the new task will bear. So a
reply is good for this one request, and a reply sent again finds the task it has made. In the
old protocol the question is a request in the middle of the call.
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

from geekai_video_mcp import views
from geekai_video_mcp.admission import Forecast
from geekai_video_mcp.errors import ConsentNotGiven

INPUT_REQUIRED_SINCE: Final = "2026-07-28"
"""The first revision in which a question is the answer to a call."""
ANSWER_TIMEOUT: Final = 600.0
"""Seconds for a person to answer; as long as the SDK's seal is good in the new protocol."""
INPUT_KEY: Final = "consent"
MAY_COST_MORE: Final = ("retries", "extra_body", "n")
"""Fields by which a request may cost more than its list price."""
EMPTY_FORM: Final[ElicitRequestedSchema] = {"type": "object", "properties": {}}
"""An empty form: to accept it is the answer."""


async def request_consent(
    ctx: "Context[Any]", forecast: Forecast, warnings: Sequence[str], *, above: float
) -> str | InputRequiredResult:
    """The id of the task that may be paid for; or the question, which the client must put.

    Raises:
        CapReached: nothing may be paid for now, so nobody is asked.
        ConsentNotGiven: the person did not agree, or this client cannot ask.
    """
    if forecast.refused is not None:
        raise forecast.refused
    if forecast.duplicate_of is not None:  # by its id, or a new one might be made unasked
        return forecast.duplicate_of.id
    view = views.dry_run(forecast, sandbox=False, warnings=warnings).dry_run
    if view is None or not _needs_confirmation(view, above=above):
        return forecast.task.id
    if not _can_elicit(ctx):
        raise ConsentNotGiven(
            f"GEEKAI_CONFIRM={policy_text(above)} asks a person before this is paid for, and this"
            " client cannot ask (MCP elicitation)",
            remedy="Tell the user: dry_run shows the price, another client may ask, and whoever"
            " configures the server can change GEEKAI_CONFIRM",
        )
    question = ElicitRequestFormParams(
        message=views.consent_text(forecast, view), requested_schema=EMPTY_FORM
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
    """The operator's word for it."""
    return "always" if above < 0 else f"above:{above:g}"


def _needs_confirmation(view: views.DryRunView, *, above: float) -> bool:
    """Whether it may cost more than *above*, by all that is known."""
    cost = view.cost_cny
    if cost is None or cost > above:
        return True
    return cost > 0 and any(view.request.get(name) for name in MAY_COST_MORE)


def _can_elicit(ctx: "Context[Any]") -> bool:
    elicitation = ctx.client_capabilities and ctx.client_capabilities.elicitation
    if not elicitation or (elicitation.form is None and elicitation.url is not None):
        return False
    return (
        is_version_at_least(str(ctx.protocol_version), INPUT_REQUIRED_SINCE)
        or ctx.session.can_send_request
    )


def _read_consent_reply(
    ctx: "Context[Any]", forecast: Forecast, question: ElicitRequestFormParams
) -> str | InputRequiredResult:
    """The id that was agreed to; the question, if this call does not answer it."""
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
    """Go on only from a yes.

    Raises:
        ConsentNotGiven: it is none.
    """
    action = answer.action if isinstance(answer, ElicitResult) else None
    if action == "accept":
        return
    reason = "The user declined" if action == "decline" else "The user did not answer the question"
    raise ConsentNotGiven(reason, remedy="Ask the user what to change before you call again")
