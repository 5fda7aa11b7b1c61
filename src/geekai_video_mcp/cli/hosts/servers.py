"""Reads the servers in a host's file, also where the file has comments."""

import tomllib
from pathlib import Path

from geekai_video_mcp.cli.hosts.configured import Configured
from geekai_video_mcp.cli.hosts.entry import read_launch
from geekai_video_mcp.cli.hosts.json_text import (
    JsonObject,
    NotUsable,
    parse,
    read_with_comments,
    require_object,
)
from geekai_video_mcp.cli.hosts.launch import ENTRY
from geekai_video_mcp.cli.hosts.text_file import read_file, refuse
from geekai_video_mcp.errors import HostError


def read_servers(path: Path, member: str) -> JsonObject:
    """The servers by name; none if there is no file.

    Raises:
        HostError: the file cannot be read.
    """
    content = read_file(path)
    if content is None:
        return {}
    try:
        if path.suffix == ".toml":
            whole = tomllib.loads(content.text)
        else:
            whole = read_with_comments(content.text) or parse(content.text)
        return require_object(whole.get(member, {}), f'"{member}" is')
    except tomllib.TOMLDecodeError as exc:
        refuse(path, f"it is not TOML ({exc})")
    except NotUsable as exc:
        refuse(path, exc.reason, exc.line)


def read_configured(path: Path, member: str) -> Configured | None:
    """How the file has the server started; None if it does not mention it."""
    try:
        servers = read_servers(path, member)
    except HostError as exc:
        return Configured(str(path), None, exc.message)
    if ENTRY not in servers:
        return None
    launch = read_launch(servers[ENTRY])
    problem = None if launch else f"{ENTRY} is there, and starts no program on this machine."
    return Configured(str(path), launch, problem)
