"""The player card in the lists of a server process, before and after the whole server is built."""

from pathlib import Path
from typing import Any, Final

import pytest

from geekai_video_mcp.server.card import CARD_TOOLS
from support.process import StdioServer, new_server

DECLARED: Final = {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}}


async def bound_tools(server: StdioServer) -> set[str]:
    tools: list[dict[str, Any]] = (await server.request("tools/list"))["result"]["tools"]
    return {each["name"] for each in tools if "ui" in each.get("_meta", {})}


@pytest.mark.parametrize(
    ("capabilities", "expected"), [({}, frozenset[str]()), ({"extensions": DECLARED}, CARD_TOOLS)]
)
async def test_the_handshake_offers_the_card_as_the_whole_server_does(
    tmp_path: Path, capabilities: dict[str, Any], expected: frozenset[str]
) -> None:
    async with new_server(tmp_path) as server:
        await server.initialize(capabilities)
        at_once = await bound_tools(server)
        await server.request("resources/list")
        later = await bound_tools(server)

    assert at_once == later == expected
