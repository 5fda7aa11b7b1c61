"""Whoever adds a status says in one table what it means, and everything decides by that.

The package is copied, a status is added to the copy, and the copy's own ledger and caps are
asked about a task of that status.
"""

import inspect
import json
import os
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import geekai_video_mcp
from geekai_video_mcp.domain import statuses
from geekai_video_mcp.domain.statuses import FACTS, KEY_HOLDING, Status, StatusFacts
from geekai_video_mcp.ledger.sqlite import migrations
from support.sampling import sample

PACKAGE = Path(geekai_video_mcp.__file__).parent
TABLE = Path(inspect.getfile(statuses)).relative_to(PACKAGE)
EVERY_FACT = [field.name for field in fields(StatusFacts)]

ASK = """
import json, sys
from dataclasses import replace
from pathlib import Path
import geekai_video_mcp
from geekai_video_mcp.server import views
from geekai_video_mcp.domain.admission import Admission, Limits, admit
from geekai_video_mcp.errors import CapReached
from geekai_video_mcp.ledger import ProcessRegistry
from geekai_video_mcp.ledger.journal import Journal
from support.sync_store import SyncStore
from geekai_video_mcp.domain.tasks import new_task
from geekai_video_mcp.domain.statuses import Status

assert Path(geekai_video_mcp.__file__).is_relative_to(sys.argv[1])

def wish(**more):
    request = {"model": "m", "prompt": "a fox", "image": "data:image/png;base64,AAAA"}
    return new_task(request=request, account="s", owner="a", at=1000.0, **more)

store = SyncStore(Path(sys.argv[2]))
task = replace(wish(idempotency_key="k"), attempt=1)
request_body = {"image": "data:image/png;base64,AAAA"}
store.admit(task, request_body, lambda *_: Admission(task=task, is_new=True), limits=None)
store.change(task.id, lambda now: replace(now, status=Status("invented")))
invented = store.find(task.id)

def capped(**limits):
    try:
        admit(wish(), replace(near, same_fingerprint=(), limits=Limits(**limits)), at=1000.0)
    except CapReached:
        return True
    return False

(near,) = store.existing_for([(wish(), {})], limits=Limits(per_day=1, in_flight=1))
(keyed,) = store.existing_for([(wish(idempotency_key="k"), {})], limits=None)
print(json.dumps({
    "counts_today": capped(per_day=1, in_flight=9),
    "in_flight": capped(per_day=9, in_flight=1),
    "unfinished": len(store.unfinished("s")) == 1
    and len(store.unfinished_of_other_accounts("another")) == 1,
    "needs_body": store.request_body(invented) == request_body,
    "binds_duplicate": len(near.same_fingerprint) == 1,
    "holds_key": keyed.same_key is not None,
    "unresolved": invented.settled,
    "no_result": views.is_failure(invented),
}))
"""
NOT_ASKED = {"unsent", "polled"}
"""Facts that decide in the engine alone: `statuses.UNSENT` and `statuses.POLLED`."""


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A folder to import the package from, with a status `invented` that no table knows."""
    folder = tmp_path / "src"
    shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    add(folder, TABLE, before='    ABANDONED = "abandoned"\n', line='    INVENTED = "invented"\n')
    add(
        folder,
        TABLE,
        before="    Status.ABANDONED: frozenset(",
        line="    Status.INVENTED: frozenset({Status.INTENDED}),\n",
    )
    return folder


def add(folder: Path, path: Path, *, before: str, line: str) -> None:
    """Add a line to a file of the copy."""
    file = folder / PACKAGE.name / path
    text = file.read_text("utf-8")
    assert text.count(before) == 1, f"{before!r} stands not once in {path}"
    file.write_text(text.replace(before, line + before), "utf-8")


def state_facts(folder: Path, **facts: bool) -> None:
    """Say in the table of the copy what the new status means."""
    stated = ", ".join(f"{name}={value}" for name, value in facts.items())
    row = f"    Status.INVENTED: StatusFacts({stated}),\n"
    add(folder, TABLE, before="    Status.ABANDONED: StatusFacts(\n", line=row)


def ask(folder: Path, state: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", ASK, str(folder), str(state)],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(folder), str(Path(__file__).parent)]),
        },
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


def answered(folder: Path, state: Path) -> dict[str, Any]:
    done = ask(folder, state)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_status_that_the_table_does_not_know_stops_the_import(
    copied: Path, tmp_path: Path
) -> None:
    done = ask(copied, tmp_path / "state")

    assert done.returncode != 0
    assert "KeyError: <Status.INVENTED: 'invented'>" in done.stderr


def test_a_status_about_which_one_fact_is_missing_stops_the_import(
    copied: Path, tmp_path: Path
) -> None:
    state_facts(copied, **dict.fromkeys(EVERY_FACT[1:], False))
    done = ask(copied, tmp_path / "state")

    assert done.returncode != 0
    assert f"missing 1 required keyword-only argument: '{EVERY_FACT[0]}'" in done.stderr


@pytest.mark.parametrize("holds", [True, False])
def test_every_set_of_statuses_decides_about_a_new_one_by_the_table(
    copied: Path, tmp_path: Path, *, holds: bool
) -> None:
    state_facts(copied, **dict.fromkeys(EVERY_FACT, holds))

    assert answered(copied, tmp_path / "state") == dict.fromkeys(
        (name for name in EVERY_FACT if name not in NOT_ASKED), holds
    )


@pytest.mark.parametrize(
    "fact", sample([name for name in EVERY_FACT if name not in NOT_ASKED], every=4)
)
def test_each_fact_of_a_new_status_is_a_fact_of_its_own(
    copied: Path, tmp_path: Path, fact: str
) -> None:
    # Those in flight are counted among those of today.
    true = {fact, "counts_today"} if fact == "in_flight" else {fact}
    state_facts(copied, **{name: name in true for name in EVERY_FACT})

    assert answered(copied, tmp_path / "state") == {
        name: name in true for name in EVERY_FACT if name not in NOT_ASKED
    }


def test_the_index_of_keys_frees_the_keys_that_the_table_frees() -> None:
    """It stands in a released script, which is never edited: see `StatusFacts.holds_key`."""
    (index,) = (script for script in migrations.ADMISSION if "INDEX task_by_key" in script)

    assert {status for status in Status if f"'{status.value}'" in index} == (
        set(Status) - KEY_HOLDING
    )


def test_what_the_table_says_of_a_status_agrees_with_itself() -> None:
    assert set(FACTS) == set(Status)
    for facts in FACTS.values():
        assert facts.in_flight <= facts.counts_today
        assert facts.in_flight <= facts.binds_duplicate
        assert facts.polled <= (facts.in_flight and facts.unfinished and not facts.unsent)
        assert facts.unsent <= (facts.unfinished and facts.needs_body)
        assert facts.unresolved <= (facts.no_result and not facts.unfinished)
        assert facts.binds_duplicate <= facts.holds_key
