"""Calls as models and hosts really make them: meant well and taken, or refused with the way out.

A spelling is taken if the call is the same request as the right one, so that it is not paid
twice. Nothing is sent for a call that is refused.
"""

import json
from typing import Any

import pytest

from support.sampling import sample
from support.world import EPOCH, Era, World, call, structured, text

RED, BLUE = "https://example.com/red.png", "https://example.com/blue.png"
VEO = "veo-3.1-fast-generate-preview"
HAILUO = "MiniMax-Hailuo-02"
KLING = "kling-video-v2-6"

NOTHING: list[Any] = [
    None,
    "",
    "  ",
    [],
    {},
    "null",
    "NULL",
    " Null ",
    "undefined",
    "None",
    "none",
    "[]",
    "{}",
    "${user_config.setting}",
    [None],
    ["null"],
    ["", "undefined", None, []],
    '["null"]',
    '"null"',
    "['None']",
    "<null>",
    "[undefined]",
    "{ }",
    "N/A",
    "n/a",
    "nil",
    "NaN",
    "{{image}}",
    "`null`",
    "(none)",
    '[null, ""]',
]
HOST_ADDITIONS: list[dict[str, Any]] = [
    {"wait_for_previous": True},  # Gemini CLI
    {
        "toolCallId": "call_1",
        "sessionId": "s",
        "action": "sendMessage",
        "chatInput": "a fox",
    },  # n8n
    {"random_string": "x"},  # Cursor
    {"_meta": {"progressToken": 1}},
]


@pytest.fixture
def era() -> Era:
    """One is enough: arguments are read before either has a say."""
    return "auto"


async def published(world: World) -> dict[str, list[str]]:
    """The arguments of each tool that this world's server offers."""
    async with world.client() as client:
        tools = (await client.list_tools()).tools
    return {tool.name: list(tool.input_schema["properties"]) for tool in tools}


@pytest.mark.parametrize("nothing", sample(NOTHING, every=4), ids=repr)
async def test_nothing_in_any_spelling_is_the_same_request_as_no_argument(
    world: World, nothing: object
) -> None:
    for tool in ("generate_video", "generate_image"):
        names = (await published(world))[tool]
        left_out = {name: nothing for name in names if name != "prompt"}
        async with world.client() as client:
            plain = await call(client, tool, prompt=tool, **{"async": True})
            whole = await call(client, tool, prompt=tool, **{**left_out, "async": True})

        assert not whole.is_error, text(whole)
        assert structured(whole)["task_id"] == structured(plain)["task_id"]
    assert world.service.charges == ["generate_video", "generate_image"]


@pytest.mark.parametrize("nothing", sample(NOTHING, every=4), ids=repr)
async def test_a_prompt_that_says_nothing_is_asked_for(world: World, nothing: object) -> None:
    async with world.client() as client:
        refused = await call(client, "generate_video", prompt=nothing)

    assert refused.is_error
    assert text(refused).startswith("prompt is required. Nothing was charged.")
    assert world.service.requests == []


@pytest.mark.parametrize(
    ("tool", "arguments"),
    sample(
        [
            ("generate_video", {"duration": 0, "fps": 0, "variation": 0}),
            ("generate_video", {"duration": "0", "fps": 0.0, "variation": "0"}),
            ("generate_video", {"duration": "0s", "fps": "0 fps"}),
            ("generate_image", {"variation": 0}),
            ("generate_video", {"images": [None], "audio": ["null", ""], "extra_body": "{}"}),
            ("generate_video", {"idempotency_key": "null"}),
        ],
        every=4,
    ),
)
async def test_zero_is_none_where_none_can_be_meant(
    world: World, tool: str, arguments: dict[str, Any]
) -> None:
    async with world.client() as client:
        first = await call(client, tool, prompt="a fox", **{"async": True})
        again = await call(client, tool, prompt="a fox", **{"async": True}, **arguments)

    assert not again.is_error, text(again)
    assert structured(again)["task_id"] == structured(first)["task_id"]
    assert world.service.charges == ["a fox"]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("list_video_models", {"seconds": 0}),
        ("list_video_models", {"seconds": "0s"}),
        ("list_video_models", {"page": 0}),
        ("list_video_tasks", {"limit": 0}),
    ],
)
async def test_zero_in_a_list_is_no_filter(
    world: World, tool: str, arguments: dict[str, Any]
) -> None:
    async with world.client() as client:
        await call(client, "generate_video", prompt="a fox")
        whole = await call(client, tool)
        zero = await call(client, tool, **arguments)

    assert not zero.is_error, text(zero)
    assert structured(zero) == structured(whole)


