"""Whether a request becomes a new task: a repeat finds the task it repeats, and caps hold. Pure.

`admit` is handed to the ledger, which calls it inside the transaction that records the new
task. So of any number of processes that ask at once, one records and the others find, and
no cap is passed by a race.

Which statuses count, and which bind a repeat, is said in `lifecycle.FACTS`: a rejected task
binds nothing, for nothing was charged for it, and the same request may work now.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from geekai_video_mcp.errors import CapReached, RequestRefused, quoted
from geekai_video_mcp.lifecycle import Status, Task

DAY: Final = 24 * 3600.0
"""Seconds of every window here: what a cap counts, and how long a repeat is recognised."""
GRACE: Final = 60.0
"""Seconds after a result was told in which a repeat still is one: the host may have given
the call up before the answer reached the model."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much may be asked of the service; only configuration raises it."""

    a_day: int
    """Videos in any 24 hours."""
    in_flight: int
    """Videos at the same time."""


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """What the ledger holds beside a new task, read in the transaction that records it."""

    keyed: Task | None = None
    """The one that bears the same idempotency key."""
    twins: tuple[Task, ...] = ()
    """Those of the same fingerprint in the last `DAY`, newest first."""
    a_day: int = 0
    """Those of the last `DAY` that are `lifecycle.COUNTED_TODAY`."""
    in_flight: int = 0
    """Those of them that are `lifecycle.IN_FLIGHT`."""
    oldest_at: float | None = None
    """When the first of them was made: its reservation is the next to go."""


def admit(task: Task, beside: Neighbours, *, limits: Limits | None, at: float) -> Task:
    """*task* itself, to be recorded, or the task that it repeats.

    Raises:
        RequestRefused: its idempotency key is another request's.
        CapReached: no further video may be asked for now.
    """
    if (earlier := repeated(task, beside, at=at)) is not None:
        return earlier
    if limits is not None:
        check(beside, limits)
    return task


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What would become of a request if it were made now."""

    task: Task
    repeats: Task | None = None
    """The earlier task that would be found in place of a new one."""
    refused: CapReached | None = None
    left_today: int | None = None
    """Videos that the caps still allow, this one included; None where there are none."""
    left_in_flight: int | None = None


def foresee(task: Task, beside: Neighbours, *, limits: Limits | None, at: float) -> Forecast:
    """What `admit` would do.

    Raises:
        RequestRefused: its idempotency key is another request's.
    """
    try:
        admitted = admit(task, beside, limits=limits, at=at)
    except CapReached as exc:
        admitted, refused = task, exc
    else:
        refused = None
    return Forecast(
        task=task,
        repeats=None if admitted is task else admitted,
        refused=refused,
        left_today=max(0, limits.a_day - beside.a_day) if limits else None,
        left_in_flight=max(0, limits.in_flight - beside.in_flight) if limits else None,
    )


def repeated(task: Task, beside: Neighbours, *, at: float) -> Task | None:
    """The task that this request repeats.

    Raises:
        RequestRefused: its idempotency key is another request's.
    """
    if beside.keyed is not None:
        if beside.keyed.fingerprint != task.fingerprint:
            raise RequestRefused(_other_request(task, beside.keyed), code="idempotency_key")
        return beside.keyed
    if task.idempotency_key is not None:  # a new key asks for a new take, in so many words
        return None
    return next((twin for twin in beside.twins if _unheard(twin, at=at)), None)


def _unheard(twin: Task, *, at: float) -> bool:
    """Whether its caller may not know of it yet, so that the same request is a retry."""
    if twin.status is Status.UNKNOWN or twin.delivered_at is None:
        return True  # an unknown outcome is a person's to repeat, however often it was told
    if twin.status is Status.FAILED:
        return False  # another attempt at what failed is what anyone would want
    return abs(at - twin.delivered_at) < GRACE  # a clock set back must not stretch it


def _other_request(task: Task, keyed: Task) -> str:
    before = {**keyed.request, "variation": keyed.variation}
    now = {**task.request, "variation": task.variation}
    differ = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return (
        f"idempotency_key {quoted(str(task.idempotency_key))} belongs to an earlier request that"
        f" differs in {', '.join(sorted(differ))}; give a new key, or the same arguments"
    )


def check(beside: Neighbours, limits: Limits) -> None:
    """Raise if a cap is reached.

    Raises:
        CapReached: no further video may be asked for now.
    """
    if beside.in_flight >= limits.in_flight:
        raise CapReached(
            f"{beside.in_flight} videos are under way, and GEEKAI_MAX_IN_FLIGHT allows"
            f" {limits.in_flight}",
            way_out="Wait for one with get_video_task; an unknown one waits for the user, who"
            " decides with: geekai-video-mcp tasks",
        )
    if beside.a_day >= limits.a_day:
        raise CapReached(
            f"{beside.a_day} videos were asked for in 24 hours, and GEEKAI_MAX_VIDEOS_PER_DAY"
            f" allows {limits.a_day}",
            way_out=f"Tell the user: no other is possible{_frees(beside)} unless whoever configures"
            " the server raises the cap",
        )


def _frees(beside: Neighbours) -> str:
    if beside.oldest_at is None:
        return ""
    frees_at = datetime.fromtimestamp(beside.oldest_at + DAY, UTC)
    return f" before {frees_at.isoformat(timespec='seconds')}"
