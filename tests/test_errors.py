"""Every message says what happened, and what to do next; outside text is data in it."""

import inspect
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geekai_video_mcp import errors
from geekai_video_mcp.errors import (
    MAYBE_CHARGED,
    NOT_CHARGED,
    CapReached,
    ConfigError,
    GeekAIVideoError,
    NotAgreed,
    NotAuthorised,
    RequestRefused,
    ServiceUnavailable,
    StorageUnavailable,
    SubmissionUnknown,
    TaskNotFound,
    plain,
    quoted,
    sentence,
)

ANYTHING = st.text(st.characters(codec=None), max_size=400)

ONE_OF_EACH = [
    RequestRefused("duration: must be a number"),
    TaskNotFound("8d1f"),
    CapReached("10 videos are under way", way_out="Wait for one with get_video_task"),
    NotAuthorised("The key was refused", status_code=401, way_out="The operator sets a key."),
    StorageUnavailable("The ledger", "disk full"),
    ServiceUnavailable("No route"),
    SubmissionUnknown("The line went dead"),
    NotAgreed("The user said no", way_out="The operator sets GEEKAI_CONFIRM=never"),
]
NEXT_MOVES = (
    "Wait for one",
    "Change the call",
    "Use the task_id",
    "The operator",
    "Free some space",
    "may work",
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
        "DecisionRefused",  # to people at a terminal, about what is not known
    }


@pytest.mark.parametrize("error", ONE_OF_EACH, ids=lambda error: type(error).__name__)
def test_every_message_is_sentences_with_one_word_on_money_and_a_next_move(
    error: GeekAIVideoError,
) -> None:
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


def test_a_disk_that_fails_after_the_request_left_says_so() -> None:
    assert MAYBE_CHARGED in StorageUnavailable("The answer", "disk full", sent=True).message


def test_every_mistake_in_the_environment_has_a_line_of_its_own() -> None:
    message = ConfigError({"GEEKAI_API_KEY": "is odd", "GEEKAI_BASE_URL": "is no URL"}).message

    assert message.splitlines()[1:] == [
        "  GEEKAI_API_KEY: is odd",
        "  GEEKAI_BASE_URL: is no URL",
    ]


@settings(deadline=None)
@given(ANYTHING, st.integers(min_value=1, max_value=120))
def test_plain_text_is_one_visible_line_within_its_limit(text: str, limit: int) -> None:
    shown = plain(text, limit=limit)

    assert len(shown) <= limit
    assert shown == " ".join(shown.split())
    assert not {unicodedata.category(ch) for ch in shown} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    assert plain(shown, limit=limit) == shown
    shown.encode()


@settings(deadline=None)
@given(ANYTHING)
def test_quoted_text_cannot_end_its_own_quotation(text: str) -> None:
    assert quoted(text)[0] == quoted(text)[-1] == '"'
    assert quoted(text).count('"') == 2


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
    assert plain(hidden) == shown


def test_ten_thousand_characters_are_cut_with_a_mark() -> None:
    assert plain("x" * 10_000) == "x" * 299 + "…"


@pytest.mark.parametrize("said", ["Done", "Done.", "Really?", "好。", 'It said "no."'])
def test_a_sentence_ends_once(said: str) -> None:
    assert sentence(said) == (said if said != "Done" else "Done.")
