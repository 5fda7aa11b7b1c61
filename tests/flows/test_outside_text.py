"""Text from outside is shown as data, whatever it holds, and is sent as it was given."""

import json
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.client.session import ClientRequestContext
from mcp_types import (
    ElicitRequestFormParams,
    ElicitRequestParams,
    ElicitResult,
    ResourceLink,
)

from geekai_video_mcp.quoting import has_hidden
from geekai_video_mcp.server.outside_names import find_meant_tool
from support.sampling import sample
from support.world import World, call, structured, text

HIDDEN = (
    "a\u202eb",
    "a\u2066b\u2069",
    "a\u200bb",
    "a\ufe0fb",
    "a\u3164b",
    "a\U000e0041b",
    "a\ue000b",
    "a\u2028b",
    "a\x1b[31mb",
    "a\x85b",
)
every_hidden = pytest.mark.parametrize("odd", HIDDEN, ids=ascii)


def shown_by(result: Any) -> str:  # noqa: ANN401 - any result
    """Everything in a result that is shown to a model or a person."""
    return json.dumps(result.model_dump(mode="json"), ensure_ascii=False)


@every_hidden
@pytest.mark.parametrize("tool", ["generate_video", "generate_image"])
async def test_a_dry_run_shows_invisible_characters_as_escapes(
    world: World, tool: str, odd: str
) -> None:
    extra = {odd: [odd, {odd: odd}]}
    async with world.client() as client:
        shown = await call(client, tool, prompt=odd, extra_body=extra, model="veo3", dry_run=True)
        sent = await call(client, tool, prompt=odd, extra_body=extra, model="veo3")

    assert not sent.is_error
    (body,) = [job.body for job in world.service.jobs.values()]
    assert (body["prompt"], body["extra_body"]) == (odd, extra)
    assert not has_hidden(shown_by(shown))
    request = structured(shown)["dry_run"]["request"]
    escaped = json.loads(f'"{request["prompt"]}"')
    assert escaped == odd
    assert request["extra_body"] == {
        request["prompt"]: [request["prompt"], {request["prompt"]: request["prompt"]}]
    }


async def test_a_dry_run_keeps_new_lines_and_shortens_what_is_long(world: World) -> None:
    long = "x" * 5000
    async with world.client() as client:
        shown = await call(
            client,
            "generate_image",
            prompt="one\n\ttwo",
            negative_prompt=long,
            extra_body={"a": long},
            dry_run=True,
        )

    assert structured(shown)["dry_run"]["request"]["prompt"] == "one\n\ttwo"
    assert structured(shown)["dry_run"]["request"]["negative_prompt"] == long
    assert len(text(shown)) < 1200


