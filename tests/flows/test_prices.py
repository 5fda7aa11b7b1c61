"""What a request costs by the price list is told before it is sent, and kept with its task."""

import sqlite3
from contextlib import closing
from typing import Any

import anyio
import pytest

from geekai_video_mcp.config import SANDBOX_URL
from geekai_video_mcp.domain.admission import Forecast
from geekai_video_mcp.domain.catalogue import Cost, costs
from geekai_video_mcp.domain.tasks import new_task
from geekai_video_mcp.ledger import Ledger
from geekai_video_mcp.server import views
from support.fake_geekai import always_answer, api_error
from support.world import World, call, structured, text

URL = "https://example.com/1.png"
LIST = "geekai.co/models, official channel, read 2026-04-25"
TWENTY: list[tuple[str, dict[str, Any], float | None, str]] = [
    # Free.
    ("cogvideox-flash", {}, 0, "It is listed as free of charge"),
    # Per video, however long: 0.5, once.
    ("cogvideox-2", {}, 0.5, "0.5 CNY, the listed price per video"),
    # Per video: 10 s cost as much as 5 s.
    ("cogvideox-3", {"duration": 10}, 1, "1 CNY, the listed price per video"),
    # Per video.
    ("MiniMax-Hailuo-2.3", {"duration": 10}, 2, "2 CNY, the listed price per video"),
    # Per video, with a first frame.
    ("MiniMax-Hailuo-2.3-Fast", {"image": URL}, 1.35, "1.35 CNY, the listed price per video"),
    # Per video, to three decimals.
    ("vidu-q1", {}, 3.125, "3.125 CNY, the listed price per video"),
    # 8 s x 3.
    ("veo-3.1-generate-preview", {"duration": 8}, 24, "24 CNY: 8 s at 3 CNY per second"),
    # Its own default length: 4 s x 3.
    ("veo-3.1-generate-preview", {}, 12, "12 CNY: 4 s at 3 CNY per second"),
    # It makes 8 s at 1080p: 8 s x 1.125.
    (
        "veo-3.1-fast-generate-preview",
        {"resolution": "1080p"},
        9,
        "9 CNY: 8 s at 1.125 CNY per second",
    ),
    # It makes 8 s with references: 8 s x 3.
    (
        "veo-3.1-generate-preview",
        {"images": [URL]},
        24,
        "24 CNY: 8 s at 3 CNY per second",
    ),
    # 6 s x 0.375 = 2.25.
    (
        "veo-3.1-lite-generate-preview",
        {"duration": 6, "resolution": "720p"},
        2.25,
        "2.25 CNY: 6 s at 0.375 CNY per second",
    ),
    # 4 s is the default of sora-2: 4 x 0.75.
    ("sora-2", {}, 3, "3 CNY: 4 s at 0.75 CNY per second"),
    # 12 s x 2.25.
    ("sora-2-pro", {"duration": 12}, 27, "27 CNY: 12 s at 2.25 CNY per second"),
    # 5 s is the default: 5 x 0.5.
    ("doubao-seedance-2.0", {}, 2.5, "2.5 CNY: 5 s at 0.5 CNY per second"),
    # 15 s x 0.4.
    ("doubao-seedance-2.0-fast", {"duration": 15}, 6, "6 CNY: 15 s at 0.4 CNY per second"),
    # 12 s x 0.35 = 4.2, and not 4.199999.
    ("doubao-seedance-1.5-pro", {"duration": 12}, 4.2, "4.2 CNY: 12 s at 0.35 CNY per second"),
    # 7 s x 0.313 = 2.191.
    (
        "viduq2-pro",
        {"image": URL, "duration": 7},
        2.191,
        "2.191 CNY: 7 s at 0.313 CNY per second",
    ),
    # The length that veo-3.0-generate-001 makes without a duration is not known.
    ("veo-3.0-generate-001", {}, None, "The listed price is 3 CNY per second"),
    # 10 s x 0.5, which is listed for 768P.
    (
        "MiniMax-H3",
        {"duration": 10, "resolution": "768P"},
        5,
        "5 CNY: 10 s at 0.5 CNY per second at 768P",
    ),
    # No price is known but a range.
    ("kling-video-v2-6", {"duration": 10}, None, "Its price is not known here"),
]
"""Twenty requests: the model, its settings, the total worked out by hand, and how it is told."""
twenty = pytest.mark.parametrize(("model", "settings", "total", "told"), TWENTY)


@pytest.fixture
def sandboxed(world: World) -> World:
    return World(world.folder, era=world.era, service=world.service, account=SANDBOX_URL)


async def dry_run(world: World, **arguments: Any) -> tuple[dict[str, Any], str]:  # noqa: ANN401 - JSON
    async with world.client() as client:
        arguments = {"prompt": "a fox", **arguments, "dry_run": True}
        shown = await call(client, "generate_video", **arguments)
    return structured(shown)["dry_run"], text(shown)


