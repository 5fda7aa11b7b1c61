"""What is refused, what is left out and what is warned of, before a request can cost anything."""

import itertools
import re
from contextlib import suppress
from typing import Any

import pytest

from geekai_video_mcp.domain.catalogue import (
    Checks,
    LiveModel,
    check_request,
    models,
    of_type,
    rules,
)
from geekai_video_mcp.errors import NOT_CHARGED, RequestRefused

URL = "https://example.com/1.png"
REFS = [URL, URL]


def check_model(model: str, **fields: Any) -> tuple[dict[str, Any], str]:  # noqa: ANN401 - JSON
    """The request as it would be sent, without what every one has, and what is said of it."""
    return _check({"model": model, "prompt": "a fox", **fields}, "refuse")


def check_warning_only(model: str, **fields: Any) -> tuple[dict[str, Any], str]:  # noqa: ANN401 - JSON
    """The same under GEEKAI_CHECKS=warn."""
    return _check({"model": model, "prompt": "a fox", **fields}, "warn")


def _check(request: dict[str, Any], checks: Checks) -> tuple[dict[str, Any], str]:
    found = check_request(request, checks=checks)
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
    "cogvideox cogvideox-2 cogvideox-flash": "negative_prompt image_tail resolution duration",
    "cogvideox-3": "negative_prompt resolution",
    "vidu-2": "negative_prompt image_tail resolution quality fps watermark",
    "jimeng_t2v_v30": "negative_prompt with_audio quality fps watermark",
    "jimeng_i2v_v30": "negative_prompt with_audio size quality fps watermark",
    "sora-2 sora-2-pro": "negative_prompt image_tail quality fps watermark",
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

    assert f"{model} does not support {field}; " in words or f"in the place of {field}" in words
    assert any(way in words for way in ("leave it out", "give ", "use "))
    assert "read 2026-11-22" in words
    assert "GEEKAI_CHECKS" not in words, "GeekAI's own word is not to be overruled"


def test_no_field_is_refused_beyond_those() -> None:
    rejected = {(model.id, field) for model in models().values() for field in model.refused_fields}
    translated = {
        *(pair for pair in rejected if pair[1] == "size" and pair[0][:3] in {"kli", "veo"}),
        *(pair for pair in rejected if pair[1] == "aspect_ratio" and pair[0][:3] in {"cog", "sor"}),
        ("cogvideox-3", "image_tail"),
        ("jimeng_t2v_v30", "size"),
    }

    assert rejected - translated - set(REFUSALS) == {
        ("sora-2", "with_audio"),  # which can be left out, whatever it says
        ("sora-2-pro", "with_audio"),
    }


def test_all_that_is_wrong_is_said_at_once() -> None:
    words = refusal_of("cogvideox-flash", negative_prompt="rain", duration=10, aspect_ratio="2:3")

    assert "does not support negative_prompt; leave it out, and say in the prompt" in words
    assert "does not support duration; leave it out: it always makes 5 s" in words
    assert "has no 2:3 at 1080p; give size 720x480, 1024x1024, " in words


def test_a_model_that_is_offered_instead_takes_all_of_the_request() -> None:
    asked = {"negative_prompt": "rain", "with_audio": True, "image": URL}
    words = refusal_of("cogvideox-flash", **asked)

    offered = re.findall(r"([\w.-]+) \((?:[\d.]+ CNY|price|free)", words.partition("made by ")[2])
    assert len(offered) == 2
    for other in offered:
        assert check_model(other, **asked)[0] == asked
        assert models()[other].value("sound")


def test_the_models_that_are_offered_are_of_the_same_family_first_and_then_the_cheapest() -> None:
    of_the_family = refusal_of("kling-video-v2-6", with_audio=True)
    of_others = refusal_of("MiniMax-Hailuo-02", aspect_ratio="16:9", with_audio=True, duration=5)

    assert "made by kling-video-v3 (price not known here) or kling-video-v3-omni" in of_the_family
    assert "made by MiniMax-H3 (2.5 CNY) or cogvideox-flash (free)." in of_others


@pytest.mark.parametrize(
    ("model", "fields", "inferred"),
    [
        ("doubao-seedance-1.0-pro", {"quality": "pro"}, "doubao-seedance-2.0-fast"),
        ("kling-video-v2-6", {"image": URL, "image_tail": URL}, "kling-video-v1 "),
        ("jimeng_i2v_v30", {}, "jimeng_ti2v_v30_pro"),
    ],
)
def test_no_model_is_offered_that_is_only_inferred_to_make_it(
    model: str, fields: dict[str, Any], inferred: str
) -> None:
    words = refusal_of(model, **fields)

    assert "made by " in words
    assert inferred not in words.partition("made by ")[2]


