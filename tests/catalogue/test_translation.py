"""What means the same is sent as the model takes it, and said; what cannot be is refused."""

from typing import Any

import pytest

from geekai_video_mcp.domain.catalogue import check_request, models
from geekai_video_mcp.errors import NOT_CHARGED, RequestRefused

FIRST, LAST = "https://example.com/1.png", "https://example.com/2.png"
TIKTOK = {"aspect_ratio": "9:16", "resolution": "1080p", "duration": 10, "with_audio": True}
"""Vertical for TikTok, 10 s, with sound, 1080p."""


def check_model(model: str, **fields: Any) -> tuple[dict[str, Any], str]:  # noqa: ANN401 - JSON
    """The request as it would be sent, without what every one has, and what is said of it."""
    found = check_request({"model": model, "prompt": "a fox", **fields})
    sent = {k: v for k, v in found.body.items() if k not in {"model", "prompt"}}
    return sent, "; ".join(found.warnings)


Sent = tuple[str, dict[str, Any], dict[str, Any], str]
TRANSLATED: list[Sent] = [
    (
        "cogvideox-3",
        TIKTOK,
        {"size": "1080x1920", "duration": 10, "with_audio": True},
        "aspect_ratio 9:16 and resolution 1080p were sent as size 1080x1920",
    ),
    (
        "kling-video-v2-6",
        TIKTOK,
        {"aspect_ratio": "9:16", "quality": "pro", "duration": 10, "with_audio": True},
        "resolution 1080p was sent as quality pro",
    ),
    ("cogvideox-flash", {"aspect_ratio": "9:16"}, {"size": "1080x1920"}, "as size 1080x1920"),
    ("cogvideox-3", {"aspect_ratio": "1:1"}, {"size": "1024x1024"}, "as size 1024x1024"),
    (
        "cogvideox-3",
        {"resolution": "720p"},
        {"size": "1280x720"},
        "resolution 720p was sent as size 1280x720",
    ),
    ("cogvideox-3", {"resolution": "4K"}, {"size": "3840x2160"}, "as size 3840x2160"),
    ("cogvideox-2", {"resolution": "1080P"}, {}, "without size, cogvideox-2 makes 1080p"),
    (
        "cogvideox-2",
        {"resolution": "1080P", "image": FIRST},
        {"image": FIRST},
        "resolution was left out",
    ),
    (
        "cogvideox-flash",
        {"aspect_ratio": "9:16", "size": "1080x1920"},
        {"size": "1080x1920"},
        "aspect_ratio was left out: cogvideox-flash takes size, which is",
    ),
    ("sora-2", {"aspect_ratio": "16:9"}, {"size": "1280x720"}, "as size 1280x720"),
    (
        "sora-2",
        {"aspect_ratio": "9:16", "resolution": "720p"},
        {"size": "720x1280"},
        "as size 720x1280",
    ),
    (
        "stable-video",
        {"image": FIRST, "aspect_ratio": "9:16"},
        {"image": FIRST, "size": "576x1024"},
        "as size 576x1024",
    ),
    (
        "veo-3.1-generate-preview",
        {"size": "1080x1920"},
        {"aspect_ratio": "9:16", "resolution": "1080p"},
        "size 1080x1920 was sent as aspect_ratio 9:16 and resolution 1080p",
    ),
    (
        "wan2.7-t2v",
        {"size": "1280*720"},
        {"aspect_ratio": "16:9", "resolution": "720P"},
        "as aspect_ratio 16:9 and resolution 720P",
    ),
    (
        "kling-video-v3",
        {"size": "1280x720"},
        {"aspect_ratio": "16:9", "quality": "std"},
        "resolution 720p was sent as quality std",
    ),
    ("kling-video-v3", {"size": "2160x3840"}, {"aspect_ratio": "9:16", "quality": "4k"}, "4k"),
    (
        "kling-video-v1",
        {"size": "1080x1920"},
        {"aspect_ratio": "9:16"},
        "the resolution of kling-video-v1 cannot be chosen",
    ),
    (
        "doubao-seedance-2.0",
        {"size": "854x480"},
        {"aspect_ratio": "16:9", "resolution": "480p"},
        "was sent as aspect_ratio 16:9 and resolution 480p",
    ),
    (
        "veo-3.1-generate-preview",
        {"size": "1920x1080", "aspect_ratio": "16:9"},
        {"aspect_ratio": "16:9", "resolution": "1080p"},
        "size 1920x1080 was sent as",
    ),
    (
        "cogvideox-3",
        {"image": FIRST, "image_tail": LAST},
        {"image": [FIRST, LAST]},
        "image and image_tail were sent as one list",
    ),
    ("kling-video-v2-1", {"quality": "high"}, {"quality": "pro"}, "quality high was sent as"),
    ("cogvideox-3", {"quality": "Best"}, {"quality": "quality"}, "cogvideox-3 takes speed or"),
    ("cogvideox-2", {"quality": "pro"}, {"quality": "quality"}, "takes speed or quality"),
    ("kling-video-v3", {"quality": "Max"}, {"quality": "pro"}, "takes std, pro or 4k"),
    ("sora-2-pro", {"aspect_ratio": "16:9"}, {"size": "1280x720"}, "was sent as size 1280x720"),
    ("sora-2-pro", {"aspect_ratio": "9:16"}, {"size": "720x1280"}, "was sent as size 720x1280"),
    ("cogvideox-3", {"quality": "fast"}, {"quality": "speed"}, "was sent as quality speed"),
    (
        "kling-video-v3",
        {"resolution": "1080P", "quality": "high"},
        {"quality": "pro"},
        "resolution 1080P was sent as quality pro",
    ),
]
"""A model, a request, what is sent of it, and what is said."""


