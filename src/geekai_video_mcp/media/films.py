"""STUB until join14."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from geekai_video_mcp.domain.lifecycle import FileUpdate


@dataclass(frozen=True, kw_only=True)
class JoinPart:
    path: str
    start: float | None
    end: float | None
    continues: bool


@dataclass(frozen=True, kw_only=True)
class JoinRequest:
    parts: Sequence[JoinPart]
    audio: str | None
    output_dir: Path
    stem: str


@dataclass(frozen=True, kw_only=True)
class JoinedFilm:
    update: FileUpdate
    notes: tuple[str, ...]


async def join_files(
    request: JoinRequest, *, report: Callable[[float], None] | None = None
) -> JoinedFilm:
    raise NotImplementedError
