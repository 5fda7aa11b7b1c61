"""Which sessions of Streamable HTTP each principal has open, and which of them make room.

The SDK counts all sessions together, and refuses everybody once one client has opened as many as
there may be. Many clients never end theirs: they close the connection, or open one for each call.
So a principal that has too many loses the one that it has not used for longest.
"""

from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Final

MAX_SESSIONS: Final = 2_000
"""Sessions of all principals. Each takes about 50 kB."""
MAX_SESSIONS_OF_ONE: Final = 1_000
IDLE_TIMEOUT: Final = 1_800.0
"""Seconds without a request after which the SDK ends a session."""
ABANDONED_SECONDS: Final = 10.0
"""Seconds after which a session that has not been used since its handshake may make room."""
UNUSED_SECONDS: Final = 300.0
"""Seconds after which any other session that is not used may."""
HANDSHAKE_REQUESTS: Final = 1
"""Requests after the first that belong to the handshake."""


class NoRoomForSession(Exception):
    """All sessions are in use: those of the principal, or those of all (*of_all*)."""

    def __init__(self, count: int, *, of_all: bool) -> None:
        super().__init__(count)
        self.count = count
        self.of_all = of_all


class Session:
    """One session, and who opened it; *user* is that of the request's scope."""

    def __init__(self, session_id: str, *, user: object) -> None:
        self.id = session_id
        self.user = user
        self.in_flight = 0
        self.requests = 0
        self.used_at = 0.0

    def may_make_room(self, now: float, *, abandoned: bool) -> bool:
        """Whether it is not in use; *abandoned* asks for those that never were."""
        if self.in_flight or (abandoned and self.requests > HANDSHAKE_REQUESTS):
            return False
        return now - self.used_at >= (ABANDONED_SECONDS if abandoned else UNUSED_SECONDS)


class SessionTable:
    """The open sessions of each principal, those that were not used for longest first.

    *clock* is in seconds, from any moment on.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._of: dict[str, OrderedDict[str, Session]] = {}
        self._count = 0

    def add(self, tenant: str, session: Session) -> None:
        """Record a session that has just been opened."""
        session.used_at = self._clock()
        self._of.setdefault(tenant, OrderedDict())[session.id] = session
        self._count += 1

    def forget(self, tenant: str, session_id: str) -> None:
        """Remove a session that has ended; one that is not there changes nothing."""
        sessions = self._of.get(tenant)
        if sessions is None or sessions.pop(session_id, None) is None:
            return
        self._count -= 1
        if not sessions:
            del self._of[tenant]

    @contextmanager
    def use(self, tenant: str, session_id: str) -> Generator[None]:
        """Count a request of the session as in flight while the block lasts."""
        sessions = self._of.get(tenant)
        session = sessions.get(session_id) if sessions else None
        if sessions is None or session is None:
            yield
            return
        session.in_flight += 1
        session.requests += 1
        try:
            yield
        finally:
            session.in_flight -= 1
            session.used_at = self._clock()
            if session_id in sessions:
                sessions.move_to_end(session_id)

    def make_room(self, tenant: str) -> Iterator[Session]:
        """The sessions that have to end before another one of the principal may be opened.

        They are forgotten as they are yielded.

        Raises:
            NoRoomForSession: none of those that have to may.
        """
        self._forget_expired(tenant)
        if len(self._of.get(tenant, ())) >= MAX_SESSIONS_OF_ONE:
            yield self._take_idle(tenant, of_all=False)
        if self._count >= MAX_SESSIONS:
            for each in list(self._of):
                self._forget_expired(each)
        if self._count >= MAX_SESSIONS:
            yield self._take_idle(max(self._of, key=lambda each: len(self._of[each])), of_all=True)

    def _take_idle(self, tenant: str, *, of_all: bool) -> Session:
        sessions, now = self._of[tenant], self._clock()
        for abandoned in (True, False):
            for session in sessions.values():
                if session.may_make_room(now, abandoned=abandoned):
                    self.forget(tenant, session.id)
                    return session
        raise NoRoomForSession(len(sessions), of_all=of_all)

    def _forget_expired(self, tenant: str) -> None:
        """Forget what the SDK has ended by itself."""
        now = self._clock()
        for session in list((self._of.get(tenant) or OrderedDict[str, Session]()).values()):
            if session.in_flight or now - session.used_at < IDLE_TIMEOUT:
                break
            self.forget(tenant, session.id)
