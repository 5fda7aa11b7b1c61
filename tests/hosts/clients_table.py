"""The table in docs/clients.md: one row for each host, written between two comments."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hosts.hosts import HOSTS
from hosts.observations import Observations, judge

START: Final = "<!-- hosts: the table up to the next comment is written by `make hosts` -->"
END: Final = "<!-- hosts: end -->"
LEADING: Final = ("host", "version", "model API", "revision")


def write_rows(document: Path, runs: dict[str, tuple[str, Observations]]) -> None:
    """Replace the rows of the hosts that ran; *runs* is version and observations by name."""
    text = document.read_text("utf-8")
    before, _, rest = text.partition(START)
    old, _, after = rest.partition(END)
    rows = {
        host.title: next(
            (line for line in old.splitlines() if line.startswith(f"| {host.title} |")), ""
        )
        for host in HOSTS
    }
    columns: list[str] = []
    for version, found in runs.values():
        seen = judge(found)
        columns = [*LEADING, *seen, "run on"]
        api = found.api.TITLE if found.api else "none"
        leading = (found.host.title, version, api, found.revision)
        today = datetime.now(UTC).date().isoformat()
        rows[found.host.title] = _row([*leading, *seen.values(), today])
    head = [_row(columns), re.sub(r"[^|]+", "---", _row(columns))]
    lines = [START, "", *head, *filter(None, rows.values()), "", END]
    document.write_text(before + "\n".join(lines) + after, "utf-8")


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
