"""Values of which `make test` tries some, and `make test-all` every one."""

from collections.abc import Iterable
from typing import cast

import pytest


def sample(values: Iterable[object], *, every: int) -> list[object]:
    """*values* for `parametrize`, all but every *every*-th marked as `exhaustive`.

    A tuple is a row of several arguments.
    """
    rows = [
        cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
        for value in values
    ]
    marks = [() if number % every == 0 else pytest.mark.exhaustive for number in range(len(rows))]
    return [pytest.param(*row, marks=mark) for row, mark in zip(rows, marks, strict=True)]
