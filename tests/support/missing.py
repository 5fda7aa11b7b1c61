"""What a machine lacks for a test, which is then skipped and says so."""

from typing import NoReturn

import pytest


def skip_test(reason: str) -> NoReturn:
    """Skip this test; *reason* is what this machine lacks, as a sentence for `pytest -rs`."""
    raise pytest.skip.Exception(reason)  # why: what the caller says is lacking
