"""Every fault of the service, and the expected status and charges of the task.

The rows of a table are prompts, from which the provider reads the fault. So one worker runs a
whole table at once, with the real client over real sockets.
"""

from dataclasses import dataclass
from typing import Final

SHORT_TIMEOUT: Final = 4.0
"""Seconds of a timeout where the provider never answers; even on a busy machine, an answer
must be quicker."""
FAST_POLLS: Final = {"engine.watcher.POLL_RETRY_DELAY": 0.2}
"""A failed poll is repeated soon."""
SHORT_CONNECT: Final = {"provider.client.SUBMIT_TIMEOUT": 0.5}
"""A connection attempt times out soon, four times in a row."""
SHORT_TIMEOUTS: Final = {
    **FAST_POLLS,
    "provider.client.SUBMIT_TIMEOUT": SHORT_TIMEOUT,
    "provider.client.POLL_TIMEOUT": SHORT_TIMEOUT,
    "media.downloads.links.FETCH_TIMEOUT": SHORT_TIMEOUT,
}


@dataclass(frozen=True)
class Row:
    """One fault, and the expected outcome."""

    fault: str
    ends: str
    """The status; `stored` for one that succeeds, because its file must be on disk as well."""
    charges: int

    def __str__(self) -> str:
        return self.fault


def unknown(*faults: str) -> list[Row]:
    """The request was sent and charged, and its outcome is unknown."""
    return [Row(fault, "unknown", 1) for fault in faults]


def rejected(*faults: str) -> list[Row]:
    """The request was refused before anything ran."""
    return [Row(fault, "rejected", 0) for fault in faults]


def stored(*faults: str) -> list[Row]:
    """A temporary fault: the video is charged once and downloaded."""
    return [Row(fault, "stored", 1) for fault in faults]


def ended(status: str, *faults: str) -> list[Row]:
    """The request is charged once, and ends with *status* and without a file."""
    return [Row(fault, status, 1) for fault in faults]


def on(kind: str, *faults: str) -> list[str]:
    """Faults of one kind of request, in the notation of a prompt."""
    return [f"{kind}={fault}" for fault in faults]


BREAKS: Final = ("rst", "fin", "short", "garbage", "huge_header", "not_json", "nameless")
HANGS: Final = ("silence", "half")
OVERLOADS: Final = (500, 502, 503, 504, 408, *range(520, 528))
REFUSALS: Final = (400, 401, 402, 403, 404, 405, 409, 410, 413, 415, 422, 428, 451)
REDIRECTS: Final = (300, 301, 302, 303, 304, 307, 308)

SUBMITTING: Final = [
    *unknown(*on("POST", *BREAKS)),
    *unknown(*on("POST", *(f"status:{code}" for code in OVERLOADS))),
    *rejected(*on("POST", *(f"status:{code}" for code in REFUSALS))),
    *rejected(*on("POST", *(f"redirect:{code}" for code in REDIRECTS))),
    *stored(*on("POST", "late:2", "then_close")),
]
ODD_CREATIONS: Final = [
    *stored(*on("POST", *(f"odd:{kind}" for kind in ("wrapped", "listed", "camel", "text")))),
    *stored(*on("POST", "odd:unheard_of", "odd:no_link", "odd:after_id", "odd:after_id_chunked")),
    *stored(*on("POST", "odd:many")),
    *unknown(*on("POST", *(f"odd:{kind}" for kind in ("in_id", "envelope", "gzip", "deep")))),
    *unknown(*on("POST", "odd:damaged", "odd:page_502")),
    *ended("failed", *on("POST", "odd:failure", "odd:error")),
]
ODD_POLLS: Final = [
    *stored(*on("GET", *(f"odd:{kind}" for kind in ("wrapped", "listed", "unheard_of", "text")))),
    *stored(*on("GET", *(f"odd:{kind}" for kind in ("in_id", "envelope", "page", "page_502")))),
    *stored(*on("GET", *(f"odd:{kind}" for kind in ("gzip", "many", "deep", "damaged")))),
    *stored(*on("GET", *(f"odd:{kind}" for kind in ("after_id", "after_id_chunked", "no_link")))),
    *stored(*on("GET", *(f"odd:link_{kind}" for kind in ("as_text", "in_list", "as_json")))),
    *stored(*on("GET", *(f"odd:link_{kind}" for kind in ("on_top", "wrapped", "unheard_of")))),
    *stored(*on("GET", "status:404,status:404,status:404", "odd:no_link,odd:envelope,odd:no_link")),
    *ended("failed", *on("GET", "odd:failure", "odd:error", "odd:no_link,odd:failure")),
]
NO_LINK: Final = ended("succeed", *on("GET", ",".join(["odd:no_link"] * 200)))
"""Its file is lost, and it is settled."""
RATE_LIMITED: Final = [
    *stored(*on("POST", "limited:1", "limited:0,limited:1", "status:429")),
]
LONG_RATE_LIMIT: Final = rejected(*on("POST", "limited:3600"))
"""Run in a folder of its own: every process with that service and key waits meanwhile."""
POLLING: Final = [
    *stored(*on("GET", *BREAKS)),
    *stored(*on("GET", *(f"status:{code}" for code in (*OVERLOADS, *REFUSALS, 429)))),
    *stored(*on("GET", *(f"redirect:{code}" for code in REDIRECTS))),
    *stored(*on("GET", "limited:1", "late:2", "then_close", "rst,garbage,status:500,fin")),
]
DOWNLOADING: Final = [
    *stored(*on("FILE", *BREAKS)),
    *stored(*on("FILE", *(f"status:{code}" for code in (*OVERLOADS, *REFUSALS, 429)))),
    *stored(*on("FILE", *(f"redirect:{code}" for code in REDIRECTS))),
    *stored(*on("FILE", "late:2", "then_close", "short,rst")),
]
HANGING: Final = [
    *unknown(*on("POST", *HANGS)),
    *stored(*on("GET", *HANGS)),
    *stored(*on("FILE", *HANGS)),
]
TABLES: Final[dict[str, tuple[list[Row], dict[str, float]]]] = {
    "submitting": (SUBMITTING, FAST_POLLS),
    "rate limited": (RATE_LIMITED, FAST_POLLS),
    "long rate limit": (LONG_RATE_LIMIT, FAST_POLLS),
    "polling": (POLLING, FAST_POLLS),
    "downloading": (DOWNLOADING, FAST_POLLS),
    "hanging": (HANGING, SHORT_TIMEOUTS),
    "odd creations": (ODD_CREATIONS, FAST_POLLS),
    "odd polls": (ODD_POLLS, FAST_POLLS),
    "no link": (NO_LINK, {**FAST_POLLS, "domain.lifecycle.NO_LINK_GRACE": 1.0}),
}
"""Each with the constants for its worker; see `worker.Order`."""

BEFORE_READ: Final = {
    "fin_on_accept": {"unknown"},
    "rst_on_accept": {
        "unknown",
        "stored",
    },  # refused or cut off: a race in the system
    "rst_half_way": {"unknown"},
    "fin_half_way": {"unknown"},
    "never_reads": {"unknown"},
}
"""Connections that end before the request was read, and the possible outcomes. Nothing is
charged, but the client cannot know that: the same happens one byte after the charge."""
