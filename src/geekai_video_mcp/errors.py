"""Every error raised on purpose. Each class says who has to act next.

GeekAIVideoError
├── RequestRefused        the caller: these arguments will never work, others will
├── TaskNotFound          the caller: no such task here or at the service, or not only one
├── CapReached            time, or the operator: a cap on requests or on spending is reached
├── NotAuthorised         the operator: the key or the balance; no other call fixes it
├── WrongService          the operator: GEEKAI_BASE_URL does not lead to GeekAI's API
├── StorageUnavailable    the operator: a disk or folder cannot be read or written
├── LedgerTooNew          the operator: the task database belongs to a newer version of this server
├── ServiceUnavailable    time: the same call may work later
├── DownloadFailed        time, or the user: a finished result could not be fetched; it has a link
├── FileElsewhere         time, or the operator: a result is on another machine of this service
├── JoinFailed            the user: parts could not be joined into a film
├── SubmissionUnknown     a person: the POST was not answered; only they may have it sent again
├── ConsentNotGiven       a person: they have to agree to the payment and did not
├── InvalidDecision       a person: their decision does not fit the task's current status
├── HostError             a person: a host's configuration could not be read or changed
└── ConfigError           the operator: the settings; raised only at start-up

Messages are read by models and people. Each says what happened and what to do next. An error
on the way to a paid request also says whether money was spent, in one of the two sentences
below, word for word; an error of a read, or of work on this machine alone, contains neither.
Text from outside enters a message only through `quoting.quote`, which marks it as data.
"""

import errno
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Literal, cast

from geekai_video_mcp.quoting import as_sentence, hide_folders, quote

NOT_CHARGED: Final = "Nothing was charged."
MAYBE_CHARGED: Final = "It may have been charged."
Money = Literal["Nothing was charged.", "It may have been charged."]

DATABASE: Final = "The task database"
BUSY: Final = "the task database is busy"

RATE_LIMITED: Final = "rate_limited"
"""The code of a `ServiceUnavailable` after which every process has to pause."""

WRONG_SERVICE: Final = "wrong_base_url"
"""The code of a `WrongService`, which no other request would avoid."""


class GeekAIVideoError(Exception):
    """Anything this package raises on purpose; `str()` of it may be shown to anyone.

    `money` says what is known about the cost of the request that failed. It is None where no
    paid request is involved, and where the code that raises cannot know whether one is: there
    `nothing_charged` adds it.
    """

    def __init__(self, problem: str, *, money: Money | None = None, remedy: str = "") -> None:
        super().__init__(problem)
        self._problem = problem
        self._remedy = remedy
        self.money = money
        self.raw_response: str | None = None
        """The service's response as received, shortened; None if none came. It is recorded, and
        never part of a message."""

    def hide_folders(self) -> None:
        """Name files without their folders from now on."""
        self._problem, self._remedy = hide_folders(self._problem), hide_folders(self._remedy)

    @property
    def message(self) -> str:
        """The problem, the sentence about money if there is one, and what to do next."""
        return " ".join(part for part in (self._problem, self.money, self._remedy) if part)

    def __str__(self) -> str:
        return self.message


class RequestRefused(GeekAIVideoError):
    """The arguments were refused, here or by the service, before anything was charged.

    `money` is None where the refused call could not have cost anything.
    """

    def __init__(
        self,
        reason: str,
        *,
        code: str = "invalid_arguments",
        money: Money | None = NOT_CHARGED,
        remedy: str = "Change the call and try again.",
    ) -> None:
        super().__init__(as_sentence(reason), money=money, remedy=remedy)
        self.code = code
        self.reason = reason


class CapReached(GeekAIVideoError):
    """A cap on requests or on spending refuses the request, and only the configuration raises it.

    Time makes room under it; under the one in CNY, a cheaper request may fit.
    """

    def __init__(self, reason: str, *, remedy: str) -> None:
        super().__init__(as_sentence(reason), money=NOT_CHARGED, remedy=as_sentence(remedy))
        self.reason = reason
        self.remedy = as_sentence(remedy)


