"""One `App` for each tenant and key of a server that several people use, open while it is needed.

They share the ledger, the registry of processes and what this machine has only once (`LedgerBase`).
There is never more than one for a tenant and an account: two would take each other's requests for
ones that were left behind. Which of them a request gets, its `Principal` decides.
"""

import logging
import math
import time
from collections.abc import AsyncGenerator, Collection
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Final, Protocol

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from geekai_video_mcp.app import App, LedgerBase, open_app, open_ledger_base
from geekai_video_mcp.config import Settings
from geekai_video_mcp.config.tokens_file import (
    LiveTokens,
    TokensFile,
    has_key_alone,
    settings_of_tenant,
)
from geekai_video_mcp.connections import run_sandbox
from geekai_video_mcp.domain.films import LOCAL_ACCOUNT
from geekai_video_mcp.domain.retries import LINK_TTL
from geekai_video_mcp.domain.spending import DAY
from geekai_video_mcp.domain.tenants import LOCAL_TENANT, Principal
from geekai_video_mcp.engine import Operations
from geekai_video_mcp.engine.exceptions import log_exception
from geekai_video_mcp.errors import (
    BUSY,
    DATABASE,
    ConfigError,
    GeekAIVideoError,
    ServiceUnavailable,
    StorageUnavailable,
    first_own_error,
)
from geekai_video_mcp.tenant_apps.held_app import HeldApp, Key, Terms, Unfinished

logger = logging.getLogger(__name__)

TEND_INTERVAL: Final = 10.0
"""Seconds between looks at whose tasks wait for a server, and at who has gone."""
IDLE_SECONDS: Final = 600.0
"""Seconds without a request after which an `App` is closed that has nothing left to do."""
OPENING_TIMEOUT: Final = 10.0
"""Seconds that a request waits for its `App`: the call itself needs what is left of its 20."""
OLD_FILES_INTERVAL: Final = 3600.0
"""Seconds between looks at who has files that are to be deleted."""
MAX_KEYS_OF_TENANT: Final = 20
"""Keys that the clients of one tenant may have in use at the same time."""
MAX_APPS: Final = 500
"""Open at the same time, for tenants of whom nobody knows how many there are."""


class OpenApp(Protocol):
    """Opens an `App` with what others of this process have open, as `app.open_app` does."""

    def __call__(
        self, settings: Settings, *, base: LedgerBase, may_import: bool
    ) -> AbstractAsyncContextManager[App]: ...


@asynccontextmanager
async def open_tenant_apps(
    settings: Settings,
    tokens: LiveTokens,
    *,
    operations: Operations | None = None,
    open_app: OpenApp = open_app,
) -> "AsyncGenerator[TenantApps]":
    """Open the operator's `App`, and those of tenants whose tasks wait for a server.

    *settings* are the operator's, and *operations* those of the process.

    Raises:
        StorageUnavailable: the state folder cannot be used.
        LedgerTooNew: the task database was created by a newer version of this server.
    """
    async with AsyncExitStack() as stack:
        base = await stack.enter_async_context(
            open_ledger_base(
                settings.state_dir, operations, database_url=settings.hosting.database_url
            )
        )
        if settings.sandbox:
            base = replace(base, sandbox=await stack.enter_async_context(run_sandbox(settings)))
        tasks = await stack.enter_async_context(anyio.create_task_group())
        apps = TenantApps(settings, tokens, base=base, open_app=open_app, tasks=tasks)
        stack.callback(apps.close)
        await apps.open_own()
        yield apps


