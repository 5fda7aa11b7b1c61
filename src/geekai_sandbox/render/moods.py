"""The colour palettes of the landscapes: sky, light, and six layers each.

The colours of a palette belong together and were chosen by eye; after changing one, check
the result on a bright and on a dark screen. The nearest layer must be dark enough for
light text, and the top of the sky for a small label (tests measure both).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Terrain = Literal["meadow", "road", "mountain", "sea", "dunes", "forest", "city", "hills"]
Weather = Literal["motes", "snow", "fireflies"]


@dataclass(frozen=True, slots=True)
class Mood:
    """Colours as #RRGGBB. `sky` runs from the top down, `layer_colours` from far to near."""

    terrain: Terrain
    sky: tuple[str, ...]
    layer_colours: tuple[str, str, str, str, str, str]
    haze: str
    light: str
    particle: str
    weather: Weather = "motes"
    night: bool = False
    aurora: bool = False
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
}