async def test_false_and_a_wait_of_zero_were_meant(world: World) -> None:
    async with world.client() as client:
        await call(client, "generate_video", prompt="a fox", watermark=False, with_audio="false")
        sent = await call(client, "generate_video", prompt="None of them moves, null or not")
        at_once = await call(
            client, "get_video_task", task_id=structured(sent)["task_id"], wait_seconds=0
        )

    bodies = [job.body for job in world.service.jobs.values()]
    assert bodies[0]["watermark"] is False
    assert bodies[0]["with_audio"] is False
    assert bodies[1]["prompt"] == "None of them moves, null or not"
    assert structured(at_once)["task_status"] == "pending"


async def test_members_of_extra_body_are_passed_on_whatever_they_are(world: World) -> None:
    members: dict[str, Any] = {"seed": 0, "words": "null", "list": [], "object": {}, "deep": [None]}
    async with world.client() as client:
        await call(client, "generate_video", prompt="a fox", extra_body=members)

    (job,) = world.service.jobs.values()
    assert job.body["extra_body"] == members


async def test_a_value_taken_otherwise_than_written_is_said_in_both_forms_of_the_result(
    world: World,
) -> None:
    shaped = {"prompt": "a fox", "model": VEO, "aspect_ratio": "vertical"}
    async with world.client() as client:
        made = await call(client, "generate_video", **shaped)
        task_id = structured(made)["task_id"]
        waited = await call(client, "get_video_task", task_id=task_id, wait_seconds=600)
        listed = await call(client, "list_video_tasks", limit=99)

    for result, note in (
        (made, 'aspect_ratio "vertical" was taken as 9:16.'),
        (waited, "wait_seconds is at most 45, so 45 was used."),
        (listed, "limit is at most 50, so 50 was used."),
    ):
        assert note in text(result)
        assert note in json.dumps(structured(result)).replace('\\"', '"')


@pytest.mark.parametrize(
    "added", sample(HOST_ADDITIONS, every=4), ids=lambda added: next(iter(added))
)
async def test_what_a_host_adds_for_itself_is_ignored_by_every_tool(
    world: World, added: dict[str, Any]
) -> None:
    async with world.client() as client:
        first = await call(client, "generate_video", prompt="a fox")
        again = await call(client, "generate_video", prompt="a fox", **added)
        task_id = structured(first)["task_id"]
        for tool, names in (await published(world)).items():
            few = {"prompt": "a fox", "task_id": task_id, "parts": [task_id], "dry_run": True}
            result = await call(
                client, tool, **{name: few[name] for name in few if name in names}, **added
            )
            assert not any(name in text(result) for name in added), tool
            assert "unknown argument" not in text(result)

    assert structured(again)["task_id"] == task_id
    assert world.service.charges == ["a fox"]