@pytest.mark.parametrize(("model", "fields", "sent", "said"), TRANSLATED, ids=str)
def test_what_means_the_same_is_sent_as_the_model_takes_it_and_said(
    model: str, fields: dict[str, Any], sent: dict[str, Any], said: str
) -> None:
    body, words = check_model(model, **fields)

    assert body == sent
    assert said in words


@pytest.mark.parametrize(("model", "fields", "sent", "said"), TRANSLATED, ids=str)
def test_a_request_in_the_words_of_its_model_is_sent_as_it_is(
    model: str, fields: dict[str, Any], sent: dict[str, Any], said: str
) -> None:
    assert said or fields
    assert check_model(model, **sent)[0] == sent


Refused = tuple[str, dict[str, Any], str, str]
NOT_TRANSLATED: list[Refused] = [
    (
        "cogvideox-3",
        {"aspect_ratio": "4:3"},
        "takes size in the place of aspect_ratio, and has no 4:3 at 1080p",
        "give size 1280x720, 720x1280, 1024x1024, 1920x1080, 1080x1920, 2048x1080 or 3840x2160",
    ),
    (
        "cogvideox-flash",
        {"aspect_ratio": "16:9", "resolution": "720p"},
        "and has no 16:9 at 720p",
        "give size 1920x1080 or 3840x2160",
    ),
    (
        "cogvideox-3",
        {"image": FIRST, "resolution": "720p"},
        "cogvideox-3 takes size in the place of resolution;",
        "give size 1280x720 or 720x1280",
    ),
    (
        "cogvideox-3",
        {"image_tail": LAST},
        "takes a last frame only together with a first one",
        "give image as well",
    ),
    (
        "cogvideox-3",
        {"image": [FIRST, LAST], "image_tail": LAST},
        "takes image_tail only beside a single image",
        "give one image",
    ),
    (
        "cogvideox-3",
        {"image": FIRST, "image_tail": LAST, "quality": "quality"},
        "goes from a first to a last frame only with quality=speed",
        "leave quality out, or give speed",
    ),
    ("kling-video-v3", {"size": "1024x768"}, "and makes no 1024x768", "give 16:9, 9:16 or 1:1"),
    (
        "veo-3.1-generate-preview",
        {"size": "1920x1080", "duration": 6},
        "makes 8 s at 1080p and 4k, regardless of duration",
        "give duration 8, or resolution 720p",
    ),
    (
        "MiniMax-H3",
        {"size": "1080x1920"},
        'lists no resolution "1080p", only 768P or 2K',
        "give one of these",
    ),
    (
        "kling-video-v3",
        {"resolution": "1080p", "quality": "std"},
        'makes 1080p with quality=pro, and not "std"',
        "give quality=pro, or leave one of the two out",
    ),
    (
        "sora-2",
        {"aspect_ratio": "1:1"},
        "takes size in the place of aspect_ratio, and has no 1:1",
        "give size 720x1280 or 1280x720",
    ),
]
"""A model, a request, why it cannot be sent, and the way out."""


@pytest.mark.parametrize(("model", "fields", "why", "remedy"), NOT_TRANSLATED, ids=str)
def test_what_has_no_counterpart_is_refused_with_what_the_model_takes(
    model: str, fields: dict[str, Any], why: str, remedy: str
) -> None:
    with pytest.raises(RequestRefused) as caught:
        check_model(model, **fields)

    assert why in caught.value.message
    assert remedy in caught.value.message
    assert NOT_CHARGED in caught.value.message


def test_a_vertical_film_with_sound_is_one_accepted_call_or_one_refusal_that_names_the_model() -> (
    None
):
    verdicts = {name: _verdict(name) for name in models()}
    accepted = {name for name, refusal in verdicts.items() if refusal is None}

    for refusal in verdicts.values():
        assert refusal is None or "All of it can be made by " in refusal
    assert {"cogvideox-3", "kling-video-v2-6", "kling-video-v3", "wan2.7-t2v"} <= accepted


def _verdict(model: str) -> str | None:
    """The refusal of the request by the model; None if it is accepted."""
    try:
        check_model(model, **TIKTOK)
    except RequestRefused as exc:
        return exc.message
    return None


def test_a_size_that_is_no_size_passes_as_any_word_does() -> None:
    assert check_model("wan2.7-t2v", size="huge")[0] == {"size": "huge"}
