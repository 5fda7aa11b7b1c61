"""GeekAI's JSON: written exactly as documented, read tolerantly. Pure functions of bytes.

Requests have every documented field in its documented spelling. Responses are not trusted:
unknown fields are ignored, and known fields may have any type and place observed in practice. An
answer that is not understood is kept and shown, and never becomes a verdict by itself.

How a contradictory answer about a task is read:

* `pending` and `running` with a link: not finished; the link may be of something unfinished.
* `failed` with a link: failed, and the answer is kept for a person.
* `succeed` with an `error` and a link: finished; the link is what was paid for.
* `succeed` with an `error` and no link: failed, for the reason that it gives.
* `succeed` without either: not finished yet (`Observation.no_link`), for some gateways report
  success before they have the link.
* An unheard-of word: a link means finished, an `error` failed; otherwise it runs.
* No word at all: a link means finished; an `error` is about the call, and says nothing of the task.

Sources, read 2026-11-22: docs.geekai.co/en/api/video/create (the request and the response),
docs.geekai.co/cn/docs/video/txt2video.md (GET /videos/{task_id}, `video_result` as array),
docs.geekai.co/cn/api/image/generations and /image/result (images, whose result is `data`),
docs.geekai.co/en/docs/rate_limits (blank keep-alive lines, the five-minute cut) and
docs.geekai.co/en/docs/error_codes (status codes, `error {code, message}`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final, NoReturn, TypeVar

from pydantic import ValidationError

from geekai_video_mcp.domain import moderation
from geekai_video_mcp.domain.catalogue import LiveModel
from geekai_video_mcp.domain.statuses import POLLED, Status
from geekai_video_mcp.domain.tasks import Observation
from geekai_video_mcp.errors import (
    RATE_LIMITED,
    GeekAIVideoError,
    NotAuthorised,
    RequestRefused,
    ServiceUnavailable,
    SubmissionUnknown,
    TaskNotFound,
    WrongService,
)
from geekai_video_mcp.provider.wire.answers import Answer
from geekai_video_mcp.provider.wire.bodies import find_task_id
from geekai_video_mcp.provider.wire.provider_response import (
    RAW_RESPONSE_LIMIT,
    ProviderResponse,
    reason_suffix,
)
from geekai_video_mcp.provider.wire.responses import ModelEntry, ModelsResponse
from geekai_video_mcp.quoting import (
    as_sentence,
    quote,
    quote_unless_id,
    sanitize,
)

__all__ = [
    "RAW_RESPONSE_LIMIT",
    "REDIRECT_STATUSES",
    "REFUSED_STATUSES",
    "ModelsPage",
    "ProviderResponse",
    "is_api_response",
    "parse_create_response",
    "parse_models_response",
    "parse_task_response",
]


@dataclass(frozen=True, kw_only=True)
class ModelsPage:
    """A page of the service's models; `total` counts all pages, None if it is not given."""

    models: tuple[LiveModel, ...]
    total: int | None = None


_Error = TypeVar("_Error", bound=GeekAIVideoError)

REFUSED_STATUSES: Final = frozenset(
    {400, 404, 405, 409, 410, 411, 412, 413, 414, 415, 417, 421, 422, 423, 425, 426, 428, 431, 451}
)
"""HTTP statuses of requests that were refused before anything was executed.

Not among them, because the request may have been executed: 406 (a framework sends it when it
cannot write the answer), 408, 424 (a step behind the service failed), 499 and every 5xx."""
REDIRECT_STATUSES: Final = range(300, 400)
"""Refused as well: a POST never follows a redirect, which could send the body anywhere."""
REFUSAL_CODES: Final[Mapping[str, int]] = {
    **{str(code): code for code in (400, 401, 402, 403, 404, 413, 415, 422)},
    "validation_error": 400,
    "unauthorized": 401,
}
"""Codes of an error in a body with HTTP 200, and the HTTP status that each is documented with.
`invalid_request` is not among them: it has been seen with HTTP 500."""

