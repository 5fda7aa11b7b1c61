"""What a task is and how it may change: the table, the function, and the schedules."""

from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geekai_video_mcp.domain.leases import LEASE_SECONDS, POLL_LEASE_SECONDS, acquire_lease
from geekai_video_mcp.domain.lifecycle import (
    GIVE_UP_AFTER,
    GIVE_UP_MIN_POLLS,
    NO_LINK_GRACE,
    advance,
    import_task,
    mark_delivered,
    needs_watching,
    poll_due,
)
from geekai_video_mcp.domain.obstacles import NOT_FOUND_GRACE, record_missed_poll
from geekai_video_mcp.domain.polling import (
    ESTIMATE_SLACK,
    FIRST_POLL_DELAY,
    JITTER,
    MAX_POLL_GAP,
    MAX_POLL_INTERVAL,
    MIN_HISTORY_INTERVAL,
    MIN_POLL_INTERVAL,
    POLL_INTERVAL,
    POLL_WORTH,
    TypicalDuration,
    interval_from_history,
    poll_interval,
)
from geekai_video_mcp.domain.result_file import (
    has_no_link,
    keep_copy,
    record_file,
    reopen_file,
    replace_result,
)
from geekai_video_mcp.domain.retries import (
    DOWNLOAD_RETRY_DELAYS,
    MAX_RETRY_AFTER,
    RATE_LIMIT_DELAYS,
    UNSENT_RETRY_DELAYS,
    Obstacle,
    download_retry_delay,
    retry_delay,
)
from geekai_video_mcp.domain.statuses import (
    ALLOWED,
    IN_FLIGHT,
    POLLED,
    TERMINAL,
    FileStatus,
    Status,
)
from geekai_video_mcp.domain.tasks import (
    FileUpdate,
    Observation,
    Result,
    Task,
    new_task,
    with_typical_duration,
)
from geekai_video_mcp.errors import MAYBE_CHARGED

NOW = 1_790_000_000.0
USUAL = TypicalDuration(p10=60.0, p95=240.0)

times = st.floats(min_value=NOW, max_value=NOW + 1e5)
observations = st.builds(
    Observation,
    status=st.sampled_from(Status),
    at=times,
    owner=st.sampled_from([None, "a", "b"]),
    attempt=st.sampled_from([None, 0, 1, 2, 3]),
    provider_task_id=st.sampled_from([None, "one", "two"]),
    result=st.sampled_from([None, Result(url="https://x/1.mp4"), Result(url="https://x/2.mp4")]),
    error_code=st.sampled_from([None, "e"]),
    error_message=st.sampled_from([None, "m"]),
    estimated_seconds=st.none() | st.floats(min_value=0, max_value=1e6),
    no_link=st.sampled_from([None, "n"]),
)
facts = st.builds(
    FileUpdate, status=st.sampled_from(FileStatus), path=st.sampled_from([None, "/videos/a.mp4"])
)


def make_task() -> Task:
    return new_task(request={"model": "m", "prompt": "p"}, account="s", owner="a", at=NOW)


def polled(status: Status = Status.RUNNING, *, at: float = NOW) -> Task:
    return replace(
        make_task(),
        status=status,
        attempt=1,
        submitted_at=at,
        provider_task_id="one",
        next_poll_at=at,
    )


def test_the_table_covers_every_status() -> None:
    assert set(ALLOWED) == set(Status)


def test_terminal_are_exactly_the_statuses_with_no_way_out() -> None:
    assert {status for status, ways in ALLOWED.items() if not ways} == TERMINAL


def test_every_status_can_be_reached_from_a_request_that_waits() -> None:
    reached = {Status.WAITING}
    for _ in Status:
        reached |= {after for before in reached for after in ALLOWED[before]}
    assert reached == set(Status)


def test_only_a_person_turns_an_unknown_outcome_into_a_new_submission() -> None:
    assert not ALLOWED[Status.UNKNOWN] & {Status.INTENDED, Status.SUBMITTING, Status.REJECTED}


def test_ids_are_unguessable_and_never_the_same() -> None:
    observation = Observation(status=Status.RUNNING, at=NOW)
    ids = {make_task().id for _ in range(100)}
    ids |= {import_task(observation, provider_task_id="theirs", account="s").id for _ in range(100)}

    assert len(ids) == 200
    assert {len(i) for i in ids} == {32}


