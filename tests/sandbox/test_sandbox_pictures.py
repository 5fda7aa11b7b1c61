"""From a POST to pictures: what a client of the image endpoints sees, and what it is refused."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from geekai_sandbox.estimates import image_seconds
from geekai_sandbox.fields import FieldReader
from geekai_sandbox.image_plan import ImagePlan, make_image_plan
from geekai_sandbox.input_images import InputImage
from geekai_sandbox.store import Store

from .conftest import BASE_URL, wait_until
from .fake_renderer import PNG

if TYPE_CHECKING:
    from geekai_sandbox.faults import Fault

    from .conftest import World

ASK: dict[str, Any] = {"model": "cogview-3-flash", "prompt": "a fox", "async": True}
STILL_URI = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


async def test_pictures_are_in_data_and_can_be_fetched_without_a_key(world: World) -> None:
    sandbox = world.sandbox(api_key="secret")
    async with sandbox, world.client(sandbox, key="secret") as client:
        first = (await client.post("images/generations", json=ASK)).json()
        done = await world.finish(client, first["task_id"], "images")
    async with world.client(sandbox) as stranger:
        picture = await stranger.get(done["data"][0]["url"])

    assert (first["task_status"], "data" in first) == ("pending", False)
    assert (done["task_status"], len(done["data"])) == ("succeed", 1)
    assert done["data"][0]["revised_prompt"] == "a fox"
    assert done["data"][0]["b64_json"] is None
    assert "video_result" not in done
    assert "estimated_seconds" not in done
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/png")
    assert picture.content.startswith(PNG)


async def test_several_pictures_have_an_address_each(world: World) -> None:
    async with world.running() as client:
        task_id = await world.submit_images(client, n=3, output_format="webp")
        done = await world.finish(client, task_id, "images")
        files = [await client.get(item["url"]) for item in done["data"]]

    assert len({file.content for file in files}) == 3
    assert {file.headers["content-type"] for file in files} == {"image/webp"}


async def test_pictures_in_the_answer_itself_are_whole(world: World) -> None:
    async with world.running() as client:
        task_id = await world.submit_images(client, n=2, response_format="b64_json")
        done = await world.finish(client, task_id, "images")

    assert [item["url"] for item in done["data"]] == [None, None]
    contents = [base64.b64decode(item["b64_json"]) for item in done["data"]]
    assert contents == [PNG + b"picture-1.png", PNG + b"picture-2.png"]


async def test_a_synchronous_post_waits_behind_blank_lines_and_may_be_cut(world: World) -> None:
    answers: list[str] = []
    ask = {"model": "m", "prompt": "hold"}
    async with world.running(keep_alive_seconds=0.02) as client, anyio.create_task_group() as group:

        async def post() -> None:
            answers.append((await client.post("images/generations", json=ask)).text)

        group.start_soon(post)

        async def rendering() -> bool:
            return bool(world.renders("begin"))

        await wait_until(rendering)
        world.release_renders()
    (world.journal / "go").unlink()
    sandbox = world.sandbox(sync_timeout_seconds=0.05, keep_alive_seconds=0.02)
    async with sandbox, world.client(sandbox) as client:
        cut = await client.post("images/generations", json=ask)
        world.release_renders()
        done = await world.finish(client, sandbox.charges()[-1].task_id, "images")

    assert answers[0].startswith("\n\n")
    assert json.loads(answers[0])["data"][0]["url"]
    assert (cut.status_code, cut.text.strip()) == (200, "")
    assert done["task_status"] == "succeed"


async def test_a_failed_task_has_an_error_and_no_data(world: World) -> None:
    async with world.running() as client:
        failed = await world.finish(client, await world.submit_images(client, "refuse"), "images")

    assert failed["error"] == {"code": "invalid_image", "message": "image cannot be decoded."}
    assert "data" not in failed


async def test_a_task_is_known_at_its_own_address_alone(world: World) -> None:
    async with world.running() as client:
        video, picture = await world.submit(client), await world.submit_images(client)
        answers = [
            await client.get(f"images/{video}"),
            await client.get(f"videos/{picture}"),
            await client.get(f"video/{picture}/result"),
        ]
        right = [await client.get(f"videos/{video}"), await client.get(f"images/{picture}")]

    assert [(a.status_code, a.json()["error"]["code"]) for a in answers] == [(404, "not_found")] * 3
    assert [answer.status_code for answer in right] == [200, 200]


async def test_both_kinds_wait_in_one_queue_in_order(world: World) -> None:
    async with world.running() as client:
        ids = [
            await world.submit(client, "hold"),
            await world.submit_images(client),
            await world.submit(client),
            await world.submit_images(client),
        ]
        waits = (await client.get(f"images/{ids[3]}")).json()["estimated_seconds"]
        sooner = (await client.get(f"images/{ids[1]}")).json()["estimated_seconds"]
        world.release_renders()
        await world.finish(client, ids[3], "images")

    assert world.renders("end") == ids
    assert sooner < waits


async def test_both_kinds_are_charged_from_one_balance_and_pruned_together(world: World) -> None:
    sandbox = world.sandbox(balance=3, keep_finished=1)
    async with sandbox, world.client(sandbox) as client:
        ids = [
            await world.submit_images(client),
            await world.submit(client),
            await world.submit_images(client),
        ]
        refused = await client.post("images/generations", json=ASK)

        async def pruned() -> bool:
            found = [path.name for path in (world.folder / "tasks").iterdir()]
            return found == [ids[2]]

        await wait_until(pruned)

    assert refused.status_code == 402
    assert sorted(charge.task_id for charge in sandbox.charges()) == sorted(ids)


@pytest.mark.parametrize(
    ("fault", "status_code", "charged"), [("busy", 503, 0), ("broken", 500, 1), ("blank", 200, 1)]
)
async def test_faults_take_posts_of_both_kinds_in_turn(
    world: World, fault: Fault, status_code: int, charged: int
) -> None:
    sandbox = world.sandbox(faults=[None, fault])
    async with world.client(sandbox) as client:
        await world.submit(client)
        answer = await client.post("images/generations", json=ASK)
        await world.submit_images(client)

    assert answer.status_code == status_code
    assert len(sandbox.charges()) == 2 + charged


async def test_a_wrong_key_is_refused(world: World) -> None:
    sandbox = world.sandbox(api_key="right")
    async with world.client(sandbox, key="wrong") as client:
        post = await client.post("images/generations", json=ASK)
        get = await client.get("images/0")

    assert (post.status_code, get.status_code) == (401, 401)
    assert sandbox.charges() == []


async def test_an_answer_names_the_fields_that_had_no_effect(world: World) -> None:
    idle: dict[str, Any] = {
        "negative_prompt": "rain", "strength": 0.5, "quality": "hd", "style_preset": "ink",
        "mask": STILL_URI, "background": "transparent", "brand_new": 1,
    }  # fmt: skip
    async with world.running() as client:
        task_id = await world.submit_images(
            client,
            **idle,
            images=[STILL_URI, STILL_URI],
            size="1024x1024",
            aspect_ratio="16:9",
            extra_body={"seed": 7},
        )
        done = await world.finish(client, task_id, "images")

    named = [*idle, "images", "aspect_ratio", "extra_body.seed"]
    assert sorted(done["sandbox"]["ignored"]) == sorted(named)


async def test_a_picture_may_begin_another_or_a_video(world: World) -> None:
    async with world.running() as client:
        done = await world.finish(client, await world.submit_images(client), "images")
        link = done["data"][0]["url"]
        again = await world.submit_images(client, image=link)
        listed = await world.submit_images(client, images=[link])
        video = await world.submit(client, image=link)
        for task_id, kind in ((again, "images"), (listed, "images"), (video, "videos")):
            assert (await world.finish(client, task_id, kind))["task_status"] == "succeed"
            given = world.folder / "tasks" / task_id / "image.png"
            assert given.read_bytes() == PNG + b"picture-1.png"


async def test_a_released_version_in_the_same_folder_sees_no_pictures(world: World) -> None:
    """0.1.0 takes a record's shape from two words, and passes over what has another."""
    async with world.client(world.sandbox()) as client:
        task_id = await world.submit_images(client)
        record = json.loads((world.folder / "tasks" / task_id / "task.json").read_bytes())

    assert record["shape"] not in ("object", "array")
    assert not (world.folder / "tasks" / task_id / "plan.json").exists()


