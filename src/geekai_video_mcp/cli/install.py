"""`geekai-video-mcp install`: have a host start this server."""

import argparse
import difflib
import os

from geekai_video_mcp.cli.output import FAILED, NOT_USABLE, OK, print_line, print_notice
from geekai_video_mcp.cli.start import load_settings
from geekai_video_mcp.quoting import quote


def build_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Have a host (an assistant's program) start this server.",
        epilog="Without HOST it lists the hosts, which are here, and which start this server.",
    )
    parser.add_argument("host", nargs="?", metavar="HOST", help="such as cursor or claude-code")
    parser.add_argument(
        "--sandbox", action="store_true", help="the host uses the sandbox, whatever key there is"
    )
    parser.add_argument("--list", action="store_true", help="list the hosts")
    parser.set_defaults(run=_run)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    from geekai_video_mcp.cli.hosts import HOSTS, own_launch
    from geekai_video_mcp.errors import HostError

    if arguments.list or arguments.host is None:
        return list_hosts()
    host = HOSTS.get(arguments.host)
    if host is None:
        return refuse_unknown_host(arguments.host)
    settings = load_settings()
    launch = own_launch(sandbox=arguments.sandbox)
    try:
        print_line(host.install(launch))
    except HostError as exc:
        print_notice(exc.message)
        return FAILED
    if not arguments.sandbox and settings.sandbox:
        print_line("It runs in the sandbox until `geekai-video-mcp setup` has a key.")
    if os.environ.get("GEEKAI_API_KEY", "").strip():
        print_line("The key of this shell was not written into the host's file.")
    return OK


def list_hosts() -> int:
    """Print each host, and how it is configured."""
    from geekai_video_mcp.cli.hosts import HOSTS

    for host in HOSTS.values():
        found = host.read()
        state = "present" if host.is_present() else "not found"
        told = "starts this server" if found and found.launch else found.problem if found else ""
        print_line(f"{host.name:15} {state:10} {told}".rstrip())
    return OK


def refuse_unknown_host(name: str) -> int:
    """Say which hosts there are; returns the exit status."""
    from geekai_video_mcp.cli.hosts import HOSTS

    near = difflib.get_close_matches(name.lower(), HOSTS, n=3, cutoff=0.4)
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    print_notice(f"There is no host {quote(name, limit=64)}.{meant} Known: {', '.join(HOSTS)}.")
    return NOT_USABLE