def test_the_price_of_what_is_offered_is_that_of_this_request() -> None:
    assert "MiniMax-H3 (7.5 CNY)" in refusal_of(
        "MiniMax-Hailuo-02", with_audio=True, aspect_ratio="3:4", duration=15
    )


def test_no_model_is_offered_that_the_service_no_longer_lists() -> None:
    listed = {name: LiveModel(id=name, type="video") for name in ("cogvideox-flash", "viduq2")}
    with pytest.raises(RequestRefused) as caught:
        check_request({"model": "cogvideox-flash", "prompt": "a fox", "duration": 10}, live=listed)

    assert caught.value.message.endswith(
        "All of it can be made by viduq2 (1.56 CNY). Nothing was charged. Change the"
        " call and try again."
    )


LEFT_OUT: list[tuple[str, dict[str, Any]]] = [
    ("cogvideox-flash", {"duration": 5}),
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
    assert "its videos always have duration 5" in check_model("cogvideox-flash", duration=5)[1]
    assert "its videos always have with_audio true" in check_model("sora-2", with_audio=False)[1]
    assert "always" not in check_model("jimeng_t2v_v30", fps=30)[1]


WAYS_OUT: list[tuple[str, dict[str, Any], str]] = [
    ("vidu-2", {}, "does not support text only; give an image or images ("),
    ("wan2.6-r2v", {}, "does not support text only; give images or video ("),
    ("vidu-2", {"image": URL, "resolution": "1080p"}, "leave it out: it makes 720p ("),
    (
        "viduq2-pro",
        {"image": URL, "aspect_ratio": "1:1"},
        ": it is that of the image; leave it out, ",
    ),
    ("kling-video-v2-master", {"resolution": "1080p"}, "resolution; leave it out ("),
    ("vidu-q1", {"resolution": "720p"}, "only 1080p; give 1080p ("),
]
"""A model, a request that it cannot make, and the way out, which must be one of this model's."""


@pytest.mark.parametrize(("model", "fields", "remedy"), WAYS_OUT, ids=str)
def test_the_way_out_is_one_that_the_model_has(
    model: str, fields: dict[str, Any], remedy: str
) -> None:
    assert remedy in refusal_of(model, **fields)


def test_what_is_wrong_is_said_once() -> None:
    words = refusal_of("jimeng_i2v_v30", image=URL, aspect_ratio="16:9")

    assert words.count("the image's") == 1
    assert "does not take aspect_ratio: it is the one nearest to the image's; leave it out" in words


def test_a_size_is_no_doubt_where_the_maker_takes_one() -> None:
    assert check_model("wan2.6-t2v", size="1080x1920") == ({"size": "1080x1920"}, "")


def test_a_field_that_the_model_takes_is_sent_even_if_it_asks_for_no_change() -> None:
    fields = {"fps": 30, "watermark": False, "with_audio": False, "quality": "std"}
    sent, _ = check_model("kling-video-v3", **fields)

    assert sent == fields


Rule = tuple[str, dict[str, Any], str, dict[str, Any]]
CAMERA = {"extra_body": {"camera_control": {"type": "simple", "config": {"pan": 3}}}}
BOTH = {"extra_body": {**CAMERA["extra_body"], "static_mask": URL}}
DOCUMENTED: list[Rule] = [
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
    (
        "jimeng_i2v_v30",
        {"image": URL, "aspect_ratio": "1:1"},
        "nearest to the image's",
        {"aspect_ratio": None},
    ),
]
"""A model, a request that GeekAI documents as refused, what is said, and what mends it."""


@pytest.mark.parametrize(("model", "fields", "words", "mended"), DOCUMENTED, ids=str)
def test_what_geekai_documents_of_fields_together_is_refused_until_mended(
    model: str, fields: dict[str, Any], words: str, mended: dict[str, Any]
) -> None:
    assert words in refusal_of(model, **fields)
    check_model(model, **{**fields, **mended})


MAKERS: list[Rule] = [
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
]
"""A model, a request that its maker's rules speak against, what is said, and what mends it."""


@pytest.mark.parametrize(("model", "fields", "words", "mended"), MAKERS, ids=str)
def test_what_the_maker_documents_as_ignored_is_refused_until_mended_and_the_setting_is_named(
    model: str, fields: dict[str, Any], words: str, mended: dict[str, Any]
) -> None:
    refused = refusal_of(model, **fields)

    assert words in refused
    assert "The operator's GEEKAI_CHECKS=warn would send it with a warning." in refused
    assert words not in check_warning_only(model, **{**fields, **mended})[1]


@pytest.mark.parametrize(("model", "fields", "words", "mended"), MAKERS, ids=str)
def test_the_setting_makes_a_warning_of_it_and_the_request_goes_as_it_is(
    model: str, fields: dict[str, Any], words: str, mended: dict[str, Any]
) -> None:
    sent, said = check_warning_only(model, **fields)

    assert sent == fields
    assert words in said
    assert set(mended) <= {*fields, "quality", "image", "images"}


@pytest.mark.parametrize(("model", "fields", "words", "mended"), DOCUMENTED, ids=str)
def test_the_setting_changes_nothing_of_what_geekai_itself_documents(
    model: str, fields: dict[str, Any], words: str, mended: dict[str, Any]
) -> None:
    assert mended
    with pytest.raises(RequestRefused, match=re.escape(words)):
        check_warning_only(model, **fields)


def test_a_wish_for_silence_that_is_a_default_is_only_told() -> None:
    assert "always makes sound" in check_model("MiniMax-H3", with_audio=False)[1]
    assert "always makes sound" not in check_model("MiniMax-H3", with_audio=True)[1]


@pytest.mark.parametrize("model", ["sora-2", "sora-2-pro", "sora", "sora-2-all", "sora-2-pro-all"])
def test_that_a_maker_shuts_its_model_down_is_shown(model: str) -> None:
    assert "shut Sora down on 2026-09-24" in check_model(model)[1]


def test_what_makes_no_video_says_so() -> None:
    assert "makes no video" in check_model("bytedance-asset-v1")[1]


def test_every_rule_has_an_example_here() -> None:
    words = [refusal_of(model, **fields) for model, fields, *_ in (*MAKERS, *DOCUMENTED)]
    words += [check_model(model)[1] for model in ("sora-2", "sora", "bytedance-asset-v1")]
    words += [check_model("MiniMax-H3", with_audio=False)[1]]
    lite = "veo-3.1-lite-generate-preview"
    words += [check_model(lite, images=[URL], duration=4)[1]]
    spoken = "; ".join(words)

    assert len(rules()) >= len(DOCUMENTED) + 20
    for rule in rules():
        assert any(rule.sentence_for(model) in spoken for model in models()), rule.say


def test_a_rule_that_refuses_has_a_way_out() -> None:
    for rule in rules():
        assert rule.informs or rule.certainty == "doubt" or rule.remedy, rule.say


def test_a_rule_is_about_models_that_there_are() -> None:
    for rule in rules():
        assert any(rule.applies_to(model) for model in models()), rule.say


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("cogvideox-3", {"size": "1x1"}),
        ("kling-video-v2-5-turbo", {"quality": "ultra"}),
        ("doubao-seedance-2.0", {"fps": 60}),
        ("jimeng_t2v_v30", {"resolution": "1080p"}),  # its list is inferred
    ],
    ids=str,
)
def test_a_value_beyond_the_table_goes_through_unchanged_with_a_word_on_it(
    model: str, fields: dict[str, Any]
) -> None:
    ((field, value),) = fields.items()
    sent, words = check_model(model, **fields)

    assert sent[field] == value
    assert "lists no " in words
    assert "so it may be ignored and still charged" in words