@twenty
async def test_a_dry_run_tells_the_total_of_what_will_be_made(
    world: World, model: str, settings: dict[str, Any], total: float | None, told: str
) -> None:
    view, message = await dry_run(world, model=model, **settings)

    assert view.get("cost_cny") == total
    assert told in view["price"]
    assert view["price"] in message
    assert "cost_with_key_cny" not in view
    assert (f"({LIST})" in view["price"]) == (model not in {"kling-video-v2-6", "MiniMax-H3"})


@twenty
async def test_in_the_sandbox_it_is_free_and_tells_the_same_total_with_a_key(
    sandboxed: World, model: str, settings: dict[str, Any], total: float | None, told: str
) -> None:
    view, message = await dry_run(sandboxed, model=model, **settings)

    assert view["cost_cny"] == 0
    assert view.get("cost_with_key_cny") == total
    assert view["price"].startswith("A sandbox preview is free; ")
    if total:
        assert told in view["price"]
    assert view["price"] in message


async def test_the_sandboxs_price_is_told_as_one_sentence(sandboxed: World) -> None:
    veo, _ = await dry_run(sandboxed, model="veo-3.1-generate-preview", resolution="4k")
    vidu, _ = await dry_run(sandboxed, model="super-video-2.0")
    own, _ = await dry_run(sandboxed, model="sandbox")
    kling, _ = await dry_run(sandboxed, model="kling-video-v2-6")

    assert veo["price"] == (
        "A sandbox preview is free; with a key it would cost about 24 CNY: 8 s at 3 CNY per second"
        f" ({LIST})."
    )
    assert vidu["price"] == (
        f"A sandbox preview is free; with a key the price is 0.72 CNY per second ({LIST}); give"
        " duration to know the total."
    )
    assert own["price"] == (
        "A sandbox preview is free; with a key, its model is cogvideox-flash, also free of charge"
        f" ({LIST})."
    )
    assert own["cost_with_key_cny"] == 0
    assert kling["price"] == (
        "A sandbox preview is free; what it would cost with a key is not known here."
    )


@pytest.mark.parametrize(
    ("default", "said", "total"),
    [
        ("veo-3.1-generate-preview", ", for about 12 CNY: 4 s at 3 CNY per second (", 12),
        ("super-video-2.0", ", at 0.72 CNY per second (", None),
        ("kling-video-v3", ", at a price that is not known here.", None),
    ],
)
def test_the_sandboxs_model_is_priced_as_the_default_model_of_the_configuration(
    default: str, said: str, total: float | None
) -> None:
    request = {"model": "sandbox", "prompt": "a fox"}
    task = new_task(request=request, account=SANDBOX_URL, owner="a", at=0.0)
    shown = views.dry_run(Forecast(task=task), default_model=default, sandbox=True).dry_run

    assert shown is not None
    assert shown.price.startswith(
        f"A sandbox preview is free; with a key, its model is {default}{said}"
    )
    assert (shown.cost_cny, shown.cost_with_key_cny) == (0, total)


async def test_the_price_at_one_resolution_is_not_taken_for_that_of_another(world: World) -> None:
    view, _ = await dry_run(world, model="MiniMax-H3", duration=10, resolution="2K")

    assert "cost_cny" not in view
    assert view["price"] == (
        "The listed price is 0.5 CNY per second at 768P (an integration of September 2026, read"
        " 2026-11-22); what it costs with these settings is not known."
    )


async def test_the_free_model_of_pictures_has_a_price(world: World) -> None:
    async with world.client() as client:
        shown = await call(client, "generate_image", prompt="a fox", dry_run=True)
        other = await call(client, "generate_image", prompt="a fox", model="m", dry_run=True)

    free = structured(shown)["dry_run"]
    assert free["cost_cny"] == 0
    assert free["price"] == (
        "It is listed as free of charge (GeekAI's image guide, read 2026-11-22)."
    )
    assert "cost_cny" not in structured(other)["dry_run"]


async def test_a_sent_request_of_unknown_price_says_so_once(world: World) -> None:
    async with world.client() as client:
        sent = await call(client, "generate_video", prompt="a fox", model="kling-video-v2-6")
        priced = await call(client, "generate_video", prompt="a fox", model="sora-2")
        task_id = structured(sent)["task_id"]
        polled = await call(client, "get_video_task", task_id=task_id, wait_seconds=0)

    assert "Its price is not known here." in text(sent)
    assert structured(sent)["price_note"] == "Its price is not known here."
    assert "price is not known" not in text(priced) + text(polled)


async def test_the_price_of_a_task_is_that_of_its_day_whatever_the_list_says_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.client() as client:
        made = await call(client, "generate_video", prompt="a fox", model="sora-2", duration=8)
        task_id = structured(made)["task_id"]

    def dearer(*_: object, **__: object) -> Cost | None:
        pytest.fail("the price of a recorded task was worked out again")

    monkeypatch.setattr(costs, "price", dearer)
    async with world.client() as client:
        done = await call(client, "get_video_task", task_id=task_id, wait_seconds=45)
        listed = await call(client, "list_video_tasks")

    said = "listed at 6 CNY on 2026-04-25"
    assert f"{said} by geekai.co/models, official channel." in text(made)
    assert f"{said}." in text(done)
    for shown in (structured(made), structured(done)):
        assert (shown["price_cny"], shown["price_date"]) == (6, "2026-04-25")
    assert structured(made)["price_source"] == "geekai.co/models, official channel"
    assert structured(listed)["sum_cny"] == 6
    assert structured(listed)["price_source"] == LIST
    assert f"Known prices of these: 6 CNY. Listed by {LIST}." in text(listed)


