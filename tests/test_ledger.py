"""What a ledger promises, in either database, with real processes."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

import anyio
import pytest

from geekai_video_mcp.domain import waiting
from geekai_video_mcp.domain.admission import Admission, ExistingTasks
from geekai_video_mcp.domain.lifecycle import (
    advance,
    import_task,
)
from geekai_video_mcp.domain.limits import REQUESTS_PER_SECOND, Limits
from geekai_video_mcp.domain.obstacles import record_missed_poll
from geekai_video_mcp.domain.polling import (
    HISTORY_LIMIT,
    Budget,
    DurationSample,
    burst,
    pause,
    take_token,
)
from geekai_video_mcp.domain.result_file import record_file
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.tasks import (
    FileUpdate,
    Observation,
    Result,
    Task,
)
from geekai_video_mcp.errors import StorageUnavailable
from geekai_video_mcp.ledger import Ledger
from geekai_video_mcp.ledger import store_reads as store_module
from support.ledgers import LedgerPlace, run_all_at_once
from support.recorded import NOW, accepted, make_task

# Rows


RAW = "<html>\0"


async def test_a_task_survives_the_process_that_wrote_it(place: LedgerPlace) -> None:
    full = make_task(
        status=Status.SUCCEED,
        attempt=2,
        submitted_at=NOW + 0.123456,
        provider_task_id="theirs",
        result=Result(id="v", url="https://x/1.mp4", duration=5.5, revised_prompt="狐"),
        error_code="e",
        error_message="m",
        raw_response=RAW,
        ended_at=NOW + 9,
        duration_key="k",
        price_cny=2.191,
        price_source="a list",
        price_read_on="2026-04-25",
        typical_p10=60.5,
        typical_p95=240.5,
        last_polled_at=NOW + 8,
        next_poll_at=NOW + 10,
        poll_count=7,
        unreachable_since=NOW,
        lease_holder="w",
        lease_expires_at=NOW + 60,
        file_status=FileStatus.STORED,
        file_path="/videos/狐.mp4",
        file_bytes=5 * 1024**3,
        file_sha256="00" * 32,
        file_seconds=5.04,
        file_width=1920,
        file_height=1080,
        file_fps=29.97,
        file_has_sound=False,
        file_error="p",
        failed_downloads=3,
        idempotency_key="狐 1",
        variation=7,
        delivered_at=NOW + 11.5,
    )
    async with place.open() as ledger:
        await ledger.add(full)

    async with place.open() as ledger:
        found = await ledger.find(full.id)

    # PostgreSQL has no text with a NUL.
    kept = RAW if place.url is None else "<html>\N{REPLACEMENT CHARACTER}"
    assert found == replace(full, raw_response=kept)
    assert found is not None
    assert found.file_has_sound is False, "not 0, which JSON would tell as a number"


async def test_a_task_is_found_by_our_id_and_by_the_services(place: LedgerPlace) -> None:
    ours, theirs = make_task(), make_task(provider_task_id="theirs", attempt=1)
    async with place.open() as ledger:
        await ledger.add(ours)
        await ledger.add(theirs)

        assert await ledger.find(ours.id) == ours
        assert await ledger.find("theirs") == theirs
        assert await ledger.find("nobody's") is None


async def test_our_own_id_is_ours_though_a_service_used_it_as_well(place: LedgerPlace) -> None:
    ours = make_task()
    theirs = make_task(provider_task_id=ours.id, attempt=1, created_at=NOW - 1)
    async with place.open() as ledger:
        await ledger.add(theirs)
        await ledger.add(ours)

        assert await ledger.find(ours.id) == ours


async def test_a_task_made_elsewhere_is_taken_in_once(place: LedgerPlace) -> None:
    observation = Observation(status=Status.RUNNING, at=NOW)
    async with place.open() as ledger:
        given = [
            await ledger.add(import_task(observation, provider_task_id="theirs", account="s"))
            for _ in range(3)
        ]
        recorded = await ledger.find("theirs")

    assert given == [recorded] * 3
    assert await place.run_sql("SELECT count(*) FROM task") == [(1,)]
    assert await place.run_sql("SELECT count(*) FROM event") == [(1,)]


async def test_two_services_may_use_the_same_id(place: LedgerPlace) -> None:
    observation = Observation(status=Status.RUNNING, at=NOW)
    async with place.open() as ledger:
        for service in ("s", "t"):
            await ledger.add(import_task(observation, provider_task_id="theirs", account=service))

    assert await place.run_sql("SELECT service FROM task ORDER BY service") == [("s",), ("t",)]


async def test_a_service_that_answers_two_requests_with_one_id_loses_neither(
    place: LedgerPlace,
) -> None:
    one, two = make_task(), make_task()
    async with place.open() as ledger:
        for task in (one, two):
            await ledger.add(task)
            await ledger.change(task.id, accepted)

        assert {task.id for task in await ledger.unfinished("s")} == {one.id, two.id}


async def test_unfinished_are_those_of_a_service_that_somebody_must_do_something_for(
    place: LedgerPlace,
) -> None:
    tasks = [
        make_task(status=status, file_status=file, created_at=NOW + number)
        for number, (status, file) in enumerate(
            (status, file) for status in Status for file in FileStatus
        )
    ]
    async with place.open() as ledger:
        for task in (*tasks, make_task(account="another")):
            await ledger.add(task)
        found = await ledger.unfinished("s")

    assert found == [task for task in tasks if not task.settled]


async def test_tasks_are_listed_newest_first_page_by_page_and_by_status(place: LedgerPlace) -> None:
    # Two of one moment: a page may end between them.
    tasks = [make_task(created_at=NOW + number // 2) for number in range(7)]
    tasks[3] = replace(tasks[3], status=Status.UNKNOWN)
    newest_first = sorted(tasks, key=lambda task: (task.created_at, task.id), reverse=True)
    async with place.open() as ledger:
        for task in tasks:
            await ledger.add(task)
        pages, last = list[list[Task]](), None
        while page := await ledger.list_tasks(limit=3, before=last):
            pages.append(page)
            last = page[-1].id
        unknown = await ledger.list_tasks(limit=3, statuses={Status.UNKNOWN})
        both = await ledger.list_tasks(limit=9, statuses={Status.UNKNOWN, Status.INTENDED})
        nowhere = await ledger.list_tasks(limit=3, before="nobody's")

    assert [len(page) for page in pages] == [3, 3, 1]
    assert [task for page in pages for task in page] == newest_first
    assert unknown == [tasks[3]]
    assert both == newest_first
    assert nowhere == []


def wish(prompt: str, **changes: Any) -> Task:  # noqa: ANN401 - any field's own type
    return make_task(request={"model": "m", "prompt": prompt}, **changes)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("fox", ["a red FOX", "fox and hare"]),
        ("FOX hare", ["fox and hare"]),
        ("hare fox", ["fox and hare"]),
        ('"red fox"', ["a red FOX"]),
        ("狐", ["雪の中の狐 🦊"]),
        ("雪 狐", ["雪の中の狐 🦊"]),
        ("strasse", ["Eine STRASSE in Köln"]),
        ("straße", ["Eine STRASSE in Köln"]),
        ("KO\u0308LN", ["Eine STRASSE in Köln"]),
        ("лиса", ["ЛИСА в снегу"]),
        ("ΟΔΌΣ", ["μια οδός"]),
        ("ｆｏｘ", ["a red FOX", "fox and hare"]),
        ("100%", ["100% wool_"]),
        ("l_", ["100% wool_"]),
        ("%", ["100% wool_"]),
        ("kling", ["μια οδός"]),
        ("kling ΜΙΑ", ["μια οδός"]),
        ("BE386E16", ["fox and hare"]),
        ("be386e16-91bc", ["fox and hare"]),
        ("386e16", []),
        ("be386e16 fox", []),
        ("0123abcd", ["a red FOX"]),
        ("0123ABCD", ["a red FOX"]),
        ("dragon", []),
        ("prompt", []),
    ],
)
async def test_tasks_are_found_by_words_in_any_script_or_by_how_their_id_begins(
    place: LedgerPlace, query: str, found: list[str]
) -> None:
    tasks = [
        wish("a red FOX", id="0123abcd" + "0" * 24),
        wish("fox and hare", attempt=1, provider_task_id="be386e16-91bc-4694"),
        wish("雪の中の狐 🦊"),
        wish("Eine STRASSE in Köln"),
        wish("ЛИСА в снегу"),
        wish("μια οδός", model="kling-video-v3"),
        wish("100% wool_"),
    ]
    async with place.open() as ledger:
        for number, task in enumerate(tasks):
            await ledger.add(replace(task, created_at=NOW - number))
        listed = await ledger.list_tasks(limit=9, query=query)

    assert [task.request["prompt"] for task in listed] == found


@pytest.mark.parametrize("blank", ["", "  ", '""'])
async def test_a_query_without_a_word_finds_every_task(place: LedgerPlace, blank: str) -> None:
    async with place.open() as ledger:
        one = await ledger.add(make_task())
        imported = await ledger.add(make_task(request={}))

        assert len(await ledger.list_tasks(limit=9, query=blank)) == 2
        assert await ledger.list_tasks(limit=9, query="狐") == [one]
        assert await ledger.list_tasks(limit=9, query=imported.id[:8]) == [imported]


async def test_tasks_since_a_time_are_listed_and_searched(place: LedgerPlace) -> None:
    tasks = [wish(f"fox {number}", created_at=NOW + number) for number in range(6)]
    tasks[4] = replace(tasks[4], status=Status.FAILED)
    async with place.open() as ledger:
        for task in tasks:
            await ledger.add(task)
        since = await ledger.list_tasks(limit=9, since=NOW + 3)
        page = await ledger.list_tasks(limit=9, since=NOW + 3, before=tasks[5].id)
        failed = await ledger.list_tasks(
            limit=9, since=NOW + 3, query="FOX", statuses={Status.FAILED}
        )
        nothing = await ledger.list_tasks(limit=9, since=NOW + 99)

    assert since == tasks[5:2:-1]
    assert page == tasks[4:2:-1]
    assert failed == [tasks[4]]
    assert nothing == []


async def test_what_is_searched_is_paged_without_gap_or_repeat(
    place: LedgerPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "SEARCHED_AT_ONCE", 4)
    tasks = [
        wish("fox" if number % 3 else "hare", created_at=NOW + number // 2) for number in range(23)
    ]
    newest_first = sorted(tasks, key=lambda task: (task.created_at, task.id), reverse=True)
    async with place.open() as ledger:
        for task in tasks:
            await ledger.add(task)
        pages, last = list[list[Task]](), None
        while page := await ledger.list_tasks(limit=4, before=last, query="fox"):
            pages.append(page)
            last = page[-1].id

    assert [len(page) for page in pages] == [4, 4, 4, 3]
    assert [task for page in pages for task in page] == [
        task for task in newest_first if task.request["prompt"] == "fox"
    ]


async def test_a_row_that_cannot_be_read_hides_no_other_from_a_search(
    place: LedgerPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "SEARCHED_AT_ONCE", 2)
    tasks = [wish("fox", created_at=NOW + number) for number in range(6)]
    async with place.open() as ledger:
        for task in tasks:
            await ledger.add(task)
        await place.damage_row(tasks[4].id, request="[]")
        await place.damage_row(tasks[3].id, status="dreaming")
        found = await ledger.list_tasks(limit=4, query="fox")

    assert found == [tasks[5], *tasks[2::-1]]


async def test_tasks_are_found_by_how_their_id_begins(place: LedgerPlace) -> None:
    one, two, other = make_task(id="abcdef12"), make_task(id="abcdef34"), make_task(id="abcdee99")
    async with place.open() as ledger:
        for task in (one, two, other):
            await ledger.add(task)

        assert await ledger.find_by_prefix("abcdef", limit=9) == [one, two]
        assert await ledger.find_by_prefix("abcdef", limit=1) == [one]
        assert await ledger.find_by_prefix("abcdef3", limit=9) == [two]
        assert await ledger.find_by_prefix("abcdef123", limit=9) == []
        assert await ledger.find_by_prefix("%", limit=9) == []


async def test_the_events_of_a_task_are_listed_in_order(place: LedgerPlace) -> None:
    task, other = make_task(), make_task()
    async with place.open() as ledger:
        for each in (task, other):
            await ledger.add(each)
            await ledger.change(each.id, accepted)
        story = await ledger.events(task.id)

    assert [(event.status, event.provider_task_id) for event in story] == [
        (Status.INTENDED, None),
        (Status.PENDING, "theirs"),
    ]
    assert story[0].at == NOW
    assert (story[1].attempt, story[1].owner) == (1, "a")


def nothing(*_: object) -> None:
    """No check."""


async def test_a_successor_is_recorded_with_the_change_or_not_at_all(place: LedgerPlace) -> None:
    old, new = make_task(), make_task()
    async with place.open() as ledger:
        await ledger.add(old)
        again = make_task(id=old.id)
        with pytest.raises(StorageUnavailable):  # an id that is taken
            await ledger.supersede(
                old.id, lambda task: (accepted(task), again), nothing, limits=None
            )
        unchanged = await ledger.find(old.id)
        recorded = await ledger.supersede(
            old.id, lambda task: (accepted(task), new), nothing, limits=None
        )

        assert unchanged == old
        assert recorded == new
        assert {task.id for task in await ledger.list_tasks(limit=9)} == {old.id, new.id}
        assert len(await ledger.events(new.id)) == 1


async def test_whoever_bears_an_id_is_known_to_the_change_that_gives_it(place: LedgerPlace) -> None:
    first, second, elsewhere = make_task(), make_task(), make_task(account="another")
    bearers = list[Task | None]()

    def give(task: Task, bearer: Task | None) -> Task:
        bearers.append(bearer)
        return accepted(task)

    async with place.open() as ledger:
        for task in (first, second, elsewhere):
            await ledger.add(task)
        for task in (elsewhere, first, first, second):
            await ledger.assign_provider_id(task.id, "theirs", give)

    # Neither one of another service nor the task itself.
    assert [bearer and bearer.id for bearer in bearers] == [None, None, None, first.id]


async def test_a_request_is_released_by_what_is_in_flight_then(place: LedgerPlace) -> None:
    """And not by what was when it was made: it may have waited for days."""
    old = make_task(created_at=NOW - 30 * 3600, status=Status.UNKNOWN, attempt=1)
    late = make_task(created_at=NOW - 20 * 3600, status=Status.WAITING, waits_for=("parent",))
    async with place.open() as ledger:
        for task in (old, late):
            await ledger.add(task)
        released = await ledger.release(
            late.id,
            body=late.request,
            release=partial(waiting.release, ready_at=NOW, owner="b", at=NOW),
            limits=Limits(per_day=10, in_flight=1),
            at=NOW,
        )

    assert released.status is Status.INTENDED


async def test_of_two_tasks_that_are_given_one_id_at_once_one_bears_it(place: LedgerPlace) -> None:
    pairs = [(make_task(), make_task()) for _ in range(20)]

    def give(task: Task, bearer: Task | None, *, name: str) -> Task:
        return accepted(task, by=name) if bearer is None else task

    async with place.open() as one, place.open() as another:
        for task in chain.from_iterable(pairs):
            await one.add(task)
        async with anyio.create_task_group() as at_once:
            for number, pair in enumerate(pairs):
                name = f"theirs {number}"
                for ledger, task in zip((one, another), pair, strict=True):
                    change = partial(give, name=name)
                    at_once.start_soon(ledger.assign_provider_id, task.id, name, change)
        bearers = [
            task.provider_task_id
            for task in await one.list_tasks(limit=50)
            if task.provider_task_id
        ]

    assert sorted(bearers) == sorted(f"theirs {number}" for number in range(20))


async def test_a_change_that_raises_leaves_the_row_as_it_was(place: LedgerPlace) -> None:
    task = make_task()

    def broken(_: Task) -> Task:
        msg = "a bug of ours"
        raise ZeroDivisionError(msg)

    async with place.open() as ledger:
        await ledger.add(task)
        with pytest.raises(ZeroDivisionError):
            await ledger.change(task.id, broken)

        assert await ledger.find(task.id) == task
        assert (await ledger.change(task.id, accepted)).status is Status.PENDING


async def test_a_change_of_no_task_is_a_key_error_and_locks_nothing(place: LedgerPlace) -> None:
    async with place.open() as ledger, place.open() as another:
        with pytest.raises(KeyError):
            await ledger.change("nobody's", accepted)
        await another.add(make_task())


async def test_an_outcome_is_kept_though_its_process_stops_before_the_ledger_is_free(
    place: LedgerPlace,
) -> None:
    """A cancelled scope begins no transaction: the next process finds the answer in the journal."""
    task = advance(make_task(), Observation(status=Status.SUBMITTING, at=NOW, owner="a", attempt=1))
    answer = Observation(
        status=Status.PENDING, at=NOW + 1, owner="a", attempt=1, provider_task_id="theirs"
    )
    async with place.open() as ledger:
        await ledger.add(task)
        with anyio.CancelScope() as stopping:
            stopping.cancel()
            await ledger.record_outcome(task.id, answer)
    async with place.open() as ledger:
        await ledger.replay_journal()
        found = await ledger.find(task.id)

    assert stopping.cancelled_caught
    assert found is not None
    assert (found.status, found.provider_task_id) == (Status.PENDING, "theirs")


async def test_every_change_of_the_story_is_an_event_and_nothing_else_is(
    place: LedgerPlace,
) -> None:
    task = make_task()
    steps: list[Callable[[Task], Task]] = [
        accepted,
        lambda now: now,
        lambda now: record_missed_poll(now, at=NOW + 10, delay=10),
        lambda now: replace(now, lease_holder="w", lease_expires_at=NOW),
        lambda now: advance(now, Observation(status=Status.PENDING, at=NOW + 20)),
        lambda now: advance(now, Observation(status=Status.RUNNING, at=NOW + 30)),
        lambda now: advance(
            now, Observation(status=Status.SUCCEED, at=NOW + 40, result=Result(url="https://x/1"))
        ),
        lambda now: record_file(now, FileUpdate(status=FileStatus.NONE, error="offline")),
        lambda now: record_file(now, FileUpdate(status=FileStatus.STORED, path="/a.mp4")),
    ]
    async with place.open() as ledger:
        await ledger.add(task)
        for step in steps:
            await ledger.change(task.id, step)

    assert await place.run_sql("SELECT status, file_status FROM event ORDER BY number") == [
        ("intended", "none"),
        ("pending", "none"),
        ("running", "none"),
        ("succeed", "none"),
        ("succeed", "stored"),
    ]


def one_more_look(task: Task) -> Task:
    return replace(task, poll_count=task.poll_count + 1)


async def test_callers_of_one_process_lose_no_change(place: LedgerPlace) -> None:
    task = make_task()
    async with place.open() as ledger, place.open() as another:
        await ledger.add(task)
        async with anyio.create_task_group() as callers:
            for which in (ledger, another) * 20:
                callers.start_soon(which.change, task.id, one_more_look)

        found = await ledger.find(task.id)

    assert found is not None
    assert found.poll_count == 40


COUNT = """
from dataclasses import replace
from support.ledgers import run_child, wait_for_others