@pytest.mark.both_eras
@every_hidden
async def test_the_question_for_consent_shows_none(world: World, odd: str) -> None:
    world.confirm_above = -1
    asked = list[str]()

    async def person(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        del context
        assert isinstance(params, ElicitRequestFormParams)
        asked.append(params.message)
        return ElicitResult(action="accept", content={"approve": True})

    async with world.client(person=person) as client:
        done = await call(client, "generate_image", prompt=odd, negative_prompt=odd)
        listed = await call(client, "list_video_tasks")
        resources = await client.list_resources()

    assert not done.is_error
    assert len(asked) == 1
    for shown in (*asked, shown_by(done), shown_by(listed), shown_by(resources)):
        assert not has_hidden(shown)
    assert any(isinstance(block, ResourceLink) for block in done.content)


@every_hidden
@pytest.mark.parametrize(
    "name", sample(["model", "size", "aspect_ratio", "quality", "idempotency_key"], every=3)
)
async def test_a_setting_with_an_invisible_character_is_refused(
    world: World, name: str, odd: str
) -> None:
    async with world.client() as client:
        refused = await call(client, "generate_video", prompt="a fox", **{name: odd})

    assert refused.is_error
    assert f"{name}: " in text(refused)
    assert "Nothing was charged." in text(refused)
    assert world.service.jobs == {}


async def _errors(client: Client, odd: str) -> list[str]:
    shown = [shown_by(await call(client, odd))]
    shown.append(shown_by(await call(client, "generate_video", **{odd: 1})))
    shown.append(shown_by(await call(client, "get_video_task", task_id="x", preview=odd)))
    for uri in (odd, f"video://tasks/{odd}"):
        with pytest.raises(MCPError) as caught:
            await client.read_resource(uri)
        shown.append(f"{caught.value.message} {caught.value.data}")
    with pytest.raises(MCPError) as caught:
        await client.get_prompt(odd)
    return [*shown, f"{caught.value.message} {caught.value.data}"]


@pytest.mark.both_eras
@every_hidden
async def test_no_error_repeats_a_name_as_it_came(world: World, odd: str) -> None:
    async with world.client() as client:
        assert not any(map(has_hidden, await _errors(client, odd)))


@pytest.mark.both_eras
async def test_no_error_repeats_a_long_name(world: World) -> None:
    async with world.client() as client:
        assert max(map(len, await _errors(client, "x" * 100_000))) < 3000


MEANT = {
    "generate_video": "generate_vidoe generateVideo create_video video_generate text_to_video"
    " image_to_video generate_video_from_image mcp__video__generate_video create_task t2v"
    " submit_job video make_movie generate",
    "get_video_task": "get_task check_status wait poll get_video video_status task_result"
    " download_video get_video_tsk wait_for_video get_image query_task video.status",
    "list_video_tasks": "list_tasks get_tasks history list_videos show_jobs list_jobs",
    "list_video_models": "list_models get_models models show_prices listModels model_info",
    "generate_image": "image create_image text_to_image generate_picture text2image draw"
    " generate_image_from_video",
}
"""Names that models give to tools which they have not read."""


@pytest.mark.parametrize(
    ("name", "meant"),
    sample([(name, meant) for meant, names in MEANT.items() for name in names.split()], every=3),
)
async def test_an_unknown_tool_is_refused_with_the_one_that_is_meant(
    world: World, name: str, meant: str
) -> None:
    async with world.client() as client:
        refused = await call(client, name, prompt="a fox")

    assert refused.is_error
    assert text(refused) == f'There is no tool "{name}"; did you mean {meant}?'


@pytest.mark.both_eras
async def test_a_tool_of_no_known_meaning_is_refused_with_the_names_of_all(world: World) -> None:
    async with world.client() as client:
        refused = await call(client, "order_pizza", prompt="a fox")
        tools = [tool.name for tool in (await client.list_tools()).tools]

    assert text(refused) == (f'There is no tool "order_pizza"; the tools are {", ".join(tools)}.')


def test_every_tool_that_may_be_meant_has_a_name_of_its_own() -> None:
    """Also the ones that other changes bring."""
    tools = ["generate_video", "get_video_task", "view_video", "join_videos", "list_video_tasks"]
    assert find_meant_tool("watch_video", tools) == "view_video"
    assert find_meant_tool("preview", tools) == "view_video"
    assert find_meant_tool("merge_clips", tools) == "join_videos"
    assert find_meant_tool("concat", tools[:2]) is None


DEEP = {
    "an object": {"extra_body": {"a": {"b": [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}}},
    "text": {"extra_body": '{"a":' * 900 + "1" + "}" * 900},
    "more text": {"extra_body": '{"a":' * 100_000},
    "text of a list": {"extra_body": {"image_list": "[" * 900 + "]" * 900}},
    "pictures": {"images": "[" * 5000},
    "camera_control": {"extra_body": {"camera_control": "[" * 100_000}, "dry_run": True},
    "many": {"extra_body": {"a": [0] * 5000}},
    "many in text": {"extra_body": {"image_list": str([0] * 5000)}},
    "many arguments": {f"a{number}": 1 for number in range(5000)},
    "numbers": {"extra_body": {"image_list": "[1e999, NaN]"}},
}


@pytest.mark.parametrize("arguments", sample(DEEP.values(), every=3), ids=DEEP)
async def test_deep_and_large_arguments_are_refused_in_a_sentence(
    world: World, arguments: dict[str, Any]
) -> None:
    async with world.client() as client:
        result = await call(
            client, "generate_video", prompt="a fox", model="kling-video-v1-6", **arguments
        )

    assert "Nothing was charged." in text(result)
    assert len(text(result)) < 1000
    assert world.service.jobs == {}
    assert result.is_error
