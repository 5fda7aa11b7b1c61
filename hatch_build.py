"""A hook of the build: README.md becomes the description that a package index shows.

An index shows the description without the repository around it, so that each link and picture of
README.md becomes absolute: in the repository that `[project.urls]` names, at this version's tag.
"""

import posixpath
import re
from pathlib import Path
from typing import Any, Final

from hatchling.metadata.plugin.interface import MetadataHookInterface

GITHUB: Final = "https://github.com/"
RAW: Final = "https://raw.githubusercontent.com/"
"""Where GitHub serves a file itself; under the repository's own address it shows a page."""
PICTURES: Final = (".jpg", ".png", ".svg", ".webp", ".gif")
CODE: Final = r"^(?P<fence>```+|~~~+).*?^(?P=fence)|(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)"
LINK: Final = re.compile(
    CODE
    + r"""|(?P<before>\]\(\s*<?|^\ *\[[^\]\n]+\]:\s+<?|\b(?:href|src|srcset|poster)=["'])"""
    + r"""(?P<target>[^)\s"'>]+)""",
    re.DOTALL | re.MULTILINE,
)
"""Code, which is left alone; or what stands before a link's address, and the address."""


class ReadmeHook(MetadataHookInterface):
    """Sets `readme`, which pyproject.toml declares as dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": absolute_links(
                (Path(self.root) / "README.md").read_text("utf-8"),
                repository=metadata["urls"]["Repository"],
                tag=f"v{metadata['version']}",
            ),
        }


def absolute_links(markdown: str, *, repository: str, tag: str) -> str:
    """*markdown* with each relative link and picture led into *repository* at *tag*."""

    def replace(match: re.Match[str]) -> str:
        target = match["target"]
        if target is None or re.match(r"#|//|[a-z][a-z0-9+.-]*:", target):
            return match[0]
        path, mark, fragment = target.partition("#")
        path = posixpath.normpath(path).lstrip("/")
        if path.endswith(PICTURES):
            return f"{match['before']}{RAW}{repository.removeprefix(GITHUB)}/{tag}/{path}"
        return f"{match['before']}{repository}/blob/{tag}/{path}{mark}{fragment}"

    return LINK.sub(replace, markdown)
