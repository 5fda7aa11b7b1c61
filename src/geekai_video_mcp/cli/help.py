"""`--help` that teaches: each command shows an example of itself, and what its options default to.

A test looks at the help of every command: it has an example, which the command accepts, and a
default for each option that has one, and its lines are at most 80 columns wide.
"""

import argparse
from typing import TYPE_CHECKING, Final, TypedDict

if TYPE_CHECKING:
    from argparse import _SubParsersAction  # pyright: ignore[reportPrivateUsage] - has no other name

INDENT: Final = "  "


class HelpFormatter(argparse.HelpFormatter):
    """Wraps paragraphs, leaves one with indented lines as it is, and has room for every command."""

    def add_argument(self, action: argparse.Action) -> None:
        super().add_argument(action)
        if action.nargs == argparse.PARSER:  # argparse forgets that commands are indented
            self._action_max_length += self._indent_increment

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        parts = text.split("\n\n")
        for index, part in enumerate(parts):
            if f"\n{INDENT}" not in part:
                parts[index] = super()._fill_text(part, width, indent)
        return "\n\n".join(parts)


class HelpOptions(TypedDict):
    """The arguments of a parser by which its help ends with examples."""

    epilog: str
    formatter_class: type[argparse.HelpFormatter]


def examples(*commands: str, note: str = "") -> HelpOptions:
    """Help that ends with *note* and these command lines."""
    shown = "\n".join(["Examples:", *(f"{INDENT}{command}" for command in commands)])
    return {
        "epilog": f"{note}\n\n{shown}" if note else shown,
        "formatter_class": HelpFormatter,
    }


def add_command(
    commands: "_SubParsersAction[argparse.ArgumentParser]",
    name: str,
    summary: str,
    *example_lines: str,
    note: str = "",
) -> argparse.ArgumentParser:
    """Add a command of a command, with its own help."""
    description = f"{summary[0].upper()}{summary[1:]}."
    return commands.add_parser(
        name, help=summary, description=description, **examples(*example_lines, note=note)
    )