@given(st.lists(observations, max_size=25))
def test_no_sequence_of_observations_leaves_an_end_loses_an_id_or_breaks_the_transitions(
    answers: Sequence[Observation],
) -> None:
    task = make_task()
    for word in answers:
        before, task = task, advance(task, word)

        assert task.status is before.status or task.status in ALLOWED[before.status]
        assert before.status not in TERMINAL or task.status is before.status
        assert before.provider_task_id in {None, task.provider_task_id}
        assert (task.id, task.created_at, task.request) == (
            before.id,
            before.created_at,
            before.request,
        )
        assert task.attempt in {before.attempt, before.attempt + 1}
        assert (task.attempt > before.attempt) == (
            word.status is Status.SUBMITTING and task is not before
        )
        assert (task.ended_at is not None) == (task.status in TERMINAL)
        assert (task.next_poll_at is not None) == (task.status in POLLED)


@given(st.lists(observations, max_size=10), observations)
def test_an_observation_of_a_stale_attempt_changes_nothing(
    answers: Sequence[Observation], late: Observation
) -> None:
    task = make_task()
    for word in answers:
        task = advance(task, word)
    if late.attempt is None or late.status is Status.SUBMITTING:
        return
    if (late.owner, late.attempt) != (task.owner, task.attempt):
        assert advance(task, late) is task


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 3)), max_size=20))
def test_the_claim_to_send_is_given_once_for_each_attempt(claims: list[tuple[str, int]]) -> None:
    task, given_to = make_task(), dict[int, list[str]]()
    for owner, attempt in claims:
        claim = Observation(status=Status.SUBMITTING, at=NOW, owner=owner, attempt=attempt)
        after = advance(task, claim)
        if after is not task:
            given_to.setdefault(attempt, []).append(owner)
            back = Observation(status=Status.INTENDED, at=NOW, owner=owner, attempt=attempt)
            after = advance(after, back)
        task = after

    assert all(len(owners) == 1 for owners in given_to.values())
    assert list(given_to) == list(range(1, len(given_to) + 1))


def test_a_claim_is_its_claimants_and_begins_anew() -> None:
    """Another process's sweep asks whether the owner lives: it must be the one that sends."""
    limited = replace(make_task(), attempt=1, error_code="rate_limited", error_message="slow down")
    claim = Observation(status=Status.SUBMITTING, at=NOW + 5, owner="another", attempt=2)
    taken = advance(limited, claim)

    assert (taken.owner, taken.attempt, taken.submitted_at) == ("another", 2, NOW + 5)
    assert (taken.error_code, taken.error_message) == (None, None)


def test_the_same_observation_again_changes_neither_the_reason_nor_the_delivery() -> None:
    why = Observation(status=Status.UNKNOWN, at=NOW, error_code="no_answer", error_message="m")
    delivered = mark_delivered(
        advance(replace(make_task(), status=Status.SUBMITTING), why), at=NOW + 1
    )
    again = advance(delivered, Observation(status=Status.UNKNOWN, at=NOW + 9))

    assert (again.error_code, again.error_message) == ("no_answer", "m")
    assert again.delivered_at == NOW + 1


def test_a_task_under_way_is_not_claimed_again() -> None:
    claim = Observation(status=Status.SUBMITTING, at=NOW, owner="b", attempt=2)
    for status in set(Status) - {Status.INTENDED}:
        assert advance(polled(status), claim).attempt == 1


def test_a_late_answer_turns_unknown_into_what_it_says() -> None:
    lost = replace(
        polled(Status.UNKNOWN),
        provider_task_id=None,
        error_code="no_answer",
        error_message="?",
    )
    answer = Observation(
        status=Status.PENDING, at=NOW + 5, owner="a", attempt=1, provider_task_id="late"
    )

    answered = advance(lost, answer)

    assert (answered.status, answered.provider_task_id) == (Status.PENDING, "late")
    assert (answered.error_code, answered.error_message) == (None, None)