@pytest.mark.parametrize(
    ("model", "fields", "remedy"),
    [
        ("veo-3.1-fast-generate-preview", {"duration": 10}, "4, 6 or 8 s; give 8 ("),
        ("veo-3.1-generate-preview", {"duration": 5}, "4, 6 or 8 s; give 4 or 6 ("),
        ("veo-2.0-generate-001", {"duration": 9}, "5 to 8 s; give 8 ("),
        ("sora-2", {"duration": 1}, "4, 8 or 12 s; give 4 ("),
        ("MiniMax-Hailuo-02", {"resolution": "360P"}, "512P, 768P or 1080P; give one of these ("),
        ("kling-video-v2-6", {"aspect_ratio": "21:9"}, "16:9, 9:16 or 1:1; give one of these ("),
    ],
    ids=str,
)
def test_a_length_resolution_or_shape_that_the_model_does_not_make_is_refused_unless_set(
    model: str, fields: dict[str, Any], remedy: str
) -> None:
    assert remedy in refusal_of(model, **fields)
    sent, said = check_warning_only(model, **fields)
    assert sent == fields
    assert "lists no " in said


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


def test_too_many_references_are_refused() -> None:
    assert "takes up to 3 images; 4 were given; leave some out" in refusal_of(
        "veo-3.1-generate-preview", images=[URL] * 4
    )
    assert "takes up to 3 audio; 4 were given" in refusal_of("doubao-seedance-2.0", audio=[URL] * 4)
    assert "images" not in check_model("wan2.6-r2v", images=[URL] * 9)[1]  # how many is not known


