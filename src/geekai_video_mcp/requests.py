"""A request in the one form it has once its arguments are valid: a plain body with its media. Pure.

`media` replaces references in it, `catalogue` checks it, the engine records and sends it. Nobody
validates it again: what a caller may give is said once, by the models in `inputs`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from geekai_video_mcp.lifecycle import Media


@dataclass(frozen=True)
class GenerationRequest:
    """What is asked of one of the service's two POSTs."""

    media: Media
    """Which endpoint: /videos/generations or /images/generations."""
    body: Mapping[str, Any]
    """The JSON object to send, in GeekAI's spelling; only what was set is in it."""

    def with_body(self, body: Mapping[str, Any]) -> Self:
        """The same request with another body."""
        return replace(self, body=body)
