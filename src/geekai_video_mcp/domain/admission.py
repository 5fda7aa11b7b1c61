"""Whether a request becomes a new task: duplicates return the earlier task, and caps apply. Pure.

`admit` is passed to the ledger, which calls it inside the transaction that records the new task.
So of several processes with the same request at once, one records it and the others find it,
and no race exceeds a cap.

Which statuses count, and which bind a duplicate, is defined in `statuses.FACTS`: a rejected task
binds nothing, because nothing was charged for it and the same request may work now.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from geekai_video_mcp.domain.lifecycle import advance
from geekai_video_mcp.domain.limits import Limits
from geekai_video_mcp.domain.polling import Budget, DurationSample, take_token
from geekai_video_mcp.domain.spending import DAY, ReservedPrices, check_spending
from geekai_video_mcp.domain.statuses import IN_FLIGHT, Status
from geekai_video_mcp.domain.storage import StorageUse, check_quota
from geekai_video_mcp.domain.tasks import Observation, Task
from geekai_video_mcp.domain.tenants import tasks_command
from geekai_video_mcp.errors import (
    CapReached,
    RequestRefused,
)
from geekai_video_mcp.quoting import quote

REDELIVERY_GRACE: Final = 60.0
"""Seconds after a result was delivered in which the same request still is a duplicate: the host
may have dropped the call before the result reached the model."""


@dataclass(frozen=True, kw_only=True)
class ExistingTasks:
    """What the ledger already holds, read in the transaction that records a new task."""

    limits: Limits | None = None
    """The caps by which a request is judged, and for which it was counted what is there: without
    caps nothing is counted, and prices are read only for a cap on them."""
    same_key: Task | None = None
    """The task with the same idempotency key."""
    same_fingerprint: tuple[Task, ...] = ()
    """The tasks of the last `DAY` with the same fingerprint, newest first."""
    former_fingerprint: str | None = None
    """The fingerprint that earlier versions gave to the same request, if it is another one."""
    per_day: int = 0
    """The number of those of the last `DAY` that are `statuses.COUNTED_TODAY`, up to the cap."""
    in_flight: int = 0
    """The number of those among them that are `statuses.IN_FLIGHT`."""
    oldest_at: float | None = None
    """When the oldest of them was created: its reservation is the next to end."""
    prices: ReservedPrices = field(default_factory=ReservedPrices)
    """The listed prices of the same tasks."""
    storage: StorageUse | None = None
    """What the tenant's files take; None without a quota."""
    durations: tuple[DurationSample, ...] = ()
    """Of the newest finished tasks that took about as long as this one will; only to `admit`."""


@dataclass(frozen=True, kw_only=True)
class Admission:
    """What becomes of a request; the ledger records it in the transaction that decides it."""

    task: Task
    """The new task as it is recorded, or the earlier one that the request duplicates."""
    is_new: bool
    budget: Budget | None = None
    """The request budget without what this request takes of it; None if that is nothing yet."""


def admit(task: Task, existing: ExistingTasks, *, at: float) -> Task:
    """*task* itself, to be recorded, or the task that it duplicates.

    Raises:
        RequestRefused: its idempotency key belongs to another request.
        CapReached: no further video may be requested now.
    """
    if (earlier := find_duplicate(task, existing, at=at)) is not None:
        return earlier
    check_caps(task, existing)
    return task


def claim_at_once(task: Task, budget: Budget, *, at: float, per_second: float) -> Admission:
    """The new task, for its owner to send now, or only recorded while requests are paused."""
    claim = Observation(status=Status.SUBMITTING, at=at, owner=task.owner, attempt=task.attempt + 1)
    claimed = advance(task, claim)
    left, wait = take_token(budget, at=at, per_second=per_second, priority=True)
    if claimed is task or wait:
        return Admission(task=task, is_new=True)
    return Admission(task=claimed, is_new=True, budget=left)


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What would happen to a request if it were made now."""

    task: Task
    duplicate_of: Task | None = None
    """The earlier task that would be returned instead of a new one."""
    refused: CapReached | None = None
    left_today: int | None = None
    """Videos that the caps still allow, including this one; None without caps."""
    left_in_flight: int | None = None
    cny_left_today: float | None = None
    """CNY that the cap on them still allows, including this one's; None without that cap."""


