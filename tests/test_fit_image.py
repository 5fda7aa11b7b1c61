"""A picture made fit to be sent, by the programs that decode: real processes, real codecs."""

import io
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from PIL import Image, ImageCms, ImageDraw, ImageStat

from geekai_video_mcp.domain.media_refs import DATA_URI_LIMIT, data_uri
from geekai_video_mcp.media.child_process import (
    run_worker,
    worker_command,
    worker_environment,
    worker_input,
)
from geekai_video_mcp.media.inputs import MAX_PICTURE_BYTES
from support.stills import (
    BLUE,
    RED,
    encode_image,
    halves,
    is_close,
    make_lossless_video,
    make_video,
    noise_image,
    rotated_jpeg,
    write_file,
)


async def exit_of(arguments: list[str], content: bytes) -> tuple[int, bytes]:
    """The exit status of one of our programs, and what it wrote."""
    done = await run_worker(arguments, content)
    return done.returncode, done.stdout


async def fit(content: bytes, limit: int = MAX_PICTURE_BYTES) -> bytes:
    """What becomes of a picture that can be decoded."""
    done = await run_worker(["fit_image", str(limit)], content)
    assert done.returncode == 0
    assert len(done.stdout) <= limit
    return done.stdout


def decode(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
async def test_a_picture_that_is_fit_is_passed_on_to_the_byte(form: str) -> None:
    content = encode_image(halves(), form)

    assert await fit(content) == content


async def test_a_picture_of_just_the_limit_has_a_data_uri_within_the_limit() -> None:
    png = b"\x89PNG\r\n\x1a\n"
    for kind in (png, b"\xff\xd8\xff", b"RIFF0000WEBP"):
        longest = data_uri(kind + bytes(MAX_PICTURE_BYTES - len(kind)))
        assert longest is not None
        assert DATA_URI_LIMIT - 64 < len(longest) <= DATA_URI_LIMIT


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
async def test_a_picture_that_is_too_long_is_made_shorter_and_the_same_each_time(form: str) -> None:
    content = encode_image(noise_image(500, 400), form)
    limit = len(content) // 4

    first, second = await fit(content, limit), await fit(content, limit)

    assert first == second
    assert decode(first).format == "JPEG"
    assert decode(first).width / decode(first).height == pytest.approx(1.25, abs=0.02)
    assert len(first) > limit / 6


async def test_a_picture_is_no_longer_than_any_model_takes() -> None:
    small = await fit(encode_image(halves(12_000, 40)))

    assert decode(small).size == (6000, 20)
    assert is_close(decode(small).getpixel((10, 10)), RED)
    assert is_close(decode(small).getpixel((5990, 10)), BLUE)


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_a_picture_stands_as_its_camera_was_held(orientation: int) -> None:
    """Each of the eight ways, by what they mean (Exif 2.32, 4.6.4): where red is to be found."""
    image = halves(80, 40)
    ImageDraw.Draw(image).rectangle((0, 0, 15, 15), (20, 220, 40))
    corner = {
        1: (0, 0),
        2: (1, 0),
        3: (1, 1),
        4: (0, 1),
        5: (0, 0),
        6: (1, 0),
        7: (1, 1),
        8: (0, 1),
    }

    turned = decode(await fit(rotated_jpeg(image, orientation)))

    assert turned.size == ((80, 40) if orientation < 5 else (40, 80))
    right, below = corner[orientation]
    at = (turned.width - 8 if right else 7, turned.height - 8 if below else 7)
    assert is_close(turned.getpixel(at), (20, 220, 40), within=40)


async def test_nothing_that_was_noted_in_a_picture_is_in_one_that_is_written_anew() -> None:
    content = rotated_jpeg(halves(), 3)
    assert b"CANARY" in content

    out = await fit(content)

    assert b"CANARY" not in out
    assert not decode(out).getexif()
    assert "icc_profile" not in decode(out).info


async def test_clear_parts_stay_clear_if_there_is_room_and_become_paper_if_not() -> None:
    image = noise_image(200, 200, channels=4)
    image.paste((0, 0, 0, 0), (0, 0, 100, 200))
    content = encode_image(image, "PNG")
    wide = encode_image(halves(6400, 64).convert("RGBA"), "PNG")

    clear, flat = decode(await fit(wide)), decode(await fit(content, len(content) // 3))

    assert (clear.format, clear.mode, clear.size) == ("PNG", "RGBA", (6000, 60))
    assert flat.format == "JPEG"
    assert is_close(flat.getpixel((flat.width // 4, flat.height // 2)), (255, 255, 255))


def swapped() -> bytes:
    """A colour profile by which red is blue and blue is red."""
    srgb = ImageCms.createProfile("sRGB")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - untyped in Pillow
    profile = ImageCms.ImageCmsProfile(srgb).tobytes()  # pyright: ignore[reportUnknownArgumentType] - as above
    return profile.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")


@pytest.mark.parametrize(
    ("mode", "profile", "colour"),
    [
        ("RGB", None, BLUE),
        ("RGB", swapped(), RED),
        ("RGB", b"no profile", BLUE),
        ("CMYK", None, BLUE),
    ],
    ids=["plain", "profiled", "broken", "printed"],
)
async def test_colours_are_what_the_pictures_profile_makes_of_them(
    mode: str, profile: bytes | None, colour: tuple[int, int, int]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    image = halves().convert(mode)

    out = decode(await fit(encode_image(image, "JPEG", exif=exif, icc_profile=profile, quality=95)))

    assert out.mode == "RGB"
    assert is_close(out.getpixel((4, 24)), colour, within=30)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
async def test_a_picture_of_any_mode_can_be_written_anew(mode: str) -> None:
    out = decode(await fit(encode_image(halves(6400, 64).convert(mode), "PNG")))

    assert out.size == (6000, 60)
    assert out.mode == ("RGBA" if "A" in mode else "RGB")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"GIF89a" + bytes(100),
        encode_image(noise_image(64, 64))[:2000],
        encode_image(noise_image(64, 64), "JPEG")[:2000],
        encode_image(noise_image(64, 64), "WEBP")[:2000],
    ],
    ids=["nothing", "png", "jpeg", "gif", "half-png", "half-jpeg", "half-webp"],
)
async def test_what_cannot_be_decoded_to_its_end_is_no_picture(content: bytes) -> None:
    assert await exit_of(["fit_image", str(MAX_PICTURE_BYTES)], content) == (1, b"")


async def test_what_cannot_be_made_short_enough_is_not_sent_half() -> None:
    assert await exit_of(["fit_image", "10"], encode_image(noise_image(64, 64))) == (1, b"")


async def test_a_small_file_that_would_fill_the_memory_is_not_decoded() -> None:
    bomb = encode_image(Image.new("1", (20_000, 20_000)))
    assert len(bomb) < 100_000

    assert await exit_of(["fit_image", str(MAX_PICTURE_BYTES)], bomb) == (2, b"")


async def test_a_file_beside_the_user_is_not_what_the_program_imports(tmp_path: Path) -> None:
    (tmp_path / "PIL.py").write_text("raise SystemExit(9)", "utf-8")
    still = encode_image(halves())
    done = await anyio.run_process(
        worker_command("fit_image"),
        input=worker_input(["1000"], still),
        cwd=tmp_path,
        env=worker_environment(),
    )

    assert done.returncode == 0


# The last frame of a video


async def last_frame(path: Path) -> "subprocess.CompletedProcess[bytes]":
    return await run_worker(["preview", str(path), "last"], b"")


@pytest.mark.parametrize("form", ["mp4", "webm"])
@pytest.mark.parametrize("frames", [1, 2, 30])
async def test_the_last_frame_is_the_very_last_one(tmp_path: Path, form: str, frames: int) -> None:
    path = write_file(tmp_path, f"a.{form}", make_video(frames, form=form))

    done = await last_frame(path)
    png = done.stdout

    assert done.returncode == 0
    assert decode(png).format == "PNG"
    assert decode(png).size == (64, 48)
    assert is_close(decode(png).getpixel((32, 24)), BLUE, within=20)


async def test_the_last_frame_is_not_a_level_darker_than_the_video(tmp_path: Path) -> None:
    """Each shot of a chain begins with such a picture, and would be darker than the one before."""
    given = Image.linear_gradient("L").convert("RGB")
    path = write_file(tmp_path, "a.mp4", make_lossless_video(given))
    last = decode((await last_frame(path)).stdout)
    means = [ImageStat.Stat(image.convert("L")).mean[0] for image in (given, last)]

    assert abs(means[0] - means[1]) < 0.3


@pytest.mark.parametrize("content", [b"", b"no video", make_video()[:600]])
async def test_a_file_without_a_frame_has_no_last_one(tmp_path: Path, content: bytes) -> None:
    done = await last_frame(write_file(tmp_path, "a.mp4", content))

    assert done.returncode != 0
    assert done.stdout == b""


async def modules_of(arguments: list[str], content: bytes = b"") -> set[str]:
    """Every module that one of our programs loads until it ends."""
    program, *rest = arguments
    python, *options = worker_command(program)
    done = await anyio.run_process(
        [python, "-X", "importtime", *options], input=worker_input(rest, content)
    )
    rows = [row.rsplit("|", 1) for row in done.stderr.decode().splitlines() if "|" in row]

    assert done.stdout
    return {name.strip() for _, name in rows}


@pytest.mark.parametrize("kind", ["cover", "frames", "last"])
async def test_frames_are_shown_without_numpy(tmp_path: Path, kind: str) -> None:
    loaded = await modules_of(["preview", str(write_file(tmp_path, "a.mp4", make_video())), kind])

    assert {"av", "PIL"} <= loaded
    assert "numpy" not in loaded


@pytest.mark.parametrize("kind", ["frames", "last"])
async def test_a_picture_is_shown_without_numpy(tmp_path: Path, kind: str) -> None:
    loaded = await modules_of(
        ["preview", str(write_file(tmp_path, "a.png", encode_image(halves()))), kind]
    )

    assert "PIL" in loaded
    assert "numpy" not in loaded


async def test_a_picture_is_made_fit_without_a_codec_or_numpy() -> None:
    loaded = await modules_of(["fit_image", "20000"], encode_image(noise_image(500, 400)))

    assert "PIL" in loaded
    assert not loaded & {"av", "numpy"}


async def test_a_server_loads_nothing_that_decodes() -> None:
    """Pictures are read in it, and decoded elsewhere."""
    heavy = "{'PIL', 'av', 'httpx', 'numpy'} & {*sys.modules}"
    code = f"import sys, geekai_video_mcp.media.inputs; print({heavy})"
    done = await anyio.run_process([sys.executable, "-c", code])

    assert done.stdout.split() == [b"set()"]
