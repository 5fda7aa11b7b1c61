"""`make hosts`: see the package's docstring."""

import shutil
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Final

from hosts import clients_table
from hosts.hosts import HOSTS, Host
from hosts.installation import folder, install, installed_version, missing
from hosts.observations import Observations, judge, observe
from hosts.received import write_received
from hosts.run_host import run

DOCUMENT: Final = Path(__file__).parent.parent.parent / "docs" / "clients.md"
MAX_STARTS: Final = 3
"""A host that is started on a busy machine may go on before its servers have answered."""


def main(names: list[str]) -> int:
    unknown = set(names) - {host.name for host in HOSTS}
    if unknown:
        known = ", ".join(host.name for host in HOSTS)
        print(f"Unknown: {', '.join(sorted(unknown))}. Known hosts: {known}.")
        return 2
    reason = missing()
    if reason:
        print(f"Skipped: {reason}")
        return 0
    modules = install()
    this_run = folder() / "runs" / datetime.now().astimezone().strftime("%Y-%m-%d-%H%M%S")
    runs: dict[str, tuple[str, Observations]] = {}
    for host in HOSTS:
        if not names or host.name in names:
            version = installed_version(modules, host.package)
            runs[host.name] = (version, _run(host, version, modules, this_run))
    clients_table.write_rows(DOCUMENT, runs)
    print(f"What each model received: {this_run}")
    return 1 if any(_failures(found) for _, found in runs.values()) else 0


def _run(host: Host, version: str, modules: Path, this_run: Path) -> Observations:
    """Run *host*, judge what its model received, and say so."""
    began, starts = time.monotonic(), 0
    while True:
        shutil.rmtree(this_run / host.name, ignore_errors=True)
        run(host, modules / ".bin", this_run / host.name)
        found, starts = observe(host, this_run / host.name), starts + 1
        if found.steps or starts == MAX_STARTS:
            break
    write_received(found, version, this_run / f"{host.name}.md")
    failed = _failures(found)
    print(
        f"{host.name} {version}: {', '.join(failed) or 'all seen'}"
        f" ({time.monotonic() - began:.0f} s{f', {starts} starts' * (starts > 1)})",
        flush=True,
    )
    return found


def _failures(found: Observations) -> list[str]:
    return [f"{name} {seen}" for name, seen in judge(found).items() if "**" in seen]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
