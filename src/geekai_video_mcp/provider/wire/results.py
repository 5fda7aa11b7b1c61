"""Where a result's link may stand in an answer: one table of names, and the search for it. Pure.

The documented places are `video_result`, an object or an array of objects, and `data` of an
image. Gateways hand through the shapes of the makers behind them (read 2026-11-22 to -26):
`task_result.videos[].url` (Kling), `content.video_url` (Volcengine Ark), `output.video_url`
(Alibaba), `creations[].url` (Vidu), `file.download_url` (MiniMax), `assets.video` (Luma),
`response.generateVideoResponse.generatedSamples[].video.uri` (Google), `video_url` and `url` at
the top level, these in camel case, and lists of bare links (Replicate, fal). Names of GeekAI's own
request (`image`, `images`, `video`, `audio`) are not in the table at the top level: an input that
is echoed there is no result.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Final, cast

from geekai_video_mcp.domain.tasks import (
    Media,
    Result,
)
from geekai_video_mcp.provider.wire.responses import VideoResult

BLOT: Final = "[secret]"
"""What replaces a secret of ours. A link with it would not work, and so is none."""

_EVERY: Final = (
    *("url", "urls", "uri", "result_url", "resultUrl", "resultUrls", "download_url", "downloadUrl"),
    *(
        "file_url",
        "fileUrl",
        "play_url",
        "playUrl",
        "signed_url",
        "task_result",
        "output",
        "outputs",
    ),
    *("result", "results", "response", "task", "file", "files", "assets", "artifacts"),
    *("generations", "generateVideoResponse", "generatedSamples", "generatedVideos"),
)
RESULT_NAMES: Final[Mapping[Media, tuple[str, ...]]] = {
    Media.VIDEO: (
        "video_result",
        "video_url",
        "video_urls",
        "videoUrl",
        "videoUrls",
        *_EVERY,
        "videos",
        "creations",
        "content",
        "data",
    ),
    Media.IMAGE: ("data", "image_url", "image_urls", "imageUrl", "imageUrls", *_EVERY, "b64_json"),
}
"""The names of results, the documented one first."""
_INNER_NAMES: Final[Mapping[Media, tuple[str, ...]]] = {
    Media.VIDEO: (*RESULT_NAMES[Media.VIDEO], "video"),
    Media.IMAGE: (*RESULT_NAMES[Media.IMAGE], "image", "images"),
}
"""Inside a result, where nothing of the request is echoed."""
_DOCUMENTED: Final = {Media.VIDEO: "video_result", Media.IMAGE: "data"}
_OBJECTS_ONLY: Final = frozenset({"content"})
"""As a list it is Ark's request, with its reference pictures and videos."""

MAX_ENTRIES: Final = 100
"""Entries of a list that are searched: a task has one result, a picture task up to ten."""
MAX_DEPTH: Final = 6
MAX_JSON_TEXT: Final = 64 * 1024
"""Characters of a text that is read as JSON, if it looks like it."""
_LINK_WITHIN: Final = re.compile(r"https?://[^\s\"'<>()\[\]{}|`]+", re.IGNORECASE)
"""A link in a text such as `<https://...>` or `[video](https://...)`."""
_PICTURE_ENDINGS: Final = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".heic", ".avif")

_Accept = Callable[[str], bool]


def find_result(answer: Mapping[str, object], media: Media) -> Result | None:
    """The first result that has a link: http, https, or for an image also the picture itself.

    In the documented place, any other text is taken as well if there is no such link: without
    what stands around a link in it, such as quotation marks, or else as it is. It is handed to the
    downloader, which says what is wrong with it.
    """

    def is_link(text: str) -> bool:
        return BLOT not in text[:MAX_JSON_TEXT] and _has_scheme(text, media)

    found = _search_names(answer, RESULT_NAMES[media], media, is_link, depth=0)
    if found is not None:
        return found
    documented = _DOCUMENTED[media]
    for entry in _entries(answer.get(documented)):
        text = entry.get("url")
        if isinstance(text, str) and text.strip() and BLOT not in text:
            within = _LINK_WITHIN.search(text[:MAX_JSON_TEXT])
            return _to_result(entry, within[0] if within else text.strip())
    return None


def repeats_secret(answer: Mapping[str, object], media: Media) -> bool:
    """Whether there is a link that repeats a secret of ours, and so was blotted."""

    def is_blotted(text: str) -> bool:
        return BLOT in text[:MAX_JSON_TEXT] and _has_scheme(text, media)

    return _search_names(answer, RESULT_NAMES[media], media, is_blotted, depth=0) is not None


def _has_scheme(text: str, media: Media) -> bool:
    start = text[:16].lower()
    return start.startswith(("https://", "http://")) or (
        media is Media.IMAGE and start.startswith(("data:image/", "data:;base64"))
    )


def _search_names(
    holder: Mapping[str, object],
    names: tuple[str, ...],
    media: Media,
    accept: _Accept,
    *,
    depth: int,
) -> Result | None:
    for name in names:
        found = _search(holder.get(name), name, holder, media, accept, depth=depth)
        if found is not None:
            return found
    return None


def _search(  # noqa: PLR0911 - one branch for each shape, all with the same place
    value: object,
    name: str,
    holder: Mapping[str, object],
    media: Media,
    accept: _Accept,
    *,
    depth: int,
) -> Result | None:
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, str):
        text = value.strip()
        if name == "b64_json" and text:
            text = text if text.startswith("data:") else f"data:;base64,{text}"
        if accept(text) and not (media is Media.VIDEO and _is_echoed_picture(name, text)):
            return _to_result(holder, text)
        parsed = parse_text(text)
        if parsed is None:
            return None
        return _search(parsed, name, holder, media, accept, depth=depth + 1)
    if isinstance(value, list) and name not in _OBJECTS_ONLY:
        for entry in cast("list[object]", value)[:MAX_ENTRIES]:
            found = _search(entry, name, {}, media, accept, depth=depth + 1)
            if found is not None:
                return found
    if isinstance(value, Mapping):
        inner = cast("Mapping[str, object]", value)
        return _search_names(inner, _INNER_NAMES[media], media, accept, depth=depth + 1)
    return None


def parse_text(text: str) -> dict[str, object] | list[object] | None:
    """The object or array that a text holds as JSON; None if it holds none."""
    if not text.startswith(("{", "[")) or len(text) > MAX_JSON_TEXT:
        return None
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, object] | list[object]", parsed)


def _is_echoed_picture(name: str, link: str) -> bool:
    """Whether a video's link under a name that anything may have ends like a picture."""
    path = link.partition("?")[0].partition("#")[0].lower()
    return not name.startswith("video") and path.endswith(_PICTURE_ENDINGS)


def _entries(value: object) -> list[Mapping[str, object]]:
    entries = cast("list[object]", value)[:MAX_ENTRIES] if isinstance(value, list) else [value]
    return [cast("Mapping[str, object]", entry) for entry in entries if isinstance(entry, Mapping)]


def _to_result(holder: Mapping[str, object], link: str) -> Result:
    """A result with the facts that stand beside its link."""
    facts = VideoResult.model_validate(holder)
    of_task = "task_id" in holder or "task_status" in holder  # the answer's id is not a result's
    return Result(
        id=None if of_task else facts.id,
        url=link,
        cover_image_url=facts.cover_image_url,
        last_frame_url=facts.last_frame_url,
        duration=facts.duration,
        revised_prompt=facts.revised_prompt,
    )
