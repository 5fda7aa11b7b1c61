"""Arabic and Latin in one title: the order of words and brackets, and the side it stands on."""

from __future__ import annotations

import pytest

from geekai_sandbox.render.bidi import embedding_levels
from geekai_sandbox.render.layout import Backdrop
from geekai_sandbox.render.plan import ImagePlan
from geekai_sandbox.render.poster import Poster
from geekai_sandbox.render.shaping import split_by_direction

ARABIC = "قطة صغيرة تلعب في حديقة Central Park مع كلب Golden Retriever تحت أشعة الشمس في الصباح"
LATIN = (
    "A calligrapher slowly writes the Arabic greeting مرحبا بالعالم مرحبا on an old wall in Cairo"
)


@pytest.mark.parametrize(
    ("text", "rtl", "levels"),
    [
        # Both brackets go with what is inside, if that goes on from before.
        ("א ab (cd) ב", True, "11222222211"),
        ("a א (ב) b", False, "001111100"),
        ("a (א) b", False, "0001000"),
        ("א (ab) ב", True, "11122111"),
        # Signs belong to the number beside them; after Arabic letters, to the text.
        ("א 50% ב", True, "1122211"),
        ("ش 50% ش", True, "1122111"),
        ("ش 1.5 ش", True, "1122211"),
        ("א 1-2 ב", True, "1122211"),
        ("ש 12", False, "1122"),
        ("abc 12", True, "222222"),
    ],
)
def test_a_character_has_the_level_of_the_unicode_algorithm(
    text: str, levels: str, *, rtl: bool
) -> None:
    # The levels that fribidi 1.0 gives.
    assert "".join(map(str, embedding_levels(text, rtl=rtl))) == levels


def test_a_line_has_the_direction_of_its_paragraph() -> None:
    line = "Park مع كلب"
    assert [s.text for s in split_by_direction(line)] == ["Park ", "مع كلب"]
    assert [s.text for s in split_by_direction(line, rtl=True)] == [" مع كلب", "Park"]


@pytest.mark.parametrize("raqm", [None, False])
@pytest.mark.parametrize(("prompt", "side"), [(ARABIC, "right"), (LATIN, "left")])
def test_every_line_of_a_mixed_title_stands_on_the_side_where_its_language_begins(
    prompt: str, side: str, *, raqm: bool | None
) -> None:
    poster = Poster(
        ImagePlan(prompt, "sandbox", 640, 360), Backdrop.for_landscape("sea"), raqm=raqm
    )
    lines = [box for box in poster.sprite_boxes() if box[0] > 90]

    assert len(lines) > 1
    margin = 28
    for _, left, _, right in lines:
        space = 640 - right if side == "right" else left
        assert abs(space - margin) <= 5, lines
