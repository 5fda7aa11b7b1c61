"""The figures: each a module with `measure(rounds) -> Sequence[Row]`."""

from typing import Final

FIGURES: Final = (
    "start",
    "memory",
    "status_calls",
    "submit_syncs",
    "submit",
    "download",
    "ledger_rows",
    "tasks_in_flight",
    "waiting_callers",
    "sessions",
    "polls",
    "sandbox",
    "sheet",
    "join",
)
"""In the order of the table."""
