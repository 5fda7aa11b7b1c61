"""Further hosts, for which the configuration is printed: their files are not ours to write.

Each shape and place is the one in the host's own documents (read 2026-11-27):
Windsurf       docs.windsurf.com/windsurf/cascade/mcp
Zed            zed.dev/docs/ai/mcp
goose          goose-docs.ai/docs/guides/config-files
Cline          docs.cline.bot/getting-started/config
LM Studio      lmstudio.ai/docs/app/mcp
Cherry Studio  docs.cherry-ai.com, advanced-basic/mcp, and its own handler of install links
JetBrains      www.jetbrains.com/help/ai-assistant/mcp.html
opencode       opencode.ai/v1/docs/mcp-servers and opencode.ai/docs/mcp-servers
Qwen Code      qwenlm.github.io/qwen-code-docs (settings.json), and the program itself
Continue       docs.continue.dev/customize/deep-dives/mcp
Trae           docs.trae.cn and www.volcengine.com/docs/86677/2137601
Dify           docs.dify.ai/en/use-dify/build/mcp
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from geekai_video_mcp.cli.addresses import SERVE_PORT
from geekai_video_mcp.cli.hosts.entry import launch_entry
from geekai_video_mcp.cli.hosts.launch import ENTRY, PROGRAM, Launch
from geekai_video_mcp.cli.hosts.snippet import (
    Snippet,
    write_continue_yaml,
    write_goose_yaml,
    write_json,
)
from geekai_video_mcp.cli.hosts.system import WINDOWS, System, this_system


@dataclass(frozen=True)
class PrintedHost:
    """A host whose configuration a person pastes."""

    name: str
    title: str
    write: Callable[[Launch], str]
    where: Callable[[System], str]

    def snippet(self, launch: Launch) -> Snippet:
        return Snippet(self.write(launch), self.where(this_system()))


def write_servers(launch: Launch) -> str:
    return write_json({"mcpServers": {ENTRY: launch_entry(launch)}})


def write_cherry_servers(launch: Launch) -> str:
    entry = {"name": ENTRY, "type": "stdio", **launch_entry(launch), "isActive": True}
    return write_json({"mcpServers": {ENTRY: entry}})


def write_zed_servers(launch: Launch) -> str:
    entry: dict[str, Any] = {**launch_entry(launch), "env": dict(launch.env)}
    return write_json({"context_servers": {ENTRY: entry}})


def write_opencode_servers(launch: Launch) -> str:
    entry: dict[str, Any] = {"type": "local", "command": [launch.command, *launch.args]}
    if launch.env:
        entry["environment"] = dict(launch.env)
    return write_json({"mcp": {ENTRY: {**entry, "enabled": True}}})


def write_dify_address(launch: Launch) -> str:
    """Dify starts no programs: it is given the address of a server that runs."""
    del launch
    return f"http://127.0.0.1:{SERVE_PORT}/mcp"


def _zed_settings(system: System) -> str:
    folder = "Zed" if system.platform == WINDOWS else "zed"
    base = system.configuration if system.platform == WINDOWS else _xdg(system)
    return str(base / folder / "settings.json")


def _goose_settings(system: System) -> str:
    if system.platform == WINDOWS:
        return str(system.configuration / "Block" / "goose" / "config" / "config.yaml")
    return str(system.home / ".config" / "goose" / "config.yaml")


def _xdg(system: System) -> Any:  # noqa: ANN401 - a pure path of either kind
    return system.folder("XDG_CONFIG_HOME", system.home / ".config")


def _opencode_settings(system: System) -> str:
    path = _xdg(system) / "opencode" / "opencode.json"
    return f'{path}\n(version 2 of opencode has it one level deeper, in "servers" under "mcp")'


DIFY: Final = f"""Dify: Tools > MCP > Add MCP Server (HTTP), Server Identifier {ENTRY}.
Dify reaches servers over HTTP only, so start one first:
  {PROGRAM} serve --transport http
It listens on loopback alone: a Dify in a container does not reach it.
With a key it asks for the header that this prints, which only newer Difys send:
  {PROGRAM} token"""

_PRINTED: Final = (
    PrintedHost(
        "windsurf",
        "Windsurf",
        write_servers,
        lambda system: str(system.home / ".codeium" / "windsurf" / "mcp_config.json"),
    ),
    PrintedHost("zed", "Zed", write_zed_servers, _zed_settings),
    PrintedHost("goose", "goose", write_goose_yaml, _goose_settings),
    PrintedHost(
        "cline",
        "Cline",
        write_servers,
        lambda system: str(
            system.home / ".cline" / "data" / "settings" / "cline_mcp_settings.json"
        ),
    ),
    PrintedHost(
        "lm-studio",
        "LM Studio",
        write_servers,
        lambda _: "LM Studio: Program tab > Install > Edit mcp.json",
    ),
    PrintedHost(
        "cherry-studio",
        "Cherry Studio",
        write_cherry_servers,
        lambda _: "Cherry Studio: Settings > MCP Servers > Add > Import from JSON",
    ),
    PrintedHost(
        "jetbrains",
        "JetBrains AI Assistant",
        write_servers,
        lambda _: "JetBrains: Settings | Tools | AI Assistant | Model Context Protocol (MCP) > Add",
    ),
    PrintedHost("opencode", "opencode", write_opencode_servers, _opencode_settings),
    PrintedHost(
        "qwen-code",
        "Qwen Code",
        write_servers,
        lambda system: str(system.home / ".qwen" / "settings.json"),
    ),
    PrintedHost(
        "continue",
        "Continue",
        write_continue_yaml,
        lambda system: str(system.home / ".continue" / "config.yaml"),
    ),
    PrintedHost(
        "trae",
        "Trae",
        write_servers,
        lambda _: "Trae: Settings > MCP > Add > Add Manually (its command may have no spaces)",
    ),
    PrintedHost("dify", "Dify", write_dify_address, lambda _: DIFY),
)
PRINTED: Final[Mapping[str, PrintedHost]] = {host.name: host for host in _PRINTED}
"""By the name that `install --print` takes."""
