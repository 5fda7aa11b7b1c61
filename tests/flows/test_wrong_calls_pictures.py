"""Pictures, videos and sounds as models and hosts really name them: taken, or told the way out."""

import base64
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from geekai_video_mcp.errors import NOT_CHARGED
from support.fake_geekai import ScriptedGeekAI, file_reply
from support.sampling import sample
from support.stills import encode_image, halves, make_video, uri_bytes, write_file
from support.world import Era, World, call, structured, text

PNG: Final = encode_image(halves())


@pytest.fixture
def era() -> Era:
    """One is enough: pictures are made what they are before either has a say."""
    return "auto"


@pytest.fixture(autouse=True)
def home(world: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home outside the allowed folders."""
    home = world.folder / "home"
    write_file(home / "Photos", "cat.png", PNG)
    monkeypatch.setenv("HOME", str(home))
    return home


async def refusal_of(world: World, **arguments: Any) -> str:  # noqa: ANN401 - JSON
    """The words of a refusal, before anything was asked for."""
    async with world.client() as client:
        result = await call(client, "generate_video", prompt="a fox", **arguments)
    assert result.is_error, structured(result)
    assert world.service.requests == []
    assert text(result).count(NOT_CHARGED) == 1
    return text(result)


# References that are refused with the way out

ON_THE_WAY: Final = "ask the user for a path on this computer or an https link"
SAVE: Final = "ask the user to save it into one of these folders"
WRONG: dict[str, tuple[str, ...]] = {
    "http://example.com/cat.png": ("https is needed", "give an https URL"),
    "HTTP://example.com/cat.png": ("https is needed",),
    "http://localhost:3000/cat.png": ("not publicly reachable", "an absolute file path"),
    "ftp://example.com/cat.png": ("only https links", "an absolute file path"),
    "s3://bucket/cat.png": ("only https links",),
    "https://example.com/clip.mp4": ("leads to a video", "task:ID takes the last frame"),
    "https://example.com/clip.MOV": ("leads to a video",),
    "cat.png": ("an absolute path is needed", "GEEKAI_IMAGE_DIRS", SAVE),
    "./cat.png": ("an absolute path is needed", "GEEKAI_IMAGE_DIRS"),
    "../Photos/cat.png": ("an absolute path is needed",),
    "Photos\\cat.png": ("an absolute path is needed",),
    "cat": ("an absolute path is needed",),
    "12345678": ("an absolute path is needed", "task:ID"),
    "~/Photos/cat.png": ("outside the folders", "GEEKAI_IMAGE_DIRS"),
    "C:\\Users\\me\\cat.png": ("not on this computer", "Windows", ON_THE_WAY),
    "c:/Users/me/cat.png": ("not on this computer", ON_THE_WAY),
    "file:///C:/Users/me/cat.png": ("not on this computer", ON_THE_WAY),
    "\\\\server\\share\\cat.png": ("not on this computer", ON_THE_WAY),
    "/Users/me/Desktop/cat.png": ("not on this computer", ON_THE_WAY),
    "/mnt/user-data/uploads/cat.png": ("not on this computer", SAVE, "https link"),
    "/mnt/data/cat.png": ("not on this computer", SAVE),
    "file:///mnt/data/cat.png": ("not on this computer", SAVE),
    "/mnt/data/../data/cat.png": ("not on this computer", SAVE),
    "/home/oai/share/cat.png": ("not on this computer", SAVE),
    "sandbox:/mnt/data/cat.png": ("not on this computer", ON_THE_WAY),
    "blob:https://chat.example/8f3c": ("a picture of the conversation", SAVE),
    "attachment:0": ("a picture of the conversation", SAVE),
    "attachment://cat.png": ("a picture of the conversation", SAVE),
    "cid:part1.4f2@example": ("a picture of the conversation", SAVE),
    "file-service://file-8dGq2hXabcdef": ("a picture of the conversation", SAVE),
    "file-8dGq2hXabcdef": ("a picture of the conversation", SAVE),
    "file_011CNha8iCJcU1wXNR6q4V8w": ("a picture of the conversation", SAVE),
    "[Image #1]": ("a picture of the conversation", SAVE),
    "<image>": ("a picture of the conversation", SAVE),
    "image_0": ("a picture of the conversation", SAVE),
    "the attached image": ("a picture of the conversation", SAVE),
    "uploaded picture": ("a picture of the conversation", SAVE),
}


@pytest.mark.skipif("sys.platform != 'linux'", reason="other systems have other foreign paths")
@pytest.mark.parametrize("given", sample(WRONG, every=3))
async def test_a_wrong_reference_is_refused_with_the_way_out(world: World, given: str) -> None:
    reason = await refusal_of(world, image_tail=given)

    assert reason.startswith("image_tail: ")
    for words in WRONG[given]:
        assert words in reason
    if SAVE in WRONG[given] or "GEEKAI_IMAGE_DIRS" in WRONG[given]:
        assert f'"{world.output}", "{world.pictures}"' in reason


@pytest.mark.parametrize(
    ("arguments", "why"),
    sample(
        [
            ({"video": "http://example.com/a.mp4"}, "https is needed"),
            ({"video": "/home/me/clip.mp4"}, "a file cannot be given here"),
            ({"video": "/home/me/cat.png"}, "a picture and not a video (pass it as image)"),
            (
                {"video": f"data:image/png;base64,{base64.b64encode(PNG).decode()}"},
                "pass it as image",
            ),
            ({"video": base64.b64encode(PNG).decode()}, "pass it as image"),
            ({"video": "clip.mp4"}, "it is no link"),
            ({"audio": ["http://example.com/a.mp3"]}, "https is needed"),
            ({"audio": ["/home/me/a.mp3"]}, "a file cannot be given here"),
            ({"audio": ["task:2eb52cc9"]}, "a task cannot be given here"),
        ],
        every=3,
    ),
)
async def test_a_wrong_video_or_sound_is_refused_with_the_way_out(
    world: World, arguments: dict[str, Any], why: str
) -> None:
    reason = await refusal_of(world, **arguments)

    assert why in reason
    assert "give an https URL" in reason


# Formats that no model takes


def box(brand: bytes, compatible: bytes = b"mif1") -> bytes:
    return b"\0\0\0\x18ftyp" + brand + bytes(4) + compatible + brand + bytes(300)


def jpeg_2000() -> bytes:
    return b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(300)


SVG: Final = b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><rect/></svg>"
FORMATS: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "HEIC": (lambda: box(b"heic"), "a HEIC picture", "convert it to JPEG or PNG"),
    "HEIF": (lambda: box(b"mif1"), "a HEIF picture", "convert it to JPEG or PNG"),
    "AVIF": (lambda: box(b"avif"), "an AVIF picture", "convert it to JPEG or PNG"),
    "GIF": (lambda: encode_image(halves(), "GIF"), "a GIF picture", "convert it to JPEG or PNG"),
    "BMP": (lambda: encode_image(halves(), "BMP"), "a BMP picture", "convert it to JPEG or PNG"),
    "TIFF": (lambda: encode_image(halves(), "TIFF"), "a TIFF picture", "convert it to JPEG or PNG"),
    "ICO": (lambda: encode_image(halves(), "ICO"), "an ICO picture", "convert it to JPEG or PNG"),
    "JPEG 2000": (jpeg_2000, "a JPEG 2000 picture", "convert it to JPEG or PNG"),
    "SVG": (lambda: SVG, "an SVG drawing", "convert it to JPEG or PNG"),
    "SVG with a head": (
        lambda: b'\xef\xbb\xbf<?xml version="1.0"?>\n<!--' + b" Generator" * 60 + b"-->" + SVG,
        "an SVG drawing",
        "convert it to JPEG or PNG",
    ),
    "PDF": (lambda: b"%PDF-1.7\n" + bytes(300), "a PDF document", "convert it to JPEG or PNG"),
    "web page": (lambda: b"<!DOCTYPE html>" + SVG * 4, "a web page", "convert it"),
    "MP4": (make_video, "an MP4 video", "task:ID takes the last frame"),
    "QuickTime": (lambda: box(b"qt  ", b"qt  "), "a QuickTime video", "give a frame of it"),
    "WebM": (lambda: make_video(form="webm"), "a WebM video", "give a frame of it"),
    "WAV": (lambda: b"RIFF\0\0\0\0WAVE" + bytes(300), "a WAV sound", "has no picture"),
    "empty": (lambda: b"", "is empty", "ask the user for the picture again"),
    "nothing known": (
        lambda: zlib.compress(bytes(range(256)) * 4),
        "a file of no known media format",
        "convert it to JPEG or PNG",
    ),
}


@pytest.mark.parametrize("name", sample(FORMATS, every=3))
async def test_a_file_that_is_no_picture_for_a_model_is_named(world: World, name: str) -> None:
    make, what, remedy = FORMATS[name]
    path = write_file(world.pictures, "cat.png", make())

    reason = await refusal_of(world, image=str(path))

    assert reason.startswith("image: the file ")
    assert what in reason
    assert remedy in reason


@pytest.mark.parametrize("as_uri", [True, False], ids=["data URI", "base64"])
@pytest.mark.parametrize("name", sample([name for name in FORMATS if name != "empty"], every=3))
async def test_the_same_written_out_is_named_as_well(
    world: World, name: str, *, as_uri: bool
) -> None:
    make, what, remedy = FORMATS[name]
    written = base64.encodebytes(make()).decode()

    reason = await refusal_of(
        world, image=f"data:image/jpeg;base64,{written}" if as_uri else written
    )

    if name == "nothing known" and as_uri:
        assert "the data URI holds no PNG, JPEG or WebP picture" in reason
        return
    assert reason.startswith(f"image: the {'data URI' if as_uri else 'base64 text'} is not a PNG")
    assert what in reason
    assert remedy in reason


async def test_a_video_that_a_task_made_is_refused_by_the_name_of_the_task(world: World) -> None:
    path = write_file(world.output, "a-red-fox-runs-2eb52cc9.mp4", make_video())

    assert "task:2eb52cc9 takes the last frame" in await refusal_of(world, image=str(path))


async def test_a_video_of_any_size_is_called_one(world: World) -> None:
    path = write_file(world.pictures, "clip.mp4", make_video())
    with path.open("ab") as file:
        file.truncate(100_000_000)

    assert "an MP4 video" in await refusal_of(world, image=str(path))


# References that are taken, as if they had been written right


async def results_of(world: World, *arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """The result of each call; all have one prompt, so that the same picture is one request."""
    sent: list[dict[str, Any]] = []
    async with world.client() as client:
        for each in arguments:
            result = await call(client, "generate_video", prompt="a fox", **each)
            assert not result.is_error, text(result)
            sent.append(structured(result))
    return sent


async def test_every_spelling_of_a_picture_is_one_request(world: World) -> None:
    written = base64.b64encode(PNG).decode()
    spellings = [
        f"data:image/png;base64,{written}",
        written,
        base64.encodebytes(PNG).decode(),
        base64.urlsafe_b64encode(PNG).decode().rstrip("="),
        f"data:image/jpg;charset=utf-8;base64,{base64.encodebytes(PNG).decode()}",
    ]
    results = await results_of(world, *({"image": spelling} for spelling in spellings))

    assert len({result["task_id"] for result in results}) == 1
    assert len(world.service.charges) == 1
    assert uri_bytes(last_body(world.service)["image"]) == PNG


async def test_every_spelling_of_a_task_is_one_request(world: World) -> None:
    world.service.on_file = serving_a_picture
    async with world.client() as client:
        first = structured(await call(client, "generate_image", prompt="a still fox"))["task_id"]
        await call(client, "get_video_task", task_id=first, wait_seconds=45)
    spellings = [
        f"task:{first}",
        first,
        f"Task: {first.upper()}",
        f"task_id={first}",
        f"video://tasks/{first}",
        f"video://tasks/{first}/last-frame",
    ]
    results = await results_of(world, *({"image": spelling} for spelling in spellings))

    assert len({result["task_id"] for result in results}) == 1
    assert world.service.charges == ["a still fox", "a fox"]


async def test_every_spelling_of_a_video_is_one_request(world: World) -> None:
    async with world.client() as client:
        first = structured(await call(client, "generate_video", prompt="a shot"))["task_id"]
        await call(client, "get_video_task", task_id=first, wait_seconds=45)
    spellings = [f"task:{first}", first, f"video://tasks/{first}", f"video://tasks/{first}/video"]
    wishes = ({"video": spelling, "model": "super-video-2.0"} for spelling in spellings)
    results = await results_of(world, *wishes)

    assert len({result["task_id"] for result in results}) == 1
    assert world.service.charges == ["a shot", "a fox"]


async def test_a_short_id_of_a_task_is_the_same_request_as_the_whole_one(world: World) -> None:
    world.service.on_file = serving_a_picture
    async with world.client() as client:
        first = structured(await call(client, "generate_image", prompt="a still fox"))["task_id"]
        await call(client, "get_video_task", task_id=first, wait_seconds=45)
    short = first[:8]
    spellings = [
        *(f"task:{first}", short, f"task:{short}", f"TASK: {short.upper()}", first[:31]),
        *(f"video://tasks/{short}", f"video://tasks/{short}/last-frame"),
    ]
    results = await results_of(world, *({"image": spelling} for spelling in spellings))

    assert len({result["task_id"] for result in results}) == 1
    assert world.service.charges == ["a still fox", "a fox"]


async def test_a_task_that_nobody_knows_is_refused_as_one_however_it_is_named(world: World) -> None:
    async with world.client() as client:
        for name in ("2eb52cc9", "video://tasks/2eb52cc9/last-frame", "Task: 2eb52cc9"):
            result = await call(client, "generate_video", prompt="a fox", image=name)
            assert text(result).startswith("image: no task of this id is known")
            assert "list_video_tasks" in text(result)


async def serving_a_picture(_: httpx.Request) -> httpx.Response:
    """A result that can be seen."""
    return file_reply(PNG)


def last_body(service: ScriptedGeekAI) -> dict[str, Any]:
    """The newest request that was paid for."""
    return list(service.jobs.values())[-1].body
