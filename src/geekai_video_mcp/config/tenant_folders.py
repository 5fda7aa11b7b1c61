"""Where the tenants' files are: each has a folder of its own, which no other tenant reaches."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from geekai_video_mcp.domain.tenants import OAUTH_PREFIX

if TYPE_CHECKING:
    from geekai_video_mcp.config import Settings

TENANTS_FOLDER: Final = "tenants"
"""In the operator's output folder: it holds those tenants' folders that have no other."""


def default_folder(output_dir: Path, tenant: str) -> Path:
    return output_dir / TENANTS_FOLDER / tenant


def find_shared_folders(
    folders: Mapping[str, Path | None], settings: "Settings"
) -> Iterator[tuple[str, str]]:
    """Each tenant whose folder is not its own alone, and why.

    *folders* has every tenant, and its folder if it is not the default one.
    """
    general = _Place(settings.output_dir)
    state = _Place(settings.state_dir)
    shared = _Place(settings.output_dir / TENANTS_FOLDER)
    places = {
        name: _Place(folder or default_folder(settings.output_dir, name))
        for name, folder in folders.items()
    }
    for name, place in places.items():
        if folders[name] is not None:
            if place.holds(general):
                yield name, "has an output_dir that is GEEKAI_OUTPUT_DIR, or holds it"
            elif place.holds(state) or state.holds(place):
                yield name, "has an output_dir that is, holds or is in the state folder"
            elif place.holds(shared) or _belongs_to_another(place, shared, name):
                yield name, "has an output_dir that holds or is another tenant's default folder"
    yield from _find_overlaps(places)


def _belongs_to_another(place: "_Place", shared: "_Place", name: str) -> bool:
    """Whether it is in the default folder of another tenant, be it one that is not named yet."""
    if not shared.holds(place):
        return False
    first = place.path.relative_to(shared.path).parts[:1] if shared.path in place.parents else ()
    return first != (name,) or name.startswith(OAUTH_PREFIX)


def _find_overlaps(places: "Mapping[str, _Place]") -> Iterator[tuple[str, str]]:
    owners: dict[Path | tuple[int, int], str] = {}
    for name, place in places.items():
        for mark in place.marks:
            if (other := owners.setdefault(mark, name)) != name:
                yield name, f'has the same folder as tenant "{other}"'
                break
    for name, place in places.items():
        for mark in place.outer_marks:
            if (other := owners.get(mark, name)) != name:
                yield name, f'has its folder inside that of tenant "{other}"'
                break


class _Place:
    """A folder, by its real path and, where it exists, by what the file system knows it as."""

    def __init__(self, folder: Path) -> None:
        self.path = Path(os.path.realpath(folder))
        self.parents = list(self.path.parents)
        self.marks = _marks(self.path)
        self.outer_marks = [mark for each in self.parents for mark in _marks(each)]

    def holds(self, other: "_Place") -> bool:
        """Whether *other* is this folder or inside it."""
        return any(mark in self.marks for mark in (*other.marks, *other.outer_marks))


def _marks(path: Path) -> "list[Path | tuple[int, int]]":
    try:
        found = path.stat()
    except OSError:
        return [path]
    return [path, (found.st_dev, found.st_ino)]
