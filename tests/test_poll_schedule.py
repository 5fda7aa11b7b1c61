"""The heap of times: the earliest first, whatever was set, moved and removed before."""

from hypothesis import given
from hypothesis import strategies as st

from geekai_video_mcp.domain.polling import MAX_POLL_GAP
from geekai_video_mcp.engine.poll_schedule import PollSchedule

NOW = 1_790_000_000.0
ids = st.sampled_from("abcdef")
moves = st.lists(st.tuples(ids, st.none() | st.integers(-50, 50)), max_size=40)


def scheduled(moves: list[tuple[str, int | None]]) -> tuple[PollSchedule, dict[str, float]]:
    """A schedule after these moves, and the same in the plainest form."""
    schedule, plain = PollSchedule(), dict[str, float]()
    for task_id, offset in moves:
        if offset is None:
            schedule.remove(task_id)
            plain.pop(task_id, None)
        else:
            schedule.set(task_id, at=NOW + offset)
            plain[task_id] = NOW + offset
    return schedule, plain


@given(moves, st.integers(1, 4))
def test_what_is_due_comes_in_order_and_once(
    moves: list[tuple[str, int | None]], limit: int
) -> None:
    schedule, plain = scheduled(moves)
    assert schedule.next_time() == min(plain.values(), default=None)

    taken = dict[str, float]()
    while due := schedule.take_due(at=NOW, limit=limit):
        assert len(due) <= limit
        assert not due.keys() & taken.keys()
        taken |= due

    assert taken == {task_id: at for task_id, at in plain.items() if at <= NOW}
    assert list(taken.values()) == sorted(taken.values())
    assert schedule.next_time() == min((at for at in plain.values() if at > NOW), default=None)


@given(moves)
def test_after_a_clock_was_set_back_nothing_is_far_ahead(
    moves: list[tuple[str, int | None]],
) -> None:
    schedule, plain = scheduled(moves)
    back = NOW - 3600

    schedule.adjust_to_clock(at=back)

    assert schedule.take_due(at=back, limit=100).keys() == plain.keys()


def test_what_is_due_soon_stays_when_the_clock_is_set_back_a_little() -> None:
    schedule = PollSchedule()
    schedule.set("a", at=NOW + 5)

    schedule.adjust_to_clock(at=NOW + 5 - MAX_POLL_GAP)

    assert schedule.next_time() == NOW + 5
