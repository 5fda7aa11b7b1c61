"""Text laid out for a terminal."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geekai_video_mcp.cli.table import display_width, format_table, truncate, wrap_text


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
        ("fox 雪の中の狐が走る", ["fox 雪の", "中の狐が", "走る"]),
        ("雪の中の「狐」、走る", ["雪の中の", "「狐」、", "走る"]),
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


@pytest.mark.parametrize(
    ("words", "shortened"),
    [
        ("a fox in the snow", "a fox in…"),
        ("a fox", "a fox"),
        ("a-fox-in-the-snow", "a-fox-in…"),
        ("雪の中の狐が走る", "雪の中の…"),
        ("fox 雪の中の狐", "fox 雪の…"),
        ("e\u0301te\u0301 a\u0300 la plage", "e\u0301te\u0301 a\u0300 la…"),
    ],
)
def test_what_does_not_fit_is_cut_off_after_a_word(words: str, shortened: str) -> None:
    assert truncate(words, 10) == shortened


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("fox", 3),
        ("狐", 2),
        ("여우", 4),
        (unicodedata.normalize("NFD", "여우"), 4),
        ("e\u0301", 1),
        ("🦊", 2),
        ("🇨🇳", 2),
        ("ﾌｫｯｸｽ", 5),
        ("ก\u0e34", 1),
    ],
)
def test_a_character_is_as_wide_as_terminals_show_it(text: str, cells: int) -> None:
    assert display_width(text) == cells


def test_words_of_a_wrapped_column_are_not_torn_and_the_others_stay() -> None:
    lines = format_table(
        ["ID", "WORDS"], [["a-long-id", "a fox in the snow"]], width=16, wrapped=[1]
    )

    assert lines == [
        "ID         WORDS",
        "a-long-id  a fox",
        "           in",
        "           the",
        "           snow",
    ]