@pytest.mark.parametrize(
    ("written", "meant"),
    sample(
        [
            ({"duration": "8"}, {"duration": 8}),
            ({"duration": "8s"}, {"duration": 8}),
            ({"duration": 8.0}, {"duration": 8}),
            ({"duration": "8.0"}, {"duration": 8}),
            ({"duration": "8 seconds"}, {"duration": 8}),
            ({"duration": " 8 Sec. "}, {"duration": 8}),
            ({"duration": [8]}, {"duration": 8}),
            ({"duration": "8-second"}, {"duration": 8}),
            ({"duration": "8秒钟"}, {"duration": 8}),
            ({"duration": "8秒"}, {"duration": 8}),
            ({"fps": "24帧"}, {"fps": 24}),
            ({"duration": "0:08"}, {"duration": 8}),
            ({"duration": "[8]"}, {"duration": 8}),
            ({"duration": '["8"]'}, {"duration": 8}),
            ({"duration": "'8'"}, {"duration": 8}),
            ({"fps": "24p"}, {"fps": 24}),
            ({"fps": "24 frames/second"}, {"fps": 24}),
            ({"fps": "24fps"}, {"fps": 24}),
            ({"fps": "24 FPS"}, {"fps": 24}),
            ({"resolution": 720}, {"resolution": "720p"}),
            ({"resolution": "1080"}, {"resolution": "1080p"}),
            ({"resolution": "1080P"}, {"resolution": "1080p"}),
            ({"resolution": 1080.0, "duration": 8}, {"resolution": "1080p", "duration": 8}),
            ({"resolution": "4K"}, {"resolution": "4k"}),
            ({"resolution": "720px"}, {"resolution": "720p"}),
            ({"resolution": "720p HD"}, {"resolution": "720p"}),
            ({"resolution": "720p."}, {"resolution": "720p"}),
            ({"resolution": "Full HD", "duration": 8}, {"resolution": "1080p", "duration": 8}),
            (
                {"resolution": "1080p (Full HD)", "duration": 8},
                {"resolution": "1080p", "duration": 8},
            ),
            ({"resolution": "UHD"}, {"resolution": "4k"}),
            ({"resolution": "4K Ultra HD"}, {"resolution": "4k"}),
            ({"resolution": "2160p"}, {"resolution": "4k"}),
            ({"model": HAILUO, "resolution": 768}, {"model": HAILUO, "resolution": "768P"}),
            ({"model": HAILUO, "resolution": "768p"}, {"model": HAILUO, "resolution": "768P"}),
            ({"aspect_ratio": "9x16"}, {"aspect_ratio": "9:16"}),
            ({"aspect_ratio": "9/16"}, {"aspect_ratio": "9:16"}),
            ({"aspect_ratio": "9 : 16"}, {"aspect_ratio": "9:16"}),
            ({"aspect_ratio": "9：16"}, {"aspect_ratio": "9:16"}),
            ({"aspect_ratio": "vertical"}, {"aspect_ratio": "9:16"}),
            ({"aspect_ratio": "Portrait"}, {"aspect_ratio": "9:16"}),
            ({"aspect_ratio": "9:16 (vertical)"}, {"aspect_ratio": "9:16"}),
            ({"aspect_ratio": "vertical video"}, {"aspect_ratio": "9:16"}),
            ({"aspect_ratio": "9:16 portrait mode"}, {"aspect_ratio": "9:16"}),
            ({"aspect_ratio": [9, 16]}, {"aspect_ratio": "9:16"}),
            ({"aspect_ratio": "9,16"}, {"aspect_ratio": "9:16"}),
            ({"aspect_ratio": "VERTICAL_9_16"}, {"aspect_ratio": "9:16"}),
            ({"aspect_ratio": "09:16"}, {"aspect_ratio": "9:16"}),
            *(
                ({"aspect_ratio": shape}, {"aspect_ratio": "9:16"})
                for shape in ("tall", "竖屏", "竖版")
            ),
            *(
                ({"aspect_ratio": shape}, {"aspect_ratio": "16:9"})
                for shape in ("landscape", "horizontal", "wide", "widescreen", "横屏", "横版")
            ),
            *(
                ({"aspect_ratio": shape, "model": KLING}, {"aspect_ratio": "1:1", "model": KLING})
                for shape in ("square", "方形", "正方形")
            ),
            ({"size": "1080*1920", "model": "sora-2"}, {"size": "1080x1920", "model": "sora-2"}),
            ({"size": "1080×1920", "model": "sora-2"}, {"size": "1080x1920", "model": "sora-2"}),
            (
                {"size": "1080 X 1920 px", "model": "sora-2"},
                {"size": "1080x1920", "model": "sora-2"},
            ),
            *(
                ({"size": size, "model": "sora-2"}, {"size": "1080x1920", "model": "sora-2"})
                for size in (
                    *([1080, 1920], "[1080, 1920]", "(1080, 1920)", "1080_1920", "1080-1920"),
                    *({"width": 1080, "height": 1920}, '{"width": 1080, "height": 1920}'),
                    *("1080x1920 (vertical)", "1080x1920.", "１０８０x１９２０", "1080 1920"),
                )
            ),
            ({"images": f"[{RED}, {BLUE}]"}, {"images": [RED, BLUE]}),
            ({"images": f"['{RED}', '{BLUE}']"}, {"images": [RED, BLUE]}),
            ({"images": [f"{RED}, {BLUE}"]}, {"images": [RED, BLUE]}),
            ({"images": [[RED, BLUE]]}, {"images": [RED, BLUE]}),
            ({"images": f"{RED} and {BLUE}"}, {"images": [RED, BLUE]}),
            ({"images": f"{RED}|{BLUE}"}, {"images": [RED, BLUE]}),
            ({"images": f'"{RED}", "{BLUE}"'}, {"images": [RED, BLUE]}),
            ({"images": [{"url": RED}, {"url": BLUE}]}, {"images": [RED, BLUE]}),
            ({"images": {"url": RED}}, {"images": [RED]}),
            ({"images": [RED, "N/A"]}, {"images": [RED]}),
            ({"image": [[RED]]}, {"image": RED}),
            ({"image": f"[{RED}]"}, {"image": RED}),
            ({"image": f"![a red fox]({RED})"}, {"image": RED}),
            ({"image": {"url": RED}}, {"image": RED}),
            ({"image": {"type": "image_url", "image_url": {"url": RED}}}, {"image": RED}),
            ({"image": "HTTPS://Example.com/red.png"}, {"image": RED}),
            ({"image": RED, "image_tail": json.dumps([BLUE])}, {"image": RED, "image_tail": BLUE}),
            ({"images": RED}, {"images": [RED]}),
            ({"images": f"{RED}, {BLUE}"}, {"images": [RED, BLUE]}),
            ({"images": f"{RED}\n{BLUE}"}, {"images": [RED, BLUE]}),
            ({"images": json.dumps([RED, BLUE])}, {"images": [RED, BLUE]}),
            ({"images": [RED, None, "", "null"]}, {"images": [RED]}),
            ({"image": [RED]}, {"image": RED}),
            ({"image": json.dumps([RED])}, {"image": RED}),
            ({"image": RED, "image_tail": [BLUE]}, {"image": RED, "image_tail": BLUE}),
            ({"audio": "https://example.com/a.mp3"}, {"audio": ["https://example.com/a.mp3"]}),
            ({"extra_body": '{"seed": 7}'}, {"extra_body": {"seed": 7}}),
            ({"extra_body": [{"seed": 7}]}, {"extra_body": {"seed": 7}}),
            ({"with_audio": "True"}, {"with_audio": True}),
            (
                {"extra_body": "{'seed': 7, 'flag': True}"},
                {"extra_body": {"seed": 7, "flag": True}},
            ),
            ({"extra_body": '```json\n{"seed": 7,}\n```'}, {"extra_body": {"seed": 7}}),
            ({"extra_body": {"extra_body": {"seed": 7}}}, {"extra_body": {"seed": 7}}),
            ({"extra_body": json.dumps('{"seed": 7}')}, {"extra_body": {"seed": 7}}),
            ({"with_audio": '"true"'}, {"with_audio": True}),
            ({"with_audio": 1.0}, {"with_audio": True}),
            ({"with_audio": "enable"}, {"with_audio": True}),
            ({"quality": "Pro", "model": KLING}, {"quality": "pro", "model": KLING}),
            ({"negative_prompt": ["blurry", "text"]}, {"negative_prompt": "blurry, text"}),
            ({"negative_prompt": '["blurry", "text"]'}, {"negative_prompt": "blurry, text"}),
            ({"with_audio": "yes"}, {"with_audio": True}),
            ({"watermark": 0}, {"watermark": False}),
            ({"negative_prompt": 13}, {"negative_prompt": "13"}),
            ({"retries": "1"}, {"retries": 1}),
            ({"variation": "2"}, {"variation": 2}),
            ({"idempotency_key": 7}, {"idempotency_key": "7"}),
        ],
        every=4,
    ),
    ids=repr,
)
async def test_what_is_meant_well_is_the_same_request_as_the_right_spelling(
    world: World, written: dict[str, Any], meant: dict[str, Any]
) -> None:
    common = {"prompt": "a fox", "model": VEO}
    async with world.client() as client:
        right = await call(client, "generate_video", **{**common, **meant})
        taken = await call(client, "generate_video", **{**common, **written})

    assert not right.is_error, text(right)
    assert not taken.is_error, text(taken)
    assert structured(taken)["task_id"] == structured(right)["task_id"]
    assert world.service.charges == ["a fox"]
    (job,) = world.service.jobs.values()
    assert {**job.body, **{name: job.body[name] for name in meant if name in job.body}} == job.body


