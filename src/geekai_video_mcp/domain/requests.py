"""A request in the one form it has once its arguments are valid: a plain body with its media. Pure.

`media` replaces references in it, `catalogue` checks it, the engine records and sends it. It is
not validated again: what a caller may give is defined once, by the models in `server.arguments`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from geekai_video_mcp.domain.task_refs import TaskRef, replace_refs
from geekai_video_mcp.domain.tasks import Media


@dataclass(frozen=True)
class GenerationRequest:
    """What is asked of one of the service's two POSTs."""

    media: Media
    """Which endpoint: /videos/generations or /images/generations."""
    body: Mapping[str, Any]
    """The JSON object to send, in GeekAI's spelling; only what was set is in it.

    Earlier tasks stand in it as references, by which the same request is known again.
    """
    values: Mapping[TaskRef, str] = field(default_factory=dict[TaskRef, str])
    """What the references to finished tasks stand for: links, and pictures as data URIs."""
    waits_for: tuple[str, ...] = ()
    """The ids of the tasks that have to finish before it can be sent."""

    @property
    def body_to_send(self) -> Mapping[str, Any]:
        """The body with what its references stand for, as far as that is known."""
        return replace_refs(self.body, self.values) if self.values else self.body

    def with_body(self, body: Mapping[str, Any]) -> Self:
        """The same request with another body."""
        return replace(self, body=body)
