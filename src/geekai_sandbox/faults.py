"""Fault injection, for testing how a client handles failures.

Each POST takes the next fault of a list that the sandbox was created with; after the last
one every POST succeeds. A fault is either before the charge, and nothing happened, or
after it, and a task exists whose id the caller does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal

from starlette.responses import HTMLResponse, Response

from .errors import ApiError

Fault = Literal["rate_limited", "busy", "broken", "timed_out", "garbled", "blank"]
"""rate_limited (429) and busy (503) are before the charge; broken (500), timed_out (504
in HTML), garbled (half of the JSON) and blank (200 without a body) are after it."""

RETRY_AFTER_SECONDS: Final = 1


class FaultQueue:
    """The remaining faults. None in the list stands for a POST that succeeds."""

    def __init__(self, faults: Iterable[Fault | None]) -> None:
        self._faults: Iterator[Fault | None] = iter(faults)

    def take_next(self) -> Fault | None:
        return next(self._faults, None)


def raise_before_charge(fault: Fault | None) -> None:
    """Raise the error of a *fault* that is before the charge; do nothing for any other."""
    if fault == "rate_limited":
        raise ApiError(
            429,
            "rate_limit_exceeded",
            "Too many requests (injected fault).",
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )
    if fault == "busy":
        raise ApiError(503, "service_unavailable", "The service is busy (injected fault).")


def respond_after_charge(fault: Fault, response: Response) -> Response:
    """Return or raise what is sent in place of *response*, whose task has been charged."""
    if fault == "broken":
        raise ApiError(500, "internal_error", "Internal error (injected fault).")
    if fault == "timed_out":
        return HTMLResponse("<h1>504 Gateway Time-out</h1>", status_code=504)
    body = bytes(response.body)
    content = body[: len(body) // 2] if fault == "garbled" else b""
    return Response(content, media_type="application/json")
