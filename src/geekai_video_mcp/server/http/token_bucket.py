"""A rate limit that allows bursts."""


class TokenBucket:
    """Gives *per_second* tokens on average, and *burst* at once.

    *now* is in seconds on any clock that does not go back, here and in each call.
    """

    def __init__(self, *, per_second: float, burst: float, now: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._tokens = burst
        self._updated_at = now

    def take(self, now: float) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        self._refill(now)
        if self._tokens < 1:
            return (1 - self._tokens) / self._per_second
        self._tokens -= 1
        return 0.0

    def is_full(self, now: float) -> bool:
        """Whether it has as many tokens as it had at first."""
        self._refill(now)
        return self._tokens >= self._burst

    def _refill(self, now: float) -> None:
        gained = (now - self._updated_at) * self._per_second
        self._tokens = min(self._burst, self._tokens + gained)
        self._updated_at = now
