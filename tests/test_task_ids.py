"""The ids of tasks, and what is shown of them."""

from geekai_video_mcp.domain.task_ids import new_task_id, short_id


def test_no_program_takes_a_new_id_for_a_number() -> None:
    ids = [new_task_id() for _ in range(2000)]

    assert {len(task_id) for task_id in ids} == {32}
    assert all(int(task_id, 16) >= 0 for task_id in ids)
    assert all(set("abcdf") & set(short_id(task_id)) for task_id in ids)
    assert len(set(ids)) == len(ids)


def test_text_shows_the_first_eight_digits() -> None:
    assert short_id("0123abcd" + 24 * "f") == "0123abcd"
