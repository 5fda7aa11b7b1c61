"""The help of every command and of every command within one: it teaches, and is right."""

import argparse
import re
import shlex
from collections.abc import Iterator
from typing import Any, cast

import pytest

from geekai_video_mcp import cli, early_interrupt
from geekai_video_mcp.cli import output


def walk(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every parser by the words that call it."""
    yield parser.prog, parser
    for action in actions(parser):
        if isinstance(action.choices, dict):
            for command in cast("dict[str, argparse.ArgumentParser]", action.choices).values():
                yield from walk(command)


def actions(parser: argparse.ArgumentParser) -> list[Any]:
    return parser._actions  # pyright: ignore[reportPrivateUsage] - argparse has no other way


COMMANDS = dict(walk(cli.build_whole_parser()))
every_command = pytest.mark.parametrize("command", COMMANDS)


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_every_command_and_those_within_it_are_looked_at() -> None:
    assert {f"geekai-video-mcp {name}" for name in cli.COMMANDS} < COMMANDS.keys()
    assert {f"geekai-video-mcp tasks {name}" for name in ("open", "purge")} < COMMANDS.keys()


@every_command
def test_help_shows_an_example_of_the_command_which_it_accepts(command: str) -> None:
    shown = re.findall(
        r"^  (?:eval \"\$\()?(geekai-video-mcp\b.*)$",
        COMMANDS[command].format_help().partition("Examples:\n")[2],
        re.MULTILINE,
    )

    lines = [re.split(r" [<>|] |\)\"", line)[0] for line in shown]
    assert any(line.startswith(command) for line in lines)
    for line in lines:
        _, *words = shlex.split(line)
        assert cli.build_whole_parser().parse_args(words).run


@every_command
def test_help_fits_a_terminal_of_80_columns_in_any_locale(command: str) -> None:
    shown = COMMANDS[command].format_help()

    assert [line for line in shown.splitlines() if len(line) > 80] == []
    assert [line for line in shown.splitlines() if line.strip() in cli.COMMANDS] == []
    assert shown.isascii()


@every_command
def test_help_says_what_an_option_is_if_it_is_not_given(command: str) -> None:
    silent = [
        action.option_strings
        for action in actions(COMMANDS[command])
        if action.option_strings
        and action.default not in {None, False, argparse.SUPPRESS}
        and "default" not in action.help
    ]

    assert silent == []


@every_command
def test_every_option_and_command_is_explained(command: str) -> None:
    assert [
        action.dest for action in actions(COMMANDS[command]) if not (action.help or action.choices)
    ] == []


def test_help_names_every_exit_status() -> None:
    shown = COMMANDS["geekai-video-mcp"].format_help()

    known = {**vars(output), **vars(early_interrupt)}
    statuses = {value for value in known.values() if type(value) is int and value < 200}
    assert statuses == {0, 1, 2, 3, 130, 141}
    for status in statuses:
        assert re.search(rf"^ *{status}  \w", shown, re.MULTILINE)
