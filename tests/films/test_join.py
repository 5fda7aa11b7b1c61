"""Films as the child program makes them: real files, real codecs, read by another reader."""

import hashlib
import os
import stat
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.media.downloads.partial import Part
from geekai_video_mcp.media.films import JoinedFilm, JoinPart, JoinRequest, join_files
from support.sampling import sample
from support.shots import beeps, is_near, make_shot, make_sound, packet_hashes, probe, read_film
from support.shots import shade as shade_of

NO_B_FRAMES = {"bf": "0"}


async def join(
    folder: Path, *parts: JoinPart | Path, audio: Path | None = None, stem: str = "film-1a2b3c4d"
) -> JoinedFilm:
    return await join_files(
        JoinRequest(
            parts=[each if isinstance(each, JoinPart) else part(each) for each in parts],
            output_dir=folder / "out",
            stem=stem,
            task_id="1a2b3c4d" * 4,
            audio=str(audio) if audio else None,
        )
    )


def part(
    path: Path, start: float | None = None, end: float | None = None, *, continues: bool = False
) -> JoinPart:
    return JoinPart(path=str(path), start=start, end=end, continues=continues)


def file_of(film: JoinedFilm) -> Path:
    assert film.update.path is not None
    return Path(film.update.path)


def shades(*ranges: range) -> list[int]:
    return [shade_of(number) for each in ranges for number in each]


def assert_shows(seen: list[int], expected: list[int]) -> None:
    assert len(seen) == len(expected)
    wrong = [
        (number, one, other)
        for number, (one, other) in enumerate(zip(seen, expected, strict=True))
        if not is_near(one, other)
    ]
    assert wrong == []


@pytest.mark.parametrize("count", sample([2, 3, 12], every=2))
@pytest.mark.parametrize("sound", [False, True], ids=["silent", "sound"])
async def test_parts_that_agree_are_joined_with_every_packet_as_it_was(
    tmp_path: Path, count: int, *, sound: bool
) -> None:
    paths = [
        make_shot(tmp_path / f"{number}.mp4", frames=25, first_shade=45 + number, sound=sound)
        for number in range(count)
    ]
    film = await join(tmp_path, *paths)
    seen = read_film(file_of(film))

    assert film.notes == ("The parts were joined without re-encoding.",)
    assert seen.video_hashes == [each for path in paths for each in packet_hashes(path)[0]]
    assert seen.frames == 25 * count
    expected = [shade_of(number, 45 + shot) for shot in range(count) for number in range(25)]
    assert_shows(seen.shades, expected)
    assert seen.seconds == pytest.approx(25 * count / 24, abs=0.001)
    if sound:
        assert set(seen.audio_hashes) <= {each for path in paths for each in packet_hashes(path)[1]}
        assert seen.sound_seconds == pytest.approx(seen.seconds, abs=1 / 24)
        quiet = [value < 0.3 for value in seen.loudness[2:-3]]
        assert not any(all(quiet[at : at + 3]) for at in range(len(quiet))), "no gap at a seam"
    facts = film.update
    assert facts.status is FileStatus.STORED
    assert (facts.width, facts.height, facts.fps, facts.has_sound) == (160, 96, 24.0, sound)
    assert facts.seconds == pytest.approx(seen.seconds, abs=0.01)
    assert facts.size_bytes == file_of(film).stat().st_size
    assert file_of(film).name == "film-1a2b3c4d.mp4"
    assert [each.name for each in (tmp_path / "out").iterdir()] == [file_of(film).name]
    video = probe(file_of(film))["video"]
    assert int(video["nb_read_frames"]) == seen.frames


async def test_a_film_is_synced_once_while_it_is_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced, hashing = list[str](), threading.Event()
    fsync, take_written = os.fsync, Part.take_written

    def observed_sync(descriptor: int) -> None:
        assert hashing.wait(10)
        synced.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "bytes")
        fsync(descriptor)

    def observed_hash(part: Part) -> None:
        hashing.set()
        take_written(part)

    monkeypatch.setattr(os, "fsync", observed_sync)
    monkeypatch.setattr(Part, "take_written", observed_hash)
    film = await join(tmp_path, make_shot(tmp_path / "1.mp4"), make_shot(tmp_path / "2.mp4"))

    assert synced == ["bytes", "folder"]
    assert film.update.sha256 == hashlib.sha256(file_of(film).read_bytes()).hexdigest()


