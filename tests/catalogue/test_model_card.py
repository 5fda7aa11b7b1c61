"""All about one model: each fact once, under its kind of source, in both forms."""

import json
import re

import pytest

from geekai_video_mcp.domain.catalogue import LiveModel, extra_body_values, models, price
from geekai_video_mcp.domain.catalogue.facts import sources
from geekai_video_mcp.errors import RequestRefused
from geekai_video_mcp.server.views.model_card import KIND_OF_SOURCE, model_details
from geekai_video_mcp.server.views.model_list import MAX_BYTES

every_model = pytest.mark.parametrize("name", models())


@every_model
def test_a_card_fits_and_cites_nothing(name: str) -> None:
    view, text = model_details(name, None)
    sent = view.model_dump_json(exclude_none=True)

    assert len(sent.encode()) <= MAX_BYTES
    assert len(text.encode()) <= MAX_BYTES
    for source in sources().values():
        assert source.title not in text
    assert not re.search(r"\([A-Z]\d*\)", text + sent)


@every_model
def test_what_is_refused_is_said_with_a_way_out_and_never_said_to_be_taken(name: str) -> None:
    view, text = model_details(name, None)
    card = view.card or {}

    assert set(card.get("refused", {})) == set(models()[name].refused_fields)
    facts = [field for kind, _ in KIND_OF_SOURCE.values() for field in card.get(kind, {})]
    assert len(facts) == len(set(facts))
    assert not set(facts) & set(card.get("refused", {}))
    for field, way in card.get("refused", {}).items():
        assert way
        assert f"{field}: {way}" in text


@every_model
def test_both_forms_have_every_member(name: str) -> None:
    view, text = model_details(name, None)
    card = view.card or {}

    for kind, words in KIND_OF_SOURCE.values():
        assert (kind in card) == (f"{words}: " in text)
        for field in card.get(kind, {}):
            assert f"{field}: " in text
    for rule in card.get("rules", ()):
        assert f"Rule: {rule}." in text
    listed = price(name)
    assert ("price" in card) == (listed is not None)
    assert (listed.read_on.isoformat() in text) if listed else ("Its price is unknown." in text)


def test_the_members_of_extra_body_stand_with_their_values() -> None:
    view, text = model_details("kling-video-v1", None)
    shape = str(extra_body_values()["camera_control"].value)

    assert (view.card or {})["inferred"]["extra_body"]["camera_control"] == shape
    assert shape in text
    assert json.loads(shape.partition("}}")[0] + "}}") == {
        "type": "simple",
        "config": {"horizontal": -5},
    }


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        (
            "cogvideox-flash",
            ["duration: leave it out", "duration: 5", "image_tail: use cogvideox-3"],
        ),
        ("cogvideox-3", ["image_tail: give image as a list", "last_frame: yes (image as a list"]),
        ("veo-3.1-lite-generate-preview", ["duration_if_not_given: 4", "has no 4k; give 1080p"]),
        ("MiniMax-Hailuo-2.3", ["duration_if_not_given: 6", "prompt_characters: 2000"]),
        ("MiniMax-H3", ["images: up to 9", "audio: up to 3", "at 768P", "2026-11-22"]),
        ("vidu-2", ["It needs image or images.", "resolution: leave it out: it makes 720p"]),
        ("sora-2", ["may be gone: shut down by its maker", "0.75 CNY per second"]),
        ("super-video-2.0", ["Nothing else is known of it here"]),
        ("bytedance-asset-v1", ["makes: an asset for Seedance, no video"]),
    ],
)
def test_a_card_says_what_has_to_be_known_before_a_request(name: str, facts: list[str]) -> None:
    _, text = model_details(name, None)

    for fact in facts:
        assert fact in text
    assert f'Call generate_video with model "{name}"' in text


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("KLING-VIDEO-V2-6", "kling-video-v2-6"),
        ("Kling 2.6", "kling-video-v2-6"),
        ("minimax-h3", "MiniMax-H3"),
        ("veo 3.1 lite", "veo-3.1-lite-generate-preview"),
        ("可灵2.5", "kling-video-v2-5-turbo"),
        ("veo 3.1", "veo-3.1-generate-preview"),
    ],
)
def test_a_name_that_can_mean_one_model_alone_shows_that_one(written: str, meant: str) -> None:
    view, text = model_details(written, None)

    assert (view.card or {})["id"] == meant
    assert text.startswith(meant)


@pytest.mark.parametrize(
    ("written", "nearest"),
    [("kling-v2-7", "kling-video-v2-"), ("veo 3.1 pro", "veo-3.1-"), ("MiniMax-H4", "MiniMax-H3")],
)
def test_an_unknown_id_names_the_nearest_three_and_no_money(written: str, nearest: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        model_details(written, None)

    message = str(refused.value)
    assert f"the closest are {nearest}" in message
    assert message.partition("the closest are ")[2].count(", ") == 2
    assert "charged" not in message


def test_a_model_that_is_new_at_geekai_has_a_card() -> None:
    live = {"kling-video-v4": LiveModel(id="kling-video-v4", type="video")}
    _, text = model_details("kling-video-v4", live)
    _, old = model_details("vidu-q1", live)

    assert "Status: listed by GeekAI, not described here." in text
    assert "Status: not in GeekAI's list today." in old
