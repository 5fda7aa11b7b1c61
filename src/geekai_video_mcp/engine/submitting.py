"""From an intent to an answer: the only code that spends money.

A row is durable before a byte leaves. The claim to send is given once for each attempt, by
the ledger. The POST and the record of its answer stand in one shield, so no cancelling can
come between. Only what surely did not run is attempted again.
"""

import logging
import math
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

import anyio

from geekai_video_mcp.admission import admit
from geekai_video_mcp.engine.means import RATE_LIMIT_MESSAGE, EngineContext, ProviderClient
from geekai_video_mcp.errors import (
    MAYBE_CHARGED,
    NOT_CHARGED,
    RATE_LIMITED,
    CapReached,
    GeekAIVideoError,
    LedgerTooNew,
    NotAuthorised,
    RequestRefused,
    ServiceUnavailable,
    StorageUnavailable,
    SubmissionUnknown,
    nothing_charged,
    quote,
)
from geekai_video_mcp.ledger import Admission
from geekai_video_mcp.lifecycle import Observation, Task, advance, with_typical_duration
from geekai_video_mcp.pace import typical_duration
from geekai_video_mcp.retries import INTENT_TTL, retry_delay
from geekai_video_mcp.statuses import Status

logger = logging.getLogger(__name__)

DRAIN_TIMEOUT: Final = 8.0
"""Seconds that closing waits for the answer to a POST under way; a host soon kills us."""
CLAIM_RETRY_DELAY: Final = 5.0
"""Seconds between attempts to record that a request is about to leave, on a failing disk."""

SubmissionFailure = (
    RequestRefused | NotAuthorised | ServiceUnavailable | SubmissionUnknown | LedgerTooNew
)
"""The ends of a submission that say why, in a sentence the ledger keeps."""


class _NotClaimed(Exception):
    """The disk did not take the claim; nothing was sent, and it is worth asking again."""


@dataclass
class PendingSubmission:
    """What the caller of a submission brings, and what it waits for."""

    body: Mapping[str, Any]
    """The request as it is to be sent."""
    recorded: anyio.Event = field(default_factory=anyio.Event)
    answered: anyio.Event = field(default_factory=anyio.Event)
    duplicate_of: Task | None = None
    """The earlier task that was found in place of a new one."""
    error: GeekAIVideoError | None = None

    def finish(self, error: GeekAIVideoError | None = None) -> None:
        self.error = self.error or error
        self.recorded.set()
        self.answered.set()


