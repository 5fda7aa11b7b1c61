"""Films that cannot be joined: each reason in a sentence, and nothing left behind."""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from geekai_video_mcp.errors import JoinFailed
from geekai_video_mcp.media import output_folder
from geekai_video_mcp.media.films import JOIN_SECONDS, JoinPart, JoinRequest, join_files
from support.clips import make_clip, overwritten
from support.clips import make_sound as make_sound_clip
from support.clock import run_without_thread, virtual_time
from support.disks import mounted_tmpfs
from support.process import children_running, descendants_naming
from support.sampling import sample
from support.shots import make_shot, read_film
from support.stills import encode_image, noise_image

JOIN = "geekai_video_mcp.media.workers.join"


def request(
    folder: Path,
    *parts: Path | JoinPart,
    audio: Path | None = None,
    output_dir: Path | None = None,
) -> JoinRequest:
    return JoinRequest(
        parts=[each if isinstance(each, JoinPart) else JoinPart(path=str(each)) for each in parts],
        output_dir=output_dir or folder / "out",
        stem="film-1a2b3c4d",
        task_id="1a2b3c4d" * 4,
        audio=str(audio) if audio else None,
    )


async def failure(*args: Any, **options: Any) -> JoinFailed:  # noqa: ANN401 - of `request`
    made = request(*args, **options)
    with pytest.raises(JoinFailed) as raised:
        await join_files(made)
    assert not made.output_dir.exists() or [*made.output_dir.iterdir()] == []
    return raised.value


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return make_shot(tmp_path / "good.mp4", sound=True)


def cut(content: bytes, share: float) -> bytes:
    return content[: int(len(content) * share)]


def damaged_at(content: bytes, share: float) -> bytes:
    """The MP4 with noise in its pictures from this share of them on."""
    at = content.index(b"mdat") + 4
    size = int.from_bytes(content[at - 8 : at - 4], "big") - 8
    begin = at + int(size * share)
    noise = bytes((each * 7 + 13) & 255 for each in content[begin : begin + 300])
    return content[:begin] + noise + content[begin + len(noise) :]


def fast_start(path: Path) -> bytes:
    """The MP4 with its index first, as it comes from a web server."""
    import av  # noqa: PLC0415

    out = path.with_name("fast.mp4")
    with (
        av.open(str(path)) as source,
        av.open(str(out), "w", options={"movflags": "faststart"}) as opened,
    ):
        container: Any = opened
        stream = container.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    return out.read_bytes()


def noisy_shot(path: Path) -> Path:
    """A shot whose frames take about the same number of bytes each."""
    return make_shot(path, frames=48, size=(320, 192), options={"g": "1", "crf": "4"})


BROKEN: dict[str, tuple[Callable[[Path], bytes], str, str]] = {
    "empty": (lambda _: b"", "part_damaged", "Part 2 is damaged: its file"),
    "text": (lambda _: b"hello, world\n" * 99, "part_damaged", "Part 2 is damaged"),
    "no-index": (lambda p: cut(p.read_bytes(), 0.6), "part_damaged", "Part 2 is damaged"),
    "breaks-off": (lambda p: cut(fast_start(p), 0.7), "part_damaged", " breaks off at 1."),
    "noise-for-frames": (
        lambda p: overwritten(p.read_bytes(), b"mdat"),
        "part_damaged",
        "Part 2 is damaged at 0 s",
    ),
    "noise-in-the-middle": (
        lambda p: damaged_at(p.read_bytes(), 0.6),
        "part_damaged",
        "Part 2 is damaged at 1.",
    ),
    "guessed-frames": (
        lambda p: damaged_at(p.with_name("noise.mp4").read_bytes(), 0.8),
        "part_damaged",
        "Part 2 is damaged at 2.417 s",
    ),
    "picture": (
        lambda _: encode_image(noise_image(64, 48)),
        "part_no_video",
        "Part 2 is a picture and no video",
    ),
    "jpeg": (
        lambda _: encode_image(noise_image(64, 48), "JPEG"),
        "part_no_video",
        "Part 2 is a picture and no video",
    ),
    "sound": (lambda _: make_sound_clip(), "part_no_video", "Part 2 has no video in it"),
}


