"""Checks a request against the facts about its model, before it can cost anything. Pure.

What means the same is written as the model takes it. What GeekAI documents as not supported is
refused, and so is what the maker documents as ignored; `checks="warn"` makes warnings of the
latter. Observations and guesses warn, and the request is sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from geekai_video_mcp.domain.catalogue.alternatives import describe_alternatives
from geekai_video_mcp.domain.catalogue.availability import LiveModel, availability
from geekai_video_mcp.domain.catalogue.facts import models
from geekai_video_mcp.domain.catalogue.finding import Finding
from geekai_video_mcp.domain.catalogue.findings import find_problems
from geekai_video_mcp.domain.catalogue.translation import translate
from geekai_video_mcp.domain.limits import Checks
from geekai_video_mcp.domain.service_names import SANDBOX_MODEL
from geekai_video_mcp.errors import RequestRefused

RETRIES_WARNING: Final = (
    "retries lets GeekAI attempt a failed generation again, which may cost more"
)


@dataclass(frozen=True, kw_only=True)
class CheckedRequest:
    """A request as it is to be sent, and the warnings for its caller."""

    body: dict[str, Any]
    warnings: tuple[str, ...] = ()


def with_general_warnings(request: Mapping[str, Any]) -> CheckedRequest:
    """The request unchanged, with the warnings that apply to every model."""
    return CheckedRequest(
        body=dict(request), warnings=(RETRIES_WARNING,) if request.get("retries") else ()
    )


def in_words_of_model(request: Mapping[str, Any]) -> dict[str, Any]:
    """The body that `check_request` sends, whatever speaks against it."""
    model = models().get(str(request["model"]))
    return dict(request) if model is None else translate(request, model).body


def check_request(
    request: Mapping[str, Any],
    *,
    live: Mapping[str, LiveModel] | None = None,
    checks: Checks = "refuse",
    rehearsed: str | None = None,
) -> CheckedRequest:
    """The request to send in place of *request*.

    *live* holds the video models that the service listed within the last hour; None if it did not.
    *rehearsed* is the model that a request to the sandbox's own model would go to with a key: what
    would be refused then is a warning.

    Raises:
        RequestRefused: its model does not support it.
    """
    name = str(request["model"])
    if name == SANDBOX_MODEL:
        return CheckedRequest(body=dict(request), warnings=_rehearse(request, rehearsed, checks))
    general = with_general_warnings(request).warnings
    model = models().get(name)
    if model is None:
        return CheckedRequest(body=dict(request), warnings=general)
    translation = translate(request, model)
    body = translation.body
    findings = [
        *translation.findings,
        *find_problems(body, model, judged=translation.judged),
    ]
    refused = [one for one in findings if _refuses(one, checks)]
    if refused:
        others = describe_alternatives(request, live)
        raise RequestRefused(_refusal(refused, others), code="not_taken")
    status = availability(name, live)
    warnings = [
        *general,
        *([f"{name} is {status}"] if status else []),
        *translation.notes,
        *map(_warning, findings),
    ]
    return CheckedRequest(body=body, warnings=tuple(dict.fromkeys(warnings)))


def _rehearse(request: Mapping[str, Any], model: str | None, checks: Checks) -> tuple[str, ...]:
    """What the model would refuse with a key, as a warning."""
    if model is None or model not in models():
        return ()
    try:
        check_request({**request, "model": model}, checks=checks)
    except RequestRefused as exc:
        return (f"with a key, the default model {model} would refuse this: {exc.reason}",)
    return ()


def _refuses(finding: Finding, checks: Checks) -> bool:
    return finding.certainty == "geekai" or (finding.certainty == "maker" and checks == "refuse")


def _refusal(findings: Sequence[Finding], others: str) -> str:
    """What is wrong, what to do instead, and which model can make it all."""
    problems = "; ".join(dict.fromkeys(map(_with_source, findings)))
    elsewhere = f" All of it can be made by {others}." if others else ""
    by_maker = all(finding.certainty == "maker" for finding in findings)
    setting = " The operator's GEEKAI_CHECKS=warn would send it with a warning."
    return f"{problems}.{elsewhere}{setting if by_maker else ''}"


def _warning(finding: Finding) -> str:
    charged = ", so it may be ignored and still charged" if finding.ignored else ""
    return _with_source(finding, charged)


def _with_source(finding: Finding, charged: str = "") -> str:
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    return f"{finding.problem}{charged}{remedy} ({finding.source})"
