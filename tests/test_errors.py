"""Every message says what happened, and what to do next; outside text is data in it."""

import inspect
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geekai_video_mcp import errors
from geekai_video_mcp.errors import (
    BUSY,
    DATABASE,
    MAYBE_CHARGED,
    NOT_CHARGED,
    CapReached,
    ConfigError,
    ConsentNotGiven,
    FileElsewhere,
    GeekAIVideoError,
    JoinFailed,
    LedgerTooNew,
    NotAuthorised,
    RequestRefused,
    ServiceUnavailable,
    StorageUnavailable,
    SubmissionUnknown,
    TaskNotFound,
    WrongService,
    nothing_charged,
)
from geekai_video_mcp.quoting import (
    as_sentence,
    quote,
    sanitize,
)

ANYTHING = st.text(st.characters(codec=None), max_size=400)

ONE_OF_EACH = [
    RequestRefused("duration: must be a number"),
    TaskNotFound("8d1f"),
    CapReached("10 videos are under way", remedy="Wait for one with get_video_task"),
    NotAuthorised("The key was refused", status_code=401, remedy="The operator sets a key."),
    WrongService("x.test answered HTTP 404", base_url="https://x.test"),
    StorageUnavailable(DATABASE, "disk full"),
    LedgerTooNew("upgraded"),
    ServiceUnavailable("No route"),
    SubmissionUnknown("The line went dead"),
    ConsentNotGiven("The user said no", remedy="The operator sets GEEKAI_CONFIRM=never"),
]
OF_NO_REQUEST = [
    StorageUnavailable(DATABASE, "disk full"),
    StorageUnavailable(DATABASE, BUSY, access="read"),
    StorageUnavailable(DATABASE, "file is not a database", access="opened"),
    LedgerTooNew("created"),
    RequestRefused("limit: must be a number", money=None),
    TaskNotFound("8d1f"),
    NotAuthorised("The key was refused", status_code=401, remedy="The operator sets a key."),
    WrongService("x.test answered HTTP 404", base_url="https://x.test"),
    ServiceUnavailable("No route"),
    JoinFailed("Part 2 is missing", code="part_missing", remedy="Leave it out, then try again"),
    FileElsewhere("1a2b3c4d", "another one has stored it", "The operator shares the output folder"),
]
"""What a read, or a write on this machine alone, may meet."""
NEXT_MOVES = (
    "Wait for one",
    "Change the call",
    "Use the task_id",
    "The operator",
    "Free disk space",
    "may work",
    "try again",
)


def _tree() -> Iterator[str]:
    for line in (errors.__doc__ or "").splitlines():
        if line.startswith(("├── ", "└── ")):
            yield line[4:].split()[0]


def test_the_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    classes = [
        name
        for name, thing in vars(errors).items()
        if inspect.isclass(thing) and thing.__base__ is GeekAIVideoError
    ]

    assert sorted(_tree()) == sorted(classes)
    assert {type(error).__name__ for error in ONE_OF_EACH} == {*classes} - {
        "ConfigError",
        "DownloadFailed",  # recorded, and told with the link as part of a result
        "FileElsewhere",  # the error of a read; a request that needs the file is a `RequestRefused`
        "JoinFailed",  # work on this machine alone, after which nothing was paid
        "HostError",  # work on this machine alone
        "InvalidDecision",  # to people at a terminal, about what is not known
    }


@pytest.mark.parametrize("error", ONE_OF_EACH, ids=lambda error: type(error).__name__)
def test_every_message_about_a_payment_has_one_word_on_money_and_a_next_move(
    error: GeekAIVideoError,
) -> None:
    with pytest.raises(type(error)), nothing_charged():
        raise error

    assert error.message.endswith(".")
    assert str(error) == error.message
    assert "\n" not in error.message
    assert (error.message.count(NOT_CHARGED), error.message.count(MAYBE_CHARGED)) in {
        (1, 0),
        (0, 1),
    }
    assert any(move in error.message for move in (*NEXT_MOVES, "ask the user"))


