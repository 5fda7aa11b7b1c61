"""Any of several servers on one PostgreSQL answers any request, behind nginx or without it."""

import itertools
import json
import logging
import os
import re
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import httpx
import pytest
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from geekai_video_mcp.config.write_tokens import add_token
from geekai_video_mcp.server.build import build_server
from geekai_video_mcp.server.http import session_table
from support.postgres import VARIABLE, create_database, drop_database, needs_postgres
from support.process import http_client, run_cli
from support.provider import HELD_PREFIX
from support.raw_http import Json, RawHttpClient, read_events
from support.replicas import (
    COMMON,
    Replicas,
    behind_nginx,
    requests_of,
    running_replicas,
    trusting,
)
from support.team import TASKS, make_video
from support.team_server import team_server, team_settings
from support.world import Era, call, structured, text

pytestmark = needs_postgres
FORM: Json = {"elicitation": {"form": {}}}
logger = logging.getLogger(__name__)
KEY = {"GEEKAI_API_KEY": "sk-any", "GEEKAI_BASE_URL": "http://127.0.0.1:9/api/v1"}
NOTICED_SECONDS = 3.0
"""In which a change is known to another server; it looks once a second."""
TAKEN_UP_SECONDS = 6.0
"""In which the tasks of a server that has ended are another's."""


class Client:
    """A client of an earlier revision, whose requests nginx gives to one server after the other."""

    def __init__(self, http: httpx.AsyncClient, url: str, revision: str) -> None:
        self.http, self.url, self.revision = http, url, revision
        self.number = 0

    @property
    def headers(self) -> dict[str, str]:
        accept = {"Accept": "application/json, text/event-stream"}
        return {**accept, "MCP-Protocol-Version": self.revision}

    async def ask(self, method: str, **params: object) -> Json:
        """The response as JSON-RPC."""
        self.number += 1
        message = {"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}
        async with self.http.stream(
            "POST", f"{self.url}/mcp", json=message, headers=self.headers
        ) as response:
            assert response.status_code == 200, await response.aread()
            async for text in read_events(response):
                answer: Json = json.loads(text)
                if answer.get("id") == self.number:
                    return answer
        raise AssertionError

    async def call(self, tool: str, **arguments: object) -> Json:
        answer = await self.ask("tools/call", name=tool, arguments=arguments)
        return answer["result"]["structuredContent"]


async def test_clients_of_every_earlier_revision_are_served_by_either(tmp_path: Path) -> None:
    revisions = sorted(HANDSHAKE_PROTOCOL_VERSIONS)
    async with (
        running_replicas(tmp_path) as replicas,
        behind_nginx(replicas, tmp_path) as (url, certificate),
        trusting(certificate) as http,
    ):
        http.headers.update(replicas.headers)
        for revision in revisions:
            await _converse(Client(http, url, revision))
        counts = requests_of(tmp_path)

    assert len(counts) == 2
    assert max(counts.values()) - min(counts.values()) <= 1
    assert replicas.service.prompts == [f"a fox of {revision}" for revision in revisions]


async def _converse(client: Client) -> None:
    """Ask for everything that there is, and for what needs a session."""
    hello = await client.ask(
        "initialize",
        protocolVersion=client.revision,
        capabilities={},
        clientInfo={"name": "raw", "version": "1"},
    )
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    accepted = await client.http.post(f"{client.url}/mcp", json=ready, headers=client.headers)
    tools = await client.ask("tools/list")
    made = await client.call("generate_video", prompt=f"a fox of {client.revision}")
    task_id = made["task_id"]
    done = await client.call("get_video_task", task_id=task_id, wait_seconds=30)
    uri = f"video://tasks/{task_id}"
    listed = await client.ask("resources/list")
    read = [await client.ask("resources/read", uri=each) for each in (uri, f"{uri}/video")]
    prompts = await client.ask("prompts/list")
    completed = await client.ask(
        "completion/complete",
        ref={"type": "ref/resource", "uri": "video://tasks/{task_id}"},
        argument={"name": "task_id", "value": task_id[:6]},
    )
    subscribed = await client.ask("resources/subscribe", uri=uri)
    with anyio.fail_after(10):
        stream = await client.http.get(f"{client.url}/mcp", headers=client.headers)
        end = await client.http.delete(f"{client.url}/mcp", headers=client.headers)
        over_sse = await client.http.get(f"{client.url}/sse")

    assert hello["result"]["protocolVersion"] == client.revision
    assert accepted.status_code == 202
    assert len(tools["result"]["tools"]) > 5
    assert done["task_status"] == "succeed"
    assert len(listed["result"]["resources"]) >= 2
    assert all(each["result"]["contents"] for each in read)
    assert prompts["result"]["prompts"]
    assert completed["result"]["completion"]["values"] == [task_id]
    assert not hello["result"]["capabilities"]["resources"].get("subscribe")
    assert subscribed["error"]["code"] == -32601
    assert (stream.status_code, stream.headers["Allow"]) == (405, "POST")
    assert "subscriptions/listen" in stream.json()["error_description"]
    assert (end.status_code, end.headers["Allow"]) == (405, "POST")
    assert over_sse.status_code == 404


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_the_sdks_client_makes_a_video_through_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, era: Era
) -> None:
    messages: list[str | None] = []
    prompt = f"{HELD_PREFIX} a fox"
    async with (
        running_replicas(tmp_path) as replicas,
        behind_nginx(replicas, tmp_path) as (url, certificate),
    ):
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

        async def listen(progress: float, total: float | None, message: str | None) -> None:
            del progress, total
            messages.append(message)
            replicas.service.released.add(prompt)

        async with http_client(f"{url}/mcp", headers=replicas.headers, era=era) as client:
            made = structured(await call(client, "generate_video", prompt=prompt))
            done = await client.call_tool(
                "get_video_task",
                {"task_id": made["task_id"], "wait_seconds": 45},
                progress_callback=listen,
            )
            shown = await client.call_tool("view_video", {"task_id": made["task_id"]})
        counts = requests_of(tmp_path)

    assert messages
    assert structured(done)["task_status"] == "succeed"
    assert [each.type for each in shown.content] == ["text", "image"]
    assert len(counts) == 2


