"""The rules of the model for what a person decides, and for what time decides.

A decision is carried out by the product's own `Resolver`, over a ledger without threads: so
what it refuses and what it changes are its own, and what is believed of them is the model's.
"""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, cast

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from geekai_video_mcp.domain import polling
from geekai_video_mcp.domain.admission import Limits
from geekai_video_mcp.domain.lifecycle import Media, Observation, Task, advance, record_missed_poll
from geekai_video_mcp.domain.statuses import Status
from geekai_video_mcp.engine import Connections, Resolver
from geekai_video_mcp.engine.context import EngineContext
from geekai_video_mcp.errors import CapReached, InvalidDecision, StorageUnavailable
from geekai_video_mcp.ledger import ProcessRegistry
from reliability.base_rules import PICK, PICTURE, BaseRules, Process, at_once
from reliability.reference_model import DAY, LOOKS, WATCHED

BUSY: Final = Limits(per_day=100, in_flight=4)
DAILY: Final = Limits(per_day=4, in_flight=100)
"""One cap at a time, or the tighter would hide the other."""
FOUND: Final = (Status.PENDING, Status.RUNNING, Status.SUCCEED, Status.FAILED)
"""What the service can say of a task that a person attaches."""
SERVED: Final = tuple(
    status for status in Status if status not in {Status.SUBMITTING, Status.ABANDONED}
)
"""What the service may say: giving up is a person's word."""
BLOCK: Final = 30.0
"""Seconds for which a 429 asks to be left alone."""


class StubConnections(EngineContext):
    """The means of a command in one process, to whom the service answers on the spot."""

    async def connections(self) -> Connections:
        return await self.connect()


class Answers:
    """A service that knows whatever it is asked for, and has one word for it."""

    def __init__(self, seen: Observation) -> None:
        self._seen = seen

    async def get_task(self, _media: Media, _task_id: str) -> Observation:
        return self._seen


