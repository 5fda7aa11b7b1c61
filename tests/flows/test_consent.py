"""Where the operator wants it, a person is asked before anything is paid for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio
import pytest
from mcp import Client, MCPError
from mcp.client.session import ClientRequestContext
from mcp_types import (
    ElicitRequestFormParams,
    ElicitRequestParams,
    ElicitResult,
    InputRequiredResult,
)

from geekai_video_mcp.config import CONFIRM_ALWAYS, SANDBOX_URL
from geekai_video_mcp.domain.admission import Limits
from geekai_video_mcp.server.confirmation import ANSWER_TIMEOUT, INPUT_KEY
from support.fake_geekai import always_answer, api_error, documented_reply
from support.tasks import Tasks
from support.world import World, call, structured, text

pytestmark = pytest.mark.both_eras

EACH = "cogvideox-3"
"""1 CNY a video, by the packaged list."""
OLD = pytest.mark.parametrize("era", ["legacy"])
NEW = pytest.mark.parametrize("era", ["auto"])
"""Where the reply comes with the call: for what and how often, a client may be wrong."""
APPROVED: Mapping[str, Any] = {"approve": True}
YES = ElicitResult(action="accept", content=dict(APPROVED))


@dataclass
class Person:
    """Reads the question and answers; None: says nothing at all."""

    says: Literal["accept", "decline", "cancel"] | None = "accept"
    filled_in: Mapping[str, Any] | None = field(default_factory=lambda: APPROVED)
    read: list[str] = field(default_factory=list[str])
    forms: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])

    async def __call__(
        self, context: ClientRequestContext, params: ElicitRequestParams
    ) -> ElicitResult:
        del context
        assert isinstance(params, ElicitRequestFormParams)
        self.read.append(params.message)
        self.forms.append(params.requested_schema)
        if self.says is None:
            await anyio.sleep_forever()
        content = None if self.filled_in is None else dict(self.filled_in)
        return ElicitResult(action=self.says or "cancel", content=content)


@pytest.fixture(autouse=True)
def ask_before_paying(world: World) -> None:
    world.confirm_above = CONFIRM_ALWAYS


async def test_the_default_asks_nobody(world: World) -> None:
    world.confirm_above, person = None, Person()
    async with world.client(person=person) as client:
        await call(client, "generate_video", prompt="a fox", model=EACH)

    assert person.read == []
    assert world.service.charges == ["a fox"]


@pytest.mark.parametrize("tool", ["generate_video", "generate_image"])
async def test_a_yes_pays_once(world: World, tool: str) -> None:
    person = Person()
    async with world.client(person=person) as client:
        made = await call(client, tool, prompt="a fox")

    assert not made.is_error
    assert structured(made)["task_status"] in {"pending", "succeed"}
    assert structured(made).get("deduplicated") is None
    assert len(person.read) == 1
    assert world.service.charges == ["a fox"]


async def test_the_question_holds_what_is_sent_what_it_costs_and_what_is_left(
    world: World,
) -> None:
    world.limits, person = Limits(per_day=5, in_flight=3), Person()
    async with world.client(person=person) as client:
        await call(client, "generate_video", prompt="a fox", model="sora-2", duration=8, retries=1)
        await call(client, "generate_video", prompt="two", model="unheard-of")

    known, unknown = person.read
    assert known.startswith(
        "Approve this paid request to sora-2 for a video: retries 1, 8 s. It costs about 6 CNY:"
        " 8 s at 0.75 CNY per second (geekai.co/models, official channel, read 2026-04-25). The"
        " caps leave 5 more today, and 3 at the same time. "
    )
    assert "which may cost more" in known
    assert known.endswith('Prompt: "a fox".')
    assert "Its price is not known here" in unknown
    assert "CNY" not in unknown
    assert "4 more today, and 2 at the same time" in unknown


@pytest.mark.parametrize("says", ["decline", "cancel"])
async def test_anything_but_yes_charges_nothing(
    world: World, says: Literal["decline", "cancel"]
) -> None:
    async with world.client(person=Person(says=says)) as client:
        refused = await call(client, "generate_video", prompt="a fox")

    assert refused.is_error
    assert "Nothing was charged." in text(refused)
    assert ("The user or their client declined." in text(refused)) == (says == "decline")
    assert "Ask the user" in text(refused)
    assert world.service.requests == []


@pytest.mark.parametrize(
    "filled_in",
    [None, {}, {"approve": False}, {"approve": "true"}, {"approve": 1}, {"approved": True}],
    ids=str,
)
async def test_a_form_that_comes_back_without_a_yes_is_a_no(
    world: World, filled_in: Mapping[str, Any] | None
) -> None:
    """A host may accept a form by itself, with nothing in it."""
    async with world.client(person=Person(filled_in=filled_in)) as client:
        refused = await call(client, "generate_video", prompt="a fox")

    assert refused.is_error
    assert text(refused).startswith("The user or their client declined. Nothing was charged. ")
    assert "came back without approve: true" in text(refused)
    assert world.service.requests == []


@pytest.mark.parametrize(
    ("tool", "model", "asks_for", "price"),
    [
        (
            "generate_video",
            EACH,
            "a video from cogvideox-3",
            "It costs about 1 CNY, the listed price",
        ),
        ("generate_video", "m", "a video from m", "price is not known"),
        ("generate_image", "m", "an image from m", "price is not known"),
    ],
)
async def test_the_form_has_one_required_answer_that_says_what_is_paid_for(
    world: World, tool: str, model: str, asks_for: str, price: str
) -> None:
    person = Person()
    async with world.client(person=person) as client:
        await call(client, tool, prompt="a fox", model=model)

    (form,) = person.forms
    (approve,) = form["properties"].values()
    assert form["required"] == ["approve"]
    assert set(approve) == {"type", "title", "description"}
    assert approve["type"] == "boolean"
    assert asks_for in approve["description"]
    assert price in approve["description"]
    assert "nothing is charged" in approve["description"]


async def test_a_client_that_cannot_ask_is_shown_the_policy_and_the_remedies(world: World) -> None:
    world.confirm_above = 0.5
    async with world.client() as client:
        refused = await call(client, "generate_video", prompt="a fox", model=EACH)

    assert refused.is_error
    assert "GEEKAI_CONFIRM=above:0.5" in text(refused)
    assert "Nothing was charged." in text(refused)
    assert "dry_run shows the price" in text(refused)
    assert world.service.requests == []


@pytest.mark.parametrize(
    ("above", "arguments", "asks"),
    [
        pytest.param(CONFIRM_ALWAYS, {"model": "cogvideox-flash"}, True, id="always: free as well"),
        pytest.param(0.0, {"model": "cogvideox-flash"}, False, id="free"),
        pytest.param(0.0, {"model": "cogvideox-flash", "retries": 2}, False, id="free each time"),
        pytest.param(1.0, {"model": EACH}, False, id="not above"),
        pytest.param(0.99, {"model": EACH}, True, id="above"),
        pytest.param(9.0, {"model": EACH, "retries": 2}, True, id="perhaps several times"),
        pytest.param(9.0, {"model": EACH, "extra_body": {"x": 1}}, True, id="perhaps another"),
        pytest.param(9.0, {"model": "unheard-of"}, True, id="unknown"),
        pytest.param(9.0, {"model": "super-video-2.0"}, True, id="of an unknown length"),
        pytest.param(9.0, {"model": "sora-2", "duration": 8}, False, id="of a known length"),
        pytest.param(2.99, {"model": "sora-2"}, True, id="above, at its default length"),
        pytest.param(3.0, {"model": "sora-2"}, False, id="not above, at its default length"),
    ],
)
async def test_who_costs_more_than_the_limit_by_all_that_is_known_is_asked_about(
    world: World, above: float, arguments: dict[str, Any], *, asks: bool
) -> None:
    world.confirm_above, person = above, Person(says="decline")
    async with world.client(person=person) as client:
        made = await call(client, "generate_video", prompt="a fox", **arguments)

    assert bool(person.read) == asks == bool(made.is_error)
    assert world.service.charges == ([] if asks else ["a fox"])


async def test_the_free_model_of_pictures_counts_as_free(world: World) -> None:
    world.confirm_above, person = 0.0, Person(says="decline")
    async with world.client(person=person) as client:
        free = await call(client, "generate_image", prompt="a fox")
        unknown = await call(client, "generate_image", prompt="a fox", model="m")

    assert not free.is_error
    assert unknown.is_error
    assert len(person.read) == 1


async def test_dry_runs_repeats_and_the_sandbox_ask_nobody(world: World) -> None:
    person = Person()
    async with world.client(person=person) as client:
        await call(client, "generate_video", prompt="a fox", dry_run=True)
        assert person.read == []
        first = structured(await call(client, "generate_video", prompt="a fox"))
        again = structured(await call(client, "generate_video", prompt="a fox"))
    world.account = SANDBOX_URL
    async with world.client(person=person) as client:
        await call(client, "generate_video", prompt="two")

    assert again["task_id"] == first["task_id"]
    assert again["deduplicated"]
    assert len(person.read) == 1


async def test_nobody_is_asked_for_what_a_cap_forbids(world: World) -> None:
    world.limits, person = Limits(per_day=0, in_flight=1), Person()
    async with world.client(person=person) as client:
        refused = await call(client, "generate_video", prompt="a fox")

    assert "GEEKAI_MAX_VIDEOS_PER_DAY" in text(refused)
    assert person.read == []


async def test_a_task_comes_after_the_question_for_clients_of_the_extension(world: World) -> None:
    person, tasks = Person(), Tasks()
    async with world.client(person=person, extensions=[tasks]) as client:
        await call(client, "generate_video", prompt="a fox")

    assert len(person.read) == 1
    assert bool(tasks.results) == (world.era == "auto")
    assert world.service.charges == ["a fox"]


@OLD
async def test_a_person_who_says_nothing_has_not_agreed(world: World) -> None:
    began = anyio.current_time()
    async with world.client(person=Person(says=None)) as client:
        with anyio.fail_after(ANSWER_TIMEOUT + 60):
            refused = await client.call_tool("generate_video", {"prompt": "a fox"})
        took = anyio.current_time() - began

    assert took == pytest.approx(ANSWER_TIMEOUT, abs=5)
    assert "did not answer" in text(refused)
    assert world.service.requests == []


@NEW
async def test_a_reply_sent_again_finds_the_task_that_it_has_paid_for(world: World) -> None:
    async with world.client(person=Person()) as client:
        pending = await get_question(client, prompt="a fox")
        first = structured(await answer_yes(client, pending, prompt="a fox"))
        soon = structured(await answer_yes(client, pending, prompt="a fox"))
        await call(client, "get_video_task", task_id=first["task_id"], wait_seconds=45)
        await anyio.sleep(120)  # the same request is a new wish by now
        late = structured(await answer_yes(client, pending, prompt="a fox"))
        fresh = await get_question(client, prompt="a fox")

    assert soon["task_id"] == late["task_id"] == first["task_id"]
    assert soon["deduplicated"] is late["deduplicated"] is True
    assert isinstance(fresh, InputRequiredResult)
    assert world.service.charges == ["a fox"]


@NEW
async def test_replies_sent_at_the_same_time_pay_once(world: World) -> None:
    made: list[str] = []
    async with world.client(person=Person()) as client:
        pending = await get_question(client, prompt="a fox")

        async def once() -> None:
            made.append(structured(await answer_yes(client, pending, prompt="a fox"))["task_id"])

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(once)

    assert len(set(made)) == 1
    assert world.service.charges == ["a fox"]


@NEW
async def test_a_reply_for_what_was_refused_is_used_up_as_well(world: World) -> None:
    async with world.client(person=Person()) as client:
        pending = await get_question(client, prompt="a fox")
        world.service.before_charge = always_answer(api_error(400, "invalid", "no"))
        first = structured(await answer_yes(client, pending, prompt="a fox"))
        world.service.before_charge = documented_reply
        again = structured(await answer_yes(client, pending, prompt="a fox"))

    assert again["task_id"] == first["task_id"]
    assert world.service.charges == []


@pytest.mark.parametrize("other", [{"prompt": "a bear"}, {"prompt": "a fox", "variation": 2}])
@NEW
async def test_a_reply_is_good_for_its_own_arguments_alone(
    world: World, other: Mapping[str, Any]
) -> None:
    async with world.client(person=Person()) as client:
        pending = await get_question(client, prompt="a fox")
        with pytest.raises(MCPError) as caught:
            await answer_yes(client, pending, **other)

    assert caught.value.code == -32602
    assert world.service.requests == []


@NEW
async def test_an_answer_to_no_question_is_asked_anew(world: World) -> None:
    async with world.client(person=Person()) as client:
        result = await client.session.call_tool(
            "generate_video",
            {"prompt": "a fox"},
            input_responses={INPUT_KEY: YES},
            allow_input_required=True,
        )

    assert isinstance(result, InputRequiredResult)
    assert world.service.requests == []


@NEW
async def test_what_another_server_has_sealed_is_refused(world: World) -> None:
    async with world.client(person=Person()) as client:
        pending = await get_question(client, prompt="a fox")
    async with world.client(person=Person()) as client:
        with pytest.raises(MCPError) as caught:
            await answer_yes(client, pending, prompt="a fox")

    assert caught.value.code == -32602
    assert world.service.requests == []


async def get_question(client: Client, **arguments: Any) -> InputRequiredResult:  # noqa: ANN401 - JSON
    """What the server asks before it makes this call's video."""
    result = await client.session.call_tool("generate_video", arguments, allow_input_required=True)
    assert isinstance(result, InputRequiredResult)
    return result


async def answer_yes(client: Client, pending: InputRequiredResult, **arguments: Any) -> Any:  # noqa: ANN401 - JSON
    """The same call with a yes."""
    assert pending.input_requests
    return await client.session.call_tool(
        "generate_video",
        arguments,
        input_responses=dict.fromkeys(pending.input_requests, YES),
        request_state=pending.request_state,
        allow_input_required=True,
    )
