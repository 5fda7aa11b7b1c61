"""Noise that a stranger can make over HTTP is logged once for each kind, and then counted."""

import asyncio
import gc
import io
import logging
import socket
from contextlib import suppress

import asyncpg
import pytest

from geekai_video_mcp.cli.logs import REPEAT_SECONDS, RepeatFilter, TextFormatter, is_of_interest


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


def test_a_line_of_text_holds_no_other_line_no_secret_and_no_text_of_an_exception(
    log: io.StringIO,
) -> None:
    handler = logging.StreamHandler(log)
    handler.setFormatter(TextFormatter(["canary-secret"]))
    logger = logging.Logger("mcp.server.sse")  # noqa: LOG001 - not for others
    logger.addHandler(handler)
    logger.warning("Received invalid session ID: %s", "a\nINFO:root:all is well \x1b[2J\u202e")
    logger.warning("canary-secret, Bearer canary-token and https://a.test/files/canary-link/a.mp4")
    logger.warning("x" * 100_000)
    try:
        raise ValueError("canary-prompt")  # noqa: TRY301 - the text is what matters
    except ValueError:
        logger.exception("a call failed")
    text = log.getvalue()

    assert text.splitlines()[0] == (
        "WARNING:mcp.server.sse:Received invalid session ID: a\\nINFO:root:all is well"
        " \\u001b[2J\\u202e"
    )
    assert "canary" not in text
    assert len(text) < 6_000
    assert "ValueError\n  test_logs.py:" in text


def test_what_asyncio_says_of_an_exception_has_none_of_its_text(log: io.StringIO) -> None:
    handler = logging.StreamHandler(log)
    handler.setFormatter(TextFormatter())
    logger = logging.Logger("asyncio")  # noqa: LOG001 - not for others
    logger.addHandler(handler)
    exc = ValueError("canary-prompt")
    logger.error("Task exception was never retrieved\nfuture: <Task %r>", exc, exc_info=exc)

    assert log.getvalue() == "ERROR:asyncio:Task exception was never retrieved\nValueError\n"


async def test_a_connection_to_a_database_that_is_given_up_leaves_nothing_in_the_log(
    log: io.StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    handler = logging.StreamHandler(log)
    handler.addFilter(is_of_interest)
    logging.getLogger("asyncio").addHandler(handler)
    loop = asyncio.get_running_loop()
    of_the_tests = loop.get_exception_handler()
    loop.set_exception_handler(None)
    with socket.create_server(("127.0.0.1", 0), backlog=20) as server:
        url = f"postgresql://u:p@127.0.0.1:{server.getsockname()[1]}/d"
        for moment in range(20):
            connecting = asyncio.create_task(asyncpg.connect(url))
            await let_others_run(moment)
            connecting.cancel()
            with suppress(asyncio.CancelledError):
                await connecting
            del connecting
            await let_others_run(5)
            gc.collect()
    loop.set_exception_handler(of_the_tests)
    logging.getLogger("asyncio").removeHandler(handler)

    assert "Future exception was never retrieved" in caplog.text, "asyncpg needs the filter no more"
    assert log.getvalue() == ""


async def let_others_run(steps: int) -> None:
    for _ in range(steps):
        await asyncio.sleep(0)