SHAPE = '{"camera_control": {"type": "simple", "config": {"horizontal": -5}}}'
REFUSED: list[tuple[str, dict[str, Any], list[str]]] = [
    *(
        ("generate_video", {"prompt": "a fox", name: huge}, [f"{name}: must be a whole number"])
        for name in ("duration", "fps", "variation", "retries")
        for huge in (10**400, "9" * 5000)
    ),
    ("generate_image", {"prompt": "a fox", "strength": 10**400}, ["strength: must be a number"]),
    *(
        ("generate_video", {"prompt": "a fox", name: broken}, [f"{name}: must be a list"])
        for name in ("images", "audio")
        for broken in ("[[", "[,]", ["[["])
    ),
    *(
        ("generate_video", {"prompt": "a fox", wrong: 5}, [f"{wrong}: ", "did you mean duration?"])
        for wrong in ("length", "seconds", "duration_seconds", "durationSeconds", "video_length")
    ),
    *(
        ("generate_video", {"prompt": "a fox", wrong: "9:16"}, ["did you mean aspect_ratio?"])
        for wrong in ("ratio", "aspectRatio", "aspect", "ASPECT_RATIO", "orientation")
    ),
    *(
        (tool, {"prompt": "a fox", wrong: 3}, ["did you mean variation?", "one call for each"])
        for wrong in ("n", "num_videos", "takes", "count", "num_images")
        for tool in ("generate_video", "generate_image")
    ),
    *(
        ("generate_video", {"prompt": "a fox", wrong: RED}, ["did you mean image?"])
        for wrong in (
            *("first_frame", "first_frame_image", "start_image", "image_url", "input_reference"),
            *("firstFrame", "imageUrl", "init_image"),
        )
    ),
    *(
        ("generate_video", {"prompt": "a fox", wrong: RED}, ["did you mean image_tail?"])
        for wrong in ("last_frame", "end_image", "tail_image_url", "lastFrame", "end_frame")
    ),
    ("generate_video", {"prompt": "a fox", "reference_images": [RED]}, ["did you mean images?"]),
    *(
        ("generate_video", {"prompt": "a fox", wrong: True}, ["did you mean with_audio?"])
        for wrong in ("generate_audio", "sound", "audio", "withAudio")
    ),
    ("generate_video", {"prompt": "a fox", "audio": "true"}, ["did you mean with_audio?"]),
    ("generate_video", {"prompt": "a fox", "mode": "pro"}, ["did you mean quality?"]),
    *(
        (
            "generate_video",
            {"prompt": "a fox", wrong: "x"},
            [f"{wrong}: ", f"did you mean {right}?"],
        )
        for wrong, right in (
            *(("input_video", "video"), ("soundtrack", "audio"), ("definition", "resolution")),
            *(("exclude", "negative_prompt"), ("frame_rate", "fps"), ("estimate", "dry_run")),
            *(("add_watermark", "watermark"), ("retry_count", "retries")),
            *(("request_id", "idempotency_key"), ("dimensions", "size")),
        )
    ),
    *(
        (tool, {wrong: "x"}, [f"{wrong}: ", f"did you mean {right}?"])
        for tool, wrong, right in (
            ("get_video_task", "thumbnail", "view"),
            ("get_video_task", "wait_until", "until"),
            ("view_video", "timestamps", "at"),
            ("list_video_tasks", "max_results", "limit"),
            ("list_video_models", "supports", "takes"),
            ("list_video_models", "cursor", "page"),
            ("list_video_models", "free_only", "free"),
            ("list_video_models", "order_by", "sort"),
        )
    ),
    *(
        ("generate_video", {"prompt": "a fox", wrong: value}, ["extra_body", SHAPE])
        for wrong, value in (
            ("camera", "left"),
            ("camera_control", {"type": "simple", "config": {"zoom": 3}}),
            ("cameraControl", "left"),
        )
    ),
    ("generate_video", {"prompt": "a fox", "seed": 7}, ["extra_body", "list_video_models"]),
    ("generate_video", {"prompt": "a fox", "draft": True}, ["extra_body", "list_video_models"]),
    ("generate_video", {"text": "a fox"}, ["text: ", "did you mean prompt?"]),
    ("generate_video", {"prompt": "a fox", "timeout": 30}, ["did you mean async?"]),
    ("generate_video", {"prompt": "a fox", "modelId": "veo"}, ["did you mean model?"]),
    ("generate_video", {"prompt": "a fox", "promt": "x"}, ["did you mean prompt?"]),
    ("generate_video", {"prompt": "a fox", "xyzzy": 1}, ["xyzzy: ", "known are prompt"]),
    *(
        ("generate_video", {"prompt": "a fox", "duration": wrong}, ["duration: ", "whole number"])
        for wrong in (7.5, "7.5", "7.5s", "five", "5 minutes", True, [5, 6], {"seconds": 5}, -5)
    ),
    ("generate_video", {"prompt": "a fox", "fps": "29.97"}, ["fps: ", "whole number"]),
    *(
        (
            "generate_video",
            {"prompt": "a fox", "size": wrong},
            ["size: ", "did you mean aspect_rat"],
        )
        for wrong in ("16:9", "9x16", "vertical")
    ),
    ("generate_video", {"prompt": "a fox", "size": "1080p"}, ["did you mean resolution?"]),
    ("generate_video", {"prompt": "a fox", "resolution": "1920x1080"}, ["did you mean size?"]),
    ("generate_video", {"prompt": "a fox", "resolution": "16:9"}, ["did you mean aspect_ratio?"]),
    ("generate_video", {"prompt": "a fox", "aspect_ratio": "1920x1080"}, ["did you mean size?"]),
    ("generate_video", {"prompt": "a fox", "aspect_ratio": "720p"}, ["did you mean resolution?"]),
    ("generate_video", {"prompt": "a fox", "aspect_ratio": 1.78}, ["such as 16:9"]),
    *(
        ("generate_video", {"prompt": "a fox", "aspect_ratio": wrong}, ["contradict each other"])
        for wrong in ("vertical 16:9", "portrait_16_9", "16:9 (portrait)", "square 16:9")
    ),
    ("generate_video", {"prompt": "a fox", "resolution": "HD"}, ["720p, or 1080p"]),
    ("generate_video", {"prompt": "a fox", "extra_body": "camera left"}, ["an object", SHAPE]),
    ("generate_video", {"prompt": "a fox", "extra_body": ["camera", "left"]}, ["an object", SHAPE]),
    *(
        (
            "generate_video",
            {"prompt": "a fox", "extra_body": {"camera_control": wrong}},
            ["extra_body.camera_control: ", SHAPE, "horizontal, vertical, pan, tilt, roll, zoom"],
        )
        for wrong in (
            {"type": "left"},
            {"type": "simple", "config": {"left": 5}},
            {"horizontal": -5},
            {"type": "simple", "config": "left"},
            '{"type": "left"}',
        )
    ),
    ("generate_video", {"arguments": {"prompt": "a fox", "duration": 5}}, ["prompt, duration dir"]),
    ("generate_video", {"params": {"prompt": "a fox"}}, ["params: ", "give prompt directly"]),
    ("generate_video", {"input": '{"prompt": "a fox"}'}, ["input: ", "give prompt directly"]),
    ("generate_video", {"request": [{"prompt": "a fox"}]}, ["request: ", "give prompt directly"]),
    (
        "generate_video",
        {"name": "generate_video", "arguments": {"prompt": "a fox"}},
        ["arguments: ", "give prompt directly"],
    ),
    ("generate_video", {"input": "a fox"}, ["input: ", "did you mean prompt?"]),
    ("generate_image", {"arguments": {"prompt": "a fox"}}, ["give prompt directly"]),
    ("generate_image", {"prompt": "a fox", "resolution": "1080p"}, ["did you mean size?"]),
    ("get_video_task", {"params": {"task_id": "2eb52cc9"}}, ["give task_id directly"]),
    ("get_video_task", {"input": '{"task_id": "2eb52cc9"}'}, ["give task_id directly"]),
    ("get_video_task", {"id": "2eb52cc9"}, ["did you mean task_id?"]),
    ("get_video_task", {"taskId": "2eb52cc9"}, ["did you mean task_id?"]),
    ("get_video_task", {"task_id": "a", "timeout": 45}, ["did you mean wait_seconds?"]),
    ("get_video_task", {"task_id": "a", "wait": 45}, ["did you mean wait_seconds?"]),
    ("get_video_task", {"task_id": "latest"}, ["list_video_tasks shows the ids"]),
    ("get_video_task", {"task_id": "Last"}, ["list_video_tasks shows the ids"]),
    ("get_video_task", {"task_id": "null"}, ["task_id is required"]),
    ("get_video_task", {"task_id": " ".join(f"{n}a" for n in range(9))}, ["at most 8"]),
    ("get_video_task", {"task_id": "a", "until": "never"}, ["until: must be one of all, any"]),
    ("list_video_tasks", {"arguments": {"limit": 3}}, ["give limit directly"]),
    ("list_video_tasks", {"state": "running"}, ["did you mean status?"]),
    ("list_video_tasks", {"search": "fox"}, ["did you mean query?"]),
    ("list_video_tasks", {"cursor": "x"}, ["did you mean before?"]),
    ("list_video_tasks", {"from": "2026-11-26"}, ["did you mean since?"]),
    ("list_video_tasks", {"since": "last week"}, ["since: ", "2026-11-26", '"yesterday"']),
    ("list_video_models", {"request": {"model": "sora-2"}}, ["give model directly"]),
    ("list_video_models", {"provider": "google"}, ["did you mean query?"]),
    ("list_video_models", {"duration": 10}, ["did you mean seconds?"]),
    ("list_video_models", {"takes": "imaeg_tail"}, ["did you mean image_tail?"]),
    ("list_video_models", {"audio": "maybe"}, ["audio: must be true or false"]),
    ("list_video_models", {"sort": "newest"}, ["sort: must be price"]),
    ("list_video_models", {"xyzzy": 1}, ["known are model", "sort, page. "]),
    ("list_video_tasks", {"before": "page 2"}, ["before: is no cursor", "first page"]),
    ("view_video", {"task_id": "a", "at": "last frame"}, ["at: must be seconds", "last frame are"]),
    ("view_video", {"task_id": "a", "view": "hologram"}, ["view: must be one of frames, cover"]),
    ("view_video", {"task_id": "a", "preview": "cover"}, ["did you mean view?"]),
    ("list_video_models", {"takes": "xyzzy"}, ["takes: xyzzy", "known are"]),
]


