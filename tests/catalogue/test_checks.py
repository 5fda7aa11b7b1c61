"""What is refused, what is left out and what is warned of, before a request can cost anything."""

from typing import Any

import pytest

from geekai_video_mcp.domain.catalogue import (
    LiveModel,
    check_request,
    models,
    rules,
)
from geekai_video_mcp.errors import NOT_CHARGED, RequestRefused

URL = "https://example.com/1.png"
REFS = [URL, URL]


def check_model(model: str, **fields: Any) -> tuple[dict[str, Any], str]:  # noqa: ANN401 - JSON
    """The request as it would be sent, without what every one has, and what is said of it."""
    found = check_request({"model": model, "prompt": "a fox", **fields})
    sent = {k: v for k, v in found.body.items() if k not in {"model", "prompt"}}
    return sent, "; ".join(found.warnings)


def refusal_of(model: str, **fields: Any) -> str:  # noqa: ANN401 - JSON
    with pytest.raises(RequestRefused) as caught:
        check_request({"model": model, "prompt": "a fox", **fields})
    assert NOT_CHARGED in caught.value.message
    return caught.value.message


ASKED: dict[str, Any] = {
    "negative_prompt": "rain",
    "image_tail": URL,
    "resolution": "480p",
    "aspect_ratio": "16:9",
    "duration": 10,
    "with_audio": True,
    "size": "640x480",
    "quality": "pro",
    "fps": 24,
    "watermark": True,
}
NOT_SUPPORTED = {
    "cogvideox cogvideox-2 cogvideox-flash": "negative_prompt image_tail resolution aspect_ratio"
    " duration",
    "cogvideox-3": "negative_prompt image_tail resolution aspect_ratio",
    "vidu-2": "negative_prompt image_tail resolution quality fps watermark",
    "jimeng_t2v_v30 jimeng_i2v_v30": "negative_prompt with_audio size quality fps watermark",
    "sora-2 sora-2-pro": "negative_prompt image_tail aspect_ratio quality fps watermark",
    "veo-3.1-generate-preview veo-3.0-generate-001 kling-video-v2-6 kling-video-o1": "size",
}
"""By model: what GeekAI's pages say it does not take, copied from them a second time."""
REFUSALS = [
    (model, field)
    for names, fields in NOT_SUPPORTED.items()
    for model in names.split()
    for field in fields.split()
]


@pytest.mark.parametrize(("model", "field"), REFUSALS)
def test_what_geekai_documents_as_not_taken_is_refused_with_a_way_out(
    model: str, field: str
) -> None:
    words = refusal_of(model, image=URL, **{field: ASKED[field]})

    assert f"{model} does not support {field}; " in words
    assert any(way in words for way in ("leave it out", "give ", "use "))
    assert "read 2026-11-22" in words


def test_no_field_is_refused_beyond_those() -> None:
    rejected = {(model.id, field) for model in models().values() for field in model.refused_fields}
    kling_and_veo = {
        pair for pair in rejected if pair[1] == "size" and pair[0][:3] in {"kli", "veo"}
    }

    assert rejected - kling_and_veo - set(REFUSALS) == {
        ("sora-2", "with_audio"),  # which can be left out, whatever it says
        ("sora-2-pro", "with_audio"),
    }


def test_all_that_is_wrong_is_said_at_once() -> None:
    words = refusal_of("cogvideox-flash", negative_prompt="rain", aspect_ratio="1:1")

    assert "does not support negative_prompt; " in words
    assert "does not support aspect_ratio; give size" in words


def test_a_model_that_is_offered_instead_takes_all_of_the_request() -> None:
    words = refusal_of("cogvideox-flash", negative_prompt="rain", with_audio=True, image=URL)

    offered = words.partition("or use ")[2].partition(" (")[0].split(" or ")
    assert len(offered) == 2
    for other in offered:
        sent, _ = check_model(other, negative_prompt="rain", with_audio=True, image=URL)
        assert set(sent) == {"negative_prompt", "with_audio", "image"}
        assert models()[other].value("sound")


LEFT_OUT: list[tuple[str, dict[str, Any]]] = [
    ("cogvideox-flash", {"duration": 5}),
    ("cogvideox-2", {"resolution": "1080P"}),
    ("cogvideox", {"negative_prompt": ""}),
    ("vidu-2", {"resolution": "720p", "image": URL}),
    ("vidu-2", {"fps": 30, "image": URL}),
    ("vidu-2", {"watermark": False, "image": URL}),
    ("vidu-2", {"quality": "std", "image": URL}),
    ("jimeng_t2v_v30", {"with_audio": False}),
    ("sora-2", {"with_audio": True}),
    ("sora-2-pro", {"with_audio": False}),
]


