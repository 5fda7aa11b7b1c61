"""Puts back the members of a server that a host's own command has dropped.

Such as `required = true` of Codex, or `trust` of Gemini CLI: a person has set them.
"""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from geekai_video_mcp.cli.hosts.json_text import JsonObject, NotUsable, set_member
from geekai_video_mcp.cli.hosts.launch import ENTRY
from geekai_video_mcp.cli.hosts.servers import read_servers
from geekai_video_mcp.cli.hosts.text_file import read_file, refuse, replace_file

_HEADER: Final = f"[mcp_servers.{ENTRY}]"
"""As `codex mcp add` writes it."""


def check_members(
    path: Path, servers: str, members: Mapping[str, object], fixed: Mapping[str, str]
) -> None:
    """Refuse, before anything is changed, what could not be put back afterwards.

    Raises:
        HostError: naming the members.
    """
    kept = {name: value for name, value in members.items() if name not in fixed}
    content = read_file(path) if kept else None
    if content is None:
        return
    try:
        if path.suffix == ".toml":
            for value in kept.values():
                _write_toml_value(value)
        else:
            set_member(content.text, (servers, ENTRY), {})
    except NotUsable as exc:
        names = ", ".join(sorted(kept))
        msg = f"the host's own command would drop what was added to the server ({names})"
        refuse(path, f"{msg}, and it cannot be put back, because {exc.reason}", exc.line)


def put_back(path: Path, servers: str, entry: object) -> None:
    """Give the server in the file the members of *entry* that it lacks."""
    wanted, found = cast("JsonObject", entry), read_servers(path, servers).get(ENTRY)
    if not isinstance(found, dict):
        return
    members = cast("JsonObject", found)
    missing = {name: wanted[name] for name in wanted if name not in members}
    missing = {name: value for name, value in missing.items() if value not in ([], {})}
    content = read_file(path)
    if not missing or content is None:
        return
    try:
        if path.suffix == ".toml":
            after = _add_toml_members(content.text, missing)
        else:
            after = set_member(content.text, (servers, ENTRY), {**members, **missing})
    except NotUsable as exc:
        refuse(path, exc.reason, exc.line)
    replace_file(path, after, content)


def _add_toml_members(text: str, members: Mapping[str, object]) -> str:
    """*text* with *members* as the first lines of the server's table."""
    lines = text.splitlines(keepends=True)
    for index, line in enumerate(lines):
        if line.strip() == _HEADER:
            end = line[len(line.rstrip("\r\n")) :] or "\n"
            added = [f"{name} = {_write_toml_value(each)}{end}" for name, each in members.items()]
            after = "".join([*lines[: index + 1], *added, *lines[index + 1 :]])
            tomllib.loads(after)
            return after
    msg = f"it has no table {_HEADER}"
    raise NotUsable(msg)


def _write_toml_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(map(_write_toml_value, cast('list[Any]', value)))}]"
    msg = "it has a table of its own"
    raise NotUsable(msg)
