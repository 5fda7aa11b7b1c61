"""Models are found by the words that people use for them, in Chinese as well."""

import pytest

from geekai_video_mcp.domain.catalogue import matches_words, models, words_of


def found(query: str) -> set[str]:
    words = words_of(query)
    return {name for name, model in models().items() if matches_words(model, words)}


def of_groups(*groups: str) -> set[str]:
    return {name for name, model in models().items() if model.group in groups}


@pytest.mark.parametrize(
    ("query", "groups"),
    [
        ("可灵", ["Kling"]),
        ("快手", ["Kling"]),
        ("快手可灵", ["Kling"]),
        ("可灵视频", ["Kling"]),
        ("可灵AI", ["Kling"]),
        ("即梦", ["Jimeng", "Seedance"]),
        ("豆包", ["Seedance"]),
        ("字节", ["Jimeng", "Seedance"]),
        ("字节跳动", ["Jimeng", "Seedance"]),
        ("火山引擎", ["Jimeng", "Seedance"]),
        ("seedance", ["Seedance"]),
        ("ByteDance", ["Jimeng", "Seedance"]),
        ("海螺", ["MiniMax"]),
        ("hailuo", ["MiniMax"]),
        ("MiniMax", ["MiniMax"]),
        ("智谱", ["Zhipu"]),
        ("智谱清影", ["Zhipu"]),
        ("zhipu", ["Zhipu"]),
        ("通义万相", ["Wan"]),
        ("万相", ["Wan"]),
        ("阿里", ["Wan"]),
        ("阿里云的模型", ["Wan"]),
        ("alibaba", ["Wan"]),
        ("wan", ["Wan"]),
        ("vidu", ["Vidu"]),
        ("生数", ["Vidu"]),
        ("生数科技", ["Vidu"]),
        ("google", ["Veo"]),
        ("谷歌", ["Veo"]),
        ("google veo video model", ["Veo"]),
        ("openai", ["Sora"]),
        ("xAI", ["Grok"]),
    ],
)
def test_a_maker_or_a_chinese_name_finds_its_models(query: str, groups: list[str]) -> None:
    assert found(query) == of_groups(*groups)


NONE = set[str]()
VEO_31 = {name for name in models() if name.startswith("veo-3.1")}


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("kling 2.6", {"kling-video-v2-6"}),
        ("kling2.6", {"kling-video-v2-6"}),
        ("Kling v2.6", {"kling-video-v2-6"}),
        ("可灵2.6", {"kling-video-v2-6"}),
        ("可灵 2.5", {"kling-video-v2-5-turbo"}),
        ("kling-video-v2-6", {"kling-video-v2-6"}),
        ("kling-v2-6", {"kling-video-v2-6"}),
        ("kling 3.0", {"kling-video-v3", "kling-video-v3-omni"}),
        ("veo 3.1", VEO_31),
        ("veo3.1", VEO_31),
        ("google veo 3.1 fast", {"veo-3.1-fast-generate-preview"}),
        ("veo 3.0", {"veo-3.0-generate-001", "veo-3.0-fast-generate-001"}),
        ("veo 2", {"veo-2.0-generate-001"}),
        ("seedance 2.0", {"doubao-seedance-2.0", "doubao-seedance-2.0-fast"}),
        ("豆包 seedance 1.5", {"doubao-seedance-1.5-pro"}),
        ("hailuo 02", {"MiniMax-Hailuo-02"}),
        ("海螺 2.3 fast", {"MiniMax-Hailuo-2.3-Fast"}),
        ("H3", {"MiniMax-H3"}),
        ("vidu q3", {"viduq3-pro"}),
        ("viduq1", {"vidu-q1"}),
        ("kling v26", {"kling-video-v2-6"}),
        ("wan 2.5", {"wan2.5-t2v-preview", "wan2.5-i2v-preview"}),
        ("通义万相2.6 t2v", {"wan2.6-t2v"}),
        ("jimeng v30 pro", {"jimeng_ti2v_v30_pro"}),
        ("google 4k", {"veo-3.1-generate-preview", "veo-3.1-fast-generate-preview"}),
        ("kling 4k", {"kling-video-v3", "kling-video-v3-omni"}),
        ("zhipu free", {"cogvideox-flash"}),
        ("免费", {"cogvideox-flash"}),
        ("runway", NONE),
        ("kling 9", NONE),
        ("2024", NONE),
    ],
)
def test_a_marketing_name_with_its_version_finds_the_model(query: str, ids: set[str]) -> None:
    assert found(query) == ids


def test_jimeng_3_0_is_written_v30() -> None:
    assert {name for name in found("即梦3.0") if "jimeng" in name} == {
        "jimeng_t2v_v30",
        "jimeng_i2v_v30",
        "jimeng_ti2v_v30_pro",
    }


@pytest.mark.parametrize("name", models())
def test_a_whole_id_finds_its_model(name: str) -> None:
    assert name in found(name)
    assert name in found(name.upper())


@pytest.mark.parametrize("query", ["", " ", "video", "视频模型", "，"])
def test_words_that_say_nothing_leave_nothing_out(query: str) -> None:
    assert found(query) == set(models())
