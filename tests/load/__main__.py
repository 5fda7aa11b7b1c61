"""Load on a server as a real process, with clients in this one.

    PYTHONPATH=src:tests python -m load clients
    PYTHONPATH=src:tests python -m load long --seconds 600
    PYTHONPATH=src:tests python -m load replicas --seconds 600

The exit status is 1 if something failed. The machine should do nothing else meanwhile.
"""

import argparse
import asyncio
import inspect
import os
import sys
import tempfile
from pathlib import Path

from load.loads import LOADS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m load")
    parser.add_argument("name", choices=LOADS)
    parser.add_argument("--count", type=int, help="clients, sessions or streams")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--tenants", type=int)
    parser.add_argument("--replicas", type=int, help="servers on one PostgreSQL database")
    parser.add_argument("--calls", type=int, help="that a tenant has in a minute")
    arguments = parser.parse_args()
    load = LOADS[arguments.name]
    given = {name: value for name, value in vars(arguments).items() if value is not None}
    taken = inspect.signature(load).parameters
    options = {name: value for name, value in given.items() if name in taken}
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        result = asyncio.run(load(Path(folder), **options))
    sys.stdout.write(f"{arguments.name} {options} on {os.cpu_count()} processors\n")
    sys.stdout.writelines(f"  {line}\n" for line in result.lines)
    sys.stdout.writelines(f"  FAILED {failure}\n" for failure in result.failures)
    return 1 if result.failures else 0


if __name__ == "__main__":
    sys.exit(main())
