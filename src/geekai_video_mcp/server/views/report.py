"""What a result reports about a task: the one source of its text and of its structure. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from geekai_video_mcp.domain.result_file import live_link
from geekai_video_mcp.domain.retries import LINK_TTL
from geekai_video_mcp.domain.statuses import NO_RESULT, FileStatus, Status
from geekai_video_mcp.domain.task_prices import ListedPrice, listed_price
from geekai_video_mcp.domain.tasks import (
    Media,
    Task,
)
from geekai_video_mcp.errors import (
    MAYBE_CHARGED,
    NOT_CHARGED,
    Money,
)
from geekai_video_mcp.quoting import sanitize
from geekai_video_mcp.server.views.times import iso_time

MAX_LINK_CHARS: Final = 4000
"""Characters of a link that are shown: signed links have up to two thousand."""
PRICE_UNKNOWN: Final = "Its price is not known here."
LONG_STALL: Final = 600.0
"""Seconds without a usable answer from GeekAI, after which no caller is asked to wait for it: what
keeps a key refused or a task unknown for ten minutes needs a person."""


@dataclass(frozen=True, kw_only=True)
class FilePlace:
    """Where a caller finds a file: its path, or a link to it for a caller on another machine."""

    text: str
    link_ends_at: float | None = None
    """Unix seconds; None of a path, and of a link that does not end."""

    def described(self, *notes: str | None) -> str:
        """The place, with notes in parentheses, the last of which says how long its link works."""
        ends = f"this link works until {iso_time(self.link_ends_at)}" if self.link_ends_at else None
        known = "; ".join(filter(None, (*notes, ends)))
        return f"{self.text} ({known})" if known else self.text


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The picture of a finished task's result, as it is reported."""

    kind: Literal["contact sheet", "cover", "picture"]
    attached: bool
    """Whether it comes with the result; false for a client that cannot show it."""
    path: str | None
    """Where it is saved: its path, or a link to it."""