_NOT_AUTHORISED: Final = {
    401: "refused the key",
    402: "reports that the balance is too low",
    403: "denied this key the permission",
}
_ROUTE_MISSING: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})
_OTHER_REGION: Final[Mapping[str, str]] = {"geekai.co": "geekai.dev", "geekai.dev": "geekai.co"}
"""The hosts of one API, in China and overseas (read 2026-11-22)."""


def _remedy(response: ProviderResponse) -> str:
    """What the operator has to do about a refused key, balance or permission."""
    if response.status_code == HTTPStatus.PAYMENT_REQUIRED:
        return (
            f"The operator has to top up the account of this key at https://{response.host}; then"
            " the same call works. cogvideox-flash and cogview-3-flash are free."
        )
    if response.status_code == HTTPStatus.FORBIDDEN:
        return (
            "The operator has to check the permissions of this key in the console at"
            f" https://{response.host}."
        )
    other = _OTHER_REGION.get(response.host)
    service_hint = (
        f" This server uses {response.host}. If the key is from {other}, set"
        f" GEEKAI_BASE_URL=https://{other}/api/v1."
        if other
        else f" GEEKAI_BASE_URL points to {response.host}; the key must belong to that service."
    )
    return f"The operator has to set a valid GEEKAI_API_KEY and restart the server.{service_hint}"


def is_api_response(response: ProviderResponse) -> bool:
    """Whether it can only come from GeekAI's API: a task, a list, or an `error` object."""
    if response.has_api_error:
        return True
    answer, payload = response.answer, response.payload or {}
    listed = isinstance(payload.get("data"), list)
    return (
        response.ok and answer is not None and bool(answer.task_id or answer.documented or listed)
    )


def parse_create_response(response: ProviderResponse) -> Observation:
    """Interpret the response to a POST to /videos/generations or /images/generations.

    Raises:
        RequestRefused: a status of `REFUSED_STATUSES`, or a code of `REFUSAL_CODES`; nothing was
            charged.
        NotAuthorised: 401, 402 or 403; nothing was charged.
        WrongService: no such path, a redirect, or a web page before the API ever answered; not
            charged.
        ServiceUnavailable: 407 or 429; it was not executed, nothing was charged.
        SubmissionUnknown: anything else but a usable 2xx; it may have been charged.
    """
    if not response.ok:
        _raise_if_refused(response)
        problem = f"{response.service} answered the request with {response.status_text}"
        raise _keep_response(SubmissionUnknown(f"{problem}{reason_suffix(response)}."), response)
    answer = response.answer
    if answer is None:
        return _observe_damaged_response(response)
    observation = _to_observation(answer, response)
    if observation.provider_task_id is None and observation.status in POLLED:
        code = (answer.error_code or answer.code or "").lower()
        if code in REFUSAL_CODES:
            _raise_if_refused(
                replace(response, status_code=REFUSAL_CODES[code], in_body_of=response.status_code)
            )
        problem = f"{response.service} accepted the request but returned no task id"
        raise _keep_response(SubmissionUnknown(f"{problem}{reason_suffix(response)}."), response)
    return observation


def _observe_damaged_response(response: ProviderResponse) -> Observation:
    """A task whose id can still be read in a response that broke off or is damaged.

    Raises:
        WrongService: it is a web page, and GeekAI's API has never answered.
        SubmissionUnknown: it has no id.
    """
    if response.is_page and not response.api_seen:
        raise _wrong_service(response)
    task_id = find_task_id(response.body)
    if task_id is None:
        problem = f"{response.service} accepted the request, but its response could not be read"
        raise _keep_response(SubmissionUnknown(f"{problem}{reason_suffix(response)}."), response)
    return Observation(
        status=Status.PENDING,
        at=response.at,
        provider_task_id=task_id,
        raw_response=response.raw_excerpt,
        stall_reason=f"{response.service}'s response could only be read up to its task id.",
    )