class Submitter:
    """Sends the requests of this process."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._posts: dict[anyio.CancelScope, anyio.Event] = {}
        self._active: Counter[str] = Counter()

    def is_active(self, task_id: str) -> bool:
        """Whether this process is at work on the task's submission right now."""
        return self._active[task_id] > 0

    async def record_and_send(self, task: Task, pending: PendingSubmission) -> None:
        """Record a new task, then send it; a repeat is neither recorded nor sent."""
        try:
            with self._marked_active(task.id):
                task = await self._with_typical_duration(task)
                admitted = await self._context.ledger.admit(
                    task, body=pending.body, admit=self._admission(task)
                )
                if admitted is not task:
                    pending.duplicate_of = admitted
                    return
                pending.recorded.set()
                await self.send(task)
        except (StorageUnavailable, LedgerTooNew, RequestRefused, CapReached) as exc:
            pending.finish(exc)
        finally:
            pending.finish()

    def _admission(self, task: Task) -> Admission:
        limits, at = self._context.limits, task.created_at
        return lambda beside: admit(task, beside, limits=limits, at=at)

    async def send(self, task: Task) -> None:
        """POST until it has left once, or surely will not; what came of it is in the ledger.

        Raises:
            StorageUnavailable: what came of it could not be recorded.
        """
        with self._marked_active(task.id):
            await self._send_until_settled(task)

    async def _send_until_settled(self, task: Task) -> None:
        tried = {True: 0, False: 0}
        while True:
            claimed: Task | None = None
            try:
                await self._wait_until_allowed(task)
                with self._shielded():
                    body = await self._load_body(task)
                    claimed = await self._claim_attempt(task)
                    return (
                        await self._post_and_record(claimed, body) if claimed is not None else None
                    )
            except _NotClaimed:
                delay = CLAIM_RETRY_DELAY
            except LedgerTooNew as exc:
                if task.owner != self._context.processes.own_id:
                    raise  # a dead process's intent: the newer server may send it
                await self._record_failure(task, Status.REJECTED, exc)
                return None
            except ServiceUnavailable as exc:
                limited = exc.code == RATE_LIMITED
                again = retry_delay(
                    tried=tried[limited],
                    limited=limited,
                    retry_after_seconds=exc.retry_after_seconds,
                )
                tried[limited] += 1
                status = Status.REJECTED if again is None else Status.INTENDED
                task = await self._record_failure(claimed or task, status, exc)
                if claimed and limited:
                    asked = exc.retry_after_seconds
                    await self._context.pause_requests(again if asked is None else asked)
                if again is None:
                    return None
                delay = again
            await anyio.sleep(delay)

    async def _with_typical_duration(self, task: Task) -> Task:
        with nothing_charged():
            spans = await self._context.ledger.duration_history(
                task.account, str(task.duration_key)
            )
        return with_typical_duration(task, typical_duration(spans))

    async def _wait_until_allowed(self, task: Task) -> None:
        """Wait while the service wants to be left alone, and then go ahead of every look.

        Raises:
            ServiceUnavailable: it has been too long to send the task now.
        """
        while held := await self._acquire_slot():
            if self._context.clock() - task.created_at > INTENT_TTL:
                raise ServiceUnavailable(
                    RATE_LIMIT_MESSAGE, code=RATE_LIMITED, retry_after_seconds=math.inf
                )
            await anyio.sleep(held)

    async def _acquire_slot(self) -> float:
        try:
            return await self._context.acquire_request_slot(priority=True)
        except StorageUnavailable:
            return 0.0  # the claim comes next, and will say so

    async def drain(self) -> None:
        """Give the answers to POSTs under way a moment to arrive, then let go of them."""
        with anyio.move_on_after(DRAIN_TIMEOUT, shield=True):
            while self._posts:  # one may begin while another ends
                await next(iter(self._posts.values())).wait()
        for scope in self._posts:
            scope.shield = False

    async def _load_body(self, task: Task) -> dict[str, object]:
        with self._retry_while_unsent(task):
            return dict(await self._context.ledger.request_body(task))

    @contextmanager
    def _retry_while_unsent(self, task: Task) -> Generator[None]:
        """A disk that fails before anything was sent: worth another attempt, within limits."""
        means = self._context
        try:
            with nothing_charged():
                yield
        except StorageUnavailable as exc:
            # A row recorded here would be sent by the next process, so its caller must not
            # be told to call again: the task is on its way, late.
            fresh = means.clock() - task.created_at <= INTENT_TTL
            if task.owner == means.processes.own_id and fresh:
                raise _NotClaimed from exc
            raise

    async def _claim_attempt(self, task: Task) -> Task | None:
        """The task, ours to send now; None if another process or an end has taken it."""
        me, attempt = self._context.processes.own_id, task.attempt + 1
        claim = Observation(
            status=Status.SUBMITTING, at=self._context.clock(), owner=me, attempt=attempt
        )
        found: list[Task] = []

        def take(task: Task) -> Task:
            found.append(task)
            return advance(task, claim)

        with self._retry_while_unsent(task):
            taken = await self._context.claim(task.id, take)
        # By whether this very change was made: the attempt may stand in our name already.
        return None if taken is found[-1] else taken

    @contextmanager
    def _marked_active(self, task_id: str) -> Generator[None]:
        self._active[task_id] += 1
        try:
            yield
        finally:
            self._active -= Counter([task_id])

    @contextmanager
    def _shielded(self) -> Generator[None]:
        """From the claim to the record of the answer, no cancelling may come between."""
        with anyio.CancelScope(shield=True) as scope:
            self._posts[scope] = anyio.Event()
            try:
                yield
            finally:
                self._posts.pop(scope).set()

    async def _post_and_record(self, task: Task, body: dict[str, object]) -> None:
        outside = await self._context.connections()
        try:
            seen = await self._send_once(outside.client, task, body)
        except (RequestRefused, NotAuthorised) as exc:
            await self._record_failure(task, Status.REJECTED, exc)
        except SubmissionUnknown as exc:
            await self._record_unknown(task, exc)
        else:
            await self._record_accepted(task, seen)

    async def _send_once(
        self, client: ProviderClient, task: Task, body: dict[str, object]
    ) -> Observation:
        try:
            return await client.create_task(task.media, body)
        except GeekAIVideoError:
            raise
        except Exception as exc:
            # Whatever went wrong, bytes may have left: never to be sent again unasked.
            logger.error("task %s broke off: %s", task.id, type(exc).__name__)  # noqa: TRY400 - a traceback prints words, prompts among them
            msg = f"The submission broke off ({type(exc).__name__})"
            raise SubmissionUnknown(msg) from exc

    async def _record_unknown(self, task: Task, why: SubmissionUnknown) -> None:
        try:
            await self._record_failure(task, Status.UNKNOWN, why, raw_response=why.raw_response)
        except StorageUnavailable as exc:
            msg = f"That no answer came to task {task.id}"
            raise StorageUnavailable(msg, exc.reason, money=MAYBE_CHARGED) from exc

    async def _record_accepted(self, task: Task, seen: Observation) -> None:
        seen = replace(seen, owner=task.owner, attempt=task.attempt)
        try:
            await self._context.record_outcome(task.id, seen)
        except StorageUnavailable as exc:
            named = quote(str(seen.provider_task_id))
            logger.error(  # noqa: TRY400 - said in one line
                "task %s is %s at GeekAI, and the ledger could not be told", task.id, named
            )
            msg = f"The answer to task {task.id}, which GeekAI calls {named},"
            raise StorageUnavailable(msg, exc.reason, money=MAYBE_CHARGED) from exc

    async def _record_failure(
        self, task: Task, status: Status, why: SubmissionFailure, *, raw_response: str | None = None
    ) -> Task:
        # Only an unknown outcome may have been charged, and `SubmissionUnknown` says so itself.
        why.money = why.money or NOT_CHARGED
        seen = Observation(
            status=status,
            at=self._context.clock(),
            owner=task.owner,
            attempt=task.attempt,
            error_code=why.code,
            error_message=why.message,
            raw_response=raw_response,
        )
        with nothing_charged():  # or `_record_unknown` says what else is known
            return await self._context.record_outcome(task.id, seen)
