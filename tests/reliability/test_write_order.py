"""The order in which things become durable, from the system calls; in place of a power cut."""

import re
from pathlib import Path

import pytest

from reliability.crash_points import JOB_SECONDS, SCENARIOS, SIZE, Scenario, record_scenario
from reliability.harness import open_harness
from reliability.tracing import Call, why_unavailable

pytestmark = [
    pytest.mark.skipif(bool(why_unavailable()), reason=why_unavailable() or "strace can attach"),
    pytest.mark.timeout(180),
]

LEDGER = "ledger.sqlite3>"
JOURNAL = "ledger.sqlite3-journal>"
SIDECAR = re.compile(r"-[0-9a-f]{8}\.part>")
"""In the name of the part that becomes the JSON file beside a video."""


SUBMISSION = Scenario("submission", {"prompts": ["fox TAKES=60"], "until": "answered"})
"""A submission, and nothing until its first poll, which comes much later."""


async def calls_of(scenario: Scenario, folder: Path) -> list[Call]:
    """Every call of one scenario without a kill."""
    async with open_harness(folder, job_seconds=JOB_SECONDS, size=SIZE) as harness:
        return await record_scenario(harness, scenario)


def first(calls: list[Call], names: str, *words: str, after: int = -1) -> int:
    """Where one of the calls *names* first mentions all *words*, later than *after*."""
    for at, call in enumerate(calls):
        if at > after and call.name in names.split() and all(word in call.detail for word in words):
            return at
    pytest.fail(f"no {names} of {words} after call {after}")


@pytest.mark.exhaustive
async def test_a_video_is_whole_on_disk_before_it_has_its_name_or_its_record(
    tmp_path: Path,
) -> None:
    (download,) = [each for each in SCENARIOS if each.name == "download"]
    calls = await calls_of(download, tmp_path)

    written = max(
        at
        for at, call in enumerate(calls)
        if call.name == "write" and ".part>" in call.detail and not SIDECAR.search(call.detail)
    )
    synced = first(calls, "fsync fdatasync", ".part>")
    named = first(calls, "link linkat rename renameat renameat2", ".part", ".mp4")
    folder = first(calls, "fsync", "/videos>", after=named)
    recorded = first(calls, "pwrite64", LEDGER, "stored")
    committed = first(calls, "fdatasync fsync", LEDGER, after=recorded)

    beside = first(calls, "link linkat rename renameat renameat2", ".part", ".json")
    beside_synced = first(calls, "fsync fdatasync", ".part>", after=folder)

    assert written < synced < named < folder < recorded < committed
    assert folder < beside_synced < beside < recorded


async def test_the_row_and_its_claim_are_on_disk_before_a_byte_leaves(tmp_path: Path) -> None:
    calls = await calls_of(SUBMISSION, tmp_path)

    claimed = first(calls, "pwrite64", LEDGER, "submitting")
    safe = first(calls, "fdatasync fsync", LEDGER, after=claimed)
    committed = first(calls, "ftruncate", JOURNAL, after=safe)
    kept = first(calls, "fdatasync fsync", JOURNAL, after=committed)
    connected = first(calls, "connect", "<TCP")
    sent = first(calls, "sendto", "<TCP", "POST ")

    assert claimed < safe < committed < kept < connected < sent


async def test_a_submission_syncs_the_disk_ten_times_in_two_transactions(tmp_path: Path) -> None:
    calls = await calls_of(SUBMISSION, tmp_path)

    began = first(calls, "openat", "ledger.sqlite3-journal", "O_CREAT")
    names = [call.name for call in calls[began:]]
    committed = [
        call for call in calls[began:] if call.name == "ftruncate" and JOURNAL in call.detail
    ]

    assert len(committed) == 2  # the row, the claim and the token; the outcome and the lease
    assert names.count("fdatasync") + names.count("fsync") <= 10
