"""The script of the conversation: which call comes next, after what the request already holds."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from hosts.apis.conversation import Call, Conversation, Item, Offer, Picture, Reply, Text

SERVER: Final = "video"
"""Our server's name in every host's configuration."""
TASK_ID: Final = "the task_id that generate_video returned"
TOOL_SEARCHES: Final = ("ToolSearch", "tool_search")
"""Tools of hosts that hold other tools back until the model searches for them."""

MAX_SEARCHES: Final = 2
"""For one tool: the first finds nothing if the host was faster than the server's start."""


class Step(NamedTuple):
    tool: str
    arguments: Mapping[str, Any]


PROMPT: Final = "a red fox in snow at dawn"
GENERATE, WAIT, VIEW, MODELS, WRONG = range(5)
STEPS: Final = (
    Step("generate_video", {"prompt": PROMPT, "duration": 2, "size": "640x360"}),
    Step("get_video_task", {"task_id": TASK_ID, "wait_seconds": 45}),
    Step("view_video", {"task_id": TASK_ID}),
    Step("list_video_models", {}),
    Step("generate_video", {"prompt": PROMPT, "length": 5}),
)


class Script:
    """Answers for the model, request by request.

    A host may drop the start of a long conversation, so a step that was once seen done is done.
    """

    def __init__(self) -> None:
        self._done = 0
        self._task_id = "no-task-id-was-received"

    def reply(self, conversation: Conversation) -> Reply:
        """The model's next turn."""
        search = next((o for o in conversation.offers if o.name in TOOL_SEARCHES), None)
        if not search and not any(_find_offer(conversation, step.tool) for step in STEPS):
            return Reply("Noted.")  # a question of the host's own, such as for a title
        received = received_by_step(conversation)
        self._task_id = _find_task_id(received.get(GENERATE, [])) or self._task_id
        self._done = max([self._done, *(at + 1 for at in received)])
        for at, step in enumerate(STEPS[self._done :], start=self._done):
            reply = self._call(step, conversation, search)
            if reply:
                return reply
            self._done = at + 1  # a tool that is not there cannot be called
        return Reply("The conversation is finished.")

    def _call(self, step: Step, conversation: Conversation, search: Offer | None) -> Reply | None:
        offer = _find_offer(conversation, step.tool)
        if offer:
            return Reply("", offer, self._fill_in(step.arguments))
        if not search:
            return None
        if _count_searches(conversation, step.tool) < MAX_SEARCHES:
            name = f"mcp__{SERVER}__{step.tool}"
            exact = {"query": f"select:{name}", "max_results": 5}
            query = exact if search.name == "ToolSearch" else {"query": step.tool}
            return Reply("", search, query)
        return None

    def _fill_in(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            name: self._task_id if value is TASK_ID else value for name, value in arguments.items()
        }


def received_by_step(conversation: Conversation) -> dict[int, list[Item]]:
    """What the model received after each call of the script that the conversation holds."""
    found: dict[int, list[Item]] = {}
    step: int | None = None
    following = 0
    for item in conversation.items:
        if isinstance(item, Call):
            step = _find_step(item, following)
            if step is not None:
                found[step] = []
                following = step + 1
        elif step is not None:
            found[step].append(item)
    return found


def joined_text(items: list[Item]) -> str:
    return "\n".join(item.text for item in items if isinstance(item, Text))


def pictures(items: list[Item]) -> list[Picture]:
    return [item for item in items if isinstance(item, Picture)]


def _find_step(call: Call, following: int) -> int | None:
    """The first step from *following* on that is this call; None for calls of the host's tools."""
    is_wrong = "length" in json.dumps(call.arguments)
    for at, step in enumerate(STEPS[following:], start=following):
        if call.tool.endswith(step.tool) and is_wrong == (at == WRONG):
            return at
    return None


def _find_offer(conversation: Conversation, tool: str) -> Offer | None:
    return next((o for o in conversation.offers if o.name.endswith(tool)), None)


def _count_searches(conversation: Conversation, tool: str) -> int:
    return sum(
        isinstance(item, Call) and item.tool in TOOL_SEARCHES and tool in json.dumps(item.arguments)
        for item in conversation.items
    )


def _find_task_id(items: list[Item]) -> str | None:
    """A whole id, or a short one of eight hex digits with a letter other than e among them."""
    text = joined_text(items)
    found = re.search(r"\b[0-9a-f]{32}\b", text) or re.search(
        r"\b(?=[0-9e]*[abcdf])[0-9a-f]{8}\b(?!-)", text
    )
    return found[0] if found else None