@pytest.mark.parametrize(("model", "fields"), LEFT_OUT, ids=str)
def test_a_value_that_asks_for_no_change_is_left_out_with_a_note(
    model: str, fields: dict[str, Any]
) -> None:
    field = next(iter(fields))
    sent, words = check_model(model, **fields)

    assert field not in sent
    assert f"{field} was left out: {model} does not support it" in words


def test_the_note_tells_what_the_model_does_anyway() -> None:
    assert "always uses 5" in check_model("cogvideox-flash", duration=5)[1]
    assert "always uses true" in check_model("sora-2", with_audio=False)[1]
    assert "always" not in check_model("jimeng_t2v_v30", fps=30)[1]


def test_a_ratio_is_not_taken_for_a_default_that_nobody_asked_for() -> None:
    assert "give size" in refusal_of("sora-2", aspect_ratio="16:9")


def test_a_field_that_the_model_takes_is_sent_even_if_it_asks_for_no_change() -> None:
    fields = {"fps": 30, "watermark": False, "with_audio": False, "quality": "std"}
    sent, _ = check_model("kling-video-v3", **fields)

    assert sent == fields


Rule = tuple[str, dict[str, Any], str, dict[str, Any]]
CAMERA = {"extra_body": {"camera_control": {"type": "simple", "config": {"pan": 3}}}}
BOTH = {"extra_body": {**CAMERA["extra_body"], "static_mask": URL}}
DOCUMENTED: list[Rule] = [
    ("vidu-2", {}, "does not support text only; give an image", {"image": URL}),
    ("stable-video", {}, "does not support text only; give an image", {"image": URL}),
    (
        "vidu-2",
        {"image": URL, "aspect_ratio": "16:9"},
        "aspect_ratio only with reference images",
        {"images": REFS},
    ),
    (
        "doubao-seedance-1.0-pro",
        {"image": REFS, "image_tail": URL},
        "image_tail only with a single image",
        {"image": URL},
    ),
    (
        "veo-3.1-lite-generate-preview",
        {"resolution": "4K"},
        "has no 4k; give 1080p",
        {"resolution": "1080p"},
    ),
]
"""A model, a request that GeekAI documents as refused, what is said, and what mends it."""


@pytest.mark.parametrize(("model", "fields", "words", "mended"), DOCUMENTED, ids=str)
def test_what_geekai_documents_of_fields_together_is_refused_until_mended(
    model: str, fields: dict[str, Any], words: str, mended: dict[str, Any]
) -> None:
    assert words in refusal_of(model, **fields)
    check_model(model, **{**fields, **mended})


