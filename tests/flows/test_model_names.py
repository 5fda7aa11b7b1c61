"""A model's name is settled before the money: an id, what clearly means one, or a refusal."""

import re
from typing import Any

import anyio
import httpx
import pytest
from mcp_types import CallToolResult

from geekai_video_mcp.config import GEEKAI_URL, SANDBOX_URL
from geekai_video_mcp.domain.catalogue import models
from geekai_video_mcp.engine.model_list import FETCH_TIMEOUT
from support.fake_geekai import always_answer, api_error, documented_reply
from support.world import World, call, structured, text

URL = "https://example.com/1.png"
LISTED: list[dict[str, Any]] = [
    *({"id": one, "type": "video", "status": "active"} for one in models()),
    {"id": "kling-video-v9", "type": "video", "status": "active"},
    {"id": "kling-video-v8", "type": "video", "status": "deprecated"},
    {"id": "cogview-3-flash", "type": "image", "status": "active"},
    {"id": "jimeng_t2i_v40", "type": "image", "status": "active"},
    {"id": "gpt-5.1", "type": "chat", "status": "active"},
    {"id": "of-a-new-type", "type": "film", "status": "active"},
]


@pytest.fixture
def geekai(world: World) -> World:
    """A server that is configured for GeekAI itself."""
    world.base_url = GEEKAI_URL
    world.service.models = LISTED
    return world


async def ask(world: World, tool: str = "generate_video", **arguments: Any) -> list[CallToolResult]:  # noqa: ANN401 - JSON
    """What a dry run says, and then the call itself."""
    arguments = {"prompt": "a fox", "async": True, **arguments}
    async with world.client() as client:
        return [
            await call(client, tool, **arguments, dry_run=True),
            await call(client, tool, **arguments),
        ]


async def sent_by(
    world: World,
    tool: str = "generate_video",
    **arguments: Any,  # noqa: ANN401 - JSON
) -> tuple[dict[str, Any], list[str]]:
    """The body of the one request that was sent, and the warnings, which a dry run said as well."""
    foreseen, made = await ask(world, tool, **arguments)
    (job,) = world.service.jobs.values()
    dry_run, warnings = structured(foreseen)["dry_run"], structured(made).get("warnings", [])

    assert dry_run["request"] == job.body
    assert dry_run.get("warnings", []) == warnings
    assert structured(foreseen)["model"] == structured(made)["model"] == job.body["model"]
    return job.body, warnings


async def refusal_of(world: World, tool: str = "generate_video", **arguments: Any) -> str:  # noqa: ANN401 - JSON
    """Why nothing was sent, which a dry run said as well."""
    foreseen, refused = await ask(world, tool, **arguments)

    assert foreseen.is_error
    assert refused.is_error
    assert text(foreseen) == text(refused)
    assert "Nothing was charged." in text(refused)
    assert world.service.jobs == {}
    assert not any(one.method == "POST" for one in world.service.requests)
    return text(refused)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Kling 2.6", "kling-video-v2-6"),
        ("veo3.1", "veo-3.1-generate-preview"),
        ("KLING-VIDEO-V3", "kling-video-v3"),
        ("可灵2.6", "kling-video-v2-6"),
        ("veo-3.1-fast", "veo-3.1-fast-generate-preview"),
        ("kling 9", "kling-video-v9"),
    ],
)
async def test_one_clear_match_is_taken_and_said(geekai: World, name: str, meant: str) -> None:
    body, warnings = await sent_by(geekai, model=name)

    assert body["model"] == meant
    assert f'Model "{name}" was taken as {meant}.' in warnings
    assert (await geekai.tasks())[0].model == meant


async def test_the_whole_result_is_about_the_model_that_is_meant(geekai: World) -> None:
    body, _ = await sent_by(geekai, model="hailuo 2.3", resolution="1080p", duration=6)

    assert body["model"] == "MiniMax-Hailuo-2.3"
    assert body["resolution"] == "1080P", "as its maker spells it"


async def test_the_request_chooses_between_text_and_image(geekai: World) -> None:
    body, _ = await sent_by(geekai, model="wan 2.7", image=URL)

    assert body["model"] == "wan2.7-i2v"