@pytest.mark.parametrize(("tool", "arguments", "says"), sample(REFUSED, every=4), ids=repr)
async def test_what_cannot_be_taken_is_refused_in_a_line_with_the_way_out(
    world: World, tool: str, arguments: dict[str, Any], says: list[str]
) -> None:
    async with world.client() as client:
        refused = await call(client, tool, **arguments)

    words = text(refused)
    assert refused.is_error, words
    assert "\n" not in words
    for part in says:
        assert part in words
    assert words.count("Nothing was charged.") == (1 if tool.startswith("generate_") else 0)
    assert "It may have been charged." not in words
    assert world.service.requests == []


@pytest.mark.parametrize(
    "written",
    sample(
        [
            ["ID"],
            '["ID"]',
            "task:ID",
            "task: ID",
            "video://tasks/ID",
            "video://tasks/ID/last-frame",
            '"ID"',
            "<ID>",
            "`ID`.",
            " ID, ID ",
            "task_id=ID",
            "task:ID@2.5",
            "Task ID",
            '{"task_id": "ID"}',
            {"task_id": "ID"},
            [{"task_id": "ID", "task_status": "pending"}],
            [["ID"]],
            '{"task_id": "ID", "wait_seconds": 5}',
            "the video ID",
            "id ID",
            "#ID",
            "**ID**",
            "a-red-fox-ID.mp4",
            "/home/me/videos/a-red-fox-ID.mp4",
            "ID...",
        ],
        every=4,
    ),
    ids=repr,
)
async def test_a_task_is_found_however_its_id_is_written(world: World, written: Any) -> None:  # noqa: ANN401 - JSON
    async with world.client() as client:
        sent = await call(client, "generate_video", prompt="a fox")
        task_id = structured(sent)["task_id"]
        with_id = json.loads(json.dumps(written).replace("ID", task_id))
        found = await call(client, "get_video_task", task_id=with_id, wait_seconds=0)

    assert structured(found)["task_id"] == task_id