async def test_a_refused_request_cost_nothing_and_shows_no_price(world: World) -> None:
    world.service.before_charge = always_answer(api_error(400, "bad", "no"))
    async with world.client() as client:
        refused = await call(client, "generate_video", prompt="a fox", model="sora-2")
        listed = await call(client, "list_video_tasks")

    assert "CNY" not in text(refused) + text(listed)
    assert "price_cny" not in structured(refused)
    assert "sum_cny" not in structured(listed)


async def test_a_failed_video_shows_what_may_have_been_charged(world: World) -> None:
    world.service.error = {"code": "moderation", "message": "no"}
    async with world.client() as client:
        made = await call(client, "generate_video", prompt="a fox", model="sora-2")
        task_id = structured(made)["task_id"]
        failed = await call(client, "get_video_task", task_id=task_id, wait_seconds=45)

    assert structured(failed)["task_status"] == "failed"
    assert structured(failed)["price_cny"] == 3
    assert "listed at 3 CNY" in text(failed)


async def test_previews_and_tasks_made_elsewhere_have_no_price(
    world: World, sandboxed: World
) -> None:
    async with world.client() as client:
        made = structured(await call(client, "generate_video", prompt="a", model="sora-2"))
    elsewhere = World(world.folder / "elsewhere", era=world.era, service=world.service)
    async with elsewhere.client() as client:
        provider_id = world.provider_id(made["task_id"])
        imported = structured(await call(client, "get_video_task", task_id=provider_id))
    async with sandboxed.client() as client:
        preview = structured(await call(client, "generate_video", prompt="b", model="sora-2"))

    for task_id, where in ((imported["task_id"], elsewhere), (preview["task_id"], sandboxed)):
        task = await where.find_task(task_id)
        assert (task.price_cny, task.price_source, task.price_read_on) == (None, None, None)
    assert "price_note" not in preview


@pytest.mark.exhaustive
async def test_a_page_of_several_days_has_the_sum_of_each(world: World) -> None:
    async with world.client() as client:
        await call(client, "generate_video", prompt="one", model="doubao-seedance-1.5-pro")
        await anyio.sleep(24 * 3600)
        for prompt in ("two", "three"):
            await call(client, "generate_video", prompt=prompt, model="cogvideox-2")
        await anyio.sleep(1)
        await call(client, "generate_video", prompt="four", model="MiniMax-H3", duration=4)
        listed = await call(client, "list_video_tasks")
        today = await call(client, "list_video_tasks", limit=3)

    assert structured(listed)["sum_cny"] == 4.75
    assert structured(listed)["sums_by_day"] == {"2026-09-22": 3.0, "2026-09-21": 1.75}
    assert (
        "Known prices of these: 4.75 CNY (by day, UTC: 2026-09-22 3 CNY, 2026-09-21 1.75 CNY)."
        f" Listed by {LIST}."
    ) in text(listed)
    assert "sums_by_day" not in structured(today)
    four = structured(listed)["tasks"][0]
    assert four["price_source"] == "an integration of September 2026, read 2026-11-22"
    assert "2 CNY by an integration of September 2026, read 2026-11-22" in text(listed)


async def test_what_an_earlier_version_recorded_has_no_price(world: World) -> None:
    """Nothing is made up for it: its list is not known."""
    async with world.client() as client:
        made = structured(await call(client, "generate_video", prompt="a", model="sora-2"))
    with closing(sqlite3.connect(world.state / "ledger.sqlite3")) as disk:
        newer = ("price_cny", "price_source", "price_read_on", "waits_for", "ready_at", "ignored")
        disk.execute("DROP INDEX task_reserved")
        of_tenants = "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql LIKE '%tenant%'"
        for (name,) in disk.execute(of_tenants).fetchall():
            disk.execute(f"DROP INDEX {name}")
        for table in ("task", "event", "body"):
            disk.execute(f"ALTER TABLE {table} DROP COLUMN tenant")
        for column in newer:
            disk.execute(f"ALTER TABLE task DROP COLUMN {column}")
        disk.execute("PRAGMA user_version=5")
        disk.commit()
    async with world.client() as client:
        listed = structured(await call(client, "list_video_tasks"))
        again = await call(client, "generate_video", prompt="a hare", model="sora-2")
    ledger = await Ledger.open(world.state)
    await ledger.close()

    assert [task["task_id"] for task in listed["tasks"]] == [made["task_id"]]
    assert "price_cny" not in listed["tasks"][0]
    assert structured(again)["price_cny"] == 3
