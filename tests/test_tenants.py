"""Tenants on one ledger: each finds its own tasks, and nothing tells it that there are others."""

import re
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

import anyio
import pytest

from geekai_video_mcp.domain.admission import Admission, ExistingTasks, admit
from geekai_video_mcp.domain.films import FilmPart, new_film
from geekai_video_mcp.domain.lifecycle import advance, import_task
from geekai_video_mcp.domain.limits import Limits
from geekai_video_mcp.domain.polling import Budget, pause, take_token
from geekai_video_mcp.domain.retries import PASSING_OBSTACLES
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.tasks import Observation, Task, new_task
from geekai_video_mcp.errors import CapReached, StorageUnavailable
from geekai_video_mcp.ledger import Ledger, conversion, schema
from geekai_video_mcp.ledger.journal import Journal
from geekai_video_mcp.ledger.sqlite.migrations import MIGRATIONS, TENANTS_SINCE
from support.ledgers import LedgerPlace, open_ledger
from support.recorded import NOW, accepted
from support.sync_store import SyncStore
from test_ledger_plans import statements

REQUEST = {"model": "m", "prompt": "a fox"}
PICTURE = {**REQUEST, "image": "data:image/png;base64," + "A" * 3000}
LIMITS = Limits(per_day=1, in_flight=1, cny_per_day=1.0)


@pytest.fixture
async def operators(place: LedgerPlace) -> AsyncGenerator[Ledger]:
    async with place.open() as ledger:
        yield ledger


@pytest.fixture
def alices(operators: Ledger) -> Ledger:
    return operators.of_tenant("alice")


@pytest.fixture
def bobs(operators: Ledger) -> Ledger:
    return operators.of_tenant("bob")


def task_of(tenant: str, *, key: str | None = None, price: float | None = None) -> Task:
    task = new_task(
        request=PICTURE, account="s", owner="a", at=NOW, tenant=tenant, idempotency_key=key
    )
    return replace(task, price_cny=price)


def succeeded(task: Task) -> Task:
    return advance(accepted(task), Observation(status=Status.SUCCEED, at=NOW + 60))


async def record(ledger: Ledger, task: Task, limits: Limits | None = None) -> Task:
    """The task that the ledger has for this request after it is admitted, a new or an earlier."""

    def decide(existing: ExistingTasks, _: Budget) -> Admission:
        chosen = admit(task, existing, at=NOW)
        return Admission(task=chosen, is_new=chosen is task)

    return (await ledger.admit(task, body=PICTURE, admit=decide, limits=limits)).task


# Every statement

NOT_OF_A_TENANT = {
    "BUDGET": "a service limits the requests of a key, and tenants may share one",
    "UPSERT_BUDGET": "the same",
    "SELECT_UNFINISHED_TENANTS": "the operator's: whom a server opens when it starts",
    "SELECT_OPEN_STATES": "the operator's: how many tasks there are, for who monitors the server",
    "SELECT_UNKNOWN_STATES": "the same",
    "SELECT_TENANTS_WITH_OLD_FILES": "the operator's: whose files a server deletes by its rule",
    "SELECT_TENANT": "the operator's: whose the outcome in an entry of the journal is",
}
"""The statements that are not of one tenant, and why."""


def test_every_statement_is_of_one_tenant() -> None:
    for name, text in statements().items():
        statement = " ".join(text.split())
        if name in NOT_OF_A_TENANT:
            assert ":tenant" not in statement
        elif statement.startswith("INSERT"):
            columns, values = re.findall(r"\((.*?)\)", statement)[:2]
            at = columns.split(", ").index("tenant")
            assert values.split(", ")[at] == ":tenant", name
        else:
            check_conditions(name, statement)