async def test_what_one_server_does_is_known_to_the_other_within_moments(tmp_path: Path) -> None:
    """To a call that waits, to a subscriber, and by the Tasks extension."""
    known_at: dict[str, float] = {}
    prompt = f"{HELD_PREFIX} a fox"
    async with (
        running_replicas(tmp_path) as replicas,
        replicas.raw_client(0, capabilities=TASKS) as first,
        replicas.raw_client(0) as waiting_there,
        replicas.raw_client(1) as waiting_here,
        replicas.raw_client(1, capabilities=TASKS) as second,
    ):
        task_id: str = (await first.call("generate_video", prompt=prompt))["taskId"]
        found = json.loads(await second.request("tasks/get", {"taskId": task_id}))["result"]

        async def wait(name: str, client: RawHttpClient) -> None:
            done = await client.call(
                "get_video_task", task_id=task_id, wait_seconds=40, view="none"
            )
            assert done["structuredContent"]["task_status"] == "succeed"
            known_at[name] = anyio.current_time()

        async def subscribe() -> None:
            uri = f"video://tasks/{task_id}/video"
            wanted: Json = {"resourceSubscriptions": [uri], "taskIds": [task_id]}
            async with second.listen(**wanted) as coming:
                listening.set()
                async for text in coming:
                    if "notifications/resources/updated" in text:
                        known_at["subscriber"] = anyio.current_time()
                        return

        listening = anyio.Event()
        with anyio.fail_after(40):
            async with anyio.create_task_group() as group:
                group.start_soon(wait, "there", waiting_there)
                group.start_soon(wait, "here", waiting_here)
                group.start_soon(subscribe)
                await listening.wait()
                for _ in range(8):  # the calls wait by now
                    await replicas.service.wait_for_request()
                replicas.service.released.add(prompt)
        ended = json.loads(await second.request("tasks/get", {"taskId": task_id}))["result"]

    late = {name: known_at[name] - known_at["there"] for name in ("here", "subscriber")}
    logger.info("known %s s after the server that watches", late)
    assert found["status"] == "working"
    assert ended["status"] == "completed"
    assert max(late.values()) < NOTICED_SECONDS


