"""The hosts: how each is configured in an empty home, and started with one request for a video."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hosts.script import SERVER

REQUEST: Final = "Make a video of a red fox in snow at dawn."
KEY: Final = "not-a-real-key"


@dataclass(frozen=True)
class Surroundings:
    """What a host is given: folders of its own, its model, and our server."""

    home: Path
    work: Path
    model_url: str
    command: list[str]
    """Starts the MCP server."""
    environment: Mapping[str, str]
    """The MCP server's."""

    @property
    def standard_server(self) -> dict[str, Any]:
        """The server as most hosts' configurations spell it."""
        program, *arguments = self.command
        return {"command": program, "args": arguments, "env": dict(self.environment)}

    def write_home(self, name: str, value: object) -> Path:
        """Write the file *name* of the home, as JSON unless it is text."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")
        return path


@dataclass(frozen=True)
class Launch:
    """What starts a host once."""

    arguments: list[str]
    """The program is one of node_modules/.bin."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    before: list[str] | None = None
    """A command that has to run first."""


@dataclass(frozen=True)
class Host:
    name: str
    """As `make hosts` takes it."""
    title: str
    package: str
    configure: Callable[[Surroundings], Launch]
    shows_pictures: bool = True
    """False where the host turns every picture into base64 text: the model must get a path."""


def configure_claude(given: Surroundings) -> Launch:
    trusted = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
    settings = {
        "hasCompletedOnboarding": True,
        "customApiKeyResponses": {"approved": [KEY], "rejected": []},
        "projects": {str(given.work): trusted},
    }
    given.write_home(".claude/.claude.json", settings)
    servers = given.write_home("mcp.json", {"mcpServers": {SERVER: given.standard_server}})
    allowed = ["--strict-mcp-config", "--allowedTools", f"mcp__{SERVER}__*"]
    return Launch(
        ["claude", "-p", REQUEST, "--mcp-config", str(servers), *allowed],
        {
            "ANTHROPIC_BASE_URL": given.model_url,
            "ANTHROPIC_API_KEY": KEY,
            "CLAUDE_CONFIG_DIR": str(given.home / ".claude"),
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
        },
    )


def configure_codex(given: Surroundings) -> Launch:
    program, *arguments = given.command
    variables = ", ".join(f"{k} = {json.dumps(v)}" for k, v in given.environment.items())
    settings = f"""
model = "gpt-5.5"
model_provider = "scripted"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false
[analytics]
enabled = false
[model_providers.scripted]
name = "scripted"
base_url = "{given.model_url}/v1"
wire_api = "responses"
env_key = "SCRIPTED_KEY"
[mcp_servers.{SERVER}]
command = {json.dumps(program)}
args = {json.dumps(arguments)}
env = {{{variables}}}
[projects."{given.work}"]
trust_level = "trusted"
"""
    given.write_home(".codex/config.toml", settings)
    return Launch(
        ["codex", "exec", "--skip-git-repo-check", REQUEST],
        {"CODEX_HOME": str(given.home / ".codex"), "SCRIPTED_KEY": KEY},
    )


def configure_gemini(given: Surroundings) -> Launch:
    settings = {
        "security": {
            "auth": {"selectedType": "gemini-api-key"},
            "folderTrust": {"enabled": False},
        },
        "mcpServers": {SERVER: {**given.standard_server, "trust": True}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"enableAutoUpdate": False},
    }
    given.write_home(".gemini/settings.json", settings)
    return Launch(
        ["gemini", "-p", REQUEST, "--approval-mode", "yolo"],
        {
            "GEMINI_API_KEY": KEY,
            "GOOGLE_GEMINI_BASE_URL": given.model_url,
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
        },
    )


def configure_qwen(given: Surroundings) -> Launch:
    settings = {
        "security": {"auth": {"selectedType": "openai"}},
        "mcpServers": {SERVER: {**given.standard_server, "trust": True}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"enableAutoUpdate": False},
    }
    given.write_home(".qwen/settings.json", settings)
    return Launch(
        ["qwen", "-p", REQUEST, "--approval-mode", "yolo", "--auth-type", "openai"],
        {
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": f"{given.model_url}/v1",
            "OPENAI_MODEL": "qwen3.5-plus",  # one that it knows to see pictures
        },
    )


def configure_opencode(given: Surroundings) -> Launch:
    model = {
        "name": "scripted",
        "tool_call": True,
        "attachment": True,
        "modalities": {"input": ["text", "image"], "output": ["text"]},
        "limit": {"context": 1_000_000, "output": 8000},
    }
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "scripted",
        "options": {"baseURL": f"{given.model_url}/v1", "apiKey": KEY},
        "models": {"scripted": model},
    }
    server = {"type": "local", "command": given.command, "environment": dict(given.environment)}
    settings = {
        "autoupdate": False,
        "share": "disabled",
        "permission": "allow",
        "provider": {"scripted": provider},
        "model": "scripted/scripted",
        "small_model": "scripted/scripted",
        "mcp": {SERVER: server},
    }
    given.write_home(".config/opencode/opencode.json", settings)
    return Launch(
        ["opencode", "run", REQUEST],
        {"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_LSP_DOWNLOAD": "1"},
    )


def configure_cline(given: Surroundings) -> Launch:
    server = {**given.standard_server, "disabled": False, "autoApprove": ["*"]}
    path = ".cline/data/settings/cline_mcp_settings.json"
    given.write_home(path, {"mcpServers": {SERVER: server}})
    model = ["-m", "scripted"]
    address = ["-b", f"{given.model_url}/v1"]
    return Launch(
        ["cline", "--json", "-P", "openai", *model, REQUEST],
        {"CLINE_TELEMETRY_DISABLED": "1", "OPENAI_API_KEY": KEY},
        before=["cline", "auth", "-p", "openai", "-k", KEY, *model, *address],
    )


def configure_continue(given: Surroundings) -> Launch:
    model = {
        "name": "scripted",
        "provider": "openai",
        "model": "gpt-5.1",
        "apiBase": f"{given.model_url}/v1",
        "apiKey": KEY,
        "roles": ["chat"],
        "capabilities": ["tool_use", "image_input"],
    }
    server = {"name": SERVER, **given.standard_server}
    settings = {"name": "scripted", "version": "1.0.0", "schema": "v1"}
    path = given.write_home(
        "config.yaml", {**settings, "models": [model], "mcpServers": [server]}
    )  # JSON is YAML
    return Launch(
        ["cn", "-p", REQUEST, "--config", str(path), "--auto"],
        {
            "CONTINUE_TELEMETRY_ENABLED": "0",
            "CONTINUE_GLOBAL_DIR": str(given.home / ".continue"),
            "CONTINUE_CLI_DISABLE_AUTO_UPDATE": "1",
        },
    )


HOSTS: Final = (
    Host("claude", "Claude Code, `-p`", "@anthropic-ai/claude-code", configure_claude),
    Host("codex", "Codex, `exec`", "@openai/codex", configure_codex),
    Host("gemini", "Gemini CLI", "@google/gemini-cli", configure_gemini),
    Host("qwen", "Qwen Code", "@qwen-code/qwen-code", configure_qwen),
    Host("opencode", "opencode", "opencode-ai", configure_opencode),
    Host("cline", "Cline CLI", "cline", configure_cline, shows_pictures=False),
    Host("continue", "Continue CLI", "@continuedev/cli", configure_continue, shows_pictures=False),
)
