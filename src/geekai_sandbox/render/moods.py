"""The colour palettes of the landscapes: sky, light, and six layers each.

A mood is named by a place, then by its light and its weather where they are not the place's
own: "sea", "sea-night", "city-night-grey". MOODS are those chosen by eye; `find_mood` makes
the others too, by mixing the palettes of a place and of a light.

The colours of a palette belong together and were chosen by eye; after changing one, check
the result on a bright and on a dark screen. The nearest layer must be dark enough for
light text, and the top of the sky for a small label (tests measure both).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Final, Literal

Terrain = Literal[
    "meadow", "road", "mountain", "sea", "dunes", "forest", "city", "hills", "backdrop"
]
Weather = Literal["motes", "snow", "fireflies"]
Layers = tuple[str, str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Mood:
    """Colours as #RRGGBB. `sky` runs from the top down, `layer_colours` from far to near."""

    terrain: Terrain
    sky: tuple[str, ...]
    layer_colours: Layers
    haze: str
    light: str
    particle: str
    weather: Weather = "motes"
    night: bool = False
    aurora: bool = False
    sun: bool = True
    """Whether the sun, or the moon and the stars, are visible."""
    sets: bool = False
    """Whether its sun is low enough to set within a minute."""
    minor: bool = False
    """Whether its sound is in a minor key."""


MOODS: Final[dict[str, Mood]] = {
    "meadow": Mood(
        "meadow",
        sky=("#4F8BA6", "#A9C9BE", "#F6E3B6"),
        layer_colours=("#A9C6A6", "#7FAA88", "#558B6B", "#2E6650", "#133F36", "#0A2A26"),
        haze="#F4E6C0",
        light="#FFF6DC",
        particle="#FFF3C4",
    ),
    "road": Mood(
        "road",
        sky=("#3F88B4", "#A3D0D2", "#FDE6B8"),
        layer_colours=("#C3D3B4", "#98BDA2", "#689F90", "#3E7D7C", "#225A62", "#113C48"),
        haze="#FDE8C0",
        light="#FFF8E2",
        particle="#FFF3D2",
    ),
    "sunset": Mood(
        "mountain",
        sky=("#232A5C", "#A04D78", "#F79A6B", "#FFD79A"),
        layer_colours=("#A65A80", "#7C4274", "#563160", "#37234E", "#20183B", "#120F29"),
        haze="#F3A07A",
        light="#FFF0CF",
        particle="#FFD9A8",
        sets=True,
    ),
    "sea": Mood(
        "sea",
        sky=("#5E97BE", "#B9D8E0", "#F8E9D0"),
        layer_colours=("#8DBBCB", "#5F9DB8", "#3A7EA0", "#205F84", "#104363", "#082D48"),
        haze="#DDE9E4",
        light="#FFFBEF",
        particle="#FFFFFF",
    ),
    "night": Mood(
        "mountain",
        sky=("#060A1C", "#14204A", "#3C4682", "#7A6C9C"),
        layer_colours=("#3A4478", "#2A3363", "#1D254E", "#131A3B", "#0B1029", "#060918"),
        haze="#5A5C92",
        light="#F6EDD6",
        particle="#FFE9B0",
        weather="fireflies",
        night=True,
        minor=True,
    ),
    "aurora": Mood(
        "forest",
        sky=("#050B1A", "#0B2338", "#14505A", "#4E8E86"),
        layer_colours=("#2F6470", "#22505F", "#173C4D", "#0E2A3A", "#081B28", "#050F19"),
        haze="#4C8A88",
        light="#E8FFF0",
        particle="#D8FFE6",
        weather="snow",
        night=True,
        aurora=True,
        minor=True,
    ),
    "snow": Mood(
        "mountain",
        sky=("#7C9AC0", "#C4D3E4", "#F6EAE2"),
        layer_colours=("#CBD7E4", "#A9BCD2", "#8099B8", "#567499", "#335378", "#1C3555"),
        haze="#F1ECEA",
        light="#FFFFFF",
        particle="#FFFFFF",
        weather="snow",
        minor=True,
    ),
    "desert": Mood(
        "dunes",
        sky=("#5A97AF", "#E6C79E", "#F8B67A"),
        layer_colours=("#E2A46F", "#CC8052", "#A75E41", "#7C4335", "#522D2B", "#331C20"),
        haze="#F6C590",
        light="#FFF4DC",
        particle="#FFE3B5",
    ),
    "forest": Mood(
        "forest",
        sky=("#7FA6A1", "#BED3C8", "#F0F0DC"),
        layer_colours=("#A4C0B2", "#7DA493", "#568572", "#356654", "#1B4439", "#0C2A25"),
        haze="#E6EEDD",
        light="#FFFDF0",
        particle="#F8F6D8",
        minor=True,
    ),
    "city": Mood(
        "city",
        sky=("#1E2350", "#6A4C86", "#E58A78", "#FBC99A"),
        layer_colours=("#9A6F92", "#735883", "#514670", "#353459", "#201F41", "#11122A"),
        haze="#E39B86",
        light="#FFE9CC",
        particle="#FFD08A",
        sets=True,
        minor=True,
    ),
    "rose": Mood(
        "hills",
        sky=("#7F79B0", "#E0B0BE", "#FCE3CE"),
        layer_colours=("#D3A3B7", "#B07F9F", "#865E86", "#5E436B", "#3B2B4F", "#221A36"),
        haze="#F7D9D0",
        light="#FFF8EC",
        particle="#FFE7E0",
    ),
    "backdrop": Mood(
        "backdrop",
        sky=("#68717B", "#949BA2", "#B3B8BC"),
        layer_colours=("#A6ACB2", "#8D949B", "#727A82", "#565F67", "#3C444C", "#252B32"),
        haze="#B9BDC1",
        light="#F4F4F2",
        particle="#FFFFFF",
        sun=False,
    ),
    "backdrop-dusk": Mood(
        "backdrop",
        sky=("#5E5560", "#8F7C80", "#B79F97"),
        layer_colours=("#A88F8B", "#8C7678", "#6F5D63", "#53464E", "#393138", "#241F25"),
        haze="#BFA59B",
        light="#FFEBDA",
        particle="#FFE9D6",
        sun=False,
    ),
    "backdrop-night": Mood(
        "backdrop",
        sky=("#0D1017", "#1A1F2A", "#2A303D"),
        layer_colours=("#272D39", "#202631", "#191E28", "#13171F", "#0D1017", "#080A0F"),
        haze="#2F3644",
        light="#C9D2E4",
        particle="#C9D2E4",
        night=True,
        sun=False,
        minor=True,
    ),
}

