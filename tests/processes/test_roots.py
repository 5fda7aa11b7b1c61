"""A host's own folders, with a real server: they count over stdio, and never over HTTP."""

import json
import sys
from pathlib import Path

import pytest
from mcp.client.session import ClientRequestContext
from mcp_types import ListRootsResult

from support.process import SERVE, http_client, http_server, new_server, stdio
from support.stills import encode_image, halves, write_file
from support.world import call, text


class Host:
    """A client that declares one folder, and counts how often it is asked for it."""

    def __init__(self, folder: Path) -> None:
        self._uri = folder.as_uri()
        self.asked = 0

    async def __call__(self, context: ClientRequestContext) -> ListRootsResult:
        del context
        self.asked += 1
        return ListRootsResult.model_validate({"roots": [{"uri": self._uri, "name": "project"}]})


@pytest.fixture
def picture(tmp_path: Path) -> str:
    """A picture in a folder that is not configured."""
    return str(write_file(tmp_path / "my project", "cat.png", encode_image(halves())))


async def test_a_picture_in_a_hosts_folder_is_read_over_stdio(tmp_path: Path, picture: str) -> None:
    host = Host(tmp_path / "my project")
    async with stdio(tmp_path, era="legacy", list_roots=host) as client:
        result = await call(client, "generate_video", prompt="it moves", image=picture)

    assert not result.is_error, text(result)
    assert host.asked == 1


async def test_a_host_that_declares_no_folders_is_not_asked(tmp_path: Path, picture: str) -> None:
    async with new_server(tmp_path) as server:
        await server.initialize()
        result = await server.call("generate_video", prompt="it moves", image=picture)

    assert result["isError"]
    assert "outside the folders" in result["content"][0]["text"]
    assert not any(message.get("method") == "roots/list" for message in server.other_messages)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "roots",
    [[], None, "{uri}", ["{uri}"], [{"uri": "https://example.com/"}], [{"uri": 7}], [{}]],
    ids=json.dumps,
)
async def test_an_answer_that_names_no_folder_is_as_good_as_none(
    tmp_path: Path, picture: str, roots: object
) -> None:
    arguments = {"prompt": "it moves", "image": picture}
    async with new_server(tmp_path) as server:
        await server.initialize({"roots": {}})
        call_id = server.next_id = server.next_id + 1
        params = {"name": "generate_video", "arguments": arguments}
        await server.send_message(id=call_id, method="tools/call", params=params)
        question = await server.receive()
        assert question["method"] == "roots/list"
        await server.send_message(id=question["id"], result={"roots": roots})
        answer = await server.receive()

    assert answer["id"] == call_id
    assert answer["result"]["isError"]
    assert "outside the folders" in answer["result"]["content"][0]["text"]


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform == "win32", reason="the HTTP server is ended by a signal")
@pytest.mark.parametrize("path", ["/mcp", "/sse"])
async def test_a_clients_folders_do_not_count_over_http(
    tmp_path: Path, picture: str, path: str
) -> None:
    host = Host(tmp_path / "my project")
    async with (
        http_server(tmp_path, *SERVE) as origin,
        http_client(origin + path, headers={}, era="legacy", list_roots=host) as client,
    ):
        result = await call(client, "generate_video", prompt="it moves", image=picture)

    assert result.is_error
    assert "outside the folders" in text(result)
    assert host.asked == 0
