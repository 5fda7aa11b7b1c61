"""What a response to a read of a task that nobody has says about the service and the key. Pure."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from geekai_video_mcp.errors import GeekAIVideoError, TaskNotFound
from geekai_video_mcp.provider import wire

_KNOWN_CALLER: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}
)
"""How an API speaks of the id, to a caller whom it has let in."""


@dataclass(frozen=True, kw_only=True)
class ServiceProbe:
    """What the service has said."""

    error: GeekAIVideoError | None
    """Why it would refuse other requests too; None if it lets the key in."""
    clock_ahead: float | None
    """Seconds by which this machine's clock is ahead of the service's; None if it did not say."""


def parse_probe_response(response: wire.ProviderResponse) -> ServiceProbe:
    """Interpret the response to a GET of /videos/{an id that no task has}."""
    date = response.date_seconds
    return ServiceProbe(
        error=_find_error(response), clock_ahead=None if date is None else response.at - date
    )


def _find_error(response: wire.ProviderResponse) -> GeekAIVideoError | None:
    if response.has_api_error and response.status_code in _KNOWN_CALLER:
        return None
    try:
        wire.parse_task_response(response, task_id="")
    except TaskNotFound:
        return None
    except GeekAIVideoError as exc:
        return exc
    return None
