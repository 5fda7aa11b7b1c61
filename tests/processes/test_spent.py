"""`geekai-video-mcp spent` as a person meets it: what was requested on each day, and its price."""

import json
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
    assert "Failed ones are, because they may have been charged." in " ".join(out.split())
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


async def test_months_and_models_have_their_sums(tmp_path: Path) -> None:
    today = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=1, microsecond=0)
    month = today - timedelta(days=10)
    long_ago = today - timedelta(days=500)
    await record_tasks(
        tmp_path / "state",
        task(today, 0.7, model="kling-v2-6"),
        task(month, 3.0, model="kling-v2-6"),
        task(month, 12.25, model="veo-3.1-generate-preview", status=Status.FAILED),
        task(month, None, model="m" * 64),
        task(long_ago, 99.0),
    )

    _, months, _ = await run_cli(tmp_path, "spent", "--by", "month", TZ="UTC")
    _, models, _ = await run_cli(tmp_path, "spent", "--by", "model", "--days", "45", TZ="UTC")
    _, lines, _ = await run_cli(tmp_path, "spent", "--by", "month", "--json", TZ="UTC")
    _, every, _ = await run_cli(
        tmp_path, "spent", "--by", "month", "--days", "999", "--json", TZ="UTC"
    )

    assert table(months) == [
        ["MONTH", "REQUESTS", "CNY", "PRICE UNKNOWN", "FAILED"],
        [f"{today:%Y-%m}", "1", "0.7", "0", "0"],
        [f"{month:%Y-%m}", "3", "15.25", "1", "1"],
        ["all", "4", "15.95", "1", "1"],
    ]
    assert [row[:3] for row in table(models)] == [
        ["MODEL", "REQUESTS", "CNY"],
        ["veo-3.1-generate-preview", "1", "12.25"],
        ["kling-v2-6", "2", "3.7"],
        ["m" * 64, "1", "0"],
        ["all", "4", "15.95"],
    ]
    assert json.loads(lines.splitlines()[1]) == {
        "month": f"{month:%Y-%m}",
        "requests": 3,
        "listed_cny": 15.25,
        "price_unknown": 1,
        "failed": 1,
    }
    assert len(every.splitlines()) == 3


async def test_numbers_stand_below_each_other_and_a_long_name_above_its_own(
    tmp_path: Path,
) -> None:
    now = datetime.now(UTC)
    await record_tasks(
        tmp_path / "state", task(now, 1234.5, model="m" * 64), task(now, 2.0, model="kling")
    )

    _, out, _ = await run_cli(tmp_path, "spent", "--by", "model", COLUMNS="80")

    lines = out.partition("\n\n")[0].splitlines()
    assert max(map(len, out.splitlines())) <= 80
    assert lines[0] == "MODEL"
    assert lines[2] == "m" * 64
    assert len({len(line) for line in lines[1::2]}) == 1
