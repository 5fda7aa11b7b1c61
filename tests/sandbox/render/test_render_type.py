"""Text: no missing glyphs, joined letters and correct line breaks, with and without Raqm."""

from __future__ import annotations

import itertools
import unicodedata

import numpy as np
import pytest
from PIL import Image, features

from geekai_sandbox.render.fonts import DISPLAY, LABEL, MONO, VENDORED, FontStack, coverage
from geekai_sandbox.render.headline import TextLimits, fit_text, split_headline
from geekai_sandbox.render.lines import (
    NO_END,
    NO_START,
    balance_lines,
    normalize_text,
    split_tokens,
    truncate,
    wrap_lines,
)
from geekai_sandbox.render.shaping import is_rtl, shape_arabic, split_by_direction, visual_order
from geekai_sandbox.render.typesetter import Typesetter

OURS = FontStack(DISPLAY, system=False)

PROMPTS = {
    "zh": "彼得兔开小汽车，游走在马路上，脸上的表情充满开心喜悦。",
    "zh-Hant": "夜晚的城市裡，霓虹燈閃爍，一隻貓走過屋頂",
    "ja": "夜の海を見つめる少女、波の音がやさしく響く。ヴァイオリン",
    "ko": "고양이가 벚꽃 아래에서 낮잠을 자고 있다",
    "ar": "قطة صغيرة تلعب في الحديقة مع ٣ فراشات (جميلة)، لا إله",
    "fa": "گربه‌ای در باغ پرسه می‌زند",
    "he": "חתול קטן רודף אחרי פרפר בגן, 2024 (HD)",
    "th": "แมวน้อยกำลังเล่นอยู่ในสวนดอกไม้",
    "vi": "Con mèo nhỏ đang chơi đùa trong vườn hoa",
    "ru": "Кошка спит под цветущей вишней",
    "el": "Η γάτα κοιμάται κάτω από την κερασιά",
    "emoji": "🚀🌕 lands 👩‍🚀 waves 👋🏽 ❤️ 🇫🇷",
    "mixed": 'A 猫 and a собака meet at the café in 東京, says "שלום" — 4K, f/1.8 🐾',
}

RAQM = [
    pytest.param(True, marks=pytest.mark.skipif(not features.check("raqm"), reason="no Raqm here")),
    False,
]


@pytest.mark.parametrize("raqm", RAQM)
@pytest.mark.parametrize("stack", [DISPLAY, LABEL, MONO])
@pytest.mark.parametrize("language", PROMPTS)
def test_no_character_is_drawn_by_a_face_that_lacks_it(
    language: str, stack: tuple[str, ...], *, raqm: bool
) -> None:
    for run in Typesetter(FontStack(stack), raqm).split_runs(normalize_text(PROMPTS[language])):
        assert {ord(c) for c in run.text} <= coverage(run.face.path), run


@pytest.mark.parametrize("raqm", RAQM)
@pytest.mark.parametrize("language", PROMPTS)
def test_every_language_we_have_a_face_for_is_set_whole(language: str, *, raqm: bool) -> None:
    setter = Typesetter(OURS, raqm)
    text = normalize_text(PROMPTS[language])
    assert setter.can_set(text)
    drawn = unicodedata.normalize("NFKC", "".join(run.text for run in setter.split_runs(text)))
    letters = {c for c in unicodedata.normalize("NFKC", text) if c.isalnum()}
    assert letters <= set(drawn)


def test_a_script_without_a_face_or_shaper_is_not_set() -> None:
    assert not Typesetter(OURS, raqm=True).can_set("ꦱꦸꦱꦸꦲꦸꦤꦤ꧀")
    assert not Typesetter(FontStack(DISPLAY), raqm=False).can_set("हिमालय के ऊपर सूर्योदय")
    assert not Typesetter(OURS, raqm=False).can_set("")


def test_one_unknown_letter_in_a_long_prompt_is_dropped_not_drawn() -> None:
    text = "A long enough prompt with one rare letter in it ꦱ and then some"
    setter = Typesetter(OURS, raqm=False)
    assert setter.can_set(text)
    assert "ꦱ" not in "".join(run.text for run in setter.split_runs(text))


def test_a_space_comes_from_a_face_that_has_one() -> None:
    # The Korean subset has no space, and a run once inherited its face.
    for run in Typesetter(OURS, raqm=False).split_runs("고양이 고양이 🚀 猫 x"):
        assert " " not in run.text or ord(" ") in coverage(run.face.path)


