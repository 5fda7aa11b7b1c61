"""What `make hosts` relies on, without a host: model APIs, script, verdicts, table."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from geekai_video_mcp.domain.catalogue import models
from hosts import clients_table
from hosts.apis import find_api
from hosts.apis.conversation import Call, Conversation, Item, Offer, Picture, Reply, Text
from hosts.hosts import HOSTS, Host
from hosts.observations import Observations, judge
from hosts.script import GENERATE, MODELS, VIEW, WAIT, WRONG, Script

JPEG = b"\xff\xd8\xff\xe0 a picture"
IN_BASE64 = base64.b64encode(JPEG).decode()
URI = f"data:image/jpeg;base64,{IN_BASE64}"
SCHEMA = {"type": "object"}
FUNCTION = {"name": "generate_video", "description": "Makes one.", "parameters": SCHEMA}
ARGUMENTS = {"prompt": "a fox"}
CALL = {"name": "generate_video", "arguments": ARGUMENTS}
REQUESTS: dict[str, Mapping[str, Any]] = {
    "/v1/messages?beta=true": {
        "tools": [{"name": "generate_video", "description": "Makes one.", "input_schema": SCHEMA}],
        "messages": [
            {"role": "user", "content": "A fox, please."},
            {
                "role": "assistant",
                "content": [
                    {"type": "tool_use", "name": "generate_video", "input": ARGUMENTS},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "1",
                        "content": [
                            {"type": "text", "text": "Sent."},
                            {
                                "type": "image",
                                "source": {"media_type": "image/jpeg", "data": IN_BASE64},
                            },
                        ],
                    }
                ],
            },
        ],
    },
    "/v1/responses": {
        "tools": [{"type": "namespace", "name": "mcp__video", "tools": [FUNCTION]}],
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "A fox, please."}]},
            {"type": "function_call", "name": "generate_video", "arguments": ARGUMENTS},
            {
                "type": "function_call_output",
                "output": [
                    {"type": "input_text", "text": "Sent."},
                    {"type": "input_image", "image_url": URI},
                ],
            },
        ],
    },
    "/v1/chat/completions": {
        "tools": [{"type": "function", "function": FUNCTION}],
        "messages": [
            {"role": "user", "content": "A fox, please."},
            {"role": "assistant", "tool_calls": [{"id": "1", "function": CALL}]},
            {"role": "tool", "tool_call_id": "1", "content": "Sent."},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": URI}}]},
        ],
    },
    "/v1beta/models/pro:generateContent": {
        "tools": [{"functionDeclarations": [FUNCTION]}],
        "contents": [
            {"role": "user", "parts": [{"text": "A fox, please."}]},
            {"parts": [{"functionCall": {"name": "generate_video", "args": ARGUMENTS}}]},
            {
                "parts": [
                    {
                        "functionResponse": {
                            "name": "generate_video",
                            "response": {"output": "Sent."},
                        }
                    },
                    {"inlineData": {"mimeType": "image/jpeg", "data": IN_BASE64}},
                ]
            },
        ],
    },
}
"""The same conversation in each model API."""


@pytest.mark.parametrize("path", REQUESTS)
def test_every_model_api_is_read_as_the_same_conversation(path: str) -> None:
    api = find_api(path)
    assert api

    conversation = api.read(REQUESTS[path])

    (offer,) = conversation.offers
    assert (offer.name, offer.description, offer.schema) == ("generate_video", "Makes one.", SCHEMA)
    assert conversation.items == [
        Text("A fox, please."),
        Call("generate_video", ARGUMENTS),
        Text("Sent."),
        Picture("image/jpeg", JPEG),
    ]


@pytest.mark.parametrize("path", REQUESTS)
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_every_model_api_writes_calls_and_texts(path: str, *, stream: bool) -> None:
    api = find_api(path)
    assert api

    called = api.write(Reply("", Offer("a_tool", {}), {"seconds": 5}), {}, 1, stream=stream)
    said = api.write(Reply("All is done."), {}, 2, stream=stream)

    assert called.media_type == ("text/event-stream" if stream else "application/json")
    assert "a_tool" in called.body
    assert "seconds" in called.body
    assert "All is done." in said.body


def test_a_tool_that_was_found_by_a_search_is_called_through_the_hosts_own_tool() -> None:
    found = json.dumps({"name": "mcp__video__view_video", "description": "Shows one."})
    text = f"<functions>\n<function>{found}</function>\n</functions>"
    api = find_api("/v1/chat/completions")
    assert api
    (offer,) = api.read({"messages": [{"role": "tool", "content": text}]}).offers

    body = json.loads(api.write(Reply("", offer, {"task_id": "1"}), {}, 1, stream=False).body)
    message = body["choices"][0]["message"]

    assert message["tool_calls"][0]["function"]["name"] == "tool_call"
    assert api.read({"messages": [message]}).items == [
        Call("mcp__video__view_video", {"task_id": "1"})
    ]


TOOLS = (
    "mcp__video__generate_video",
    "mcp__video__get_video_task",
    "mcp__video__list_video_models",
)


def conversation_of(*items: Item, tools: tuple[str, ...] = TOOLS) -> Conversation:
    return Conversation([Offer(name, {}) for name in tools], list(items))


def made(tool: str, **arguments: object) -> Call:
    return Call(f"mcp__video__{tool}", arguments)


@pytest.mark.parametrize("task_id", ["2eb52cc9", "2eb52cc9000000000000000000000001"])
def test_the_script_waits_for_the_task_that_was_made(task_id: str) -> None:
    theirs = "cfa7c4fe-e020-4774-8b7e-c7348614715e"
    sent = Text(f"Sent on 20260425 (GeekAI's id is {theirs}) as task {task_id}: 5 s.")

    reply = Script().reply(conversation_of(made("generate_video", prompt="a fox"), sent))

    assert reply.offer
    assert reply.offer.name == "mcp__video__get_video_task"
    assert reply.arguments == {"task_id": task_id, "wait_seconds": 45}


def test_the_script_leaves_out_a_tool_that_is_not_offered() -> None:
    reply = Script().reply(conversation_of(made("get_video_task", task_id="1"), Text("Finished.")))

    assert reply.offer
    assert reply.offer.name == "mcp__video__list_video_models"


def test_the_script_goes_on_when_the_host_has_dropped_the_start_of_the_conversation() -> None:
    script = Script()
    script.reply(conversation_of(made("list_video_models"), Text("cogvideox-flash")))

    reply = script.reply(conversation_of(Text("A summary of what was said.")))

    assert reply.arguments
    assert "length" in reply.arguments


def test_the_script_searches_twice_for_a_tool_that_is_held_back() -> None:
    query = {"query": "generate_video"}
    searched, script = Call("tool_search", query), Script()

    again = script.reply(conversation_of(searched, tools=("tool_search",)))
    no_more = script.reply(conversation_of(searched, searched, tools=("tool_search",)))

    assert again.arguments == query
    assert no_more.arguments == {"query": "get_video_task"}


def test_the_script_ends_after_the_wrong_call_and_answers_a_hosts_own_questions() -> None:
    wrong = made("generate_video", prompt="a fox", length=5)

    assert Script().reply(conversation_of(made("list_video_models"), wrong)).offer is None
    assert Script().reply(conversation_of(Text("A title, please."), tools=())).offer is None


SHEET = "videos/a-fox.frames.jpg"


def seen_by(host: Host, folder: Path, **texts: str) -> dict[str, str]:
    """The verdicts on a run of which the model saw all, but for the texts that are named."""
    for name in ("videos/a-fox.mp4", SHEET):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    look = "If you see none, call view_video." if host.shows_pictures else "Open the file."
    whole = {
        "generate": "Sent to GeekAI as task 2eb52cc9. Call get_video_task.",
        "wait": f"Finished: {folder}/videos/a-fox.mp4. {look}",
        "view": f"{folder}/{SHEET}",
        "models": "\\n".join(models()),
        "wrong": "length: unknown argument; did you mean duration? Nothing was charged.",
        **texts,
    }
    steps = {"generate": GENERATE, "wait": WAIT, "view": VIEW, "models": MODELS, "wrong": WRONG}
    found = Observations(host, folder)
    found.steps = {steps[name]: [Text(text)] for name, text in whole.items()}
    if host.shows_pictures:
        found.steps[VIEW].append(Picture("image/jpeg", JPEG))
    return judge(found)


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_a_model_that_saw_everything_is_a_row_without_bold(host: Host, tmp_path: Path) -> None:
    assert "**" not in "".join(seen_by(host, tmp_path).values())


@pytest.mark.parametrize(
    ("step", "text", "column"),
    [
        ("generate", "Sent. Call get_video_task.", "status"),
        ("generate", "Sent as task 2eb52cc9.", "next step"),
        ("wait", "Finished: /elsewhere/a-fox.mp4. Call view_video.", "file"),
        ("wait", "Finished: {folder}/videos/a-fox.mp4.", "next step"),
        ("view", IN_BASE64.rstrip("=") * 60, "picture"),
        ("models", "cogvideox-\n2\n3\nkling-video-\nv1\nv1-5", "whole model ids"),
        ("models", '{"cogvideox-": 2, "kling-video-": 11}', "whole model ids"),
        ("wrong", "params must NOT have additional properties", "our error"),
        ("wrong", "length: no such argument. Nothing was charged.", "our error"),
    ],
)
def test_what_a_model_did_not_see_is_in_bold(
    step: str, text: str, column: str, tmp_path: Path
) -> None:
    seen = seen_by(HOSTS[0], tmp_path, **{step: text.replace("{folder}", str(tmp_path))})

    assert [name for name, cell in seen.items() if "**" in cell] == [column]


def test_a_host_that_shows_no_pictures_must_get_the_sheets_path(tmp_path: Path) -> None:
    cline = next(host for host in HOSTS if host.name == "cline")

    assert seen_by(cline, tmp_path)["picture"] == "its path"
    assert "**" in seen_by(cline, tmp_path, view="A sheet was made.")["picture"]


def test_a_run_of_one_host_leaves_the_other_rows_as_they_are(tmp_path: Path) -> None:
    document = tmp_path / "clients.md"
    document.write_text(f"Before.\n{clients_table.START}\n{clients_table.END}\nAfter.\n", "utf-8")
    first, second = HOSTS[:2]

    clients_table.write_rows(document, {second.name: ("2.0", Observations(second, tmp_path))})
    clients_table.write_rows(document, {first.name: ("1.0", Observations(first, tmp_path))})
    clients_table.write_rows(document, {first.name: ("1.1", Observations(first, tmp_path))})

    text = document.read_text("utf-8")
    rows = [line.split(" | ")[:2] for line in text.splitlines() if line.startswith("| ")]
    assert rows[1:] == [[f"| {first.title}", "1.1"], [f"| {second.title}", "2.0"]]
    assert text.startswith("Before.\n")
    assert text.endswith("\nAfter.\n")


def test_the_published_table_has_a_row_for_every_pinned_host() -> None:
    here = Path(__file__).parent
    pinned = json.loads((here / "hosts" / "package.json").read_text("utf-8"))["dependencies"]
    text = (here.parent / "docs" / "clients.md").read_text("utf-8")
    table = text.partition(clients_table.START)[2].partition(clients_table.END)[0]

    for host in HOSTS:
        assert f"| {host.title} | {pinned[host.package]} |" in table, "run `make hosts`"
