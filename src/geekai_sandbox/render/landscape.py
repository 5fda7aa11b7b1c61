"""Text to video: six layers of landscape under a sky, with a camera moving past them.

Each layer is an outline, a gradient from its edge down into haze, and a soft shadow on
the layer behind it. The haze follows a smoothed outline: following the real one, it would
show streaks under every peak.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from geekai_sandbox.render.camera import Pose, smootherstep
from geekai_sandbox.render.canvas import Canvas, Planes
from geekai_sandbox.render.colour import BLACK_LEVEL, CHROMA_ZERO, Floats, mix, rgb, yuv
from geekai_sandbox.render.moods import Mood, find_mood
from geekai_sandbox.render.noise import Noise, make_generator
from geekai_sandbox.render.ridges import OUTLINES, Layer, grass_height
from geekai_sandbox.render.scenery import Birds, Glitter, Particles, Projection, Road, draw_windows
from geekai_sandbox.render.sky import KEY_SECONDS, LOWEST_VALLEY, Light, Sky, View

TRACK: Final = 0.42
"""Frame widths that the nearest layer moves over the camera's full horizontal axis."""

CRANE: Final = 0.26
"""Frame heights that it moves over the full vertical axis."""

TURN: Final = 0.36
"""Fraction of the frame that everything moves over the full axis of a turn: more than a sixth for
a preset, which is half of it."""

ZOOM: Final = 0.72
"""Zoom of the sky over the full axis, on top of 1: 1.36 for a preset."""

CLOSER: Final = 0.30
"""The further zoom of the nearest layer."""

SET_SECONDS: Final = 50.0
"""Seconds in which the sun sets or rises, so that in a minute there is time for what follows."""

DARKEN: Final = 0.55
"""Share of the light that the land loses meanwhile; lit windows keep theirs."""

DAWN: Final = 0.08
"""Height above the horizon at which a rising sun begins, in frame heights: behind the peaks."""

SHADOW_STRENGTH: Final = 0.20
"""Share of the light that a layer's shadow takes at its edge."""

SHADOW_REACH: Final = 0.030
"""Length of the shadow, in frame heights."""

TEXT_ROW: Final = 0.12
"""Fraction of the height above which the sun would be behind the top row of text."""

RISING: Final = re.compile(
    r"sunrise|\bdawn\b|amanecer|\baube\b|sonnenaufgang|рассвет|日出|朝霞|朝日|일출|شروق|זריחה", re.I
)
"""A sun that does not set, in the palette of one that does."""

_DAY_BIRDS: Final = frozenset({"meadow", "sea", "dunes", "hills", "road"})


@dataclass(frozen=True, slots=True)
class _PlacedLayer:
    """A layer, its position, and its colours at the edge and in the haze below."""

    layer: Layer
    base: float
    amplitude: float
    offset: float
    edge: Floats
    low: Floats

    @property
    def depth(self) -> float:
        """Share of the camera's movement that the layer shows."""
        return 0.10 + 0.90 * self.layer.near**1.5