@pytest.mark.parametrize("kind", sample(BROKEN, every=3))
@pytest.mark.parametrize("agrees", [False, True], ids=["encoded", "copied"])
async def test_a_damaged_part_is_named_with_its_number_and_place(
    tmp_path: Path, kind: str, *, agrees: bool
) -> None:
    spoil, code, words = BROKEN[kind]
    whole = noisy_shot(tmp_path / "whole.mp4")
    if kind == "guessed-frames":  # a decoder fills in what is missing of one, and says so
        whole = tmp_path / "noise.mp4"
        whole.write_bytes(make_clip(frames=30, size=(320, 180), noisy=True))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(spoil(whole))
    first = whole if agrees else make_shot(tmp_path / "a.mp4")
    error = await failure(tmp_path, first, broken, first)

    assert error.code == code
    assert words in error.message
    assert "broken.mp4" in error.message
    assert "charged" not in error.message


async def test_what_is_cut_off_may_be_damaged(tmp_path: Path) -> None:
    whole = noisy_shot(tmp_path / "whole.mp4")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(damaged_at(whole.read_bytes(), 0.9))
    film = await join_files(request(tmp_path, JoinPart(path=str(broken), end=1.5)))

    assert film.update.seconds == 1.5


async def test_a_missing_part_is_named(tmp_path: Path, good: Path) -> None:
    error = await failure(tmp_path, good, good, tmp_path / "gone.mp4")

    assert error.code == "part_missing"
    assert error.message.startswith("Part 3 is missing: its file ")
    assert "gone.mp4" in error.message
    error = await failure(tmp_path, good, tmp_path)
    assert error.message.startswith("Part 2 cannot be read")


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        (None, 1.5, "Part 2 is only 1 s long."),
        (1.0, None, "Part 2 is only 1 s long."),
        (9.0, 12.0, "Part 2 is only 1 s long."),
        (0.5, 0.5, "Nothing is left of part 2, which is 1 s long."),
        (0.7, 0.3, "Nothing is left of part 2, which is 1 s long."),
        (0.995, None, "Nothing is left of part 2, which is 1 s long."),
    ],
)
async def test_seconds_that_a_part_does_not_have_are_refused(
    tmp_path: Path, good: Path, start: float | None, end: float | None, words: str
) -> None:
    error = await failure(tmp_path, good, JoinPart(path=str(good), start=start, end=end))

    assert error.code == "part_trim"
    assert error.message == f"{words} Change the seconds that are kept of it, then join again."


async def test_too_many_or_too_long_parts_are_refused(tmp_path: Path) -> None:
    slow = make_shot(tmp_path / "slow.mp4", frames=6, fps=1)
    times = [0, *range(1000, 1005)]
    long = make_shot(tmp_path / "long.mp4", frames=6, fps=1, times=times)

    assert (await failure(tmp_path)).code == "no_parts"
    assert (await failure(tmp_path, *[slow] * 61)).code == "too_many"
    error = await failure(tmp_path, *[long] * 8)
    assert error.message == (
        "The film would be 8040 s long, and at most two hours are joined. Join fewer or shorter"
        " parts."
    )


async def test_audio_without_sound_is_refused(tmp_path: Path, good: Path) -> None:
    bad = tmp_path / "bad.mp3"
    bad.write_bytes(b"no sound at all " * 40)
    silent = make_shot(tmp_path / "silent.mp4")

    assert (await failure(tmp_path, good, audio=tmp_path / "no.mp3")).code == "audio_missing"
    assert (await failure(tmp_path, good, audio=bad)).code == "audio_damaged"
    error = await failure(tmp_path, good, audio=silent)
    assert error.code == "audio_none"
    assert error.message.startswith('There is no sound in "')


