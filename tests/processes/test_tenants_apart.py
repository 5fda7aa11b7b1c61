"""What a tenant has of its own over HTTP: sessions, notifications, consent, caps and keys."""

import json
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import anyio
import pytest

from geekai_video_mcp.config.write_tokens import revoke_token
from support.provider import HELD_PREFIX
from support.raw_http import Json, raw_http_client
from support.team import bearer, make_video, running_team

ELSEWHERE: Final = "this server is on another machine"
FORMS: Final[Json] = {"elicitation": {"form": {}}}
KEYED: Final[Json] = {"idempotency_key": "monday"}
CLIENT_KEY: Final = "sk-the-key-of-a-client-alone"
OWN_KEY: Final = "sk-the-key-that-is-bobs-own"


def words(result: Json) -> str:
    return " ".join(each.get("text", "") for each in result["content"])


FILE_CASES: Final[list[tuple[str, Json]]] = [
    ("generate_video", {"image": "X"}),
    ("generate_video", {"image": ["X", "X"]}),
    ("generate_video", {"image": "https://example.com/a.png", "image_tail": "X"}),
    ("generate_video", {"images": ["X"]}),
    ("generate_video", {"extra_body": {"image_list": [{"image": "X"}]}}),
    ("generate_video", {"extra_body": {"static_mask": "X"}}),
    ("generate_image", {"image": "X"}),
    ("generate_image", {"images": ["X"]}),
    ("generate_image", {"mask": "X"}),
    ("join_videos", {"audio": "X"}),
]
NO_FILE_CASES: Final[list[tuple[str, Json]]] = [
    ("generate_video", {"video": "X"}),
    ("generate_video", {"audio": ["X"]}),
]
"""No file can be given there by anybody."""


@pytest.mark.parametrize(("tool", "arguments"), FILE_CASES + NO_FILE_CASES)
async def test_a_path_is_refused_whether_or_not_it_exists(
    tmp_path: Path, tool: str, arguments: Json
) -> None:
    picture = tmp_path / "videos" / "tenants" / "bob" / "here.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    missing = picture.with_name("gone.png")
    paths = [str(picture), str(missing), picture.as_uri(), missing.as_uri(), "~/x.png"]
    paths += ["~root/x.png", r"C:\Users\bob\x.png", r"\\nas\x.png", "/etc/x.png"]
    texts = set[str]()
    async with running_team(tmp_path, "modern", GEEKAI_IMAGE_DIRS=str(tmp_path)) as team:
        bob, submitted = team.clients["bob"], list(team.service.prompts)
        given = {"parts": ["2eb52cc9"]} if tool == "join_videos" else {"prompt": "on"}
        for path in paths:
            written = json.dumps(arguments).replace('"X"', json.dumps(path))
            params = {"name": tool, "arguments": {**given, **json.loads(written)}}
            result: Json = json.loads(await bob.request("tools/call", params))["result"]
            assert result["isError"]
            texts.add(words(result))
        listed = await bob.request("tools/list")

    (text,) = texts
    assert (ELSEWHERE in text) == ((tool, arguments) in FILE_CASES)
    assert str(tmp_path) not in text
    assert ("Nothing was charged." in text) == (tool != "join_videos")
    assert team.service.prompts == submitted
    assert "if this server is on the user's computer" in listed


async def test_the_folders_that_a_client_declares_are_not_asked_for(tmp_path: Path) -> None:
    roots: Json = {"roots": {"listChanged": True}}
    async with running_team(tmp_path, "sse", capabilities=roots) as team:
        # A request of the server would come before the response, and is no response to it.
        result = await team.clients["bob"].call("generate_video", prompt="on", image="/srv/a.png")

    assert ELSEWHERE in words(result)


async def read_until(events: AsyncIterator[str], messages: list[Json], uri: str) -> None:
    """Add all messages up to a notification about this resource."""
    with anyio.fail_after(20):
        async for text in events:
            messages.append(json.loads(text))
            if messages[-1].get("params", {}).get("uri") == uri:
                return