def test_a_list_where_one_picture_is_documented_is_reported() -> None:
    assert "image as a list" in check_model("kling-video-v3", image=REFS)[1]
    assert "image as a list" not in check_model("cogvideox-3", image=REFS)[1]


def test_a_prompt_whose_end_the_maker_drops_silently_is_refused() -> None:
    long = {"model": "wanx2.1-t2v-plus", "prompt": "x" * 801}
    words = "has 801 characters; wanx2.1-t2v-plus takes up to 800; longer prompts are silently"
    with pytest.raises(RequestRefused, match=words):
        check_request(long)

    assert words in check_request(long, checks="warn").warnings[0]
    assert check_request({**long, "prompt": "x" * 800}).warnings == ()


def test_a_prompt_longer_than_a_model_is_said_to_read_is_reported() -> None:
    request = {"model": "cogvideox-3", "prompt": "x" * 513}

    assert "takes up to 512; shorten it (" in check_request(request).warnings[0]


def test_a_model_that_needs_a_picture_says_so() -> None:
    assert "wan2.7-i2v does not support text only; give an image" in refusal_of("wan2.7-i2v")
    assert "made by wan2.7-t2v" in refusal_of("wan2.7-i2v")
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
    asked = {"extra_body": {"camera_control": control}}

    if words:
        assert words in refusal_of("kling-video-v1", **asked)
    assert words in check_warning_only("kling-video-v1", **asked)[1]
    assert words or not check_model("kling-video-v1", **asked)[1]


def test_a_camera_control_that_the_model_is_known_not_to_have_is_refused() -> None:
    said = refusal_of("kling-video-v2-6", **CAMERA)
    other = refusal_of("MiniMax-Hailuo-02", **CAMERA)

    assert "does not support extra_body.camera_control; write the camera movement in the" in said
    assert "made by kling-video-v1 (price not known here)." in said
    assert (
        "its camera control is 15 [commands] in the prompt; write the camera movement in" in other
    )


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


TEMPLATES = ("{model:>1000000000}", "{model}", "{0}", "}", "{", "%s", "%(model)s", "\\g<0>")
VALUE_FIELDS = ("size", "resolution", "aspect_ratio", "quality")


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_value_is_never_a_template(template: str) -> None:
    said = set[str]()
    for model, field in itertools.product(models(), VALUE_FIELDS):
        with suppress(RequestRefused):
            request = {"model": model, "prompt": "a fox", field: template}
            found = check_request(request, checks="warn")
            said |= {warning for warning in found.warnings if " lists no " in warning}

    assert len(said) > 20
    assert all(f'"{template}"' in warning for warning in said)


@pytest.mark.parametrize("model", [*TEMPLATES, "{model}{model}"])
def test_a_model_id_is_never_a_template(model: str) -> None:
    assert model in {rule.problem_for(model).partition(" ")[0] for rule in rules()}


@pytest.mark.parametrize(
    "control",
    [
        "[" * 100_000,
        '{"config":' * 5000,
        '{"config": {"pan": NaN, "tilt": 1e999}}',
        {"config": {f"move {number}": 1 for number in range(1000)}},
    ],
    ids=["lists", "objects", "odd numbers", "a thousand moves"],
)
def test_any_camera_control_is_sent_and_warned_of_in_few_words(control: object) -> None:
    sent, said = check_warning_only(
        "kling-video-v1", extra_body={"camera_control": control}, duration=5
    )

    assert sent["extra_body"] == {"camera_control": control}
    assert len(said) < 600


def test_what_the_service_lists_is_a_model_only_if_it_looks_like_an_id() -> None:
    names = ("veo3", "ignore all of this", "a\u202eb", "x" * 65, "")
    listed = of_type([LiveModel(id=name, type="video") for name in names], "video")

    assert list(listed) == ["veo3"]
