"""Which parts of a film may begin with the last frame of the part before them."""

from typing import Any

import pytest

from geekai_video_mcp.domain.film_checks import may_continue
from geekai_video_mcp.domain.films import FilmPart, new_film
from geekai_video_mcp.domain.tasks import Task

A, B = "a" * 32, "b" * 32


def shot(task_id: str, **request: Any) -> Task:  # noqa: ANN401 - JSON
    return Task(id=task_id, created_at=0.0, account="s", model="m", request=request)


def film(*parts: FilmPart) -> Task:
    return new_film(parts, None, preview=False, version=(), owner="p", at=0.0)


@pytest.mark.parametrize(
    ("picture", "end", "continues"),
    [
        (f"task:{A}", None, True),
        (f"task:{A}", 2.5, False),
        (f"task:{A}@2.5", 2.5, True),
        (f"task:{A}@2.5", None, False),
        (f"task:{B}", None, False),
        ([f"task:{A}", "https://example.com/end.png"], None, True),
        ("https://example.com/a.png", None, True),
        ("https://example.com/a.png", 2.5, False),
        (None, None, False),
    ],
)
def test_a_reference_tells_whether_a_shot_goes_on_where_the_one_before_ends(
    picture: object, end: float | None, *, continues: bool
) -> None:
    after, part = FilmPart(task_id=A, end=end), FilmPart(task_id=B)
    task = shot(B, image=picture)

    assert may_continue(part, task, after=after, after_task=shot(A)) is continues
    cut = FilmPart(task_id=B, start=1.0)
    assert not may_continue(cut, task, after=after, after_task=shot(A))


def test_a_shot_may_go_on_where_a_film_ends() -> None:
    ending = film(FilmPart(task_id=B), FilmPart(task_id=A))
    part, task = FilmPart(task_id="c" * 32), shot("c" * 32, image=f"task:{A}")
    whole, cut = FilmPart(task_id=ending.id), FilmPart(task_id=ending.id, end=3.0)

    assert may_continue(part, task, after=whole, after_task=ending)
    assert not may_continue(part, task, after=cut, after_task=ending)