@pytest.mark.parametrize("name", ["kling", "veo-4", "kling-lite", "runway", "wan 2.6 flash"])
async def test_what_geekai_does_not_know_either_is_refused_with_the_nearest(
    geekai: World, name: str
) -> None:
    words = await refusal_of(geekai, model=name)

    assert f'unknown model "{name}"' in words
    family = re.split("[- ]", name)[0]
    assert family == "runway" or words.count(family) >= 4, "the name, and three ids of the family"
    assert "kling-video-v8" not in words, "no advice to take what is going"


async def test_the_default_model_goes_the_same_way(geekai: World) -> None:
    geekai.default_model = "Kling 2.6"
    body, warnings = await sent_by(geekai)

    assert body["model"] == "kling-video-v2-6"
    assert warnings[0] == 'Model "Kling 2.6" was taken as kling-video-v2-6.'


async def test_a_default_model_that_does_not_exist_is_said_to_be_the_operators(
    geekai: World,
) -> None:
    geekai.default_model = "veo-4"

    assert "(GEEKAI_DEFAULT_MODEL names it)" in await refusal_of(geekai)


async def test_an_id_that_is_new_at_geekai_passes(geekai: World) -> None:
    body, (warning,) = await sent_by(geekai, model="kling-video-v9", resolution="8k")

    assert body["model"] == "kling-video-v9"
    assert "listed by GeekAI, not described here: its settings were not checked" in warning


async def test_an_id_that_is_going_at_geekai_is_said_to_be(geekai: World) -> None:
    _, (warning,) = await sent_by(geekai, model="kling-video-v8")

    assert warning == "kling-video-v8 is deprecated by GeekAI"


async def test_an_id_of_geekais_comes_before_what_a_name_may_mean(geekai: World) -> None:
    geekai.service.models = [*LISTED, {"id": "veo-3.1-fast", "type": "video", "status": "active"}]
    body, warnings = await sent_by(geekai, model="veo-3.1-fast")

    assert body["model"] == "veo-3.1-fast"
    assert "was taken as" not in " ".join(warnings)


async def test_a_name_means_what_geekai_still_has(geekai: World) -> None:
    listed = [one for one in LISTED if one["id"] != "veo-3.1-generate-preview"]
    geekai.service.models = [*listed, {"id": "veo-3.1-generate-001", "type": "video"}]

    assert (await sent_by(geekai, model="veo 3.1"))[0]["model"] == "veo-3.1-generate-001"


async def test_geekai_is_asked_once_and_only_for_a_name_that_is_no_known_id(
    geekai: World,
) -> None:
    async with geekai.client() as client:
        await call(client, "generate_video", prompt="a fox", model="kling-video-v3")
        before = len(geekai.service.model_list_pages)
        async with anyio.create_task_group() as group:
            for name in ("kling", "veo-4", "Kling 2.6", "kling-video-v9", "sora 7"):
                group.start_soon(lambda n=name: call(client, "generate_video", prompt=n, model=n))

    assert before == 0
    assert geekai.service.model_list_pages == [1]


UNREADABLE = {
    "error": always_answer(api_error(500, "internal_error", "broken")),
    "offline": always_answer(httpx.ConnectError("offline")),
    "empty": always_answer(httpx.Response(200, json={"data": [], "total": 0, "page": 1})),
    "no_videos": always_answer(
        httpx.Response(
            200, json={"data": [{"id": "gpt-5.1", "type": "chat", "status": "active"}], "total": 1}
        )
    ),
}


@pytest.mark.parametrize("why", UNREADABLE)
async def test_while_the_list_says_nothing_an_unknown_id_passes_with_a_warning(
    geekai: World, why: str
) -> None:
    geekai.service.on_models = UNREADABLE[why]
    body, (warning,) = await sent_by(geekai, model="veo-4")

    assert body["model"] == "veo-4"
    assert 'unknown model "veo-4"; the closest are veo-3.1-fast-generate-preview, ' in warning
    assert "GeekAI's own list could not be read" in warning


async def test_a_clear_match_is_taken_while_the_list_cannot_be_read(geekai: World) -> None:
    geekai.service.on_models = UNREADABLE["error"]
    body, warnings = await sent_by(geekai, model="Kling 2.6")

    assert body["model"] == "kling-video-v2-6"
    assert warnings[0] == 'Model "Kling 2.6" was taken as kling-video-v2-6.'


async def test_a_list_that_does_not_come_holds_no_call_for_long(geekai: World) -> None:
    async def silent(_: httpx.Request) -> None:
        await anyio.sleep_forever()

    geekai.service.on_models = silent
    async with geekai.client() as client:
        began = anyio.current_time()
        made = await call(client, "generate_video", prompt="a fox", model="veo-4")
        took = anyio.current_time() - began

    assert not made.is_error
    assert took <= FETCH_TIMEOUT + 0.1


