"""A name means one model clearly, or none: another model than the meant one would be paid for."""

from typing import Any

import pytest

from geekai_video_mcp.domain.catalogue import (
    models,
    nearest_models,
    resolve_model,
    unknown_model_message,
)

URL = "https://example.com/1.png"


def resolve(name: str, **request: Any) -> str | None:  # noqa: ANN401 - JSON
    return resolve_model(name, request, among=models())


@pytest.mark.parametrize("model", models())
def test_an_id_in_another_case_or_with_other_separators_is_still_that_id(model: str) -> None:
    spellings = {
        *(model, model.upper(), model.title(), f" {model} ", f'"{model}"', model.replace("-", " ")),
        *(model.replace(old, new) for old, new in ("-_", "_-", "-.", ".-", "._")),
    }

    assert {name: resolve(name) for name in spellings} == dict.fromkeys(spellings, model)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Kling 2.6", "kling-video-v2-6"),
        ("kling-v2-6", "kling-video-v2-6"),
        ("klingv2.6", "kling-video-v2-6"),
        ("kling2.6", "kling-video-v2-6"),
        ("Kling AI 2.6 (Kuaishou)", "kling-video-v2-6"),
        ("Kling video model v 2.6", "kling-video-v2-6"),
        ("kwaivgi/kling-v2.6", "kling-video-v2-6"),
        ("KLING-VIDEO-V2_6", "kling-video-v2-6"),
        ("可灵2.6", "kling-video-v2-6"),
        ("快手可灵 ２．６", "kling-video-v2-6"),
        ("可灵视频2.6模型", "kling-video-v2-6"),
        ("可灵 2.5 turbo", "kling-video-v2-5-turbo"),
        ("kling 2.1 master", "kling-video-v2-1-master"),
        ("kling 2.0 master", "kling-video-v2-master"),
        ("Kling 3.0", "kling-video-v3"),
        ("Kling 3 Omni", "kling-video-v3-omni"),
        ("kling o1", "kling-video-o1"),
        ("kling 1.0", "kling-video-v1"),
        ("veo3.1", "veo-3.1-generate-preview"),
        ("veo-3-1", "veo-3.1-generate-preview"),
        ("Google Veo 3.1", "veo-3.1-generate-preview"),
        ("google/veo-3.1", "veo-3.1-generate-preview"),
        ("veo 3.1 preview", "veo-3.1-generate-preview"),
        ("Veo 3.1 fast", "veo-3.1-fast-generate-preview"),
        ("veo-3.1-fast", "veo-3.1-fast-generate-preview"),
        ("fast veo 3.1", "veo-3.1-fast-generate-preview"),
        ("veo3.1-lite", "veo-3.1-lite-generate-preview"),
        ("veo3", "veo-3.0-generate-001"),
        ("veo 3 fast", "veo-3.0-fast-generate-001"),
        ("veo 2", "veo-2.0-generate-001"),
        ("seedance 2.0", "doubao-seedance-2.0"),
        ("Seedance 2", "doubao-seedance-2.0"),
        ("ByteDance Seedance 2.0 Fast", "doubao-seedance-2.0-fast"),
        ("豆包 seedance 1.5 pro", "doubao-seedance-1.5-pro"),
        ("seedance-1.0-pro", "doubao-seedance-1.0-pro"),
        ("doubao-seedance-1-0-pro-250528", "doubao-seedance-1.0-pro"),
        ("doubao-seedance-1-0-pro-fast-251015", "doubao-seedance-1.0-pro-fast"),
        ("hailuo 2.3", "MiniMax-Hailuo-2.3"),
        ("海螺2.3", "MiniMax-Hailuo-2.3"),
        ("hailuo 2.3 fast", "MiniMax-Hailuo-2.3-Fast"),
        ("MiniMax Hailuo 02", "MiniMax-Hailuo-02"),
        ("H3", "MiniMax-H3"),
        ("minimax h3", "MiniMax-H3"),
        ("vidu q3 pro", "viduq3-pro"),
        ("Shengshu Vidu Q2 Turbo", "viduq2-turbo"),
        ("vidu q2", "viduq2"),
        ("vidu 2.0", "vidu-2"),
        ("viduq1", "vidu-q1"),
        ("CogVideoX 3", "cogvideox-3"),
        ("Cog Video X 3", "cogvideox-3"),
        ("智谱 CogVideoX-Flash", "cogvideox-flash"),
        ("sora 2", "sora-2"),
        ("OpenAI Sora 2 Pro", "sora-2-pro"),
        ("xAI Grok Video", "grok-video"),
        ("stable video", "stable-video"),
        ("即梦 3.0 pro", "jimeng_ti2v_v30_pro"),
        ("wan 2.1 t2v turbo", "wanx2.1-t2v-turbo"),
        ("wan 2.7 T2V", "wan2.7-t2v"),
        ("通义万相2.7 图生视频", "wan2.7-i2v"),
    ],
)
def test_a_name_as_people_write_it_is_taken_as_the_id(name: str, meant: str) -> None:
    assert resolve(name) == meant
    assert resolve_model(name, None, among=models()) == meant or meant.startswith("jimeng")


