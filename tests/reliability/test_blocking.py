"""No callback blocks the event loop for long; a small run."""

from pathlib import Path

import pytest

from reliability.blocking import measure
from reliability.progress import LIMIT


@pytest.mark.exhaustive
async def test_no_callback_blocks_the_loop_of_a_busy_server(tmp_path: Path) -> None:
    summary, longest = await measure(tmp_path, processes=4, calls=2, image=0)

    assert longest <= LIMIT, summary