class ResolveRules(BaseRules):
    """What a person does about an unknown outcome; and what a day without a result does."""

    @precondition(lambda self: self.any("unknown", "abandoned"))
    @rule(
        who=PICK,
        pick=PICK,
        how=st.sampled_from(["abandon", "resubmit", "attach"]),
        limits=st.sampled_from([BUSY, DAILY, None, None]),
    )
    def decide(self, who: int, pick: int, how: str, limits: Limits | None) -> None:
        open_ones = self.books.ids("unknown", "abandoned")
        task_id = open_ones[pick % len(open_ones)] if pick % 4 else self.any_id(pick)
        getattr(self, how)(who, task_id, pick, limits)

    def resolver(
        self, hand: Process, limits: Limits | None, status: Status = Status.RUNNING
    ) -> Resolver:
        answers = Answers(Observation(status=status, at=self.at))

        async def connect() -> Connections:
            return Connections(client=cast("Any", answers), downloader=cast("Any", None))

        return Resolver(
            StubConnections(
                ledger=hand.ledger,
                processes=cast("ProcessRegistry", hand),  # for its name alone
                account="s",
                limits=limits,
                connect=connect,
                clock=lambda: self.at,
            )
        )

    def decided(
        self, work: Coroutine[Any, Any, Task], *, refusable: bool, capped: bool = False
    ) -> Task | None:
        """The task as the decision leaves it; None if it was refused, and then all is as before."""
        before = self.books.rows()
        try:
            task = at_once(work)
        except InvalidDecision:
            assert refusable, "a decision was refused for no reason"
        except CapReached:
            assert capped
            self.count["resubmissions held by a cap"] += 1
        except StorageUnavailable:
            assert self.full
        else:
            assert not refusable, "a decision was taken twice, or about what is known"
            assert not capped, "a cap was passed"
            return task
        assert self.books.rows() == before, "refused, and something has changed"
        return None

    def abandon(self, who: int, task_id: str, _: int, _limits: Limits | None) -> None:
        wish, desk = self.new_task(task_id), self.resolver(self.hand(who), None)
        task = self.decided(desk.abandon(task_id), refusable=wish.status != "unknown")
        if task is not None:
            self.count["abandoned"] += 1
            wish.key = None
            assert task.status is Status.ABANDONED

    def resubmit(self, who: int, task_id: str, _: int, limits: Limits | None) -> None:
        """By two hands at once: the second is told what the first did."""
        for each in (who, who + 1):
            self.resubmit_by(self.hand(each), task_id, limits)
            self.books.audit(self.at)

    def resubmit_by(self, hand: Process, task_id: str, limits: Limits | None) -> None:
        wish = self.new_task(task_id)
        sendable = wish.kept or PICTURE not in wish.body.values()
        new = self.decided(
            self.resolver(hand, limits).supersede(task_id),
            refusable=wish.status != "unknown" or not sendable,
            capped=limits is not None
            and self.books.capped(
                a_day=limits.per_day, in_flight=limits.in_flight, at=self.at, less=wish
            ),
        )
        if new is None:
            return
        self.count["resubmitted"] += 1
        assert new.idempotency_key == wish.key
        self.note(new, wish.body, wish.same)
        self.remember(new)
        wish.key, wish.kept = None, False

    def attach(self, who: int, task_id: str, pick: int, _limits: Limits | None) -> None:
        """A name of its own, one that another service's task has, or one that is taken."""
        wish, names = self.new_task(task_id), self.books.names()
        news = [f"found-{next(self.names)}", *sorted(self.books.strangers)]
        name = wish.named or [*news, *names][pick % len([*news, *names])]
        taken = name in names and name != wish.named
        status = FOUND[pick % len(FOUND)]
        refusable = wish.status not in {"unknown", "abandoned"} or taken
        task = self.decided(
            self.resolver(self.hand(who), None, status).attach(task_id, name), refusable=refusable
        )
        self.count["attachments refused"] += refusable
        if task is None:
            return
        self.count["attached"] += 1
        assert task.status is status or (status in WATCHED and wish.hopeless(self.at))
        wish.attached = task.provider_task_id
        assert wish.attached in {name, None}

    # What time does.

    @precondition(lambda self: self.any(*WATCHED))
    @rule(who=PICK, pick=PICK)
    def grow_old(self, who: int, pick: int) -> None:
        """As many looks in vain as a task gets before it is given up; at times a day as well."""
        followed = self.books.ids(*WATCHED)

        def overlooked(now: Task) -> Task:
            for _ in range(LOOKS):
                now = record_missed_poll(now, at=self.at, delay=10.0)
            return now

        hand, task_id = self.hand(who), followed[pick % len(followed)]
        self.tried(hand, task_id, overlooked)
        self.books.audit(self.at)
        if pick % 2:
            self.jump(DAY + 1)
            self.look(hand, task_id, pick // 2)

    def look(self, hand: Process, task_id: str, pick: int) -> None:
        wish, status = self.new_task(task_id), SERVED[pick % len(SERVED)]
        if wish.named is None:
            return
        seen = Observation(status=status, at=self.at, error_code="c" if pick % 2 else None)
        task = self.tried(hand, task_id, partial(advance, observation=seen))
        self.ended_by_time(task, status in WATCHED)

    def look_in_vain(self, hand: Process, task_id: str, pick: int) -> None:
        forgotten = bool(pick % 2)
        missed = partial(record_missed_poll, at=self.at, delay=10.0, not_found=forgotten)
        self.ended_by_time(self.tried(hand, task_id, missed), forgotten)

    def ended_by_time(self, task: Task | None, unfinished: bool) -> None:  # noqa: FBT001 - what was seen
        """After a day, the first look that finds it *unfinished*, or nowhere, is the last."""
        if task is None or not unfinished:
            return
        wish = self.new_task(task.id)
        if wish.status in WATCHED and wish.hopeless(self.at):
            self.count["given up by time"] += 1
            assert task.status is Status.UNKNOWN, "looked at for ever"

    @rule(who=PICK, how=st.sampled_from(["look", "look", "ahead", "block"]), times=PICK)
    def ask_the_service(self, who: int, how: str, times: int) -> None:
        """The right to ask it, from the budget that all processes share."""
        try:
            for each in range(1 if how == "block" else times % 20):
                self.spend(self.hand(who + each), how)
        except StorageUnavailable:
            assert self.full

    def spend(self, hand: Process, how: str) -> None:
        spend: Callable[[polling.Budget], tuple[polling.Budget, float]]
        if how == "block":
            block = partial(polling.pause, at=self.at, seconds=BLOCK)
            hand.store.update_budget("s", lambda now: (block(now), None))
            self.books.allowance.block(self.at, BLOCK)
            return
        spend = partial(polling.take_token, at=self.at, priority=how == "ahead")
        if hand.store.update_budget("s", spend) == 0.0:
            self.books.allowance.taken(self.at, ahead=how == "ahead")
            self.count["asked"] += 1
