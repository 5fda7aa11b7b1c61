"""`--every-client`: what is absent fails instead of being skipped (`make clients` says it)."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every-client", action="store_true", help="a client that is absent fails")
