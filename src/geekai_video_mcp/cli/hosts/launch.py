"""How a host starts this very installation.

Programs with windows have a short PATH of their own, so a command is an absolute path always. A
key never enters a host's file, and neither does the address of a package index.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from geekai_video_mcp.config.names import BASE_URL, KEY
from geekai_video_mcp.config.values import SANDBOX_WORD
from geekai_video_mcp.errors import HostError
from geekai_video_mcp.quoting import quote

PROGRAM: Final = "geekai-video-mcp"
"""The package and its console script."""
ENTRY: Final = "geekai-video"
"""The name of the server in every host."""
USUAL_FOLDERS: Final[Mapping[str, str]] = {
    "XDG_CONFIG_HOME": "~/.config",
    "XDG_STATE_HOME": "~/.local/state",
}
"""Where settings and tasks are in, if a variable does not say otherwise; hosts often drop it."""
_UV_BUCKETS: Final = ("archive-v", "environments-v", "builds-v")
"""Folders of uv's cache in which it makes environments (uv's `CacheBucket`, read 2026-11-27)."""


@dataclass(frozen=True)
class Launch:
    """What starts the server."""

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])


def own_launch(*, sandbox: bool) -> Launch:
    """How a host starts this installation, with the settings of this shell, but for the key.

    Raises:
        HostError: no host's file can hold it.
    """
    environ = passed_variables(os.environ)
    if sandbox:
        environ[BASE_URL] = SANDBOX_WORD
    command, args = find_command(sys.prefix, sys.executable, os.environ)
    for text in (command, *args, *environ, *environ.values()):
        try:
            text.encode()
        except UnicodeEncodeError:
            msg = f"No host's file can hold {quote(text)}, because it is not text in UTF-8"
            raise HostError(msg, remedy="Install into a folder whose path is.") from None
    return Launch(command, args, environ)


def passed_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings of a shell that a host does not have, but for the key.

    And where the settings file and the tasks are, if that is not the usual place.
    """
    from geekai_video_mcp.config import VARIABLES

    passed = {name: environ.get(name, "") for name in VARIABLES if name != KEY}
    for name, usual in USUAL_FOLDERS.items():
        folder = environ.get(name, "")
        if Path(folder).is_absolute() and Path(folder) != Path(usual).expanduser():
            passed[name] = folder
    return {name: value for name, value in passed.items() if value.strip()}


def find_command(
    prefix: str, python: str, environ: Mapping[str, str], *, windows: bool = os.name == "nt"
) -> tuple[str, tuple[str, ...]]:
    """The absolute path of a program that stays where it is, and its arguments.

    The environments of `uvx` and `pipx run` lie in caches, which are emptied: there it is the
    program that made them.
    """
    suffix = ".exe" if windows else ""
    if _lies_in_uv_cache(Path(prefix)):
        uvx = _find_uvx(environ, suffix)
        if uvx:
            return uvx, (PROGRAM,)
    if _lies_in_pipx_cache(Path(prefix)):
        pipx = shutil.which("pipx", path=environ.get("PATH"))
        if pipx:
            return _absolute_program(pipx), ("run", PROGRAM)
    script = Path(python).parent / f"{PROGRAM}{suffix}"
    if script.is_file():
        return str(script.absolute()), ()
    return python, ("-m", "geekai_video_mcp")


def _lies_in_uv_cache(prefix: Path) -> bool:
    """Whether uv made the environment in its cache, wherever that is.

    https://docs.astral.sh/uv/concepts/cache and pyvenv.cfg of such an environment.
    """
    return any(
        folder.name.startswith(_UV_BUCKETS) and (folder.parent / "CACHEDIR.TAG").exists()
        for folder in prefix.parents
    )


def _find_uvx(environ: Mapping[str, str], suffix: str) -> str | None:
    """The `uvx` beside the uv that runs us, which names itself in UV, or that of PATH."""
    running = environ.get("UV")
    if running:
        beside = Path(running).with_name(f"uvx{suffix}")
        if beside.is_absolute() and beside.is_file():
            return str(beside)
    found = shutil.which("uvx", path=environ.get("PATH"))
    return _absolute_program(found) if found else None


def _lies_in_pipx_cache(prefix: Path) -> bool:
    """Whether `pipx run` made the environment: those it keeps for 14 days, the others in venvs."""
    return (prefix / "pipx_metadata.json").exists() and prefix.parent.name != "venvs"


def _absolute_program(path: str) -> str:
    return str(Path(path).absolute())
