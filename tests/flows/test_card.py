"""The player card: who is offered it, and what its document may do."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from mcp import Client
from mcp.client.extension import advertise
from mcp_types import TextResourceContents

from geekai_video_mcp.server.card import CARD_TOOLS, CARD_URI
from geekai_video_mcp.server.http import FileLinkSigner, SignedFileLinks
from geekai_video_mcp.server.resources.templates import PART_BYTES
from support.world import World, call

pytestmark = pytest.mark.both_eras

APPS: Final = {"mimeTypes": ["text/html;profile=mcp-app"]}
IDENTIFIER: Final = "io.modelcontextprotocol/ui"
DOCUMENT_AT_MOST: Final = 12 * 1024


async def tools_of(client: Client) -> list[dict[str, Any]]:
    listed = await client.list_tools()
    return [each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in listed.tools]


async def test_a_client_with_apps_gets_the_card_with_each_tool_whose_result_is_a_task(
    world: World,
) -> None:
    async with world.client(extensions=[advertise(IDENTIFIER, APPS)]) as client:
        tools = await tools_of(client)
        listed = (await client.list_resources()).resources

    bound = {each["name"]: each["_meta"]["ui"] for each in tools if "ui" in each.get("_meta", {})}
    assert bound == {name: {"resourceUri": CARD_URI} for name in CARD_TOOLS}
    assert [each.uri for each in listed] == [CARD_URI]
    kept = next(each["_meta"] for each in tools if each["name"] == "generate_video")
    assert kept["anthropic/alwaysLoad"] is True


@pytest.mark.parametrize("declared", [None, {}, {"mimeTypes": []}, {"mimeTypes": "text/html"}])
async def test_a_client_without_apps_gets_the_lists_that_it_always_got(
    world: World, declared: dict[str, Any] | None
) -> None:
    extensions = [] if declared is None else [advertise(IDENTIFIER, declared)]
    async with world.client(extensions=extensions) as client:
        tools = await tools_of(client)
        await call(client, "generate_video", prompt="a fox")
        listed = (await client.list_resources()).resources

    snapshots = Path(__file__).parent.parent / "snapshots" / "tools"
    for tool in tools:
        assert tool == json.loads((snapshots / f"{tool['name']}.json").read_text("utf-8"))
    assert all(each.uri.startswith("video://") for each in listed)


async def test_a_list_with_the_card_may_not_be_given_to_another_client(world: World) -> None:
    scopes = list[object]()
    for extensions in ([], [advertise(IDENTIFIER, APPS)]):
        async with world.client(extensions=extensions) as client:
            tools = await client.list_tools()
            scopes.append(tools.model_dump(by_alias=True, exclude_unset=True).get("cacheScope"))

    # An older revision has no scopes.
    assert scopes == (["public", "private"] if world.era == "auto" else [None, None])


async def test_the_card_is_one_small_document_that_loads_nothing(world: World) -> None:
    async with world.client() as client:
        (content,) = (await client.read_resource(CARD_URI)).contents

    assert isinstance(content, TextResourceContents)
    assert content.mime_type == "text/html;profile=mcp-app"
    assert len(content.text.encode()) <= DOCUMENT_AT_MOST
    assert not any(word in content.text for word in ("http://", "https://", "src=", "@import"))
    assert f"const PART = {PART_BYTES};" in content.text
    assert PART_BYTES % 3 == 0
    assert content.meta == {"ui": {"prefersBorder": True}}


async def test_a_hosted_server_lets_the_card_play_its_signed_links(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = FileLinkSigner(None, clock=lambda: 0.0)
    public = SignedFileLinks(signer, public_url="https://video.example.com:8443/mcp-files")
    monkeypatch.setattr(world, "links", public)
    async with world.client() as client:
        (content,) = (await client.read_resource(CARD_URI)).contents

    assert content.meta is not None
    assert content.meta["ui"]["csp"] == {"resourceDomains": ["https://video.example.com:8443"]}