@pytest.mark.parametrize("name", sorted({*DISPLAY, *LABEL, *MONO}))
def test_every_vendored_face_opens_and_covers_something(name: str) -> None:
    assert len(coverage(VENDORED / name)) > 20


def test_the_cmap_reader_agrees_with_what_the_fonts_draw() -> None:
    face = VENDORED / "NotoNaskhArabic.ttf"
    assert {0x0627, 0xFEFB, 0x0640} <= coverage(face)
    assert ord("A") in coverage(VENDORED / "InstrumentSerif.ttf")
    assert ord("猫") in coverage(VENDORED / "NotoSerifSC.otf")
    assert ord("猫") not in coverage(VENDORED / "InstrumentSerif.ttf")
    assert 0x1F680 in coverage(VENDORED / "NotoEmoji.ttf")  # format 12: beyond the first plane


def test_a_file_that_is_no_font_covers_nothing() -> None:
    assert coverage(VENDORED / "OFL.txt") == frozenset()
    assert coverage(VENDORED / "missing.ttf") == frozenset()


@pytest.mark.parametrize(
    ("word", "forms"),
    [
        ("سلام", "\ufeb3\ufefc\ufee1"),  # seen initial, lam-alef final, meem isolated
        ("قطة", "\ufed7\ufec4\ufe94"),  # initial, medial, final
        ("لا", "\ufefb"),  # lam-alef alone
        ("دار", "\ufea9\ufe8d\ufead"),  # none of them joins forward
        ("بَب", "\ufe91\u064e\ufe90"),  # a vowel mark does not part what it stands between
        ("پیچ", "\ufb58\ufbff\ufb7b"),  # Persian letters
        ("بـ", "\ufe91\u0640"),  # a tatweel joins
        ("abc", "abc"),
    ],
)
def test_arabic_letters_take_the_form_their_neighbours_ask_for(word: str, forms: str) -> None:
    assert shape_arabic(word) == forms


def test_a_run_is_reversed_with_its_marks_and_brackets() -> None:
    assert visual_order("(שלוֹם)") == "(ם\u05d5\u05b9לש)"


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("abc", ["abc"]),
        ("שלום abc", ["abc", "שלום "]),
        ("חדר 12 פנוי", [" פנוי", "12", "חדר "]),
        ("say שלום now", ["say ", "שלום", " now"]),
        ("العدد 3.5 هنا", [" هنا", "3.5", "العدد "]),
        ("", []),
    ],
)
def test_directions_stand_in_visual_order(text: str, order: list[str]) -> None:
    assert [segment.text for segment in split_by_direction(text)] == order


@pytest.mark.skipif(not features.check("raqm"), reason="no Raqm here to compare with")
@pytest.mark.parametrize("language", ["ar", "he"])
def test_without_raqm_a_line_looks_as_with_it(language: str) -> None:
    text = PROMPTS[language]
    with_raqm, without = (
        Typesetter(OURS, raqm).rasterize(text, 60).alpha for raqm in (True, False)
    )
    assert abs(with_raqm.shape[1] - without.shape[1]) <= 0.04 * with_raqm.shape[1]
    # Kerning differs by a pixel here and there, so compare what each twentieth of the line holds.
    ink = [
        np.asarray(Image.fromarray(a.sum(axis=0)[None]).resize((20, 1), Image.Resampling.BOX))
        for a in (with_raqm, without)
    ]
    assert np.corrcoef(ink[0].ravel(), ink[1].ravel())[0, 1] > 0.9


def test_a_right_to_left_line_is_known_by_its_first_letter() -> None:
    assert is_rtl('"123 שלום')
    assert not is_rtl("123 abc שלום")


def width_of(text: str) -> float:
    return sum(2.0 if ord(c) > 0x2E80 else 1.0 for c in text)


@pytest.mark.parametrize("width", range(4, 30, 3))
@pytest.mark.parametrize("language", ["zh", "ja"])
def test_no_line_begins_or_ends_with_what_must_not(language: str, width: int) -> None:
    text = PROMPTS[language] + "（前景）「花」。"
    lines = wrap_lines(split_tokens(text), width, width_of)
    assert "".join(lines) == text
    assert not any(line[0] in NO_START for line in lines[1:])
    assert not any(line[-1] in NO_END for line in lines[:-1])


