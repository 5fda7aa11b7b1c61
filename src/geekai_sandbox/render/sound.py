"""Generated ambience: a slow chord, a few bells, noise, and reverberation.

It is a placeholder for a preview, seeded by the prompt. The whole track is generated
before the first frame is encoded: five seconds of sound take a tenth of a second.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from geekai_sandbox.render.colour import Floats
from geekai_sandbox.render.encoder import SAMPLE_RATE
from geekai_sandbox.render.moods import Mood, find_mood
from geekai_sandbox.render.noise import make_generator

LOUDNESS: Final = 10 ** (-19.6 / 20)
"""RMS before the fades. By EBU R 128 the track has -18 LUFS, within 1 LU whatever the prompt."""

FADE_IN: Final = 0.8
FADE_OUT: Final = 1.0
"""Seconds; in a video shorter than both, each takes half of it."""

_LOWEST: Final = 246.94
"""Hertz: the B around which the root of the chord is chosen. Small speakers play little below 300,
so all notes but the root are above it."""

_VOICES: Final = (0.09, 0.15, 0.13, 0.09, 0.07, 0.05)
"""Gain of each note of the chord, from the root up."""

_MAJOR: Final = (0, 2, 4, 7, 9)
_MINOR: Final = (0, 3, 5, 7, 10)

_TAU: Final = 2 * np.pi


def make_ambience(prompt: str, mood_name: str, *, samples: int) -> Floats:
    """Return two channels of *samples* samples at 48 kHz, between -1 and 1."""
    mood = find_mood(mood_name)
    rng = make_generator(prompt, "sound")
    time = np.arange(samples, dtype=np.float32) / np.float32(SAMPLE_RATE)
    root = _LOWEST * 2 ** (int(rng.integers(-3, 4)) / 12)
    sound = _make_chord(rng, time, root, minor=mood.minor)
    _add_bells(rng, sound, root, minor=mood.minor)
    _add_noise(rng, sound, time, mood)
    sound = _add_reverb(rng, sound)
    rms = float(np.sqrt(np.square(sound).mean()))
    sound *= np.float32(LOUDNESS / (rms + 1e-9)) * _fade_envelope(time, samples / SAMPLE_RATE)
    # tanh limits rare peaks without clipping.
    return np.tanh(sound).astype(np.float32)


def _make_chord(rng: np.random.Generator, time: Floats, root: float, *, minor: bool) -> Floats:
    chord = (0, 7, 12, 15 if minor else 16, 19, 22 if minor else 26)
    sound = np.zeros((2, len(time)), np.float32)
    for voice, semitones in enumerate(chord):
        pitch = root * 2 ** (semitones / 12)
        for channel in sound:
            rate, start = 0.07 + 0.09 * rng.random(), _TAU * rng.random()
            breath = 0.62 + 0.38 * np.sin(np.float32(_TAU * rate) * time + np.float32(start))
            # The channels are slightly detuned, which makes the sound wide.
            detuned = pitch * (1 + (rng.random() - 0.5) * 0.0035)
            angle = _phase_angle(len(time), detuned)
            tone = np.zeros_like(time)
            for harmonic, gain in ((1, 1.0), (2, 0.28), (3, 0.09)):
                phase = np.float32(_TAU * rng.random())
                tone += np.float32(gain) * np.sin(np.float32(harmonic) * angle + phase)
            np.add(channel, np.float32(_VOICES[voice]) * breath * tone, out=channel)
    return sound


def _phase_angle(samples: int, hertz: float) -> Floats:
    """Return the angle of a tone at each sample in radians, 0 to 2 pi.

    In 32 bits, the time after a minute would be so coarse that the tone crackles.
    """
    cycles = np.arange(samples) * (hertz / SAMPLE_RATE)
    cycles -= np.floor(cycles)
    return cycles.astype(np.float32) * np.float32(_TAU)


def _add_bells(rng: np.random.Generator, sound: Floats, root: float, *, minor: bool) -> None:
    scale = _MINOR if minor else _MAJOR
    seconds = sound.shape[1] / SAMPLE_RATE
    at = 0.55
    while at < seconds - 0.5:
        note = 12 + scale[int(rng.integers(5))] + 12 * int(rng.integers(0, 2))
        first = int(at * SAMPLE_RATE)
        strike = _bell_strike(
            root * 2 ** (note / 12), min(sound.shape[1] - first, int(2.4 * SAMPLE_RATE))
        )
        pan = 0.3 + 0.4 * rng.random()
        for channel, share in zip(sound, (1 - pan, pan), strict=True):
            channel[first : first + len(strike)] += strike * np.float32(share)
        at += 0.5 + 0.9 * rng.random()


def _bell_strike(pitch: float, samples: int) -> Floats:
    time = np.arange(samples, dtype=np.float32) / np.float32(SAMPLE_RATE)
    body = np.sin(np.float32(_TAU * pitch) * time)
    # 2.76 is the first overtone of a struck bar, which makes it sound like a bell.
    shimmer = np.float32(0.35) * np.exp(-time * 4) * np.sin(np.float32(_TAU * pitch * 2.76) * time)
    envelope = np.minimum(time / np.float32(0.012), 1) * np.exp(-time * np.float32(2.3))
    return (np.float32(0.055) * envelope * (body + shimmer)).astype(np.float32)


def _add_noise(rng: np.random.Generator, sound: Floats, time: Floats, mood: Mood) -> None:
    """Add low-passed noise of varying loudness: wind, or surf for the sea."""
    sea = mood.terrain == "sea"
    samples = len(time)
    hertz = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE)
    shape = 1 / (1 + (hertz / (700 if sea else 420)) ** 2)
    rate = np.float32(_TAU * (0.21 if sea else 0.09))
    for i, channel in enumerate(sound):
        white = rng.random(samples, np.float32) - np.float32(0.5)
        noise = np.fft.irfft(np.fft.rfft(white) * shape, samples).astype(np.float32)
        swell = np.float32(0.6) + np.float32(0.4) * np.sin(rate * time + np.float32(i))
        gain = np.float32(0.030 / (float(noise.std()) + 1e-9))
        np.add(channel, noise * gain * swell, out=channel)


def _add_reverb(rng: np.random.Generator, sound: Floats) -> Floats:
    """Return *sound* with a synthetic reverberation: a convolution with decaying noise."""
    decay = int(1.6 * SAMPLE_RATE)
    size = 1 << (sound.shape[1] + decay - 1).bit_length()
    wet = np.empty_like(sound)
    channel: npt.NDArray[np.float32]  # NumPy 2.5 tells the type of a spectrum by its input's
    for i, channel in enumerate(sound):
        response = rng.standard_normal(decay) * np.exp(-np.arange(decay) / SAMPLE_RATE * 4.2)
        response *= 0.30 / float(np.sqrt(np.square(response).sum()))
        spectrum = np.fft.rfft(channel, size) * np.fft.rfft(response, size)
        wet[i] = np.fft.irfft(spectrum, size)[: sound.shape[1]]
    return sound * np.float32(0.8) + wet * np.float32(0.5)


def _fade_envelope(time: Floats, seconds: float) -> Floats:
    fade_in, fade_out = min(FADE_IN, seconds / 2), min(FADE_OUT, seconds / 2)
    ends = np.minimum(
        time / np.float32(fade_in), (np.float32(seconds) - time) / np.float32(fade_out)
    )
    return np.clip(ends, 0, 1).astype(np.float32)
