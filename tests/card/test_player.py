"""The player card in a real browser, with the official host side and a real server.

`make card` runs these: they need Chromium, playwright, and what `package.json` names.
"""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from card.shown import AXE, shown_card
from support.process import SMALL

if TYPE_CHECKING:
    from playwright.async_api import Browser

LARGE: Final = {"size": "640x360", "duration": 6}
"""Arguments of a video that comes in more than one part."""
SLOW: Final = {"size": "1280x720", "duration": 10}
"""Arguments of a video that takes some seconds to render."""


@pytest.mark.parametrize("policy", ["default", "blobs"])
async def test_a_film_is_followed_until_it_is_there_and_then_played(
    browser: "Browser", tmp_path: Path, policy: str
) -> None:
    async with shown_card(browser, tmp_path, policy=policy) as card:
        task = await card.send("generate_video", prompt="a red fox in the snow", **SMALL)
        assert await card.text("prompt") == "a red fox in the snow"
        assert await card.text("status") in {"Being made", "Waiting for its turn", "Being sent"}
        assert re.fullmatch(r"\d+:\d\d", await card.text("time"))
        assert "Sandbox preview" in await card.text("preview")
        await card.shoot(f"running-{policy}")
        await card.wait("document.getElementById('status').textContent === 'Ready'")
        await card.wait("!document.getElementById('play').hidden")
        await card.wait("document.getElementById('cover').naturalWidth > 0")
        await card.shoot(f"ready-{policy}")
        facts = await card.text("facts")
        await card.frame.click("#play")
        await card.wait("document.getElementById('film').currentTime > 0.3")
        length = await card.frame.evaluate("document.getElementById('film').duration")
        await card.shoot(f"playing-{policy}")

    assert "320×180" in facts
    assert "1 s" in facts
    assert 0.9 < length < 1.2
    asked, *parts = dict.fromkeys(card.calls)
    assert asked == f"video://tasks/{task['task_id']}"
    assert f"{asked}/video/0" in parts
    if policy == "default":
        assert not card.violations


async def test_a_film_of_several_parts_is_put_together(browser: "Browser", tmp_path: Path) -> None:
    async with shown_card(browser, tmp_path) as card:
        await card.send("generate_video", prompt="a red fox in the snow", **LARGE)
        await card.wait("!document.getElementById('play').hidden")
        await card.frame.click("#play")
        await card.wait("document.getElementById('film').currentTime > 0")
        await card.frame.evaluate("document.getElementById('film').currentTime = 5.8")
        await card.wait("document.getElementById('film').ended")

    parts = [each for each in card.calls if "/video/" in each]
    assert len(parts) > 1
    assert [each.rpartition("/")[2] for each in parts] == [str(n) for n in range(len(parts))]


async def test_a_host_that_plays_nothing_still_shows_where_the_film_is(
    browser: "Browser", tmp_path: Path
) -> None:
    async with shown_card(browser, tmp_path, policy="strict") as card:
        task = await card.send("generate_video", prompt="a fox", **SMALL)
        await card.wait("document.getElementById('status').textContent === 'Ready'")
        await card.frame.click("#play")
        await card.wait("document.getElementById('note').textContent")
        note, path = await card.text("note"), await card.text("path")
        await card.frame.click("#save")
        saved = await card.requests("download")
        await card.shoot("strict")

    assert note == "It cannot be played here."
    assert str(tmp_path) in path
    assert saved[0]["contents"][0]["uri"] == f"video://tasks/{task['task_id']}/video"


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_it_is_accessible_in_both_themes_and_languages_by_keyboard_alone(
    browser: "Browser", tmp_path: Path, theme: str, locale: str
) -> None:
    context = {"theme": theme, "locale": locale}
    async with shown_card(browser, tmp_path, context=context) as card:
        task = await card.send("generate_video", prompt="a red fox in the snow", **SMALL)
        await card.wait("!document.getElementById('play').hidden")
        await card.wait("document.getElementById('cover').naturalWidth > 0")
        await card.frame.evaluate(AXE.read_text("utf-8"))
        found = await card.frame.evaluate("axe.run(document, {resultTypes: ['violations']})")
        await card.shoot(f"{theme}-{locale}")
        pressed = list[str]()
        await card.frame.focus("#prompt")
        for _ in range(5):
            await card.page.keyboard.press("Tab")
            pressed.append(await card.frame.evaluate("document.activeElement.id"))
            if pressed[-1] in {"frame", "take"}:
                await card.page.keyboard.press("Enter")
            elif pressed[-1] == "play":
                await card.page.keyboard.press("Space")
                await card.wait("document.getElementById('film').currentTime > 0")
                assert await card.frame.evaluate("document.activeElement.id") == "film"
                await card.frame.focus("#save")
                pressed.append("save")
            if "take" in pressed:
                break
        messages = await card.requests("message", at_least=2)
        language = await card.frame.evaluate("document.documentElement.lang")
        dark = await card.frame.evaluate("getComputedStyle(document.body).backgroundColor")

    assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
    assert pressed == ["play", "save", "frame", "take"]
    asked = [message["content"][0]["text"] for message in messages]
    assert len(asked) == 2
    assert all(task["task_id"] in text for text in asked)
    assert language == {"en-US": "en", "zh-CN": "zh"}[locale]
    assert dark == {"light": "rgb(255, 255, 255)", "dark": "rgb(30, 30, 30)"}[theme]


