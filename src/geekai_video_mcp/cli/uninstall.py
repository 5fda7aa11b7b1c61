"""`geekai-video-mcp uninstall`: have a host no longer start this server."""

import argparse

from geekai_video_mcp.cli.help import examples
from geekai_video_mcp.cli.install import refuse_unknown_host
from geekai_video_mcp.cli.output import FAILED, OK, print_line, print_notice


def build_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Have a host no longer start this server; its videos stay.",
        **examples(f"{prog} cursor"),
    )
    parser.add_argument("host", metavar="HOST", help="as install takes it")
    parser.set_defaults(run=_run)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    from geekai_video_mcp.cli.hosts import HOSTS
    from geekai_video_mcp.errors import HostError

    host = HOSTS.get(arguments.host)
    if host is None:
        return refuse_unknown_host(arguments.host, list(HOSTS))
    try:
        print_line(host.uninstall())
    except HostError as exc:
        print_notice(exc.message)
        return FAILED
    return OK
