"""The ratio in the label of a preview: the name that people use, where it is true."""

from __future__ import annotations

import pytest

from geekai_sandbox.render.ratios import name_ratio


@pytest.mark.parametrize(
    ("size", "label"),
    [
        ((1280, 720), "16:9"),
        ((854, 480), "16:9"),
        ((480, 854), "9:16"),
        ((1366, 768), "16:9"),
        ((1680, 720), "21:9"),
        ((1120, 480), "21:9"),
        ((720, 1680), "9:21"),
        ((1692, 720), "2.35:1"),
        ((640, 480), "4:3"),
        ((720, 720), "1:1"),
        ((1440, 720), "2:1"),
        ((848, 480), "1.77:1"),
        ((480, 848), "1:1.77"),
        ((1920, 1088), "1.76:1"),
        ((2560, 1080), "2.37:1"),
    ],
)
def test_a_label_calls_a_ratio_as_people_do_and_only_where_it_is_true(
    size: tuple[int, int], label: str
) -> None:
    assert name_ratio(*size) == label
