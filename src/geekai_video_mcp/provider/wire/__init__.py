"""GeekAI's JSON: written exactly as documented, read tolerantly. Pure functions of bytes.

Requests have every documented field in its documented spelling. Responses are not trusted:
unknown fields are ignored, known fields may have any type observed in practice, and an
unknown task status means that the task is still running.

Sources, read 2026-11-22: docs.geekai.co/en/api/video/create (the request and the response),
docs.geekai.co/cn/docs/video/txt2video.md (GET /videos/{task_id}, `video_result` as array),
docs.geekai.co/cn/api/image/generations and /image/result (images, whose result is `data`),
docs.geekai.co/en/docs/rate_limits (blank keep-alive lines, the five-minute cut) and
docs.geekai.co/en/docs/error_codes (status codes, `error {code, message}`).
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, NoReturn

from geekai_video_mcp.domain import moderation
from geekai_video_mcp.domain.catalogue import LiveModel
from geekai_video_mcp.domain.lifecycle import Observation, Result
from geekai_video_mcp.domain.statuses import POLLED, Status
from geekai_video_mcp.errors import (
    RATE_LIMITED,
    NotAuthorised,
    RequestRefused,
    ServiceUnavailable,
    SubmissionUnknown,
    TaskNotFound,
    as_sentence,
    quote,
    sanitize,
)
from geekai_video_mcp.provider.wire.responses import ModelEntry, ModelsResponse, TaskResponse

__all__ = [
    "RAW_RESPONSE_LIMIT",
    "REDIRECT_STATUSES",
    "REFUSED_STATUSES",
    "ModelsPage",
    "ProviderResponse",
    "parse_create_response",
    "parse_models_response",
    "parse_task_response",
]

RAW_RESPONSE_LIMIT: Final = 4096
"""Characters of an unusable response kept for the user, who has to resolve the task."""


@dataclass(frozen=True, kw_only=True)
class ModelsPage:
    """A page of the service's models; `total` counts all pages, None if it is not given."""

    models: tuple[LiveModel, ...]
    total: int | None = None


@dataclass(frozen=True, kw_only=True)
class ProviderResponse:
    """An HTTP response. `at` is when it arrived, in Unix seconds."""

    status_code: int
    body: bytes
    at: float
    retry_after: str | None = None
    host: str = "GeekAI"
    """The host that responded: a key that it refuses may belong to the other region."""
    sent_bytes: int | None = None
    """Bytes of the request's body."""

    @property
    def ok(self) -> bool:
        """Whether the service accepted the request."""
        return HTTPStatus.OK <= self.status_code < HTTPStatus.MULTIPLE_CHOICES


_STATUS_WORDS: Final[Mapping[str, Status]] = {
    "pending": Status.PENDING,
    "queued": Status.PENDING,
    "submitted": Status.PENDING,
    "running": Status.RUNNING,
    "succeed": Status.SUCCEED,
    "succeeded": Status.SUCCEED,
    "success": Status.SUCCEED,
    "completed": Status.SUCCEED,
    "fail": Status.FAILED,
    "failed": Status.FAILED,
    "error": Status.FAILED,
    "expired": Status.FAILED,
    "cancelled": Status.FAILED,
    "canceled": Status.FAILED,
}

REFUSED_STATUSES: Final = frozenset({400, 404, 413, 415, 422})
"""HTTP statuses of requests that were refused before anything was executed."""
REDIRECT_STATUSES: Final = range(300, 400)
"""Refused as well: a POST never follows a redirect, which could send the body anywhere."""

_NOT_AUTHORISED: Final = {401: "the key", 402: "the balance", 403: "the permission"}
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


def parse_create_response(response: ProviderResponse) -> Observation:
    """Interpret the response to a POST to /videos/generations or /images/generations.

    Raises:
        RequestRefused: 400, 404, 413, 415, 422 or a redirect; nothing was charged.
        NotAuthorised: 401, 402 or 403; nothing was charged.
        ServiceUnavailable: 429; it was not executed, nothing was charged.
        SubmissionUnknown: anything else but a usable 2xx; it may have been charged.
    """
    if not response.ok:
        _raise_if_refused(response)
        answered = f"GeekAI answered the request with HTTP {response.status_code}"
        msg = f"{answered}{_reason_suffix(response)}."
        raise SubmissionUnknown(msg, raw_response=_raw_excerpt(response))
    parsed = _parse_body(response.body)
    if parsed is None:
        msg = "GeekAI accepted the request, but its response could not be read."
        raise SubmissionUnknown(msg, raw_response=_raw_excerpt(response))
    observation = _to_observation(parsed, response)
    if observation.provider_task_id is None and observation.status in POLLED:
        msg = f"GeekAI accepted the request but returned no task id{_reason_suffix(response)}."
        raise SubmissionUnknown(msg, raw_response=_raw_excerpt(response))
    return observation


