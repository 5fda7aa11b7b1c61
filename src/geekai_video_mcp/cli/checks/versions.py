"""The versions of this server, of Python and of the libraries that everything rests on."""

import platform
import sqlite3
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from geekai_video_mcp import __version__
from geekai_video_mcp.cli.checks.line import Line, Subject, fail, ok

CHECK: Final = "versions"
LIBRARIES: Final = {
    "mcp": "mcp",
    "pydantic": "pydantic",
    "httpx": "httpx",
    "anyio": "anyio",
    "starlette": "starlette",
    "uvicorn": "uvicorn",
    "av": "PyAV",
    "pillow": "Pillow",
    "numpy": "NumPy",
}
"""The packages, and what their projects call them."""


async def check_versions(_: Subject) -> list[Line]:
    found: dict[str, str] = {}
    absent: list[str] = []
    for package, name in LIBRARIES.items():
        try:
            found[name] = version(package)
        except PackageNotFoundError:
            absent.append(package)
    own = {
        "geekai-video-mcp": __version__,
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
    }
    shown = ", ".join(f"{name} {number}" for name, number in {**own, **found}.items())
    system = f"{platform.system()} {platform.release()} ({platform.machine()})"
    lines = [ok(CHECK, f"{shown}; {system}", facts={"system": system, **own, **found})]
    if absent:
        lines.append(
            fail(
                CHECK,
                f"packages are missing: {', '.join(absent)}",
                remedy="Install this server anew: pip install --force-reinstall geekai-video-mcp",
            )
        )
    return lines