async def test_a_question_of_one_server_is_answered_at_the_other(tmp_path: Path) -> None:
    async with (
        running_replicas(tmp_path, GEEKAI_CONFIRM="always") as replicas,
        replicas.raw_client(0, capabilities=FORM) as first,
        replicas.raw_client(1, capabilities=FORM) as second,
        replicas.raw_client(1, "session", capabilities=FORM) as earlier,
    ):
        refused = await earlier.call("generate_video", prompt="a crow")
        asked = await first.call("generate_video", prompt="a fox")
        answer = {
            "name": "generate_video",
            "arguments": {"prompt": "a fox"},
            "requestState": asked["requestState"],
            "inputResponses": {
                name: {"action": "accept", "content": {"approve": True}}
                for name in asked["inputRequests"]
            },
        }
        answered = json.loads(await second.request("tools/call", answer))["result"]
        repeated = json.loads(await first.request("tools/call", answer))["result"]

    reason = refused["content"][0]["text"]
    assert refused["isError"]
    assert "before protocol revision 2026-07-28" in reason
    assert "Nothing was charged." in reason
    assert asked["resultType"] == "input_required"
    made = answered["structuredContent"]["task_id"]
    assert repeated["structuredContent"]["task_id"] == made
    assert replicas.service.prompts == ["a fox"]


async def test_a_file_in_a_shared_folder_is_served_by_either(tmp_path: Path) -> None:
    async with (
        running_replicas(tmp_path, shared="folders") as replicas,
        replicas.raw_client(0) as first,
        replicas.raw_client(1) as second,
        httpx.AsyncClient() as browser,
    ):
        task_id = await make_video(first, "a fox")
        link = _link_in(await first.call("get_video_task", task_id=task_id))
        shown = await first.call("view_video", task_id=task_id)
        pictures = _links_in(shown["content"][0]["text"])
        served = [
            await browser.get(_at(each, replicas, number))
            for each in (link, *pictures)
            for number in (0, 1)
        ]
        seen = await second.call("view_video", task_id=task_id)

    assert {each.status_code for each in served} == {200}
    assert "SSE is off" in (replicas.all[0].folder / "stderr.log").read_text("utf-8")
    assert served[1].content == replicas.service.file
    assert seen["content"][1]["type"] == "image"
    assert replicas.service.files_read == 1


async def test_a_file_that_only_one_server_has_is_fetched_anew_by_the_other(
    tmp_path: Path,
) -> None:
    async with (
        running_replicas(tmp_path, shared="nothing") as replicas,
        replicas.raw_client(0) as first,
        replicas.raw_client(1) as second,
        httpx.AsyncClient(timeout=60) as browser,
    ):
        task_id = await make_video(first, "a fox")
        recorded = await _recorded_file(replicas, task_id)
        link = _link_in(await first.call("get_video_task", task_id=task_id))
        shown = await first.call("view_video", task_id=task_id)
        (picture,) = _links_in(shown["content"][0]["text"])
        served = await browser.get(_at(link, replicas, 1))
        preview = await browser.get(_at(picture, replicas, 1))
        read = await second.request(
            "resources/read", {"uri": f"video://tasks/{task_id}/last-frame"}
        )
        seen = await second.call("view_video", task_id=task_id)
        follows = await second.call("generate_video", prompt="an owl", image=f"task:{task_id}")
        joined = await second.call("join_videos", parts=[task_id, task_id])
        fetched = replicas.service.files_read
        unchanged = await _recorded_file(replicas, task_id)

        other_id = await make_video(first, "a crow")
        replicas.service.links_have_ended = True
        gone_link = _link_in(await first.call("get_video_task", task_id=other_id))
        gone = await browser.get(_at(gone_link, replicas, 1))
        there = await browser.get(_at(gone_link, replicas, 0))
        unseen = await second.call("view_video", task_id=other_id)
        unread = json.loads(
            await second.request("resources/read", {"uri": f"video://tasks/{other_id}/video"})
        )

    assert (served.status_code, served.content) == (200, replicas.service.file)
    assert (preview.status_code, preview.headers["Content-Type"]) == (200, "image/jpeg")
    assert "blob" in read
    assert seen["content"][1]["type"] == "image"
    assert "task_id" in follows["structuredContent"]
    assert "task_id" in joined["structuredContent"]
    assert recorded == unchanged
    assert fetched <= 3  # by each server, and that of the owl
    assert there.status_code == 200
    assert gone.status_code == 410
    ended = "is not on this server, and its link has ended, so that it cannot be fetched anew."
    assert ended in gone.json()["error_description"]
    assert unseen["isError"]
    assert ended in unseen["content"][0]["text"]
    assert ended in unread["error"]["message"]


