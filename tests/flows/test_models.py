"""What is known of the models stands between a wrong request and the money."""

import json
from typing import Any

import anyio
import httpx
from mcp_types import CallToolResult

from geekai_video_mcp.config import SANDBOX_URL
from geekai_video_mcp.domain.catalogue import models
from geekai_video_mcp.engine.model_list import FETCH_TIMEOUT, MAX_PAGES
from support.fake_geekai import always_answer, answer_once, api_error
from support.world import World, call, structured, text

URL = "https://example.com/1.png"


def listed_ids(shown: CallToolResult) -> list[str]:
    """The ids in both forms of a list, which have to be the same."""
    ids = [row["id"] for row in structured(shown)["models"]]
    table = [line.split(" | ")[0] for line in text(shown).splitlines() if " | " in line]

    assert table[1:] == ids
    return ids


def entry(name: str, kind: str = "video", status: str = "active") -> dict[str, Any]:
    return {"id": name, "type": kind, "status": status, "created": 1}


async def test_what_geekai_documents_as_refused_is_never_sent(world: World) -> None:
    async with world.client() as client:
        arguments = {"prompt": "a fox", "duration": 10}
        refused = await call(client, "generate_video", **arguments)
        foreseen = await call(client, "generate_video", **arguments, dry_run=True)

    assert refused.is_error
    assert foreseen.is_error
    assert "cogvideox-flash does not support duration; leave it out" in text(refused)
    assert "Nothing was charged." in text(refused)
    assert world.service.requests == []


async def test_a_warning_stands_in_the_result_and_in_a_dry_run(world: World) -> None:
    arguments = {"prompt": "a fox", "model": "doubao-seedance-2.0", "fps": 60}
    async with world.client() as client:
        foreseen = await call(client, "generate_video", **arguments, dry_run=True)
        made = await call(client, "generate_video", **arguments)

    (warning,) = structured(made)["warnings"]
    assert "doubao-seedance-2.0 lists no fps 60, only 24" in warning
    assert structured(foreseen)["dry_run"]["warnings"] == [warning]
    for result in (foreseen, made):
        assert f" {warning}. " in text(result), "the model id as it is written"
    assert len(world.service.charges) == 1


async def test_no_warning_is_no_word_on_warnings(world: World) -> None:
    async with world.client() as client:
        made = await call(client, "generate_video", prompt="a fox")

    assert "warnings" not in structured(made)
    assert "left out" not in text(made)


async def test_what_the_model_does_anyway_is_left_out_and_asks_for_the_same(world: World) -> None:
    async with world.client() as client:
        first = structured(await call(client, "generate_video", prompt="a fox", duration=5))
        second = structured(await call(client, "generate_video", prompt="a fox"))

    (job,) = world.service.jobs.values()
    assert "duration" not in job.body
    assert "duration was left out" in first["warnings"][0]
    assert second["deduplicated"]
    assert second["task_id"] == first["task_id"]


async def test_a_price_by_the_second_still_counts_the_seconds_asked_for(world: World) -> None:
    arguments = {"prompt": "a fox", "model": "doubao-seedance-2.0", "duration": 8}
    async with world.client() as client:
        shown = structured(await call(client, "generate_video", **arguments, dry_run=True))

    assert shown["dry_run"]["cost_cny"] == 4.0


async def test_the_models_are_listed_by_what_the_service_says_now(world: World) -> None:
    world.service.models = [
        entry("cogvideox-flash"),
        entry("cogview-3-flash", "image"),
        entry("kling-video-v4"),
        entry("vidu-2", status="deprecated"),
    ]
    world.service.models_a_page = 3
    async with world.client() as client:
        shown = await call(client, "list_video_models")
        of_vidu = await call(client, "list_video_models", model="vidu-2")

    assert structured(shown)["live"] is True
    assert "GeekAI also lists, not described here: kling-video-v4." in text(shown)
    assert listed_ids(shown)[0] == "cogvideox-flash"
    assert "not in GeekAI's list today" in text(shown)
    assert "deprecated by GeekAI" in text(of_vidu)
    assert "cogview" not in text(shown)
    assert world.service.model_list_pages == [1, 2]


async def test_the_service_is_asked_for_its_models_once_an_hour(world: World) -> None:
    world.service.models = [entry("cogvideox-flash")]
    async with world.client() as client:
        for _ in range(3):
            await call(client, "list_video_models")
            await anyio.sleep(1100)
        within = len(world.service.model_list_pages)
        await anyio.sleep(400)
        await call(client, "list_video_models")

    assert within == 1
    assert len(world.service.model_list_pages) == 2