@pytest.mark.parametrize("end", [Status.SUCCEED, Status.FAILED])
@pytest.mark.parametrize(
    "believed", sorted(set(Status) - TERMINAL - {Status.WAITING, Status.INTENDED})
)
def test_whatever_the_status_a_final_status_from_the_service_is_taken(
    believed: Status, end: Status
) -> None:
    assert advance(polled(believed), Observation(status=end, at=NOW)).status is end


def test_why_an_outcome_was_unknown_is_not_why_the_task_failed_later() -> None:
    lost = replace(polled(Status.UNKNOWN), error_message="no answer", raw_response="<html>")

    failed = advance(lost, Observation(status=Status.FAILED, at=NOW))

    assert (failed.error_message, failed.raw_response) == (None, None)


def test_a_late_answer_wins_over_a_person_who_gave_it_up_and_a_stale_attempt_does_not() -> None:
    lost = replace(polled(Status.UNKNOWN), provider_task_id=None)
    gone = advance(lost, Observation(status=Status.ABANDONED, at=NOW))
    answer = Observation(
        status=Status.PENDING, at=NOW + 5, owner="a", attempt=1, provider_task_id="late"
    )

    assert gone.status is Status.ABANDONED
    assert advance(gone, answer).status is Status.PENDING
    assert advance(gone, replace(answer, attempt=2)) is gone


def test_giving_up_keeps_the_reply_that_is_all_the_evidence() -> None:
    lost = replace(polled(Status.UNKNOWN), error_code="no_answer", raw_response="<html>")

    gone = advance(lost, Observation(status=Status.ABANDONED, at=NOW, error_code="abandoned"))

    assert (gone.error_code, gone.raw_response) == ("abandoned", "<html>")


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.UNKNOWN, Status.ABANDONED}))
def test_only_an_unknown_outcome_can_be_given_up(status: Status) -> None:
    task = polled(status)

    assert advance(task, Observation(status=Status.ABANDONED, at=NOW)) is task


def test_a_backward_observation_keeps_the_status_and_still_counts_as_a_poll() -> None:
    task = advance(polled(), Observation(status=Status.PENDING, at=NOW + 10))

    assert (task.status, task.poll_count) == (Status.RUNNING, 1)
    assert not poll_due(task, at=NOW + 10)


def test_an_end_is_dated_once_and_a_newer_link_is_taken() -> None:
    task = polled()
    for at, link in ((NOW + 30, "https://x/old.mp4"), (NOW + 90, "https://x/new.mp4")):
        task = advance(
            task, Observation(status=Status.SUCCEED, at=at, result=Result(id="v", url=link))
        )

    assert task.ended_at == NOW + 30
    assert task.result == Result(id="v", url="https://x/new.mp4")


@given(st.lists(facts, max_size=10))
def test_what_is_stored_stays_stored(learned: Sequence[FileUpdate]) -> None:
    task = polled(Status.SUCCEED)
    for fact in learned:
        before, task = task, record_file(task, fact)
        assert before.file_status is not FileStatus.STORED or task == before
        assert before.failed_downloads <= task.failed_downloads <= before.failed_downloads + 1


FILE: Final = FileUpdate(
    status=FileStatus.STORED,
    path="/a.mp4",
    size_bytes=7,
    sha256="00",
    seconds=5.04,
    width=1920,
    height=1080,
    fps=29.97,
    has_sound=False,
)


def facts_of_file(task: Task) -> dict[str, Any]:
    """Every field of a task that describes its file, with the names of `FileUpdate`."""
    names = {field.name: f"file_{field.name}" for field in fields(FileUpdate)}
    names["size_bytes"] = "file_bytes"
    return {name: getattr(task, field) for name, field in names.items()}


def test_what_is_learned_of_a_file_is_kept_whole_and_what_failed_is_counted() -> None:
    tried = record_file(polled(Status.SUCCEED), FileUpdate(status=FileStatus.NONE, error="offline"))
    stored = record_file(tried, FILE)

    assert (tried.file_error, tried.failed_downloads) == ("offline", 1)
    assert facts_of_file(stored) == asdict(FILE)
    assert stored.failed_downloads == 1