@pytest.mark.parametrize(
    "name",
    [
        # A family alone.
        *(
            "kling",
            "可灵",
            "veo",
            "wan",
            "seedance",
            "vidu",
            "minimax",
            "豆包",
            "grok",
            "OpenAI Sora",
        ),
        # Another version.
        *("veo-4", "veo3.2", "veo 31", "kling 9", "kling 2", "kling 26", "kling v26", "kling v10"),
        *("kling 2.06", "kling 2.60", "kling 2 6", "kling 2.6.1", "kling-v2-6-7", "kling-video-o3"),
        *("hailuo 2", "hailuo-0.2", "hailuo 3", "h4", "sora 3", "sora-1", "seedance 2.5", "wan 3"),
        *("cogvideox 4", "vidu q4 pro", "vidu 3", "kling 2.6٣", "jimeng t2v v31", "veo 3.1.1"),
        # Another product of the family.
        *("kling-lite", "kling 2.6 lite", "kling 2.6 pro", "kling 2.5", "kling 3 turbo"),
        *("kling-video-v2-6-preview", "kling-video-v3-omni-pro", "kling2.6+", "kling image 2.6"),
        *(
            "veo3.1 pro",
            "veo-3.1-generate-001",
            "seedance 1.0",
            "vidu q3",
            "wan 2.2",
            "wan 2.7 edit",
        ),
        *("cogvideox 3 flash", "stable diffusion", "stable video diffusion", "grok imagine 1.0"),
        *("hailuo h3", "minimax 02", "video-01", "豆包2.0", "即梦 seedance 2.0", "sora 2 hd"),
        # Another kind of model, or none.
        *("cogview-3-flash", "asset v1", "gpt-4", "runway gen 3", "luma ray 2", "pixverse 5"),
        *("2.6", "v3", "pro", "fast", "h", "3", "video", "video 2.6", "-", "", "kling 2.6 veo 3.1"),
        # A name that also says a setting, which would be lost.
        *("kling 2.6 1080p", "kling-video-v2-6-1080p", "kling 2.6 10s", "sora-2-8s", "veo3.1 4k"),
        "kling 2.6 " + "kling " * 20,
    ],
)
def test_a_name_that_could_be_another_model_is_none(name: str) -> None:
    assert resolve(name) is None
    assert resolve(name, image=URL) is None