async def test_a_subscriber_is_notified_of_its_own_tenants_tasks_alone(tmp_path: Path) -> None:
    async with running_team(tmp_path, "modern") as team:
        alice, bob = team.clients["alice"], team.clients["bob"]
        held = [
            (await each.call("generate_video", prompt=f"{HELD_PREFIX} {name}"))["taskId"]
            for name, each in team.clients.items()
        ]
        uris = [f"video://tasks/{each}{part}" for each in held for part in ("", "/video", "/cover")]
        wanted = {"resourcesListChanged": True, "resourceSubscriptions": uris, "taskIds": held}
        hers, his = list[Json](), list[Json]()
        async with alice.listen(**wanted) as to_alice, bob.listen(**wanted) as to_bob:
            acknowledged = [json.loads(await anext(each)) for each in (to_alice, to_bob)]
            for name, each in team.clients.items():
                team.service.released.add(f"{HELD_PREFIX} {name}")
                # That of alice is over, and she is notified, before that of bob begins to end.
                own = held[name == "bob"]
                await each.call("get_video_task", task_id=own, wait_seconds=30)
            await read_until(to_alice, hers, f"video://tasks/{held[0]}/video")
            await read_until(to_bob, his, f"video://tasks/{held[1]}/video")

    granted = [each["params"]["notifications"]["taskIds"] for each in acknowledged]
    assert granted == [[held[0]], [held[1]]]
    for own, foreign, messages in ((*held, hers), (*held[::-1], his)):
        text = json.dumps(messages)
        assert f"video://tasks/{own}" in text
        assert "notifications/tasks" in text
        assert foreign not in text
    changed = [each["method"] for each in his].count("notifications/resources/list_changed")
    assert changed <= 1  # of his own file


async def test_a_session_is_for_the_token_that_began_it(tmp_path: Path) -> None:
    """Answered as one that does not exist, and nothing of what was asked is done."""
    async with running_team(tmp_path, "session") as team:
        alice, bob = team.clients["alice"], team.clients["bob"]
        listing: Json = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
        foreign = await bob.post(listing, **{"Mcp-Session-Id": str(alice.session_id)})
        unknown = await bob.post(listing, **{"Mcp-Session-Id": "0" * 32})
        second = team.server.add("alices-phone", "alice")
        phone = await alice.post(listing, Authorization=f"Bearer {second}")
        revoke_token(team.server.settings, "alice")
        revoked = await alice.post(listing)

    assert (foreign.status_code, foreign.text) == (unknown.status_code, unknown.text)
    assert foreign.status_code == 404
    assert phone.status_code == 404
    assert revoked.status_code == 401


async def test_a_stream_of_sse_is_for_the_token_that_opened_it(tmp_path: Path) -> None:
    async with running_team(tmp_path, "sse") as team:
        alice = team.clients["alice"]
        listing: Json = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
        bobs = bearer(team.tokens["bob"])
        foreign = await alice.post(listing, **bobs)
        unknown = await alice.http.post(
            re.sub(r"session_id=\w+", f"session_id={'0' * 32}", alice.url),
            json=listing,
            headers=bobs,
        )
        revoke_token(team.server.settings, "alice")
        revoked = await alice.post(listing)

    assert (foreign.status_code, foreign.text) == (unknown.status_code, unknown.text)
    assert foreign.status_code == 404
    assert revoked.status_code == 401


def reply_to(question: Json) -> Json:
    (name,) = question["inputRequests"]
    answer = {"action": "accept", "content": {"approve": True}}
    return {"inputResponses": {name: answer}, "requestState": question["requestState"]}


async def test_the_consent_of_one_is_none_for_another(tmp_path: Path) -> None:
    """Not for another tenant, nor with another key, whose money it is."""
    asked: Json = {"name": "generate_video", "arguments": {"prompt": "a fox"}}
    allowed = {"GEEKAI_CLIENT_KEYS": "allow", "GEEKAI_CONFIRM": "always"}
    async with running_team(tmp_path, "modern", capabilities=FORMS, **allowed) as team:
        alice, bob = team.clients["alice"], team.clients["bob"]
        question = json.loads(await alice.request("tools/call", asked))["result"]
        answered = {**asked, **reply_to(question)}
        stolen = json.loads(await bob.request("tools/call", answered))
        headers = bearer(team.tokens["alice"], **{"X-GeekAI-Key": CLIENT_KEY})
        async with raw_http_client(
            team.server.origin, "modern", headers, capabilities=FORMS
        ) as other:
            other_key = json.loads(await other.request("tools/call", answered))
        before = list(team.service.prompts)
        own = json.loads(await alice.request("tools/call", answered))["result"]

    assert stolen["error"]["message"] == "Invalid or expired requestState"
    assert other_key["error"] == stolen["error"]
    assert before == []
    assert own["structuredContent"]["task_id"]
    assert team.service.prompts == ["a fox"]


@pytest.mark.parametrize("secret", ["", "0123456789abcdef0123456789abcdef"])
async def test_replicas_with_one_secret_take_each_others_questions(
    tmp_path: Path, secret: str
) -> None:
    asked: Json = {"name": "generate_video", "arguments": {"prompt": "a fox"}}
    variables = {"GEEKAI_CONFIRM": "always"} | ({"GEEKAI_SECRET": secret} if secret else {})
    async with running_team(tmp_path, "modern", capabilities=FORMS, **variables) as first:
        question = json.loads(await first.clients["alice"].request("tools/call", asked))["result"]
        token = first.tokens["alice"]
    async with (
        running_team(tmp_path / "other", "modern", capabilities=FORMS, **variables) as second,
        raw_http_client(second.server.origin, "modern", {}, capabilities=FORMS) as client,
    ):
        second_token = second.tokens["alice"]
        assert second_token != token  # of the same name, and of the same tenant
        client.http.headers.update(bearer(second_token))
        response = json.loads(await client.request("tools/call", {**asked, **reply_to(question)}))

    assert ("error" not in response) == bool(secret)