async def test_a_report_of_a_released_version_is_still_proof(world: World) -> None:
    async with world.client(world.sandbox()) as client:
        task_id = await world.submit(client)
    folder = world.folder / "tasks" / task_id
    record = json.loads((folder / "task.json").read_bytes())
    del record["inline"]
    (folder / "task.json").write_text(json.dumps(record), "utf-8")
    (folder / "video.mp4").write_bytes(b"12345")
    report = {"width": 64, "height": 64, "fps": 24, "seconds": 2.5, "bytes": 5, "codec": "x"}
    (folder / "report.json").write_text(json.dumps(report), "utf-8")
    task = Store(world.folder, keep_finished=1).load_task(task_id)

    assert task is not None
    assert (task.status, task.media) == ("succeed", "video")


@pytest.mark.parametrize("damage", ["missing", "short"])
async def test_pictures_that_are_not_whole_are_not_done(world: World, damage: str) -> None:
    async with world.client(world.sandbox()) as client:
        task_id = await world.submit_images(client, n=2)
    folder = world.folder / "tasks" / task_id
    names = ["picture-1.png", "picture-2.png"]
    report = {"width": 64, "height": 64, "pictures": names, "bytes": 10}
    (folder / "picture-1.png").write_bytes(b"12345")
    if damage == "short":
        (folder / "picture-2.png").write_bytes(b"1234")
    (folder / "report.json").write_text(json.dumps(report), "utf-8")
    before = Store(world.folder, keep_finished=1).load_task(task_id)
    (folder / "picture-2.png").write_bytes(b"12345")
    after = Store(world.folder, keep_finished=1).load_task(task_id)

    assert (before and before.status, after and after.status) == ("pending", "succeed")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"prompt": None}, "prompt is required."),
        ({"model": None}, "model is required"),
        ({"n": 0}, "n must be a whole number from 1 to 4."),
        ({"n": 5}, "n must be a whole number from 1 to 4."),
        ({"n": 1.5}, "n must be a whole number from 1 to 4."),
        ({"n": "many"}, "n must be a number."),
        ({"size": "wide"}, "size must be width x height in pixels, such as 1024x1024, or 2K."),
        ({"size": "32x32"}, "The image must be at least 64 pixels on each side."),
        ({"size": "4K"}, "4096x4096 is over the sandbox's limit of 3840x2160 pixels."),
        ({"size": "9:1"}, "aspect_ratio must be"),
        ({"aspect_ratio": "wide"}, "aspect_ratio must be width:height"),
        ({"response_format": "blob"}, "response_format must be url or b64_json."),
        ({"output_format": "avif"}, "output_format must be png, jpeg or webp."),
        ({"watermark": "no"}, "watermark must be true or false."),
        ({"async": 1}, "async must be true or false."),
        ({"retries": "often"}, "retries must be a number."),
        ({"extra_body": []}, "extra_body must be an object."),
        ({"image": "https://example.com/cat.png"}, "image is a link the sandbox cannot download"),
        ({"images": ["/etc/passwd"]}, "images is a link the sandbox cannot download"),
        ({"images": [{"url": "x"}]}, "images must be a link or a data URI."),
        ({"image": "data:image/gif;base64,R0lGODlhAQABAAAAACw="}, "PNG, JPEG or WebP"),
    ],
    ids=lambda value: json.dumps(value)[:70] if isinstance(value, dict) else "",
)
async def test_a_picture_that_cannot_be_drawn_is_refused_in_a_sentence(
    world: World, fields: dict[str, Any], says: str
) -> None:
    sandbox = world.sandbox()
    async with world.client(sandbox) as client:
        answer = await client.post("images/generations", json=ASK | fields)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "validation_error")
    assert says in error["message"]
    assert sandbox.charges() == []