async def test_packaged_facts_answer_when_the_service_does_not(world: World) -> None:
    async def silent(_: httpx.Request) -> None:
        await anyio.sleep_forever()

    world.service.on_models = silent
    async with world.client() as client:
        began = anyio.current_time()
        shown = await call(client, "list_video_models")
        took = anyio.current_time() - began
        await call(client, "list_video_models")

    assert not shown.is_error
    assert structured(shown)["live"] is False
    assert "cogvideox-flash | Zhipu | image | 5 | " in text(shown)
    assert took <= FETCH_TIMEOUT + 0.1
    assert world.service.model_list_pages == [1]


async def test_a_service_that_could_not_say_is_asked_again_soon(world: World) -> None:
    world.service.models = [entry("cogvideox-flash")]
    world.service.on_models = answer_once(httpx.ConnectError("offline"))
    async with world.client() as client:
        before = structured(await call(client, "list_video_models"))
        await anyio.sleep(301)
        after = structured(await call(client, "list_video_models"))

    assert (before["live"], after["live"]) == (False, True)


async def test_a_part_of_a_list_makes_no_model_a_dead_one(world: World) -> None:
    part = {"data": [entry("cogvideox-flash")], "total": 60, "page": 1}
    world.service.on_models = always_answer(httpx.Response(200, json=part))
    async with world.client() as client:
        shown = await call(client, "list_video_models")

    assert structured(shown)["live"] is False
    assert "not in GeekAI's list" not in text(shown)
    assert world.service.model_list_pages == [1, 2]


async def test_a_list_without_pages_is_read_to_its_end(world: World) -> None:
    whole = {"data": [entry("cogvideox-flash"), entry("new-one")]}
    world.service.on_models = always_answer(httpx.Response(200, json=whole))
    async with world.client() as client:
        shown = await call(client, "list_video_models")

    assert "not described here: new-one" in text(shown)
    assert world.service.model_list_pages == [1, 2]


