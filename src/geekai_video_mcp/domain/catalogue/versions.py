"""Version numbers in names, however they are written: 2.6, v2-6 and 2_6 are one version. Pure."""

import re
from typing import Final

Version = tuple[str, ...]
"""The numbers of a version as text: 02 is a name of its own, and neither 2 nor 0.2."""
_SHORT_VERSION: Final = re.compile(r"v(\d)(\d)(?![\d.-])")
_SEPARATOR: Final = re.compile(r"[._-]")


def parse_version(text: str) -> Version:
    """The numbers of a version."""
    return tuple(_SEPARATOR.split(text))


def trimmed(version: Version) -> Version:
    """A version without the zeros at its end: 3.0 is 3."""
    while len(version) > 1 and version[-1] == "0":
        version = version[:-1]
    return version


def short_versions(model_id: str) -> list[Version]:
    """The versions that an id writes without a point: v30 is 3.0."""
    return list(_SHORT_VERSION.findall(model_id))
