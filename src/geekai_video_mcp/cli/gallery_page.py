"""The page of `geekai-video-mcp gallery`: one HTML file that opens from disk. Pure.

It has no script and loads nothing but the videos and pictures beside it. Prompts are data: they are
escaped, and the policy in the page lets nothing else in. It ends with a digest, by which a page of
ours is known again, and one that somebody has changed is left as it is.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final, NamedTuple

from geekai_video_mcp.domain.catalogue import format_cny
from geekai_video_mcp.domain.films import is_preview, part_texts
from geekai_video_mcp.domain.task_ids import short_id
from geekai_video_mcp.domain.task_prices import listed_price
from geekai_video_mcp.domain.tasks import Media, Task
from geekai_video_mcp.quoting import sanitize

MAX_BYTES: Final = 20_000_000
"""Bytes of a page that are read: a larger file is none of ours."""
GENERATOR: Final = "geekai-video-mcp gallery"
SHORT_PROMPT: Final = 220
"""Characters of a prompt that are shown at once; the rest unfolds."""
LABEL_CHARS: Final = 80
"""Characters of a prompt that a screen reader says for the video."""

_DIGEST: Final = re.compile(rb"<!-- digest ([0-9a-f]{64}) -->\n\Z")
_TASK_ID: Final = re.compile(rb'data-task="([0-9a-f]+)"')


class GalleryFilm(NamedTuple):
    """A film on the page; links are relative to it, and quoted as in a URL."""

    task: Task
    video: str
    file_name: str
    sheet: str | None
    """The contact sheet; None if the video cannot be decoded."""


def render_page(films: Sequence[GalleryFilm], *, at: float) -> bytes:
    """The page of *films*, made at this time."""
    count = "1 film" if len(films) == 1 else f"{len(films):,} films"
    title = "Films by geekai-video-mcp"
    page = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="generator" content="{GENERATOR}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p>{count}, the newest first. Made {_format_time(at)}.</p>
</header>
<main>
<ul class="films" role="list">
{"".join(map(_render_film, films))}</ul>
</main>
</body>
</html>
""".encode(errors="replace")
    return page + f"<!-- digest {hashlib.sha256(page).hexdigest()} -->\n".encode()


def is_unchanged_page(content: bytes) -> bool:
    """Whether this is a page of ours, as it was written."""
    found = _DIGEST.search(content)
    if found is None or GENERATOR.encode() not in content:
        return False
    return hashlib.sha256(content[: found.start()]).hexdigest().encode() == found[1]


def shown_tasks(content: bytes) -> set[str]:
    """The ids of the tasks that a page shows."""
    return {found.decode() for found in _TASK_ID.findall(content)}


def _render_film(film: GalleryFilm) -> str:
    task = film.task
    prompt = _prompt_of(task)
    poster = f' poster="{escape(film.sheet)}"' if film.sheet else ""
    label = f"{short_id(task.id)}: {sanitize(prompt, limit=LABEL_CHARS)}"
    facts = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(fact)}</dd></div>"
        for name, fact in _facts_of(task)
    )
    return (
        f'<li data-task="{escape(task.id)}">\n<article>\n'
        f'<video controls preload="none" playsinline src="{escape(film.video)}"{poster}'
        f' aria-label="{escape(label)}"></video>\n'
        f"{_render_prompt(prompt)}\n<dl>{facts}</dl>\n"
        f'<p class="file"><a href="{escape(film.video)}">{escape(film.file_name)}</a></p>\n'
        "</article>\n</li>\n"
    )


def _render_prompt(prompt: str) -> str:
    shown = sanitize(prompt, limit=SHORT_PROMPT)
    whole = sanitize(prompt, limit=len(prompt) + 1)
    if shown == whole:
        return f'<h2 dir="auto">{escape(whole)}</h2>'
    return (
        f'<h2 dir="auto">{escape(shown)}</h2>\n<details><summary>Whole prompt</summary>'
        f'<p dir="auto">{escape(whole)}</p></details>'
    )


def _prompt_of(task: Task) -> str:
    """What the film shows, in the words of whoever asked for it."""
    if task.media is Media.FILM:
        return f"Joined from {', '.join(part_texts(task.request))}"
    return task.prompt or "No prompt is recorded."


def _facts_of(task: Task) -> Iterable[tuple[str, str]]:
    yield "Model", "joined here" if task.media is Media.FILM else sanitize(task.model)
    if task.file_seconds:
        yield "Length", f"{task.file_seconds:.3g} s"
    if task.file_width and task.file_height:
        yield "Size", f"{task.file_width}x{task.file_height}"
    yield "Price", _price_of(task)
    yield "Date", _format_time(task.created_at)
    yield "ID", short_id(task.id)


def _price_of(task: Task) -> str:
    if task.media is Media.FILM:
        return "free"
    if is_preview(task):
        return "free: a preview of the sandbox"
    price = listed_price(task)
    return "not known" if price is None else format_cny(price.cny)


def _format_time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"


_STYLE: Final = """
:root { color-scheme: light dark; --ground: #f4f4f1; --card: #fff; --ink: #1a1a1c; --quiet: #5a5a61;
  --line: #d9d9d4; --link: #0b57d0 }
@media (prefers-color-scheme: dark) {
  :root { --ground: #121214; --card: #1c1c1f; --ink: #ededf0; --quiet: #a6a6ae; --line: #35353b;
    --link: #8ab4f8 }
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 84rem; padding: 1.5rem 1rem 4rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
header p { color: var(--quiet); margin: 0 0 1.5rem }
h1 { font-size: 1.5rem; line-height: 1.2; margin: 0 0 .25rem }
.films { display: grid; gap: 1.25rem; list-style: none; margin: 0; padding: 0;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)) }
article { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  height: 100%; overflow: hidden; padding-bottom: .75rem }
video { aspect-ratio: 1; background: #101012; display: block; object-fit: contain;
  object-position: top; width: 100% }
h2 { font-size: 1rem; font-weight: 600; margin: .75rem 1rem .5rem }
dl { display: flex; flex-wrap: wrap; gap: .125rem 1.25rem; margin: .5rem 1rem }
dl div { display: flex; gap: .375rem }
dt { color: var(--quiet) }
dd { font-variant-numeric: tabular-nums; margin: 0 }
details, .file { margin: .5rem 1rem }
details p { margin: .5rem 0; white-space: pre-wrap }
.file { font-size: .875rem }
a, summary { color: var(--link) }
summary { cursor: pointer }
:focus-visible { outline: 3px solid var(--link); outline-offset: -3px }
"""
_STYLE_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; img-src 'self' file:;"
    f" media-src 'self' file:; style-src 'sha256-{_STYLE_DIGEST}'"
)
"""Pages from disk have an origin of their own, which `self` does not cover in every browser."""