def test_words_and_hangul_are_not_split() -> None:
    assert wrap_lines(split_tokens("고양이가 벚꽃 아래에서"), 9, width_of) == [
        "고양이가",
        "벚꽃",
        "아래에서",
    ]
    assert split_tokens("it's well-known, isn't it?") == ["it's ", "well-known, ", "isn't ", "it?"]


def test_a_thai_line_breaks_between_syllables_and_never_before_a_mark() -> None:
    pieces = split_tokens(PROMPTS["th"])
    assert len(pieces) > 5
    assert not any(unicodedata.combining(piece[0]) or piece[0] in "ะาำ" for piece in pieces)
    assert not any(piece[-1] in "เแโใไ" for piece in pieces)


def test_an_emoji_sequence_is_one_piece() -> None:
    assert split_tokens("👩‍🚀👋🏽") == ["👩‍🚀", "👋🏽"]


def test_balanced_lines_are_even_and_no_more_than_needed() -> None:
    pieces = split_tokens("Kittens and puppies are playing in the tall green grass today")
    greedy, even = wrap_lines(pieces, 40, width_of), balance_lines(pieces, 40, width_of)
    assert len(even) == len(greedy) == 2
    assert "".join(even).replace(" ", "") == "".join(greedy).replace(" ", "")

    def unevenness(lines: list[str]) -> float:
        return max(map(width_of, lines)) - min(map(width_of, lines))

    assert unevenness(even) < unevenness(greedy)


def test_what_does_not_fit_ends_in_an_ellipsis_that_does() -> None:
    assert truncate(["one", "two,", "three"], 2) == ["one", "two…"]
    setter = Typesetter(OURS, raqm=False)
    block = fit_text(setter, "word " * 200, TextLimits(200, 100, 3), [30, 20], cjk=1.3, other=1.1)
    assert block.lines[-1].endswith("…")
    assert max(setter.width(line, block.size) for line in block.lines) <= 204


def test_a_word_wider_than_the_frame_is_cut() -> None:
    setter = Typesetter(OURS, raqm=False)
    block = fit_text(setter, "m" * 80, TextLimits(200, 400, 9), [20], cjk=1.3, other=1.1)
    assert len(block.lines) > 3
    assert max(setter.width(line, block.size) for line in block.lines) <= 204


@pytest.mark.parametrize(
    ("prompt", "head", "deck"),
    [
        (
            "彼得兔开小汽车，游走在马路上，脸上充满喜悦",
            "彼得兔开小汽车",
            "游走在马路上，脸上充满喜悦",
        ),
        (
            "A cat sleeps in the sun, slow push in, 35 mm film",
            "A cat sleeps in the sun",
            "slow push in, 35 mm film",
        ),
        ("Lens at f/1.8, please", "Lens at f/1.8, please", ""),
        ("Kittens are playing", "Kittens are playing", ""),
        ("Version 3.5 of a dream", "Version 3.5 of a dream", ""),
        ("قطة صغيرة تلعب، في الحديقة الجميلة", "قطة صغيرة تلعب، في الحديقة الجميلة", ""),
    ],
)
def test_a_first_clause_that_stands_alone_is_the_headline(
    prompt: str, head: str, deck: str
) -> None:
    assert split_headline(prompt) == (head, deck)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("  a\tb\n\nc ", "a b c"),
        ("一只猫,在草地上.", "一只猫，在草地上。"),
        ("一只 猫", "一只猫"),
        ("고양이 고양이", "고양이 고양이"),
        ("a\x00b\x1b[31m", "a b [31m"),
        ("\u202egnp.exe", "gnp.exe"),
        ("e\u0301", "é"),
        ("f/1.8, 4K", "f/1.8, 4K"),
    ],
)
def test_a_prompt_is_tidied_for_setting(raw: str, shown: str) -> None:
    assert normalize_text(raw) == shown


@pytest.mark.parametrize("raqm", RAQM)
@pytest.mark.parametrize(
    ("language", "size"), list(itertools.product(["ar", "th", "emoji", "vi", "zh"], [20, 90]))
)
def test_no_glyph_touches_the_edge_of_its_mask(language: str, size: int, *, raqm: bool) -> None:
    alpha = Typesetter(OURS, raqm).rasterize(normalize_text(PROMPTS[language]), size).alpha
    assert alpha.max() > 0.9
    border = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
    assert border.max() == 0
