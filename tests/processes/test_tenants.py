"""Two tenants of one server: to each, what is the other's is what does not exist.

The cases are made from what the server lists: a tool, prompt or resource without one fails.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import anyio
import pytest

from support.provider import HELD_PREFIX
from support.raw_http import KINDS, Json, Kind, RawHttpClient
from support.sampling import sample
from support.team import make_video, running_team

SECRET_WORDS: Final = "her very secret lighthouse"
UNKNOWN: Final = "abcdef0123456789abcdef0123456789"
TOOL_CASES: Final[Mapping[str, Sequence[Json]]] = {
    "generate_video": [
        {"prompt": "on", "image": "task:{id}"},
        {"prompt": "on", "image": "task:{id}@0.5"},
        {"prompt": "on", "image": "video://tasks/{id}/last-frame"},
        {"prompt": "on", "model": "kling-v2-1", "image": "task:{id}", "image_tail": "task:{id}"},
        {"prompt": "on", "images": ["task:{id}"]},
        {"prompt": "on", "video": "task:{id}"},
        {"prompt": "on", "image": "task:{id}", "dry_run": True},
        {"prompt": "on", "extra_body": {"image_list": [{"image": "task:{id}"}]}},
    ],
    "generate_image": [
        {"prompt": "on", "image": "task:{id}"},
        {"prompt": "on", "images": ["task:{id}"]},
        {"prompt": "on", "image": "task:{id}", "mask": "task:{id}"},
    ],
    "get_video_task": [
        {"task_id": "{id}"},
        {"task_id": "{id}", "wait_seconds": 1},
        {"task_id": "{id}", "view": "none"},
        {"task_id": "{id} {own}"},
        {"task_id": "{id} 0123456789abcdef"},
    ],
    "view_video": [
        {"task_id": "{id}"},
        {"task_id": "{id}", "view": "cover"},
        {"task_id": "{id}", "at": [0.5]},
    ],
    "join_videos": [
        {"parts": ["{id}", "{id}"]},
        {"parts": ["{own}"], "audio": "task:{id}"},
    ],
    "list_video_tasks": [{"before": "{id}"}, {"query": "{id}"}],
    "list_video_models": [{"model": "{id}"}, {"query": "{id}"}],
}


class Case(NamedTuple):
    """A request that names a task."""

    method: str
    params: Json

    def fill_in(self, task_id: str, *, own: str) -> Json:
        text = json.dumps(self.params)
        return json.loads(text.replace("{id}", task_id).replace("{own}", own))


async def list_cases(client: RawHttpClient) -> list[Case]:
    """Every request of which an id is a part, from what this server lists."""
    tools = json.loads(await client.request("tools/list"))["result"]["tools"]
    prompts = json.loads(await client.request("prompts/list"))["result"]["prompts"]
    templates = json.loads(await client.request("resources/templates/list"))["result"]
    uris = [each["uriTemplate"] for each in templates["resourceTemplates"]]
    assert {tool["name"] for tool in tools} == TOOL_CASES.keys()
    assert all(uri.startswith("video://tasks/{task_id}") for uri in uris)
    cases = [
        Case("tools/call", {"name": tool, "arguments": arguments})
        for tool, several in TOOL_CASES.items()
        for arguments in several
    ]
    cases += [Case("resources/read", {"uri": uri.replace("{task_id}", "{id}")}) for uri in uris]
    cases += [Case("resources/list", {"cursor": "{id}"})]
    for prompt in prompts:
        names = [argument["name"] for argument in prompt["arguments"]]
        # The others are words, which are read as numbers where they look like some.
        given = {each["name"]: "task:{id}" for each in prompt["arguments"] if each.get("required")}
        cases.append(Case("prompts/get", {"name": prompt["name"], "arguments": given}))
        for name in names:
            ref = {"type": "ref/prompt", "name": prompt["name"]}
            for typed in ("{id}", "task:{id}"):
                argument = {"name": name, "value": typed}
                cases.append(Case("completion/complete", {"ref": ref, "argument": argument}))
    for uri in uris:
        ref = {"type": "ref/resource", "uri": uri}
        argument = {"name": "task_id", "value": "{id}"}
        cases.append(Case("completion/complete", {"ref": ref, "argument": argument}))
    for method in ("tasks/get", "tasks/update", "tasks/cancel", "tasks/result", "tasks/list"):
        cases.append(Case(method, {"taskId": "{id}", "inputResponses": {}}))
    for method in ("resources/subscribe", "resources/unsubscribe"):
        cases.append(Case(method, {"uri": "video://tasks/{id}"}))
    return cases


@pytest.mark.parametrize("kind", sample(list(KINDS), every=3))
async def test_what_is_anothers_is_answered_as_what_does_not_exist(
    tmp_path: Path, kind: Kind
) -> None:
    """While its owner asks the same, with the same JSON-RPC ids."""
    async with running_team(tmp_path, kind) as team:
        alice, bob = team.clients["alice"], team.clients["bob"]
        hers, his = await make_video(alice, SECRET_WORDS), await make_video(bob, "a hare")
        await alice.call("generate_video", prompt=f"{HELD_PREFIX} {SECRET_WORDS}")

        async def send(client: RawHttpClient, case: Case, task_id: str, number: int) -> str:
            params = case.fill_in(task_id, own=hers if client is alice else his)
            return await client.request(case.method, params, request_id=number)

        asked_before, submitted_before = len(team.service.keys), len(team.service.prompts)
        cases, shown = await list_cases(bob), 0
        pairs = [(hers[:digits], UNKNOWN[:digits]) for digits in (32, 8, 6)] + [("job1", "job0")]
        for case in cases:
            for number, (foreign, unknown) in enumerate(pairs, 1):
                foreign_text, owner_text = await run_together(
                    partial(send, bob, case, foreign, number),
                    partial(send, alice, case, foreign, number),
                )
                masked = mask(foreign_text, foreign, unknown)
                assert masked == await send(bob, case, unknown, number), case
                for secret in (hers[len(foreign) :] or hers, SECRET_WORDS, "lighthouse", "alice"):
                    assert secret == foreign or secret not in foreign_text, case
                shown += masked != mask(owner_text, foreign, unknown)
        asked_since = {what for what, _ in team.service.keys[asked_before:]}
        submitted = team.service.prompts[submitted_before:]

    assert shown > len(cases)  # for its owner there was something to see
    assert asked_since.isdisjoint({"job1", "job0"})
    assert set(submitted) <= {"on"}  # by the owner


def mask(text: str, foreign: str, unknown: str) -> str:
    """The text about a foreign id, as it would be about an unknown one."""
    return text.replace(foreign, unknown).replace(foreign[:8], unknown[:8])


async def run_together(*calls: Callable[[], Awaitable[str]]) -> list[str]:
    """What each of them returns; all begin at once."""
    results = [""] * len(calls)

    async def run(number: int) -> None:
        results[number] = await calls[number]()

    async with anyio.create_task_group() as group:
        for number in range(len(calls)):
            group.start_soon(run, number)
    return results