class Landscape:
    """The scene of one prompt at one size (both sides even); paints the frame of any time."""

    def __init__(
        self,
        prompt: str,
        mood: str,
        *,
        width: int,
        height: int,
        sway: float,
        end: Pose | None = None,
        seconds: float = 0.0,
    ) -> None:
        """*end* is the last pose of the camera, and *seconds* the length of the video."""
        self.mood: Mood = find_mood(mood)
        self._size = (width, height)
        self._sway = sway
        rng = make_generator(prompt)
        tall = height > width
        self._horizon = 0.52 if tall else 0.47
        last = _sky_view(end or Pose())
        self._light = self._place_light(rng, tall=tall, zoom=max(1.0, last.zoom))
        self._path = self._choose_path(prompt)
        self._layers = self._place_layers(rng)
        keys = math.ceil(seconds / KEY_SECONDS) + 1 if self._path[0] != self._path[1] else 1
        self._sky = Sky(
            self.mood,
            rng,
            size=self._size,
            horizon=self._horizon,
            lights=[self._light_at(KEY_SECONDS * key) for key in range(keys)],
            views=[View(), last],
        )
        self._particles, self._birds, self._glitter = (
            Particles(rng, self.mood),
            Birds(rng),
            Glitter(rng),
        )
        self._prepare_finish(rng)

    def _place_light(self, rng: np.random.Generator, *, tall: bool, zoom: float) -> Light:
        lift = (0.27 if self.mood.night else 0.20) + 0.05 * rng.random()
        radius = (0.038 if tall else 0.060) * (1 + 0.3 * rng.random())
        offset_x = 0.14 * rng.random()
        x = (
            0.60 + offset_x
            if tall
            else 0.5 + (0.22 + offset_x) * (1 if rng.random() < 0.75 else -0.4)
        )
        # Always below the top row of text, also when the camera has come closer.
        highest = 0.5 - (0.5 - TEXT_ROW) / zoom + radius
        return Light(x, max(self._horizon - lift, highest), radius)

    def _choose_path(self, prompt: str) -> tuple[float, float]:
        """Return the heights at which the sun begins and ends; a moon stands still."""
        light = self._light
        if not self.mood.sets:
            return light.y, light.y
        if RISING.search(prompt):
            return max(light.y, self._horizon - DAWN), light.y
        return light.y, self._horizon + LOWEST_VALLEY + light.radius

    def _light_at(self, time: float) -> Light:
        begin, end = self._path
        y = begin + (end - begin) * min(1.0, time * self._sway / SET_SECONDS)
        dusk = smootherstep((y - self._horizon + 0.10) / 0.20) if end > begin else 0.0
        return replace(self._light, y=y, dusk=dusk)

    def _place_layers(self, rng: np.random.Generator) -> list[_PlacedLayer]:
        mood = self.mood
        count = len(mood.layer_colours)
        noises = [Noise(rng) for _ in range(count + 2)]
        haze, sun = rgb(mood.haze), rgb(mood.light)
        placed_layers: list[_PlacedLayer] = []
        for k, code in enumerate(mood.layer_colours):
            near = k / (count - 1)
            colour, far = rgb(code), 1 - near
            gain = {"mountain": 2.3 - 1.35 * near, "dunes": 1.1, "backdrop": 2.4}.get(
                mood.terrain, 1.0
            )
            placed_layers.append(
                _PlacedLayer(
                    Layer(k, near, noises[k], noises[k + 1], noises[k + 2], self._sway),
                    base=self._base_height(near),
                    amplitude=(0.034 + 0.030 * near) * gain * (1.0 + 0.35 * rng.random()),
                    offset=rng.random() * 200,
                    edge=yuv(mix(colour, sun, 0.10 * far)),
                    low=yuv(mix(colour, haze, 0.62 * far**1.1 + 0.05)),
                )
            )
        return placed_layers

    def _base_height(self, near: float) -> float:
        top, bottom = self._horizon, 0.90
        if self.mood.terrain == "sea":
            return top + 0.035 + (bottom - top - 0.03) * near**1.35
        return top + (bottom - top) * near**1.12

    def _prepare_finish(self, rng: np.random.Generator) -> None:
        """Prepare the vignette and dither, one multiplication and one addition per frame."""
        width, height = self._size
        y = np.arange(height, dtype=np.float32)[:, None] / height - 0.5
        x = np.arange(width, dtype=np.float32)[None] / width - 0.5
        corner = np.clip((x * x * 1.25 + y * y * 1.35) * 2.0 - 0.18, 0, 1)
        self._vignette = (1 - 0.15 * corner**1.2).astype(np.float32)
        dither = rng.random((height, width), np.float32)
        self._lift = BLACK_LEVEL * (1 - self._vignette) + dither
        self._dither = dither[: height // 2, : width // 2]

    def paint(self, planes: Planes, *, time: float, pose: Pose) -> None:
        """Write the frame at *time* seconds into *planes*."""
        projections = [self._project_layer(placed, time, pose) for placed in self._layers]
        view = _sky_view(pose)
        # The land covers all below its farthest layer.
        lowest = int(projections[0].heights.max()) + 4
        rows = min(self._size[1], max(2, lowest & ~1))
        canvas = self._sky.paint(view, time=time, rows=rows)
        if self.mood.sun:
            self._draw_sun(canvas, time, view)
        if self.mood.terrain in _DAY_BIRDS:
            ink = float(self._layers[3].edge[0])
            self._birds.paint(canvas, time=time, level=ink, view=view)
        light = 1 - DARKEN * self._light_at(time).dusk
        for k, (placed, projection) in enumerate(zip(self._layers, projections, strict=True)):
            ahead = projections[k + 1].heights.max() if k + 1 < len(projections) else canvas.height
            self._draw_layer(canvas, placed, projection, light=light, until=int(ahead) + 3)
            self._draw_scenery(canvas, placed, projections, time, view)
        level = float(yuv(rgb(self.mood.particle))[0])
        self._particles.paint(canvas, time=time, level=level, sway=max(0.3, self._sway))
        self._apply_finish(canvas, planes)

    def _draw_sun(self, canvas: Canvas, time: float, view: View) -> None:
        width, height = self._size
        light = self._light_at(time)
        x, y = view.place(light.x, light.y)
        radius = light.radius * height * view.zoom
        alpha = 0.93 if self.mood.night else 0.97
        colour = yuv(np.clip(rgb(self.mood.light) * 1.02, 0, 1))
        canvas.draw_disc(colour, x=x * width, y=y * height, radius=radius, alpha=alpha)

    def _project_layer(self, placed: _PlacedLayer, time: float, pose: Pose) -> Projection:
        width, height = self._size
        layer, near = placed.layer, placed.layer.near
        zoom = _magnification(pose.zoom * (ZOOM + CLOSER * near))
        shift = (pose.x * TRACK * placed.depth + pose.yaw * TURN) * (width / height)
        x = (np.arange(width, dtype=np.float32) + 0.5) / width - 0.5
        u = x * (width / height / zoom) + (shift + placed.offset)
        up = OUTLINES[self.mood.terrain](layer, u.astype(np.float32), time) * placed.amplitude
        row = layer.index - 3
        if self.mood.terrain == "meadow" and row >= 0:
            up = up + grass_height(layer, u.astype(np.float32), time, row=row)
        rise = pose.y * CRANE * placed.depth + pose.pitch * TURN
        centre = 0.5 + (placed.base - 0.5) * zoom + rise
        heights = ((centre - up * zoom) * height).astype(np.float32)
        return Projection(near, zoom, shift, rise, heights)

    def _draw_layer(
        self,
        canvas: Canvas,
        placed: _PlacedLayer,
        projection: Projection,
        *,
        light: float,
        until: int,
    ) -> None:
        """Draw one layer down to row *until*, below which the next one covers it."""
        edge, reach = projection.heights, SHADOW_REACH * canvas.height
        haze = _smooth(edge, max(8, len(edge) // 9)) - np.float32(canvas.height * 0.006)
        depth = canvas.height * (0.13 + 0.03 * placed.layer.near)
        strength = SHADOW_STRENGTH * (0.25 + 0.75 * placed.layer.near)
        # Smoothed by its own length: a mast or the tip of a fir casts no streak.
        columns = max(1, round(reach))
        soft = _smooth(_smooth(edge, columns), columns)
        _draw_shadow(canvas.y, soft, reach=reach, low=edge.max(), strength=strength)
        top = max(0, int(edge.min()) - 1) & ~1
        low = min(canvas.height, (until + 1) & ~1)
        if top >= low:
            return
        black = np.array((BLACK_LEVEL, CHROMA_ZERO, CHROMA_ZERO), np.float32)
        colours = (black + (colour - black) * light for colour in (placed.edge, placed.low))
        levels = list(zip(*(colour.tolist() for colour in colours), strict=True))
        _fill(canvas.y[top:low], (edge - top,), haze - top, depth, levels[0])
        # A chroma sample covers two columns, and each has its own edge: at the side of a tower
        # the mean of both heights would colour half of the tower, or of the sky beside it.
        edges = tuple((edge[column::2] - top) / 2 for column in (0, 1))
        haze = _halve_columns(haze) - top / 2
        for plane, ends in ((canvas.u, levels[1]), (canvas.v, levels[2])):
            _fill(plane[top // 2 : low // 2], edges, haze, depth / 2, ends)

    def _draw_scenery(
        self,
        canvas: Canvas,
        placed: _PlacedLayer,
        projections: list[Projection],
        time: float,
        view: View,
    ) -> None:
        terrain, index = self.mood.terrain, placed.layer.index
        projection = projections[index]
        if terrain == "city" and index >= 1:
            draw_windows(canvas, self.mood, placed.layer.blades, projection, offset=placed.offset)
        if terrain == "road" and index == len(self._layers) - 2:
            road = Road(self.mood, self._layers[2].base + 0.012)
            road.paint(canvas, time=time, far=projections[2], near=projection, sway=self._sway)
        if terrain == "sea" and self.mood.sun and index == len(self._layers) - 2:
            level = float(yuv(rgb(self.mood.light))[0])
            light = self._light_at(time)
            sun_x, horizon = view.place(light.x, self._horizon)
            self._glitter.paint(
                canvas, time=time, sun_x=sun_x, horizon=horizon, level=level, dusk=light.dusk
            )

    def _apply_finish(self, canvas: Canvas, planes: Planes) -> None:
        canvas.y *= self._vignette
        canvas.y += self._lift
        planes.y[:] = canvas.y  # rounds down; the dither is 0 to 1
        canvas.u += self._dither
        planes.u[:] = canvas.u  # rounds down; the dither is 0 to 1
        # Flipped, or the rounding errors of both chroma planes would add up to coloured noise.
        canvas.v += self._dither[::-1]
        planes.v[:] = canvas.v  # rounds down; the dither is 0 to 1


def _magnification(closer: float) -> float:
    """Return the zoom of what comes *closer*: positive however far the camera pulls back."""
    return 1 + closer if closer >= 0 else 1 / (1 - closer)


def _sky_view(pose: Pose) -> View:
    zoom = _magnification(pose.zoom * ZOOM)
    return View(right=pose.yaw * TURN, up=pose.pitch * TURN, zoom=zoom)


def _fill(
    part: Floats,
    edges: tuple[Floats, ...],
    haze: Floats,
    depth: float,
    ends: tuple[float, float],
) -> None:
    """Fill *part* below its *edges* with a gradient over *depth* rows that starts at *haze*.

    Each of *edges* has an equal share of every sample. In place throughout: allocating arrays
    of this size would take longer than the sums.
    """
    start, end = ends
    rows = np.arange(len(part), dtype=np.float32)[:, None] + 0.5
    fill = rows - haze
    fill *= np.float32(1 / depth)
    np.clip(fill, 0, 1, out=fill)
    fill *= np.float32(end - start)
    fill += np.float32(start)
    solid = min(len(part), max(0, int(max(edge.max() for edge in edges)) + 1))
    part[solid:] = fill[solid:]
    cover = _cover_below(rows[:solid], edges[0])
    for edge in edges[1:]:
        cover += _cover_below(rows[:solid], edge)
    cover *= np.float32(1 / len(edges))
    outline = fill[:solid]
    outline -= part[:solid]
    outline *= cover
    part[:solid] += outline


def _cover_below(rows: Floats, edge: Floats) -> Floats:
    """Return the share of each pixel, 0 to 1, that is below *edge*."""
    cover = rows - (edge - np.float32(0.5))
    return np.clip(cover, 0, 1, out=cover)


def _smooth(edge: Floats, reach: int) -> Floats:
    """Return the mean of *edge* over *reach* columns to either side."""
    padded = np.pad(edge.astype(np.float64), (reach + 1, reach), "edge")
    total = np.cumsum(padded)
    mean = (total[2 * reach :] - total[: -2 * reach]) / (2 * reach)
    return mean[: len(edge)].astype(np.float32)


def _halve_columns(columns: Floats) -> Floats:
    """Return heights at half resolution, for the chroma planes."""
    return (columns[0::2] + columns[1::2]) * np.float32(0.25)


def _draw_shadow(plane: Floats, edge: Floats, *, reach: float, low: float, strength: float) -> None:
    """Draw a shadow, *reach* rows long, above *edge* and down to row *low*."""
    top, until = max(0, int(edge.min() - reach)), min(plane.shape[0], int(low) + 1)
    if top >= until:
        return
    rows = np.arange(top, until, dtype=np.float32)[:, None] + 0.5
    close = rows - (edge - np.float32(reach))
    close *= np.float32(1 / reach)
    np.clip(close, 0, 1, out=close)
    close *= close
    close *= np.float32(strength)
    part = plane[top:until]
    close *= part - np.float32(BLACK_LEVEL)
    part -= close