async def test_a_folder_without_room_is_found_before_the_join(
    tmp_path: Path, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=output_folder.RESERVED_BYTES)

    def full(_: object) -> object:
        return usage

    monkeypatch.setattr(shutil, "disk_usage", full)
    error = await failure(tmp_path, good)

    assert error.code == "disk_full"
    assert "has too little room for the film: 268 MB are free" in error.message
    assert "Free disk space" in error.message


@pytest.mark.parametrize("agree", [False, True], ids=["encoded", "copied"])
async def test_a_disk_that_is_full_in_the_middle_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_disk: Path, *, agree: bool
) -> None:
    monkeypatch.setattr("geekai_video_mcp.media.films.RESERVED_BYTES", 0)

    def check_nothing(_: JoinRequest) -> None: ...

    monkeypatch.setattr("geekai_video_mcp.media.films._check_room", check_nothing)
    whole = noisy_shot(tmp_path / "a.mp4")
    other = whole if agree else make_shot(tmp_path / "b.mp4", frames=24)
    needed = 8 * whole.stat().st_size
    assert needed > shutil.disk_usage(small_disk).free
    error = await failure(tmp_path, *[whole] * 8, other, output_dir=small_disk)

    assert error.code == "disk_full"
    assert "has too little room for the film." in error.message


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    with mounted_tmpfs(tmp_path / "disk", "size=12k") as disk:
        yield disk


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, good: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(JoinFailed, match=r"The output folder .* could not be written: ") as raised:
        await join_files(request(tmp_path, good, output_dir=tmp_path / "file"))
    assert raised.value.code == "storage_unavailable"


def ended(status: int, output: bytes = b"", *, after: float = 0.0) -> Any:  # noqa: ANN401
    def run(
        arguments: Sequence[str],
        content: bytes,
        *,
        max_seconds: float,
        report_line: Callable[[bytes], None],
    ) -> Awaitable[subprocess.CompletedProcess[bytes]]:
        async def end() -> subprocess.CompletedProcess[bytes]:
            assert (arguments[0], content, max_seconds) == ("join", b"", JOIN_SECONDS)
            for line in output.splitlines():
                report_line(line)
            await anyio.sleep(after)
            return subprocess.CompletedProcess([], status, output if status == 0 else b"")

        return end()

    return run


@pytest.mark.parametrize(
    ("run", "code", "words"),
    [
        (ended(3), "out_of_memory", "Joining needs more memory than this server allows."),
        (ended(-9, after=901), "timeout", "Joining was not finished after 15 minutes."),
        (ended(-9), "join_killed", "The program that joins was stopped."),
        (ended(-11), "join_killed", "The program that joins was stopped."),
        (ended(1), "join_killed", "The program that joins was stopped."),
        (ended(0, b'{"done": 0.5}\n'), "join_killed", "The program that joins was stopped."),
        (
            ended(0, b'{"error": "not_equal", "what": "frames"}\n'),
            "film_wrong",
            "The joined film was not what it should be (frames differ), so it was not kept.",
        ),
        (
            ended(0, b'{"error": "not_written", "error_text": "Input/output error"}\n'),
            "storage_unavailable",
            'The film could not be written: "Input/output error".',
        ),
    ],
    ids=["memory", "late", "killed", "crashed", "failed", "no-film", "wrong", "not-written"],
)
@virtual_time()
async def test_a_child_that_does_not_finish_is_an_error_and_no_file(
    tmp_path: Path,
    good: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    run: Any,  # noqa: ANN401
    code: str,
    words: str,
) -> None:
    monkeypatch.setattr(anyio.to_thread, "run_sync", run_without_thread)
    made = request(tmp_path, good)
    with pytest.raises(JoinFailed) as raised:
        await join_files(made, run_worker=run)

    assert (raised.value.code, raised.value.reason) == (code, words)
    assert [*made.output_dir.iterdir()] == []