def test_what_was_known_of_a_file_is_forgotten_when_it_is_fetched_again() -> None:
    stored = record_file(polled(Status.SUCCEED), FILE)

    assert facts_of_file(reopen_file(stored)) == asdict(FileUpdate(status=FileStatus.NONE))


def test_a_kept_copy_keeps_its_facts_when_fetching_it_again_fails() -> None:
    linked = replace(FILE, status=FileStatus.LINKED, error="The file cannot be decoded.")
    before = record_file(polled(Status.SUCCEED), linked)
    gone = FileUpdate(status=FileStatus.LOST, error="The link is dead.", error_code="result_lost")
    after = record_file(reopen_file(before), gone)

    kept = facts_of_file(keep_copy(after, before))
    assert kept == {
        **asdict(linked),
        "status": FileStatus.LOST,
        **{name: getattr(gone, name) for name in ("error", "error_code")},
    }


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.SUCCEED}))
def test_only_a_succeeded_task_has_a_file(status: Status) -> None:
    task = polled(status)

    assert record_file(task, FileUpdate(status=FileStatus.STORED, path="/videos/a.mp4")) is task


def test_a_video_is_settled_when_its_file_is_and_a_failure_at_once() -> None:
    success = polled(Status.SUCCEED)

    assert not success.settled
    assert record_file(success, FileUpdate(status=FileStatus.STORED, path="/a")).settled
    assert record_file(success, FileUpdate(status=FileStatus.LOST)).settled
    assert not record_file(success, FileUpdate(status=FileStatus.NONE, error="offline")).settled
    settled = {status for status in Status if polled(status).settled}
    assert settled == {Status.FAILED, Status.REJECTED, Status.UNKNOWN, Status.ABANDONED}


@pytest.mark.parametrize(
    ("status", "seconds"),
    [(Status.RUNNING, POLL_LEASE_SECONDS), (Status.SUCCEED, LEASE_SECONDS)],
)
def test_a_lease_holds_against_others_until_it_ends(status: Status, seconds: float) -> None:
    held = acquire_lease(polled(status), holder="a", at=NOW)

    assert held.lease_expires_at == NOW + seconds
    assert acquire_lease(held, holder="b", at=NOW + seconds - 1) is held
    assert acquire_lease(held, holder="b", at=NOW + seconds).lease_holder == "b"
    assert acquire_lease(held, holder="a", at=NOW + 1).lease_expires_at == NOW + 1 + seconds


def test_a_lease_for_polls_lasts_beyond_every_poll_that_may_be_next() -> None:
    task = record_missed_poll(polled(), at=NOW, delay=3600)
    leased = acquire_lease(task, holder="a", at=NOW)

    assert leased.next_poll_at is not None
    assert leased.lease_expires_at is not None
    assert leased.lease_expires_at - leased.next_poll_at >= LEASE_SECONDS


def test_a_dead_lease_holder_loses_its_lease_at_once_and_only_its_own() -> None:
    held = acquire_lease(polled(), holder="a", at=NOW)

    assert acquire_lease(held, holder="b", at=NOW + 1, dead_holder="a").lease_holder == "b"
    assert acquire_lease(held, holder="b", at=NOW + 1, dead_holder="c") is held


def test_a_lease_from_before_the_clock_was_set_back_does_not_count() -> None:
    held = acquire_lease(polled(), holder="a", at=NOW + 3600)

    assert acquire_lease(held, holder="b", at=NOW).lease_holder == "b"


def test_a_lease_of_a_process_whose_clock_is_a_little_ahead_counts() -> None:
    """On several machines no two clocks are the same."""
    held = acquire_lease(polled(), holder="a", at=NOW + 1)

    assert acquire_lease(held, holder="b", at=NOW) is held


def test_a_poll_is_due_at_its_time_and_when_no_schedule_could_have_set_it() -> None:
    task = replace(polled(), next_poll_at=NOW + 10)

    assert not poll_due(task, at=NOW + 9.9)
    assert poll_due(task, at=NOW + 10)
    assert poll_due(replace(task, next_poll_at=None), at=NOW)
    assert poll_due(replace(task, next_poll_at=NOW + 3600), at=NOW), "the clock was set back"


