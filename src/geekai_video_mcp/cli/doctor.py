"""`geekai-video-mcp doctor`: what works here, what does not, and what to do about it."""

import argparse
import json
import os
import textwrap
from collections.abc import Callable
from dataclasses import asdict
from typing import Final

import anyio

from geekai_video_mcp.cli.checks import CHECKS, Check, Line, Subject, load_subject
from geekai_video_mcp.cli.checks.line import fail, note
from geekai_video_mcp.cli.help import examples
from geekai_video_mcp.cli.logs import configure_logging
from geekai_video_mcp.cli.output import (
    BROKEN_PIPE,
    FAILED,
    OK,
    drop_output,
    prepare_output,
    print_line,
)
from geekai_video_mcp.cli.start import resume_gc

WIDTH: Final = 80
MAX_SECONDS: Final = 17.0
"""Seconds for one check; they run at the same time, and each has limits of its own."""
_INDENT: Final = " " * 6


def build_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Check the installation, the settings, the service, the folders and the hosts."
        " Each line is ok, a note, or FAIL and what to do. Nothing is changed and nothing costs"
        " money. The exit status is 0 if nothing failed.",
        **examples(f"{prog}", f"{prog} --json"),
    )
    parser.add_argument("--json", action="store_true", help="print the same as JSON")
    parser.set_defaults(run=_run)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    configure_logging("ERROR")  # what a check finds is in its line
    resume_gc()
    prepare_output()
    found: list[Line] = []

    def report(line: Line) -> None:
        found.append(line)
        if not arguments.json:
            for row in format_line(line):
                print_line(row)

    try:
        anyio.run(run_checks, report)
        failed = sum(line.state == "FAIL" for line in found)
        if arguments.json:
            print_line(format_json(found))
        else:
            print_line(_summary(failed))
        status = FAILED if failed else OK
    except* BrokenPipeError:
        drop_output()
        status = BROKEN_PIPE
    return status


async def run_checks(report: Callable[[Line], None]) -> None:
    """Run every check at once; *report* is called with each line when it is known."""
    subject, lines = load_subject(os.environ)
    for line in lines:
        report(line)
    async with anyio.create_task_group() as group:
        for name, check in CHECKS.items():
            group.start_soon(_run_check, name, check, subject, report)


async def _run_check(
    name: str, check: Check, subject: Subject, report: Callable[[Line], None]
) -> None:
    lines = [note(name, f"not finished within {MAX_SECONDS:.0f} s", remedy="Run doctor again.")]
    with anyio.move_on_after(MAX_SECONDS):
        try:
            lines = await check(subject)
        except Exception as exc:  # noqa: BLE001 - one check that fails must not hide the others
            text = f"this could not be checked ({type(exc).__name__})"
            lines = [fail(name, text, remedy="Report this line, with the versions above.")]
    for line in lines:
        report(line)


def format_line(line: Line) -> list[str]:
    """A line as it is printed: at most 80 columns wide, but for words that are longer."""
    rows = _wrap(f"{line.check}: {line.text}", first=f"{line.state:<6}", rest=_INDENT)
    for detail in line.details:
        rows += _wrap(detail, first=f"{_INDENT}  ", rest=f"{_INDENT}    ")
    if line.remedy:
        rows += _wrap(line.remedy, first=f"{_INDENT}-> ", rest=f"{_INDENT}   ")
    return rows


def format_json(lines: list[Line]) -> str:
    checks = [{**asdict(line), "facts": dict(line.facts)} for line in lines]
    failed = any(line.state == "FAIL" for line in lines)
    return json.dumps({"ok": not failed, "checks": checks}, ensure_ascii=False, indent=2)


def _wrap(text: str, *, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _summary(failed: int) -> str:
    if not failed:
        return "Nothing failed."
    return "1 line says FAIL." if failed == 1 else f"{failed} lines say FAIL."
