"""The questions of `setup` in a terminal. Enter keeps what is there, and - removes it."""

import functools
import getpass
import os
import shutil
import textwrap
from collections.abc import Callable
from typing import Final

from geekai_video_mcp.cli.key_check import KeyCheck
from geekai_video_mcp.cli.output import FAILED, OK, print_line, print_notice
from geekai_video_mcp.cli.setup_values import (
    CLEAR,
    Draft,
    check_key_text,
    check_value,
    find_default,
)
from geekai_video_mcp.config import write_settings
from geekai_video_mcp.config.keys import mask_key
from geekai_video_mcp.config.names import BASE_URL, KEY, KEY_FILE
from geekai_video_mcp.early_interrupt import INTERRUPTED
from geekai_video_mcp.errors import ConfigError, HostError

MAX_WIDTH: Final = 80
ABOUT_KEYS: Final = (
    "GeekAI makes videos for a key: sign in at https://geekai.co (overseas https://geekai.dev) and"
    " copy one from the console. The models that are used unless you name others,"
    " cogvideox-flash for videos and cogview-3-flash for pictures, cost nothing. Without a key, a"
    " sandbox renders previews on this computer."
)
QUESTIONS: Final = (
    ("GEEKAI_OUTPUT_DIR", "Folder for finished videos"),
    ("GEEKAI_IMAGE_DIRS", f"Folders of pictures to begin with, separated by {os.pathsep}"),
    ("GEEKAI_MAX_VIDEOS_PER_DAY", "Videos and pictures per day at most"),
    ("GEEKAI_MAX_CNY_PER_DAY", "CNY per day at most, such as 20"),
)
"""What is asked after the key and the service, in this order."""


def ask_all(draft: Draft) -> int:
    """Ask for what no option gave, write it, and offer the hosts; returns the exit status.

    Raises:
        StorageUnavailable: the file could not be written.
    """
    _say(f"The settings are stored in {draft.path}")
    _say("Enter keeps what stands in brackets, - removes it, Ctrl-C ends without a change.")
    print_line("")
    if not {KEY, KEY_FILE} & draft.given.keys() or not _settle_key(draft):
        _ask_for_key(draft)
    for name, question in QUESTIONS:
        if name not in draft.given:
            _ask_for_value(draft, name, question)
    _show(draft)
    if not draft.changes:
        print_line("Nothing is to be changed.")
    elif not _ask_yes(f"Write this to {draft.path}?"):
        print_notice("Nothing was written.")
        return FAILED
    else:
        write_settings(draft.path, draft.changes)
        print_line("Written. A host reads it when it starts this server anew.")
    return offer_hosts()


def _ask_for_key(draft: Draft) -> None:
    """Ask until a key is accepted, or kept all the same, or there is to be none."""
    _say(ABOUT_KEYS)
    before = dict(draft.changes)
    while True:
        question = _as_prompt(f"Key, not shown while you type [{_describe_key(draft)}]:")
        typed = _read(lambda question=question: getpass.getpass(question))
        if typed.casefold() in CLEAR:
            draft.remove_key()
            break
        try:
            key = check_key_text(typed)
            if key is not None:
                draft.change(KEY, key)
            if _settle_key(draft):
                break
        except ValueError as exc:
            print_notice(_wrapped(f"What you typed {exc}."))
        except ConfigError as exc:
            print_notice(_wrapped(exc.message))
        draft.changes = dict(before)
    print_line("")


def _describe_key(draft: Draft) -> str:
    if path := draft.value(KEY_FILE):
        return f"in the file {path}"
    key = draft.value(KEY)
    return mask_key(key) if key else "none: the sandbox"