BACKDROP: Final = "backdrop"
"""For a prompt that names no place: grey paper, without a sun or weather."""

MOUNTAINS: Final = "mountains"

PLACES: Final = frozenset(
    {"meadow", "road", "sea", "desert", "forest", "city", "rose", MOUNTAINS, BACKDROP}
)

_NAMES: Final = {
    "mountains-dusk": "sunset",
    "mountains-night": "night",
    "mountains-snow": "snow",
    "forest-aurora": "aurora",
    "city-dusk": "city",
}
"""Moods that have a palette, and a name, of their own."""

_OVERCAST: Final = Mood(
    "hills",
    sky=("#46515C", "#737F8A", "#A3ACB2"),
    layer_colours=("#8C979F", "#6F7B85", "#56636E", "#3F4C57", "#2A353F", "#171F27"),
    haze="#A9B2B7",
    light="#D5DADD",
    particle="#C9D2D8",
    sun=False,
    minor=True,
)

_LIGHTS: Final[dict[str, tuple[Mood, float]]] = {
    "night": (MOODS["night"], 0.85),
    "dusk": (MOODS["sunset"], 0.75),
    "aurora": (MOODS["aurora"], 0.85),
    "snow": (MOODS["snow"], 0.85),
    "grey": (_OVERCAST, 0.70),
}
"""The palette of each light and weather, and its share in the colours of a place."""


def name_mood(place: str, *, light: str | None, weather: str | None) -> str:
    """Return the name of the mood of *place*, one of PLACES.

    *light* is night, dusk, aurora or day, *weather* snow, grey or snow-grey; None is the
    place's own.
    """
    if place == BACKDROP:
        return f"{place}-{light}" if light in ("night", "dusk") else place
    # Only a city has a light of its own that is not the day's.
    shown = None if light == "day" and (place != "city" or weather) else light
    name = "-".join(part for part in (place, shown, weather) if part)
    return _NAMES.get(name, name)


@functools.cache
def find_mood(name: str) -> Mood:
    """Return the mood that `name_mood` names; KeyError if there is none."""
    if name in MOODS:
        return MOODS[name]
    place, *conditions = name.split("-")
    mood = _daylight(place) if place == MOUNTAINS or "day" in conditions else MOODS[place]
    for condition in conditions:
        if condition == "snow" and (mood.night or "dusk" in conditions):
            mood = replace(mood, weather="snow")
        elif condition == "grey" and mood.night:
            mood = replace(mood, sun=False)
        elif condition != "day":
            mood = _relight(mood, condition)
    return mood


def _daylight(place: str) -> Mood:
    """Return the bright, cool palette of snow, without snow, on the terrain of *place*."""
    terrain = "mountain" if place == MOUNTAINS else MOODS[place].terrain
    return replace(MOODS["snow"], terrain=terrain, weather="motes", minor=False)


def _relight(mood: Mood, condition: str) -> Mood:
    """Return *mood* in the sky, and mixed with the colours, of a light or a weather."""
    palette, share = _LIGHTS[condition]
    weather: Weather = "snow" if palette.weather == "snow" else mood.weather
    if condition == "night" and mood.terrain not in ("city", "sea"):
        weather = palette.weather
    windows = mood.particle if mood.terrain == "city" and condition != "snow" else palette.particle
    return replace(
        palette,
        terrain=mood.terrain,
        layer_colours=_mix_codes(mood.layer_colours, palette.layer_colours, share),
        particle=windows,
        weather=weather,
    )


def _mix_codes(codes: Layers, others: Layers, share: float) -> Layers:
    first, second, third, fourth, fifth, sixth = (
        _mix_code(code, other, share) for code, other in zip(codes, others, strict=True)
    )
    return first, second, third, fourth, fifth, sixth


def _mix_code(code: str, other: str, share: float) -> str:
    levels = (
        round(int(code[i : i + 2], 16) * (1 - share) + int(other[i : i + 2], 16) * share)
        for i in (1, 3, 5)
    )
    return "#" + "".join(f"{level:02X}" for level in levels)
