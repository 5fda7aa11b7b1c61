"""The server as a member of a host's configuration, and what of it is ours to change."""

from collections.abc import Mapping
from typing import Any, Final, cast

from geekai_video_mcp.cli.hosts.json_text import JsonObject
from geekai_video_mcp.cli.hosts.launch import USUAL_FOLDERS, Launch
from geekai_video_mcp.config.names import BASE_URL, KEY
from geekai_video_mcp.config.values import SANDBOX_WORD
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
    """The member that starts *launch*, with what a person has added; and sentences on changes."""
    kept = dict(cast("JsonObject", existing)) if isinstance(existing, dict) else {}
    said: list[str] = []
    if any(name in kept for name in _REMOTE):
        for name in (*_REMOTE, "type"):
            kept.pop(name, None)
        said.append("It is started on this machine now, and no longer reached over HTTP.")
    before, env = read_launch(kept), dict(launch.env)
    if before:
        env = {**before.env, **launch.env}
        if BASE_URL not in launch.env and env.get(BASE_URL) == SANDBOX_WORD:
            del env[BASE_URL]
        said += _describe_changes(before, Launch(launch.command, launch.args, env))
    entry: JsonObject = {**fixed, **kept, **fixed, "command": launch.command}
    if launch.args or "args" in entry or not before:
        entry["args"] = list(launch.args)
    if env:
        entry["env"] = env
    elif not isinstance(kept.get("env"), dict):
        entry.pop("env", None)
    else:
        entry["env"] = {}
    return entry, said


def holds_only_ours(entry: object) -> bool:
    """Whether `install` could have written the member: no person's setting is in it."""
    if not isinstance(entry, dict):
        return False
    members = cast("JsonObject", entry)
    env = members.get("env", {})
    names = cast("dict[str, object]", env) if isinstance(env, dict) else {"": env}
    return members.keys() <= {"type", "command", "args", "env"} and all(
        (name.startswith("GEEKAI_") or name in USUAL_FOLDERS) and name != KEY for name in names
    )


def _describe_changes(before: Launch, after: Launch) -> list[str]:
    """What a person should know of a server that was there already."""
    said: list[str] = []
    if (before.command, before.args) != (after.command, after.args):
        words = " ".join((before.command, *before.args))
        said.append(f"Its command was {quote_unless_id(words)}.")
    changes: dict[str, list[str]] = {"Added": [], "Changed": [], "Removed": [], "Kept": []}
    for name in sorted({*before.env, *after.env}):
        old, new = before.env.get(name), after.env.get(name)
        change = "Kept" if old == new else "Added" if old is None else "Changed"
        changes["Removed" if new is None else change].append(quote_unless_id(name, limit=64))
    if said or any(changes[each] for each in ("Added", "Changed", "Removed")):
        said += [f"{each}: {', '.join(names)}." for each, names in changes.items() if names]
    if said and KEY in after.env:
        said.append(f"The host's {KEY} wins over the settings file.")
    return said