def plan_of(input_image: InputImage | None = None, **fields: object) -> ImagePlan:
    return make_image_plan(FieldReader({"model": "m", "prompt": "a fox", **fields}), input_image)


def test_unsaid_things_are_one_square_png() -> None:
    assert plan_of().model_dump() == {
        "prompt": "a fox",
        "model": "m",
        "width": 1024,
        "height": 1024,
        "count": 1,
        "format": "png",
        "watermark": False,
        "image": None,
        "take": 0,
    }


PORTRAIT = InputImage(b"", "jpg", 600, 800)


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"size": "1152x864"}, (1152, 864)),
        ({"size": "641*361"}, (640, 360)),
        ({"size": "auto"}, (1024, 1024)),
        ({"size": "2K"}, (2048, 2048)),
        ({"size": "2k", "aspect_ratio": "16:9"}, (2736, 1536)),
        ({"size": "16:9"}, (1360, 768)),
        ({"size": "16:9", "aspect_ratio": "1:1"}, (1360, 768)),
        ({"aspect_ratio": "9:16"}, (768, 1360)),
        ({"aspect_ratio": "auto"}, (1024, 1024)),
        ({"input_image": PORTRAIT}, (880, 1184)),
        ({"input_image": PORTRAIT, "aspect_ratio": "adaptive"}, (880, 1184)),
        ({"input_image": PORTRAIT, "aspect_ratio": "1:1"}, (1024, 1024)),
        ({"input_image": InputImage(b"", "png", 9000, 10)}, (2048, 512)),
    ],
)
def test_sizes_come_from_every_spelling(fields: dict[str, Any], size: tuple[int, int]) -> None:
    plan = plan_of(**fields)
    assert (plan.width, plan.height) == size


def test_a_given_picture_and_a_format_reach_the_plan() -> None:
    plan = plan_of(PORTRAIT, output_format="JPEG", n="2", watermark=True)
    assert (plan.image, plan.format, plan.count, plan.watermark) == ("image.jpg", "jpg", 2, True)


def test_more_pictures_are_expected_to_take_longer() -> None:
    assert image_seconds(plan_of()) < 1.5
    assert image_seconds(plan_of(n=4)) > image_seconds(plan_of())


async def test_the_list_has_image_models(world: World) -> None:
    async with world.client(world.sandbox()) as client:
        page = (await client.get(f"{BASE_URL}/models?page_size=100")).json()
        free = (await client.get("models/cogview-3-flash")).json()

    images = {item["id"]: item for item in page["data"] if item["type"] == "image"}
    assert {"cogview-3-flash", "jimeng_t2i_v40"} < set(images)
    assert images["cogview-3-flash"]["capabilities"] == ["text-to-image", "image-to-image"]
    assert (free["is_free"], free["price"]["unit"]) == (True, "image")
