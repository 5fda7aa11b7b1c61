"""Errors of the sandbox's API: GeekAI's HTTP status and `{"error": {"code", "message"}}`.

Codes are GeekAI's where they are documented (error_codes page, read 2026-11-22). A message
is one sentence that a caller can act on, and never quotes a prompt or a key.
"""

from __future__ import annotations


class ApiError(Exception):
    """An error response. With a 4xx status, nothing was charged.

    Attributes:
        status_code: the HTTP status of the response.
        code: the value of `error.code`.
        message: one sentence, safe to show to a person or a model.
        retry_after_seconds: the value of the Retry-After header, where waiting helps.
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
    """Return the error for an invalid field; the same request will always be rejected."""
    return ApiError(400, "validation_error", message)