def check_conditions(name: str, statement: str) -> None:
    """Each table that is read or changed has the condition, and no alternative beside it."""
    tables = re.findall(r"\b(?:FROM|UPDATE) (?:task|event|body)\b", statement)
    assert len(re.findall(r"tenant = :tenant\b", statement)) >= max(len(tables), 1), name
    for where in re.findall(r"WHERE (.*?)(?: ORDER BY| LIMIT|\)? AS |$)", statement):
        assert re.match(r"\+?(?:earlier\.)?tenant = :tenant\b", where), (name, where)
        beside = re.sub(r"\([^()]*(?:\([^()]*\)[^()]*)*\)", "", where)
        assert " OR " not in beside, (name, where)


def test_the_list_of_exceptions_names_statements_that_exist() -> None:
    assert set(NOT_OF_A_TENANT) <= set(statements())


# Every read and change


async def test_a_task_is_found_by_its_own_tenant_alone(
    place: LedgerPlace, operators: Ledger, alices: Ledger, bobs: Ledger
) -> None:
    task = task_of("alice")
    await record(alices, task)
    await alices.change(task.id, accepted)
    start = "0" if place.url is None else "1:1:"  # before all numbers, or all transactions

    for ledger, found in ((alices, True), (bobs, False), (operators, False)):
        assert (await ledger.find(task.id) is not None) is found
        assert (await ledger.find("theirs") is not None) is found
        assert (await ledger.find_by_any_id(task.id[:8]) is not None) is found
        assert bool(await ledger.find_by_prefix(task.id[:6], limit=5)) is found
        assert bool(await ledger.list_tasks(limit=5)) is found
        assert bool(await ledger.list_tasks(limit=5, statuses=set(Status))) is found
        assert bool(await ledger.list_tasks(limit=5, query="fox")) is found
        assert bool(await ledger.list_records(limit=5)) is found
        assert bool(await ledger.events(task.id)) is found
        assert bool(await ledger.events_after(start)) is found
        # In PostgreSQL that is a snapshot, and tells nothing of anybody's tasks.
        assert place.url is not None or (await ledger.event_cursor() != start) is found
        assert bool(await ledger.unfinished("s")) is found
        assert bool(await ledger.unfinished_of_other_accounts("another")) is found
        assert bool(await ledger.leases_of_others("s", holder="b", at=NOW)) is found


async def test_a_download_that_may_be_tried_again_is_its_own_tenants(
    operators: Ledger, alices: Ledger, bobs: Ledger
) -> None:
    task = await record(alices, task_of("alice"))
    await alices.change(task.id, linked)

    found = [await each.retryable_downloads("s", since=NOW) for each in (alices, bobs)]

    assert [len(tasks) for tasks in found] == [1, 0]
    assert await operators.tenants_with_unfinished_work(since=NOW) == {"alice": ["s"]}
    assert await operators.tenants_with_unfinished_work(since=NOW + 3600) == {}
    assert await operators.tenants_with_unfinished_work() == {}


def linked(task: Task) -> Task:
    """*task* as one whose file could not be fetched, because a folder cannot be written."""
    return replace(
        succeeded(task),
        file_status=FileStatus.LINKED,
        file_error_code=min(PASSING_OBSTACLES),
    )


async def test_a_request_that_was_not_answered_is_its_own_tenants(
    alices: Ledger, bobs: Ledger
) -> None:
    task = task_of("alice")
    await record(alices, task)

    assert [len(await ledger.unsent("s")) for ledger in (alices, bobs)] == [1, 0]
    assert await alices.request_body(task) == PICTURE
    assert await bobs.request_body(task) == task.request


def check_nothing(_: Task, _existing: ExistingTasks) -> None:
    """Let the request through."""


CHANGES: dict[str, Callable[[Ledger, str], Awaitable[Task]]] = {
    "change": lambda ledger, task_id: ledger.change(task_id, accepted),
    "claim": lambda ledger, task_id: ledger.claim(task_id, accepted),
    "release": lambda ledger, task_id: ledger.release(
        task_id, body=REQUEST, release=lambda task, _: accepted(task), limits=None, at=NOW
    ),
    "assign_provider_id": lambda ledger, task_id: ledger.assign_provider_id(
        task_id, "theirs", lambda task, _: accepted(task)
    ),
    "supersede": lambda ledger, task_id: ledger.supersede(
        task_id, lambda task: (accepted(task), task_of("bob")), check_nothing, limits=None
    ),
    "record_outcome": lambda ledger, task_id: ledger.record_outcome(
        task_id, Observation(status=Status.UNKNOWN, at=NOW)
    ),
}