class TaskNotFound(GeekAIVideoError):
    """There is no task with this id, neither in the ledger nor at the service.

    Or the beginning of an id names no single one: `problem` says so then, and is None otherwise.
    """

    def __init__(
        self,
        task_id: str,
        *,
        problem: str | None = None,
        where: str = "here or at the service",
        remedy: str = "Use the task_id of a task that exists: list_video_tasks shows the ids.",
    ) -> None:
        unknown = f"No task {quote(task_id, limit=64)} is known {where}"
        super().__init__(as_sentence(problem or unknown), remedy=remedy)
        self.task_id = task_id
        self.problem = problem


class NotAuthorised(GeekAIVideoError):
    """The key or the balance was refused; `status_code` is the service's HTTP status."""

    def __init__(self, reason: str, *, status_code: int, remedy: str) -> None:
        super().__init__(as_sentence(reason), remedy=remedy)
        self.status_code = status_code
        self.code = {401: "unauthorized", 402: "insufficient_balance"}.get(status_code, "forbidden")


class WrongService(GeekAIVideoError):
    """What answered at the configured address is not GeekAI's API, so nothing was executed."""

    def __init__(self, reason: str, *, base_url: str) -> None:
        super().__init__(
            as_sentence(reason),
            remedy=(
                f"GEEKAI_BASE_URL is {base_url}: is this GeekAI's API? It usually ends in /api/v1."
                " The operator has to correct it and restart the server."
            ),
        )
        self.code = WRONG_SERVICE


class StorageUnavailable(GeekAIVideoError):
    """A disk failed, or another process has locked the task database."""

    def __init__(
        self,
        what: str,
        reason: str,
        *,
        access: Literal["opened", "read", "written"] = "written",
        money: Money | None = None,
        remedy: str | None = None,
    ) -> None:
        busy = reason == BUSY
        problem = BUSY if busy and what == DATABASE else f"{what} could not be {access}: {reason}"
        if remedy is None:
            # After a request has left, "the same call" could be a second payment.
            sent = money == MAYBE_CHARGED
            then = "call get_video_task. Do not generate it again" if sent else "try again"
            first = (
                "Wait a few seconds" if busy else "Free disk space or fix the folder's permissions"
            )
            remedy = f"{first}, then {then}."
        super().__init__(as_sentence(problem[0].upper() + problem[1:]), money=money, remedy=remedy)
        self.reason = reason
        self.code = "storage_unavailable"


class LedgerTooNew(GeekAIVideoError):
    """The task database belongs to a newer version, whose rules for money may be stricter."""

    def __init__(self, was: Literal["created", "upgraded"], *, place: str | None = None) -> None:
        """*place* is the variable that says where it is, if that is not the state folder's."""
        meanwhile = " while this one was running" if was == "upgraded" else ""
        database = DATABASE if place is None else f"{DATABASE} ({place})"
        super().__init__(
            f"{database} was {was} by a newer version of this server{meanwhile}.",
            remedy="The operator has to upgrade this server and restart it.",
        )
        self.code = "ledger_too_new"


class ServiceUnavailable(GeekAIVideoError):
    """The service or the network failed in a way that charges nothing.

    `retry_after_seconds` is the value of the service's Retry-After header, if it sent one.
    """

    def __init__(
        self,
        reason: str,
        *,
        code: str = "unavailable",
        retry_after_seconds: float | None = None,
        money: Money | None = None,
        remedy: str = "The same call may work later.",
    ) -> None:
        super().__init__(as_sentence(reason), money=money, remedy=remedy)
        self.reason = reason
        self.code = code
        self.retry_after_seconds = retry_after_seconds


class DownloadFailed(GeekAIVideoError):
    """A result that the service has finished could not be brought to this machine.

    `attempts` is how often it is worth trying in all while this is the obstacle; see
    `domain.retries`. After that the user is given the link.
    """

    def __init__(self, reason: str, *, code: str, attempts: int) -> None:
        super().__init__(as_sentence(reason))
        self.reason = reason
        self.code = code
        self.attempts = attempts

    def hide_folders(self) -> None:
        super().hide_folders()
        self.reason = hide_folders(self.reason)


class FileElsewhere(GeekAIVideoError):
    """The file of a finished task is on another machine alone.

    `passing`: whether it is being fetched, and may be here soon.
    """

    def __init__(self, name: str, why: str, remedy: str, *, passing: bool = False) -> None:
        super().__init__(
            f"The file of task {name} is not on this server, {as_sentence(why)}",
            remedy=as_sentence(remedy),
        )
        self.passing = passing