def next_poll_delay(task: Task, *, at: float, hint: float | None = None) -> float:
    """Seconds to the next look after a look at *at* that saw nothing new."""
    observation = Observation(status=Status.RUNNING, at=at, estimated_seconds=hint)
    after = advance(task, observation)
    assert after.next_poll_at is not None
    return after.next_poll_at - at


def test_the_first_poll_waits_until_a_video_could_be_finished() -> None:
    sent = replace(polled(Status.SUBMITTING), next_poll_at=None)

    assert next_poll_delay(sent, at=NOW + 2) == pytest.approx(FIRST_POLL_DELAY, rel=JITTER)


def test_the_first_poll_comes_when_a_few_of_its_duration_key_are_done() -> None:
    sent = with_typical_duration(replace(polled(Status.SUBMITTING), next_poll_at=None), USUAL)

    assert USUAL.p10 / 2 < next_poll_delay(sent, at=NOW + 2) < USUAL.p10


@pytest.mark.parametrize("age", [60, 119, 240])
def test_each_poll_ends_the_same_expected_wait(age: float) -> None:
    delay = interval_from_history(age, USUAL)
    ended = 1 - USUAL.share_running(age + delay) / USUAL.share_running(age)

    assert ended * delay / 2 == pytest.approx(POLL_WORTH, rel=0.1)


def test_history_that_a_task_has_outlived_by_far_counts_no_longer() -> None:
    task = with_typical_duration(polled(), USUAL)

    assert next_poll_delay(task, at=NOW + 240) < 1.2 * POLL_INTERVAL
    assert next_poll_delay(task, at=NOW + 900) == pytest.approx(MAX_POLL_INTERVAL, rel=JITTER)


@given(st.floats(0, 1e5), st.floats(0, 1e5), st.floats(0, 1e5))
def test_history_of_any_kind_gives_intervals_within_bounds(a: float, b: float, age: float) -> None:
    typical = TypicalDuration(p10=min(a, b), p95=max(a, b))

    delay = poll_interval(age=age, typical=typical, first=True)

    assert MIN_HISTORY_INTERVAL <= delay <= MAX_POLL_GAP


def test_polls_of_tasks_that_were_sent_together_are_jittered() -> None:
    waits = [next_poll_delay(polled(), at=NOW + 10) for _ in range(200)]

    assert min(waits) < 0.92 * POLL_INTERVAL < 1.08 * POLL_INTERVAL < max(waits)


@pytest.mark.parametrize(
    ("age", "wait"),
    [(-3600, POLL_INTERVAL), (10, POLL_INTERVAL), (100, 10.0), (9_999, MAX_POLL_INTERVAL)],
)
def test_poll_intervals_grow_with_the_age_of_the_task(age: float, wait: float) -> None:
    assert next_poll_delay(polled(), at=NOW + age) == pytest.approx(wait, rel=JITTER)


@pytest.mark.parametrize(
    ("hint", "wait"),
    [
        (8.0, 8.0 + ESTIMATE_SLACK),
        (0.0, MIN_POLL_INTERVAL),
        (-5.0, MIN_POLL_INTERVAL),
        (1e9, MAX_POLL_INTERVAL),
    ],
)
def test_the_services_estimate_is_honoured_within_bounds(hint: float, wait: float) -> None:
    assert next_poll_delay(polled(), at=NOW + 60, hint=hint) == pytest.approx(wait)


@given(observations, times, st.floats(0, 1e5), st.integers(0, 1000))
def test_no_schedule_sets_a_poll_that_would_look_like_a_clock_set_back(
    observation: Observation, submitted: float, soonest: float, looks: int
) -> None:
    usual = TypicalDuration(p10=soonest, p95=soonest * 2)
    task = replace(
        with_typical_duration(polled(at=submitted), usual), poll_count=looks, next_poll_at=None
    )
    task = advance(task, replace(observation, attempt=None))

    assert (
        task.next_poll_at is None
        or observation.at < task.next_poll_at <= observation.at + MAX_POLL_GAP
    )


