"""Text laid out for a terminal."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geekai_video_mcp.cli.table import display_width, wrap_text


@given(st.text(st.sampled_from("ab 雪\u0301")), st.integers(2, 12))
def test_lines_hold_every_word_and_are_no_wider_than_asked(words: str, width: int) -> None:
    lines = wrap_text(words, width)

    assert all(display_width(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(words.split())


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ("", [""]),
        ("a fox in the snow", ["a fox in", "the snow"]),
        ("a-fox-in-the-snow", ["a-fox-in", "-the-sno", "w"]),
        ("雪の中の狐が走る", ["雪の中の", "狐が走る"]),
    ],
)
def test_lines_break_at_spaces_where_there_are_any(words: str, lines: list[str]) -> None:
    assert wrap_text(words, 8) == lines


def test_a_text_of_a_megabyte_is_wrapped_at_once() -> None:
    started = time.process_time()
    lines = wrap_text("x" * 1_000_000, 80)

    assert len(lines) == 12_500
    assert time.process_time() - started < 10.0  # it was an hour when each line measured the rest