async def test_a_list_without_an_end_is_not_read_for_ever(world: World) -> None:
    async def another(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": [entry(f"m-{request.url.params['page']}")]})

    world.service.on_models = another
    async with world.client() as client:
        shown = await call(client, "list_video_models")

    assert structured(shown)["live"] is False
    assert len(world.service.model_list_pages) == MAX_PAGES


async def test_a_429_to_the_list_holds_back_everyone(world: World) -> None:
    limited = api_error(429, "rate_limited", "slow down")
    limited.headers["Retry-After"] = "60"
    world.service.on_models = always_answer(limited)
    async with world.client() as client:
        await call(client, "list_video_models")
        began = anyio.current_time()
        await call(client, "generate_video", prompt="a fox")
        await anyio.sleep(90)
        sent = next(iter(world.service.jobs.values())).charged_at

    assert sent - world.clock() + anyio.current_time() >= began + 59


async def test_while_nobody_may_ask_the_list_does_not(world: World) -> None:
    world.service.models = [entry("cogvideox-flash")]
    limited = api_error(429, "rate_limited", "slow down")
    limited.headers["Retry-After"] = "60"
    world.service.before_charge = answer_once(limited)
    async with world.client() as client:
        await call(client, "generate_video", prompt="a fox")
        shown = await call(client, "list_video_models")

    assert structured(shown)["live"] is False
    assert world.service.model_list_pages == []


async def test_a_name_that_neither_side_knows_is_refused_once_the_service_has_said(
    world: World,
) -> None:
    world.service.models = [entry("cogvideox-flash"), entry("kling-video-v4")]
    arguments = {"prompt": "a fox", "model": "kling-v4"}
    async with world.client() as client:
        await call(client, "list_video_models")
        refused = await call(client, "generate_video", **arguments)
        await anyio.sleep(3601)
        sent = await call(client, "generate_video", **arguments)

    assert refused.is_error
    assert 'unknown model "kling-v4"; the closest are kling-video-v4' in text(refused)
    assert not sent.is_error
    assert world.service.charges == ["a fox"]


async def test_a_repeat_of_what_was_sent_is_found_whatever_is_known_by_then(world: World) -> None:
    world.service.models = [entry("cogvideox-flash")]
    arguments = {"prompt": "a fox", "model": "kling-v4"}
    async with world.client() as client:
        first = structured(await call(client, "generate_video", **arguments))
        await call(client, "list_video_models")
        again = structured(await call(client, "generate_video", **arguments))
        other = await call(client, "generate_video", **{**arguments, "prompt": "a hare"})

    assert again["deduplicated"]
    assert again["task_id"] == first["task_id"]
    assert other.is_error


async def test_the_services_refusal_of_a_wrong_name_gets_the_nearest_ones(world: World) -> None:
    world.service.before_charge = always_answer(api_error(404, "not_found", "no such model"))
    async with world.client() as client:
        arguments = {"prompt": "a fox", "model": "kling-v2-6"}
        refused = await call(client, "generate_video", **arguments)
        known = await call(client, "generate_video", prompt="a fox", model="kling-video-v3")

    assert refused.is_error
    assert "the closest are kling-video-v2-6, " in structured(refused)["next_step"]
    assert "nearest" not in structured(known)["next_step"]


async def test_a_refusal_of_the_key_says_nothing_of_names(world: World) -> None:
    async with world.client(key="sk-wrong") as client:
        refused = structured(
            await call(client, "generate_video", prompt="a fox", model="kling-v2-6")
        )

    assert "nearest" not in refused["next_step"]


async def test_model_details_show_all_about_one_model(world: World) -> None:
    async with world.client() as client:
        shown = await call(client, "list_video_models", model="MiniMax-H3")
        wrong = await call(client, "list_video_models", model="MiniMax-H4")

    assert structured(shown)["card"]["id"] == "MiniMax-H3"
    assert "takes up to 12 media in total" in text(shown)
    assert wrong.is_error
    assert "the closest are MiniMax-H3" in text(wrong)


async def test_the_sandbox_is_not_asked_what_geekai_has(world: World) -> None:
    world.service.models = [entry("cogvideox-flash")]
    sandboxed = World(world.folder, era=world.era, service=world.service, account=SANDBOX_URL)
    async with sandboxed.client() as client:
        shown = await call(client, "list_video_models")
        await call(client, "generate_video", prompt="a fox", model="sandbox", duration=59, fps=1)

    assert structured(shown)["live"] is False
    assert world.service.model_list_pages == []
    (job,) = world.service.jobs.values()
    assert job.body["duration"] == 59


async def test_each_form_of_a_list_is_at_most_three_and_a_half_kilobytes(world: World) -> None:
    sizes: list[int] = []
    async with world.client() as client:
        for lately in ([], [entry("cogvideox-flash")] + [entry(f"new-{n}") for n in range(90)]):
            world.service.models = lately
            for arguments in ({}, {"sort": "price"}, {"page": 2}):
                shown = await call(client, "list_video_models", **arguments)
                as_json = json.dumps(structured(shown), ensure_ascii=False, separators=(",", ":"))
                sizes += [len(as_json.encode()), len(text(shown).encode())]
            await anyio.sleep(301)

    assert max(sizes) <= 3500, sizes


async def test_every_model_is_on_one_page_of_the_list_with_its_whole_id(world: World) -> None:
    found, page = list[str](), 1
    async with world.client() as client:
        for page in range(1, 20):
            shown = await call(client, "list_video_models", page=page)
            found += listed_ids(shown)
            if page == structured(shown)["pages"]:
                break
        beyond = await call(client, "list_video_models", page=page + 1)

    assert sorted(found) == sorted(models())
    assert beyond.is_error
    assert f"the last page of this list is {page}" in text(beyond)


async def test_without_a_key_the_list_says_that_the_sandbox_renders_previews(world: World) -> None:
    sandboxed = World(world.folder, era=world.era, service=world.service, account=SANDBOX_URL)
    async with sandboxed.client() as client:
        shown = await call(client, "list_video_models")
        of_sandbox = await call(client, "list_video_models", model="sandbox")

    for said in (text(shown), structured(shown)["next_step"]):
        assert "Without a GeekAI key the sandbox previews every model, free." in said
    assert "renders a preview on this computer, free" in text(of_sandbox)


async def test_an_image_request_is_not_checked_against_the_models_of_videos(world: World) -> None:
    async with world.client() as client:
        made = await call(
            client, "generate_image", prompt="a fox", model="cogview-3-flash", retries=1
        )

    assert not made.is_error
    assert len(structured(made)["warnings"]) == 1
    assert "may cost more" in structured(made)["warnings"][0]