@pytest.mark.parametrize("delay", [10.0, 120.0, 3600.0, float("inf")])
def test_a_missed_poll_changes_nothing_but_the_next_poll(delay: float) -> None:
    missed = record_missed_poll(polled(), at=NOW, delay=delay)

    assert (missed.status, missed.poll_count, missed.unreachable_since) == (Status.RUNNING, 1, NOW)
    assert not poll_due(missed, at=NOW + min(delay, MAX_POLL_GAP) - 0.1), "the service's own wish"
    assert poll_due(missed, at=NOW + delay * 1.25)
    assert record_missed_poll(missed, at=NOW + 50, delay=delay).unreachable_since == NOW
    assert advance(missed, Observation(status=Status.RUNNING, at=NOW)).unreachable_since is None


def old(*, looks: int = GIVE_UP_MIN_POLLS) -> Task:
    return replace(polled(at=NOW - GIVE_UP_AFTER), poll_count=looks)


@pytest.mark.parametrize("status", sorted(POLLED))
def test_a_task_that_is_not_done_after_a_day_is_unknown_and_never_failed(status: Status) -> None:
    ended = advance(old(), Observation(status=status, at=NOW))

    assert (ended.status, ended.error_code, ended.next_poll_at) == (
        Status.UNKNOWN,
        "no_result",
        None,
    )
    assert MAYBE_CHARGED in str(ended.error_message)
    assert ended.settled


def test_a_task_does_not_expire_before_its_time_nor_before_many_polls() -> None:
    observation = Observation(status=Status.RUNNING, at=NOW)

    assert (
        advance(replace(old(), submitted_at=NOW - GIVE_UP_AFTER + 1), observation).status
        is Status.RUNNING
    )
    assert advance(old(looks=GIVE_UP_MIN_POLLS - 1), observation).status is Status.RUNNING


def test_a_video_that_comes_after_a_day_is_a_video() -> None:
    observation = Observation(status=Status.SUCCEED, at=NOW, result=Result(url="https://x/1.mp4"))

    assert advance(old(), observation).status is Status.SUCCEED
    assert advance(
        advance(old(), Observation(status=Status.RUNNING, at=NOW)), observation
    ).status is (Status.SUCCEED)


def test_a_task_that_was_given_up_stays_so_while_it_is_not_done() -> None:
    gone = advance(old(), Observation(status=Status.RUNNING, at=NOW))

    again = advance(gone, Observation(status=Status.RUNNING, at=NOW + 60))

    assert (again.status, again.error_code) == (Status.UNKNOWN, "no_result")


def test_a_failed_poll_expires_nothing_unless_the_service_has_forgotten_the_task() -> None:
    missed = record_missed_poll(old(), at=NOW, delay=10)

    assert missed.status is Status.RUNNING
    assert record_missed_poll(polled(), at=NOW, delay=10, not_found=True).status is Status.RUNNING
    assert record_missed_poll(missed, at=NOW, delay=10, not_found=True).status is Status.UNKNOWN


def test_a_missed_poll_keeps_its_reason_and_what_came_until_a_poll_works() -> None:
    missed = record_missed_poll(polled(), at=NOW, delay=10, reason="HTTP 502.", raw_response="<h>")
    silent = record_missed_poll(missed, at=NOW + 10, delay=10, reason="GeekAI has not answered.")
    works = advance(missed, Observation(status=Status.RUNNING, at=NOW + 20))

    assert (missed.stall_reason, missed.raw_response) == ("HTTP 502.", "<h>")
    assert (silent.stall_reason, silent.raw_response) == ("GeekAI has not answered.", "<h>")
    assert (works.stall_reason, works.unreachable_since) == (None, None)


@pytest.mark.parametrize(
    ("since", "unusable", "status"),
    [
        (NOW - GIVE_UP_AFTER, True, Status.UNKNOWN),
        (NOW - GIVE_UP_AFTER + 1, True, Status.RUNNING),
        (None, True, Status.RUNNING),
        (NOW - GIVE_UP_AFTER, False, Status.RUNNING),
    ],
)
def test_a_day_of_answers_that_cannot_be_used_ends_the_polling_and_a_day_without_network_does_not(
    since: float | None, *, unusable: bool, status: Status
) -> None:
    stalled = replace(old(), unreachable_since=since)
    after = record_missed_poll(
        stalled, at=NOW, delay=10, reason="?", raw_response="<html>", unusable=unusable
    )

    assert after.status is status
    assert after.raw_response == "<html>"


