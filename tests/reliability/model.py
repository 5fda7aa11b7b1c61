"""A ledger under many hands, beside a model too simple to be wrong.

Hypothesis plays processes that share one state folder: they ask, claim, die, answer late,
read and act on what they read long after, and people decide between them. The store, the
journal and the rules of `lifecycle` and `admission` are the product's; what the model
believes it counts for itself, in `books`.

`python -m reliability.model --steps 100000` runs it at length.
"""

import argparse
import itertools
import time
from functools import partial
from typing import Final

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from geekai_video_mcp.domain.admission import ExistingTasks, Limits, admit
from geekai_video_mcp.domain.lifecycle import (
    LEASE_SECONDS,
    FileUpdate,
    Observation,
    Task,
    acquire_lease,
    advance,
    mark_delivered,
    new_task,
    record_file,
)
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.errors import CapReached, RequestRefused, StorageUnavailable
from reliability.base_rules import PICK, PICTURE, Process
from reliability.reference_model import FREE, HELD, WAYS
from reliability.resolve_rules import BUSY, DAILY, ResolveRules

STEPS: Final = 60
"""Steps of one run: enough for a wish to be made, lost, found, paid and told."""
EXAMPLES: Final = 100
"""Runs between two looks at how many steps were taken."""
PICTURES: Final = {"a fox": None, "a hare": PICTURE}
"""What is sent along with each prompt."""
SAID: Final = tuple(status for status in Status if status is not Status.SUBMITTING)
"""What anyone but the sender may say of a task."""
ANSWERS: Final = (
    *(Status(name) for name in WAYS["submitting"].split()),
    *[Status.PENDING] * 3,
    Status.UNKNOWN,
)
"""Accepted more often than all else: what is paid for has the longest way to go."""

GIVEN_UP: Final = 3
"""One in so many submissions is given up though its process lives, and may be answered yet."""
TENDED: Final = ("pending", "running", "succeed", "failed", "unknown", "abandoned")
"""What somebody may have looked at a moment ago."""


