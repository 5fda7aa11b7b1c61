"""Types alone say which arguments are media, and they say it of all that GeekAI documents."""

import json
from pathlib import Path
from typing import Annotated, Any, cast

import anyio
import pytest
from pydantic import BaseModel, Field

from geekai_video_mcp.domain import media_refs
from geekai_video_mcp.domain.media_fields import MediaFields, MediaKind, media_fields, replace_media
from geekai_video_mcp.server.arguments import Generate, GenerateImage, GenerateVideo
from geekai_video_mcp.server.arguments.fields import (
    AnyPicture,
    Audio,
    JsonDecoded,
    Picture,
    Text,
    Video,
)

IMAGE, VIDEO, AUDIO = MediaKind

IN_EXTRA_BODY = {"image_list": IMAGE, "video_list": VIDEO, "static_mask": IMAGE}
DOCUMENTED: dict[type[Generate], MediaFields] = {
    # docs.geekai.co/en/api/video/create and the model pages of Veo 3.1 and Seedance 2.0.
    GenerateVideo: {
        "image": IMAGE,
        "image_tail": IMAGE,
        "images": IMAGE,
        "video": VIDEO,
        "audio": AUDIO,
        "extra_body": IN_EXTRA_BODY,
    },
    # docs.geekai.co/cn/api/image/generations.
    GenerateImage: {"image": IMAGE, "images": IMAGE, "mask": IMAGE, "extra_body": IN_EXTRA_BODY},
}
"""What GeekAI's pages call a picture, a video or a sound in a request (read 2026-11-22)."""

ORDINARY: dict[type[Generate], set[str]] = {
    GenerateVideo: {
        *("model", "prompt", "negative_prompt", "size", "aspect_ratio", "quality", "watermark"),
        *("async", "retries", "with_audio", "resolution", "duration", "fps"),
    },
    GenerateImage: {
        *("model", "prompt", "negative_prompt", "size", "aspect_ratio", "quality", "watermark"),
        *("async", "retries", "strength", "style_preset", "output_format", "background"),
    },
}
"""The fields of the wire that are words and numbers. Whoever adds one decides which it is."""


@pytest.mark.parametrize("arguments", DOCUMENTED)
def test_every_request_field_that_the_documents_call_a_picture_is_marked(
    arguments: type[Generate],
) -> None:
    assert arguments.media_fields == DOCUMENTED[arguments]


@pytest.mark.parametrize("arguments", DOCUMENTED)
def test_every_field_of_the_wire_is_either_marked_or_known_to_hold_no_media(
    arguments: type[Generate],
) -> None:
    fields = {info.alias or name for name, info in arguments.model_fields.items()}
    ours = {"idempotency_key", "variation", "dry_run"}

    assert fields - arguments.media_fields.keys() == ORDINARY[arguments] | ours


SAMPLES = [
    path
    for path in sorted((Path(__file__).parent / "samples").glob("*.json"))
    if json.loads(path.read_text("utf-8"))["kind"] in {"request", "image_request"}
]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_link_in_a_documented_request_is_in_a_marked_field(path: Path) -> None:
    sample = json.loads(path.read_text("utf-8"))
    arguments = GenerateVideo if sample["kind"] == "request" else GenerateImage

    found = [text for _, _, text in media_of(sample["payload"], arguments.media_fields)]

    assert sorted(found) == sorted(links_of(sample["payload"]))


def links_of(value: object) -> list[str]:
    """Every text in *value* that is a link, a data URI, a file or a task."""
    if isinstance(value, str):
        return [value] if media_refs.ref_kind(value) else []
    if isinstance(value, dict):
        value = list(cast("dict[str, object]", value).values())
    members = cast("list[object]", value) if isinstance(value, list) else []
    return [link for member in members for link in links_of(member)]


def media_of(body: dict[str, Any], fields: MediaFields) -> list[tuple[MediaKind, str, str]]:
    """Kind, place and text of all media in *body*, in order."""
    found: list[tuple[MediaKind, str, str]] = []

    async def note(kind: MediaKind, where: str, text: str) -> str:
        found.append((kind, where, text))
        return text

    async def walk() -> None:
        assert await replace_media(body, fields, note) == body

    anyio.run(walk)
    return found


class Shot(BaseModel):
    """An inner object whose members are declared."""

    start: Picture | None = None
    words: Text | None = None


class Everything(BaseModel):
    """Media in every form in which a type can hold them."""

    needed: Picture
    ours: Video | None = Field(None, alias="theirs")
    bounded: Annotated[list[Audio], Field(max_length=3), JsonDecoded] | None = None
    by_name: dict[str, Picture] | None = None
    either: Picture | list[Picture] | None = None
    shots: list[Shot] | None = None
    free: list[AnyPicture] | None = None
    words: Text | None = None


def test_a_mark_is_found_at_any_depth_of_a_type_and_under_the_name_that_is_sent() -> None:
    assert media_fields(Everything) == {
        "needed": IMAGE,
        "theirs": VIDEO,
        "bounded": AUDIO,
        "by_name": IMAGE,
        "either": IMAGE,
        "shots": {"start": IMAGE},
        "free": IMAGE,
    }


def test_all_media_of_a_body_are_visited_with_their_kind_and_place() -> None:
    body = {
        "needed": "a",
        "theirs": "b",
        "bounded": ["c", "d"],
        "by_name": {"x": "e"},
        "shots": [{"start": "f", "words": "/no/picture"}, {}],
        "free": [{"image_url": "g", "weight": 1}, "h"],
        "words": "/no/picture",
        "undeclared": "/no/picture",
    }

    assert media_of(body, media_fields(Everything)) == [
        (IMAGE, "needed", "a"),
        (VIDEO, "theirs", "b"),
        (AUDIO, "bounded.0", "c"),
        (AUDIO, "bounded.1", "d"),
        (IMAGE, "by_name", "e"),
        (IMAGE, "shots.0.start", "f"),
        (IMAGE, "free.0", "g"),
        (IMAGE, "free.1", "h"),
    ]


def test_a_field_of_two_kinds_is_refused_when_it_is_declared() -> None:
    with pytest.raises(TypeError, match=r"Unclear\.clip is declared as several kinds"):

        class Unclear(GenerateVideo):  # pyright: ignore[reportUnusedClass] - it is refused
            clip: Picture | Video | None = None


@pytest.mark.parametrize("text", ["9:16", "1:1", "4:3.5", "just words"])
def test_a_ratio_is_no_file_on_a_drive_whatever_this_python_takes_for_one(text: str) -> None:
    assert media_refs.ref_kind(text) is None
