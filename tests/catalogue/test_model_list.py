"""What the assistant sees of the models: small enough to be read whole, and true to the table."""

import re
from typing import Any

import pytest

from geekai_video_mcp.domain.catalogue import LiveModel, models, rules
from geekai_video_mcp.errors import RequestRefused
from geekai_video_mcp.server.arguments import ListVideoModels
from geekai_video_mcp.server.views.model_list import LEGEND, MAX_BYTES, model_details, model_list

EVERY = ListVideoModels.parse({})


def list_models(**asked: Any) -> str:  # noqa: ANN401 - JSON
    return model_list(ListVideoModels.parse(asked), None)[1]


def ids(words: str) -> list[str]:
    """The ids of a list, put together as its legend says."""
    heading, found = "", list[str]()
    for line in words.splitlines()[1:]:
        name, _, rest = line.partition(" ")
        if not rest:
            heading = name
        elif ": " in line:
            found += line.partition(": ")[2].split()
        else:
            # A name of its own may follow those of a heading.
            whole = heading + name
            found.append(whole if whole in models() else name)
    return found


def test_the_list_has_every_model_in_a_line() -> None:
    words = list_models()

    assert words.splitlines()[0] == LEGEND
    assert sorted(ids(words)) == sorted(models())


def test_a_line_shows_what_a_model_takes_its_seconds_and_its_price() -> None:
    lines = list_models().splitlines()

    assert "cogvideox-flash tfs 5 free" in lines
    assert "H3 tflrvs 4-15 0.5/s" in lines
    assert "v2-6 tfls 5/10" in lines
    assert "Hailuo-2.3 tf 6/10 2" in lines
    assert "bytedance-asset-v1 no video free" in lines
    assert "2.0 ? 0.72/s" in lines


def test_the_structure_has_the_names_where_they_fit_and_their_number_where_not() -> None:
    few, _ = model_list(ListVideoModels.parse({"query": "seedance"}), None)
    all_, _ = model_list(EVERY, None)

    assert few.ids == {
        "doubao-seedance-": "1.0-lite-t2v 1.0-lite-i2v 1.0-pro 1.0-pro-fast 1.5-pro 2.0 2.0-fast"
    }
    assert all_.ids is not None
    assert all_.ids["doubao-seedance-"] == 7
    assert sum(map(int, all_.ids.values())) == len(models())


FILTERS: list[tuple[dict[str, Any], list[str], list[str]]] = [
    ({"first_frame": True}, ["wan2.7-i2v"], ["wan2.7-t2v", "sora"]),
    ({"last_frame": True}, ["kling-video-v3", "cogvideox-3"], ["kling-video-v2-master"]),
    ({"references": True}, ["vidu-q1", "viduq2"], ["viduq3-pro"]),
    ({"audio": True}, ["veo-3.0-generate-001", "cogvideox"], ["veo-2.0-generate-001"]),
    ({"seconds": 12}, ["doubao-seedance-1.5-pro", "sora-2"], ["kling-video-o1", "vidu-2"]),
    ({"free": True}, ["cogvideox-flash"], ["bytedance-asset-v1", "cogvideox", "wan2.6-t2v"]),
    ({"query": "Zhipu"}, ["cogvideox-3"], ["vidu-2"]),
    ({"query": "fast VEO"}, ["veo-3.0-fast-generate-001"], ["doubao-seedance-2.0-fast"]),
    ({"first_frame": True, "audio": True, "seconds": 15}, ["kling-video-v3"], ["kling-video-v2-6"]),
]


@pytest.mark.parametrize(("filters", "among", "without"), FILTERS, ids=str)
def test_each_filter_keeps_what_is_known_to_suit_it(
    filters: dict[str, Any], among: list[str], without: list[str]
) -> None:
    found = set(ids(list_models(**filters)))

    assert found.issuperset(among)
    assert found.isdisjoint(without)


def test_false_asks_for_nothing() -> None:
    nothing = {"first_frame": False, "last_frame": False, "audio": False, "free": False}

    assert list_models(**nothing) == list_models()


def test_that_nothing_suits_is_said() -> None:
    view, words = model_list(ListVideoModels.parse({"query": "zzz"}), None)

    assert view.ids == {}
    assert "leave a filter out" in words


def test_a_card_has_every_fact_with_its_mark_source_and_day() -> None:
    for model in models().values():
        view, words = model_details(model.id, None)
        assert view.card
        facts = view.card["facts"]
        assert sum(map(len, facts.values())) == len(model.facts)
        for origin in facts:
            assert re.match(
                r"(documented|observed|upstream|inferred): .+, read 202\d-\d\d-\d\d", origin
            )
            assert f"[{origin}]" in words
        for rule in rules():
            assert (rule.message_for(model.id) in words) == rule.applies_to(model.id)


def test_a_card_names_fields_as_a_request_does() -> None:
    _, words = model_details("cogvideox-flash", None)

    assert "duration 5 (not settable" in words
    assert "refuses negative_prompt, image_tail, resolution, aspect_ratio, duration" in words
    assert "image_tail no" in words
    assert "duration: 5" in words


def test_a_card_of_no_model_names_the_nearest() -> None:
    with pytest.raises(RequestRefused, match="the closest are kling-video-v2-6"):
        model_details("kling-v2-6", None)


LIVE = {
    name: LiveModel(id=name, type="video", status="active")
    for name in models()
    if name not in {"vidu-q1", "sora-2"}
}


def test_what_the_service_lists_and_nobody_describes_is_marked() -> None:
    with_new = {**LIVE, "kling-video-v4": LiveModel(id="kling-video-v4", type="video")}
    view, words = model_list(EVERY, with_new)
    _, alone = model_details("kling-video-v4", with_new)

    assert view.live
    assert "listed by the service, not described here: kling-video-v4" in words.splitlines()
    assert "kling-video-v4: listed by the service, not described here" in alone


def test_what_the_service_lists_no_more_is_marked() -> None:
    going = {**LIVE, "vidu-2": LiveModel(id="vidu-2", type="video", status="Deprecated")}
    _, words = model_list(EVERY, going)
    lines = words.splitlines()

    assert "not in the service's list now: vidu-q1 sora-2" in lines
    assert "deprecated by the service: vidu-2" in lines
    # The service lists it, so its maker's end has not come.
    assert "sora-2-pro tfs 4/8/12 2.25/s" in lines or "pro tfs 4/8/12 2.25/s" in lines
    assert "not in the service's list now" in model_details("vidu-q1", going)[1]


@pytest.mark.parametrize("new", [0, 40, 400, 1900])
@pytest.mark.parametrize("name", ["m-{}", "a-model-of-quite-some-length-generate-preview-{}"])
def test_the_list_has_room_for_whatever_the_service_lists(new: int, name: str) -> None:
    many = {name.format(n): LiveModel(id=name.format(n), type="video") for n in range(new)}
    view, words = model_list(EVERY, {**LIVE, **many})

    size = len(view.model_dump_json(exclude_none=True).encode()) + len(words.encode())
    assert size + words.count("\n") <= MAX_BYTES
    assert "cogvideox-flash tfs 5 free" in words
    if new > 100:
        assert re.search(r"and \d+ more, by query", words)


def test_a_service_that_has_none_of_them_leaves_room_as_well() -> None:
    view, words = model_list(EVERY, {"m": LiveModel(id="m", type="video")})

    assert len(words) <= MAX_BYTES
    assert view.ids is not None
    assert view.ids["not in the service's list now"] == len(models())
