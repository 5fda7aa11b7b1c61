"""What the assistant sees of the models: small enough to be read whole, and true to the table."""

import json
from typing import Any

import pytest

from geekai_video_mcp.domain.catalogue import (
    LiveModel,
    check_request,
    extra_body_values,
    models,
    price,
    takes,
)
from geekai_video_mcp.errors import RequestRefused
from geekai_video_mcp.server.arguments import ListVideoModels
from geekai_video_mcp.server.arguments.reads import TAKEN
from geekai_video_mcp.server.views.model_list import HEADINGS, MAX_BYTES, ModelRow, model_list

Live = dict[str, LiveModel]
LIVE: Live = {
    name: LiveModel(id=name, type="video", status="active")
    for name in models()
    if name not in {"vidu-q1", "sora-2"}
}


def pages_of(live: Live | None = None, **asked: Any) -> list[list[ModelRow]]:  # noqa: ANN401 - JSON
    """Every page of the list for these arguments."""
    first, _ = model_list(ListVideoModels.parse(asked), live)
    numbers = range(2, (first.pages or 1) + 1)
    rest = [
        model_list(ListVideoModels.parse({**asked, "page": number}), live)[0].models or []
        for number in numbers[:19]
    ]
    return [first.models or [], *rest]


def found(live: Live | None = None, **asked: Any) -> list[str]:  # noqa: ANN401 - JSON
    return [row.id for page in pages_of(live, **asked) for row in page]


def row_of(name: str, **asked: Any) -> ModelRow:  # noqa: ANN401 - JSON
    return next(row for page in pages_of(**asked) for row in page if row.id == name)


def test_the_first_page_has_twenty_models_of_every_maker_and_begins_with_the_free_one() -> None:
    first, *_ = pages_of()

    assert len(first) == 20
    assert first[0].id == "cogvideox-flash"
    assert first[0].price == 0
    makers = {model.maker for model in models().values() if model.maker}
    assert {row.maker for row in first} == makers


def test_a_row_has_what_is_known_and_nothing_that_is_not() -> None:
    known = row_of("veo-3.1-fast-generate-preview").model_dump(exclude_none=True)
    unknown = row_of("super-video-2.0").model_dump(exclude_none=True)

    assert known == {
        "id": "veo-3.1-fast-generate-preview",
        "maker": "Google",
        "inputs": ["image", "image_tail", "images", "video"],
        "seconds": "4, 6, 8",
        "resolutions": ["720p", "1080p", "4k"],
        "sound": True,
        "price": 1.125,
        "unit": "second",
    }
    assert unknown == {"id": "super-video-2.0", "price": 0.72, "unit": "second"}


def test_the_table_has_a_heading_for_every_cell_and_says_a_price_that_is_not_known() -> None:
    _, text = model_list(ListVideoModels.parse({"query": "kling omni"}), None)
    heading, row, _ = text.splitlines()

    assert heading == " | ".join(HEADINGS[:-1])
    assert row == (
        "kling-video-v3-omni | Kuaishou | image, image_tail, images, video | 3-15"
        " | 720p, 1080p, 4k | yes | none known | price unknown"
    )


def test_that_a_model_needs_a_picture_is_in_both_forms() -> None:
    view, text = model_list(ListVideoModels.parse({"query": "wan2.5-i2v"}), None)

    assert view.models
    assert view.models[0].needs == "image"
    assert "image (needed)" in text


def test_the_day_of_the_prices_is_said_once_and_of_another_price_in_its_row() -> None:
    view, text = model_list(ListVideoModels.parse({"takes": "images", "seconds": 15}), None)
    other = row_of("MiniMax-H3", takes="images", seconds=15)

    assert view.price_date == "2026-04-25"
    assert other.price_date == "2026-11-22"
    assert "0.5 per second on 2026-11-22" in text
    assert text.count("2026-04-25") == 1


