"""`geekai-video-mcp spent` as a person meets it: what was requested on each day, and its price."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import (
    Task,
    new_task,
)
from support.ledgers import record_tasks
from support.process import run_cli

PAID = "https://geekai.co/api/v1#0123456789ab"
SANDBOX = "https://sandbox.invalid/api/v1"


def task(at: datetime, cny: float | None, **changes: Any) -> Task:  # noqa: ANN401 - any field's own type
    made = new_task(
        request={"model": "m", "prompt": "a fox"}, account=PAID, owner="a", at=at.timestamp()
    )
    priced = replace(made, price_cny=cny, price_source="a list", price_read_on="2026-04-25")
    return replace(priced, **{"status": Status.SUCCEED, **changes})


def table(out: str) -> list[list[str]]:
    return [re.split(r" {2,}", line.strip()) for line in out.partition("\n\n")[0].splitlines()]


async def test_each_day_has_its_requests_and_the_sum_of_their_prices(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    noon = now.replace(hour=0, minute=0, second=0, microsecond=0)
    before = noon - timedelta(hours=12)
    await record_tasks(
        tmp_path / "state",
        *(task(noon, 0.7, model=f"m{n}") for n in range(3)),
        task(noon, None),
        task(noon, 3.0, status=Status.FAILED),
        task(noon, 50.0, status=Status.REJECTED),
        task(noon, None, account=SANDBOX),
        task(noon, None, owner=None, attempt=0, provider_task_id="elsewhere"),
        task(before, 0.0),
        task(before, 24.0, status=Status.UNKNOWN),
        task(noon - timedelta(days=90), 7.0),
    )

    status, out, err = await run_cli(tmp_path, "spent", TZ="UTC")
    _, one_day, _ = await run_cli(tmp_path, "spent", "--days", "1", TZ="UTC")
    _, all_days, _ = await run_cli(tmp_path, "spent", "--days", "365", TZ="UTC")

    assert (status, err) == (0, "")
    assert table(out) == [
        ["DAY", "REQUESTS", "CNY", "PRICE UNKNOWN", "FAILED"],
        [noon.date().isoformat(), "5", "5.1", "1", "1"],
        [before.date().isoformat(), "2", "24", "0", "0"],
        ["all", "7", "29.1", "1", "1"],
    ]
    assert "Failed ones are, because\nthey may have been charged." in out
    assert len(table(one_day)) == 2
    assert table(all_days)[-1] == ["all", "8", "36.1", "1", "1"]


async def test_a_day_is_one_of_this_computers_time_zone(tmp_path: Path) -> None:
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    noon -= timedelta(days=2)
    await record_tasks(tmp_path / "state", task(noon - timedelta(hours=11), 1.0), task(noon, 2.0))

    _, utc, _ = await run_cli(tmp_path, "spent", TZ="UTC")
    _, west, _ = await run_cli(tmp_path, "spent", TZ="CST+6")

    assert [row[0] for row in table(utc)[1:]] == [noon.date().isoformat()]
    assert [row[0] for row in table(west)[1:3]] == [
        noon.date().isoformat(),
        (noon.date() - timedelta(days=1)).isoformat(),
    ]


async def test_nothing_is_made_where_nothing_was_requested(tmp_path: Path) -> None:
    status, out, err = await run_cli(tmp_path, "spent")

    assert (status, err) == (0, "")
    assert out == "No request to GeekAI in the last 30 days.\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("days", ["0", "-1", "many", "1.5", "99999999"])
async def test_a_number_of_days_that_is_none_is_refused(tmp_path: Path, days: str) -> None:
    status, out, err = await run_cli(tmp_path, "spent", f"--days={days}")

    assert (status, out) == (2, "")
    assert "number of days" in err
