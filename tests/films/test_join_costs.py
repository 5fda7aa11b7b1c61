"""What a film takes, where it can be counted: how often its files are opened and probed."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import av
import pytest

from geekai_video_mcp.media.workers import join
from support.shots import make_shot

SHOTS, FRAMES = 3, 30


def test_a_lossless_film_reads_each_part_twice_and_itself_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A part once to see what it holds and once to copy it; the film to check it.

    Only the first of these is preceded by libav's probing, which decodes frames of its own.
    """
    shots = [
        str(make_shot(tmp_path / f"{number}.mp4", frames=FRAMES, sound=True))
        for number in range(SHOTS)
    ]
    film = tmp_path / "film.mp4"
    film.touch()
    opened, probed = Counter[str](), Counter[str]()
    open_file: Any = av.open

    def count_opening(file: str, *rest: Any, **options: Any) -> Any:  # noqa: ANN401
        opened[file] += 1
        probed[file] += "probesize" not in (options.get("options") or {})
        return open_file(file, *rest, **options)

    monkeypatch.setattr(av, "open", count_opening)
    parts = [{"path": path, "start": None, "end": None, "continues": False} for path in shots]
    request = {
        "parts": parts,
        "audio": None,
        "output": str(film),
        "reserved_bytes": 0,
        "max_seconds": 60.0,
    }
    join.main([json.dumps(request)], b"")

    made = json.loads(capfd.readouterr().out.splitlines()[-1])["film"]
    assert made["frames"] == SHOTS * FRAMES
    assert made["obstacle"] is None
    # The first part is opened once more for the settings of the film's tracks.
    assert opened == {shots[0]: 3, shots[1]: 2, shots[2]: 2, str(film): 2}
    assert probed == {shots[0]: 2, shots[1]: 1, shots[2]: 1, str(film): 1}
