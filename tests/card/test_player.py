"""The player card in a real browser, with the official host side and a real server.

`make card` runs these: they need Chromium, playwright, and what `package.json` names.
"""

import json
import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import anyio
import pytest
from mcp import Client
from mcp.client.extension import advertise
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp_types import TextResourceContents

from geekai_video_mcp.server.card import CARD_URI
from support.missing import skip_test
from support.process import MODULE, SERVE, SMALL, environment, http_server, run_cli

if TYPE_CHECKING:
    from playwright.async_api import Browser, Frame, Page

HERE: Final = Path(__file__).parent
HOST: Final = HERE / "node_modules" / "host.bundle.js"
AXE: Final = HERE / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM: Final = Path("/usr/bin/chromium")
SHOTS: Final = HERE / "node_modules" / "shots"
APPS: Final = {"mimeTypes": ["text/html;profile=mcp-app"]}
PAGE: Final = """<!doctype html><html lang=en><title>host</title><body style="margin:8px">
<iframe title=card sandbox="allow-scripts" style="width:420px;height:100px;border:0"></iframe>"""
EVERYTHING: Final = {
    "openLinks": {},
    "downloadFile": {},
    "serverTools": {},
    "serverResources": {},
    "message": {"text": {}},
}
LARGE: Final = {"size": "1920x1080", "duration": 10}
"""Arguments of a video that comes in more than one part."""
POLICIES: Final = {
    # Of the specification 2026-01-26, for a resource that declares nothing.
    "default": "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self'"
    " 'unsafe-inline'; img-src 'self' data:; media-src 'self' data:; connect-src 'none'",
    # Of a host that plays blobs alone.
    "blobs": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline';"
    " img-src data:; media-src blob:; connect-src 'none'",
    # As the MCP Inspector's: no media at all.
    "strict": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline';"
    " img-src 'none'; media-src 'none'; connect-src 'none'",
}


@dataclass
class Card:
    """A card in its host, and the server behind it."""

    page: "Page"
    frame: "Frame"
    client: Client
    calls: list[str]
    violations: list[str]

    async def text(self, part: str) -> str:
        return await self.frame.inner_text(f"#{part}")

    async def wait(self, condition: str) -> None:
        """Wait until *condition*, an expression in the card, is true."""
        # Not playwright's own wait: it evaluates a string, which the card's policy refuses.
        with anyio.fail_after(15):
            while not await self.frame.evaluate(condition):
                await self.page.wait_for_timeout(50)

    async def send(self, tool: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """Call a tool as the model does, and show the card what goes in and comes out."""
        await self.page.evaluate("a => bridge.sendToolInput({arguments: a})", arguments)
        result = as_json(await self.client.call_tool(tool, arguments))
        await self.page.evaluate("r => bridge.sendToolResult(r)", result)
        return result["structuredContent"]

    async def requests(self, kind: str, *, at_least: int = 1) -> list[dict[str, Any]]:
        """What the card has asked its host for; waits until it has."""
        with anyio.fail_after(15):
            while True:
                log: list[tuple[str, dict[str, Any]]] = await self.page.evaluate("log")
                found = [params for each, params in log if each == kind]
                if len(found) >= at_least:
                    return found
                await self.page.wait_for_timeout(50)

    async def shoot(self, name: str) -> None:
        SHOTS.mkdir(exist_ok=True)
        await self.page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


def as_json(result: Any) -> Any:  # noqa: ANN401 - JSON
    return json.loads(result.model_dump_json(by_alias=True, exclude_none=True))


@pytest.fixture
async def browser(pytestconfig: pytest.Config) -> AsyncGenerator["Browser"]:
    try:
        playwright_api = import_module("playwright.async_api")
    except ImportError:
        _skip_or_fail(pytestconfig, "playwright is not installed")
    for needed in (HOST, AXE, CHROMIUM):
        if not needed.exists():
            _skip_or_fail(pytestconfig, f"there is no {needed.name}")
    async with playwright_api.async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--mute-audio",
                # A hosted server is on the public network; the one of these tests is on loopback.
                "--disable-features=LocalNetworkAccessChecks",
            ],
        )
        yield browser
        await browser.close()


def _skip_or_fail(config: pytest.Config, reason: str) -> NoReturn:
    if config.getoption("--every-card", default=False):
        pytest.fail(reason)
    skip_test(f"{reason}; see `make card`")