async def test_each_has_caps_keys_and_repeats_of_its_own(tmp_path: Path) -> None:
    async with running_team(tmp_path, "modern", capabilities={}) as team:
        capped = team.server.add("carol", "carol", max_videos_per_day=1)
        async with raw_http_client(team.server.origin, "modern", bearer(capped)) as carol:
            everybody = [*team.clients.values(), carol]
            made, again, with_key, with_key_again = [
                [await each.call("generate_video", prompt="a fox", **given) for each in everybody]
                for given in ({}, {}, KEYED, KEYED)
            ]

    ids = [each["structuredContent"]["task_id"] for each in made]
    assert len(set(ids)) == 3
    assert [each["structuredContent"]["task_id"] for each in again] == ids
    assert [each["isError"] for each in with_key] == [False, False, True]
    keyed = [each["structuredContent"]["task_id"] for each in with_key[:2]]
    assert len({*keyed, *ids}) == 5
    assert [each["structuredContent"]["task_id"] for each in with_key_again[:2]] == keyed
    assert team.service.prompts == ["a fox"] * 5


async def test_caps_that_the_operator_changes_hold_for_the_next_call(tmp_path: Path) -> None:
    async with running_team(tmp_path, "modern", capabilities={}) as team:
        alice = team.clients["alice"]
        before = await alice.call("generate_video", prompt="a fox")
        team.server.add("alices-phone", "alice", max_videos_per_day=1)
        refused = await alice.call("generate_video", prompt="a hare")
        team.server.add("alices-tablet", "alice", max_videos_per_day=2)
        after = await alice.call("generate_video", prompt="a hare")

    assert [each["isError"] for each in (before, refused, after)] == [False, True, False]


async def test_each_key_is_used_for_its_own_tenant_or_client_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    texts = list[str]()
    async with running_team(
        tmp_path, "modern", capabilities={}, GEEKAI_CLIENT_KEYS="allow"
    ) as team:
        token = team.server.add("bobs-phone", "bob", api_key=OWN_KEY)
        headers = bearer(team.tokens["alice"], **{"X-GeekAI-Key": CLIENT_KEY})
        async with (
            raw_http_client(team.server.origin, "modern", headers) as client,
            raw_http_client(team.server.origin, "modern", bearer(token)) as bob,
        ):
            for name, each in (("alice", team.clients["alice"]), ("client", client), ("bob", bob)):
                await make_video(each, f"by {name}")
                texts.append(await each.request("resources/list"))
                texts.append(json.dumps(await each.call("list_video_tasks")))
                texts.append(json.dumps(await each.call("get_video_task", task_id="job99")))
        keys = dict(team.service.keys)
    where = [path for path in tmp_path.rglob("*") if path.is_file()]
    holding = [path.name for path in where if CLIENT_KEY.encode() in path.read_bytes()]

    operators = team.service.settings["GEEKAI_API_KEY"]
    assert keys["by alice"] == keys["job1"] == operators
    assert keys["by client"] == keys["job2"] == CLIENT_KEY
    assert keys["by bob"] == keys["job3"] == OWN_KEY
    assert holding == []
    assert CLIENT_KEY not in caplog.text + "".join(texts)
    assert OWN_KEY not in caplog.text + "".join(texts)


async def test_a_task_that_only_the_service_knows_is_its_keys_owners(tmp_path: Path) -> None:
    """With a key that others have as well, nobody may ask for it by its id."""
    async with running_team(
        tmp_path, "modern", capabilities={}, GEEKAI_CLIENT_KEYS="allow"
    ) as team:
        team.service.prompts.append("made elsewhere")
        token = team.server.add("bobs-phone", "bob", api_key=OWN_KEY)
        shared = await team.clients["alice"].call("get_video_task", task_id="job1")
        unknown = await team.clients["alice"].call("get_video_task", task_id="job9")
        asked = [what for what, _ in team.service.keys]
        headers = bearer(team.tokens["alice"], **{"X-GeekAI-Key": CLIENT_KEY})
        async with (
            raw_http_client(team.server.origin, "modern", headers) as client,
            raw_http_client(team.server.origin, "modern", bearer(token)) as bob,
        ):
            imported = [await each.call("get_video_task", task_id="job1") for each in (client, bob)]

    assert words(shared).replace("job1", "job9") == words(unknown)
    assert asked == []
    assert [each["isError"] for each in imported] == [False, False]
