"""The sentence about the model that is used when none is named."""

import pytest

from geekai_video_mcp.config import FREE_IMAGE_MODEL
from geekai_video_mcp.domain.catalogue import models
from geekai_video_mcp.domain.tasks import Media
from geekai_video_mcp.server.views.default_model import MAX_CHARS, describe_default


@pytest.mark.parametrize(
    ("model", "media", "sentence"),
    [
        (
            "cogvideox-flash",
            Media.VIDEO,
            (
                "Default model: cogvideox-flash: free, always 5 s (leave duration out),"
                " takes image,"
                " with_audio and size, but not image_tail or aspect_ratio."
            ),
        ),
        (
            "kling-video-v2-6",
            Media.VIDEO,
            (
                "Default model: kling-video-v2-6: price unknown, 5 or 10 s,"
                " takes image, image_tail,"
                " with_audio, resolution and aspect_ratio."
            ),
        ),
        (
            "wan2.5-i2v-preview",
            Media.VIDEO,
            (
                "Default model: wan2.5-i2v-preview: price unknown, 5 or 10 s, takes image (needed),"
                " with_audio and resolution, but not image_tail."
            ),
        ),
        ("of-another-gateway", Media.VIDEO, "Default model: of-another-gateway."),
        (FREE_IMAGE_MODEL, Media.IMAGE, f"Default model: {FREE_IMAGE_MODEL}: free."),
        ("seedream-4", Media.IMAGE, "Default model: seedream-4."),
        (
            "sandbox",
            Media.VIDEO,
            "Default model: sandbox: a free preview, of up to 60 s, made on this computer.",
        ),
        (
            "sandbox",
            Media.IMAGE,
            "Default model: sandbox: a free preview, made on this computer.",
        ),
    ],
)
def test_the_default_model_is_described(model: str, media: Media, sentence: str) -> None:
    assert describe_default(model, media) == sentence


@pytest.mark.parametrize("model", [*models(), "sandbox", "x" * 128])
def test_the_sentence_is_short_and_never_takes_and_refuses_the_same(model: str) -> None:
    sentence = describe_default(model, Media.VIDEO)
    taken, _, missed = sentence.partition("but not ")

    assert len(sentence) <= MAX_CHARS
    assert sentence.count(".") >= 1
    for name in missed.rstrip(".").replace(" or ", ", ").split(", "):
        assert not name or f" {name}," not in taken