def _raise_if_refused(response: ProviderResponse) -> None:
    code, reason = response.status_code, _reason_suffix(response)
    if code in _NOT_AUTHORISED:
        _raise_not_authorised(response)
    if code in REFUSED_STATUSES or code in REDIRECT_STATUSES:
        error_code = _response_error(response)[0] or str(code)
        msg = f"GeekAI refused the request with HTTP {code}{_size_note(response)}{reason}"
        advice = moderation.advice(error_code)
        raise RequestRefused(f"{as_sentence(msg)} {advice}" if advice else msg, code=error_code)
    if code == HTTPStatus.TOO_MANY_REQUESTS:
        raise ServiceUnavailable(
            f"GeekAI is limiting the rate of requests (HTTP 429){reason}",
            code=RATE_LIMITED,
            retry_after_seconds=_parse_retry_after(response.retry_after),
        )


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
        ServiceUnavailable: any other unusable response; the task has not changed.
    """
    parsed = _parse_body(response.body)
    says_failed = parsed is not None and _read_status(parsed) is Status.FAILED
    if parsed is not None and (response.ok or says_failed):
        if parsed.task_status is not None or _read_result(parsed):
            return _to_observation(parsed, response)
        raise ServiceUnavailable(f"GeekAI's response has no task status{_reason_suffix(response)}")
    if response.status_code == HTTPStatus.NOT_FOUND:
        raise TaskNotFound(task_id)
    if response.status_code in _NOT_AUTHORISED:
        _raise_not_authorised(response)
    raise _unavailable_error(
        f"GeekAI answered HTTP {response.status_code}{_reason_suffix(response)}", response
    )


def parse_models_response(response: ProviderResponse) -> ModelsPage:
    """Interpret a page of GET /models (docs.geekai.co/cn/api/models, read 2026-11-22).

    Raises:
        NotAuthorised: the key was refused.
        ServiceUnavailable: any other response that is not a list of models.
    """
    if response.status_code in _NOT_AUTHORISED:
        _raise_not_authorised(response)
    try:
        parsed = ModelsResponse.model_validate(json.loads(response.body)) if response.ok else None
    except (ValueError, RecursionError):
        parsed = None
    if parsed is None:
        msg = (
            f"GeekAI returned no list of models (HTTP {response.status_code})"
            f"{_reason_suffix(response)}"
        )
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
    return ServiceUnavailable(
        reason,
        code=RATE_LIMITED if limited else "unavailable",
        retry_after_seconds=_parse_retry_after(response.retry_after),
    )


def _raise_not_authorised(response: ProviderResponse) -> NoReturn:
    refused, code = _NOT_AUTHORISED[response.status_code], response.status_code
    raise NotAuthorised(
        f"GeekAI refused {refused} (HTTP {code}){_reason_suffix(response)}",
        status_code=code,
        remedy=_remedy(response),
    )


def _to_observation(parsed: TaskResponse, response: ProviderResponse) -> Observation:
    status, result = _read_status(parsed), _read_result(parsed)
    code, message = _read_error(parsed)
    if status is Status.SUCCEED and (result is None or result.url is None):
        # Filtered Veo jobs are reported as done without a video; waiting would never end.
        status, code = Status.FAILED, code or "no_output"
        message = message or (
            "GeekAI reported success but returned no result, often because of a content filter."
        )
    estimate = parsed.estimated_seconds
    if estimate is None:
        estimate = _parse_retry_after(response.retry_after)
    return Observation(
        status=status,
        at=response.at,
        provider_task_id=parsed.task_id,
        model=sanitize(parsed.model) if parsed.model else None,
        result=result if status is Status.SUCCEED else None,
        error_code=(code or "failed") if status is Status.FAILED else None,
        error_message=message if status is Status.FAILED else None,
        estimated_seconds=estimate,
    )


def _read_status(parsed: TaskResponse) -> Status:
    if parsed.task_status is None:
        return Status.SUCCEED if _read_result(parsed) else Status.RUNNING
    return _STATUS_WORDS.get(parsed.task_status.strip().lower(), Status.RUNNING)


def _read_result(parsed: TaskResponse) -> Result | None:
    """The first result that has a link."""
    for entry in parsed.video_result:
        if entry.url:
            return Result(**entry.model_dump())
    for picture in parsed.data:
        if picture.link:
            return Result(url=picture.link, revised_prompt=picture.revised_prompt)
    return None


def _parse_body(body: bytes) -> TaskResponse | None:
    """The JSON object in *body*, after any blank keep-alive lines; None if there is none."""
    try:
        return TaskResponse.model_validate(json.loads(body))
    except (ValueError, RecursionError):
        return None


def _read_error(parsed: TaskResponse) -> tuple[str | None, str | None]:
    """The service's own error code and message, sanitized."""
    code = parsed.error.code
    message = parsed.error.message or parsed.message
    return (sanitize(code, limit=64) if code else None, sanitize(message) if message else None)


def _response_error(response: ProviderResponse) -> tuple[str | None, str | None]:
    parsed = _parse_body(response.body)
    return _read_error(parsed) if parsed is not None else (None, None)


def _reason_suffix(response: ProviderResponse) -> str:
    """The service's own error, quoted; empty if there is none, as in an HTML page."""
    code, message = _response_error(response)
    text = ": ".join(word for word in (code, message) if word)
    return f": {quote(text)}" if text else ""


def _raw_excerpt(response: ProviderResponse) -> str:
    return response.body[: RAW_RESPONSE_LIMIT * 4].decode("utf-8", "replace")[:RAW_RESPONSE_LIMIT]


def _parse_retry_after(retry_after: str | None) -> float | None:
    """`Retry-After` in seconds; None for its date form, which is not supported."""
    try:
        seconds = float(retry_after or "")
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
