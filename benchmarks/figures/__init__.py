"""The figures: each a module with `measure(rounds) -> Sequence[Row]`."""

from typing import Final

FIGURES: Final = (
    "start",
    "memory",
    "status_calls",
    "submit_syncs",
    "submit",
    "submit_database",
    "download",
    "ledger_rows",
    "tasks_in_flight",
    "replicas",
    "waiting_callers",
    "sessions",
    "polls",
    "sandbox",
    "sheet",
    "join",
)
"""In the order of the table."""
