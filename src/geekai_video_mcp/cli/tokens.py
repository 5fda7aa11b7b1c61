"""`geekai-video-mcp tokens`: who else may call the server over HTTP."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from geekai_video_mcp.cli.addresses import (
    SERVE_PORT,
    add_address_options,
    host_configuration,
)
from geekai_video_mcp.cli.help import add_command, examples
from geekai_video_mcp.cli.output import (
    FAILED,
    OK,
    drop_output,
    print_line,
    print_lines,
    print_notice,
    terminal_width,
)
from geekai_video_mcp.cli.start import load_settings
from geekai_video_mcp.config.values import parse_amount, parse_count
from geekai_video_mcp.errors import InvalidDecision
from geekai_video_mcp.quoting import quote

if TYPE_CHECKING:
    from geekai_video_mcp.config import Settings
    from geekai_video_mcp.config.tokens_file import TokensFile

_T = TypeVar("_T")
_MEMBERS: Final = (
    "output_dir",
    "max_videos_per_day",
    "max_in_flight",
    "max_cny_per_day",
    "api_key_file",
    "quota_mb",
)


def build_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Make, list and revoke the tokens of others who may call the server over HTTP."
        " A running server takes notice at once.",
        **examples(
            f"{prog} add alice --max-cny-per-day 20", f"{prog} list", f"{prog} revoke alice"
        ),
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add = add_command(
        commands,
        "add",
        "make a token, and print it once",
        f"{prog} add alice --max-videos-per-day 10",
        f"{prog} add phone --tenant alice --raw",
    )
    add.add_argument("name", metavar="NAME", help="what tells the token from others")
    add.add_argument(
        "--tenant",
        help="whose tasks and files the token is for; several tokens may share it (default: NAME)",
    )
    add.add_argument(
        "--output-dir", type=_absolute, metavar="DIR", help="folder of the tenant's files"
    )
    add.add_argument(
        "--max-videos-per-day",
        type=_count,
        metavar="N",
        help="cap on the tenant's videos in 24 hours",
    )
    add.add_argument(
        "--max-in-flight",
        type=_count,
        metavar="N",
        help="cap on the tenant's tasks at the same time",
    )
    add.add_argument(
        "--max-cny-per-day", type=_amount, metavar="X", help="cap on the tenant's spending in CNY"
    )
    add.add_argument(
        "--key-file",
        dest="api_key_file",
        type=_absolute,
        metavar="PATH",
        help="file with the tenant's own GeekAI key",
    )
    add.add_argument(
        "--quota-mb", type=_count, metavar="N", help="megabytes of files that it may have"
    )
    add.add_argument(
        "--transport",
        choices=["sse", "streamable-http", "http"],
        default="http",
        help="the one in the printed configuration (default: http, which is Streamable HTTP)",
    )
    add_address_options(
        add,
        default_port=SERVE_PORT,
        host="address in the printed configuration, if GEEKAI_PUBLIC_URL is not set",
        port="port in it",
    )
    add.add_argument("--raw", action="store_true", help="print the token alone")
    add.set_defaults(run=_add)
    listing = add_command(
        commands, "list", "list the tokens, without what they are", f"{prog} list"
    )
    listing.set_defaults(run=_list)
    revoke = add_command(commands, "revoke", "end a token at once", f"{prog} revoke alice")
    revoke.add_argument("name", metavar="NAME", help="the token's, as list shows it")
    revoke.set_defaults(run=_revoke)
    return parser


def _absolute(text: str) -> str:
    """A path as the server will see it, whatever folder it is started from."""
    return str(Path(text).expanduser().absolute())


def _count(text: str) -> int:
    return _parsed(parse_count, text)


def _amount(text: str) -> float:
    return _parsed(parse_amount, text)


def _parsed(parse: Callable[[str], _T], text: str) -> _T:
    try:
        return parse(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def _add(arguments: argparse.Namespace) -> int:
    from geekai_video_mcp.config.write_tokens import add_token, revoke_token

    settings = load_settings()
    name: str = arguments.name
    tenant: str = arguments.tenant or name
    members = {each: getattr(arguments, each) for each in _MEMBERS}
    given = {each: value for each, value in members.items() if value is not None}
    try:
        _check_names(name, tenant)
        new = add_token(settings, name, tenant, given)
    except InvalidDecision as exc:
        print_notice(exc.message)
        return FAILED
    host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    url = settings.hosting.public_url or f"http://{host}:{arguments.port}"
    text = new.token if arguments.raw else host_configuration(url, arguments.transport, new.token)
    try:
        print_line(text)
    except OSError as exc:
        drop_output()
        revoke_token(settings, name)
        print_notice(f"The output could not be written: {exc.strerror}. No token was made.")
        return FAILED
    whose = f"{'the new tenant' if new.is_new_tenant else 'tenant'} {tenant}"
    print_notice(
        f'Token "{name}" of {whose}. It is not shown again; geekai-video-mcp tokens revoke {name}'
        " ends it."
    )
    return OK


def _check_names(name: str, tenant: str) -> None:
    from geekai_video_mcp.config.tokens_document import (
        NAME_RULE,
        TENANT_RULE,
        TOKEN_NAME,
        may_be_tenant,
    )

    if not TOKEN_NAME.fullmatch(name):
        msg = f"{quote(name, limit=80)} cannot be a token's name: {NAME_RULE}"
        raise InvalidDecision(msg)
    if not may_be_tenant(tenant):
        msg = (
            f"{quote(tenant, limit=80)} cannot be a tenant: {TENANT_RULE}. --tenant gives the token"
            " another one"
        )
        raise InvalidDecision(msg)


def _revoke(arguments: argparse.Namespace) -> int:
    from geekai_video_mcp.config.write_tokens import revoke_token

    try:
        tenant = revoke_token(load_settings(), arguments.name)
    except InvalidDecision as exc:
        print_notice(exc.message)
        return FAILED
    print_notice(
        f'Token "{arguments.name}" is revoked. The tasks and files of tenant {tenant} remain.'
    )
    return OK


def _list(_: argparse.Namespace) -> int:
    from geekai_video_mcp.cli.table import format_named_table
    from geekai_video_mcp.config.tokens_file import load_tokens_file

    settings = load_settings()
    tokens = load_tokens_file(settings)
    if not tokens.tokens:
        print_notice("There are no tokens: geekai-video-mcp tokens add NAME makes one.")
        return OK
    rows = [
        (
            each.name,
            each.tenant,
            each.created_at.replace("T", " "),
            *_describe_tenant(settings, tokens, each.tenant),
        )
        for each in tokens.tokens
    ]
    print_lines(format_named_table(_HEADINGS, rows, width=terminal_width(), wrapped=_WRAPPED))
    return OK


_HEADINGS: Final = ("name", "tenant", "created", "per day", "in flight", "CNY/day", "MB", "key")
_WRAPPED: Final = range(2, len(_HEADINGS))
"""All but the names, which are needed whole to revoke a token."""


def _describe_tenant(
    settings: "Settings", tokens: "TokensFile", tenant: str
) -> tuple[str, str, str, str, str]:
    """Its caps as they apply, and whose key it uses."""
    from geekai_video_mcp.config.tokens_file import settings_of_tenant

    applied = settings_of_tenant(settings, tokens, tenant)
    own = tokens.tenants.get(tenant)
    cny, quota = applied.max_cny_per_day, applied.hosting.quota_mb
    if own is not None and own.api_key is not None:
        key = "its own"
    else:
        key = "the operator's" if settings.api_key else "none"
    return (
        str(applied.max_videos_per_day),
        str(applied.max_in_flight),
        "-" if cny is None else f"{cny:g}",
        "-" if quota is None else str(quota),
        key,
    )
