"""Input images of requests, made by Pillow as an independent reference."""

from __future__ import annotations

import base64
import io
import json
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageOps
from PIL.ExifTags import Base as ExifTag

from geekai_sandbox.errors import ApiError
from geekai_sandbox.input_images import MAX_IMAGE_BYTES, InputImage, read_input_image

if TYPE_CHECKING:
    from .conftest import World


@pytest.fixture
def anyio_backend() -> str:
    # Pictures do not depend on the loop; once is enough.
    return "asyncio"


def encode_image(kind: str, size: tuple[int, int] = (301, 200), **options: object) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(file, kind, **options)
    return file.getvalue()


def data_uri(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def read_image(source: str) -> InputImage:
    return read_input_image(source, "image", find=lambda _: None)


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        (encode_image("PNG"), "png"),
        (encode_image("JPEG"), "jpg"),
        (encode_image("JPEG", progressive=True, exif=b"Exif\0\0" + bytes(500)), "jpg"),
        (encode_image("WEBP"), "webp"),
        (encode_image("WEBP", lossless=True), "webp"),
        (encode_image("WEBP", exif=b"Exif\0\0II*\0" + bytes(20)), "webp"),
    ],
    ids=["png", "jpeg", "progressive", "webp", "lossless", "extended"],
)
def test_the_sides_of_a_picture_are_read_from_its_header(content: bytes, suffix: str) -> None:
    # The declared type is not trusted; the bytes decide.
    image = read_image(data_uri(content, "image/tiff"))

    assert (image.suffix, image.width, image.height) == (suffix, 301, 200)
    assert image.content == content


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_the_sides_of_a_photograph_are_those_of_it_upright(
    kind: str, order: str, turn: int
) -> None:
    exif = Image.Exif()
    exif.endian = order
    exif[ExifTag.Make], exif[ExifTag.Orientation] = "a phone", turn
    content = encode_image(kind, exif=exif)

    image = read_image(data_uri(content))
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))

    assert (image.width, image.height) == upright.size


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_cut_anywhere_is_read_or_refused(kind: str) -> None:
    content = encode_image(kind)
    for length in range(min(len(content), 700)):
        sides: set[tuple[int, int]] = set()
        with suppress(ApiError):
            image = read_image(data_uri(content[:length]))
            sides.add((image.width, image.height))
        assert sides <= {(301, 200)}


def test_a_jpeg_whose_segments_have_no_length_ends_in_a_refusal() -> None:
    with pytest.raises(ApiError, match="damaged"):
        read_image(data_uri(b"\xff\xd8\xff\xe0\0\0" * 1000))


def test_a_picture_over_the_cap_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(ApiError, match="over 16 MiB") as refused:
        read_image("data:image/png;base64," + "A" * (MAX_IMAGE_BYTES * 4 // 3 + 8))

    assert refused.value.status_code == 413


def test_a_header_that_promises_gigapixels_is_refused() -> None:
    content = encode_image("PNG")
    bomb = content[:16] + (60_000).to_bytes(4, "big") * 2 + content[24:]

    with pytest.raises(ApiError, match="64 megapixels"):
        read_image(data_uri(bomb))


async def test_both_pictures_of_a_data_uri_request_reach_the_renderers_folder(
    world: World,
) -> None:
    png, jpeg = encode_image("PNG"), encode_image("JPEG")
    async with world.client(world.sandbox()) as client:
        task_id = await world.submit(client, image=data_uri(png), image_tail=data_uri(jpeg))

    folder = world.folder / "tasks" / task_id
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    assert (folder / plan["image"]).read_bytes() == png
    assert (folder / plan["image_tail"]).read_bytes() == jpeg


@pytest.mark.parametrize(
    ("fields", "stills", "ignored"),
    [
        ({"image": ["A"]}, "A-", []),
        ({"image": ["A", "B"]}, "AB", []),
        ({"image": ["A", "B", "C"]}, "A-", ["image"]),
        ({"image": ["A", "B"], "image_tail": "C"}, "AC", ["image"]),
        ({"images": ["B", "C"]}, "B-", ["images"]),
        ({"image": "A", "image_tail": ["B", "C"]}, "AB", ["image_tail"]),
        ({"image": "A", "images": ["B"]}, "A-", ["images"]),
        ({"image": "", "image_tail": "C"}, "-C", []),
        ({"image": []}, "--", []),
    ],
    ids=str,
)
async def test_older_spellings_of_first_and_last_picture_are_taken(
    world: World, fields: dict[str, str | list[str]], stills: str, ignored: list[str]
) -> None:
    pictures = {name: encode_image("PNG", (64 + n, 64)) for n, name in enumerate("ABC")}

    def fill(value: str | list[str]) -> object:
        if isinstance(value, list):
            return [fill(name) for name in value]
        return data_uri(pictures[value]) if value else value

    async with world.client(world.sandbox()) as client:
        filled = {name: fill(value) for name, value in fields.items()}
        task_id = await world.submit(client, "a fox", **filled)
        answer = (await client.get(f"videos/{task_id}")).json()

    folder = world.folder / "tasks" / task_id
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    found = [
        next(name for name in pictures if pictures[name] == (folder / plan[key]).read_bytes())
        if plan[key]
        else "-"
        for key in ("image", "image_tail")
    ]
    assert "".join(found) == stills
    assert answer["sandbox"]["ignored"] == ignored


async def test_shots_chain_by_the_links_this_sandbox_made(world: World) -> None:
    async with world.running() as client:
        first = await world.submit(client, extra_body={"return_last_frame": True})
        result = (await world.finish(client, first))["video_result"]
        second = await world.submit(client, image=result["last_frame_url"])
        video = await client.post(
            "videos/generations", json={"model": "m", "prompt": "p", "image": result["url"]}
        )
        gone = await client.post(
            "videos/generations",
            json={"model": "m", "prompt": "p", "image": result["url"].replace("video", "x")},
        )

    tasks = world.folder / "tasks"
    copied = (tasks / second / "image.png").read_bytes()
    assert copied == (tasks / first / "last-frame.png").read_bytes()
    assert (video.status_code, gone.status_code) == (400, 400)
    assert "PNG, JPEG or WebP" in video.json()["error"]["message"]
