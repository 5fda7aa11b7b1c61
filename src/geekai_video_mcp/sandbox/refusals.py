"""How the sandbox says no: GeekAI's HTTP status and its `{"error": {"code", "message"}}`.

Codes are GeekAI's where one has been seen (error_codes page, read 2026-11-22); the
message is one sentence that a caller can act on, and never quotes a prompt or a key.
"""

from __future__ import annotations


class ApiError(Exception):
    """A request that was not accepted. Nothing was charged for it.

    Attributes:
        status_code: the HTTP status of the answer.
        code: the word in `error.code`.
        message: one sentence, safe to show to a person or a model.
        retry_after_seconds: for the Retry-After header, where waiting helps.
    """

    def __init__(
        self,
        status_code: int,
        code: str,
        message: str,
        *,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.code = code
        self.message = message
        self.retry_after_seconds = retry_after_seconds


def validation_error(*, message: str) -> ApiError:
    """A field that cannot be taken; the same request will be refused again."""
    return ApiError(400, "validation_error", message)