async def _recorded_file(replicas: Replicas, task_id: str) -> tuple[Any, ...]:
    connection: asyncpg.Connection[Any] = await asyncpg.connect(replicas.database_url)
    try:
        row = await connection.fetchrow(
            "SELECT file_status, file_path, file_sha256, fetches FROM geekai_video.task"
            " WHERE id = $1",
            task_id,
        )
    finally:
        await connection.close()
    assert row is not None
    return tuple(row)


def _links_in(text: str) -> list[str]:
    return re.findall(r"http://[^\s)\"]+/files/[^\s)\"]+", text)


def _link_in(result: Json) -> str:
    return str(result["structuredContent"]["file"])


def _at(link: str, replicas: Replicas, number: int) -> str:
    """The link as a proxy would pass it on to that server."""
    return re.sub(r"^https?://[^/]+", replicas.all[number].origin, link)


async def test_a_token_is_revoked_for_all_that_share_its_file(tmp_path: Path) -> None:
    async with running_replicas(tmp_path) as replicas, replicas.raw_client(1) as client:
        before = json.loads(await client.request("tools/list"))
        status, _, said = await run_cli(tmp_path, "tokens", "revoke", "alice")
        after = await client.post({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {}})

    assert before["result"]
    assert status == 0, said
    assert after.status_code == 401


@pytest.mark.parametrize("how", ["kill -9", "SIGTERM"])
async def test_the_tasks_of_a_server_that_ends_are_taken_up_within_seconds(
    tmp_path: Path, how: str
) -> None:
    prompt = f"{HELD_PREFIX} a fox"
    async with (
        running_replicas(tmp_path) as replicas,
        replicas.raw_client(0) as first,
        replicas.raw_client(1) as second,
    ):
        service = replicas.service
        made = await first.call("generate_video", prompt=prompt)
        task_id = made["structuredContent"]["task_id"]
        await (replicas.all[0].kill() if how == "kill -9" else replicas.all[0].stop())
        ended_at = anyio.current_time()
        with anyio.fail_after(40):
            await service.wait_for_request()
        taken_up = anyio.current_time() - ended_at
        service.released.add(prompt)
        done = await second.call("get_video_task", task_id=task_id, wait_seconds=30)

    logger.info("polled by the other server %.1f s after %s", taken_up, how)
    assert done["structuredContent"]["task_status"] == "succeed"
    assert service.prompts == [prompt]
    assert taken_up < TAKEN_UP_SECONDS


async def test_a_server_that_is_stopped_under_load_loses_nothing(tmp_path: Path) -> None:
    """Behind nginx, which sends no request a second time; its clients do."""
    async with (
        running_replicas(
            tmp_path,
            GEEKAI_MAX_VIDEOS_PER_DAY="10000",
            GEEKAI_MAX_IN_FLIGHT="10000",
            GEEKAI_REQUESTS_PER_SECOND="1000",
        ) as replicas,
        behind_nginx(replicas, tmp_path) as (url, certificate),
        trusting(certificate) as http,
    ):
        http.headers.update(replicas.headers)
        crowd = Crowd(Client(http, url, "2025-11-25"))
        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(crowd.live)
            await crowd.wait_until_made(20)
            await replicas.all[0].stop()
            await crowd.wait_until_made(len(crowd.made) + 24)
            crowd.stopping = True
        with anyio.fail_after(40):
            statuses = await _wait_for_all(replicas, [*crowd.made.values()])

    logger.info("%d videos: %s %s", len(crowd.made), crowd.statuses, crowd.errors)
    # uvicorn ends by the signal, once everything is closed
    assert replicas.all[0].process.returncode == -signal.SIGTERM
    assert Counter(replicas.service.prompts) == Counter([*crowd.made])
    assert statuses == ["succeed"] * len(crowd.made)