@pytest.mark.parametrize("name", ["Kling 2.6", "KLING-VIDEO-V2-6", "veo-4", "of-this-gateway"])
async def test_a_gateway_gets_the_name_as_it_is_written(world: World, name: str) -> None:
    body, (warning,) = await sent_by(world, model=name)

    assert body["model"] == name
    assert f'unknown model "{name}"' in warning
    assert world.service.model_list_pages == []


async def test_names_that_mean_one_model_at_geekai_may_be_two_at_a_gateway(world: World) -> None:
    async with world.client() as client:
        for name in ("veo-3.1-fast-generate-preview", "veo-3.1-fast"):
            await call(client, "generate_video", prompt="a fox", model=name)

    assert len(world.service.jobs) == 2


async def test_an_id_that_a_gateway_lists_needs_no_warning(world: World) -> None:
    world.service.models = LISTED
    async with world.client() as client:
        await call(client, "list_video_models")
        made = structured(
            await call(client, "generate_video", prompt="a fox", model="kling-video-v9")
        )

    assert "warnings" not in made


async def test_the_sandbox_takes_a_clear_match_and_previews_any_other_name(world: World) -> None:
    world.account = SANDBOX_URL
    body, warnings = await sent_by(world, model="Kling 2.6")
    async with world.client() as client:
        other = structured(await call(client, "generate_video", prompt="a hare", model="veo-4"))

    assert body["model"] == "kling-video-v2-6"
    assert warnings[0] == 'Model "Kling 2.6" was taken as kling-video-v2-6.'
    assert "veo-3.1-fast-generate-preview" in other["warnings"][0]
    assert "the sandbox makes a preview all the same" in other["warnings"][0]
    assert world.service.model_list_pages == []


async def test_the_sandboxs_model_is_none_of_geekais(geekai: World) -> None:
    geekai.service.on_models = UNREADABLE["error"]

    assert "the preview model of the sandbox" in await refusal_of(geekai, model="sandbox")


@pytest.mark.parametrize("place", ["geekai", "gateway", "sandbox"])
@pytest.mark.parametrize(
    ("tool", "model", "instead"),
    [
        ("generate_image", "kling-video-v2-6", "generate_video"),
        ("generate_video", "cogview-3-flash", "generate_image"),
    ],
)
async def test_a_model_of_the_other_kind_is_refused_with_its_tool(
    geekai: World, place: str, tool: str, model: str, instead: str
) -> None:
    if place != "geekai":
        geekai.base_url = "https://gateway.example/api/v1"
    if place == "sandbox":
        geekai.account = SANDBOX_URL

    assert f"use {instead} for it" in await refusal_of(geekai, tool, model=model)


@pytest.mark.parametrize(
    ("tool", "name", "said"),
    [
        ("generate_image", "Kling 2.6", "kling-video-v2-6 is a video model and makes no image"),
        ("generate_video", "CogView 3 Flash", "cogview-3-flash is an image model"),
        ("generate_video", "jimeng_t2i_v40", "jimeng_t2i_v40 is an image model"),
        ("generate_video", "gpt-5.1", "gpt-5.1 is a chat model and makes no video"),
        ("generate_image", "kling-video-v9", "kling-video-v9 is a video model"),
        ("generate_image", "gpt-5.1", "gpt-5.1 is a chat model"),
    ],
)
async def test_so_is_one_that_only_the_name_or_geekais_list_tells(
    geekai: World, tool: str, name: str, said: str
) -> None:
    assert said in await refusal_of(geekai, tool, model=name)


async def test_a_listed_id_of_a_type_that_is_not_known_passes(geekai: World) -> None:
    assert (await sent_by(geekai, model="of-a-new-type"))[0]["model"] == "of-a-new-type"


async def test_image_models_are_geekais_to_know(geekai: World) -> None:
    words = await refusal_of(geekai, "generate_image", model="jimeng 5.0")
    body, warnings = await sent_by(geekai, "generate_image", model="jimeng_t2i_v40")

    assert 'unknown model "jimeng 5.0"; the closest are jimeng_t2i_v40' in words
    assert body["model"] == "jimeng_t2i_v40"
    assert warnings == []