def test_a_new_task_that_the_service_does_not_know_yet_is_polled_at_the_normal_pace() -> None:
    def interval(age: float, *, not_found: bool) -> float:
        task = polled(at=NOW - age)
        missed = record_missed_poll(task, at=NOW, delay=30, not_found=not_found)
        return float(missed.next_poll_at or 0) - NOW

    assert interval(NOT_FOUND_GRACE - 1, not_found=True) < 8
    assert interval(NOT_FOUND_GRACE, not_found=True) >= 30
    assert interval(10, not_found=False) >= 30


# A success without a link

NO_VIDEO = "GeekAI reports it finished and gave no video."


def without_link(at: float) -> Observation:
    return Observation(status=Status.RUNNING, at=at, no_link=NO_VIDEO, raw_response="{}")


def wait_for_link(task: Task, *, seconds: float, interval: float = 20.0) -> Task:
    """The task after polls that report success without a link, for so long."""
    for number in range(round(seconds / interval) + 1):
        task = advance(task, without_link(NOW + number * interval))
    return task


def test_a_success_without_a_link_is_polled_on_for_ten_minutes() -> None:
    task = wait_for_link(polled(), seconds=NO_LINK_GRACE - 20)

    assert (task.status, task.no_link_since, task.raw_response) == (Status.RUNNING, NOW, "{}")
    assert not task.settled
    assert needs_watching(task)
    assert task.next_poll_at is not None


def test_after_that_it_is_a_success_whose_file_is_lost() -> None:
    task = wait_for_link(polled(), seconds=NO_LINK_GRACE)

    assert (task.status, task.file_status) == (Status.SUCCEED, FileStatus.LOST)
    assert (task.file_error, task.file_error_code) == (NO_VIDEO, Obstacle.NO_LINK)
    assert (task.raw_response, task.next_poll_at, task.ended_at) == (
        "{}",
        None,
        NOW + NO_LINK_GRACE,
    )
    assert task.settled
    assert has_no_link(task)
    assert not needs_watching(task)
    assert task.status not in IN_FLIGHT


@pytest.mark.parametrize(
    "says",
    [
        Observation(status=Status.RUNNING, at=NOW),
        Observation(status=Status.FAILED, at=NOW, error_code="x"),
        Observation(status=Status.SUCCEED, at=NOW, result=Result(url="https://x/1.mp4")),
    ],
    ids=lambda says: str(says.status),
)
def test_whatever_else_the_service_says_meanwhile_counts(says: Observation) -> None:
    waiting = wait_for_link(polled(), seconds=100)

    after = advance(waiting, replace(says, at=NOW + 120))

    assert (after.status, after.no_link_since) == (says.status, None)
    assert after.file_status is FileStatus.NONE
    assert not has_no_link(after)


def test_the_ten_minutes_begin_anew_when_nobody_has_polled_meanwhile() -> None:
    """The server was off, or the clock was set forward by a day."""
    late = advance(wait_for_link(polled(), seconds=100), without_link(NOW + 86_400))

    assert (late.status, late.no_link_since) == (Status.RUNNING, NOW + 86_400)


def test_a_clock_set_back_meanwhile_does_not_lengthen_them_by_more_than_once() -> None:
    back = advance(wait_for_link(polled(), seconds=300), without_link(NOW - 3600))

    assert (back.status, back.no_link_since) == (Status.RUNNING, NOW - 3600)


def test_a_missed_poll_does_not_end_the_wait_for_a_link() -> None:
    waiting = wait_for_link(polled(), seconds=100)

    assert record_missed_poll(waiting, at=NOW + 110, delay=10).no_link_since == NOW


def test_an_old_task_that_is_reported_finished_is_not_given_up_without_a_result() -> None:
    assert advance(old(), without_link(NOW)).status is Status.RUNNING


def test_a_link_that_is_given_later_makes_the_task_downloadable() -> None:
    lost = mark_delivered(wait_for_link(polled(), seconds=NO_LINK_GRACE), at=NOW + 700)
    given = Observation(status=Status.SUCCEED, at=NOW + 800, result=Result(url="https://x/1.mp4"))

    found = replace_result(lost, given, provider_task_id="another")

    assert (found.status, found.file_status) == (Status.SUCCEED, FileStatus.NONE)
    assert (found.provider_task_id, found.result) == ("another", given.result)
    assert (found.file_error, found.file_error_code, found.delivered_at) == (None, None, None)
    assert needs_watching(found)


