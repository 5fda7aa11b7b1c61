"""`--every-card`: what is absent fails instead of being skipped (`make card` says it)."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every-card", action="store_true", help="a browser that is absent fails")