async def test_the_hosts_own_colours_are_taken_and_a_theme_changes_at_once(
    browser: "Browser", tmp_path: Path
) -> None:
    styles = {"variables": {"--color-background-primary": "rgb(1, 2, 3)"}}
    async with shown_card(browser, tmp_path, context={"styles": styles}) as card:
        taken = await card.frame.evaluate("getComputedStyle(document.body).backgroundColor")
        await card.page.evaluate("bridge.sendHostContextChange({theme: 'dark'})")
        await card.wait("document.documentElement.style.colorScheme === 'dark'")

    assert taken == "rgb(1, 2, 3)"


async def test_nothing_moves_for_who_wants_less_motion(browser: "Browser", tmp_path: Path) -> None:
    async with shown_card(browser, tmp_path, reduced_motion=True) as card:
        await card.send("generate_video", prompt="a fox", **SMALL)
        bar = await card.frame.evaluate("getComputedStyle(document.getElementById('bar')).display")

    assert bar == "none"


async def test_a_host_that_takes_no_messages_gets_no_buttons_for_them(
    browser: "Browser", tmp_path: Path
) -> None:
    capable = {"serverTools": {}, "serverResources": {}}
    async with shown_card(browser, tmp_path, capabilities=capable) as card:
        await card.send("generate_video", prompt="a fox", **SMALL)
        await card.wait("!document.getElementById('play').hidden")
        visible = await card.frame.evaluate(
            "[...document.querySelectorAll('#buttons button')].filter(b => b.offsetParent).length"
        )

    assert visible == 0


async def test_a_failure_and_a_dry_run_are_said(browser: "Browser", tmp_path: Path) -> None:
    async with shown_card(browser, tmp_path) as card:
        await card.send("generate_video", prompt="a fox", dry_run=True)
        dry = await card.text("status")
        await card.shoot("dry-run")

    assert dry.startswith("Not sent.")


@pytest.mark.parametrize("allowed", [True, False])
async def test_the_link_of_a_server_over_http_is_played_and_opened(
    browser: "Browser", tmp_path: Path, *, allowed: bool
) -> None:
    """If its origin is blocked all the same, the film comes in parts, and the link still opens."""
    policy = "default" if allowed else "strict"
    async with shown_card(browser, tmp_path, policy=policy, hosted=True) as card:
        await card.send("generate_video", prompt="a fox", **SMALL)
        ready = "film" if allowed else "play"
        await card.wait(f"!document.getElementById('{ready}').hidden")
        source = await card.frame.evaluate("document.getElementById('film').currentSrc")
        await card.frame.click("#open")
        opened = await card.requests("open")
        await card.shoot(f"hosted-{policy}")

    assert source.startswith("http://127.0.0.1:") is allowed
    assert "/files/" in opened[0]["url"]
    assert not any("/video/" in each for each in card.calls)


async def test_a_server_that_is_gone_is_said_and_asked_again_on_request(
    browser: "Browser", tmp_path: Path
) -> None:
    async with shown_card(browser, tmp_path) as card:
        await card.page.evaluate(
            """() => {
                bridge.oncalltool = bridge.onreadresource = async () => {
                    throw new Error('gone');
                };
            }"""
        )
        await card.page.clock.install()
        task = {"task_id": "0" * 32, "task_status": "running", "sandbox": False}
        await card.page.evaluate(
            "t => bridge.sendToolResult({content: [], structuredContent: t})", task
        )
        for _ in range(8):
            await card.page.clock.run_for(15_000)
        await card.wait("!document.getElementById('check').hidden")
        note, time = await card.text("note"), await card.text("time")
        await card.shoot("lost")
        failed = {
            **task,
            "task_status": "failed",
            "error": {"code": "x", "message": "No. Nothing was charged."},
        }
        await card.page.evaluate(
            "t => { bridge.onreadresource = async () => ({contents: [{uri: '', text: t}]}) }",
            json.dumps(failed),
        )
        await card.frame.click("#check")
        await card.wait("document.getElementById('status').textContent.startsWith('Failed')")
        status = await card.text("status")
        await card.shoot("failed")

    assert (note, time) == ("The server does not answer.", "")
    assert status == "Failed: No. Nothing was charged."