async def main(place, task_id):
    async with place.open() as ledger:
        wait_for_others()
        for _ in range(25):
            await ledger.change(
                task_id, lambda task: replace(task, poll_count=task.poll_count + 1)
            )

run_child(main)
"""


async def test_processes_lose_no_change(place: LedgerPlace) -> None:
    task = make_task()
    async with place.open() as ledger:
        await ledger.add(task)
        children = [place.child(COUNT, task.id) for _ in range(4)]
        run_all_at_once(children)
        found = await ledger.find(task.id)

    assert [process.returncode for process in children] == [0] * 4
    assert found is not None
    assert found.poll_count == 100


OPEN = """
from geekai_video_mcp.domain.tasks import new_task
from support.ledgers import run_child, wait_for_others

async def main(place):
    wait_for_others()
    async with place.open() as ledger:
        await ledger.add(new_task(request={}, account="s", owner="a", at=0.0))

run_child(main)
"""


async def test_eight_processes_may_open_it_for_the_first_time_at_once(place: LedgerPlace) -> None:
    await place.remove_tables()
    children = [place.child(OPEN) for _ in range(8)]
    run_all_at_once(children)

    assert [process.returncode for process in children] == [0] * 8
    assert await place.run_sql("SELECT count(*) FROM task") == [(8,)]


async def test_a_row_that_cannot_be_read_hides_no_other(
    place: LedgerPlace, caplog: pytest.LogCaptureFixture
) -> None:
    broken, whole = make_task(created_at=NOW - 1), make_task()
    async with place.open() as ledger:
        await ledger.add(broken)
        await ledger.add(whole)
        await place.damage_row(broken.id, request='{"prompt": "fox')

        assert await ledger.unfinished("s") == [whole]
        with pytest.raises(StorageUnavailable):
            await ledger.find(broken.id)

    assert broken.id in caplog.text
    assert "fox" not in caplog.text


async def test_changes_of_several_tasks_fail_one_by_one(
    place: LedgerPlace,
) -> None:
    tasks = [make_task(status=Status.RUNNING) for _ in range(4)]
    async with place.open() as ledger:
        for task in tasks:
            await ledger.add(task)
        await place.damage_row(tasks[1].id, request="fox")
        polled = partial(record_missed_poll, at=NOW + 10, delay=10)

        def raise_error(_: Task) -> Task:
            msg = "a bug"
            raise ValueError(msg)

        changes = [polled, polled, raise_error, polled]
        ids = [task.id for task in tasks]
        outcomes = await ledger.change_all([*zip(ids, changes, strict=True), ("nobody's", polled)])
        first, last = [await ledger.find(task_id) for task_id in (ids[0], ids[3])]
        third = await ledger.find(ids[2])

    assert [type(outcome) for outcome in outcomes] == [
        *(Task, StorageUnavailable, ValueError, Task, KeyError)
    ]
    assert outcomes[0] == first
    assert outcomes[3] == last
    assert last is not None
    assert last.poll_count == 1
    assert third == tasks[2]


async def test_leases_of_others_are_all_but_the_valid_ones_of_a_process(place: LedgerPlace) -> None:
    running = [
        make_task(status=Status.RUNNING, lease_holder=holder, lease_expires_at=expires)
        for holder, expires in [
            *(("me", NOW + 100), ("me", NOW - 1), ("you", NOW + 100), (None, None)),
        ]
    ]
    finished = make_task(status=Status.SUCCEED)
    others = [
        *(make_task(status=Status.FAILED), make_task(status=Status.INTENDED)),
        *(make_task(status=Status.SUCCEED, file_status=FileStatus.STORED),),
        *(make_task(status=Status.RUNNING, account="another"),),
    ]
    async with place.open() as ledger:
        for task in (*running, finished, *others):
            await ledger.add(task)
        found = await ledger.leases_of_others("s", holder="me", at=NOW)
        unsent = await ledger.unsent("s")

    assert {lease.task_id for lease in found} == {task.id for task in [*running[1:], finished]}
    assert [lease.is_valid(at=NOW) for lease in found if lease.holder == "you"] == [True]
    assert [task.status for task in unsent] == [Status.INTENDED]


RACE = """
from geekai_video_mcp.domain.admission import Admission, Limits, admit
from geekai_video_mcp.domain.catalogue import request_cost
from geekai_video_mcp.domain.task_prices import with_price
from geekai_video_mcp.domain.tasks import Media, new_task
from geekai_video_mcp.errors import CapReached
from support.ledgers import run_child, wait_for_others

