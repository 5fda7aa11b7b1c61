"""Installs the hosts from npm, and says in words why they cannot run on this machine."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import platformdirs

from hosts.run_host import INSIDE

PACKAGES: Final = Path(__file__).with_name("package.json")


def folder() -> Path:
    """Where the hosts and the runs are."""
    named = os.environ.get("HOSTS_FOLDER")
    return Path(named).resolve() if named else platformdirs.user_cache_path("geekai-hosts")


def missing() -> str | None:
    """What this machine lacks, as the reason for running nothing."""
    programs = {
        "npm": "it installs the hosts",
        "node": "npm needs it; the hosts then get one of their own",
        "unshare": "it cuts the hosts off from the network",
        "ip": "it starts loopback for a host that is cut off from the network",
    }
    for program, why in programs.items():
        if not shutil.which(program):
            return f"{program} is not installed: {why}."
    if os.geteuid() != 0:
        return "only root may make the namespaces that cut the hosts off from the network."
    tried = subprocess.run([*INSIDE, "true"], capture_output=True, encoding="utf-8", check=False)
    if tried.returncode:
        return f"this machine makes no namespaces: {tried.stderr.strip()}"
    return None


def install() -> Path:
    """Install the pinned versions, unless they are there; return node_modules."""
    target = folder() / "npm"
    modules, done = target / "node_modules", target / "installed.json"
    wanted = PACKAGES.read_text("utf-8")
    if done.exists() and done.read_text("utf-8") == wanted:
        return modules
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    (target / "package.json").write_text(wanted, "utf-8")
    quiet = ["--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(["npm", "install", *quiet], cwd=target, check=True)
    done.write_text(wanted, "utf-8")
    return modules


def installed_version(modules: Path, package: str) -> str:
    return json.loads((modules / package / "package.json").read_text("utf-8"))["version"]
