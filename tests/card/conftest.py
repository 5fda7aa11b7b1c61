"""The browser of these tests; with `--every-card` (`make card`) what is absent fails."""

from collections.abc import AsyncGenerator
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

import pytest

from card.shown import AXE, CHROMIUM, HOST
from support.missing import skip_test

if TYPE_CHECKING:
    from playwright.async_api import Browser


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every-card", action="store_true", help="a browser that is absent fails")


@pytest.fixture
async def browser(pytestconfig: pytest.Config) -> AsyncGenerator["Browser"]:
    try:
        playwright_api = import_module("playwright.async_api")
    except ImportError:
        _skip_or_fail(pytestconfig, "playwright is not installed")
    for needed in (HOST, AXE, CHROMIUM):
        if not needed.exists():
            _skip_or_fail(pytestconfig, f"there is no {needed.name}")
    async with playwright_api.async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--mute-audio",
                # A hosted server is on the public network; the one of these tests is on loopback.
                "--disable-features=LocalNetworkAccessChecks",
            ],
        )
        yield browser
        await browser.close()


def _skip_or_fail(config: pytest.Config, reason: str) -> NoReturn:
    if config.getoption("--every-card", default=False):
        pytest.fail(reason)
    skip_test(f"{reason}; see `make card`")
