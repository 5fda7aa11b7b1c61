"""What would become of a request: it is compared with what the ledger holds, and not recorded."""

from collections.abc import Sequence
from contextlib import suppress

from geekai_video_mcp.domain.admission import Forecast, find_duplicate, forecast
from geekai_video_mcp.domain.requests import GenerationRequest
from geekai_video_mcp.domain.tasks import Task, new_task
from geekai_video_mcp.engine.context import EngineContext
from geekai_video_mcp.errors import RequestRefused


class Forecaster:
    """Makes the tasks of new requests, and says what `Engine.submit` would do with them."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context

    def new_task(
        self, request: GenerationRequest, idempotency_key: str | None, variation: int | None
    ) -> Task:
        """The task that a request would be, recorded now."""
        task = new_task(
            request=request.body,
            media=request.media,
            account=self._context.account,
            tenant=self._context.tenant,
            owner=self._context.processes.own_id,
            at=self._context.clock(),
            idempotency_key=idempotency_key,
            variation=variation,
            waits_for=request.waits_for,
        )
        return self._context.with_price(task)

    async def forecast(
        self, request: GenerationRequest, idempotency_key: str | None, variation: int | None
    ) -> Forecast:
        """See `Engine.forecast`."""
        task = self.new_task(request, idempotency_key, variation)
        (existing,) = await self._context.ledger.existing_for(
            [(task, request.body_to_send)],
            limits=self._context.limits,
            quota_bytes=self._context.quota_bytes,
        )
        return forecast(task, existing, at=task.created_at)

    async def find_sent(
        self,
        forms: Sequence[GenerationRequest],
        idempotency_key: str | None,
        variation: int | None,
    ) -> GenerationRequest | None:
        """See `Engine.find_sent`."""
        if not forms:
            return None
        tasks = [self.new_task(form, idempotency_key, variation) for form in forms]
        existing = await self._context.ledger.existing_for(
            [(task, form.body_to_send) for task, form in zip(tasks, forms, strict=True)],
            limits=None,
        )
        for form, task, earlier in zip(forms, tasks, existing, strict=True):
            with suppress(RequestRefused):  # the key is that of another form, or another request
                if find_duplicate(task, earlier, at=task.created_at) is not None:
                    return form
        return None
