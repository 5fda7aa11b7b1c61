"""Messages that were written for a model, as a person at the command line reads them.

Errors and recorded reasons tell a model which tool to call and what to ask the user. Here the
reader is the user, and has commands.
"""

import re
from typing import Final

from geekai_video_mcp.cli.output import NoticeLevel, notice_width, print_notice
from geekai_video_mcp.cli.table import wrap_text
from geekai_video_mcp.errors import MAYBE_CHARGED, NOT_CHARGED

_HARD_SPACE: Final = "\N{NO-BREAK SPACE}"
_TASKS: Final = "geekai-video-mcp tasks"
_PHRASES: Final = (
    (r" ?Do not send it again on your own; ask the user first\.", ""),
    (
        r"Use the task_id of a task that exists: list_video_tasks shows the ids",
        f"{_TASKS} --all lists all",
    ),
    (r"list_video_tasks shows (?:all|the ids|their ids)", f"{_TASKS} --all lists all"),
    (
        (
            r"list_video_tasks shows those that are, and get_video_task also fetches one that was"
            r" made elsewhere with this key"
        ),
        f"{_TASKS} --all lists those that are",
    ),
    (r"list_video_models shows those that do", "geekai-video-mcp models lists those that do"),
    (r"if list_video_models shows it", "if geekai-video-mcp models NAME shows it"),
    (
        r', so call get_video_task with task_id "(\w+)" until it gives a file',
        rf"; {_TASKS} fetch \1 waits for it",
    ),
    (r'call get_video_task with task_id "(\w+)"', rf"see {_TASKS} show \1"),
    (r'get_video_task with task_id "(\w+)"', rf"{_TASKS} show \1"),
    (r"call get_video_task until it gives a file", f"wait for it with {_TASKS} fetch"),
    (r"Wait for one with get_video_task\.", f"To wait for one: {_TASKS} fetch ID."),
    (r"call get_video_task\. Do not generate it again", f"look at {_TASKS}"),
    (r"see get_video_task", f"see {_TASKS} show"),
    (r"Call get_video_task again; every", "Try again; every"),
    (
        r'generate_video with image "(task:\w+)"',
        r"geekai-video-mcp generate with --image \1",
    ),
    (r"use generate_video for it", "it is for geekai-video-mcp generate"),
    (r"use generate_image for it", "it is for geekai-video-mcp image"),
    (r"join_videos with", "geekai-video-mcp join with"),
    (r"no argument of generate_video", "none of generate's options"),
    (r"Abandoned by the user", "Abandoned"),
    (r"until the user resolves them", "until you resolve them"),
    (r"ask the user to put it back", "put it back"),
    (r"so ask the user for the picture again", "so it shows nothing"),
    (r"ask the user for a path", "name a path"),
    (r"Ask the user for an", "Name an"),
    (
        (
            r" ?A picture that was pasted or attached to the conversation has no path here: ask the"
            r" user to save it into one of these folders.*? and to tell its path, or for an https"
            r" link to it\.?"
        ),
        "",
    ),
    (r": tell the user to put (.*), or to run", r". Put \1, or run"),
    (r"Change the call", "Change the command"),
    (r"(?:Make|Send) the same call", "Run the same command"),
    (r"make the same call", "run the same command"),
    (r"([Tt])he same call\b", r"\1he same command"),
)
_TELL: Final = re.compile(r"\bTell the user(?:: | that )(\w)")
_COMPILED: Final = tuple((re.compile(pattern), words) for pattern, words in _PHRASES)


def for_person(text: str) -> str:
    """*text* without what it asks a model to do for its user."""
    for pattern, words in _COMPILED:
        text = pattern.sub(words, text)
    return _TELL.sub(lambda found: found[1].upper(), text)


def print_for_person(text: str, level: NoticeLevel = "INFO") -> None:
    """Print the message on stderr, as `print_notice`; at a terminal no word of it is torn."""
    for line in for_person(text).splitlines():
        # An indented line is a part of a list, or a command.
        for part in [line] if line.startswith(" ") else wrap_notice(line):
            print_notice(part, level)


def wrap_notice(text: str) -> list[str]:
    """*text* in lines of the terminal; what it says about money stays in one of them."""
    for sentence in (NOT_CHARGED, MAYBE_CHARGED):
        text = text.replace(sentence, sentence.replace(" ", _HARD_SPACE))
    return [line.replace(_HARD_SPACE, " ") for line in wrap_text(text, notice_width())]