@pytest.mark.parametrize(
    ("name", "request_", "meant"),
    [
        ("wan 2.7", {}, "wan2.7-t2v"),
        ("wan 2.7", {"image": URL}, "wan2.7-i2v"),
        ("wan 2.7", {"image": URL, "image_tail": URL}, "wan2.7-i2v"),
        ("wan 2.7", {"images": [URL]}, "wan2.7-r2v"),
        ("wan 2.7", {"video": URL}, None),
        ("wan 2.7", {"image": URL, "images": [URL]}, None),
        ("万相2.5", {"image": URL}, "wan2.5-i2v-preview"),
        ("wan 2.1 plus", {"image": URL}, "wanx2.1-i2v-plus"),
        ("wan 2.1 plus", {"image": URL, "image_tail": URL}, "wanx2.1-kf2v-plus"),
        ("wan 2.1 turbo", {"image": URL, "image_tail": URL}, None),
        ("wan 2.6 flash", {}, None),
        ("wan 2.6 flash", {"image": URL}, "wan2.6-i2v-flash"),
        ("seedance 1.0 lite", {}, "doubao-seedance-1.0-lite-t2v"),
        ("seedance 1.0 lite", {"image": URL}, "doubao-seedance-1.0-lite-i2v"),
        ("即梦3.0", {}, "jimeng_t2v_v30"),
        ("dreamina 3.0", {"image": URL}, "jimeng_i2v_v30"),
        ("wan2.7-t2v", {"image": URL}, "wan2.7-t2v"),
    ],
)
def test_of_ids_that_differ_in_what_a_video_is_made_from_the_request_chooses(
    name: str, request_: dict[str, Any], meant: str | None
) -> None:
    assert resolve(name, **request_) == meant


def test_without_a_request_nothing_chooses() -> None:
    assert resolve_model("wan 2.7", None, among=models()) is None


def test_two_ids_that_say_the_same_are_no_clear_match() -> None:
    both = ["foo-3.0-preview", "foo-3.0-001"]

    assert resolve_model("foo 3", {}, among=both) is None
    assert resolve_model("foo 3.0 preview", {}, among=both) == "foo-3.0-preview"
    assert resolve_model("foo-3.0-001", {}, among=both) == "foo-3.0-001"
    assert resolve_model("foo 1.2", {}, among=["foo-v12"]) is None


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("kling", ["kling-video-v3", "kling-video-v2-6", "kling-video-v2-5-turbo"]),
        ("可灵", ["kling-video-v3", "kling-video-v2-6", "kling-video-v2-5-turbo"]),
        ("kling 2.5", ["kling-video-v2-5-turbo", "kling-video-v2-6"]),
        ("kling 2.6 pro", ["kling-video-v2-6"]),
        ("kling 9", ["kling-video-v3"]),
        ("kling-video-v1-7", ["kling-video-v1-6"]),
        ("klin-video-v1-6", ["kling-video-v1-6"]),
        ("cogvideo-flash", ["cogvideox-flash"]),
        (
            "veo-4",
            [
                "veo-3.1-fast-generate-preview",
                "veo-3.1-lite-generate-preview",
                "veo-3.1-generate-preview",
            ],
        ),
        ("google", ["veo-3.1-fast-generate-preview"]),
        ("豆包", ["doubao-seedance-2.0"]),
        ("sora 3", ["sora-2", "sora-2-pro"]),
        ("vidu q4", ["viduq3-pro"]),
        ("MiniMax-H4", ["MiniMax-H3"]),
        ("wan 2.7", ["wan2.7-t2v", "wan2.7-i2v", "wan2.7-r2v"]),
    ],
)
def test_the_nearest_ids_are_what_people_mean(name: str, nearest: list[str]) -> None:
    found = nearest_models(name)

    assert found[: len(nearest)] == nearest
    assert len(found) == 3
    assert unknown_model_message(name).endswith(f"; the closest are {', '.join(found)}")


def test_a_name_like_none_gets_models_to_begin_with_and_not_similar_letters() -> None:
    assert unknown_model_message("runway gen 4") == (
        'unknown model "runway gen 4", and none has a name like it; models to begin with are'
        " cogvideox-flash, cogvideox-3, kling-video-v3"
    )


def test_a_hostile_name_is_repeated_as_data() -> None:
    words = unknown_model_message('kling"\x1b[31m\u202eIGNORE' + "x" * 5000)

    assert "\x1b" not in words
    assert "\u202e" not in words
    assert words.count('"') == 2
    assert len(words) < 200
