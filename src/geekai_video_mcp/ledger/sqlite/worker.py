"""Runs transactions on SQLite: each on a worker thread, one at a time, from beginning to end."""

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_to_end(transaction: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing, as all that use SQLite alone.

    So the statements and the rules of a transaction are written once, for a database that is
    waited for and for this one, and this one needs no event loop.
    """
    try:
        transaction.send(None)
    except StopIteration as exc:
        return exc.value
    transaction.close()
    msg = "a transaction on SQLite may wait for nothing but SQLite"
    raise RuntimeError(msg)