def _settle_key(draft: Draft) -> bool:
    """Have the key checked and its service found; false if another key is to be typed.

    Raises:
        ConfigError: the file of the key cannot be used.
    """
    key = draft.read_key()
    if key is None:
        return True
    if draft.in_sandbox and _ask_yes("The file asks for the sandbox. Use GeekAI instead?"):
        draft.change(BASE_URL, None)
    while draft.checks and draft.urls_to_check():
        print_line(f"Checking the key at {' and '.join(draft.hosts_to_check())} ...")
        checks = draft.check_key(key)
        for check in checks:
            _say(check.message)
        if draft.accept(checks):
            break
        answer = _ask_after_refusal(checks)
        if answer == "other":
            return False
        if answer == "keep":
            if len(checks) > 1:
                _ask_for_value(draft, BASE_URL, "Where the key is from: co, or dev overseas")
            break
    return True


def _ask_after_refusal(checks: list[KeyCheck]) -> str:
    """What to do with a key that no service accepts: keep it, type another, or check again."""
    unreachable = any(check.verdict == "unreachable" for check in checks)
    usual = "keep" if unreachable else "other"
    choices = {"keep": "k", "other": "o", "again": "a"}
    words = "keep it unchecked" if unreachable else "keep it all the same"
    question = f"[k] {words}, [o] type another key, [a] check again"
    while True:
        typed = _read(lambda: input(_as_prompt(f"{question} [{choices[usual]}]:"))).casefold()
        if not typed:
            return usual
        for choice, letter in choices.items():
            if typed in {letter, choice}:
                return choice
        print_notice("Type k, o or a.")


def _ask_for_value(draft: Draft, name: str, question: str) -> None:
    """Ask for one setting until the answer can be one."""
    present = draft.value(name)
    shown = present or find_default(name)
    while True:
        typed = _read(lambda: input(_as_prompt(f"{question} [{shown}]:")))
        if not typed:
            return
        try:
            value = check_value(name, typed)
        except ValueError as exc:
            print_notice(_wrapped(f"What you typed {exc}."))
            continue
        if value != present:
            draft.change(name, value)
        return


def _show(draft: Draft) -> None:
    """Show what the file will say."""
    print_line("")
    print_line("The settings file will say:")
    for name, value in draft.describe():
        print_line(f"  {name:25}  {value}")
    for name in draft.overruled:
        _say(f"{name} is also set in this terminal's environment, which wins over the file there.")


def offer_hosts() -> int:
    """Offer each host that is on this computer; returns the exit status."""
    from geekai_video_mcp.cli.hosts import HOSTS, own_launch

    present = [host for host in HOSTS.values() if host.is_present()]
    status = OK
    if not present:
        _say("No host was found here. geekai-video-mcp install --list shows those it knows.")
    launch = own_launch(sandbox=False)
    try:
        for host in present:
            found = host.read()
            if found is not None and found.launch == launch:
                print_line(f"{host.title} starts this server already.")
            elif _ask_yes(f"Have {host.title} start this server?"):
                try:
                    _say(host.install(launch))
                except HostError as exc:
                    print_notice(_wrapped(exc.message))
                    status = FAILED
    except (KeyboardInterrupt, EOFError):
        print_line("")
        print_notice("The settings are written. No other host was changed.")
        return INTERRUPTED
    return status


def _ask_yes(question: str) -> bool:
    while True:
        typed = _read(lambda: input(_as_prompt(f"{question} [Y/n]:"))).casefold()
        if typed in {"", "y", "yes"}:
            return True
        if typed in {"n", "no"}:
            return False
        print_notice("Type y or n.")


def _read(ask: Callable[[], str]) -> str:
    """What a person types, without spaces around it."""
    while True:
        try:
            return ask().strip()
        except UnicodeDecodeError:
            print_notice("That could not be read as text. Type it again.")


def _as_prompt(question: str) -> str:
    return f"{_wrapped(question)} "


def _width() -> int:
    return min(MAX_WIDTH, shutil.get_terminal_size((MAX_WIDTH, 0)).columns)


def _say(text: str) -> None:
    print_line(_wrapped(text))


def _wrapped(text: str) -> str:
    """*text* in lines that fit; a path, which is copied, stays whole."""
    fill = functools.partial(
        textwrap.fill, width=_width(), break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(map(fill, text.splitlines()))
