"""The commands with `--tenant`: the tasks of one tenant, as the operator sees them."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from geekai_video_mcp.cli.checks.ledger import check_tasks
from geekai_video_mcp.config import Settings
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import Task, new_task
from support.ledgers import record_tasks
from support.process import environment, run_cli

PAID = "https://geekai.co/api/v1#0123456789ab"


def task(tenant: str, prompt: str, **changes: Any) -> Task:  # noqa: ANN401 - any field's own type
    made = new_task(
        request={"model": "m", "prompt": prompt},
        account=PAID,
        owner="gone",
        at=time.time() - 60,
        tenant=tenant,
    )
    priced = replace(made, price_cny=2.5, price_source="a list", price_read_on="2026-04-25")
    return replace(priced, status=Status.UNKNOWN, submitted_at=made.created_at, **changes)


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    await record_tasks(
        tmp_path / "state",
        task("local", "an owl"),
        task("alice", "a fox"),
        task("alice", "a hare"),
    )
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        ["tasks", "--tenant", "alice"],
        ["tasks", "list", "--tenant", "alice"],
        ["tasks", "--tenant", "alice", "list"],
        ["tasks", "--tenant", "alice", "export"],
        ["tasks", "export", "--tenant", "alice"],
    ],
)
async def test_the_tasks_of_one_tenant_are_read(folder: Path, command: list[str]) -> None:
    status, out, err = await run_cli(folder, *command)
    _, own, _ = await run_cli(folder, *command[:1])

    assert (status, err) == (0, "")
    assert "a fox" in out
    assert "a hare" in out
    assert "an owl" not in out
    assert "an owl" in own
    assert "a fox" not in own


async def test_what_the_output_says_to_run_next_names_the_tenant(folder: Path) -> None:
    status, out, _ = await run_cli(folder, "tasks", "--limit", "1", "--tenant", "alice")
    _, own, _ = await run_cli(folder, "tasks")

    assert status == 0
    assert "geekai-video-mcp tasks --tenant alice --all" in out
    assert "geekai-video-mcp tasks --tenant alice resolve ID" in out
    assert "geekai-video-mcp tasks resolve ID" in own


async def test_a_task_is_shown_and_resolved_for_its_own_tenant_alone(tmp_path: Path) -> None:
    mine = task("alice", "a fox")
    await record_tasks(tmp_path / "state", mine)

    status, shown, _ = await run_cli(tmp_path, "tasks", "show", mine.id, "--tenant", "alice")
    foreign, _, not_found = await run_cli(tmp_path, "tasks", "show", mine.id, "--tenant", "bob")
    unknown, _, none = await run_cli(tmp_path, "tasks", "show", "f" * 32, "--tenant", "bob")
    refused, _, _ = await run_cli(tmp_path, "tasks", "resolve", mine.id, "--abandon", "--yes")
    decided, printed, _ = await run_cli(
        tmp_path, "tasks", "--tenant", "alice", "resolve", mine.id, "--abandon", "--yes"
    )
    again, _, why = await run_cli(
        tmp_path, "tasks", "resolve", mine.id, "--abandon", "--yes", "--tenant", "alice"
    )

    assert (status, foreign, unknown, refused, decided, again) == (0, 1, 1, 1, 0, 1)
    assert ["tenant", "alice"] in [line.split() for line in shown.splitlines()]
    assert not_found == none.replace("f" * 32, mine.id)
    assert "tasks --tenant bob --all" in not_found
    assert "Marked as abandoned." in printed
    assert "The task is abandoned" in why


async def test_a_tenant_that_nobody_knows_has_no_tasks(folder: Path) -> None:
    status, out, err = await run_cli(folder, "tasks", "--tenant", "nobody")
    spent, none_spent, _ = await run_cli(folder, "spent", "--tenant", "oauth-0123456789abcdef")

    assert (status, out, err, spent) == (0, "No tasks yet.\n", "", 0)
    assert none_spent == "No request to GeekAI in the last 30 days.\n"


@pytest.mark.parametrize("command", ["tasks", "spent"])
async def test_what_can_be_no_tenant_is_refused(folder: Path, command: str) -> None:
    for name in ("", "Alice", "../alice", "-", "a" * 50):
        status, _, err = await run_cli(folder, command, f"--tenant={name}")

        assert status == 2
        assert "the name of a tenant has small letters" in err


async def test_the_spending_of_each_tenant_is_its_own(folder: Path) -> None:
    _, of_alice, _ = await run_cli(folder, "spent", "--tenant", "alice", TZ="UTC")
    _, own, _ = await run_cli(folder, "spent", TZ="UTC")

    assert "  2  " in of_alice
    assert "5" in of_alice.split()
    assert "2.5" in own.split()


async def test_a_command_for_a_tenant_works_in_its_own_folder(tmp_path: Path) -> None:
    """So that nothing of it is written among the operator's videos."""
    await record_tasks(
        tmp_path / "state", replace(task("alice", "a fox"), status=Status.SUCCEED, ended_at=1.0)
    )

    status, _, err = await run_cli(tmp_path, "join", "f" * 8, "e" * 8, "--tenant", "alice")

    assert status == 1
    assert "no task" in err.lower()


async def test_doctor_counts_the_tasks_of_all_tenants(folder: Path) -> None:
    counted, unknown = await check_tasks(Settings.from_env(environment(folder)))

    assert counted.facts["tasks"] == 3
    assert counted.facts["tenants"] == {"alice": 2, "local": 1}
    assert counted.text.startswith('3 (2 of "alice", 1 of "local") recorded')
    assert len(cast("list[str]", unknown.facts["unknown"])) == 3
    assert unknown.text.count(' of "alice"') == 2
    assert unknown.remedy is not None
    assert "tasks --tenant NAME resolve ID" in unknown.remedy
