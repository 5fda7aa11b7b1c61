"""The tables of the documents that are written from the program: its tools, commands and models.

`scripts/tables --write` puts them between their two comments, and a test holds each document to
them.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from geekai_video_mcp import cli
from geekai_video_mcp.cli.hosts import PRINTED
from geekai_video_mcp.domain import catalogue
from geekai_video_mcp.domain.catalogue import Model
from support import ROOT

SNAPSHOTS: Final = ROOT / "tests" / "snapshots" / "tools"
ORDER: Final = (
    "generate_video",
    "get_video_task",
    "view_video",
    "join_videos",
    "generate_image",
    "list_video_tasks",
    "list_video_models",
)
"""The tools as a reader meets them."""
CHINESE: Final[Mapping[str, str]] = {
    "generate_video": "按提示词生成视频，可以从一张图片开始，也可以在一张图片上结束",
    "get_video_task": "查询视频、图片或影片的状态，可以等它完成",
    "view_video": "查看成片：画面总览、单张画面，或指定秒数的画面",
    "join_videos": "把成片按顺序合成一部影片，裁剪，或换上音乐；在本机进行，免费",
    "generate_image": "生成一张图片，例如视频的首帧",
    "list_video_tasks": "列出本机的全部任务，最新的在前",
    "list_video_models": "各个模型支持什么、多长、多少钱",
}


def published_tools() -> dict[str, dict[str, Any]]:
    """The tools as they are published, which a test holds their snapshots to."""
    return {name: json.loads((SNAPSHOTS / f"{name}.json").read_text("utf-8")) for name in ORDER}


def rendered() -> dict[str, dict[str, str]]:
    """What stands between the comments of each document: path, then the comments' name."""
    return {
        "README.md": {"tools": tool_table("Tool", "What it does", "Arguments")},
        "README.zh-CN.md": {"tools": tool_table("工具", "作用", "参数", CHINESE)},
        "docs/tools.md": {"tools": tool_reference()},
        "docs/hosts.md": {"printed": printed_hosts()},
        "docs/command-line.md": {"commands": command_table()},
        "docs/models.md": {"models": model_table()},
    }


def with_tables(text: str, tables: Mapping[str, str]) -> str:
    """*text* with each table between its comments."""
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            msg = f"the comments of {name} have to stand there once"
            raise ValueError(msg)
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}{table}{end}{rest.partition(end)[2]}"
    return text


def tool_table(tool: str, does: str, takes: str, words: Mapping[str, str] | None = None) -> str:
    """A row for each tool: the first sentence of its description, and its arguments."""
    rows = [
        (
            f"`{name}`",
            (words or {}).get(name) or first_sentence(published["description"]),
            ", ".join(f"`{argument}`" for argument in published["inputSchema"]["properties"]),
        )
        for name, published in published_tools().items()
    ]
    return table((tool, does, takes), rows)


def first_sentence(text: str) -> str:
    return re.split(r"(?<=[.:;]) ", text, maxsplit=1)[0].rstrip(".:;")


def tool_reference() -> str:
    """All about each tool: its description, and a row for each argument."""
    return "\n".join(
        f"## {name}\n\n{published['description']}\n\n"
        + table(("argument", "type", "meaning"), argument_rows(published["inputSchema"]))
        for name, published in published_tools().items()
    )


def argument_rows(schema: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    required = schema.get("required", [])
    return [
        (
            f"`{name}`" + (", required" if name in required else ""),
            type_of(argument),
            argument.get("description", ""),
        )
        for name, argument in schema["properties"].items()
    ]


def type_of(argument: Mapping[str, Any]) -> str:
    """The type of an argument, with its values or its limits."""
    if "enum" in argument:
        return ", ".join(f"`{value}`" for value in argument["enum"])
    kinds = argument.get("anyOf") or [argument]
    words = " or ".join(dict.fromkeys(one_type(kind) for kind in kinds))
    if "minimum" in argument and "maximum" in argument:
        return f"{words}, {argument['minimum']} to {argument['maximum']}"
    return words


def one_type(kind: Mapping[str, Any]) -> str:
    word = kind.get("type", "any")
    if isinstance(word, list):
        return " or ".join(str(each) for each in word)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON
    return f"list of {one_type(kind['items'])}s" if word == "array" and "items" in kind else word


def command_table() -> str:
    rows = [(f"`geekai-video-mcp {name}`", purpose) for name, purpose in cli.COMMANDS.items()]
    return table(("command", "what it does"), rows)


def printed_hosts() -> str:
    """The further hosts of `install --print`, by the name that it takes."""
    rows = [(host.title, f"`{host.name}`") for host in PRINTED.values()]
    return table(("host", "HOST"), rows)


def model_table() -> str:
    """A row for each model of which a video comes."""
    rows = [
        (f"`{model.id}`", model.maker, inputs(model), lengths(model), price(model))
        for model in sorted(catalogue.models().values(), key=lambda one: one.maker)
        if catalogue.makes_video(model)
    ]
    return table(("model", "maker", "takes", "seconds", "CNY"), rows)


INPUTS: Final[Mapping[str, str]] = {
    "text": "text",
    "first_frame": "first frame",
    "last_frame": "last frame",
    "references": "pictures",
    "video": "video",
    "sound": "makes sound",
}


def inputs(model: Model) -> str:
    known = (
        word for fact, word in INPUTS.items() if (found := model.facts.get(fact)) and found.value
    )
    return ", ".join(known)


def lengths(model: Model) -> str:
    fact = model.facts.get("seconds")
    if fact is None:
        return ""
    value: Any = fact.value
    return ", ".join(str(each) for each in value) if isinstance(value, list) else str(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON


def price(model: Model) -> str:
    listed = catalogue.price(model.id)
    if listed is None:
        return ""
    some = ", with some settings" if listed.when else ""
    return "free" if listed.cny == 0 else f"{listed.cny:g} per {listed.per}{some}"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
