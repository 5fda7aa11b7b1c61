"""The record of every task: whether it opens, is whole, and asks for a person's decision."""

from typing import Final

import anyio.to_thread
from pydantic import SecretStr

from geekai_video_mcp.cli.checks.line import Line, fail, note, ok
from geekai_video_mcp.config import Settings
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.tenants import LOCAL_TENANT
from geekai_video_mcp.errors import BUSY, ConfigError, LedgerTooNew, StorageUnavailable
from geekai_video_mcp.ledger.postgres import VARIABLE, require_asyncpg
from geekai_video_mcp.ledger.report import LedgerReport, UnknownTask
from geekai_video_mcp.ledger.sqlite.check import check_ledger
from geekai_video_mcp.quoting import quote

CHECK: Final = "tasks"
UNKNOWN_SHOWN: Final = 5
TENANTS_SHOWN: Final = 10


async def check_tasks(settings: Settings) -> list[Line]:
    url = settings.hosting.database_url
    try:
        report = await (_check_file(settings) if url is None else _check_server(url))
    except ConfigError as exc:
        text = "; ".join(f"{place} {problem}" for place, problem in exc.problems.items())
        return [fail(CHECK, text, remedy="Correct it, and run doctor again.")]
    except (LedgerTooNew, StorageUnavailable) as exc:
        busy = isinstance(exc, StorageUnavailable) and exc.reason == BUSY
        return [note(CHECK, exc.message) if busy else fail(CHECK, exc.message)]
    if report is None:
        what = "the database" if url is None else "its tables in the database of " + VARIABLE
        return [ok(CHECK, f"there are none yet; the first start of the server creates {what}")]
    return [_describe(report), *_describe_unknown(report)]


async def _check_file(settings: Settings) -> LedgerReport | None:
    return await anyio.to_thread.run_sync(check_ledger, settings.state_dir, abandon_on_cancel=True)


async def _check_server(url: SecretStr) -> LedgerReport | None:
    require_asyncpg()
    from geekai_video_mcp.ledger.postgres.check import check_database

    return await check_database(url.get_secret_value())


def _describe(report: LedgerReport) -> Line:
    place = {"path": str(report.path)} if report.server is None else {"server": report.server}
    facts = {
        **place,
        "schema_version": report.schema_version,
        "tasks": sum(report.tasks.values()),
        "tenants": dict(report.tasks),
        "unknown": [each.id for each in report.unknown],
    }
    version = f"version {report.schema_version}"
    if report.schema_version < report.newest_schema:
        version += f", which the next start upgrades to {report.newest_schema}"
    if report.server is not None:
        where = f"the database of {VARIABLE} ({report.server}, tables of {version})"
        return ok(CHECK, f"{_describe_count(report)} recorded in {where}", facts=facts)
    text = f"{_describe_count(report)} recorded; the database ({version})"
    if report.checked:
        return ok(CHECK, f"{text} is whole", facts=facts)
    return note(CHECK, f"{text} opens, and is too large to be checked quickly", facts=facts)


def _describe_count(report: LedgerReport) -> str:
    count = str(sum(report.tasks.values()))
    if report.tasks.keys() <= {LOCAL_TENANT}:
        return count
    largest = sorted(report.tasks.items(), key=lambda each: (-each[1], each[0]))
    shown = [f"{tasks} of {quote(tenant)}" for tenant, tasks in largest[:TENANTS_SHOWN]]
    more = len(largest) - TENANTS_SHOWN
    return f"{count} ({', '.join(shown)}{f', and of {more} more' if more > 0 else ''})"


def _describe_unknown(report: LedgerReport) -> list[Line]:
    count = len(report.unknown)
    if not count:
        return []
    ids = ", ".join(map(_name_task, report.unknown[:UNKNOWN_SHOWN]))
    of_others = any(each.tenant != LOCAL_TENANT for each in report.unknown)
    command = f"geekai-video-mcp tasks{' --tenant NAME' if of_others else ''} resolve ID"
    more = f" and {count - UNKNOWN_SHOWN} more" if count > UNKNOWN_SHOWN else ""
    one = count == 1
    return [
        note(
            CHECK,
            f"the outcome of {count} {'task' if one else 'tasks'} is unknown: {ids}{more}."
            f" {'It' if one else 'They'} may have been charged, and you alone may decide",
            remedy=f"Look for it in GeekAI's console; then {command} with"
            " --attach TASK_ID if it is there, and --abandon or --resubmit if it is not.",
            facts={"unknown": [each.id for each in report.unknown]},
        )
    ]


def _name_task(task: UnknownTask) -> str:
    of = "" if task.tenant == LOCAL_TENANT else f" of {quote(task.tenant)}"
    return f"{short_id(task.id)}{of}"