def test_a_submission_without_an_answer_says_that_it_may_have_been_charged() -> None:
    assert MAYBE_CHARGED in SubmissionUnknown("x").message
    assert "Do not send it again" in SubmissionUnknown("x").message


@pytest.mark.parametrize("error", OF_NO_REQUEST, ids=lambda error: error.message[:40])
def test_what_reads_or_only_writes_here_says_nothing_of_money(error: GeekAIVideoError) -> None:
    assert error.message.endswith(".")
    assert NOT_CHARGED not in error.message
    assert MAYBE_CHARGED not in error.message
    assert any(move in error.message for move in NEXT_MOVES)


def test_a_database_that_is_busy_is_said_to_be_and_nothing_else() -> None:
    assert StorageUnavailable(DATABASE, BUSY, access="read").message == (
        "The task database is busy. Wait a few seconds, then try again."
    )


def test_a_disk_that_fails_after_the_request_left_says_so() -> None:
    error = StorageUnavailable("The answer", "disk full", money=MAYBE_CHARGED)

    assert error.message == (
        "The answer could not be written: disk full. It may have been charged. Free disk space"
        " or fix the folder's permissions, then call get_video_task. Do not generate it again."
    )


def test_a_read_that_fails_on_the_way_to_a_paid_request_says_that_nothing_was_charged() -> None:
    with pytest.raises(StorageUnavailable) as error, nothing_charged():
        raise StorageUnavailable(DATABASE, "disk I/O error", access="read")

    assert error.value.message == (
        "The task database could not be read: disk I/O error. Nothing was charged. Free disk"
        " space or fix the folder's permissions, then try again."
    )


def test_what_is_known_of_the_money_is_not_said_away() -> None:
    with pytest.raises(StorageUnavailable, match=MAYBE_CHARGED), nothing_charged():
        raise StorageUnavailable("The answer", "disk full", money=MAYBE_CHARGED)


def test_every_mistake_in_the_environment_has_a_line_of_its_own() -> None:
    message = ConfigError({"GEEKAI_API_KEY": "is odd", "GEEKAI_BASE_URL": "is no URL"}).message

    assert message.splitlines()[1:] == [
        "  GEEKAI_API_KEY: is odd",
        "  GEEKAI_BASE_URL: is no URL",
    ]


@given(ANYTHING, st.integers(min_value=1, max_value=120))
def test_plain_text_is_one_visible_line_within_its_limit(text: str, limit: int) -> None:
    shown = sanitize(text, limit=limit)

    assert len(shown) <= limit
    assert shown == " ".join(shown.split())
    assert not {unicodedata.category(ch) for ch in shown} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    assert sanitize(shown, limit=limit) == shown
    shown.encode()


@given(ANYTHING)
def test_quoted_text_cannot_end_its_own_quotation(text: str) -> None:
    assert quote(text)[0] == quote(text)[-1] == '"'
    assert quote(text).count('"') == 2


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "[31mred [0m"),
        ("safe\u202egnp.exe", "safe gnp.exe"),
        ("a\u200bb", "a b"),
        ("line\r\none\u2028two", "line one two"),
        ("half\ud800", "half"),
        # Variation selectors show nothing and can carry a whole hidden text.
        ("a\U000e0100\U000e0101b\ufe0f", "ab"),
        ("極客智坊 ünïcode हिन्दी", "極客智坊 ünïcode हिन्दी"),
    ],
)
def test_what_cannot_be_seen_is_not_repeated(hidden: str, shown: str) -> None:
    assert sanitize(hidden) == shown


def test_ten_thousand_characters_are_cut_with_a_mark() -> None:
    assert sanitize("x" * 10_000) == "x" * 299 + "…"


@pytest.mark.parametrize("sentence", ["Done", "Done.", "Really?", "好。", 'It said "no."'])
def test_a_sentence_ends_once(sentence: str) -> None:
    assert as_sentence(sentence) == (sentence if sentence != "Done" else "Done.")
