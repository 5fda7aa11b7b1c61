"""Every way in which the service can fail, and what must become of the task and the money.

The rows of a table are prompts: the provider reads in them what goes wrong. So one worker
plays a whole table at once, with the real client over real sockets.
"""

from dataclasses import dataclass
from typing import Final

SILENCE: Final = 4.0
"""Seconds that count as a time-out where the provider never answers; a busy machine that
answers must be quicker."""
HURRY: Final = {"engine.watcher.POLL_RETRY_DELAY": 0.2}
"""A look that failed is repeated soon."""
UNREACHED: Final = {"provider.client.SUBMIT_TIMEOUT": 0.5}
"""A connection that is not made is given up soon, four times over."""
IMPATIENT: Final = {
    **HURRY,
    "provider.client.SUBMIT_TIMEOUT": SILENCE,
    "provider.client.POLL_TIMEOUT": SILENCE,
    "media.downloads.links.FETCH_TIMEOUT": SILENCE,
}


@dataclass(frozen=True)
class Row:
    """One way to fail, and its end."""

    fault: str
    ends: str
    """The status; for one that succeeds, `stored`, as its file must be on disk as well."""
    charges: int

    def __str__(self) -> str:
        return self.fault


def unknown(*faults: str) -> list[Row]:
    """It left, nobody can say what became of it, and it was charged."""
    return [Row(fault, "unknown", 1) for fault in faults]


def rejected(*faults: str) -> list[Row]:
    """Refused before anything ran."""
    return [Row(fault, "rejected", 0) for fault in faults]


def stored(*faults: str) -> list[Row]:
    """A nuisance: the video is paid for once and arrives."""
    return [Row(fault, "stored", 1) for fault in faults]


def of(kind: str, *faults: str) -> list[str]:
    """Faults of one kind of request, as a prompt tells them."""
    return [f"{kind}={fault}" for fault in faults]


BREAKS: Final = ("rst", "fin", "short", "garbage", "huge_header", "not_json", "nameless")
HANGS: Final = ("silence", "half")
OVERLOADS: Final = (500, 502, 503, 504, 408, *range(520, 528))
REFUSALS: Final = (400, 401, 402, 403, 404, 413, 415, 422)
REDIRECTS: Final = (300, 301, 302, 303, 304, 307, 308)

PAYING: Final = [
    *unknown(*of("POST", *BREAKS)),
    *unknown(*of("POST", *(f"status:{code}" for code in OVERLOADS))),
    *rejected(*of("POST", *(f"status:{code}" for code in REFUSALS))),
    *rejected(*of("POST", *(f"redirect:{code}" for code in REDIRECTS))),
    *stored(*of("POST", "late:2", "then_close")),
]
WAITING_TO_PAY: Final = [
    *stored(*of("POST", "limited:1", "limited:0,limited:1", "status:429")),
]
SENT_AWAY: Final = rejected(*of("POST", "limited:3600"))
"""By themselves: everyone who works for that service and key waits as long as it lasts."""
LOOKING: Final = [
    *stored(*of("GET", *BREAKS)),
    *stored(*of("GET", *(f"status:{code}" for code in (*OVERLOADS, *REFUSALS, 410, 429)))),
    *stored(*of("GET", *(f"redirect:{code}" for code in REDIRECTS))),
    *stored(*of("GET", "limited:1", "late:2", "then_close", "rst,garbage,status:500,fin")),
]
FETCHING: Final = [
    *stored(*of("FILE", *BREAKS)),
    *stored(*of("FILE", *(f"status:{code}" for code in (*OVERLOADS, *REFUSALS, 410, 429)))),
    *stored(*of("FILE", *(f"redirect:{code}" for code in REDIRECTS))),
    *stored(*of("FILE", "late:2", "then_close", "short,rst")),
]
HANGING: Final = [
    *unknown(*of("POST", *HANGS)),
    *stored(*of("GET", *HANGS)),
    *stored(*of("FILE", *HANGS)),
]
TABLES: Final[dict[str, tuple[list[Row], dict[str, float]]]] = {
    "paying": (PAYING, HURRY),
    "waiting": (WAITING_TO_PAY, HURRY),
    "sent away": (SENT_AWAY, HURRY),
    "looking": (LOOKING, HURRY),
    "fetching": (FETCHING, HURRY),
    "hanging": (HANGING, IMPATIENT),
}
"""Each with the constants of its worker; see `worker.Order`."""

UNREAD: Final = {
    "fin_on_accept": {"unknown"},
    "rst_on_accept": {"unknown", "stored"},  # refused or cut off: a race inside the system
    "rst_half_way": {"unknown"},
    "fin_half_way": {"unknown"},
    "never_reads": {"unknown"},
}
"""Connections that end before the request was read, and what may become of the task. Nothing
is charged, and the client cannot know it: each looks as it would one byte after the charge."""