def test_only_a_task_without_a_link_gets_another_result() -> None:
    lost = wait_for_link(polled(), seconds=NO_LINK_GRACE)
    given = Observation(status=Status.SUCCEED, at=NOW, result=Result(url="https://x/1.mp4"))

    assert replace_result(lost, without_link(NOW), provider_task_id="t") is lost
    for task in (polled(), replace(lost, file_error_code=None), advance(polled(), given)):
        assert replace_result(task, given, provider_task_id="t") is task


def test_that_its_process_ended_says_nothing_of_a_task_that_was_accepted() -> None:
    """Seen as `submitting` by another process, a moment before the answer was recorded."""
    task, orphaned = polled(), Observation(status=Status.UNKNOWN, at=NOW, owner="a", attempt=1)

    assert advance(task, orphaned) is task


@pytest.mark.parametrize("status", sorted(set(Status) - POLLED))
def test_a_task_that_is_not_polled_misses_no_poll(status: Status) -> None:
    task = polled(status)

    assert record_missed_poll(task, at=NOW, delay=10) is task


def test_a_request_that_never_left_is_tried_a_few_times_quickly() -> None:
    delays = [
        retry_delay(tried=tried, limited=False, retry_after_seconds=None) for tried in range(4)
    ]

    assert delays == [*UNSENT_RETRY_DELAYS, None]


def test_a_rate_limited_request_is_retried_after_growing_delays_or_when_the_service_says() -> None:
    delays = [
        retry_delay(tried=tried, limited=True, retry_after_seconds=None) for tried in range(5)
    ]

    assert delays == [*RATE_LIMIT_DELAYS, None]
    for requested in (0.5, 17.0, MAX_RETRY_AFTER):
        assert retry_delay(tried=0, limited=True, retry_after_seconds=requested) == requested
    assert retry_delay(tried=4, limited=True, retry_after_seconds=1.0) is None


@pytest.mark.parametrize("requested", [MAX_RETRY_AFTER + 1, float("inf")])
def test_a_retry_after_longer_than_a_call_can_last_is_left_to_the_caller(requested: float) -> None:
    assert retry_delay(tried=0, limited=True, retry_after_seconds=requested) is None


def test_downloads_are_tried_again_ever_more_slowly_and_for_ever() -> None:
    assert [download_retry_delay(failed) for failed in range(9)] == [
        0.0,
        *DOWNLOAD_RETRY_DELAYS,
        DOWNLOAD_RETRY_DELAYS[-1],
        DOWNLOAD_RETRY_DELAYS[-1],
    ]


def test_a_task_made_elsewhere_is_taken_in_as_it_is_seen() -> None:
    observation = Observation(
        status=Status.SUCCEED, at=NOW, model="veo", result=Result(url="https://x/1.mp4")
    )

    task = import_task(observation, provider_task_id="theirs", account="s")

    assert (task.provider_task_id, task.model, task.status) == ("theirs", "veo", Status.SUCCEED)
    assert (task.attempt, task.owner, dict(task.request)) == (0, None, {})
    assert (task.created_at, task.ended_at) == (NOW, NOW)


def test_an_imported_task_that_runs_is_polled_again_soon() -> None:
    task = import_task(
        Observation(status=Status.RUNNING, at=NOW), provider_task_id="theirs", account="s"
    )

    assert task.status is Status.RUNNING
    assert task.next_poll_at == pytest.approx(NOW + POLL_INTERVAL, abs=JITTER * POLL_INTERVAL)


# Delivery


def test_only_an_end_is_delivered_and_the_first_time_counts() -> None:
    """An unknown outcome may come to life between being read and being told."""
    running, ended = polled(), replace(make_task(), status=Status.FAILED)

    assert mark_delivered(running, at=NOW) == running
    assert mark_delivered(mark_delivered(ended, at=NOW), at=NOW + 9).delivered_at == NOW
