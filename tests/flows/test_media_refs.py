"""A file or an earlier task in a picture's place reaches GeekAI as a picture."""

from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from geekai_video_mcp.domain.media_refs import DATA_URI_LIMIT
from geekai_video_mcp.media.inputs import allowed_files
from geekai_video_mcp.server.views import settings
from support.fake_geekai import always_answer, file_reply
from support.stills import (
    BLUE,
    RED,
    decode_image,
    encode_image,
    halves,
    is_close,
    make_video,
    noise_image,
    rotated_jpeg,
    uri_bytes,
    write_file,
)
from support.world import Era, World, call, structured, text

PNG = encode_image(halves())


@pytest.fixture
def era() -> Era:
    """One is enough: pictures are made what they are before either has a say."""
    return "auto"


async def sent_body(world: World, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The body that GeekAI got for these arguments."""
    async with world.client() as client:
        result = await call(client, "generate_video", prompt="a fox", **arguments)
    assert not result.is_error, text(result)
    return list(world.service.jobs.values())[-1].body


async def finished_task_id(world: World, tool: str = "generate_image", **arguments: Any) -> str:  # noqa: ANN401 - JSON
    """The id of a finished task."""
    async with world.client() as client:
        started = structured(await call(client, tool, prompt="a still fox", **arguments))
        await call(client, "get_video_task", task_id=started["task_id"], wait_seconds=45)
    return started["task_id"]


def serving(still: bytes) -> Any:  # noqa: ANN401 - a script
    """Result files that can really be seen."""

    async def script(_: httpx.Request) -> httpx.Response:
        return file_reply(still)

    return script


@pytest.mark.parametrize("where", ["output", "pictures"])
async def test_a_file_in_an_allowed_folder_is_sent_as_it_is(world: World, where: str) -> None:
    path = write_file(getattr(world, where) / "album", "a b.png", PNG)

    body = await sent_body(
        world,
        model="kling-video-v3",
        image=str(path),
        image_tail=f"file://{str(path).replace(' ', '%20')}",
    )

    assert uri_bytes(body["image"]) == uri_bytes(body["image_tail"]) == PNG
    assert body["image"].startswith("data:image/png;base64,")


async def test_both_frames_that_were_sent_as_one_list_are_named_as_they_were_given(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "MAX_SETTING_CHARS", 500)  # a test's folder may be deep
    first, last = (str(write_file(world.pictures, name, PNG)) for name in ("1.png", "2.png"))
    async with world.client() as client:
        made = await call(
            client,
            "generate_video",
            prompt="a fox",
            model="cogvideox-3",
            image=first,
            image_tail=last,
        )

    assert structured(made)["sent"] == {"image": [first, last]}


async def test_a_file_is_read_as_well_where_no_folder_can_be_walked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allowed_files, "HAS_DIR_FD", False)

    assert (
        uri_bytes(
            (await sent_body(world, image=str(write_file(world.pictures, "a.png", PNG))))["image"]
        )
        == PNG
    )


async def test_a_file_in_the_users_home_may_be_named_shortly(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(world.folder))
    write_file(world.pictures, "a.png", PNG)

    assert uri_bytes((await sent_body(world, image="~/pictures/a.png"))["image"]) == PNG


@pytest.mark.parametrize(
    ("name", "still", "kind"),
    [
        ("a.jpg", encode_image(halves(), "JPEG"), "jpeg"),
        ("a.webp", encode_image(halves(), "WEBP"), "webp"),
        ("no-ending", PNG, "png"),
        ("a.jpg", PNG, "png"),
    ],
)
async def test_a_file_is_what_its_bytes_say(
    world: World, name: str, still: bytes, kind: str
) -> None:
    body = await sent_body(world, image=str(write_file(world.pictures, name, still)))

    assert body["image"].startswith(f"data:image/{kind};base64,")
    assert uri_bytes(body["image"]) == still


async def test_a_picture_is_found_wherever_it_may_be_given(world: World) -> None:
    path = str(write_file(world.pictures, "a.png", PNG))
    link = "https://example.com/a.png"
    extra = {
        "image_list": [{"image_url": path, "type": "first_frame", "weight": 1}, link],
        "static_mask": path,
        "camera_control": {"type": "simple"},
        "seed": 7,
    }

    body = await sent_body(
        world,
        image=[path, link],
        images=[link, path],
        extra_body=extra,
        model="super-video-2.0",
    )

    whole = body["image"][0]
    assert uri_bytes(whole) == PNG
    assert (body["image"], body["images"]) == ([whole, link], [link, whole])
    assert body["extra_body"] == {
        **extra,
        "image_list": [{"image_url": whole, "type": "first_frame", "weight": 1}, link],
        "static_mask": whole,
    }


async def test_a_link_inside_the_folder_is_followed(world: World) -> None:
    path = write_file(world.pictures, "a.png", PNG)
    (world.pictures / "latest.png").symlink_to(path)

    assert (
        uri_bytes((await sent_body(world, image=str(world.pictures / "latest.png")))["image"])
        == PNG
    )


async def test_a_folder_may_itself_be_reached_by_a_link(world: World) -> None:
    write_file(world.folder / "elsewhere", "a.png", PNG)
    world.pictures.symlink_to(world.folder / "elsewhere")

    assert uri_bytes((await sent_body(world, image=str(world.pictures / "a.png")))["image"]) == PNG


@pytest.mark.exhaustive
async def test_a_photograph_of_20_mb_becomes_a_picture_that_is_taken(world: World) -> None:
    photo = encode_image(noise_image(3900, 2600), "JPEG", quality=98, subsampling=0)
    assert 20_000_000 < len(photo) < 40_000_000
    path = str(write_file(world.pictures, "photo.jpg", photo))

    body = await sent_body(world, image=path)

    assert 3_000_000 < len(body["image"]) <= DATA_URI_LIMIT
    image = decode_image(body["image"])
    assert image.format == "JPEG"
    assert image.width / image.height == pytest.approx(1.5, abs=0.01)
    assert image.width > 1000


async def test_the_same_file_is_the_same_request_though_it_is_made_smaller(world: World) -> None:
    path = str(write_file(world.pictures, "photo.jpg", rotated_jpeg(halves(7000, 100), 6)))
    async with world.client() as client:
        first = structured(await call(client, "generate_video", prompt="a fox", image=path))
        again = structured(await call(client, "generate_video", prompt="a fox", image=path))

    assert again["deduplicated"]
    assert again["task_id"] == first["task_id"]
    assert len(world.service.charges) == 1


async def test_a_picture_is_turned_as_the_camera_was_held(world: World) -> None:
    path = str(write_file(world.pictures, "photo.jpg", rotated_jpeg(halves(), 6)))

    image = decode_image((await sent_body(world, image=path))["image"])

    assert image.size == (48, 64)
    assert is_close(image.getpixel((24, 4)), RED)
    assert is_close(image.getpixel((24, 60)), BLUE)
    assert not image.getexif()


@pytest.mark.parametrize(
    ("make_still", "why"),
    [
        (lambda: PNG[: len(PNG) // 2], "damaged"),
        (lambda: encode_image(noise_image(64, 64), "JPEG")[:2000], "damaged"),
        (lambda: b"RIFF\x10\0\0\0WEBPVP8 junk", "damaged"),
        pytest.param(
            lambda: encode_image(halves(40_000, 5_000).convert("P"), "PNG"),
            "too many pixels",
            marks=pytest.mark.exhaustive,
        ),
    ],
    ids=["half-png", "half-jpeg", "junk", "bomb"],
)
async def test_a_picture_that_cannot_be_decoded_is_not_paid_for(
    world: World, make_still: Callable[[], bytes], why: str
) -> None:
    path = write_file(world.pictures, "a.png", make_still())
    async with world.client() as client:
        result = await call(client, "generate_video", prompt="a fox", image=str(path))

    assert result.is_error
    assert text(result).startswith("image: the picture ")
    assert why in text(result)
    assert world.service.requests == []


async def test_a_dry_run_shows_the_picture_and_not_the_path(world: World) -> None:
    path = str(write_file(world.pictures, "a.png", encode_image(noise_image(64, 64))))
    async with world.client() as client:
        shown = await call(client, "generate_video", prompt="a fox", image=path, dry_run=True)

    assert structured(shown)["dry_run"]["request"]["image"].startswith(
        "data:image/png;base64,... ("
    )
    assert world.service.requests == []


# Earlier tasks


async def test_a_made_picture_becomes_the_first_frame_of_a_video(world: World) -> None:
    world.service.on_file = serving(PNG)
    task = await finished_task_id(world)

    assert uri_bytes((await sent_body(world, image=f"task:{task}"))["image"]) == PNG


async def test_a_task_may_be_named_as_geekai_does(world: World) -> None:
    world.service.on_file = serving(PNG)
    await finished_task_id(world)
    (name,) = world.service.jobs

    assert uri_bytes((await sent_body(world, image=f"task:{name}"))["image"]) == PNG


async def test_a_made_picture_whose_file_is_gone_is_passed_on_by_its_link(world: World) -> None:
    world.service.on_file = serving(PNG)
    task = await finished_task_id(world)
    (job,) = world.service.jobs
    (path,) = world.output.glob("*.png")
    path.unlink()

    body = await sent_body(world, image=f"task:{task}")

    assert body["image"] == f"https://geekai.test/files/{job}.png"


async def test_a_made_picture_that_is_not_downloaded_yet_is_passed_on_by_its_link(
    world: World,
) -> None:
    world.service.on_file = always_answer(httpx.Response(503))
    task = await finished_task_id(world)
    (job,) = world.service.jobs

    body = await sent_body(world, image=f"task:{task}")

    assert body["image"] == f"https://geekai.test/files/{job}.png"


async def test_a_made_picture_with_neither_file_nor_link_is_refused(world: World) -> None:
    world.service.on_file, world.service.as_base64 = serving(PNG), True
    task = await finished_task_id(world)
    (path,) = world.output.glob("*.png")
    path.unlink()

    assert "no longer on this machine" in await refusal_of(world, image=f"task:{task}")


LAST = "https://static.geekai.co/last.png"


def with_last_frame(world: World, link: str = LAST) -> None:
    """Lets the service give a last frame of every video."""
    given = {"id": "v", "url": "https://geekai.test/files/v.mp4", "last_frame_url": link}
    world.service.extras = {"video_result": [given], "task_status": "succeed"}
    world.service.on_poll = succeeding(world)


def succeeding(world: World) -> Any:  # noqa: ANN401 - a script
    async def script(request: httpx.Request) -> httpx.Response:
        name = request.url.path.rsplit("/", 1)[-1]
        return httpx.Response(200, json={"task_id": name, **world.service.extras})

    return script


async def test_a_videos_last_frame_is_passed_on_by_the_link_that_geekai_gave(world: World) -> None:
    with_last_frame(world)
    task = await finished_task_id(world, "generate_video")

    body = await sent_body(
        world, model="kling-video-v3", image=f"task:{task}", image_tail=f"task:{task}"
    )

    assert (body["image"], body["image_tail"]) == (LAST, LAST)


async def test_a_video_is_passed_on_by_its_link(world: World) -> None:
    task = await finished_task_id(world, "generate_video")
    (job,) = world.service.jobs

    extra = {"video_list": [{"video_url": f"task:{task}", "refer_type": "base"}]}
    body = await sent_body(world, video=f"task:{task}", extra_body=extra, model="super-video-2.0")

    link = f"https://geekai.test/files/{job}.mp4"
    assert body["video"] == link
    assert body["extra_body"]["video_list"] == [{"video_url": link, "refer_type": "base"}]


async def test_a_link_that_is_about_to_expire_is_not_passed_on(world: World) -> None:
    with_last_frame(world)
    world.service.on_file = serving(make_video())
    task = await finished_task_id(world, "generate_video")
    await anyio.sleep(6 * 86_400)

    body = await sent_body(world, image=f"task:{task}")

    assert is_close(decode_image(body["image"]).getpixel((32, 24)), BLUE, within=20)
    assert "has expired" in await refusal_of(world, video=f"task:{task}")


async def test_a_link_that_leads_inside_some_network_is_not_passed_on(world: World) -> None:
    with_last_frame(world, "https://169.254.169.254/last.png")
    world.service.on_file = serving(make_video())
    task = await finished_task_id(world, "generate_video")

    body = await sent_body(world, image=f"task:{task}")

    assert body["image"].startswith("data:image/png;base64,")


async def test_a_link_of_another_key_is_not_passed_on(world: World) -> None:
    with_last_frame(world)
    world.service.on_file = serving(make_video())
    task = await finished_task_id(world, "generate_video")
    world.account = "another key"
    world.service.on_poll = always_answer(httpx.Response(404))

    body = await sent_body(world, image=f"task:{task}")

    assert body["image"].startswith("data:image/png;base64,")


async def test_a_last_frame_that_geekai_gave_none_of_is_read_from_the_file(world: World) -> None:
    world.service.on_file = serving(make_video())
    task = await finished_task_id(world, "generate_video")

    body = await sent_body(world, image=f"task:{task}")

    assert body["image"].startswith("data:image/png;base64,")
    image = decode_image(body["image"])
    assert image.size == (64, 48)
    assert is_close(image.getpixel((32, 24)), BLUE, within=20)


async def refusal_of(world: World, **arguments: Any) -> str:  # noqa: ANN401 - JSON
    """The words of a refusal; nothing more was paid for."""
    before = world.service.charges
    async with world.client() as client:
        result = await call(client, "generate_video", prompt="another fox", **arguments)
    assert result.is_error
    assert world.service.charges == before
    return text(result)


async def test_a_video_that_holds_no_frame_is_refused(world: World) -> None:
    task = await finished_task_id(world, "generate_video")

    reason = await refusal_of(world, image=f"task:{task}")

    assert reason.startswith("image: the video of that task ")
    assert "cannot be decoded" in reason


async def test_a_video_that_is_still_being_downloaded_is_waited_for(world: World) -> None:
    world.service.on_file = always_answer(httpx.Response(503))
    task = await finished_task_id(world, "generate_video")
    async with world.client() as client:
        result = await call(client, "generate_video", prompt="2", image=f"task:{task}")
        world.service.on_file = serving(make_video())
        await anyio.sleep(600)

    assert structured(result)["waiting_for"] == [task]
    assert world.service.charges == ["a still fox", "2"]


async def test_a_video_that_cannot_be_fetched_here_gives_no_frame(world: World) -> None:
    world.service.on_file = always_answer(httpx.Response(503))
    task = await finished_task_id(world, "generate_video")
    async with world.client() as client:
        waiting = structured(await call(client, "generate_video", prompt="2", image=f"task:{task}"))
        await anyio.sleep(3600)
        result = await call(client, "get_video_task", task_id=waiting["task_id"])

    assert structured(result)["error"]["code"] == "parent_unusable"
    assert "could not be fetched here" in text(result)
    assert "Nothing was charged." in text(result)
    assert "could not be fetched here" in await refusal_of(world, image=f"task:{task}")


async def test_a_task_that_failed_made_nothing(world: World) -> None:
    world.service.error = {"code": "1301", "message": "sensitive"}
    task = await finished_task_id(world)

    assert "that task has no image: its status is failed" in await refusal_of(
        world, image=f"task:{task}"
    )


async def test_a_task_that_nobody_knows_is_named_by_the_argument(world: World) -> None:
    reason = await refusal_of(world, images=["task:8d1f"])

    assert reason.startswith("images.0: no task of this id")
    assert "list_video_tasks" in reason


async def test_a_picture_is_no_video(world: World) -> None:
    task = await finished_task_id(world)

    assert "pass it as an image" in await refusal_of(world, video=f"task:{task}")


async def test_a_picture_starts_from_an_earlier_one(world: World) -> None:
    world.service.on_file = serving(PNG)
    task = await finished_task_id(world)

    await finished_task_id(world, image=f"task:{task}", mask=f"task:{task}")

    body = list(world.service.jobs.values())[-1].body
    assert uri_bytes(body["image"]) == uri_bytes(body["mask"]) == PNG


async def test_what_takes_too_long_is_given_up_and_nothing_is_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        await anyio.sleep_forever()

    monkeypatch.setattr("support.world._run_worker_now", never)
    reason = await refusal_of(world, image=str(write_file(world.pictures, "a.png", PNG)))

    assert "were not ready within 10 s" in reason
    assert world.service.requests == []


async def test_a_picture_that_waited_for_others_is_to_be_given_again_as_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        await anyio.sleep_forever()

    monkeypatch.setattr("support.world._run_worker_now", never)
    small, reasons = str(write_file(world.pictures, "a.png", PNG)), list[str]()
    async with world.client() as client, anyio.create_task_group() as group:

        async def ask(prompt: str) -> None:
            result = await call(client, "generate_video", prompt=prompt, image=small)
            reasons.append(text(result))

        for prompt in ("1", "2", "3"):
            group.start_soon(ask, prompt)

    assert sum("give smaller or fewer" in reason for reason in reasons) == 1
    assert any("the pictures of another request are" in reason for reason in reasons)
    assert any("the pictures of 2 other requests are" in reason for reason in reasons)
    assert sum("Make the same call again" in reason for reason in reasons) == 2
    assert all("Nothing was charged." in reason for reason in reasons)
    assert world.service.requests == []
