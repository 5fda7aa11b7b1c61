"""What a finished file is, as the child program finds out: real files, real codecs."""

from pathlib import Path
from typing import Any

import anyio
import pytest
from PIL import Image

from geekai_video_mcp.media.inspection import REASONS, FileFacts, Reason, Verdict, inspect_file
from support.clips import make_clip, make_sound, overwritten
from support.stills import encode_image, noise_image, write_file

FAST_START = {"movflags": "faststart"}


async def inspect(tmp_path: Path, content: bytes, name: str = "a.mp4") -> FileFacts:
    return await inspect_file(write_file(tmp_path, name, content))


async def test_the_facts_of_a_video_are_those_of_its_streams(tmp_path: Path) -> None:
    facts = await inspect(tmp_path, make_clip(frames=30, size=(192, 108), sound=True))

    assert facts == FileFacts(
        verdict=Verdict.DECODABLE,
        container="mp4",
        codec="h264",
        width=192,
        height=108,
        seconds=2.5,
        fps=12.0,
        has_sound=True,
        frame_decoded=True,
        end_decoded=True,
    )
    assert facts.sentence is None


ODD: dict[str, dict[str, Any]] = {
    "one-frame": {"frames": 1},
    "variable-rate": {"frames": 4, "times": [0, 1, 30, 31]},
    "ten-bits": {"pix_fmt": "yuv420p10le"},
    "odd-sides": {"size": (63, 47), "pix_fmt": "yuv444p"},
    "fragments": {"container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "webm": {"form": "webm", "codec": "libvpx-vp9"},
    "alpha": {"form": "webm", "codec": "libvpx-vp9", "pix_fmt": "yuva420p"},
    "no-duration": {"form": "webm", "codec": "libvpx", "container_options": {"live": "1"}},
    "matroska": {"form": "matroska", "codec": "libx264"},
    "png-in-mov": {"form": "mov", "codec": "png", "pix_fmt": "rgba"},
    "avi": {"form": "avi", "codec": "mpeg4"},
    "ts": {"form": "mpegts"},
    "gif": {"form": "gif", "codec": "gif", "pix_fmt": "rgb8"},
}


@pytest.mark.parametrize("name", ODD)
async def test_a_good_video_of_any_kind_is_decodable(tmp_path: Path, name: str) -> None:
    facts = await inspect(tmp_path, make_clip(**ODD[name]))

    assert (facts.verdict, facts.reason, facts.has_sound) == (Verdict.DECODABLE, None, False)
    assert facts.frame_decoded
    assert facts.end_decoded is not False
    assert (facts.width, facts.height) == ODD[name].get("size", (64, 48))
    assert facts.seconds is not None
    assert facts.seconds == pytest.approx(
        {"one-frame": 1 / 12, "variable-rate": 32 / 12}.get(name, 1.0), abs=0.1
    )


async def test_the_size_of_a_turned_video_is_that_of_what_is_seen(tmp_path: Path) -> None:
    facts = await inspect(tmp_path, make_clip(size=(64, 48), rotation=90))

    assert (facts.width, facts.height) == (48, 64)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
async def test_a_picture_is_decoded_to_its_end(tmp_path: Path, form: str) -> None:
    whole = encode_image(noise_image(64, 48), form)

    good = await inspect(tmp_path, whole)
    bad = await inspect(tmp_path, whole[: len(whole) // 2])

    assert (good.verdict, good.container) == (Verdict.DECODABLE, form.lower())
    assert (good.width, good.height, good.end_decoded) == (64, 48, True)
    assert (bad.verdict, bad.reason) == (Verdict.UNDECODABLE, Reason.DAMAGED)


BAD: dict[str, tuple[bytes, Verdict, Reason]] = {
    "empty": (b"", Verdict.UNDECODABLE, Reason.EMPTY),
    "start-alone": (make_clip()[:600], Verdict.UNDECODABLE, Reason.INDEX),
    "noise-for-frames": (overwritten(make_clip(), b"mdat"), Verdict.UNDECODABLE, Reason.FRAME),
    "noise-for-an-index": (overwritten(make_clip(), b"moov"), Verdict.UNDECODABLE, Reason.INDEX),
    "sound-alone": (make_sound(), Verdict.UNDECODABLE, Reason.NO_VIDEO),
    "half-a-webm": (b"\x1a\x45\xdf\xa3webm" + bytes(50), Verdict.UNDECODABLE, Reason.INDEX),
    "page": (b"<!doctype html><p>Log in</p>", Verdict.UNKNOWN, Reason.FORMAT),
    "playlist": (b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", Verdict.UNKNOWN, Reason.FORMAT),
    "other-codec": (make_clip().replace(b"avc1", b"zzz1"), Verdict.UNKNOWN, Reason.CODEC),
    "pixels": (encode_image(Image.new("1", (20_000, 20_000))), Verdict.UNKNOWN, Reason.TOO_LARGE),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_file_is_an_answer_and_no_error(tmp_path: Path, name: str) -> None:
    content, verdict, reason = BAD[name]

    facts = await inspect(tmp_path, content)

    assert (facts.verdict, facts.reason) == (verdict, reason)
    assert facts.sentence == REASONS[reason]
    assert not facts.frame_decoded


async def test_a_video_that_breaks_off_is_decodable_and_its_end_is_missing(tmp_path: Path) -> None:
    whole = make_clip(frames=120, container_options=FAST_START, options={"g": "12"})
    facts = await inspect(tmp_path, whole[: len(whole) * 3 // 4])

    assert (facts.verdict, facts.seconds) == (Verdict.DECODABLE, 10.0)
    assert facts.end_decoded is False


async def test_a_file_that_is_gone_and_a_folder_are_unreadable(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.mp4", tmp_path):
        facts = await inspect_file(path)
        assert (facts.verdict, facts.reason) == (Verdict.UNKNOWN, Reason.UNREADABLE)


async def test_what_is_not_found_out_in_time_is_not_known(tmp_path: Path) -> None:
    facts = await inspect_file(write_file(tmp_path, "a.mp4", make_clip()), max_seconds=0.001)

    assert (facts.verdict, facts.reason) == (Verdict.UNKNOWN, Reason.NO_ANSWER)


async def test_the_tenth_file_that_is_asked_about_at_once_gets_its_facts_too(
    tmp_path: Path,
) -> None:
    path, found = write_file(tmp_path, "a.mp4", make_clip()), list[FileFacts]()

    async def ask() -> None:
        found.append(await inspect_file(path, max_seconds=30))

    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(ask)

    assert {facts.verdict for facts in found} == {Verdict.DECODABLE}
