"""Pictures that come with a request. Pillow makes them, as a witness of its own."""

from __future__ import annotations

import base64
import io
import json
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from geekai_video_mcp.sandbox.refusals import Refused
from geekai_video_mcp.sandbox.stills import MAX_STILL_BYTES, Still, read_still

if TYPE_CHECKING:
    from .conftest import World


@pytest.fixture
def anyio_backend() -> str:
    # Pictures do not depend on the loop; once is enough.
    return "asyncio"


def picture(kind: str, size: tuple[int, int] = (301, 200), **options: object) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(file, kind, **options)
    return file.getvalue()


def data_uri(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def read(source: str) -> Still:
    return read_still(source, "image", find=lambda _: None)


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        (picture("PNG"), "png"),
        (picture("JPEG"), "jpg"),
        (picture("JPEG", progressive=True, exif=b"Exif\0\0" + bytes(500)), "jpg"),
        (picture("WEBP"), "webp"),
        (picture("WEBP", lossless=True), "webp"),
        (picture("WEBP", exif=b"Exif\0\0II*\0" + bytes(20)), "webp"),
    ],
    ids=["png", "jpeg", "progressive", "webp", "lossless", "extended"],
)
def test_the_sides_of_a_picture_are_read_from_its_header(content: bytes, suffix: str) -> None:
    # The declared type is a stranger's word; the bytes decide.
    still = read(data_uri(content, "image/tiff"))

    assert (still.suffix, still.width, still.height) == (suffix, 301, 200)
    assert still.content == content


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_cut_anywhere_is_read_or_refused(kind: str) -> None:
    content = picture(kind)
    for length in range(min(len(content), 700)):
        sides: set[tuple[int, int]] = set()
        with suppress(Refused):
            still = read(data_uri(content[:length]))
            sides.add((still.width, still.height))
        assert sides <= {(301, 200)}


def test_a_jpeg_whose_segments_have_no_length_ends_in_a_refusal() -> None:
    with pytest.raises(Refused, match="damaged"):
        read(data_uri(b"\xff\xd8\xff\xe0\0\0" * 1000))


def test_a_picture_over_the_cap_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(Refused, match="over 16 MiB") as refused:
        read("data:image/png;base64," + "A" * (MAX_STILL_BYTES * 4 // 3 + 8))

    assert refused.value.status_code == 413


def test_a_header_that_promises_gigapixels_is_refused() -> None:
    content = picture("PNG")
    bomb = content[:16] + (60_000).to_bytes(4, "big") * 2 + content[24:]

    with pytest.raises(Refused, match="100 megapixels"):
        read(data_uri(bomb))


async def test_both_pictures_of_a_data_uri_request_reach_the_renderers_folder(
    world: World,
) -> None:
    png, jpeg = picture("PNG"), picture("JPEG")
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
        ({"images": ["B", "C"]}, "B-", []),
        ({"image": "A", "images": ["B"]}, "A-", ["images"]),
        ({"image": "", "image_tail": "C"}, "-C", []),
        ({"image": []}, "--", []),
    ],
    ids=str,
)
async def test_older_spellings_of_first_and_last_picture_are_taken(
    world: World, fields: dict[str, str | list[str]], stills: str, ignored: list[str]
) -> None:
    pictures = {name: picture("PNG", (64 + n, 64)) for n, name in enumerate("ABC")}

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