WARNED: list[Rule] = [
    *(
        (model, {"image_tail": URL}, "image_tail only with quality=pro", {"quality": "pro"})
        for model in (
            "kling-video-v1-5",
            "kling-video-v1-6",
            "kling-video-v2-1",
            "kling-video-v2-5-turbo",
            "kling-video-v2-6",
        )
    ),
    ("kling-video-v2-6", {"with_audio": True}, "sound only with quality=pro", {"quality": "pro"}),
    ("kling-video-v3", {"resolution": "1080P"}, "1080p only with quality=pro", {"quality": "pro"}),
    (
        "kling-video-v1",
        {"image_tail": URL, **CAMERA},
        "one of image_tail, static_mask and camera_control",
        {"image_tail": None},
    ),
    ("kling-video-v1", BOTH, "one of image_tail, static_mask and camera_control", CAMERA),
    ("kling-video-v1-5", CAMERA, "only with quality=pro and 5 seconds", {"quality": "pro"}),
    (
        "kling-video-v1-5",
        {**CAMERA, "quality": "pro", "duration": 10},
        "only with quality=pro and 5 seconds",
        {"duration": 5},
    ),
    (
        "kling-video-v3-omni",
        {"video": URL, "images": [URL] * 5},
        "up to 4 reference images beside a video",
        {"images": [URL] * 4},
    ),
    ("kling-video-o1", {"duration": 7}, "5 or 10 s from text", {"images": REFS}),
    (
        "cogvideox-3",
        {"image": REFS, "quality": "quality"},
        "only with quality=speed",
        {"quality": "speed"},
    ),
    (
        "veo-3.0-generate-001",
        {"resolution": "1080p", "duration": 4},
        "8 s at 1080p and 4k",
        {"duration": 8},
    ),
    (
        "veo-3.1-fast-generate-preview",
        {"images": REFS, "duration": 6},
        "8 s with reference images",
        {"duration": 8},
    ),
    ("doubao-seedance-2.0", {"image": URL, "images": REFS}, "not both", {"image": None}),
    ("MiniMax-H3", {"image_tail": URL, "video": URL}, "not both", {"video": None}),
    (
        "MiniMax-H3",
        {"image": URL, "aspect_ratio": "16:9"},
        "the frames' own ratio",
        {"aspect_ratio": "adaptive"},
    ),
    (
        "MiniMax-H3",
        {"aspect_ratio": "adaptive"},
        "from text only, MiniMax-H3 rejects",
        {"aspect_ratio": "16:9"},
    ),
    ("MiniMax-H3", {"with_audio": False}, "always makes sound", {"with_audio": True}),
    (
        "MiniMax-H3",
        {"images": [URL] * 9, "video": URL, "audio": [URL] * 3},
        "up to 12 media",
        {"video": None},
    ),
    (
        "MiniMax-Hailuo-02",
        {"resolution": "1080P", "duration": 10},
        "6 s at 1080P",
        {"duration": 6},
    ),
    ("viduq2-pro", {"image": URL, "image_tail": URL, "duration": 9}, "1 to 8 s", {"duration": 8}),
    ("viduq3-pro", {"resolution": "2K"}, "2K only from an image", {"image": URL}),
    (
        "doubao-seedance-1.0-lite-i2v",
        {"images": REFS, "resolution": "1080p"},
        "reference images at 480p or 720p",
        {"resolution": "720p"},
    ),
    (
        "doubao-seedance-1.5-pro",
        {"extra_body": {"draft": True}, "resolution": "720p"},
        "doubao-seedance-1.5-pro makes drafts only at 480p",
        {"resolution": "480p"},
    ),
    (
        "jimeng_i2v_v30",
        {"image": URL, "aspect_ratio": "1:1"},
        "nearest to the image's",
        {"aspect_ratio": None},
    ),
]
"""A model, a request that its maker's rules speak against, what is said, and what mends it."""


@pytest.mark.parametrize(("model", "fields", "words", "mended"), WARNED, ids=str)
def test_the_makers_rules_warn_and_the_request_goes_as_it_is(
    model: str, fields: dict[str, Any], words: str, mended: dict[str, Any]
) -> None:
    sent, said = check_model(model, **fields)

    assert sent == fields
    assert words in said
    assert words not in check_model(model, **{**fields, **mended})[1]


@pytest.mark.parametrize("model", ["sora-2", "sora-2-pro", "sora", "sora-2-all", "sora-2-pro-all"])
def test_that_a_maker_shuts_its_model_down_is_shown(model: str) -> None:
    assert "shut Sora down on 2026-09-24" in check_model(model)[1]


def test_what_makes_no_video_says_so() -> None:
    assert "makes no video" in check_model("bytedance-asset-v1")[1]


def test_every_rule_has_an_example_here() -> None:
    words = [check_model(model, **fields)[1] for model, fields, *_ in WARNED]
    words += [refusal_of(model, **fields) for model, fields, *_ in DOCUMENTED]
    words += [check_model(model)[1] for model in ("sora-2", "sora", "bytedance-asset-v1")]
    spoken = "; ".join(words)

    assert len(rules()) >= len(DOCUMENTED) + 25
    for rule in rules():
        assert any(rule.message_for(model) in spoken for model in models()), rule.say


def test_a_rule_refuses_only_by_geekais_own_word() -> None:
    assert {rule.source.mark for rule in rules() if rule.refuse} == {"documented"}


def test_a_rule_is_about_models_that_there_are() -> None:
    for rule in rules():
        assert any(rule.applies_to(model) for model in models()), rule.say


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("cogvideox-3", {"size": "1x1"}),
        ("kling-video-v2-6", {"aspect_ratio": "21:9"}),
        ("MiniMax-Hailuo-02", {"resolution": "360P"}),
        ("kling-video-v2-5-turbo", {"quality": "std"}),
        ("veo-2.0-generate-001", {"duration": 9}),
        ("doubao-seedance-2.0", {"fps": 60}),
    ],
    ids=str,
)
def test_a_value_beyond_the_table_goes_through_unchanged_with_a_word_on_it(
    model: str, fields: dict[str, Any]
) -> None:
    ((field, value),) = fields.items()
    sent, words = check_model(model, **fields)

    assert sent[field] == value
    assert "is not among the values listed for" in words


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("MiniMax-Hailuo-02", {"resolution": "768p"}),
        ("cogvideox-3", {"size": "1280*720"}),
        ("doubao-seedance-2.0", {"duration": 15}),
        ("MiniMax-H3", {"aspect_ratio": "2:1"}),  # which its table gives in words alone
        ("super-video-2.0", {"duration": 40, "image_tail": URL, "size": "1x1"}),
    ],
    ids=str,
)
def test_a_value_of_the_table_in_whatever_spelling_and_one_unknown_to_it_pass_in_silence(
    model: str, fields: dict[str, Any]
) -> None:
    assert check_model(model, **fields) == (fields, "")


