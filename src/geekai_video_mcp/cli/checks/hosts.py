"""The hosts: which of them are configured, and whether what they start is this server."""

from typing import Final

import anyio
import anyio.to_thread
from mcp.client.stdio import get_default_environment

from geekai_video_mcp import __version__
from geekai_video_mcp.cli.checks.host_start import start_launch
from geekai_video_mcp.cli.checks.line import Line, Subject, fail, note, ok
from geekai_video_mcp.cli.hosts import HOSTS, Configured, Host, Launch
from geekai_video_mcp.config import Settings
from geekai_video_mcp.errors import ConfigError, GeekAIVideoError
from geekai_video_mcp.quoting import quote, sanitize

CHECK: Final = "hosts"


async def check_hosts(subject: Subject) -> list[Line]:
    """Each configured host, and in one line those that are here and not configured."""
    lines: list[Line] = []
    waiting: list[str] = []
    problems: dict[str, None] = {}

    async def check(host: Host) -> None:
        try:
            found = await anyio.to_thread.run_sync(host.read, abandon_on_cancel=True)
            if found is not None:
                lines.extend(await _check_configured(host, found, subject))
            elif await anyio.to_thread.run_sync(host.is_present, abandon_on_cancel=True):
                waiting.append(host.name)
        except GeekAIVideoError as exc:  # of a user without a home, the same for every host
            problems[exc.message] = None

    async with anyio.create_task_group() as group:
        for host in HOSTS.values():
            group.start_soon(check, host)
    lines += [note(CHECK, problem) for problem in problems]
    if waiting:
        here = ", ".join(HOSTS[name].title for name in sorted(waiting))
        text = f"on this machine and without this server: {here}"
        remedy = f"To add it: geekai-video-mcp install {min(waiting)}"
        lines.append(note(CHECK, text, remedy=remedy, facts={"hosts": sorted(waiting)}))
    elif not lines:
        lines.append(
            note(
                CHECK,
                "none that this server can configure by itself was found",
                remedy="geekai-video-mcp install --print HOST prints the entry for others.",
            )
        )
    return lines


async def _check_configured(host: Host, found: Configured, subject: Subject) -> list[Line]:
    install = f"geekai-video-mcp install {host.name}"
    where = quote(found.where, limit=1000)
    if found.launch is None:
        problem = found.problem or "the entry does not start this server"
        remedy = f"Correct the file, or run: {install}"
        return [
            fail(
                CHECK,
                f"{host.title}: {problem} ({where})",
                remedy=remedy,
                facts={"host": host.name},
            )
        ]
    started = await start_launch(found.launch)
    command = quote(found.launch.command, limit=1000)
    facts = {"host": host.name, "file": found.where, "command": found.launch.command}
    if started.version is None:
        text = f"{host.title}: {command}, which {where} names, {started.problem}"
        return [fail(CHECK, text, remedy=f"Run: {install}", facts=facts)]
    lines = [ok(CHECK, f"{host.title} starts version {started.version}", facts=facts)]
    if started.version != __version__:
        text = f"{host.title} starts version {started.version}, and this is {__version__}"
        lines = [note(CHECK, text, remedy=f"To have it start this one: {install}", facts=facts)]
    if found.problem:
        lines.append(note(CHECK, f"{host.title}: {found.problem}", facts={"host": host.name}))
    return [*lines, *_compare_settings(host, found.launch, subject)]


def _compare_settings(host: Host, launch: Launch, subject: Subject) -> list[Line]:
    """Notes if the host's server has other tasks than this terminal shows and decides."""
    here, facts = subject.settings, {"host": host.name}
    try:
        there = Settings.load({**get_default_environment(), **launch.env})
    except ConfigError as exc:
        problems = "; ".join(f"{place} {problem}" for place, problem in exc.problems.items())
        text = f"{host.title} starts it with settings that are wrong: {problems}"
        return [fail(CHECK, text, remedy="Correct them in the host's entry.", facts=facts)]
    if here is None:
        return []
    lines: list[Line] = []
    if there.state_dir != here.state_dir:
        theirs, ours = (quote(str(each.state_dir), limit=1000) for each in (there, here))
        text = f"{host.title} records its tasks in {theirs}, and this terminal looks in {ours}"
        remedy = "Set GEEKAI_STATE_DIR in the settings file, and neither in a host nor in a shell."
        lines.append(note(CHECK, text, remedy=remedy, facts=facts))
    if there.account != here.account:
        theirs, ours = _describe_account(there), _describe_account(here)
        also = "another key for " if theirs == ours else ""
        text = f"{host.title} uses {also}{theirs}, and this terminal uses {ours}"
        remedy = (
            "So that tasks of the host can be decided here, keep the key in the settings file:"
            " geekai-video-mcp setup."
        )
        lines.append(note(CHECK, text, remedy=remedy, facts=facts))
    return lines


def _describe_account(settings: Settings) -> str:
    return "the sandbox" if settings.sandbox else sanitize(settings.base_url)
