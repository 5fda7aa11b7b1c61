"""Whether a request becomes a new task: a repeat finds the task it repeats, and caps hold. Pure.

`admit` is handed to the ledger, which calls it inside the transaction that records the new
task. So of any number of processes that ask at once, one records and the others find, and
no cap is passed by a race.

Which statuses count, and which bind a repeat, is said in `statuses.FACTS`: a rejected task
binds nothing, for nothing was charged for it, and the same request may work now.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from geekai_video_mcp.errors import CapReached, RequestRefused, quote
from geekai_video_mcp.lifecycle import Task
from geekai_video_mcp.statuses import Status

DAY: Final = 24 * 3600.0
"""Seconds of every window here: what a cap counts, and how long a repeat is recognised."""
REDELIVERY_GRACE: Final = 60.0
"""Seconds after a result was told in which a repeat still is one: the host may have given
the call up before the answer reached the model."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much may be asked of the service; only configuration raises it."""

    per_day: int
    """Videos in any 24 hours."""
    in_flight: int
    """Videos at the same time."""


@dataclass(frozen=True, kw_only=True)
class ExistingTasks:
    """What the ledger holds beside a new task, read in the transaction that records it."""

    same_key: Task | None = None
    """The one that bears the same idempotency key."""
    same_fingerprint: tuple[Task, ...] = ()
    """Those of the same fingerprint in the last `DAY`, newest first."""
    per_day: int = 0
    """Those of the last `DAY` that are `statuses.COUNTED_TODAY`."""
    in_flight: int = 0
    """Those of them that are `statuses.IN_FLIGHT`."""
    oldest_at: float | None = None
    """When the first of them was made: its reservation is the next to go."""


def admit(task: Task, existing: ExistingTasks, *, limits: Limits | None, at: float) -> Task:
    """*task* itself, to be recorded, or the task that it repeats.

    Raises:
        RequestRefused: its idempotency key is another request's.
        CapReached: no further video may be asked for now.
    """
    if (earlier := find_duplicate(task, existing, at=at)) is not None:
        return earlier
    if limits is not None:
        check_caps(existing, limits)
    return task


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What would become of a request if it were made now."""

    task: Task
    duplicate_of: Task | None = None
    """The earlier task that would be found in place of a new one."""
    refused: CapReached | None = None
    left_today: int | None = None
    """Videos that the caps still allow, this one included; None where there are none."""
    left_in_flight: int | None = None


def forecast(task: Task, existing: ExistingTasks, *, limits: Limits | None, at: float) -> Forecast:
    """What `admit` would do.

    Raises:
        RequestRefused: its idempotency key is another request's.
    """
    try:
        admitted = admit(task, existing, limits=limits, at=at)
    except CapReached as exc:
        admitted, refused = task, exc
    else:
        refused = None
    return Forecast(
        task=task,
        duplicate_of=None if admitted is task else admitted,
        refused=refused,
        left_today=max(0, limits.per_day - existing.per_day) if limits else None,
        left_in_flight=max(0, limits.in_flight - existing.in_flight) if limits else None,
    )


def find_duplicate(task: Task, existing: ExistingTasks, *, at: float) -> Task | None:
    """The task that this request repeats.

    Raises:
        RequestRefused: its idempotency key is another request's.
    """
    if existing.same_key is not None:
        if existing.same_key.fingerprint != task.fingerprint:
            raise RequestRefused(_key_conflict(task, existing.same_key), code="idempotency_key")
        return existing.same_key
    if task.idempotency_key is not None:  # a new key asks for a new take, in so many words
        return None
    return next((twin for twin in existing.same_fingerprint if _undelivered(twin, at=at)), None)


def _undelivered(earlier: Task, *, at: float) -> bool:
    """Whether its caller may not know of it yet, so that the same request is a retry."""
    if earlier.status is Status.UNKNOWN or earlier.delivered_at is None:
        return True  # an unknown outcome is a person's to repeat, however often it was told
    if earlier.status is Status.FAILED:
        return False  # another attempt at what failed is what anyone would want
    return abs(at - earlier.delivered_at) < REDELIVERY_GRACE  # a clock set back must not stretch it


def _key_conflict(task: Task, earlier: Task) -> str:
    before = {**earlier.request, "variation": earlier.variation}
    now = {**task.request, "variation": task.variation}
    differ = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return (
        f"idempotency_key {quote(str(task.idempotency_key))} belongs to an earlier request that"
        f" differs in {', '.join(sorted(differ))}; give a new key, or the same arguments"
    )


def check_caps(existing: ExistingTasks, limits: Limits) -> None:
    """Raise if a cap is reached.

    Raises:
        CapReached: no further video may be asked for now.
    """
    if existing.in_flight >= limits.in_flight:
        raise CapReached(
            f"{existing.in_flight} videos are under way, and GEEKAI_MAX_IN_FLIGHT allows"
            f" {limits.in_flight}",
            remedy="Wait for one with get_video_task; an unknown one waits for the user, who"
            " decides with: geekai-video-mcp tasks",
        )
    if existing.per_day >= limits.per_day:
        raise CapReached(
            f"{existing.per_day} videos were asked for in 24 hours, and GEEKAI_MAX_VIDEOS_PER_DAY"
            f" allows {limits.per_day}",
            remedy=f"Tell the user: no other is possible{_frees_at(existing)} unless whoever"
            " configures the server raises the cap",
        )


def _frees_at(existing: ExistingTasks) -> str:
    if existing.oldest_at is None:
        return ""
    frees_at = datetime.fromtimestamp(existing.oldest_at + DAY, UTC)
    return f" before {frees_at.isoformat(timespec='seconds')}"
