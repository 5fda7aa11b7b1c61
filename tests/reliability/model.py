"""A ledger used by several processes, compared with a much simpler reference model.

Hypothesis simulates processes that share one state folder: they submit, claim, die, answer
late, and act on tasks that they read long before, while users decide about unknown outcomes.
The store, the journal and the rules of `lifecycle` and `admission` are the product's; what is
expected of them is computed independently, in `books`.

`python -m reliability.model --steps 100000` makes a long run; with `--database postgres`, on a
database.
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from geekai_video_mcp.domain.admission import (
    Admission,
    ExistingTasks,
    Limits,
    admit,
    claim_at_once,
)
from geekai_video_mcp.domain.leases import (
    CLOCK_TOLERANCE,
    POLL_LEASE_SECONDS,
    acquire_lease,
)
from geekai_video_mcp.domain.lifecycle import (
    advance,
    mark_delivered,
)
from geekai_video_mcp.domain.polling import Budget
from geekai_video_mcp.domain.result_file import record_file
from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.tasks import (
    FileUpdate,
    Observation,
    Task,
    new_task,
)
from geekai_video_mcp.errors import CapReached, RequestRefused, StorageUnavailable
from reliability.base_rules import IMAGE, PICK, BaseRules, Process
from reliability.cli import add_database_option, chosen_cluster
from reliability.model_databases import PostgresServer
from reliability.reference_model import IN_FLIGHT, POLLS_PER_SECOND, TRANSITIONS, UNCHARGED
from reliability.resolve_rules import DAILY_CAP, IN_FLIGHT_CAP, ResolveRules

STEPS: Final = 60
"""Steps of one run: enough to create a task, lose it, find it, pay for it and deliver it."""
EXAMPLES: Final = 100
"""Runs between two checks of how many steps were taken."""
FEW_EXAMPLES: Final = 10
"""The same on PostgreSQL, where a step takes ten times as long."""
IMAGES: Final = {"a fox": None, "a hare": IMAGE}
"""The image that is sent along with each prompt."""
STALE_STATUSES: Final = tuple(status for status in Status if status is not Status.SUBMITTING)
"""What a stale attempt may still report about a task."""
ANSWERS: Final = (
    *(Status(name) for name in TRANSITIONS["submitting"].split()),
    *[Status.PENDING] * 3,
    Status.UNKNOWN,
)
"""Accepted more often than all else, because a paid task has the longest way to go."""

LIVE_ORPHAN_EVERY: Final = 3
"""One in so many orphaned submissions belongs to a live process, which may still be answered."""
VISIBLE_STATUSES: Final = ("pending", "running", "succeed", "failed", "unknown", "abandoned")
"""Statuses of tasks that some process may have read a moment ago."""


class Machine(ResolveRules):
    """What callers and the engine do, based on what they read just now or long ago."""

    def __init__(self) -> None:
        super().__init__()
        # A run without a task would test nothing, and one without a payment or without an
        # unknown outcome would test little.
        first = [("a fox", None, None), ("a hare", None, "k1"), ("a hare", 1, "k2")]
        for who, (prompt, variation, key) in enumerate(first):
            self.submit(who, prompt, variation, key, None, at_once=False)
            self.model.audit(self.at)
            self.send(who, 0, late=False)
            self.model.audit(self.at)
        self.close_orphan(self.process(0), 2 * LIVE_ORPHAN_EVERY)
        self.model.audit(self.at)

    @rule(
        who=PICK,
        prompt=st.sampled_from(["a fox", "a hare"]),
        variation=st.sampled_from([None, None, 1, 2]),
        key=st.sampled_from([None, None, "k1", "k2"]),
        limits=st.sampled_from([IN_FLIGHT_CAP, DAILY_CAP, None]),
        at_once=st.booleans(),
    )
    def submit(
        self,
        who: int,
        prompt: str,
        variation: int | None,
        key: str | None,
        limits: Limits | None,
        *,
        at_once: bool,
    ) -> None:
        process = self.process(who)
        body = {"model": "m", "prompt": prompt, "image": IMAGES[prompt]}
        task = new_task(
            request=body,
            account="s",
            owner=process.own_id,
            at=self.at,
            idempotency_key=key,
            variation=variation,
        )

        def check_admission(existing: ExistingTasks, budget: Budget) -> Admission:
            admitted = admit(task, existing, at=self.at)
            if admitted is task and at_once:
                return claim_at_once(task, budget, at=self.at, per_second=POLLS_PER_SECOND)
            return Admission(task=admitted, is_new=admitted is task)

        dedup_key = (prompt, variation)
        try:
            admission = process.store.admit(task, body, check_admission, limits=limits)
        except RequestRefused:
            assert any(
                other.idempotency_key == key and other.dedup_key != dedup_key
                for other in self.model.unrejected_tasks()
            )
        except CapReached:
            assert limits is not None
            assert self.is_cap_reached(limits)
            self.count["refused by a cap"] += 1
        except StorageUnavailable:
            assert self.disk_full
        else:
            admitted = self.remember_read(admission.task)
            self.count["requests" if admission.is_new else "duplicates"] += 1
            if not admission.is_new:
                assert self.expected(admitted.id).dedup_key == dedup_key
                assert admitted.status not in {Status.REJECTED, Status.ABANDONED}
                return
            assert limits is None or not self.is_cap_reached(limits), "a cap was exceeded"
            duplicate = self.model.must_deduplicate(key, dedup_key, self.at)
            assert not duplicate, "a duplicate became a second request"
            self.expect(task, body, dedup_key)
            assert (admitted.status is Status.SUBMITTING) == (
                at_once and not self.model.bucket.is_paused(self.at)
            )
            if admitted.status is Status.SUBMITTING:
                self.model.bucket.take_token(self.at, priority=True)
                self.count["claimed at once"] += 1
                self.expect_post(process, admitted)

    def is_cap_reached(self, limits: Limits) -> bool:
        return self.model.is_cap_reached(
            per_day=limits.per_day, in_flight=limits.in_flight, at=self.at
        )

    # What the engine does, based on what it read just now or long ago.

    @precondition(lambda self: self.reads or self.has_status("intended"))
    @rule(who=PICK, pick=PICK, late=st.sampled_from([False, False, True]))
    def send(self, who: int, pick: int, *, late: bool) -> None:
        intended = self.model.ids_with_status("intended")
        process = self.process(who)
        if late or not intended:
            self.claim(process, self.reads[pick % len(self.reads)])
        else:
            self.claim(process, self.read_task(process, intended[pick % len(intended)]))

    def claim(self, process: Process, task: Task) -> None:
        observation = Observation(
            status=Status.SUBMITTING, at=self.at, owner=process.own_id, attempt=task.attempt + 1
        )
        body, before = process.store.request_body(task), list[Task]()

        def claimed(task: Task) -> Task:
            before.append(task)
            return advance(task, observation)

        after = self.try_change(process, task.id, claimed)
        if after is None or after is before[-1]:
            return
        assert body == self.expected(task.id).body, "the body differs from the one submitted"
        self.expect_post(process, after)

    def expect_post(self, process: Process, claimed: Task) -> None:
        """The process sends the request that it has claimed."""
        expected = self.expected(claimed.id)
        assert not expected.maybe_charged, "a second POST while the first may have been charged"
        expected.maybe_charged, expected.sent_at = True, self.at
        expected.post_count += 1
        self.count["POSTs"] += 1
        self.open_posts.append((process, claimed))
        self.claims.append(claimed)

    @precondition(lambda self: self.open_posts)
    @rule(pick=PICK, status=st.sampled_from(ANSWERS))
    def answer(self, pick: int, status: Status) -> None:
        process, task = self.open_posts.pop(pick % len(self.open_posts))
        expected, provider_id = self.expected(task.id), None
        if expected.status in {"unknown", "abandoned"}:
            self.count["late answers"] += 1
            self.count["late answers to abandoned tasks"] += expected.status == "abandoned"
        if status.value in UNCHARGED:
            expected.maybe_charged = False
        elif status is not Status.UNKNOWN:
            expected.paid_id = provider_id = f"paid-{next(self.serials)}"
            self.count["paid"] += 1
        observation = self.observation(task, status, provider_task_id=provider_id)
        change = partial(advance, observation=observation)
        if self.try_change(process, task.id, change) is None:
            self.count["kept in the journal"] += 1
            assert self.journal.write(task.id, observation)

    @precondition(lambda self: self.reads or self.claims)
    @rule(
        who=PICK,
        pick=PICK,
        how=st.sampled_from(["read_tasks", "close_orphan", "report_stale_attempt"]),
    )
    def use_old_reads(self, who: int, pick: int, how: str) -> None:
        getattr(self, how)(self.process(who), pick)

    def read_tasks(self, process: Process, pick: int) -> None:
        if pick % 2:
            self.read_task(process, self.any_task_id(pick))
            return
        unfinished = process.store.unfinished("s")
        assert {task.id for task in unfinished} == {
            task_id
            for task_id, task in self.model.tasks.items()
            if task.status in IN_FLIGHT - {"unknown"}
            or (task.status, task.row["file_status"]) == ("succeed", "none")
        }
        for task in unfinished:
            self.remember_read(task)

    def close_orphan(self, process: Process, pick: int) -> None:
        """Record an orphan as the engine does; sometimes one whose owner is still alive."""
        submitting = self.model.ids_with_status("submitting")
        if pick % LIVE_ORPHAN_EVERY == 0 and submitting:
            task_id = submitting[pick // LIVE_ORPHAN_EVERY % len(submitting)]
            task = self.read_task(process, task_id)
        else:
            task = self.reads[pick % len(self.reads)]
        if task.status not in {Status.INTENDED, Status.SUBMITTING}:
            return
        if self.is_alive(task.owner) and pick % LIVE_ORPHAN_EVERY:
            return
        status = Status.UNKNOWN if task.status is Status.SUBMITTING else Status.REJECTED
        observation = self.observation(task, status, error_code="orphaned")

        def closed(current: Task) -> Task:
            return advance(current, observation) if current.status is task.status else current

        self.try_change(process, task.id, closed)

    def report_stale_attempt(self, process: Process, pick: int) -> None:
        """An attempt that is over, or whose task another process owns now, changes nothing."""
        claim = self.claims[pick % len(self.claims)] if self.claims else None
        if claim is None:
            return
        row = self.expected(claim.id).row
        if (row["owner"], row["attempt"]) == (claim.owner, claim.attempt):
            return
        status = STALE_STATUSES[pick % len(STALE_STATUSES)]
        observation = self.observation(claim, status, provider_task_id="stale")
        changes: list[bool] = []

        def reported(task: Task) -> Task:
            after = advance(task, observation)
            changes.append(after != task)
            return after

        self.try_change(process, claim.id, reported)
        assert not any(changes), "a stale attempt has changed the task"

    @precondition(lambda self: self.has_status(*VISIBLE_STATUSES))
    @rule(
        who=PICK,
        pick=PICK,
        how=st.sampled_from(["poll", "poll", "miss_poll", "download", "watch", "deliver"]),
    )
    def follow_up(self, who: int, pick: int, how: str) -> None:
        ids = self.model.ids_with_status(*VISIBLE_STATUSES, "rejected")
        getattr(self, how)(self.process(who), ids[pick % len(ids)], pick)

    def download(self, process: Process, task_id: str, pick: int) -> None:
        status = list(FileStatus)[pick % len(FileStatus)]
        path = f"/videos/{next(self.serials)}" if status is FileStatus.STORED else None
        update = FileUpdate(status=status, path=path)
        self.try_change(process, task_id, partial(record_file, update=update))

    def watch(self, process: Process, task_id: str, _: int) -> None:
        before = process.store.find(task_id)
        assert before is not None
        dead = None if self.is_alive(before.lease_holder) else before.lease_holder
        leased = partial(acquire_lease, holder=process.own_id, at=self.at, dead_holder=dead)
        task = self.try_change(process, task_id, leased)
        if task is None or task.lease_holder != process.own_id:
            return
        holder, until = self.leases.get(task_id, (process.own_id, 0.0))
        if holder != process.own_id and self.is_alive(holder):
            valid = self.at < until <= self.at + POLL_LEASE_SECONDS + CLOCK_TOLERANCE
            assert not valid, "two processes hold the lease"
        assert task.lease_expires_at is not None
        self.leases[task_id] = (process.own_id, task.lease_expires_at)

    def deliver(self, process: Process, task_id: str, _: int) -> None:
        self.try_change(process, task_id, partial(mark_delivered, at=self.at))


def run_settings(examples: int) -> settings:
    """Settings for so many runs, without a database of examples and without a deadline."""
    return settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@contextmanager
def machine_on(server: str) -> Generator[type[Machine]]:
    """The machine on this PostgreSQL."""

    class DatabaseMachine(Machine):
        """As its base; Hypothesis keeps what it knows of a machine with its class."""

    with tempfile.TemporaryDirectory() as folder:
        DatabaseMachine.server = PostgresServer(server, Path(folder))
        yield DatabaseMachine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    add_database_option(parser)
    options = parser.parse_args()
    started_at = time.monotonic()
    with chosen_cluster(options.database) as cluster:
        examples = FEW_EXAMPLES if cluster else EXAMPLES
        opened = machine_on(cluster.url) if cluster else nullcontext(Machine)
        with opened as machine:
            for number in itertools.count(options.seed):
                run_state_machine_as_test(seed(number)(machine), settings=run_settings(examples))
                if BaseRules.steps >= options.steps:
                    break
    seconds = time.monotonic() - started_at
    print(  # noqa: T201 - a program that a person runs
        f"{BaseRules.steps} steps from seed {options.seed} in {seconds:.0f} s: 0 violations;"
        f" {', '.join(f'{count} {name}' for name, count in sorted(BaseRules.count.items()))}"
    )


if __name__ == "__main__":
    main()
