"""The event loop stays free, at a size for every day."""

from pathlib import Path

from reliability.blocking import measure
from reliability.progress import LIMIT


async def test_no_callback_holds_the_loop_of_a_busy_server(tmp_path: Path) -> None:
    said, longest = await measure(tmp_path, processes=4, calls=2, image=0)

    assert longest <= LIMIT, said
