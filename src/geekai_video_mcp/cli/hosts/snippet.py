"""What a person can paste into a host's configuration, and where."""

import json
from dataclasses import dataclass

from geekai_video_mcp.cli.hosts.launch import ENTRY, Launch


@dataclass(frozen=True)
class Snippet:
    text: str
    where: str
    """The file, or the way to the place in the program."""


def write_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def write_toml(launch: Launch) -> str:
    """The server as Codex writes it. A JSON string without DEL is a TOML string."""
    lines = [
        f"[mcp_servers.{ENTRY}]",
        f"command = {_quote(launch.command)}",
        f"args = [{', '.join(map(_quote, launch.args))}]",
    ]
    if launch.env:
        lines += ["", f"[mcp_servers.{ENTRY}.env]"]
        lines += [f"{name} = {_quote(value)}" for name, value in launch.env.items()]
    return "\n".join(lines)


def write_goose_yaml(launch: Launch) -> str:
    """The server as an extension of goose. A JSON value is a YAML value."""
    lines = ["extensions:", f"  {ENTRY}:", "    type: stdio", f"    name: {ENTRY}"]
    lines += ["    enabled: true", f"    cmd: {_quote(launch.command)}"]
    lines += [f"    args: [{', '.join(map(_quote, launch.args))}]"]
    lines += [f"    envs: {json.dumps(dict(launch.env), ensure_ascii=False)}"]
    return "\n".join([*lines, "    env_keys: []", "    timeout: 300"])


def write_continue_yaml(launch: Launch) -> str:
    lines = ["mcpServers:", f"  - name: {ENTRY}", "    type: stdio"]
    lines += [f"    command: {_quote(launch.command)}"]
    if launch.args:
        lines += ["    args:", *(f"      - {_quote(each)}" for each in launch.args)]
    if launch.env:
        lines += ["    env:"]
        lines += [f"      {name}: {_quote(value)}" for name, value in launch.env.items()]
    return "\n".join(lines)


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
