"""The statuses of a task and of its file: what each means, and which may follow which. Pure.

`ALLOWED` holds every allowed change of a status. `FACTS` says what each status means for caps,
sweeps, polling and duplicates, and nothing else says so: every set of statuses below and every
statement of the ledger that names statuses is derived from it.

    waiting → intended → submitting → pending/running → succeed → (stored, linked, lost)
       │         │  ↑        │   │           └→ failed
       │         │  └────────┤   └→ unknown → (a late answer, or a person) pending/running/...
       └────→ rejected ←─────┘         └→ abandoned → (a late answer, or a person) pending/...
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """The state of a task at the provider."""

    WAITING = "waiting"
    """Recorded, and it needs the result of a task that has not finished: see `domain.waiting`."""
    INTENDED = "intended"
    """Recorded, and no byte has left: safe to submit."""
    SUBMITTING = "submitting"
    """The POST may be in progress. If its process dies now, the outcome is unknown."""
    PENDING = "pending"
    RUNNING = "running"
    SUCCEED = "succeed"
    FAILED = "failed"
    """The provider accepted the task and could not finish it."""
    REJECTED = "rejected"
    """The provider refused the request, or it never left: nothing was charged."""
    UNKNOWN = "unknown"
    """The request left and no usable answer came, or there was no result in all the time that
    a task is polled. Only a person may send it again."""
    ABANDONED = "abandoned"
    """A person has abandoned a task with an unknown outcome: it is neither sent nor polled."""


ALLOWED: Final[Mapping[Status, frozenset[Status]]] = {
    Status.WAITING: frozenset({Status.INTENDED, Status.REJECTED}),
    Status.INTENDED: frozenset({Status.SUBMITTING, Status.REJECTED}),
    Status.SUBMITTING: frozenset(
        {
            Status.INTENDED,  # certainly not sent, or refused before it was executed (429)
            Status.PENDING,
            Status.RUNNING,
            Status.SUCCEED,
            Status.FAILED,
            Status.REJECTED,
            Status.UNKNOWN,
        }
    ),
    # Unknown by time alone: see `lifecycle.GIVE_UP_AFTER`.
    Status.PENDING: frozenset({Status.RUNNING, Status.SUCCEED, Status.FAILED, Status.UNKNOWN}),
    Status.RUNNING: frozenset({Status.SUCCEED, Status.FAILED, Status.UNKNOWN}),
    # A late answer counts: the attempt that sent the POST may still receive one, and a person
    # may find the task at the provider, even after abandoning it.
    Status.UNKNOWN: frozenset(
        {Status.PENDING, Status.RUNNING, Status.SUCCEED, Status.FAILED, Status.ABANDONED}
    ),
    Status.ABANDONED: frozenset({Status.PENDING, Status.RUNNING, Status.SUCCEED, Status.FAILED}),
    Status.SUCCEED: frozenset(),
    Status.FAILED: frozenset(),
    Status.REJECTED: frozenset(),
}

FILM_ALLOWED: Final[Mapping[Status, frozenset[Status]]] = {
    Status.INTENDED: frozenset({Status.RUNNING, Status.FAILED}),
    Status.RUNNING: frozenset({Status.SUCCEED, Status.FAILED}),
    Status.SUCCEED: frozenset(),
    Status.FAILED: frozenset(),
}
"""The same for a film, which is joined on this machine: see `films.advance_film`."""


@dataclass(frozen=True, kw_only=True)
class StatusFacts:
    """What is true of every task with one status. No fact has a default: each is decided."""

    counts_today: bool
    """It counts towards the cap on videos per day."""
    in_flight: bool
    """It counts towards the cap on videos in flight: the service may be working on it."""
    unfinished: bool
    """A server has to do something for it without being asked: every sweep resumes it."""
    unsent: bool
    """Its request has not been answered: it has yet to be sent, or is being sent."""
    polled: bool
    """Only the service can change it, so it has to be polled."""
    needs_body: bool
    """Its request may have to be sent, now or when a person asks for it."""
    binds_duplicate: bool
    """The same request returns it instead of a new task; see `admission.find_duplicate`."""
    holds_key: bool
    """No other request may use its idempotency key. A unique index in `ledger.schema` says
    the same, so another answer here needs a migration that replaces the index."""
    unresolved: bool
    """Nothing is done for it, and only new facts or a person change it."""
    no_result: bool
    """It has ended without a result, permanently or until someone learns more."""


# fmt: off
FACTS: Final[Mapping[Status, StatusFacts]] = {
    # It has a place in the caps of the day, so that it can be sent whenever its turn comes.
    Status.WAITING: StatusFacts(
        counts_today=True,  in_flight=False, unfinished=True,  unsent=True,  polled=False,
        needs_body=True,  binds_duplicate=True,  holds_key=True,  unresolved=False, no_result=False,
    ),
    Status.INTENDED: StatusFacts(
        counts_today=True,  in_flight=True,  unfinished=True,  unsent=True,  polled=False,
        needs_body=True,  binds_duplicate=True,  holds_key=True,  unresolved=False, no_result=False,
    ),
    # It needs its body: after a 429 it is sent again.
    Status.SUBMITTING: StatusFacts(
        counts_today=True,  in_flight=True,  unfinished=True,  unsent=True,  polled=False,
        needs_body=True,  binds_duplicate=True,  holds_key=True,  unresolved=False, no_result=False,
    ),
    Status.PENDING: StatusFacts(
        counts_today=True,  in_flight=True,  unfinished=True,  unsent=False, polled=True,
        needs_body=False, binds_duplicate=True,  holds_key=True,  unresolved=False, no_result=False,
    ),
    Status.RUNNING: StatusFacts(
        counts_today=True,  in_flight=True,  unfinished=True,  unsent=False, polled=True,
        needs_body=False, binds_duplicate=True,  holds_key=True,  unresolved=False, no_result=False,
    ),
    # The task is finished. Its file may not be, which is another fact, in another column.
    Status.SUCCEED: StatusFacts(
        counts_today=True,  in_flight=False, unfinished=False, unsent=False, polled=False,
        needs_body=False, binds_duplicate=True,  holds_key=True,  unresolved=False, no_result=False,
    ),
    Status.FAILED: StatusFacts(
        counts_today=True,  in_flight=False, unfinished=False, unsent=False, polled=False,
        needs_body=False, binds_duplicate=True,  holds_key=True,  unresolved=False, no_result=True,
    ),
    # Nothing was charged for it, and the same request may work now: it binds no duplicate.
    Status.REJECTED: StatusFacts(
        counts_today=False, in_flight=False, unfinished=False, unsent=False, polled=False,
        needs_body=False, binds_duplicate=False, holds_key=False, unresolved=False, no_result=True,
    ),
    # It counts as in flight until a person resolves it, or for a day: no generation takes longer.
    Status.UNKNOWN: StatusFacts(
        counts_today=True,  in_flight=True,  unfinished=False, unsent=False, polled=False,
        needs_body=True,  binds_duplicate=True,  holds_key=True,  unresolved=True,  no_result=True,
    ),
    # A person has decided that the same request is a new one.
    Status.ABANDONED: StatusFacts(
        counts_today=True,  in_flight=False, unfinished=False, unsent=False, polled=False,
        needs_body=False, binds_duplicate=False, holds_key=True,  unresolved=True,  no_result=True,
    ),
}
# fmt: on
"""A status that is missing here stops the import, and so does a fact that is missing."""


def _select_statuses(condition: Callable[[StatusFacts], bool]) -> frozenset[Status]:
    """The statuses whose facts fulfil *condition*."""
    return frozenset(status for status in Status if condition(FACTS[status]))


COUNTED_TODAY: Final = _select_statuses(lambda facts: facts.counts_today)
IN_FLIGHT: Final = _select_statuses(lambda facts: facts.in_flight)
UNFINISHED: Final = _select_statuses(lambda facts: facts.unfinished)
UNSENT: Final = _select_statuses(lambda facts: facts.unsent)
POLLED: Final = _select_statuses(lambda facts: facts.polled)
BODY_NEEDED: Final = _select_statuses(lambda facts: facts.needs_body)
BINDING: Final = _select_statuses(lambda facts: facts.binds_duplicate)
KEY_HOLDING: Final = _select_statuses(lambda facts: facts.holds_key)
UNRESOLVED: Final = _select_statuses(lambda facts: facts.unresolved)
NO_RESULT: Final = _select_statuses(lambda facts: facts.no_result)
TERMINAL: Final = frozenset(status for status in Status if not ALLOWED[status])
"""The statuses that no other may follow."""


class FileStatus(StrEnum):
    """The state of a succeeded task's result on our disk."""

    NONE = "none"
    STORED = "stored"
    LINKED = "linked"
    """The service has the file, and this server cannot fetch it: the caller is given the link."""
    DELETED = "deleted"
    """It was stored, and deleted after the days that the operator keeps files."""
    LOST = "lost"
    """Neither the service nor this machine has the file."""