@pytest.mark.parametrize(
    ("tool", "arguments"),
    sample(
        [
            ("get_video_task", {"wait_seconds": 120}),
            ("get_video_task", {"wait_seconds": "45s"}),
            ("get_video_task", {"wait_seconds": "45 seconds"}),
            ("get_video_task", {"preview": "cover"}),
            ("get_video_task", {"view": "NONE"}),
            ("get_video_task", {"until": "first"}),
            ("list_video_tasks", {"limit": 200}),
            ("list_video_tasks", {"limit": "5"}),
            ("list_video_tasks", {"since": "today"}),
            ("list_video_tasks", {"since": "2026-11-26T18:00:00Z"}),
            ("list_video_tasks", {"limit": "[5]"}),
            ("list_video_tasks", {"query": ["a", "fox"]}),
            *(
                ("list_video_tasks", {"since": since})
                for since in (
                    *("2026-1-5", "2026/1/5", "2026年1月5日", "Jan 5, 2026", "5 January 2026"),
                    *("24h", "7 days ago", "last 2 weeks", "今天", "since yesterday", ["today"]),
                    *("2026-01-05 18:00:00 UTC", 1_790_000_000, "1790000000000"),
                )
            ),
            ("get_video_task", {"wait_seconds": "1 minute"}),
            ("get_video_task", {"wait_seconds": "0:45"}),
            ("get_video_task", {"until": "any one"}),
            ("get_video_task", {"view": "first and last frame"}),
            *(
                ("list_video_models", {"takes": takes})
                for takes in (
                    *(
                        "first frame, last frame",
                        "image and with_audio",
                        "image/with_audio",
                        "sound",
                    ),
                    *(
                        "Image Image_Tail",
                        "camera control",
                        ["reference images"],
                        "negative prompt",
                    ),
                )
            ),
            ("list_video_models", {"sort": "cheap"}),
            ("list_video_models", {"sort": "low to high"}),
            ("list_video_models", {"free": "yes"}),
            ("list_video_models", {"takes": ["image", "with_audio"]}),
            ("list_video_models", {"first_frame": True, "audio": False}),
            ("list_video_models", {"seconds": "10s", "resolution": 720}),
            *(
                ("list_video_tasks", {"status": word})
                for word in (
                    *("completed", "done", "success", "Succeeded", "error", "cancelled", "failure"),
                    *("processing", "in_progress", "IN PROGRESS", "queued", "all", ["running"]),
                    *("done.", "'done'", "timed out", "in queue", "*", "已完成", "进行中"),
                )
            ),
        ],
        every=4,
    ),
    ids=repr,
)
async def test_a_read_takes_what_is_meant_well(
    world: World, tool: str, arguments: dict[str, Any]
) -> None:
    async with world.client() as client:
        sent = await call(client, "generate_video", prompt="a fox")
        given = {"task_id": structured(sent)["task_id"]} if tool == "get_video_task" else {}
        taken = await call(client, tool, **given, **arguments)

    assert not taken.is_error, text(taken)