def test_too_many_references_are_reported() -> None:
    assert (
        "takes up to 3 images; 4 were given"
        in check_model("veo-3.1-generate-preview", images=[URL] * 4)[1]
    )
    assert (
        "takes up to 3 audio; 4 were given"
        in check_model("doubao-seedance-2.0", audio=[URL] * 4)[1]
    )
    assert "images" not in check_model("wan2.6-r2v", images=[URL] * 9)[1]  # how many is not known


def test_a_list_where_one_picture_is_documented_is_reported() -> None:
    assert "image as a list" in check_model("kling-video-v3", image=REFS)[1]
    assert "image as a list" not in check_model("cogvideox-3", image=REFS)[1]


def test_a_prompt_longer_than_the_model_reads_is_reported_with_the_consequence() -> None:
    words = "; ".join(check_request({"model": "wanx2.1-t2v-plus", "prompt": "x" * 801}).warnings)

    assert (
        "has 801 characters; wanx2.1-t2v-plus takes up to 800; longer prompts are silently" in words
    )
    assert check_request({"model": "wanx2.1-t2v-plus", "prompt": "x" * 800}).warnings == ()
    assert (
        "takes up to 512 ("
        in check_request({"model": "cogvideox-3", "prompt": "x" * 513}).warnings[0]
    )


def test_a_model_that_needs_a_picture_says_so() -> None:
    assert "give an image" in check_model("wan2.7-i2v")[1]
    assert check_model("wan2.7-i2v", image=URL)[1] == ""


@pytest.mark.parametrize(
    ("control", "words"),
    [
        ({"config": {"pan": 3, "zoom": 1}}, "one camera move at a time"),
        ('{"type": "simple", "config": {"pan": 3, "zoom": 1}}', "one camera move at a time"),
        ({"config": {"pan": 11}}, "from -10 to 10"),
        ({"config": {"pan": 10, "zoom": 0, "note": "slow"}}, ""),
        ("left", ""),
        ('{"config": "slow"}', ""),
    ],
    ids=str,
)
def test_klings_camera_moves_are_told_apart(control: object, words: str) -> None:
    said = check_model("kling-video-v1", extra_body={"camera_control": control})[1]

    assert words in said if words else said == ""


def test_a_camera_control_that_the_model_is_known_not_to_have_is_a_warning() -> None:
    said = check_model("kling-video-v2-6", **CAMERA)[1]

    assert "may not support extra_body.camera_control" in said
    assert "write the camera movement in the prompt" in said


def test_camera_moves_of_others_are_their_own_affair() -> None:
    control = {"config": {"pan": 99, "zoom": 1}}

    assert check_model("super-video-2.0", extra_body={"camera_control": control})[1] == ""


def test_the_sandbox_takes_everything() -> None:
    fields = {**ASKED, "retries": 3}

    assert check_model("sandbox", **fields) == (fields, "")


def test_retries_may_cost_more_with_any_model() -> None:
    assert "may cost more" in check_model("cogvideox-flash", retries=1)[1]
    assert "may cost more" in check_model("totally-unheard-of", retries=1)[1]
    assert check_model("cogvideox-flash", retries=0)[1] == ""


LIVE = {
    one.id: one
    for one in (
        LiveModel(id="cogvideox-flash", type="video", status="active"),
        LiveModel(id="kling-video-v2-6", type="video", status="deprecated"),
        LiveModel(id="kling-video-v4", type="video", status="active"),
    )
}


def live(model: str) -> str:
    return "; ".join(check_request({"model": model, "prompt": "a fox"}, live=LIVE).warnings)


def test_a_new_model_of_the_services_passes_in_silence() -> None:
    assert live("kling-video-v4") == ""


def test_a_model_that_is_going_or_gone_is_reported() -> None:
    assert "kling-video-v2-6 is deprecated by GeekAI" in live("kling-video-v2-6")
    assert "vidu-q1 is not in GeekAI's list today" in live("vidu-q1")
    assert live("cogvideox-flash") == ""


def test_an_empty_list_is_no_list() -> None:
    assert check_request({"model": "vidu-q1", "prompt": "a fox"}, live={}).warnings == ()