async def test_an_image_model_as_people_write_it_is_taken(geekai: World) -> None:
    body, warnings = await sent_by(geekai, "generate_image", model="Jimeng t2i v40")

    assert body["model"] == "jimeng_t2i_v40"
    assert warnings == ['Model "Jimeng t2i v40" was taken as jimeng_t2i_v40.']


@pytest.mark.parametrize("listed", [[], [one for one in LISTED if one["type"] != "image"]])
async def test_without_image_models_in_the_list_any_image_model_passes(
    geekai: World, listed: list[dict[str, Any]]
) -> None:
    geekai.service.models = listed
    body, (warning,) = await sent_by(geekai, "generate_image", model="seedream-9")

    assert body["model"] == "seedream-9"
    assert 'unknown image model "seedream-9"' in warning


async def test_a_repeat_of_a_name_is_one_request(geekai: World) -> None:
    async with geekai.client() as client:
        for key in ({}, {"idempotency_key": "k"}):
            arguments = {"prompt": "a fox", "model": "Kling 2.6", **key}
            first = structured(await call(client, "generate_video", **arguments))
            again = structured(await call(client, "generate_video", **arguments))
            assert again["task_id"] == first["task_id"]
            assert again["deduplicated"]
        by_id = structured(
            await call(client, "generate_video", prompt="a fox", model="kling-video-v2-6")
        )

    assert by_id["deduplicated"]
    assert len(geekai.service.jobs) == 2


@pytest.mark.parametrize("key", [{}, {"idempotency_key": "k"}, {"variation": 2}])
@pytest.mark.parametrize("name", ["Kling 2.6", "veo-4"])
async def test_a_request_that_was_sent_as_it_is_written_is_never_paid_again(
    geekai: World, name: str, key: dict[str, Any]
) -> None:
    arguments = {"prompt": "a fox", "model": name, **key}
    geekai.base_url = "https://gateway.example/api/v1"
    async with geekai.client() as client:
        first = structured(await call(client, "generate_video", **arguments))
    geekai.base_url = GEEKAI_URL
    async with geekai.client() as client:
        foreseen = structured(await call(client, "generate_video", **arguments, dry_run=True))
        again = structured(await call(client, "generate_video", **arguments))
        other = {**arguments, "prompt": "a hare", "idempotency_key": "another"}
        await call(client, "generate_video", **other)

    assert foreseen["dry_run"]["duplicate_of"] == again["task_id"] == first["task_id"]
    assert again["deduplicated"]
    assert [job.body["model"] for job in geekai.service.jobs.values()][:1] == [name]
    assert len(geekai.service.jobs) == (2 if name == "Kling 2.6" else 1)


@pytest.mark.parametrize("key", [{}, {"idempotency_key": "k"}])
async def test_a_list_that_can_be_read_again_does_not_have_a_request_paid_again(
    geekai: World, key: dict[str, Any]
) -> None:
    """What its name meant without the list may be an id of its own in the list."""
    arguments = {"prompt": "a fox", "model": "veo-3.1-fast", **key}
    geekai.service.on_models = UNREADABLE["error"]
    async with geekai.client() as client:
        first = structured(await call(client, "generate_video", **arguments))
    geekai.service.on_models = documented_reply
    geekai.service.models = [*LISTED, {"id": "veo-3.1-fast", "type": "video", "status": "active"}]
    async with geekai.client() as client:
        again = structured(await call(client, "generate_video", **arguments))

    assert again["task_id"] == first["task_id"]
    assert again["deduplicated"]
    (job,) = geekai.service.jobs.values()
    assert job.body["model"] == "veo-3.1-fast-generate-preview"


async def test_a_key_of_another_request_is_refused_whatever_the_name(geekai: World) -> None:
    async with geekai.client() as client:
        arguments = {"model": "Kling 2.6", "idempotency_key": "k"}
        await call(client, "generate_video", prompt="a fox", **arguments)
        refused = await call(client, "generate_video", prompt="a hare", **arguments)

    assert refused.is_error
    assert "differs in prompt" in text(refused)
    assert len(geekai.service.jobs) == 1


async def test_a_card_is_found_by_the_name_that_a_request_would_take(geekai: World) -> None:
    async with geekai.client() as client:
        shown = await call(client, "list_video_models", model="Kling 2.6")
        new = await call(client, "list_video_models", model="kling 9")

    assert structured(shown)["card"]["id"] == "kling-video-v2-6"
    assert structured(new)["card"]["id"] == "kling-video-v9"
    assert geekai.service.model_list_pages == [1]