@pytest.mark.parametrize(
    ("word", "listed"),
    sample([("queued", 1), ("done", 0), ("error", 0), ("all", 1), ("success", 0)], every=4),
)
async def test_a_status_is_taken_as_what_it_means(world: World, word: str, listed: int) -> None:
    async with world.client() as client:
        await call(client, "generate_video", prompt="a fox")
        result = await call(client, "list_video_tasks", status=word)

    assert len(structured(result)["tasks"]) == listed


@pytest.mark.parametrize(
    ("takes", "same"),
    [
        ("first frame, last frame", "image image_tail"),
        ("camera control", "camera_control"),
        (["Reference Images"], "images"),
        ("image sound", "image with_audio"),
    ],
    ids=repr,
)
async def test_what_a_model_must_take_may_be_called_by_its_other_names_and_is_said(
    world: World, takes: object, same: str
) -> None:
    async with world.client() as client:
        taken = structured(await call(client, "list_video_models", takes=takes))
        right = structured(await call(client, "list_video_models", takes=same))

    # The sentence may leave less room for models on the page.
    assert taken["models"][:5] == right["models"][:5] != []
    assert taken["total"] == right["total"]
    assert f"was taken as {same.rsplit(maxsplit=1)[-1]}." in taken["next_step"]


@pytest.mark.parametrize(
    ("since", "listed"),
    sample(
        [
            ("2 hours ago", 1),
            ("last 24h", 0),
            ("3 days", 1),
            ("1 week ago", 1),
            (EPOCH - 60, 1),
            (EPOCH + 60, 0),
            (f"{EPOCH * 1000:.0f}", 1),
            ("2026-09-21 14:13:00 UTC", 1),
            ("2026-09-21T14:14Z", 0),
            ("2026年9月1日", 1),
            ("September 30, 2026", 0),
        ],
        every=4,
    ),
)
async def test_a_time_is_understood_however_it_is_named(
    world: World, since: object, listed: int
) -> None:
    async with world.client() as client:
        await call(client, "generate_video", prompt="a fox")
        world.clock_is_ahead = 3600.0 if since != "last 24h" else 100_000.0
        result = await call(client, "list_video_tasks", since=since)

    assert len(structured(result)["tasks"]) == listed