@asynccontextmanager
async def shown_card(
    browser: "Browser",
    folder: Path,
    *,
    policy: str = "default",
    context: dict[str, Any] | None = None,
    capabilities: dict[str, Any] | None = None,
    reduced_motion: bool = False,
    hosted: bool = False,
) -> AsyncGenerator[Card]:
    """A card of a new server in a new page."""
    parameters = StdioServerParameters(command=MODULE[0], args=MODULE[1:], env=environment(folder))
    apps = [advertise("io.modelcontextprotocol/ui", APPS)]
    async with AsyncExitStack() as stack:
        transport = stdio_client(parameters)
        if hosted:
            _, token, _ = await run_cli(folder, "tokens", "add", "alice", "--raw")
            origin = await stack.enter_async_context(http_server(folder, *SERVE))
            headers = {"Authorization": f"Bearer {token.strip()}"}
            http = await stack.enter_async_context(create_mcp_http_client(headers=headers))
            transport = streamable_http_client(f"{origin}/mcp", http_client=http)
        client = await stack.enter_async_context(Client(transport, extensions=apps))
        calls, violations = list[str](), list[str]()

        async def call_tool(name: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
            calls.append(name)
            return as_json(await client.call_tool(name, arguments))

        async def read_resource(uri: str) -> Any:  # noqa: ANN401 - JSON
            calls.append(uri)
            return as_json(await client.read_resource(uri))

        page = await browser.new_page(
            viewport={"width": 440, "height": 640},
            reduced_motion="reduce" if reduced_motion else "no-preference",
            locale="en-US",
        )
        page.on("console", lambda each: each.type == "error" and violations.append(each.text))
        page.on("pageerror", lambda each: violations.append(str(each)))
        await page.expose_function("callTool", call_tool)
        await page.expose_function("readResource", read_resource)
        await page.route(
            "http://host.test/",
            lambda route: route.fulfill(body=PAGE, content_type="text/html"),
        )
        await page.goto("http://host.test/")
        await page.add_script_tag(path=HOST)
        (content,) = (await client.read_resource(CARD_URI)).contents
        assert isinstance(content, TextResourceContents)
        assert content.meta is not None
        document, declared = content.text, content.meta["ui"].get("csp", {})
        declares = declared.get("resourceDomains", []) if policy == "default" else []
        domains = " ".join(["media-src", *declares])
        csp = POLICIES[policy].replace("media-src", domains)
        meta = f'<meta http-equiv="Content-Security-Policy" content="{csp}">'
        html = document.replace('<meta charset="utf-8">', f'<meta charset="utf-8">{meta}')
        capable = EVERYTHING if capabilities is None else capabilities
        await page.evaluate("a => startHost(...a)", [html, capable, context or {}])
        yield Card(page, page.frames[1], client, calls, violations)
        await page.close()


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
    assert card.calls.count("get_video_task") >= 1
    assert f"video://tasks/{task['task_id']}/video/0" in card.calls
    if policy == "default":
        assert not card.violations


async def test_a_film_of_several_parts_is_put_together(browser: "Browser", tmp_path: Path) -> None:
    async with shown_card(browser, tmp_path) as card:
        await card.send("generate_video", prompt="a storm over the sea", **LARGE)
        await card.wait("!document.getElementById('play').hidden")
        await card.frame.click("#play")
        await card.wait("document.getElementById('film').currentTime > 0")
        await card.frame.evaluate("document.getElementById('film').currentTime = 9.5")
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

    assert note == "This app cannot play it here."
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
            "() => { bridge.oncalltool = async () => { throw new Error('gone') } }"
        )
        await card.page.clock.install()
        task = {"task_id": "0" * 32, "task_status": "running", "sandbox": False}
        await card.page.evaluate(
            "t => bridge.sendToolResult({content: [], structuredContent: t})", task
        )
        for _ in range(8):
            await card.page.clock.run_for(15_000)
        await card.wait("!document.getElementById('check').hidden")
        note = await card.text("note")
        await card.shoot("lost")
        failed = {
            **task,
            "task_status": "failed",
            "error": {"code": "x", "message": "No. Nothing was charged."},
        }
        await card.page.evaluate(
            "t => { bridge.oncalltool = async () => ({content: [], structuredContent: t}) }", failed
        )
        await card.frame.click("#check")
        await card.wait("document.getElementById('status').textContent.startsWith('Failed')")
        status = await card.text("status")
        await card.shoot("failed")

    assert note == "The server does not answer."
    assert status == "Failed: No. Nothing was charged."


async def test_a_picture_is_shown_and_a_read_of_a_running_task_does_not_poll(
    browser: "Browser", tmp_path: Path
) -> None:
    context = {"toolInfo": {"tool": {"name": "get_video_task", "inputSchema": {"type": "object"}}}}
    async with shown_card(browser, tmp_path, context=context) as card:
        running = {"task_id": "0" * 32, "task_status": "running", "sandbox": True}
        await card.page.evaluate(
            "t => bridge.sendToolResult({content: [], structuredContent: t})", running
        )
        await card.wait("document.getElementById('status').textContent === 'Being made'")
        shown = await card.text("time"), await card.frame.is_visible("#bar")
        await card.send("generate_image", prompt="a fox")
        await card.wait("document.getElementById('cover').naturalWidth > 0")
        frame = await card.text("frame")
        await card.shoot("picture")

    assert shown == ("", False)
    assert frame == "Use as first frame"
    assert "get_video_task" not in card.calls
