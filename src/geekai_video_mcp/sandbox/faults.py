"""Misbehaviour on order, so that a client's worst days can be rehearsed.

Each POST takes the next fault of a list that the sandbox was made with; when the
list is used up, it behaves. What matters of a fault is on which side of the charge
it lies: before, nothing happened; after, a task exists that its caller cannot name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal

from starlette.responses import HTMLResponse, Response

from .refusals import ApiError

Fault = Literal["rate_limited", "busy", "broken", "timed_out", "garbled", "blank"]
"""rate_limited (429) and busy (503) come before the charge; broken (500), timed_out (504
in HTML), garbled (half of the JSON) and blank (200 and no body) after it."""

RETRY_AFTER_SECONDS: Final = 1


class FaultQueue:
    """The faults still to come. None in the list is a POST that goes well."""

    def __init__(self, faults: Iterable[Fault | None]) -> None:
        self._faults: Iterator[Fault | None] = iter(faults)

    def take_next(self) -> Fault | None:
        return next(self._faults, None)


def raise_before_charge(fault: Fault | None) -> None:
    """Fail as *fault* wants, if it wants to before anything was charged."""
    if fault == "rate_limited":
        raise ApiError(
            429,
            "rate_limit_exceeded",
            "Too many requests, as ordered.",
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )
    if fault == "busy":
        raise ApiError(503, "service_unavailable", "The service is busy, as ordered.")


def respond_after_charge(fault: Fault, response: Response) -> Response:
    """What is sent in place of *response*, whose task has been charged."""
    if fault == "broken":
        raise ApiError(500, "internal_error", "Something broke, as ordered.")
    if fault == "timed_out":
        return HTMLResponse("<h1>504 Gateway Time-out</h1>", status_code=504)
    body = bytes(response.body)
    content = body[: len(body) // 2] if fault == "garbled" else b""
    return Response(content, media_type="application/json")
