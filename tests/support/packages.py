"""Builds our distributions, and installs them where none of this source is on any path."""

import email
import email.policy
import functools
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Final

import pytest

from support import ROOT
from support.missing import skip_test

REQUIRED: Final = bool(os.environ.get("REQUIRE_PACKAGING"))
"""Whether what is absent is a failure; `.ci/run` says so."""
SUPPORTED: Final = ("3.11", "3.12", "3.13", "3.14")
SCRIPTS: Final = "Scripts" if os.name == "nt" else "bin"


def skip_or_fail(reason: str) -> None:
    """Skip this test, which this machine cannot run, unless `REQUIRE_PACKAGING` is set."""
    if REQUIRED:
        pytest.fail(reason)
    skip_test(reason)


def outside_environment(folder: Path, **variables: str) -> dict[str, str]:
    """The environment of a person who has none of our source, no settings and no key.

    So it is for a developer whose own settings file holds a key. What a package client needs to
    reach its index stays. *folder* is the home.
    """
    ours = re.compile("GEEKAI_|PYTHON|VIRTUAL_ENV|XDG_|COV_|COVERAGE|SOURCE_DATE_EPOCH|PYTEST")
    kept = {name: value for name, value in os.environ.items() if not ours.match(name)}
    caches = {
        "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR", str(Path.home() / ".cache" / "pip")),
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv")),
    }
    settings = {
        "GEEKAI_SETTINGS_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_SYSTEM_CERTS": "1",  # as pip does: an index may have a certificate of its own
    }
    home = {"HOME": str(folder), "USERPROFILE": str(folder)}
    return {**kept, **caches, **settings, **home, **variables}


def run(
    command: Sequence[str | Path], folder: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run *command* in *folder* as a person who has none of our source; fail if it does."""
    done = try_run(command, folder, **variables)
    if done.returncode:
        pytest.fail(f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}")
    return done


def try_run(
    command: Sequence[str | Path], folder: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run *command* as `run` does, whatever its exit status."""
    return subprocess.run(  # noqa: S603 - the commands are these tests' own
        [str(word) for word in command],
        cwd=folder,
        env=outside_environment(folder, **variables),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@dataclass(frozen=True)
class Environment:
    """A virtual environment."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.program("python")

    def program(self, name: str) -> Path:
        return self.folder / SCRIPTS / (f"{name}.exe" if os.name == "nt" else name)

    def pip(self, *words: str | Path) -> str:
        """Run this environment's pip; return what it printed."""
        return run([self.python, "-I", "-m", "pip", *words], self.folder.parent).stdout

    def package_files(self) -> list[Path]:
        """What lies in this environment under our names."""
        return sorted(self.folder.rglob("*geekai*"))


@dataclass(frozen=True)
class Distributions:
    """A wheel and a source distribution in one folder."""

    folder: Path

    @property
    def wheel(self) -> Path:
        (found,) = self.folder.glob("*.whl")
        return found

    @property
    def sdist(self) -> Path:
        (found,) = self.folder.glob("*.tar.gz")
        return found

    def metadata(self) -> Message:
        """The wheel's METADATA."""
        with zipfile.ZipFile(self.wheel) as wheel:
            (name,) = (each for each in wheel.namelist() if each.endswith(".dist-info/METADATA"))
            return email.message_from_bytes(wheel.read(name), policy=email.policy.default)

    def requirements(self) -> list[str]:
        return self.metadata().get_all("Requires-Dist", [])


def make_environment(python: str, folder: Path) -> Environment:
    """Make a virtual environment of *python* in *folder*."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    run([python, "-I", "-m", "venv", folder], folder.parent)
    return Environment(folder)


@functools.cache
def find_python(version: str) -> str | None:
    """A Python of *version* ("3.13") that works here: named in PYTHONS, on PATH, or of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    others = [f"python{version}", *map(str, sorted(pyenv.glob(f"{version}.*/bin/python3")))]
    named = os.environ.get("PYTHONS", "").split()
    for python in named or others:
        # It is run, not only looked up: pyenv has shims for versions that are not selected, and
        # some systems leave out venv or sqlite3.
        code = "import ensurepip, sqlite3, ssl, sys; print('%d.%d' % sys.version_info[:2])"
        try:
            done = subprocess.run(  # noqa: S603 - the path of a Python
                [python, "-I", "-c", code], capture_output=True, encoding="utf-8", check=False
            )
        except OSError:
            continue
        if done.stdout.strip() == version:
            return shutil.which(python) or python
    return None


def tracked_files() -> list[str]:
    """What the repository holds, as paths with slashes: what git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if listed.returncode:
        skip_or_fail(f"not a clone of the repository: {listed.stderr.strip()}")
    return sorted(
        name for name in set(listed.stdout.split("\0")) if name and (ROOT / name).exists()
    )


def copy_repository(folder: Path) -> Path:
    """Copy what the repository holds into *folder*."""
    for name in tracked_files():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    return folder


def lowest_versions(requirements: Sequence[str]) -> list[str]:
    """The floor of each of *requirements* (`name<2,>=1.5`) as its only version (`name==1.5`)."""
    return [
        f"{re.match('[A-Za-z0-9._-]+', requirement)[0]}=={floor}"  # pyright: ignore[reportOptionalSubscript]
        for requirement in requirements
        if "extra ==" not in requirement
        for floor in re.findall(r">=\s*([\w.]+)", requirement.partition(";")[0])
    ]


def base_python() -> str:
    """The Python that made the environment of these tests."""
    return str(Path(sys.base_prefix) / ("python.exe" if os.name == "nt" else "bin/python3"))