@dataclass(frozen=True, kw_only=True)
class TaskReport:
    """A task at one moment, with what only this result reports about it."""

    task: Task
    at: float
    """Unix seconds."""
    sandbox: bool
    """Whether it is a preview, which costs nothing and has no link that a person could open."""
    same_account: bool = True
    """False for a task of another service or key, which this server cannot poll."""
    picture: Picture | None = None
    sent: Mapping[str, Any] | None = None
    """The settings of a request that this very call has sent."""
    deduplicated: bool = False
    """Whether the task belongs to an earlier, equal request than the one that is answered."""
    warnings: tuple[str, ...] = ()
    remote: bool = False
    """Whether the caller is on another machine: it has no use for a path, or for a command."""
    linked_file: FilePlace | None = None
    """A link to the file, for a caller to whom a path does not lead."""

    @property
    def file(self) -> FilePlace | None:
        """Where the caller finds the file; None if there is none, or none for this caller."""
        if self.remote:
            return self.linked_file
        path = self.task.file_path
        return None if path is None else FilePlace(text=path)

    @property
    def extra_link(self) -> FilePlace | None:
        """The link beside the path, for a caller on this machine."""
        return None if self.remote or not self.stored else self.linked_file

    @property
    def file_noun(self) -> str:
        """What the user is given: the file, or the link to it."""
        return "link" if self.remote else "file"

    @property
    def is_film(self) -> bool:
        """Whether it was joined on this machine, where nothing costs anything."""
        return self.task.media is Media.FILM

    @property
    def stored(self) -> bool:
        """Whether the result is on this machine."""
        return self.task.file_status is FileStatus.STORED

    @property
    def failed(self) -> bool:
        """Whether the task has ended without a result."""
        return is_failure(self.task)

    @property
    def stalled_long(self) -> bool:
        """Whether nothing has been learned about an unfinished task for `LONG_STALL`."""
        since = self.task.unreachable_since
        return not self.task.settled and since is not None and self.at - since >= LONG_STALL

    @property
    def worth_waiting(self) -> bool:
        """Whether the task may end while a caller waits."""
        return not self.task.settled and self.same_account and not self.stalled_long

    @property
    def sheet(self) -> str | None:
        """Where the picture is, if it is another file than the result itself."""
        path = self.picture.path if self.picture else None
        return None if self.file is not None and path == self.file.text else path

    @property
    def just_sent(self) -> bool:
        """Whether the result reports that a request has been sent, and nothing after that."""
        task = self.task
        unfinished = not task.settled and task.status is not Status.SUCCEED
        return self.is_new and unfinished and task.no_link_since is None

    @property
    def elapsed_seconds(self) -> float:
        """Seconds from the request to its end, or to now."""
        return max(0.0, (self.task.ended_at or self.at) - self.task.created_at)

    @property
    def price(self) -> ListedPrice | None:
        """The listed price that was recorded with the request; None if nothing was charged."""
        return None if self.sandbox else listed_price(self.task)

    @property
    def is_new(self) -> bool:
        """Whether this very call has made the request."""
        return self.sent is not None and not self.deduplicated

    @property
    def price_date(self) -> str | None:
        """When the price was read, in the result of the request and of a task that has ended."""
        return self.price.read_on if self.price and (self.task.settled or self.is_new) else None

    @property
    def price_source(self) -> str | None:
        """Where it was read, in the result of the request; lists of tasks name it as well."""
        return self.price.source if self.price and self.is_new else None

    @property
    def price_note(self) -> str | None:
        """Of a new request: that its price is not known, if it is not."""
        free = self.sandbox or self.is_film
        paid = not free and self.task.status is not Status.REJECTED
        return PRICE_UNKNOWN if self.is_new and paid and self.task.price_cny is None else None

    @property
    def duration(self) -> float | None:
        """Seconds of the file, or of the result as GeekAI reports it while there is no file."""
        result = self.task.result
        if self.failed:
            return None
        return self.task.file_seconds or (result.duration if result else None)

    @property
    def link(self) -> str | None:
        """The result's link as a person can open it; None if there is none, as in the sandbox.

        A result that is lost has none: its link is dead.
        """
        url = self.task.result.url if self.task.result else None
        # A response may contain an image itself as a data URI, which is far too long to be shown.
        if url is None or self.sandbox or self.failed or url.startswith("data:"):
            return None
        return sanitize(url, limit=MAX_LINK_CHARS)

    @property
    def offered_link(self) -> str | None:
        """The link, unless it is dead or would act on the machine of whoever opens it."""
        deleted = self.task.file_status is FileStatus.DELETED
        if deleted and self.at >= (self.task.ended_at or 0.0) + LINK_TTL:
            return None
        return self.link if live_link(self.task) else None

    @property
    def link_expires_at(self) -> float | None:
        """When the result's link ends, in Unix seconds; None if that is not known."""
        ended = self.task.ended_at
        return None if ended is None or self.link is None else ended + LINK_TTL

    @property
    def provider_task_id(self) -> str | None:
        """GeekAI's id where a person needs it: to look for a result, or to ask about a charge."""
        needed = self.failed or self.task.file_status is FileStatus.LINKED
        found = self.task.provider_task_id
        return sanitize(found) if found and needed and not self.sandbox else None

    @property
    def service(self) -> str:
        """Who makes the result, as the subject of a sentence."""
        return "The sandbox" if self.sandbox else "GeekAI"

    @property
    def money(self) -> Money:
        """What a result that did not come may have cost."""
        return NOT_CHARGED if self.sandbox else MAYBE_CHARGED

    @property
    def tool(self) -> str:
        """The tool that makes such results."""
        return _TOOLS[self.task.media]


_TOOLS: Final = {
    Media.VIDEO: "generate_video",
    Media.IMAGE: "generate_image",
    Media.FILM: "join_videos",
}


def is_failure(task: Task) -> bool:
    """Whether the task has ended without a result."""
    lost = task.status is Status.SUCCEED and task.file_status is FileStatus.LOST
    return lost or task.status in NO_RESULT
