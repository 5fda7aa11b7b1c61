"""The hosts: which of them are configured, and whether what they start is this server."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from geekai_video_mcp import __version__
from geekai_video_mcp.cli.checks.host_start import start_launch
from geekai_video_mcp.cli.checks.line import Line, Subject, fail, note, ok
from geekai_video_mcp.cli.hosts import HOSTS, Configured, Host, Launch
from geekai_video_mcp.errors import GeekAIVideoError
from geekai_video_mcp.quoting import quote

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
    return [*lines, *_compare_folders(host, found.launch, subject)]


def _compare_folders(host: Host, launch: Launch, subject: Subject) -> list[Line]:
    """A note if tasks of the host are recorded where this terminal does not look."""
    state = _state_dir(launch.env)
    if subject.settings is None or state is None or state == subject.settings.state_dir:
        return []
    return [
        note(
            CHECK,
            f"{host.title} records its tasks in {quote(str(state), limit=1000)}, and this terminal"
            f" looks in {quote(str(subject.settings.state_dir), limit=1000)}",
            remedy="Set GEEKAI_STATE_DIR in the settings file, and in no host.",
            facts={"host": host.name},
        )
    ]


def _state_dir(env: Mapping[str, str]) -> Path | None:
    value = env.get("GEEKAI_STATE_DIR", "").strip()
    return Path(os.path.expanduser(value)) if value else None  # noqa: PTH111 - leaves an unknown ~user