class Machine(ResolveRules):
    """What callers and the engine do, on what they read just now or long ago."""

    def __init__(self) -> None:
        super().__init__()
        # A run without a wish would try nothing, and one without a payment, or without an
        # outcome that nobody knows, little.
        first = [("a fox", None, None), ("a hare", None, "k1"), ("a hare", 1, "k2")]
        for who, (prompt, variation, key) in enumerate(first):
            self.ask(who, prompt, variation, key, None)
            self.books.audit(self.at)
            self.send(who, 0, late=False)
            self.books.audit(self.at)
        self.give_up(self.hand(0), 2 * GIVEN_UP)
        self.books.audit(self.at)

    @rule(
        who=PICK,
        prompt=st.sampled_from(["a fox", "a hare"]),
        variation=st.sampled_from([None, None, 1, 2]),
        key=st.sampled_from([None, None, "k1", "k2"]),
        limits=st.sampled_from([BUSY, DAILY, None]),
    )
    def ask(
        self,
        who: int,
        prompt: str,
        variation: int | None,
        key: str | None,
        limits: Limits | None,
    ) -> None:
        hand = self.hand(who)
        body = {"model": "m", "prompt": prompt, "image": PICTURES[prompt]}
        task = new_task(
            request=body,
            account="s",
            owner=hand.name,
            at=self.at,
            idempotency_key=key,
            variation=variation,
        )

        def admitted(beside: ExistingTasks) -> Task:
            return admit(task, beside, limits=limits, at=self.at)

        same = (prompt, variation)
        try:
            found = hand.store.admit(task, body, admitted)
        except RequestRefused:
            assert any(live.key == key and live.same != same for live in self.books.live())
        except CapReached:
            assert limits is not None
            assert self.capped(limits)
            self.count["held by a cap"] += 1
        except StorageUnavailable:
            assert self.full
        else:
            self.remember(found)
            self.count["wishes" if found is task else "repeats"] += 1
            if found is not task:
                assert self.new_task(found.id).same == same
                assert found.status not in {Status.REJECTED, Status.ABANDONED}
                return
            assert limits is None or not self.capped(limits), "a cap was passed"
            assert not self.books.repeats(key, same, self.at), "a repeat became a second request"
            self.note(task, body, same)

    def capped(self, limits: Limits) -> bool:
        return self.books.capped(a_day=limits.per_day, in_flight=limits.in_flight, at=self.at)

    # What the engine does, on what it read just now or long ago.

    @precondition(lambda self: self.reads or self.any("intended"))
    @rule(who=PICK, pick=PICK, late=st.sampled_from([False, False, True]))
    def send(self, who: int, pick: int, *, late: bool) -> None:
        ready = self.books.ids("intended")
        hand = self.hand(who)
        if late or not ready:
            self.claim(hand, self.reads[pick % len(self.reads)])
        else:
            self.claim(hand, self.find(hand, ready[pick % len(ready)]))

    def claim(self, hand: Process, task: Task) -> None:
        claim = Observation(
            status=Status.SUBMITTING, at=self.at, owner=hand.name, attempt=task.attempt + 1
        )
        body, found = hand.store.request_body(task), list[Task]()

        def take(now: Task) -> Task:
            found.append(now)
            return advance(now, claim)

        taken = self.tried(hand, task.id, take)
        if taken is None or taken is found[-1]:
            return
        wish = self.new_task(task.id)
        assert not wish.open, "a POST may have been charged, and another leaves"
        assert body == wish.body, "another request than was asked for"
        wish.open, wish.posts, wish.sent_at = True, wish.posts + 1, self.at
        self.count["POSTs"] += 1
        self.posts.append((hand, taken))
        self.claims.append(taken)

    @precondition(lambda self: self.posts)
    @rule(pick=PICK, status=st.sampled_from(ANSWERS))
    def answer(self, pick: int, status: Status) -> None:
        hand, task = self.posts.pop(pick % len(self.posts))
        wish, paid = self.new_task(task.id), None
        if wish.status in {"unknown", "abandoned"}:
            self.count["late answers"] += 1
            self.count["late answers to what was given up"] += wish.status == "abandoned"
        if status.value in FREE:
            wish.open = False
        elif status is not Status.UNKNOWN:
            wish.paid = paid = f"theirs-{next(self.names)}"
            self.count["paid"] += 1
        seen = self.observation(task, status, provider_task_id=paid)
        if self.tried(hand, task.id, partial(advance, observation=seen)) is None:
            self.count["kept in the journal"] += 1
            assert self.journal.write(task.id, seen)

    @precondition(lambda self: self.reads or self.claims)
    @rule(who=PICK, pick=PICK, how=st.sampled_from(["read", "give_up", "speak_out_of_turn"]))
    def meddle(self, who: int, pick: int, how: str) -> None:
        getattr(self, how)(self.hand(who), pick)

    def read(self, hand: Process, pick: int) -> None:
        if pick % 2:
            self.find(hand, self.any_id(pick))
            return
        found = hand.store.unfinished("s")
        assert {task.id for task in found} == {
            task_id
            for task_id, wish in self.books.wishes.items()
            if wish.status in HELD - {"unknown"}
            or (wish.status, wish.row["file_status"]) == ("succeed", "none")
        }
        for task in found:
            self.remember(task)

    def give_up(self, hand: Process, pick: int) -> None:
        """An orphan as the engine ends it; at times one whose owner is alive after all."""
        late = self.books.ids("submitting")
        if pick % GIVEN_UP == 0 and late:
            task = self.find(hand, late[pick // GIVEN_UP % len(late)])
        else:
            task = self.reads[pick % len(self.reads)]
        if task.status not in {Status.INTENDED, Status.SUBMITTING}:
            return
        if self.alive(task.owner) and pick % GIVEN_UP:
            return
        sent = task.status is Status.SUBMITTING
        seen = self.observation(
            task, Status.UNKNOWN if sent else Status.REJECTED, error_code="orphaned"
        )

        def given_up(now: Task) -> Task:
            return advance(now, seen) if now.status is task.status else now

        self.tried(hand, task.id, given_up)

    def speak_out_of_turn(self, hand: Process, pick: int) -> None:
        """An attempt that is over, or whose task another process has now, changes nothing."""
        old = self.claims[pick % len(self.claims)] if self.claims else None
        if old is None:
            return
        row = self.new_task(old.id).row
        if (row["owner"], row["attempt"]) == (old.owner, old.attempt):
            return
        seen = self.observation(old, SAID[pick % len(SAID)], provider_task_id="nobody's")
        heard: list[bool] = []

        def spoken(now: Task) -> Task:
            after = advance(now, seen)
            heard.append(after != now)
            return after

        self.tried(hand, old.id, spoken)
        assert not any(heard), "a stale word was heard"

    @precondition(lambda self: self.any(*TENDED))
    @rule(
        who=PICK,
        pick=PICK,
        how=st.sampled_from(["look", "look", "look_in_vain", "fetch", "watch", "hear"]),
    )
    def tend(self, who: int, pick: int, how: str) -> None:
        known = self.books.ids(*TENDED, "rejected")
        getattr(self, how)(self.hand(who), known[pick % len(known)], pick)

    def fetch(self, hand: Process, task_id: str, pick: int) -> None:
        status = list(FileStatus)[pick % len(FileStatus)]
        path = f"/videos/{next(self.names)}" if status is FileStatus.STORED else None
        self.tried(hand, task_id, partial(record_file, update=FileUpdate(status=status, path=path)))

    def watch(self, hand: Process, task_id: str, _: int) -> None:
        before = hand.store.find(task_id)
        assert before is not None
        dead = None if self.alive(before.lease_holder) else before.lease_holder
        watched = partial(acquire_lease, holder=hand.name, at=self.at, dead_holder=dead)
        task = self.tried(hand, task_id, watched)
        if task is None or task.lease_holder != hand.name:
            return
        other, until = self.leases.get(task_id, (hand.name, 0.0))
        if other != hand.name and self.alive(other):
            assert not self.at < until <= self.at + LEASE_SECONDS, "two watch at once"
        self.leases[task_id] = (hand.name, self.at + LEASE_SECONDS)

    def hear(self, hand: Process, task_id: str, _: int) -> None:
        self.tried(hand, task_id, partial(mark_delivered, at=self.at))


def options(examples: int) -> settings:
    """So many runs, nothing kept, nothing timed."""
    return settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    began = time.monotonic()
    for number in itertools.count(asked.seed):
        run_state_machine_as_test(seed(number)(Machine), settings=options(EXAMPLES))
        if Machine.steps >= asked.steps:
            break
    took = time.monotonic() - began
    print(  # noqa: T201 - a program that a person runs
        f"{Machine.steps} steps from seed {asked.seed} in {took:.0f} s: 0 violations;"
        f" {', '.join(f'{count} {msg}' for msg, count in sorted(Machine.count.items()))}"
    )


if __name__ == "__main__":
    main()
