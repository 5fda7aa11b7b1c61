"""What open sessions over Streamable HTTP take, by their number, here and with the bare SDK.

Each size has processes of its own. A session is one after its handshake: its host is quiet.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.comparison import Spread
from benchmarks.rows import Row
from benchmarks.support.http_sessions import bare_command, free_port, own_command, serving

SIZES: Final = (1, 10, 100, 1000)
QUIET_SECONDS: Final = 5.0
MAX_ROUNDS: Final = 3
"""Of each size: a round takes as long as its sessions need to be opened, and twice those."""


class Usage(NamedTuple):
    """What sessions take while they are quiet, and as many again after they have ended."""

    megabytes: float
    cpu: float
    """Seconds for each second."""
    megabytes_again: float
    """What the second sessions take beside what the first ones have left."""


def measure(rounds: int) -> Sequence[Row]:
    """Memory and CPU of each number of sessions."""
    return [_measure_size(size, max(2, min(rounds, MAX_ROUNDS))) for size in SIZES]


def _measure_size(sessions: int, rounds: int) -> Row:
    floor, subject = list[Usage](), list[Usage]()
    for _ in range(rounds):
        floor.append(_run(bare_command, sessions))
        subject.append(_run(own_command, sessions))
    memory = Spread.of([each.megabytes for each in subject])
    least = Spread.of([each.megabytes for each in floor])
    cpu = Spread.of([100 * each.cpu for each in subject])
    again = Spread.of([each.megabytes_again for each in subject])
    return Row(
        figure=f"{sessions:,} sessions",
        floor=f"those of an SDK server: {least.median:.1f} MB",
        unit="MB",
        value=memory.median,
        spread=(memory.low, memory.high),
        noise=(least.low, least.high),
        details=f"{cpu.median:.2f} % of a core; as many again later: {again.median:.1f} MB more",
    )


def _run(command: Callable[[int], Sequence[str]], sessions: int) -> Usage:
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(command(port), port=port, folder=Path(folder)) as server,
    ):
        server.close_session(server.open_session())
        before = server.process.rss_bytes()
        opened = [server.open_session() for _ in range(sessions)]
        server.disconnect()
        during = server.process.rss_bytes()
        began, cpu_began = time.monotonic(), server.process.cpu_seconds()
        time.sleep(QUIET_SECONDS)
        cpu = (server.process.cpu_seconds() - cpu_began) / (time.monotonic() - began)
        for session_id in opened:
            server.close_session(session_id)
        for _ in range(sessions):
            server.open_session()
        again = server.process.rss_bytes() - during
    return Usage((during - before) / 1e6, cpu, again / 1e6)