async def main(place, name, per_day, cny_per_day, count):
    cny = None if cny_per_day == "any" else float(cny_per_day)
    limits = Limits(per_day=int(per_day), in_flight=1000, cny_per_day=cny)
    async with place.open() as ledger:
        wait_for_others()
        for number in range(int(count)):
            request = {"prompt": f"{name} {number}", "model": "viduq2-pro", "duration": 1}
            key = f"{number}" if name == "same" else None
            task = new_task(request=request, account="s", owner="a", at=1.0, idempotency_key=key)
            task = with_price(task, request_cost(request, media=Media.VIDEO))

            def decide(existing, _):
                admitted = admit(task, existing, at=1.0)
                return Admission(task=admitted, is_new=admitted is task)

            try:
                await ledger.admit(task, body=request, admit=decide, limits=limits)
            except CapReached:
                pass

run_child(main)
"""


async def test_processes_that_race_to_the_cap_do_not_pass_it(place: LedgerPlace) -> None:
    children = [place.child(RACE, f"mine {number}", 20, "any", 10) for number in range(4)]
    run_all_at_once(children)

    assert [process.returncode for process in children] == [0] * 4
    assert await place.run_sql("SELECT count(*) FROM task") == [(20,)]


async def test_processes_that_race_to_the_cap_in_cny_do_not_pass_it(place: LedgerPlace) -> None:
    children = [place.child(RACE, f"mine {number}", 1000, 6.26, 10) for number in range(4)]
    run_all_at_once(children)

    assert [process.returncode for process in children] == [0] * 4
    # Twenty times 0.313 is 6.26 to the last digit.
    ((count, total),) = await place.run_sql("SELECT count(*), sum(price_cny) FROM task")
    assert (count, round(total, 3)) == (20, 6.26)


async def test_processes_that_ask_with_the_same_keys_record_each_once(place: LedgerPlace) -> None:
    children = [place.child(RACE, "same", 1000, "any", 10) for _ in range(4)]
    run_all_at_once(children)

    assert [process.returncode for process in children] == [0] * 4
    assert await place.run_sql("SELECT count(*), count(DISTINCT idempotency_key) FROM task") == [
        (10, 10)
    ]


# History and the shared budget


def finished_task(task: Task, *, took: float, at: float = NOW) -> Task:
    """*task* as two looks five seconds apart measured it."""
    return replace(
        task,
        status=Status.SUCCEED,
        submitted_at=at,
        last_polled_at=at + took - 2.5,
        ended_at=at + took + 2.5,
    )


async def durations_at_admission(ledger: Ledger, task: Task) -> tuple[DurationSample, ...]:
    """What is known about how long such a task takes when it is admitted."""
    known: list[ExistingTasks] = []

    def decide(existing: ExistingTasks, _: Budget) -> Admission:
        known.append(existing)
        return Admission(task=task, is_new=True)

    await ledger.admit(task, body=task.request, admit=decide, limits=None)
    return known[0].durations


async def test_history_is_the_newest_finished_tasks_of_the_same_kind_and_service(
    place: LedgerPlace,
) -> None:
    others = [
        replace(finished_task(make_task(), took=1), account="other"),
        replace(finished_task(make_task(), took=2), duration_key="other"),
        replace(finished_task(make_task(), took=3), status=Status.FAILED),
        make_task(status=Status.RUNNING),
    ]
    async with place.open() as ledger:
        for task in others:
            await ledger.add(task)
        for number in range(60):
            await ledger.add(finished_task(make_task(), took=100 + number, at=NOW + number))
        history = await durations_at_admission(ledger, make_task())
        nothing = await durations_at_admission(
            ledger, replace(make_task(), duration_key="never seen")
        )

    assert [span.seconds for span in history] == [159 - number for number in range(HISTORY_LIMIT)]
    assert nothing == ()


async def test_a_budget_outlives_a_process_and_belongs_to_one_service(place: LedgerPlace) -> None:
    hold = partial(held, seconds=60)
    async with place.open() as ledger:
        await ledger.update_budget("s", hold)
    async with place.open() as ledger:
        blocked = await ledger.update_budget("s", partial(take_token, at=NOW + 1, per_second=2))
        free = await ledger.update_budget("another", partial(take_token, at=NOW + 1, per_second=2))

    assert (blocked, free) == (pytest.approx(59), 0.0)


def held(budget: Budget, *, seconds: float) -> tuple[Budget, None]:
    return pause(budget, at=NOW, seconds=seconds), None


SPEND = """
from functools import partial
from geekai_video_mcp.domain.polling import take_token
from support.ledgers import run_child, wait_for_others

async def main(place):
    async with place.open() as ledger:
        wait_for_others()
        take = partial(take_token, at=1_790_000_000.0, per_second=2.0)
        waits = [await ledger.update_budget("s", take) for _ in range(10)]
    print(waits.count(0.0))

run_child(main)
"""


def test_processes_share_one_budget(place: LedgerPlace) -> None:
    printed = run_all_at_once([place.child(SPEND) for _ in range(4)])

    assert sum(map(int, printed)) == burst(REQUESTS_PER_SECOND)
