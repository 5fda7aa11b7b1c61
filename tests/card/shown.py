"""The player card in a page of Chromium: the official host side, and a real server behind it."""

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
from mcp import Client
from mcp.client.extension import advertise
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp_types import CallToolResult, TextResourceContents

from geekai_video_mcp.server.card import CARD_URI
from support.process import MODULE, SERVE, environment, http_server, run_cli

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
        result = await self.client.call_tool(tool, arguments)
        await self.give(result)
        assert result.structured_content is not None
        return result.structured_content

    async def give(self, result: CallToolResult) -> None:
        """Show the card a result."""
        await self.page.evaluate("r => bridge.sendToolResult(r)", as_json(result))

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