FILTERS: list[tuple[dict[str, Any], list[str], list[str]]] = [
    ({"takes": "image"}, ["wan2.7-i2v"], ["wan2.7-t2v", "sora"]),
    ({"takes": "image_tail"}, ["kling-video-v3", "cogvideox-3"], ["kling-video-v2-master"]),
    ({"takes": "images"}, ["vidu-q1", "viduq2"], ["viduq3-pro"]),
    ({"takes": "with_audio"}, ["cogvideox"], ["veo-2.0-generate-001", "sora-2"]),
    ({"takes": "camera_control"}, ["kling-video-v1"], ["kling-video-v3", "viduq3-pro"]),
    ({"takes": "movement_amplitude"}, ["vidu-q1"], ["kling-video-v1"]),
    ({"takes": "size"}, ["cogvideox", "stable-video"], ["kling-video-v3", "veo-3.1-lite"]),
    ({"takes": "aspect_ratio"}, ["kling-video-v1", "MiniMax-H3"], ["wan2.5-t2v-preview"]),
    ({"takes": "prompt, duration"}, ["kling-video-v1"], ["cogvideox-flash"]),
    ({"takes": "image images"}, ["grok-video"], ["doubao-seedance-2.0", "MiniMax-H3"]),
    ({"seconds": 12}, ["doubao-seedance-1.5-pro", "sora-2"], ["kling-video-o1", "vidu-2"]),
    ({"seconds": 7}, ["kling-video-v1", "veo-2.0-generate-001"], ["cogvideox-flash"]),
    ({"resolution": "4k"}, ["kling-video-v3", "cogvideox"], ["kling-video-v2-6"]),
    ({"resolution": "1080P"}, ["wan2.7-t2v", "vidu-q1", "cogvideox"], ["vidu-2"]),
    ({"resolution": "720"}, ["wan2.7-t2v", "vidu-2"], ["vidu-q1"]),
    ({"free": True}, ["cogvideox-flash"], ["bytedance-asset-v1", "cogvideox", "wan2.6-t2v"]),
    ({"takes": "image with_audio", "seconds": 15}, ["kling-video-v3"], ["kling-video-v2-6"]),
]


@pytest.mark.parametrize(("filters", "among", "without"), FILTERS, ids=str)
def test_each_filter_keeps_what_is_known_to_suit_it(
    filters: dict[str, Any], among: list[str], without: list[str]
) -> None:
    ids = set(found(**filters))

    assert ids.issuperset(among)
    assert ids.isdisjoint(without)


def test_false_asks_for_nothing() -> None:
    assert found(free=False) == found()


def test_a_model_found_for_what_it_refuses_says_how_to_get_it() -> None:
    row = row_of("cogvideox-3", takes="image_tail")

    assert row.inputs == ["image"]
    assert row.note == "image_tail: give image as a list of first and last frame"


@pytest.mark.parametrize("name", models())
def test_what_a_row_says_that_a_model_takes_is_not_refused_before_sending(name: str) -> None:
    row, url = row_of(name), "https://example.com/1"
    given: dict[str, dict[str, object]] = {
        "image": {"image": url},
        "image_tail": {"image": url, "image_tail": url},
        "images": {"images": [url]},
        "video": {"video": url, "image": url},
        "audio": {"audio": [url], "images": [url]},
    }
    for argument in row.inputs or ():
        request = {"model": name, "prompt": "a fox", **given[argument]}
        # Some of these inputs exclude each other, which is said of both.
        warnings = check_request(request, checks="warn").warnings
        assert not any(f"not support {argument}," in warning for warning in warnings)


def test_the_cheapest_is_first_and_what_has_no_known_price_is_last() -> None:
    rows = [row for page in pages_of(sort="price", seconds=7) for row in page]
    usable = [row for row in rows if row.note is None]
    costs = [row.cost_cny for row in usable]
    known = [cost for cost in costs if cost is not None]

    assert known == sorted(known)
    assert costs[: len(known)] == known
    assert usable[-1].price is None
    veo = next(row for row in rows if row.id == "veo-3.1-lite-generate-preview")
    assert (veo.cost_seconds, veo.cost_cny) == (8, 3.0)


def test_without_a_length_the_cost_of_five_seconds_is_compared() -> None:
    row = row_of("doubao-seedance-2.0", sort="price")
    _, text = model_list(ListVideoModels.parse({"query": "seedance", "sort": "price"}), None)

    assert (row.cost_seconds, row.cost_cny) == (5, 2.5)
    assert "0.5 per second, 2.5 for 5 s" in text


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"query": "runway"}, 'known by the word "runway". The makers are Zhipu, Shengshu'),
        ({"takes": "camera_control image_tail"}, "known to take camera_control, image_tail toge"),
        ({"free": True, "seconds": 30}, "Leave one out of seconds, free."),
        ({"query": "zhipu", "takes": "image_tail", "seconds": 30}, "out of query, takes, seconds"),
    ],
)
def test_that_nothing_suits_is_said_with_the_reason(asked: dict[str, Any], said: str) -> None:
    view, text = model_list(ListVideoModels.parse(asked), None)

    assert view.models == []
    assert said in text
    assert view.next_step == text