async def test_a_read_of_a_running_task_is_followed_to_its_end(
    browser: "Browser", tmp_path: Path
) -> None:
    """Where a conversation is taken up again, there is no other card."""
    context = {"toolInfo": {"tool": {"name": "get_video_task", "inputSchema": {"type": "object"}}}}
    async with shown_card(browser, tmp_path, context=context) as card:
        task = await card.client.call_tool("generate_video", {"prompt": "a red fox", **SMALL})
        await card.page.evaluate("bridge.sendToolInput({arguments: {task_id: 'abcdef12'}})")
        await card.give(task)
        title, bar = await card.text("prompt"), await card.frame.is_visible("#bar")
        await card.wait("document.getElementById('cover').naturalWidth > 0")

    assert title.startswith("a red fox · preview video task")
    assert bar


async def test_what_the_card_has_seen_is_still_new_to_the_model(
    browser: "Browser", tmp_path: Path
) -> None:
    async with shown_card(browser, tmp_path) as card:
        quick = await card.send("generate_video", prompt="a fox", **SMALL)
        await card.wait("document.getElementById('status').textContent === 'Ready'")
        slow = await card.client.call_tool("generate_video", {"prompt": "a hare", **SLOW})
        assert slow.structured_content is not None
        ids = f"{quick['task_id']} {slow.structured_content['task_id']}"
        waited = await card.client.call_tool(
            "get_video_task", {"task_id": ids, "until": "any", "wait_seconds": 30}
        )

    assert waited.structured_content is not None
    statuses = [each["task_status"] for each in waited.structured_content["tasks"]]
    assert statuses[0] == "succeed"
    assert statuses[1] != "succeed"


@pytest.mark.parametrize("tools", [True, False])
async def test_a_read_that_fails_is_repeated(
    browser: "Browser", tmp_path: Path, *, tools: bool
) -> None:
    """By the other way if there is one: some hosts may let a card read its own resource alone."""
    capable = {"serverResources": {}, **({"serverTools": {}} if tools else {})}
    async with shown_card(browser, tmp_path, capabilities=capable) as card:
        await card.page.evaluate(
            """allowed => {
                let failed = false;
                bridge.onreadresource = async ({uri}) => {
                    if (failed) return window.readResource(uri);
                    failed = true;
                    return {contents: [{uri, text: '{}'}]};
                };
                if (!allowed) bridge.oncalltool = async () => { throw new Error('refused') };
            }""",
            tools,
        )
        await card.send("generate_video", prompt="a fox", **SMALL)
        await card.wait("document.getElementById('status').textContent === 'Ready'")
        note = await card.text("note")

    assert note == ""


async def test_a_picture_is_shown_in_its_shape(browser: "Browser", tmp_path: Path) -> None:
    async with shown_card(browser, tmp_path) as card:
        await card.send("generate_image", prompt="a fox")
        await card.wait("document.getElementById('cover').naturalWidth > 0")
        shape = await card.frame.evaluate(
            "(({width, height}) => width / height)"
            "(document.getElementById('cover').getBoundingClientRect())"
        )
        frame = await card.text("frame")
        await card.shoot("picture")

    assert shape == pytest.approx(1, abs=0.01)
    assert frame == "Use as first frame"


@pytest.mark.parametrize("size", ["180x320", "320x180"])
async def test_a_film_fits_a_narrow_and_a_wide_card(
    browser: "Browser", tmp_path: Path, size: str
) -> None:
    long = "a red fox in the snow " * 20
    async with shown_card(browser, tmp_path) as card:
        await card.page.evaluate("document.querySelector('iframe').style.width = '320px'")
        await card.send("generate_video", prompt=long, **{**SMALL, "size": size})
        await card.wait("document.getElementById('cover').naturalWidth > 0")
        await card.shoot(f"narrow-{size}")
        over = await card.frame.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        await card.page.evaluate("document.querySelector('iframe').style.width = '1200px'")
        height = await card.frame.evaluate("document.getElementById('stage').offsetHeight")

    assert over <= 0
    assert height <= 420
