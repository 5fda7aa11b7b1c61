"""The table of `docs/benchmarks.md`, between two marks; the text around it is written by hand."""

import json
import os
import platform
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from benchmarks.rows import Row

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "benchmarks.md"
RESULTS: Final = ROOT / "benchmarks" / "results.json"
"""The rows of the newest run of each figure, by its module's name; a run of one keeps the rest."""
_ROWS: Final = TypeAdapter(list[Row])
_TABLE: Final = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end of table -->)", re.DOTALL)


def save(measured: Mapping[str, Iterable[Row]]) -> None:
    """Keep the rows of this run, and write the page's table from all that are kept."""
    kept: dict[str, Any] = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    day = datetime.now(UTC).date().isoformat()
    for name, rows in measured.items():
        kept[name] = {"measured_on": day, "machine": machine(), "rows": [asdict(r) for r in rows]}
    RESULTS.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    page = PAGE.read_text("utf-8")
    PAGE.write_text(_TABLE.sub(lambda _: table(kept), page), "utf-8")


def machine() -> str:
    """The machine that measures, without its name."""
    return f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def table(kept: Mapping[str, Any]) -> str:
    """The kept rows as a table in Markdown, in the order of the figures."""
    lines = [
        "| figure | against | measured | quartiles | noise | target | |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in sorted(kept, key=_place):
        for row in _ROWS.validate_python(kept[name]["rows"]):
            what = f"{row.figure}<br>{row.details}" if row.details else row.figure
            lines.append(f"| {what} | {row.floor} | {' | '.join(_cells(row))} |")
    days = sorted({one["measured_on"] for one in kept.values()})
    machines = sorted({one["machine"] for one in kept.values()})
    return "\n".join([*lines, "", f"Measured on {' and '.join(days)}: {'; '.join(machines)}.", ""])


def line(row: Row) -> str:
    """The row for a terminal."""
    measured, quartiles, noise, target, met = _cells(row)
    text = (
        f"{met.strip('*'):4}{row.figure}: {measured} ({quartiles}; noise {noise}; target {target})"
    )
    return f"{text}\n      against {row.floor}" + (f"\n      {row.details}" if row.details else "")


def _cells(row: Row) -> tuple[str, str, str, str, str]:
    met = "" if row.target is None else ("yes" if row.target.is_met(row.value) else "**no**")
    return (
        _amount(row.value, row.unit),
        _range(row.spread),
        _range(row.noise),
        f"{row.target.bound} {row.target.value:g}" if row.target else "–",
        met,
    )


def _amount(value: float, unit: str) -> str:
    return f"x{value:.2f}" if unit == "x" else f"{value:,.2f}".rstrip("0").rstrip(".") + f" {unit}"


def _range(quartiles: tuple[float, float] | None) -> str:
    return "–" if quartiles is None else f"{quartiles[0]:.2f} to {quartiles[1]:.2f}"


def _place(name: str) -> int:
    from benchmarks.figures import FIGURES  # noqa: PLC0415 - it imports this package's rows

    return FIGURES.index(name) if name in FIGURES else len(FIGURES)
