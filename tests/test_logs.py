"""Noise that a stranger can make over HTTP is logged once for each kind, and then counted."""

import io
import logging

import pytest

from geekai_video_mcp.cli.logs import REPEAT_SECONDS, RepeatFilter


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


def logger_of(name: str, log: io.StringIO, now: list[float]) -> logging.Logger:
    handler = logging.StreamHandler(log)
    handler.addFilter(RepeatFilter(clock=lambda: now[0]))
    logger = logging.Logger(name)  # noqa: LOG001 - not for others
    logger.addHandler(handler)
    return logger


def warn(logger: logging.Logger, number: int) -> None:
    logger.warning("refused %d", number)


def test_a_kind_is_logged_once_and_later_with_its_count(log: io.StringIO, now: list[float]) -> None:
    logger = logger_of("geekai_video_mcp.server.http.address_guard", log, now)
    for number in range(1000):
        warn(logger, number)
    logger.warning("another kind")
    now[0] += REPEAT_SECONDS
    warn(logger, 1000)
    warn(logger, 1001)

    assert log.getvalue().splitlines() == [
        "refused 0",
        "another kind",
        "refused 1000 (and 999 more like it since the last one)",
    ]


@pytest.mark.parametrize("name", ["geekai_video_mcp.engine", "geekai_sandbox.worker", "asyncio"])
def test_what_no_stranger_can_cause_is_always_logged(
    log: io.StringIO, now: list[float], name: str
) -> None:
    logger = logger_of(name, log, now)
    for number in range(3):
        warn(logger, number)

    assert log.getvalue().splitlines() == ["refused 0", "refused 1", "refused 2"]


def test_a_traceback_of_the_http_server_is_logged_once(log: io.StringIO, now: list[float]) -> None:
    logger = logger_of("uvicorn.error", log, now)
    for _ in range(3):
        logger.error("Exception in ASGI application", exc_info=ZeroDivisionError())

    assert log.getvalue().count("ZeroDivisionError") == 1
