"""Every error raised on purpose. Ask of each: who moves next?

GeekAIVideoError
├── RequestRefused        the caller: these arguments will never work, better ones will
├── TaskNotFound          the caller: no such task here or at the service
├── CapReached            time, or the operator: a cap on spending; no call passes it
├── NotAuthorised         the operator: the key or the balance; no call fixes it
├── StorageUnavailable    the operator: a disk or a folder that cannot be read or written
├── LedgerTooNew          the operator: the task database is of a newer version of this server
├── ServiceUnavailable    time: the same call may work later
├── SubmissionUnknown     a person: no answer to the POST, so nobody may send it again unasked
├── ConsentNotGiven       a person: they have to agree to a payment, and have not
├── InvalidDecision       a person: what they decided about a task does not fit how it stands
└── ConfigError           the operator: the environment; raised only at start-up

Messages are read by models and people alike. Each says what happened, whether money
was spent, in one of the two sentences below word for word, and what to do next. What reads,
and what only writes on this machine, concerns no money and says neither sentence.
Nothing from outside enters a message unless `quote` has made it data.
"""

import unicodedata
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Literal

NOT_CHARGED: Final = "Nothing was charged."
MAYBE_CHARGED: Final = "It may have been charged."
Money = Literal["Nothing was charged.", "It may have been charged."]

DATABASE: Final = "The task database"
BUSY: Final = "the task database is busy"

RATE_LIMITED: Final = "rate_limited"
"""The code of a `ServiceUnavailable` that asks everyone to wait."""

QUOTE_LIMIT: Final = 300
"""Characters of outside text that a message repeats: enough for any error sentence seen."""


class GeekAIVideoError(Exception):
    """Anything this package raises on purpose; `str()` of it may be shown to anyone."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class RequestRefused(GeekAIVideoError):
    """The arguments were refused, here or by the service, before anything was charged."""

    def __init__(self, reason: str, *, code: str = "invalid_arguments") -> None:
        super().__init__(f"{as_sentence(reason)} {NOT_CHARGED} Change the call and try again.")
        self.code = code


class CapReached(GeekAIVideoError):
    """A cap on videos was reached; only time or the configuration moves it."""

    def __init__(self, reason: str, *, remedy: str) -> None:
        super().__init__(f"{as_sentence(reason)} {NOT_CHARGED} {as_sentence(remedy)}")
        self.reason = reason


class TaskNotFound(GeekAIVideoError):
    """No task of this id, neither in the ledger nor at the service."""

    def __init__(self, task_id: str) -> None:
        super().__init__(
            f"No task {quote(task_id, limit=64)} is known here or at the service. {NOT_CHARGED}"
            " Use the task_id that generate_video returned, whole."
        )
        self.task_id = task_id


class NotAuthorised(GeekAIVideoError):
    """The key or the balance was refused; `status_code` is the service's HTTP status."""

    def __init__(self, reason: str, *, status_code: int, remedy: str) -> None:
        super().__init__(f"{as_sentence(reason)} {NOT_CHARGED} {remedy}")
        self.status_code = status_code
        self.code = {401: "unauthorized", 402: "insufficient_balance"}.get(status_code, "forbidden")


class StorageUnavailable(GeekAIVideoError):
    """A disk failed, or another process holds the task database.

    `money` is what is known of the request it was for: None where nothing was to be paid.
    """

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
            then = "call get_video_task; never generate it again" if sent else "try again"
            mend = (
                "Wait a few seconds" if busy else "Free some space or mend the folder's permissions"
            )
            remedy = f"{mend}, then {then}."
        said = (as_sentence(problem[0].upper() + problem[1:]), money, remedy)
        super().__init__(" ".join(part for part in said if part))
        self.what = what
        self.reason = reason
        self.access: Final = access
        self.money = money


@contextmanager
def nothing_charged() -> Generator[None]:
    """Around what comes before a paid request may leave: a disk that fails there is about money."""
    try:
        yield
    except StorageUnavailable as exc:
        if exc.money is not None:
            raise
        raise StorageUnavailable(
            exc.what, exc.reason, access=exc.access, money=NOT_CHARGED
        ) from exc


class LedgerTooNew(GeekAIVideoError):
    """The task database is of a newer version: its rules for money may have grown.

    `money` is None where nothing was to be paid, as when the database is opened.
    """

    def __init__(self, was: Literal["created", "upgraded"], *, money: Money | None = None) -> None:
        meanwhile = " while this one was running" if was == "upgraded" else ""
        problem = f"{DATABASE} was {was} by a newer version of this server{meanwhile}"
        way_out = "The operator upgrades this server and starts it again."
        super().__init__(" ".join(part for part in (as_sentence(problem), money, way_out) if part))
        self.code = "ledger_too_new"


class ServiceUnavailable(GeekAIVideoError):
    """The service or the network failed in a way that charges nothing.

    `retry_after_seconds` is the service's own wish, where it gave one.
    """

    def __init__(
        self, reason: str, *, code: str = "unavailable", retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(f"{as_sentence(reason)} {NOT_CHARGED} The same call may work later.")
        self.reason = reason
        self.code = code
        self.retry_after_seconds = retry_after_seconds


class SubmissionUnknown(GeekAIVideoError):
    """The request left, and no usable answer came; only a person may send it again.

    `raw_response` is what did come back, capped, for the record and for no message.
    """

    def __init__(self, reason: str, *, raw_response: str = "") -> None:
        super().__init__(
            f"{as_sentence(reason)} {MAYBE_CHARGED} Do not send it again on your own: ask the user."
        )
        self.code = "no_answer"
        self.raw_response = raw_response


class ConsentNotGiven(GeekAIVideoError):
    """A person's consent is asked for before paying, and it was not given."""

    def __init__(self, reason: str, *, remedy: str) -> None:
        super().__init__(f"{as_sentence(reason)} {NOT_CHARGED} {as_sentence(remedy)}")


class InvalidDecision(GeekAIVideoError):
    """A person's decision about a task was refused; said on the command line alone.

    It has no word on money: what the task cost is just what is not known.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"{as_sentence(reason)} Nothing was changed.")


class ConfigError(GeekAIVideoError):
    """The environment is not usable; every mistake is in `problems`, by variable name."""

    def __init__(self, problems: dict[str, str]) -> None:
        lines = "".join(f"\n  {name}: {msg}" for name, msg in problems.items())
        super().__init__(f"The environment is not usable:{lines}")
        self.problems = problems


def quote(text: str, *, limit: int = QUOTE_LIMIT) -> str:
    """Text from outside as data: one line, visible characters only, capped, in quotes."""
    # A quotation mark of its own would end the quotation, and what follows would be ours.
    inside = sanitize(text, limit=limit).replace('"', "'")
    return f'"{inside}"'


def sanitize(text: str, *, limit: int = QUOTE_LIMIT) -> str:
    """Connections text without control, bidi, zero-width or surrogate characters, in one line.

    ANSI sequences lose their escape character, and with it their meaning.
    """
    # Cc controls, Cf format (bidi, zero-width), Cs surrogates, Co private, Cn unassigned.
    seen = text[: limit * 4].translate(_SELECTORS)
    kept = "".join(" " if unicodedata.category(ch) in _HIDDEN else ch for ch in seen)
    line = " ".join(kept.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def as_sentence(text: str) -> str:
    """The text with a full stop, whatever it ended in."""
    return text if text.endswith((".", "!", "?", "。", '."')) else f"{text}."


_SELECTORS: Final = dict.fromkeys([*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)])
"""Variation selectors: marks by category, invisible, and able to spell out a hidden text."""
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