class TenantApps:
    """The `App` of each principal; made by `open_tenant_apps`."""

    def __init__(
        self,
        settings: Settings,
        tokens: LiveTokens,
        *,
        base: LedgerBase,
        open_app: OpenApp,
        tasks: TaskGroup,
    ) -> None:
        self._settings = settings
        self._live_tokens = tokens
        self._base = base
        self._open_app = open_app
        self._tasks = tasks
        self._tending = anyio.CancelScope()
        self._held: dict[Key, HeldApp] = {}
        self._waiting_for_client: set[Key] = set()
        """Whose unfinished tasks belong to a key that nobody here knows."""
        self._look_for_old_files_at = -math.inf

    async def open_own(self) -> None:
        """Open what a server works with from its start on."""
        own = self._hold(Principal(), Terms(settings=self._settings, may_import=True))
        await self._wait_until_open(own)
        await self._open_for_unfinished(await self._list_unfinished())
        self._tasks.start_soon(self._tend)

    def close(self) -> None:
        """Have every `App` closed; what is being sent is waited for a moment."""
        self._tending.cancel()
        for held in self._held.values():
            held.closing.set()

    @asynccontextmanager
    async def serve(self, principal: Principal) -> AsyncGenerator[App]:
        """The `App` of *principal*, opened if it has to be; it stays open while the block lasts.

        Raises:
            ServiceUnavailable: too many keys are in use, or the tokens file cannot be read.
            StorageUnavailable: it cannot be opened, or another process holds the task database.
        """
        held = await self._take(principal)
        try:
            yield await self._wait_until_open(held)
        finally:
            held.users -= 1
            held.unused_since = anyio.current_time()

    async def find(self, tenant: str) -> App:
        """An `App` of *tenant*, for a read that ends within minutes; raises as `serve`."""
        for (owner, _), held in self._held.items():
            if owner == tenant and held.app is not None and not held.closing.is_set():
                held.unused_since = anyio.current_time()
                return held.app
        async with self.serve(Principal(tenant=tenant)) as app:
            return app

    async def _take(self, principal: Principal) -> HeldApp:
        """The principal's `App` with one user more."""
        while True:
            terms = await self._find_terms(principal)
            held = self._held.get(terms.key)
            if held is not None and held.closing.is_set():
                await held.closed.wait()
                continue
            if held is None:
                if await self._make_room(principal):
                    continue  # something was waited for
                held = self._hold(principal, terms)
            elif held.terms != terms:
                self._adopt_terms(held, terms)
            held.users += 1
            return held

    async def _find_terms(self, principal: Principal) -> Terms:
        if principal.tenant == LOCAL_TENANT:
            return Terms(settings=self._settings, may_import=True)
        tokens = await self._read_tokens()
        settings = settings_of_tenant(self._settings, tokens, principal.tenant)
        if principal.key is not None:
            with_key = settings_of_tenant(self._settings, tokens, principal.tenant, principal.key)
            if with_key.account != settings.account:
                # Whoever has the key may ask GeekAI for its tasks as well.
                return Terms(settings=with_key, may_import=True)
        alone = has_key_alone(self._settings, tokens, principal.tenant)
        return Terms(settings=settings, may_import=alone)

    async def _read_tokens(self) -> TokensFile:
        live = self._live_tokens
        try:
            return await anyio.to_thread.run_sync(live.read) if live.changed() else live.read()
        except (ConfigError, StorageUnavailable) as exc:
            # Its message names other tenants, and folders of this machine.
            logger.warning("a request was refused: %s", exc.message)
            why = "This server cannot read whom its tokens belong to at present"
            remedy = "The same call may work later; the operator finds the reason in the log."
            raise ServiceUnavailable(why, remedy=remedy) from None

    def _hold(self, principal: Principal, terms: Terms) -> HeldApp:
        held = HeldApp(principal=principal, terms=terms)
        self._held[terms.key] = held
        self._tasks.start_soon(self._open_and_hold, held)
        return held

    async def _open_and_hold(self, held: HeldApp) -> None:
        terms = held.terms
        opening = self._open_app(terms.settings, base=self._base, may_import=terms.may_import)
        try:
            async with opening as held.app:
                held.ready.set()
                await held.closing.wait()
        except Exception as exc:  # noqa: BLE001 - an error of one tenant must not end all others
            if held.app is not None:
                log_exception(self._open_and_hold, exc)
            held.error = first_own_error(exc) or exc
        finally:
            del self._held[terms.key]
            held.closing.set()
            held.ready.set()
            held.closed.set()

    async def _wait_until_open(self, held: HeldApp) -> App:
        with anyio.move_on_after(OPENING_TIMEOUT):
            await held.ready.wait()
        if held.error is not None:
            raise held.error.with_traceback(None)
        if held.app is None:
            raise StorageUnavailable(DATABASE, BUSY, access="opened")
        return held.app

    async def _make_room(self, principal: Principal) -> bool:
        """Close an `App` that nobody uses if too many are open; whether something was waited for.

        Raises:
            ServiceUnavailable: all of them are in use, or have something left to do.
        """
        if principal.key is not None:
            crowd = [
                held
                for (tenant, _), held in self._held.items()
                if tenant == principal.tenant and held.principal.key is not None
            ]
            if len(crowd) >= MAX_KEYS_OF_TENANT:
                why = f"{len(crowd)} GeekAI keys are in use at the same time"
                await self._close_one_of(crowd, why)
                return True
        others = [
            held for held in self._held.values() if held.terms.settings.tenant != LOCAL_TENANT
        ]
        if len(others) >= MAX_APPS:
            await self._close_one_of(others, "too many people use this server at the same time")
            return True
        return False

    async def _close_one_of(self, crowd: Collection[HeldApp], why: str) -> None:
        at = anyio.current_time()
        unfinished = await self._list_unfinished()
        for held in sorted(crowd, key=lambda held: held.unused_since):
            if held.has_nothing_to_do(unfinished, since=at):
                held.closing.set()
                await held.closed.wait()
                return
        remedy = "Wait until a task of yours has finished, and try again."
        raise ServiceUnavailable(f"The request was not begun, because {why}", remedy=remedy)

    def _adopt_terms(self, held: HeldApp, terms: Terms) -> None:
        """Judge by the caps as they are now; what else has changed waits until it can be closed."""
        if held.app is not None:
            held.app.engine.apply(limits=terms.settings.limits, may_import=terms.may_import)
        opened, now = held.terms.settings, terms.settings
        with_caps = replace(
            opened,
            max_videos_per_day=now.max_videos_per_day,
            max_in_flight=now.max_in_flight,
            max_cny_per_day=now.max_cny_per_day,
        )
        if with_caps != now and not held.outdated:
            held.outdated = True
            logger.warning(
                "the tokens file says something new of tenant %s, other than its caps: it takes"
                " effect when none of its tasks is under way and it has sent nothing for %.0f s, or"
                " with a restart",
                now.tenant,
                TEND_INTERVAL,
            )
        elif with_caps == now:
            held.outdated = False
        held.terms = replace(terms, settings=with_caps)

    async def _tend(self) -> None:
        with self._tending:
            while True:
                with anyio.move_on_after(TEND_INTERVAL):
                    await self._base.processes.wait_for_end()
                try:
                    await self._tend_once()
                except GeekAIVideoError as exc:
                    logger.warning("tasks of tenants could not be looked after: %s", exc.message)
                except Exception as exc:  # noqa: BLE001 - the next look may work
                    log_exception(self._tend_once, exc)

    async def _tend_once(self) -> None:
        """Open an `App` for those whose tasks wait for a server, and close those that may be."""
        at = anyio.current_time()
        unfinished = await self._list_unfinished()
        await self._open_for_unfinished(unfinished)
        await self._open_for_old_files()
        for held in [*self._held.values()]:
            terms = await self._find_terms(held.principal)
            if terms.key == held.terms.key and terms != held.terms:
                self._adopt_terms(held, terms)
            idle_seconds = TEND_INTERVAL if held.outdated else IDLE_SECONDS
            if held.has_nothing_to_do(unfinished, since=at - idle_seconds):
                held.closing.set()

    async def _list_unfinished(self) -> Unfinished:
        return await self._base.ledger.tenants_with_unfinished_work(since=time.time() - LINK_TTL)

    async def _open_for_unfinished(self, unfinished: Unfinished) -> None:
        """Open the `App` of every tenant whose tasks no server works on, if its key is known."""
        for tenant, accounts in unfinished.items():
            if tenant == LOCAL_TENANT:
                continue
            principal = Principal(tenant=tenant)
            terms = await self._find_terms(principal)
            strange = {
                account
                for account in accounts
                if account not in {terms.settings.account, LOCAL_ACCOUNT}
                and (tenant, account) not in self._held
            }
            new = {(tenant, account) for account in strange} - self._waiting_for_client
            for _, account in sorted(new):
                self._waiting_for_client.add((tenant, account))
                logger.warning(
                    "tasks of tenant %s belong to a GeekAI key that this server does not know"
                    " (%s): they wait for the next request with that key in X-GeekAI-Key, or for"
                    " that key in the tokens file",
                    tenant,
                    account,
                )
            # For new ones as well: the service may show them to the key that is known.
            own = {terms.settings.account, LOCAL_ACCOUNT} & {*accounts}
            if (own or new) and terms.key not in self._held:
                self._hold(principal, terms)

    async def _open_for_old_files(self) -> None:
        """Open the `App` of those who send nothing any more: it deletes what is kept too long."""
        keep_days = self._settings.hosting.keep_days
        if keep_days is None or anyio.current_time() < self._look_for_old_files_at:
            return
        self._look_for_old_files_at = anyio.current_time() + OLD_FILES_INTERVAL
        before = time.time() - keep_days * DAY
        open_now = {tenant for tenant, _ in self._held}
        for tenant in await self._base.ledger.tenants_with_old_files(before=before):
            if tenant in open_now or len(self._held) >= MAX_APPS:
                continue
            principal = Principal(tenant=tenant)
            terms = await self._find_terms(principal)
            if terms.key not in self._held:
                self._hold(principal, terms)