@pytest.mark.parametrize(
    ("name", "hint"),
    [("zzz", "known are "), ("image, zzz", "known are ")],
)
def test_a_name_that_is_no_argument_is_refused_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(RequestRefused, match=hint) as refused:
        model_list(ListVideoModels.parse({"takes": name}), None)

    assert "charged" not in str(refused.value)


def test_every_argument_that_a_filter_may_name_is_taken_by_a_model() -> None:
    assert set(extra_body_values()) <= set(TAKEN)
    for argument in TAKEN:
        assert any(takes(model, argument) for model in models().values()), argument


def test_what_geekai_lists_and_nobody_describes_is_marked() -> None:
    with_new = {**LIVE, "kling-video-v4": LiveModel(id="kling-video-v4", type="video")}
    view, text = model_list(ListVideoModels.parse({"query": "kling"}), with_new)
    every, _ = model_list(ListVideoModels.parse({}), with_new)

    assert view.live
    assert view.models
    (new,) = (row for row in view.models if row.id == "kling-video-v4")
    assert new.note == "listed by GeekAI, not described here"
    assert "| listed by GeekAI, not described here" in text
    assert "GeekAI also lists, not described here: kling-video-v4." in every.next_step


def test_what_geekai_lists_no_more_is_marked_and_last() -> None:
    going = {**LIVE, "vidu-2": LiveModel(id="vidu-2", type="video", status="Deprecated")}
    rows = {row.id: row for page in pages_of(going) for row in page}

    assert rows["vidu-q1"].note == "not in GeekAI's list today"
    assert rows["vidu-2"].note == "deprecated by GeekAI"
    assert set(list(rows)[-3:]) == {"vidu-q1", "vidu-2", "sora-2"}
    # GeekAI lists it, so its maker's end has not come.
    assert rows["sora-2-pro"].note is None


def test_that_a_maker_has_shut_a_model_down_is_said_where_geekais_list_is_not_known() -> None:
    assert row_of("sora-2").note == "may be gone: shut down by its maker on 2026-09-24"
    assert found()[-1] in {"sora-2-all", "sora-2-pro-all", "sora", "sora-2-pro"}


NEW_NAMES = ["m-{}", "a-model-of-quite-some-length-generate-preview-of-many-words-{}"]


@pytest.mark.exhaustive
@pytest.mark.parametrize("new", [0, 1, 40, 400])
@pytest.mark.parametrize("name", NEW_NAMES)
@pytest.mark.parametrize("others", [LIVE, {"m": LiveModel(id="m", type="video")}], ids=len)
@pytest.mark.parametrize("asked", [{}, {"sort": "price"}, {"takes": "image_tail"}], ids=str)
def test_each_page_has_room_for_whatever_geekai_lists(
    new: int, name: str, others: Live, asked: dict[str, Any]
) -> None:
    live = {name.format(n): LiveModel(id=name.format(n), type="video") for n in range(new)}
    for listed in (others | live, None):
        pages = model_list(ListVideoModels.parse(asked), listed)[0].pages or 1
        for page in range(1, min(pages, 20) + 1):
            args = ListVideoModels.parse({**asked, "page": page})
            view, text = model_list(args, listed, sandbox=listed is None)
            as_json = view.model_dump(mode="json", exclude_none=True)
            sent = json.dumps(as_json, ensure_ascii=False, separators=(",", ":"))
            assert len(sent.encode()) <= MAX_BYTES
            assert len(text.encode()) <= MAX_BYTES


def test_a_price_is_that_of_the_catalogue() -> None:
    for row in (row for page in pages_of() for row in page):
        listed = price(row.id)
        assert (row.price, row.unit) == ((listed.cny, listed.per) if listed else (None, None))


@pytest.mark.parametrize(
    ("name", "meant"), [("camera", "camera_control"), ("imagetail", "image_tail")]
)
def test_a_name_that_means_one_argument_is_taken_as_it_and_said(name: str, meant: str) -> None:
    args = ListVideoModels.parse({"takes": name})

    assert args.takes == (meant,)
    assert any(meant in note for note in args.notes)