@pytest.mark.exhaustive
@pytest.mark.parametrize("copied", [False, True], ids=["encoded", "copied"])
async def test_sound_stays_with_its_picture_at_every_seam(tmp_path: Path, *, copied: bool) -> None:
    odd = [23, 31, 24, 29, 27, 25] * 2
    paths = [
        make_shot(tmp_path / f"{number}.mp4", frames=frames, sound=True, beep_at=0.5)
        for number, frames in enumerate(odd)
    ]
    if not copied:
        paths.append(make_shot(tmp_path / "other.mp4", size=(96, 160)))
    film = await join(tmp_path, *paths)
    seen = read_film(file_of(film))

    starts = [sum(odd[:number]) / 24 for number in range(len(odd))]
    assert beeps(seen.loudness) == [pytest.approx(at + 0.5, abs=0.025) for at in starts]
    assert (film.notes[0] == "The parts were joined without re-encoding.") is copied
    assert seen.sound_seconds == pytest.approx(seen.seconds, abs=1 / 24)


async def test_other_sizes_and_rates_are_fitted_into_the_first_part_and_never_stretched(
    tmp_path: Path,
) -> None:
    film = await join(
        tmp_path,
        make_shot(tmp_path / "a.mp4", sound=True),
        make_shot(tmp_path / "b.mp4", size=(96, 160), fps=30, frames=30),
        make_shot(tmp_path / "c.mp4", size=(320, 192), fps=25, frames=50),
        make_shot(tmp_path / "d.mp4", size=(96, 160), rotation=90, fps=12, frames=12),
        make_shot(tmp_path / "e.webm", codec="libvpx-vp9", form="webm", fps=Fraction(30000, 1001)),
    )
    seen = read_film(file_of(film))

    assert seen.size == (160, 96)
    assert film.notes == (
        "The parts were encoded again, because their sizes differ.",
        "Part 2 (96x160) was fitted into 160x96 with bars.",
        "Part 2 (30 frames a second) was converted to 24 frames a second.",
        "Part 3 (320x192) was scaled to 160x96.",
        "Part 3 (25 frames a second) was converted to 24 frames a second.",
        "Part 4 (12 frames a second) was converted to 24 frames a second.",
        "Part 5 (29.97 frames a second) was converted to 24 frames a second.",
        "Parts 2, 3, 4 and 5 have no sound and are silent.",
    )
    assert seen.frames == 24 + 24 + 48 + 24 + 19
    assert {*seen.corner_shades[24:48]} <= {0, 1}, "bars"
    assert min(seen.corner_shades[72:96]) > 30, "turned upright, it has none"
    assert_shows(seen.shades[:24], shades(range(24)))
    assert_shows(seen.shades[24:48], [shade_of(int((n + 0.5) * 30 / 24)) for n in range(24)])
    assert_shows(seen.shades[96:120], [shade_of(n // 2) for n in range(24)])
    assert seen.sound_seconds == pytest.approx(seen.seconds, abs=1 / 24)
    assert min(seen.loudness[2:95]) > 0.3
    assert max(seen.loudness[110:]) < 0.01
    tracks = probe(file_of(film))
    assert int(tracks["video"]["nb_read_frames"]) == seen.frames
    assert float(tracks["audio"]["duration"]) == pytest.approx(
        float(tracks["video"]["duration"]), abs=1 / 24
    )


@pytest.mark.parametrize(
    ("start", "end", "kept"),
    sample(
        [
            (None, 0.5, range(12)),
            (0.5, None, range(12, 24)),
            (7 / 24, 17 / 24, range(7, 17)),
            (0.2917, 0.7083, range(7, 17)),
            (0.3, 0.7, range(7, 17)),
            (None, 1.04, range(24)),
            (0.96, None, range(23, 24)),
        ],
        every=3,
    ),
)
async def test_a_part_is_trimmed_to_the_nearest_frames(
    tmp_path: Path, start: float | None, end: float | None, kept: range
) -> None:
    path = make_shot(tmp_path / "a.mp4", sound=True)
    film = await join(tmp_path, part(path, start, end))
    seen = read_film(file_of(film))

    assert_shows(seen.shades, shades(kept))
    assert seen.seconds == pytest.approx(len(kept) / 24, abs=0.001)
    assert seen.sound_seconds == pytest.approx(seen.seconds, abs=1 / 24)


async def test_a_part_that_is_cut_at_key_frames_is_copied(tmp_path: Path) -> None:
    options = {"g": "8", "keyint_min": "8", "sc_threshold": "0", **NO_B_FRAMES}
    path = make_shot(tmp_path / "a.mp4", options=options, sound=True)
    film = await join(tmp_path, part(path, 8 / 24, 21 / 24))
    seen = read_film(file_of(film))

    assert film.notes == ("The part was cut without re-encoding.",)
    assert seen.video_hashes == packet_hashes(path)[0][8:21]
    assert_shows(seen.shades, shades(range(8, 21)))
    assert seen.sound_seconds == pytest.approx(seen.seconds, abs=1 / 24)


async def test_a_cut_that_would_leave_out_what_is_needed_encodes_again(tmp_path: Path) -> None:
    path = make_shot(tmp_path / "a.mp4", options={"bf": "3", "b_strategy": "0"})
    for end in range(4, 24, 5):
        film = await join(tmp_path, part(path, None, end / 24), stem=f"film-{end}")

        assert_shows(read_film(file_of(film)).shades, shades(range(end)))


@pytest.mark.parametrize("options", [NO_B_FRAMES, {}], ids=["copied", "encoded"])
async def test_the_doubled_frame_of_a_shot_that_continues_is_shown_once(
    tmp_path: Path, options: dict[str, str]
) -> None:
    first = make_shot(tmp_path / "a.mp4", frames=13, options=options)
    second = make_shot(tmp_path / "b.mp4", frames=13, options=options, first_shade=100)
    film = await join(tmp_path, first, part(second, continues=True))
    seen = read_film(file_of(film))

    assert_shows(seen.shades, shades(range(12), range(12, 25)))
    assert "Part 2 begins with the last frame of part 1, which is shown once." in film.notes
    if options:
        hashes = packet_hashes(first)[0][:12] + packet_hashes(second)[0]
        assert seen.video_hashes == hashes
        assert film.notes[0] == "The parts were joined without re-encoding."


async def test_frames_that_do_not_agree_both_stay(tmp_path: Path) -> None:
    first = make_shot(tmp_path / "a.mp4", frames=13)
    other = make_shot(tmp_path / "b.mp4", frames=13, first_shade=105)
    trimmed = part(make_shot(tmp_path / "c.mp4", frames=13, first_shade=165), continues=True)
    film = await join(tmp_path, part(first), part(other, continues=True), trimmed)

    assert read_film(file_of(film)).frames == 38
    assert film.notes[1:] == (
        "Part 3 begins with the last frame of part 2, which is shown once.",
        (
            "Part 2 does not begin with the last frame of part 1 as it is, so no frame was dropped"
            " between them."
        ),
    )


async def test_a_cut_before_the_seam_drops_no_frame(tmp_path: Path) -> None:
    paths = [
        make_shot(tmp_path / "a.mp4", options=NO_B_FRAMES, first_shade=35),
        make_shot(tmp_path / "b.mp4", options=NO_B_FRAMES),
    ]
    film = await join(tmp_path, part(paths[0], None, 2 / 24), part(paths[1], continues=True))

    assert_shows(read_film(file_of(film)).shades, [215, 40, *shades(range(24))])


SOUNDS = {
    "mp3": ("libmp3lame", "mp3"),
    "wav": ("pcm_s16le", "wav"),
    "m4a": ("aac", "ipod"),
    "ogg": ("libopus", "ogg"),
    "flac": ("flac", "flac"),
    "mp4": ("aac", "mp4"),
}


@pytest.mark.parametrize("ending", sample(SOUNDS, every=4))
@pytest.mark.parametrize("seconds", [0.5, 3.0], ids=["shorter", "longer"])
async def test_audio_replaces_all_sound_and_ends_with_the_film(
    tmp_path: Path, ending: str, seconds: float
) -> None:
    codec, form = SOUNDS[ending]
    audio = make_sound(tmp_path / f"s.{ending}", seconds=seconds, codec=codec, form=form)
    parts = [
        make_shot(tmp_path / "a.mp4", sound=True),
        make_shot(tmp_path / "b.mp4"),
    ]
    film = await join(tmp_path, *parts, audio=audio)
    seen = read_film(file_of(film))

    assert seen.video_hashes == [each for path in parts for each in packet_hashes(path)[0]]
    assert seen.sound_seconds == pytest.approx(2.0, abs=1 / 24)
    assert min(seen.loudness[5:45]) > 0.3
    if seconds > 2:
        assert "fades out" in film.notes[1]
        assert seen.loudness[150] > seen.loudness[175] > seen.loudness[196]
    else:
        assert "silence follows to 2.0 s" in film.notes[1]
        assert max(seen.loudness[60:]) < 0.01


async def test_video_with_the_sound_of_a_part_that_has_none_keeps_its_packets(
    tmp_path: Path,
) -> None:
    paths = [make_shot(tmp_path / "a.mp4"), make_shot(tmp_path / "b.mp4", sound=True)]
    film = await join(tmp_path, *paths)
    seen = read_film(file_of(film))

    assert film.notes == (
        "The parts were joined without re-encoding the pictures; the sound was encoded again.",
        "Part 1 has no sound and is silent.",
    )
    assert seen.video_hashes == [each for path in paths for each in packet_hashes(path)[0]]
    assert max(seen.loudness[:95]) < 0.01
    assert min(seen.loudness[105:-3]) > 0.3


@pytest.mark.exhaustive
async def test_a_part_in_4k_is_fitted_within_the_memory_of_a_child(tmp_path: Path) -> None:
    fast = {"preset": "ultrafast"}
    large = make_shot(tmp_path / "k.mp4", size=(3840, 2160), frames=6, options=fast)
    small = make_shot(tmp_path / "a.mp4", size=(1280, 720), frames=12, options=fast)
    film = await join(tmp_path, small, large)
    first = await join(tmp_path, large, small, stem="large-first")

    assert read_film(file_of(film)).size == (1280, 720)
    assert film.notes[1] == "Part 2 (3840x2160) was scaled to 1280x720."
    assert probe(file_of(first))["video"]["width"] == 3840
    assert (first.update.width, first.update.seconds) == (3840, 0.75)


KINDS: dict[str, dict[str, Any]] = {
    "ten-bits": {"pix_fmt": "yuv420p10le"},
    "full-chroma": {"pix_fmt": "yuv444p"},
    "odd-sides": {"size": (161, 97), "pix_fmt": "yuv444p"},
    "variable-rate": {"frames": 6, "times": [0, 1, 12, 13, 20, 23]},
    "one-frame": {"frames": 1},
    "webm": {"form": "webm", "codec": "libvpx"},
    "matroska": {"form": "matroska", "sound": True},
    "avi": {"form": "avi", "codec": "mpeg4", "sound": True},
    "ts": {"form": "mpegts", "sound": True},
    "gif": {"form": "gif", "codec": "gif", "pix_fmt": "rgb8", "fps": 10},
    "png-in-mov": {"form": "mov", "codec": "png", "pix_fmt": "rgb24"},
    "sound-is-longer": {"sound": True, "sound_seconds": 1.6},
    "sound-is-shorter": {"sound": True, "sound_seconds": 0.4},
    "turned": {"rotation": 270},
}


@pytest.mark.parametrize("kind", sample(KINDS, every=4))
@pytest.mark.parametrize("first", [False, True], ids=["second", "first"])
async def test_a_part_of_any_kind_joins(tmp_path: Path, kind: str, *, first: bool) -> None:
    odd = make_shot(tmp_path / "odd", **KINDS[kind])
    plain = make_shot(tmp_path / "plain.mp4", sound=True)
    film = await join(tmp_path, *([odd, plain] if first else [plain, odd]))
    seen = read_film(file_of(film))

    assert seen.frames == round(seen.seconds * (film.update.fps or 0))
    assert seen.sound_seconds == pytest.approx(seen.seconds, abs=1 / (film.update.fps or 24))
    assert int(probe(file_of(film))["video"]["nb_read_frames"]) == seen.frames


@pytest.mark.exhaustive
async def test_hdr_is_converted_and_not_taken_for_dull_colours(tmp_path: Path) -> None:
    hdr = make_shot(
        tmp_path / "hdr.mp4", pix_fmt="yuv420p10le", tags=(9, 16, 9), frames=12, first_shade=120
    )
    film = await join(tmp_path, make_shot(tmp_path / "a.mp4"), hdr)
    seen = read_film(file_of(film))

    assert seen.frames == 36
    assert probe(file_of(film))["video"]["pix_fmt"] == "yuv420p"
    # A PQ signal has less contrast than the picture that it stands for.
    assert seen.shades[24] < shade_of(0, 120) - 3
    assert seen.shades[35] > shade_of(11, 120) + 3


async def test_the_same_film_again_is_the_same_file(tmp_path: Path) -> None:
    paths = [make_shot(tmp_path / "a.mp4"), make_shot(tmp_path / "b.mp4", size=(96, 160))]
    once = await join(tmp_path, *paths)
    twice = await join(tmp_path, *paths)

    assert once == twice
    assert len([*(tmp_path / "out").iterdir()]) == 1