def _raise_if_refused(response: ProviderResponse) -> None:
    code, reason = response.status_code, reason_suffix(response)
    if _is_wrong_service(response):
        raise _wrong_service(response)
    if code in _NOT_AUTHORISED:
        _raise_not_authorised(response)
    if code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        raise _keep_response(_proxy_error(response), response)
    if code in REFUSED_STATUSES or code in REDIRECT_STATUSES:
        error_code = (response.answer.error_code if response.answer else None) or str(code)
        status = f"{response.status_text}{_size_note(response)}"
        msg = f"{response.service} refused the request with {status}{reason}"
        advice = moderation.advice(error_code)
        msg = f"{as_sentence(msg)} {advice}" if advice else msg
        raise _keep_response(RequestRefused(msg, code=error_code), response)
    if code == HTTPStatus.TOO_MANY_REQUESTS:
        limited = ServiceUnavailable(
            f"{response.service} is limiting the rate of requests ({response.status_text}){reason}",
            code=RATE_LIMITED,
            retry_after_seconds=response.retry_after_seconds,
        )
        raise _keep_response(limited, response)


def _is_wrong_service(response: ProviderResponse) -> bool:
    """Whether a refusal shows that the address is not GeekAI's API.

    The API has every path that is requested, says `error` in JSON when it refuses one, and
    redirects none.
    """
    if response.status_code in _ROUTE_MISSING or response.status_code in REDIRECT_STATUSES:
        return not response.has_api_error
    refused = response.status_code in REFUSED_STATUSES | _NOT_AUTHORISED.keys()
    return refused and response.is_page and not response.api_seen


def _wrong_service(response: ProviderResponse) -> WrongService:
    to = response.redirect_host
    where = f", a redirect to {quote(to, limit=100)}" if to else reason_suffix(response)
    problem = f"{response.host} answered {response.status_text}{where}"
    return _keep_response(WrongService(problem, base_url=response.base_url or "not set"), response)


def _proxy_error(response: ProviderResponse) -> ServiceUnavailable:
    reason = (
        f"A proxy demands a user name and password ({response.status_text}); the operator"
        " checks HTTPS_PROXY, HTTP_PROXY and ALL_PROXY"
    )
    return ServiceUnavailable(reason, code="unreachable")


def _keep_response(error: _Error, response: ProviderResponse) -> _Error:
    """The error, with the response as received for the record."""
    error.raw_response = response.raw_excerpt
    return error


def _size_note(response: ProviderResponse) -> str:
    """After HTTP 413, the size of the request and how to make it smaller; empty otherwise."""
    if response.status_code != HTTPStatus.REQUEST_ENTITY_TOO_LARGE or response.sent_bytes is None:
        return ""
    return (
        f" (its body has {response.sent_bytes / 1e6:.1f} MB; if it contains images, pass https"
        " URLs or smaller images)"
    )


def parse_task_response(response: ProviderResponse, *, task_id: str) -> Observation:
    """Interpret the response to a GET of /videos/{task_id} or /images/{task_id}.

    Raises:
        TaskNotFound: the service has no such task.
        NotAuthorised: the key was refused.
        WrongService: what answers is not GeekAI's API.
        ServiceUnavailable: any other unusable response; the task has not changed.
    """
    answer = response.answer
    if answer is not None:
        says_failed = answer.documented and answer.status is Status.FAILED
        if (response.ok or says_failed) and (answer.word is not None or answer.result):
            return _to_observation(answer, response)
    if not response.api_seen and (response.is_page or _is_wrong_service(response)):
        raise _wrong_service(response)
    if response.status_code == HTTPStatus.NOT_FOUND:
        raise _keep_response(TaskNotFound(task_id), response)
    if response.status_code in _NOT_AUTHORISED:
        _raise_not_authorised(response)
    if response.status_code == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        raise _keep_response(_proxy_error(response), response)
    says = " without a task status" if response.ok else ""
    raise _unavailable_error(f"{response.service} answered {response.status_text}{says}", response)


