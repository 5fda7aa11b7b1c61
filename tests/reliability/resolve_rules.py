"""The model's rules for what a user decides about a task, and for what time alone does to it.

A decision is carried out by the product's own `Resolver`, over a ledger without threads. What
it refuses and what it changes is compared with the model.
"""

from collections.abc import Coroutine
from functools import partial
from typing import Any, Final, cast

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from geekai_video_mcp.domain import polling
from geekai_video_mcp.domain.admission import Limits
from geekai_video_mcp.domain.lifecycle import advance
from geekai_video_mcp.domain.obstacles import record_missed_poll
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.domain.tasks import (
    Media,
    Observation,
    Task,
)
from geekai_video_mcp.engine import Connections, Resolver
from geekai_video_mcp.engine.context import EngineContext
from geekai_video_mcp.errors import CapReached, InvalidDecision, StorageUnavailable
from geekai_video_mcp.ledger import ProcessRegistry
from reliability.base_rules import IMAGE, PICK, BaseRules, Process
from reliability.reference_model import DAY, MIN_POLLS, POLLED, POLLS_PER_SECOND

IN_FLIGHT_CAP: Final = Limits(per_day=100, in_flight=4)
DAILY_CAP: Final = Limits(per_day=4, in_flight=100)
"""One cap at a time, because the tighter of two would hide the other."""
ATTACHED_STATUSES: Final = (Status.PENDING, Status.RUNNING, Status.SUCCEED, Status.FAILED)
"""What the provider can report for a task that a user attaches."""
PROVIDER_STATUSES: Final = tuple(
    status for status in Status if status not in {Status.SUBMITTING, Status.ABANDONED}
)
"""What the provider may report; only a user abandons a task."""
POLLS_DUE: Final = 3
"""Polls for which tokens are taken at once."""
PAUSE: Final = 30.0
"""Seconds for which a 429 asks for no requests."""


class StubConnections(EngineContext):
    """The context of a command in one process, with a provider that answers at once."""

    async def get_connections(self) -> Connections:
        return await self.connect()


class StubProvider:
    """A provider that knows every task and always reports the same observation."""

    def __init__(self, observation: Observation) -> None:
        self._observation = observation

    async def get_task(self, _media: Media, _task_id: str) -> Observation:
        return self._observation