class JoinFailed(GeekAIVideoError):
    """Finished videos could not be joined into a film on this machine; nothing is left of it."""

    def __init__(self, reason: str, *, code: str, remedy: str) -> None:
        super().__init__(as_sentence(reason), remedy=as_sentence(remedy))
        self.code = code
        self.reason = as_sentence(reason)
        self.remedy = as_sentence(remedy)

    def hide_folders(self) -> None:
        super().hide_folders()
        self.reason, self.remedy = hide_folders(self.reason), hide_folders(self.remedy)


class SubmissionUnknown(GeekAIVideoError):
    """The request was sent, and no usable response came; only a person may have it sent again."""

    def __init__(self, reason: str, *, raw_response: str | None = None) -> None:
        super().__init__(
            as_sentence(reason),
            money=MAYBE_CHARGED,
            remedy="Do not send it again on your own; ask the user first.",
        )
        self.code = "no_answer"
        self.raw_response = raw_response


class ConsentNotGiven(GeekAIVideoError):
    """A paid request needs a person's consent, and it was not given."""

    def __init__(self, reason: str, *, remedy: str) -> None:
        super().__init__(as_sentence(reason), money=NOT_CHARGED, remedy=as_sentence(remedy))


class InvalidDecision(GeekAIVideoError):
    """A person's decision about a task was refused; only the command line shows it.

    It says nothing about money, because nobody knows what the task cost.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(as_sentence(reason), remedy="Nothing was changed.")


class HostError(GeekAIVideoError):
    """The configuration of a host could not be read or changed, and is as it was."""

    def __init__(self, reason: str, *, remedy: str = "") -> None:
        super().__init__(as_sentence(reason), remedy=remedy)
        self.reason = as_sentence(reason)


class ConfigError(GeekAIVideoError):
    """The settings are not valid; `problems` has every mistake, by its place.

    That is the name of a variable, with the settings file where that sets it, or the file alone.
    """

    def __init__(self, problems: dict[str, str]) -> None:
        lines = "".join(f"\n  {name}: {msg}" for name, msg in problems.items())
        super().__init__(f"The settings are not valid:{lines}")
        self.problems = problems


@contextmanager
def nothing_charged() -> Generator[None]:
    """Add "Nothing was charged." to errors raised inside, before a paid request could be sent.

    It is for errors that a read raises too: its code cannot know what the read was for.
    """
    try:
        yield
    except (
        LedgerTooNew,
        NotAuthorised,
        ServiceUnavailable,
        StorageUnavailable,
        TaskNotFound,
        WrongService,
    ) as exc:
        exc.money = exc.money or NOT_CHARGED
        raise


@contextmanager
def hiding_folders(*, hide: bool) -> Generator[None]:
    """With *hide*, errors raised inside name no folder of this machine: they are told to others."""
    try:
        yield
    except (DownloadFailed, JoinFailed, StorageUnavailable) as exc:
        if hide:
            exc.hide_folders()
        raise


def describe_os_error(exc: OSError) -> str:
    """Why the operating system refused a file or folder, in words that follow a colon."""
    words = _OS_ERRORS.get(exc.errno or 0)
    return words or exc.strerror or type(exc).__name__


def first_own_error(exc: BaseException) -> GeekAIVideoError | None:
    """The error of this package that *exc* is, or the first that its groups hold."""
    if isinstance(exc, GeekAIVideoError):
        return exc
    if not isinstance(exc, BaseExceptionGroup):
        return None
    group = cast("BaseExceptionGroup[BaseException]", exc)
    return next(filter(None, map(first_own_error, group.exceptions)), None)


_OS_ERRORS: Final = {
    errno.EACCES: "this user has no permission",
    errno.EPERM: "this user has no permission",
    errno.EROFS: "its file system is read-only",
    errno.ENOSPC: "its disk is full",
    getattr(errno, "EDQUOT", -1): "this user's disk quota is used up",  # not on every system
    errno.EFBIG: "the file size limit of this process is reached",
    errno.ENOENT: "it does not exist",
    errno.ENOTDIR: "a part of its path is a file and not a folder",
    errno.EEXIST: "a file is in its place",
    errno.EISDIR: "a folder is in its place",
    errno.ELOOP: "its path is a loop of symbolic links",
    errno.ENAMETOOLONG: "its path is too long",
    errno.EIO: "its disk reports an input/output error",
}
"""Reasons in words; other errors are described by the operating system's own text."""
