"""`geekai-video-mcp models` as a person meets it: the catalogue without a key and a network."""

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from geekai_video_mcp.cli.model_card import card_lines, sources_of
from geekai_video_mcp.domain import catalogue
from geekai_video_mcp.server.views.model_card import model_details
from support.process import run_cli
from support.provider import running_provider


async def models(folder: Path, *arguments: str, **settings: str) -> tuple[int, str, str]:
    return await run_cli(folder, "models", *arguments, **{"COLUMNS": "80", **settings})


async def found(folder: Path, *filters: str) -> list[dict[str, Any]]:
    """The models that a script finds with the filters."""
    status, out, err = await models(folder, *filters, "--json")
    assert (status, err) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


def cells(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(ch) in "WF" else 1 for ch in line)


async def test_the_list_has_every_model_whole_and_fits_80_columns(tmp_path: Path) -> None:
    status, out, err = await models(tmp_path)

    assert (status, err) == (0, "")
    assert max(map(cells, out.splitlines())) <= 80
    first_words = {line.split()[0] for line in out.splitlines() if line and line[0] != " "}
    assert set(catalogue.models()) <= first_words
    assert "by GeekAI's list of 20" in " ".join(out.split())
    assert list(tmp_path.iterdir()) == []


async def test_the_list_needs_no_settings_and_is_whole_in_a_pipe(tmp_path: Path) -> None:
    status, out, err = await models(tmp_path, GEEKAI_API_KEY="not\tone", LC_ALL="C")

    assert (status, err) == (0, "")
    lines = out.partition("\n\n")[0].splitlines()
    assert sum(line[0] != " " for line in lines) == 1 + len(catalogue.models())
    assert "\x1b" not in out


async def test_filters_are_those_of_the_tool(tmp_path: Path) -> None:
    every = await found(tmp_path)
    both = await found(tmp_path, "--takes", "image,image_tail", "--seconds", "10")
    named = await found(tmp_path, "--search", "kling")
    sharp = await found(tmp_path, "--resolution", "4k")
    free = await found(tmp_path, "--free")

    assert [each["id"] for each in every]
    assert len(every) == len(catalogue.models())
    assert both
    for each in both:
        # Or the other way in which the model takes it.
        assert "image_tail" in each["inputs"] or "image_tail: give" in each["note"]
        assert catalogue.makes_length(catalogue.models()[each["id"]], 10)
    assert {each["id"] for each in named} == {
        name for name in catalogue.models() if "kling" in name
    }
    assert sharp
    assert free
    assert all(each["price"] == 0 for each in free)
    assert all(len(some) < len(every) for some in (both, named, sharp, free))


async def test_text_means_that_a_prompt_alone_is_enough(tmp_path: Path) -> None:
    from_text = await found(tmp_path, "--takes", "text")
    both = await found(tmp_path, "--takes", "text image")

    assert from_text
    assert not any(each["needs"] for each in from_text)
    assert 0 < len(both) < len(from_text)
    assert all("image" in each["inputs"] for each in both)


async def test_a_limit_in_cny_is_about_a_video_of_the_length_that_is_asked_for(
    tmp_path: Path,
) -> None:
    cheap = await found(tmp_path, "--max-cny", "2")
    long = await found(tmp_path, "--max-cny", "2", "--seconds", "10")
    _, table, _ = await models(tmp_path, "--max-cny", "8", "--seconds", "8")

    assert cheap
    assert cheap[0]["cost_cny"] == 0
    assert max(each["cost_cny"] for each in cheap) <= 2
    assert {each["id"] for each in long} < {each["id"] for each in cheap}
    assert re.search(r" \d[\d.]*/8s\b", table)


@pytest.mark.parametrize("name", ["cogvideox-3", "veo-3.0-generate-001", "MiniMax-Hailuo-02"])
async def test_a_card_says_what_is_known_and_where_it_was_read(tmp_path: Path, name: str) -> None:
    status, out, err = await models(tmp_path, name)
    _, line, _ = await models(tmp_path, name, "--json")

    assert (status, err) == (0, "")
    assert max(map(cells, out.splitlines())) <= 80
    assert out.startswith(name)
    assert "Price: " in out
    assert "duration" in out
    sources = out.partition("\nSources\n")[2]
    assert re.search(r"- .+, read\s+20\d\d-\d\d-\d\d", sources)
    card = json.loads(line)
    assert card["id"] == name
    assert {source["read_on"][:2] for source in card["sources"]} == {"20"}
    assert len(card["sources"]) == sources.count("\n  - ") + sources.startswith("  - ")


@pytest.mark.exhaustive
def test_every_model_has_a_card_that_fits() -> None:
    for name in (*catalogue.models(), catalogue.SANDBOX_MODEL):
        details, _ = model_details(name, None)
        assert details.card
        lines = card_lines(details.card, sources_of(name), width=80)
        assert max(map(cells, lines)) <= 80, name


async def test_what_is_not_known_is_refused_with_what_may_be_meant(tmp_path: Path) -> None:
    unknown, _, near = await models(tmp_path, "kling-video-v2-2")
    wrong, _, takes = await models(tmp_path, "--takes", "imgae")
    length, _, seconds = await models(tmp_path, "--seconds", "many")
    amount, _, cny = await models(tmp_path, "--max-cny=-1")
    nothing, out, _ = await models(tmp_path, "--search", "kling", "--resolution", "8k")

    assert (unknown, wrong, length, amount, nothing) == (1, 2, 2, 2, 0)
    assert "kling-video-v2-1" in near
    assert "image" in takes
    assert "seconds" in seconds
    assert "CNY" in cny
    assert out == "No model is known to suit all of this.\n"


async def test_live_asks_geekai_which_models_it_lists_today(tmp_path: Path) -> None:
    async with running_provider() as service:
        service.models = ["kling-video-v2-6", "brand-new-9"]
        status, out, err = await models(tmp_path, "--live", "--json", **service.settings)
        card = await models(tmp_path, "brand-new-9", "--live", **service.settings)
        table = await models(tmp_path, "--live", **service.settings)

    assert (status, err) == (0, "")
    listed = {each["id"]: each["listed"] for each in map(json.loads, out.splitlines())}
    assert {name for name, is_listed in listed.items() if is_listed} == set(service.models)
    assert set(listed) == {*catalogue.models(), "brand-new-9"}
    assert all(each["listed"] is None for each in await found(tmp_path))
    assert (card[0], table[0]) == (0, 0)
    assert "listed by GeekAI, not described here" in card[1]
    assert "2 of them in GeekAI's list of today" in " ".join(table[1].split())


async def test_live_needs_a_key_and_an_answer(tmp_path: Path) -> None:
    keyless = await models(tmp_path, "--live")
    async with running_provider() as service:
        unanswered = await models(tmp_path, "--live", **service.settings)

    assert (keyless[0], keyless[1]) == (2, "")
    assert "geekai-video-mcp setup" in keyless[2]
    assert (unanswered[0], unanswered[1]) == (1, "")
    assert "could not be read" in unanswered[2]
