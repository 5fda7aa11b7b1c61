"""What people ask for: sent, translated, warned of or refused, alike in a dry run and for money.

The table is `wishes.toml`, beside this file. Every row is a call on the tool.
"""

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import pytest

from geekai_video_mcp.domain.catalogue import check_request, models
from geekai_video_mcp.errors import RequestRefused
from support.world import World, call, structured, text

Verdict = Literal["sent", "translated", "warned", "refused", "refused_by_maker", "unknown_model"]
REFUSED: Final = {"refused", "refused_by_maker", "unknown_model"}
PROMPT: Final = "a fox in the snow"
SETTING: Final = "GEEKAI_CHECKS=warn"


class Wish(NamedTuple):
    """A row of the table, whose head says what each member is."""

    wish: str
    model: str
    asks: dict[str, Any]
    verdict: Verdict
    sends: dict[str, Any] | None = None
    to: str = ""
    says: tuple[str, ...] = ()
    prompt: int = len(PROMPT)

    @property
    def arguments(self) -> dict[str, Any]:
        """What the tool is called with."""
        return {"model": self.model, "prompt": PROMPT.ljust(self.prompt, "."), **self.asks}

    @property
    def body(self) -> dict[str, Any]:
        """What GeekAI is sent."""
        kept = self.asks if self.sends is None else self.sends
        prompt = self.arguments["prompt"]
        return {"model": self.to or self.model, "prompt": prompt, **kept, "async": True}


WISHES: Final = [
    Wish(**row)
    for row in tomllib.loads((Path(__file__).parent / "wishes.toml").read_text("utf-8"))["wishes"]
]


def of(verdict: Verdict) -> list[Wish]:
    return [one for one in WISHES if one.verdict == verdict]


def each(wishes: list[Wish]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("wish", wishes, ids=lambda wish: f"{wish.model}: {wish.wish}")


@pytest.fixture
def world(tmp_path: Path, virtual_time: None) -> World:
    """A service that lists the models of the catalogue, as if nothing had changed since."""
    del virtual_time
    made = World(tmp_path, base_url="https://geekai.co/api/v1")
    made.service.models = [
        {"id": name, "type": "video", "status": "active", "created": 1} for name in models()
    ]
    return made


@each(WISHES)
async def test_a_wish_meets_the_same_in_a_dry_run_and_in_the_call(world: World, wish: Wish) -> None:
    async with world.client() as client:
        foreseen = await call(client, "generate_video", **wish.arguments, dry_run=True)
        made = await call(client, "generate_video", **wish.arguments)

    for words in wish.says:
        assert words in text(foreseen)
        assert words in text(made)
    posts = [one for one in world.service.requests if one.method == "POST"]
    assert foreseen.is_error == made.is_error == (wish.verdict in REFUSED)
    assert len(posts) == (0 if made.is_error else 1)
    if made.is_error:
        assert text(foreseen) == text(made)
        assert "Nothing was charged." in text(made)
        assert (SETTING in text(made)) == (wish.verdict == "refused_by_maker")
        return
    (job,) = world.service.jobs.values()
    warnings = structured(made).get("warnings", [])
    assert job.body == structured(foreseen)["dry_run"]["request"] == wish.body
    assert structured(foreseen)["dry_run"].get("warnings", []) == warnings
    assert bool(warnings) == (wish.verdict != "sent")


@each([*of("refused"), *of("refused_by_maker")])
def test_a_refusal_has_its_code(wish: Wish) -> None:
    if "must have this shape" in wish.says:  # which is found as the argument is read
        return
    with pytest.raises(RequestRefused) as refused:
        check_request(wish.arguments)

    assert refused.value.code == "not_taken"


@each(of("refused_by_maker"))
def test_what_the_maker_documents_is_a_warning_if_the_operator_says_so(wish: Wish) -> None:
    checked = check_request(wish.arguments, checks="warn")

    assert all(checked.body[name] == value for name, value in wish.asks.items())
    assert checked.warnings


def test_the_table_has_sixty_wishes_of_every_kind() -> None:
    found = Counter(one.verdict for one in WISHES)

    assert len(WISHES) == len({one.wish for one in WISHES}) >= 60
    assert min(found[verdict] for verdict in ("sent", "translated", "warned", "refused")) >= 10
    assert found["refused_by_maker"] >= 10
    assert {models()[one.to or one.model].group for one in WISHES if one.model != "kling"} >= {
        *("Zhipu", "Vidu", "MiniMax", "Kling", "Seedance", "Jimeng", "Veo", "Sora", "Wan"),
    }
