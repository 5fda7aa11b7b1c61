"""A join that needs no codec: it writes a film at once, or in as many seconds as a test says."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio

from geekai_video_mcp.domain.statuses import FileStatus
from geekai_video_mcp.domain.tasks import FileUpdate
from geekai_video_mcp.media.films import JoinedFilm, JoinRequest

STEPS = 20


@dataclass
class FakeJoin:
    """Stands in for `media.films.join_files`."""

    seconds: float = 0.0
    error: Exception | None = None
    notes: tuple[str, ...] = ("The parts were joined without re-encoding.",)
    requests: list[JoinRequest] = field(default_factory=list[JoinRequest])
    """Every request, also of a film that was not finished."""

    async def __call__(
        self, request: JoinRequest, *, report: Callable[[float], None] | None = None
    ) -> JoinedFilm:
        self.requests.append(request)
        for step in range(STEPS):
            if report is not None:
                report(step / STEPS)
            if self.seconds:
                await anyio.sleep(self.seconds / STEPS)
        if self.error is not None:
            raise self.error
        content = "\n".join(str(part) for part in request.parts).encode()
        path = request.output_dir / f"{request.stem}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        update = FileUpdate(
            status=FileStatus.STORED,
            path=str(path),
            size_bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            seconds=5.0 * len(request.parts),
            width=1280,
            height=720,
            fps=30.0,
            has_sound=True,
        )
        return JoinedFilm(update=update, notes=self.notes)