@pytest.mark.exhaustive
async def test_progress_grows_to_the_end_and_is_reported_while_it_runs(tmp_path: Path) -> None:
    fast = {"preset": "ultrafast"}
    large = make_shot(tmp_path / "a.mp4", frames=96, size=(1280, 720), options=fast)
    other = make_shot(tmp_path / "b.mp4", frames=96, size=(720, 1280), options=fast)
    shares = list[float]()
    await join_files(request(tmp_path, large, other), report=shares.append)

    assert len(shares) > 3
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] <= 1


def long_request(folder: Path) -> JoinRequest:
    """A join that takes longer than any test waits for it."""
    large = make_shot(folder / "a.mp4", frames=24, size=(1920, 1080), options={"crf": "30"})
    return request(folder, *[JoinPart(path=str(large), start=1 / 24)] * 40)


@pytest.mark.skipif(not Path("/proc").exists(), reason="the system has no /proc")
async def test_a_cancelled_join_ends_its_child_and_leaves_no_file(tmp_path: Path) -> None:
    made = long_request(tmp_path)
    with anyio.fail_after(40):
        async with anyio.create_task_group() as group:

            def cancel(_: float) -> None:
                assert children_running(JOIN) != []
                (part,) = made.output_dir.iterdir()
                assert re.fullmatch(rf"\.{made.task_id}-[0-9a-f]{{8}}\.part", part.name)
                group.cancel_scope.cancel()

            group.start_soon(lambda: join_files(made, report=cancel))

    assert children_running(JOIN) == []
    assert [*made.output_dir.iterdir()] == []


@pytest.mark.exhaustive
@pytest.mark.skipif(not Path("/proc").exists(), reason="the system has no /proc")
async def test_a_killed_server_takes_the_child_with_it_and_the_next_join_removes_its_part(
    tmp_path: Path,
) -> None:
    made = long_request(tmp_path)
    program = (
        "import anyio, sys\n"
        "from pathlib import Path\n"
        "from geekai_video_mcp.media.films import JoinPart, JoinRequest, join_files\n"
        f"parts = [JoinPart(path={made.parts[0].path!r}, start=1 / 24)] * 40\n"
        f"made = JoinRequest(parts=parts, output_dir=Path({str(made.output_dir)!r}),"
        f" stem={made.stem!r}, task_id={made.task_id!r})\n"
        "anyio.run(lambda: join_files(made, report=lambda _: print('on', flush=True)))\n"
    )
    with anyio.fail_after(50):
        async with await anyio.open_process([sys.executable, "-c", program]) as server:
            assert server.stdout is not None
            await server.stdout.receive()
            server.send_signal(signal.SIGKILL)
            await server.wait()
        (left,) = made.output_dir.iterdir()
        while descendants_naming(JOIN):
            await anyio.lowlevel.checkpoint()
        film = await join_files(request(tmp_path, make_shot(tmp_path / "small.mp4")))

    assert not left.exists()
    (only,) = made.output_dir.iterdir()
    assert str(only) == film.update.path
    assert read_film(only).frames == 24


async def test_another_file_of_that_name_is_kept(tmp_path: Path, good: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "film-1a2b3c4d.mp4").write_bytes(b"another")
    film = await join_files(request(tmp_path, good))

    assert (tmp_path / "out" / "film-1a2b3c4d.mp4").read_bytes() == b"another"
    assert film.update.path == str(tmp_path / "out" / "film-1a2b3c4d-2.mp4")


async def test_a_name_in_a_message_is_data(tmp_path: Path, good: Path) -> None:
    odd = tmp_path / 'a "quoted"\nname.mp4'
    odd.write_bytes(b"")
    error = await failure(tmp_path, good, odd)

    assert "a 'quoted' name.mp4\"" in error.message
    assert "\n" not in error.message