@pytest.mark.parametrize("how", CHANGES)
async def test_another_tenants_task_cannot_be_changed(
    how: str, alices: Ledger, bobs: Ledger
) -> None:
    """As one that does not exist, by the same exception."""
    task = await record(alices, task_of("alice"))

    with pytest.raises(KeyError) as foreign:
        await CHANGES[how](bobs, task.id)
    with pytest.raises(KeyError) as unknown:
        await CHANGES[how](bobs, "f" * 32)

    assert foreign.value.args == (task.id,)
    assert unknown.value.args == ("f" * 32,)
    assert await alices.find(task.id) == task
    assert await alices.request_body(task) == PICTURE


async def test_a_foreign_task_among_several_is_unknown_and_the_others_are_changed(
    alices: Ledger, bobs: Ledger
) -> None:
    foreign, own = await record(alices, task_of("alice")), await record(bobs, task_of("bob"))

    changed = await bobs.change_all([(foreign.id, accepted), (own.id, accepted)])

    assert isinstance(changed[0], KeyError)
    assert changed[1] == accepted(own)
    assert await alices.find(foreign.id) == foreign


async def test_a_task_of_another_tenant_cannot_be_recorded(alices: Ledger) -> None:
    for record_it in (partial(record, alices), alices.add):
        with pytest.raises(ValueError, match="a task of bob cannot be recorded for alice"):
            await record_it(task_of("bob"))

    assert await alices.list_tasks(limit=1) == []


# What is compared and counted


async def test_equal_requests_and_keys_of_two_tenants_are_two_tasks(
    alices: Ledger, bobs: Ledger
) -> None:
    for key in (None, "monday"):
        mine, theirs = task_of("alice", key=key), task_of("bob", key=key)

        assert await record(alices, mine) == mine
        assert await record(bobs, theirs) == theirs
        assert (await record(alices, task_of("alice", key=key))).id == mine.id


async def test_the_caps_count_each_tenant_apart(alices: Ledger, bobs: Ledger) -> None:
    await record(alices, task_of("alice", key="1", price=1.0), LIMITS)
    (of_bob,) = await bobs.existing_for([(task_of("bob"), {})], limits=LIMITS)

    assert (of_bob.per_day, of_bob.in_flight, of_bob.oldest_at) == (0, 0, None)
    assert of_bob.prices.priced == ()
    await record(bobs, task_of("bob", key="1", price=1.0), LIMITS)
    for ledger, tenant in ((alices, "alice"), (bobs, "bob")):
        with pytest.raises(CapReached):
            await record(ledger, task_of(tenant, key="2"), LIMITS)


async def test_two_tenants_import_the_task_of_one_id(
    operators: Ledger, alices: Ledger, bobs: Ledger
) -> None:
    seen = Observation(status=Status.RUNNING, at=NOW)
    ids = set[str]()
    for ledger in (operators, alices, bobs):
        task = import_task(seen, provider_task_id="theirs", account="s", tenant=ledger.tenant)
        again = import_task(seen, provider_task_id="theirs", account="s", tenant=ledger.tenant)
        assert await ledger.add(task) == task
        assert await ledger.add(again) == task
        assert await ledger.find("theirs") == task
        ids.add(task.id)

    assert len(ids) == 3


async def test_a_film_of_the_same_parts_is_another_tenants_own(
    alices: Ledger, bobs: Ledger
) -> None:
    seen = list[int]()

    def choose(film: Task) -> Callable[[Sequence[Task]], Task]:
        def chosen(same: Sequence[Task]) -> Task:
            seen.append(len(same))
            return film

        return chosen

    for ledger, tenant in ((alices, "alice"), (bobs, "bob"), (alices, "alice")):
        parts = [FilmPart(task_id="1"), FilmPart(task_id="2")]
        film = new_film(parts, None, preview=False, version=(), owner="a", tenant=tenant, at=NOW)
        await ledger.add_film(film, choose(film))

    assert seen == [0, 0, 1]


