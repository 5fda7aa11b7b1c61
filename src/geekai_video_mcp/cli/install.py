"""`geekai-video-mcp install`: have a host start this server."""

import argparse
import difflib
import os
from typing import TYPE_CHECKING

from geekai_video_mcp.cli.help import examples
from geekai_video_mcp.cli.output import FAILED, NOT_USABLE, OK, print_line, print_notice
from geekai_video_mcp.cli.start import load_settings
from geekai_video_mcp.quoting import quote

if TYPE_CHECKING:
    from geekai_video_mcp.cli.hosts import Host, Launch
    from geekai_video_mcp.cli.hosts.snippet import Snippet


def build_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Have a host (the program of an assistant) start this server.",
        **examples(
            f"{prog}",
            f"{prog} cursor",
            f"{prog} --print cherry-studio",
            note="Without HOST it lists the hosts: which are here, and which start this server.",
        ),
    )
    parser.add_argument("host", nargs="?", metavar="HOST", help="such as cursor or claude-code")
    parser.add_argument(
        "--sandbox",
        action="store_true",
        help="let the host use the sandbox, whatever key there is",
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--print",
        dest="printed",
        action="store_true",
        help="print what can be pasted into the host's configuration, and change nothing",
    )
    action.add_argument("--list", action="store_true", help="list the hosts")
    parser.set_defaults(run=_run, parser=parser)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    from geekai_video_mcp.cli.hosts import HOSTS, PRINTED, own_launch
    from geekai_video_mcp.errors import HostError

    name: str | None = arguments.host
    if name is None and arguments.printed:
        arguments.parser.error("--print needs a HOST")
    if name is None or arguments.list:
        return list_hosts()
    try:
        if arguments.printed:
            return _print_host(name, sandbox=arguments.sandbox)
        if name in HOSTS:
            return _install(HOSTS[name], own_launch(sandbox=arguments.sandbox))
    except HostError as exc:
        print_notice(exc.message)
        return FAILED
    if name in PRINTED:
        return _refuse_to_write(PRINTED[name].title, name)
    return refuse_unknown_host(name, [*HOSTS, *PRINTED])


def list_hosts() -> int:
    """Print each host, whether it is here, and how it is configured."""
    from geekai_video_mcp.cli.hosts import HOSTS, PRINTED, own_launch

    own = own_launch(sandbox=False)
    print_line("HOST            HERE  STARTS THIS SERVER")
    problems: list[str] = []
    for host in HOSTS.values():
        found = host.read()
        starts = "no"
        if found and found.launch:
            same = (found.launch.command, found.launch.args) == (own.command, own.args)
            starts = "yes" if same else f"another one: {quote(found.launch.command)}"
        elif found:
            starts = "not known: see below"
            problems.append(f"{host.title}: {found.problem}")
        print_line(f"{host.name:15} {'yes' if host.is_present() else 'no':5} {starts}")
    print_line("\ngeekai-video-mcp install HOST has a host start this server. For these,")
    print_line("geekai-video-mcp install --print HOST prints what to paste:")
    for row in (list(PRINTED)[:6], list(PRINTED)[6:]):
        print_line(f"  {', '.join(row)}")
    for problem in problems:
        print_notice(problem)
    return OK


def refuse_unknown_host(name: str, known: list[str]) -> int:
    """Say which hosts there are; returns the exit status."""
    spelt = name.strip().lower().replace("_", "-").replace(" ", "-")
    near = difflib.get_close_matches(spelt, known, n=3, cutoff=0.5)
    near = near or [each for each in known if spelt and (spelt in each or each in spelt)]
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    print_notice(f"There is no host {quote(name, limit=64)}.{meant}")
    print_notice(f"Known: {', '.join(known)}.")
    return NOT_USABLE


def _install(host: "Host", launch: "Launch") -> int:
    from geekai_video_mcp.errors import HostError

    load_settings()
    try:
        print_line(host.install(launch))
    except HostError as exc:
        print_notice(exc.message)
        print_notice("You can paste this yourself:")
        _print_snippet(host.snippet(launch))
        return FAILED
    _print_settings(host.title, launch)
    return OK


def _print_settings(title: str, launch: "Launch") -> None:
    """Say what the host has of this shell's settings, and which service it uses."""
    from geekai_video_mcp.config.names import BASE_URL, KEY
    from geekai_video_mcp.config.values import SANDBOX_WORD

    passed = [name for name in launch.env if (name, launch.env[name]) != (BASE_URL, SANDBOX_WORD)]
    if passed:
        print_line(f"It is started with these variables of this shell: {', '.join(passed)}.")
    if os.environ.get(KEY, "").strip():
        print_line(f"{KEY} of this shell was not: no key is written into a host's file.")
    if launch.env.get(BASE_URL) == SANDBOX_WORD:
        print_line("It uses the sandbox, which needs no key and costs nothing.")
    elif _uses_sandbox(launch):
        print_line(f"{title} uses the sandbox until this has stored a key: geekai-video-mcp setup")


def _uses_sandbox(launch: "Launch") -> bool:
    """Whether the server finds no key when the host starts it, without this shell's variables."""
    from geekai_video_mcp.config import Settings

    inherited = {name: each for name, each in os.environ.items() if not name.startswith("GEEKAI_")}
    return Settings.load({**inherited, **launch.env}).sandbox


def _print_host(name: str, *, sandbox: bool) -> int:
    from geekai_video_mcp.cli.hosts import HOSTS, PRINTED, own_launch

    host = HOSTS.get(name) or PRINTED.get(name)
    if host is None:
        return refuse_unknown_host(name, [*HOSTS, *PRINTED])
    return _print_snippet(host.snippet(own_launch(sandbox=sandbox)))


def _print_snippet(snippet: "Snippet") -> int:
    print_notice(snippet.where)
    print_line(snippet.text)
    return OK


def _refuse_to_write(title: str, name: str) -> int:
    print_notice(f"{title}'s configuration is not written by this program. To paste it yourself:")
    print_notice(f"  geekai-video-mcp install --print {name}")
    return FAILED
