"""Runs one host through the conversation, in namespaces of its own.

`run` starts this module as a program inside them; the folder of the run is all that comes out.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from hosts.fake_model import serve
from hosts.hosts import HOSTS, Host, Surroundings

HERE: Final = Path(__file__).parent
NAMESPACES: Final = ("unshare", "--net", "--pid", "--fork", "--mount-proc")
INSIDE: Final = (*NAMESPACES, "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
"""A command after these has no network but loopback, and its children end with it."""
MAX_SECONDS: Final = 180
"""For a host's whole conversation; on two cores it takes 8 to 25."""
FROM_HOST, FROM_SERVER = "from-host.jsonl", "from-server.jsonl"
"""The protocol's lines, both ways."""
SERVER: Final = (
    f'tee -a "$0/{FROM_HOST}" | PYTHONPATH="$1" "$2" -m geekai_video_mcp'
    f' | tee -a "$0/{FROM_SERVER}"'
)
"""This checkout's server, copied by a shell: a program in Python would double the time to start.
Some hosts refuse to set PYTHONPATH for a server, so it is set here."""


def run(host: Host, programs: Path, folder: Path) -> None:
    """Run *host*, one of node_modules/.bin in *programs*, and leave all it did in *folder*."""
    folder.mkdir(parents=True)
    command = [*INSIDE, sys.executable, "-m", "hosts.run_host", host.name, str(programs)]
    subprocess.run(
        [*command, str(folder)], env={**os.environ, "PYTHONPATH": str(HERE.parent)}, check=True
    )


def main(name: str, programs: Path, folder: Path) -> None:
    (host,) = (each for each in HOSTS if each.name == name)
    home, work = folder / "home", folder / "work"
    for each in (home, work, folder / "tmp"):
        each.mkdir()
    given = Surroundings(
        home=home,
        work=work,
        model_url=serve(folder / "requests"),
        command=["sh", "-c", SERVER, str(folder), str(HERE.parent.parent / "src"), sys.executable],
        environment={
            "GEEKAI_STATE_DIR": str(folder / "state"),
            "GEEKAI_OUTPUT_DIR": str(folder / "videos"),
            "GEEKAI_SETTINGS_FILE": os.devnull,
        },
    )
    launch = host.configure(given)
    variables = {
        "PATH": os.pathsep.join([str(programs), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(home),
        "TMPDIR": str(folder / "tmp"),
        "LANG": "C.UTF-8",
        **launch.environment,
    }
    with (folder / "output.txt").open("wb") as output:
        for command in filter(None, (launch.before, launch.arguments)):
            _run_to_its_end(
                [str(programs / command[0]), *command[1:]], variables, work, output.fileno()
            )


def _run_to_its_end(command: list[str], variables: dict[str, str], work: Path, output: int) -> None:
    child = subprocess.Popen(
        command,
        env=variables,
        cwd=work,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        status = child.wait(MAX_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        status = f"stopped after {MAX_SECONDS} s"
    os.write(output, f"\nexit status: {status}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
