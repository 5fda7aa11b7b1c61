"""The player card in hosts that allow it less: no reads, no calls, or no pictures."""

from pathlib import Path
from typing import TYPE_CHECKING

from card.shown import shown_card
from support.process import SMALL

if TYPE_CHECKING:
    from playwright.async_api import Browser

READY = "document.getElementById('status').textContent === 'Ready'"


async def test_without_reads_of_resources_a_task_is_followed_by_calls(
    browser: "Browser", tmp_path: Path
) -> None:
    async with shown_card(browser, tmp_path, capabilities={"serverTools": {}}) as card:
        await card.send("generate_video", prompt="a fox", **SMALL)
        await card.wait(READY)
        note, path = await card.text("note"), await card.text("path")
        play = await card.frame.is_visible("#play")

    assert set(card.calls) == {"get_video_task"}
    assert (note, play) == ("It cannot be played here.", False)
    assert str(tmp_path) in path


async def test_a_host_that_asks_for_nothing_gets_what_is_in_the_results(
    browser: "Browser", tmp_path: Path
) -> None:
    """Qwen Code 0.24.4 allows neither calls nor reads, nor messages and links."""
    async with shown_card(browser, tmp_path, capabilities={}) as card:
        task = await card.send("generate_video", prompt="a red fox", **SMALL)
        waiting = await card.text("time"), await card.frame.is_visible("#bar")
        note = await card.text("note")
        await card.shoot("still")
        await card.send("get_video_task", task_id=task["task_id"], wait_seconds=20)
        await card.wait("document.getElementById('cover').naturalWidth > 0")
        visible = await card.frame.evaluate(
            "[...document.querySelectorAll('button')].filter(b => b.offsetParent).length"
        )
        after = await card.text("status"), await card.text("note")
        await card.shoot("sheet")

    assert card.calls == []
    assert waiting == ("", False)
    assert note == "This app does not update this card: ask in the chat."
    assert visible == 0
    assert after == ("Ready", "It cannot be played here.")


async def test_the_button_over_a_picture_covers_no_text_where_there_is_none(
    browser: "Browser", tmp_path: Path
) -> None:
    async with shown_card(browser, tmp_path, policy="strict") as card:
        await card.send("generate_video", prompt="a fox", **SMALL)
        await card.wait("!document.getElementById('play').hidden")
        await card.wait("document.getElementById('cover').hidden")
        covered = await card.frame.evaluate(
            """(() => {
                const box = id => document.getElementById(id).getBoundingClientRect();
                const play = box('play');
                return ['status', 'facts'].filter(id =>
                    box(id).bottom > play.top && box(id).top < play.bottom);
            })()"""
        )
        await card.shoot("no-pictures")

    assert covered == []


async def test_what_went_wrong_is_shown_as_the_server_says_it(
    browser: "Browser", tmp_path: Path
) -> None:
    async with shown_card(browser, tmp_path) as card:
        await card.page.evaluate("bridge.sendToolInput({arguments: {task_id: 'abcdef12'}})")
        result = await card.client.call_tool("get_video_task", {"task_id": "abcdef12"})
        await card.give(result)
        status = await card.text("status")
        await card.shoot("unknown-task")
        looks = await card.frame.get_attribute("#status", "class")

    assert status.startswith("No task")
    assert looks == "bad"