class ResolveRules(BaseRules):
    """What a user does about an unknown outcome, and what a day without a result does."""

    @precondition(lambda self: self.has_status("unknown", "abandoned"))
    @rule(
        who=PICK,
        pick=PICK,
        how=st.sampled_from(["abandon", "resubmit", "attach"]),
        limits=st.sampled_from([IN_FLIGHT_CAP, DAILY_CAP, None, None]),
    )
    def decide(self, who: int, pick: int, how: str, limits: Limits | None) -> None:
        unresolved = self.model.ids_with_status("unknown", "abandoned")
        task_id = unresolved[pick % len(unresolved)] if pick % 4 else self.any_task_id(pick)
        getattr(self, how)(who, task_id, pick, limits)

    def resolver(
        self, process: Process, limits: Limits | None, status: Status = Status.RUNNING
    ) -> Resolver:
        provider = StubProvider(Observation(status=status, at=self.at))

        async def connect() -> Connections:
            return Connections(client=cast("Any", provider), downloader=cast("Any", None))

        return Resolver(
            StubConnections(
                ledger=process.ledger,
                processes=cast("ProcessRegistry", process),  # only for its `own_id`
                account="s",
                limits=limits,
                requests_per_second=POLLS_PER_SECOND,
                connect=connect,
                clock=lambda: self.at,
                check_folders=lambda: None,
                resolve_parents=cast("Any", None),
                join_film=cast("Any", None),
                delete_file=cast("Any", None),
            )
        )

    def run_decision(
        self, decision: Coroutine[Any, Any, Task], *, refusable: bool, capped: bool = False
    ) -> Task | None:
        """The task after the decision; None if it was refused, and then nothing has changed."""
        before = self.model.read_rows()
        try:
            task = self.database.run(decision)
        except InvalidDecision:
            assert refusable, "a decision was refused for no reason"
        except CapReached:
            assert capped
            self.count["resubmissions refused by a cap"] += 1
        except StorageUnavailable:
            assert self.disk_full
        else:
            assert not refusable, "a decision was carried out twice, or about a known outcome"
            assert not capped, "a cap was exceeded"
            return task
        assert self.model.read_rows() == before, "a refused decision has changed the ledger"
        return None

    def abandon(self, who: int, task_id: str, _: int, _limits: Limits | None) -> None:
        expected, resolver = self.expected(task_id), self.resolver(self.process(who), None)
        refusable = expected.status != "unknown"
        task = self.run_decision(resolver.abandon(task_id), refusable=refusable)
        if task is not None:
            self.count["abandoned"] += 1
            expected.idempotency_key = None
            assert task.status is Status.ABANDONED

    def resubmit(self, who: int, task_id: str, _: int, limits: Limits | None) -> None:
        """In two processes, one after the other: the second must see what the first did."""
        for each in (who, who + 1):
            self.resubmit_once(self.process(each), task_id, limits)
            self.model.audit(self.at)

    def resubmit_once(self, process: Process, task_id: str, limits: Limits | None) -> None:
        expected = self.expected(task_id)
        sendable = expected.body_stored or IMAGE not in expected.body.values()
        new = self.run_decision(
            self.resolver(process, limits).supersede(task_id),
            refusable=expected.status != "unknown" or not sendable,
            capped=limits is not None
            and self.model.is_cap_reached(
                per_day=limits.per_day,
                in_flight=limits.in_flight,
                at=self.at,
                replaced=expected,
            ),
        )
        if new is None:
            return
        self.count["resubmitted"] += 1
        assert new.idempotency_key == expected.idempotency_key
        self.expect(new, expected.body, expected.dedup_key)
        self.remember_read(new)
        expected.idempotency_key, expected.body_stored = None, False

    def attach(self, who: int, task_id: str, pick: int, _limits: Limits | None) -> None:
        """A new provider id, one of another account's task, or one that is already used."""
        expected, used_ids = self.expected(task_id), self.model.provider_ids()
        candidates = [
            f"found-{next(self.serials)}",
            *sorted(self.model.imported_ids),
            *used_ids,
        ]
        provider_id = expected.provider_task_id or candidates[pick % len(candidates)]
        taken = provider_id in used_ids and provider_id != expected.provider_task_id
        status = ATTACHED_STATUSES[pick % len(ATTACHED_STATUSES)]
        refusable = expected.status not in {"unknown", "abandoned"} or taken
        resolver = self.resolver(self.process(who), None, status)
        task = self.run_decision(resolver.attach(task_id, provider_id), refusable=refusable)
        self.count["attachments refused"] += refusable
        if task is None:
            return
        self.count["attached"] += 1
        assert task.status is status or (status in POLLED and expected.may_expire(self.at))
        expected.attached_id = task.provider_task_id
        assert expected.attached_id in {provider_id, None}

    # What time does.

    @precondition(lambda self: self.has_status(*POLLED))
    @rule(who=PICK, pick=PICK)
    def miss_many_polls(self, who: int, pick: int) -> None:
        """As many missed polls as a task needs to expire; sometimes a day passes as well."""
        polled = self.model.ids_with_status(*POLLED)

        def with_missed_polls(task: Task) -> Task:
            for _ in range(MIN_POLLS):
                task = record_missed_poll(task, at=self.at, delay=10.0)
            return task

        process, task_id = self.process(who), polled[pick % len(polled)]
        self.try_change(process, task_id, with_missed_polls)
        self.model.audit(self.at)
        if pick % 2:
            self.jump_clock(DAY + 1)
            self.poll(process, task_id, pick // 2)

    def poll(self, process: Process, task_id: str, pick: int) -> None:
        if self.expected(task_id).provider_task_id is None:
            return
        status = PROVIDER_STATUSES[pick % len(PROVIDER_STATUSES)]
        observation = Observation(status=status, at=self.at, error_code="c" if pick % 2 else None)
        task = self.try_change(process, task_id, partial(advance, observation=observation))
        self.check_expired(task, unfinished=status in POLLED)

    def miss_poll(self, process: Process, task_id: str, pick: int) -> None:
        not_found = bool(pick % 2)
        missed = partial(record_missed_poll, at=self.at, delay=10.0, not_found=not_found)
        self.check_expired(self.try_change(process, task_id, missed), unfinished=not_found)

    def check_expired(self, task: Task | None, *, unfinished: bool) -> None:
        """After a day, the first poll that finds it *unfinished* or not at all is the last."""
        if task is None or not unfinished:
            return
        expected = self.expected(task.id)
        if expected.status in POLLED and expected.may_expire(self.at):
            self.count["expired"] += 1
            assert task.status is Status.UNKNOWN, "the task is polled for ever"

    @rule(who=PICK, how=st.sampled_from(["poll", "poll", "submit", "pause"]), times=PICK)
    def use_rate_limit(self, who: int, how: str, times: int) -> None:
        """Take tokens from the rate limit that all processes share, or pause it."""
        try:
            for each in range(1 if how == "pause" else times % 20):
                self.use_rate_limit_once(self.process(who + each), how)
        except StorageUnavailable:
            assert self.disk_full

    def use_rate_limit_once(self, process: Process, how: str) -> None:
        if how == "pause":

            def pause(budget: polling.Budget) -> tuple[polling.Budget, None]:
                return polling.pause(budget, at=self.at, seconds=PAUSE), None

            process.store.update_budget("s", pause)
            self.model.bucket.pause(self.at, PAUSE)
            return
        if how == "submit":
            take_token = partial(
                polling.take_token, at=self.at, per_second=POLLS_PER_SECOND, priority=True
            )
            granted = int(process.store.update_budget("s", take_token) == 0.0)
        else:
            take_tokens = partial(
                polling.take_tokens, at=self.at, per_second=POLLS_PER_SECOND, count=POLLS_DUE
            )
            granted = process.store.update_budget("s", take_tokens).granted
        for _ in range(granted):
            self.model.bucket.take_token(self.at, priority=how == "submit")
            self.count["tokens taken"] += 1