def parse_models_response(response: ProviderResponse) -> ModelsPage:
    """Interpret a page of GET /models (docs.geekai.co/cn/api/models, read 2026-11-22).

    Raises:
        NotAuthorised: the key was refused.
        WrongService: what answers is not GeekAI's API.
        ServiceUnavailable: any other response that is not a list of models.
    """
    if not response.api_seen and response.is_page:
        raise _wrong_service(response)
    if response.status_code in _NOT_AUTHORISED:
        _raise_not_authorised(response)
    try:
        parsed = ModelsResponse.model_validate(response.payload) if response.ok else None
    except ValidationError:
        parsed = None
    if parsed is None:
        msg = f"{response.service} returned no list of models ({response.status_text})"
        raise _unavailable_error(msg, response)
    return ModelsPage(
        models=tuple(_live_model(entry) for entry in parsed.data if entry.id),
        total=None if parsed.total is None else round(parsed.total),
    )


def _live_model(entry: ModelEntry) -> LiveModel:
    """An entry with sanitized texts: they are not trusted."""
    words = (entry.id, entry.type, entry.status)
    id_, type_, status = (sanitize(word or "", limit=64) for word in words)
    return LiveModel(id=id_, type=type_.lower(), status=status.lower())


def _unavailable_error(reason: str, response: ProviderResponse) -> ServiceUnavailable:
    limited = response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    error = ServiceUnavailable(
        f"{reason}{reason_suffix(response)}",
        code=RATE_LIMITED if limited else "unavailable",
        retry_after_seconds=response.retry_after_seconds,
    )
    return _keep_response(error, response)


def _raise_not_authorised(response: ProviderResponse) -> NoReturn:
    refused, code = _NOT_AUTHORISED[response.status_code], response.status_code
    by = response.service
    error = NotAuthorised(
        f"{by} {refused} ({response.status_text}){reason_suffix(response)}",
        status_code=code,
        remedy=_remedy(response),
    )
    raise _keep_response(error, response)


def _to_observation(answer: Answer, response: ProviderResponse) -> Observation:
    """What the answer says about the task; the docstring above has the contradictory ones."""
    estimate = answer.estimated_seconds
    observation = Observation(
        status=answer.status or Status.RUNNING,
        at=response.at,
        provider_task_id=answer.task_id,
        model=sanitize(answer.model) if answer.model else None,
        estimated_seconds=response.retry_after_seconds if estimate is None else estimate,
        ignored=", ".join(quote_unless_id(name, limit=64) for name in answer.ignored) or None,
    )
    if answer.status in POLLED:
        return observation
    if answer.status is not Status.FAILED and answer.result is not None:
        return replace(observation, status=Status.SUCCEED, result=answer.result)
    raw = response.raw_excerpt
    if answer.status is Status.FAILED or (answer.word is not None and answer.has_error):
        return replace(
            observation,
            status=Status.FAILED,
            error_code=answer.error_code or "failed",
            error_message=answer.error_message,
            raw_response=raw if answer.result is not None or answer.status is None else None,
        )
    if answer.status is Status.SUCCEED:
        no_link = _explain_missing_link(response, blotted=answer.repeats_secret)
        return replace(observation, status=Status.RUNNING, no_link=no_link, raw_response=raw)
    if answer.word is None:
        return observation
    word = quote(answer.word, limit=64)
    odd = f"{response.service} reports the status {word}, which this server does not know"
    return replace(observation, raw_response=raw, stall_reason=f"{odd}; it keeps polling.")


def _explain_missing_link(response: ProviderResponse, *, blotted: bool) -> str:
    if blotted:
        return (
            f"{response.service} reports it finished, and its link repeats a secret of this server,"
            " such as the API key; such a link is neither used nor kept."
        )
    media = response.media
    return (
        f"{response.service} reports it finished but returned no {media}, often because of a"
        " content filter."
    )