class Crowd:
    """Clients that make one video after the other, and repeat a call that was not answered."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._numbers = itertools.count()
        self.made: dict[str, str] = {}
        self.statuses = Counter[int]()
        self.errors = Counter[str]()
        self.stopping = False
        self._changed = anyio.Event()

    async def live(self) -> None:
        while not self.stopping:
            prompt = f"take {next(self._numbers)}"
            while prompt not in self.made:
                if task_id := await self._generate(prompt):
                    self.made[prompt] = task_id
                    self._changed.set()
                await anyio.sleep(0.1)  # as a person would

    async def wait_until_made(self, count: int) -> None:
        while len(self.made) < count:
            self._changed = anyio.Event()
            await self._changed.wait()

    async def _generate(self, prompt: str) -> str | None:
        """The id of its task; None if the call has to be repeated."""
        params = {"name": "generate_video", "arguments": {"prompt": prompt}}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {**self._client.headers, "Accept": "application/json"}
        try:
            response = await self._client.http.post(
                f"{self._client.url}/mcp", json=message, headers=headers
            )
        except httpx.HTTPError:
            return None
        self.statuses[response.status_code] += 1
        if response.status_code != 200:
            return None
        answer = response.json()
        if "error" in answer:
            self.errors[answer["error"]["message"]] += 1
        return answer.get("result", {}).get("structuredContent", {}).get("task_id")


async def _wait_for_all(replicas: Replicas, task_ids: list[str]) -> list[str]:
    """How each of these tasks has ended, as the server says that goes on."""
    statuses = list[str]()
    async with replicas.raw_client(1) as other:
        for some in [task_ids[at : at + 8] for at in range(0, len(task_ids), 8)]:
            done = await other.call("get_video_task", task_id=" ".join(some), wait_seconds=30)
            shown = done["structuredContent"]
            statuses += [each["task_status"] for each in shown.get("tasks", [shown])]
    return statuses


async def test_no_session_is_counted_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_table, "MAX_SESSIONS_OF_ONE", 2)
    url = await create_database(os.environ[VARIABLE])
    variables = {"GEEKAI_DATABASE_URL": url, **COMMON, **KEY}
    token = add_token(team_settings(tmp_path), "alice", "alice", {}).token
    async with team_server(tmp_path, variables=variables, build=build_server) as server:
        answers = [await server.post(token) for _ in range(5)]
        with_old_session = await server.post(token, Mcp_Session_Id="0" * 32)
    await drop_database(url)

    assert [each.status_code for each in (*answers, with_old_session)] == [200] * 6
    assert not any("Mcp-Session-Id" in each.headers for each in answers)


async def test_who_has_no_key_is_refused_in_words_where_others_have_one(tmp_path: Path) -> None:
    url = await create_database(os.environ[VARIABLE])
    variables = {"GEEKAI_DATABASE_URL": url, **COMMON, "GEEKAI_CLIENT_KEYS": "allow"}
    token = add_token(team_settings(tmp_path), "alice", "alice", {}).token
    async with team_server(tmp_path, variables=variables, build=build_server) as server:
        headers = {"Authorization": f"Bearer {token}"}
        async with http_client(f"{server.origin}/mcp", headers=headers) as client:
            refused = await call(client, "generate_video", prompt="a fox")
            models = await call(client, "list_video_models")
    await drop_database(url)

    assert refused.is_error
    assert "There is no GeekAI key for your requests" in text(refused)
    assert "X-GeekAI-Key" in text(refused)
    assert "Nothing was charged." in text(refused)
    assert not models.is_error


async def test_what_would_make_servers_differ_is_refused_at_start(tmp_path: Path) -> None:
    url = await create_database(os.environ[VARIABLE])
    usual = {"GEEKAI_DATABASE_URL": url, **COMMON, **KEY}
    over_sse = await run_cli(tmp_path, "serve", "--transport", "sse", "--port", "0", **usual)
    serve = ("serve", "--transport", "http", "--port", "0")
    without = [
        await run_cli(tmp_path, *serve, **{k: v for k, v in usual.items() if k not in left_out})
        for left_out in ({"GEEKAI_SECRET"}, KEY.keys())
    ]
    await drop_database(url)

    assert [over_sse[0], *(each[0] for each in without)] == [2, 2, 2]
    assert "add --sse if the proxy sends each client to the same server" in over_sse[2]
    assert "GEEKAI_SECRET: is needed with GEEKAI_DATABASE_URL" in without[0][2]
    assert "GEEKAI_API_KEY: is needed with GEEKAI_DATABASE_URL" in without[1][2]
    assert not any(url.split("@")[0] in said for _, _, said in (over_sse, *without))
