"""The server as a member of a host's configuration, and what of it is ours to change."""

from collections.abc import Mapping
from typing import Any, Final, cast

from geekai_video_mcp.cli.hosts.json_text import JsonObject
from geekai_video_mcp.cli.hosts.launch import BASE_URL, KEY, SANDBOX, Launch
from geekai_video_mcp.quoting import quote_unless_id

_REMOTE: Final = ("url", "httpUrl", "serverUrl", "headers", "http_headers", "bearer_token_env_var")
"""Members of a server that is reached over HTTP."""


def launch_entry(launch: Launch) -> JsonObject:
    """The members that start the server, as most hosts spell them."""
    entry: JsonObject = {"command": launch.command, "args": list(launch.args)}
    if launch.env:
        entry["env"] = dict(launch.env)
    return entry


def read_launch(entry: object) -> Launch | None:
    """What the member starts; None if it starts nothing on this machine."""
    if not isinstance(entry, Mapping):
        return None
    members = cast("Mapping[str, Any]", entry)
    command, args, env = (members.get(name) for name in ("command", "args", "env"))
    if not isinstance(command, str):
        return None
    words = cast("list[object]", args) if isinstance(args, list) else []
    variables = cast("dict[str, object]", env) if isinstance(env, dict) else {}
    return Launch(
        command, tuple(map(str, words)), {name: str(each) for name, each in variables.items()}
    )


def merge_entry(
    existing: object, launch: Launch, fixed: Mapping[str, str]
) -> tuple[JsonObject, list[str]]:
    """The member that starts *launch*, with what a person has added to it; and what changed."""
    kept = dict(cast("JsonObject", existing)) if isinstance(existing, dict) else {}
    changes: list[str] = []
    if "command" not in kept:
        dropped = [name for name in _REMOTE if kept.pop(name, None) is not None]
        if dropped:
            kept.pop("type", None)
            changes.append("it is now started on this machine, and no longer reached over HTTP")
    before, env = read_launch(kept), dict(launch.env)
    if before:
        env = {**before.env, **launch.env}
        if BASE_URL not in launch.env and env.get(BASE_URL) == SANDBOX:
            del env[BASE_URL]
        changes += _describe_changes(before, Launch(launch.command, launch.args, env))
    entry: JsonObject = {**fixed, **kept, **fixed}
    entry["command"] = launch.command
    if launch.args or "args" in entry or not before:
        entry["args"] = list(launch.args)
    entry.pop("env", None) if not env else entry.update(env=env)
    return entry, changes


def holds_only_ours(entry: object) -> bool:
    """Whether `install` could have written the member: no person's setting is in it."""
    if not isinstance(entry, dict):
        return False
    members = cast("JsonObject", entry)
    env = members.get("env", {})
    names = cast("dict[str, object]", env) if isinstance(env, dict) else {"": env}
    return members.keys() <= {"type", "command", "args", "env"} and all(
        name.startswith("GEEKAI_") and name != KEY for name in names
    )


def _describe_changes(before: Launch, after: Launch) -> list[str]:
    changes: list[str] = []
    if (before.command, before.args) != (after.command, after.args):
        words = " ".join((before.command, *before.args))
        changes.append(f"the command, which was {quote_unless_id(words)}")
    for name in sorted({*before.env, *after.env}):
        old, new = before.env.get(name), after.env.get(name)
        if old != new:
            was = "added" if old is None else "removed" if new is None else "replaced"
            changes.append(f"{quote_unless_id(name)} ({was})")
    kept = sorted(name for name in after.env if before.env.get(name) == after.env[name])
    if changes and kept:
        changes.append(f"kept as they were: {', '.join(map(quote_unless_id, kept))}")
    if KEY in after.env:
        changes.append(f"its {KEY} stays, and wins over the settings file")
    return changes
