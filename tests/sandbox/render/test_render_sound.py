"""The sound of a film, measured as EBU R 128 and small speakers do."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from geekai_sandbox.render.pipeline import render_video
from geekai_sandbox.render.plan import Plan
from geekai_sandbox.render.sound import make_ambience
from geekai_sandbox.render.workspace import Workspace

HERTZ = 48_000
Sound = npt.NDArray[np.floating[Any]]

# The two filters of K-weighting at 48 kHz (ITU-R BS.1770-5, tables 1 and 2).
K_WEIGHTING = (
    (
        (1.53512485958697, -2.69169618940638, 1.19839281085285),
        (1.0, -1.69065929318241, 0.73248077421585),
    ),
    ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)),
)


def film_sound(folder: Path, prompt: str) -> Sound:
    plan = Plan(prompt, "sandbox", width=64, height=64, fps=8, seconds=5.0, audio=True)
    render_video(plan, Workspace(folder), lambda _share: None)
    with av.open(str(folder / "video.mp4")) as film:
        chunks = [frame.to_ndarray().astype(np.float32) for frame in film.decode(audio=0)]
    return np.concatenate(chunks, axis=1)


def loudness(sound: Sound) -> float:
    """Integrated loudness in LUFS: the blocks of 400 ms that are above both gates."""
    spectrum = np.fft.rfft(sound)
    delay = np.exp(-2j * np.pi * np.fft.rfftfreq(sound.shape[1]))
    for ahead, back in K_WEIGHTING:
        spectrum *= np.polyval(ahead[::-1], delay) / np.polyval(back[::-1], delay)
    weighted = np.square(np.fft.irfft(spectrum, sound.shape[1])).sum(axis=0)
    starts = range(0, len(weighted) - 4 * HERTZ // 10 + 1, HERTZ // 10)
    power = np.array([weighted[start : start + 4 * HERTZ // 10].mean() for start in starts])
    power = power[power > 10 ** ((-70 + 0.691) / 10)]
    power = power[power > power.mean() / 10]
    return float(-0.691 + 10 * np.log10(power.mean()))


def share_above(sound: Sound, hertz: float) -> float:
    """Return the share of the energy of both channels together."""
    energy = np.square(np.abs(np.fft.rfft(sound.mean(axis=0))))
    return float(energy[np.fft.rfftfreq(sound.shape[1], 1 / HERTZ) > hertz].sum() / energy.sum())


@pytest.mark.parametrize(
    "prompt", ["a fox", "Night falls over the city", "Waves on a beach", "海上日出", "Snow falls"]
)
def test_a_film_is_as_loud_as_others_and_carries_on_small_speakers(
    tmp_path: Path, prompt: str
) -> None:
    sound = film_sound(tmp_path, prompt)

    assert loudness(sound) == pytest.approx(-18, abs=1)
    assert share_above(sound, 300) > 0.65


@pytest.mark.parametrize("seconds", [1, 5, 60])
def test_sound_neither_clicks_nor_crackles_nor_starts_or_ends_suddenly(seconds: int) -> None:
    sound = make_ambience("a fox", "city", samples=seconds * HERTZ)
    spectrum = np.fft.rfft(sound)
    # Nothing that it plays is above 12 kHz: what is there is a step or a coarse number.
    spectrum[:, np.fft.rfftfreq(sound.shape[1], 1 / HERTZ) < 12_000] = 0
    steps = np.abs(np.fft.irfft(spectrum, sound.shape[1]))

    assert 20 * np.log10(steps.max()) < -60
    assert np.abs(sound[:, :24]).max() < 1e-3
    assert np.abs(sound[:, -24:]).max() < 1e-3