async def test_a_page_after_another_tenants_task_is_as_one_after_no_task(
    alices: Ledger, bobs: Ledger
) -> None:
    foreign = await record(alices, task_of("alice"))
    await record(bobs, task_of("bob"))

    assert await bobs.list_tasks(limit=5, before=foreign.id) == []
    assert await bobs.list_tasks(limit=5, before="f" * 32) == []


async def test_the_same_first_digits_are_ambiguous_within_a_tenant_alone(
    alices: Ledger, bobs: Ledger
) -> None:
    beginning = "abcdef12"
    first = replace(task_of("alice"), id=beginning + "0" * 24)
    second = replace(task_of("bob"), id=beginning + "1" * 24)

    assert (await record(alices, first)).id == first.id
    assert (await record(bobs, second)).id == second.id
    assert await alices.find_by_any_id(beginning) == first
    assert await bobs.find_by_any_id(beginning) == second


async def test_the_time_that_tasks_take_is_learnt_from_the_tenants_own(
    alices: Ledger, bobs: Ledger
) -> None:
    task = await record(alices, task_of("alice"))
    await alices.change(task.id, succeeded)
    samples = dict[str, int]()

    def learn(tenant: str) -> Callable[[ExistingTasks, Budget], Admission]:
        def decide(existing: ExistingTasks, _: Budget) -> Admission:
            samples[tenant] = len(existing.durations)
            return Admission(task=task, is_new=False)

        return decide

    for ledger, tenant in ((alices, "alice"), (bobs, "bob")):
        new = task_of(tenant)
        await ledger.admit(new, body=PICTURE, admit=learn(tenant), limits=None)

    assert samples == {"alice": 1, "bob": 0}


async def test_the_request_budget_of_a_key_is_shared(alices: Ledger, bobs: Ledger) -> None:
    await alices.update_budget("s", lambda budget: (pause(budget, at=NOW, seconds=60), None))

    wait = await bobs.update_budget(
        "s", lambda budget: take_token(budget, at=NOW, per_second=2.0, priority=True)
    )

    assert wait == 60


# The operator's own


async def test_a_server_is_told_whose_tasks_are_unfinished(
    operators: Ledger, alices: Ledger, bobs: Ledger
) -> None:
    await record(alices, task_of("alice"))
    await record(alices, replace(task_of("alice"), account="another"))
    ended = await record(bobs, task_of("bob"))
    await bobs.change(ended.id, lambda task: advance(task, rejected()))
    await record(operators, task_of("local"))

    assert await operators.tenants_with_unfinished_work() == {
        "alice": ["another", "s"],
        "local": ["s"],
    }


def rejected() -> Observation:
    return Observation(status=Status.REJECTED, at=NOW, error_code="refused")


async def test_the_journal_gives_every_tenants_task_its_outcome(
    operators: Ledger, alices: Ledger, tmp_path: Path
) -> None:
    """Whoever replays it: its tenant may not come back for days."""
    task = await record(alices, task_of("alice"))
    sending = Observation(status=Status.SUBMITTING, at=NOW, owner="a", attempt=1)
    await alices.change(task.id, lambda each: advance(each, sending))
    outcome = replace(sending, status=Status.PENDING, provider_task_id="theirs")
    Journal(tmp_path / "state").write(task.id, outcome)

    await operators.replay_journal()

    found = await alices.find(task.id)
    assert found is not None
    assert (found.status, found.provider_task_id) == (Status.PENDING, "theirs")
    assert Journal(tmp_path / "state").pending() == []


async def test_a_ledger_that_is_closed_is_closed_for_all_its_tenants(place: LedgerPlace) -> None:
    async with place.open() as ledger:
        alices = ledger.of_tenant("alice")

    with pytest.raises(StorageUnavailable):
        await alices.find("f" * 32)