def forecast(task: Task, existing: ExistingTasks, *, at: float) -> Forecast:
    """What `admit` would decide now.

    Raises:
        RequestRefused: its idempotency key belongs to another request.
    """
    limits = existing.limits
    try:
        admitted = admit(task, existing, at=at)
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
        cny_left_today=existing.prices.left_of(limits.cny_per_day)
        if limits and limits.cny_per_day is not None
        else None,
    )


def find_duplicate(task: Task, existing: ExistingTasks, *, at: float) -> Task | None:
    """The earlier task that this request duplicates, if there is one.

    Raises:
        RequestRefused: its idempotency key belongs to another request.
    """
    if existing.same_key is not None:
        if existing.same_key.fingerprint not in {task.fingerprint, existing.former_fingerprint}:
            raise RequestRefused(_key_conflict(task, existing.same_key), code="idempotency_key")
        return existing.same_key
    if task.idempotency_key is not None:  # a new key asks explicitly for a new task
        return None
    return next(
        (each for each in existing.same_fingerprint if _may_be_undelivered(each, at=at)), None
    )


def _may_be_undelivered(earlier: Task, *, at: float) -> bool:
    """Whether its caller may not have the result yet, which makes the same request a retry."""
    if earlier.status is Status.UNKNOWN or earlier.delivered_at is None:
        return True  # only a person may repeat an unknown outcome, however often it was delivered
    if earlier.status is Status.FAILED:
        return False  # after a failure, the same request means another attempt
    return abs(at - earlier.delivered_at) < REDELIVERY_GRACE  # a clock set back must not stretch it


def _key_conflict(task: Task, earlier: Task) -> str:
    theirs = {**earlier.request, "variation": earlier.variation}
    ours = {**task.request, "variation": task.variation}
    differ = [name for name in {**theirs, **ours} if theirs.get(name) != ours.get(name)]
    return (
        f"idempotency_key {quote(str(task.idempotency_key))} belongs to an earlier request that"
        f" differs in {', '.join(sorted(differ))}; give a new key, or the same arguments"
    )


def check_caps(task: Task, existing: ExistingTasks) -> None:
    """Raise if a cap is reached, or *task* would exceed the quota or the cap in CNY.

    Raises:
        CapReached: no further video may be requested now.
    """
    check_quota(task, existing.storage)
    limits = existing.limits
    if limits is None:
        return
    # A waiting one takes its place in flight when it is sent.
    if existing.in_flight >= limits.in_flight and task.status in IN_FLIGHT:
        raise CapReached(
            f"{_counted(existing.in_flight, 'is', 'are')} already in progress"
            f" (GEEKAI_MAX_IN_FLIGHT={limits.in_flight})",
            remedy="Wait for one with get_video_task. Tasks with an unknown outcome count until the"
            f" user resolves them with: {tasks_command(task.tenant)}",
        )
    if existing.per_day >= limits.per_day:
        raise CapReached(
            f"{_counted(existing.per_day, 'was', 'were')} requested in the last 24 hours"
            f" (GEEKAI_MAX_VIDEOS_PER_DAY={limits.per_day})",
            remedy=f"Tell the user: no further video can be requested{_frees_at(existing)} unless"
            " the limit in the server's configuration is raised",
        )
    if limits.cny_per_day is not None:
        check_spending(task, existing.prices, limits.cny_per_day)


def _counted(videos: int, one: str, several: str) -> str:
    return f"{videos} video {one}" if videos == 1 else f"{videos} videos {several}"


def _frees_at(existing: ExistingTasks) -> str:
    if existing.oldest_at is None:
        return ""
    frees_at = datetime.fromtimestamp(existing.oldest_at + DAY, UTC)
    return f" before {frees_at.isoformat(timespec='seconds')}"