async def test_transactions_of_several_tenants_run_one_at_a_time(
    operators: Ledger, alices: Ledger, bobs: Ledger
) -> None:
    """They share one connection."""
    ledgers = [operators, alices, bobs]

    async def record_several(ledger: Ledger) -> None:
        for number in range(10):
            await record(ledger, task_of(ledger.tenant, key=str(number)))

    async with anyio.create_task_group() as at_once:
        for ledger in ledgers:
            at_once.start_soon(record_several, ledger)

    assert [len(await each.list_tasks(limit=50)) for each in ledgers] == [10, 10, 10]


# A ledger of an earlier version


def create_earlier(state: Path) -> sqlite3.Connection:
    """A ledger of the version before there were tenants, with a task, its event and its request."""
    state.mkdir(mode=0o700)
    db = sqlite3.connect(state / "ledger.sqlite3", isolation_level=None)
    for statement in chain.from_iterable(MIGRATIONS[: TENANTS_SINCE - 1]):
        db.execute(statement)
    db.execute(f"PRAGMA user_version={TENANTS_SINCE - 1}")
    row = conversion.to_row(task_of("local", key="monday"))
    del row["tenant"]
    names = ", ".join(row)
    marks = ", ".join(f":{name}" for name in row)
    db.execute(f"INSERT INTO task ({names}) VALUES ({marks})", row)  # noqa: S608 - our own columns
    db.execute("INSERT INTO body VALUES (?, ?)", (row["id"], conversion.to_json(PICTURE)))
    db.execute(WRITE_EVENT_AS_BEFORE, (row["id"],))
    return db


WRITE_EVENT_AS_BEFORE = """
    INSERT INTO event
        (at, task_id, status, attempt, owner, provider_task_id, file_status, error_code)
    VALUES (1, ?, 'intended', 0, 'a', NULL, 'none', NULL)
"""


async def test_what_an_earlier_version_recorded_is_the_operators(tmp_path: Path) -> None:
    create_earlier(tmp_path / "state").close()
    async with open_ledger(tmp_path / "state") as ledger:
        (task,) = await ledger.list_tasks(limit=5)
        again = await record(ledger, task_of("local", key="monday"))
        body, events = await ledger.request_body(task), await ledger.events(task.id)
        of_alice = await ledger.of_tenant("alice").list_tasks(limit=5)

    assert (task.tenant, again.id, body, len(events)) == ("local", task.id, PICTURE, 1)
    assert of_alice == []


async def test_an_earlier_server_still_records_what_becomes_of_its_tasks(tmp_path: Path) -> None:
    """It was running when a newer one came; it knows no tenant, and has the operator's tasks."""
    with closing(create_earlier(tmp_path / "state")) as earlier:
        async with open_ledger(tmp_path / "state") as ledger:
            (task,) = await ledger.list_tasks(limit=5)
            earlier.execute(
                "UPDATE task SET status = 'pending', provider_task_id = 'theirs' WHERE id = ?",
                (task.id,),
            )
            earlier.execute("DELETE FROM body WHERE task_id = ?", (task.id,))
            earlier.execute(WRITE_EVENT_AS_BEFORE, (task.id,))
            found, events = await ledger.find("theirs"), await ledger.events(task.id)

    assert found == replace(task, status=Status.PENDING, provider_task_id="theirs")
    assert len(events) == 2


def test_a_ledger_that_was_upgraded_is_as_a_new_one(tmp_path: Path) -> None:
    create_earlier(tmp_path / "earlier").close()
    shapes = list[object]()
    for name in ("earlier", "new"):
        SyncStore(tmp_path / name).close()
        with closing(sqlite3.connect(tmp_path / name / "ledger.sqlite3")) as db:
            shapes.append(set(db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master")))

    assert shapes[0] == shapes[1]


# Without the condition


async def test_a_statement_without_its_condition_shows_what_belongs_to_another(
    alices: Ledger, bobs: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the tests above would not be worth without."""
    task = await record(alices, task_of("alice"))
    monkeypatch.setattr(schema, "FIND", schema.FIND.replace("+tenant = :tenant AND", ""))

    assert await bobs.find(task.id) == task
