"""Tables at a terminal: within its width, without torn words, in any script and any locale."""

import re
import subprocess
import sys
import time
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

pytest.importorskip("pty", reason="there are no pseudo-terminals on Windows")

from geekai_video_mcp.domain.statuses import FileStatus, Status
from geekai_video_mcp.domain.tasks import Task, new_task
from support.ledgers import record_tasks
from support.process import environment
from support.pty_output import run_in_terminal

LONG = "a small red fox jumping over a frozen river while snow falls slowly on the mountains"
CHINESE = "一只狐狸在雪中奔跑，黄昏的光线温暖而悠长，镜头缓缓推进，远处的山脊被染成金色"
PROMPTS = [
    LONG,
    CHINESE,
    "e\u0301te\u0301 a\u0300 la plage, " * 6,
    "여우가 눈 속을 달린다 " * 6,
    unicodedata.normalize("NFD", "여우가 눈 속을 달린다 ") * 6,
    "👩‍💻👨‍👩‍👧‍👦🇨🇳❤️ waves " * 6,
    "x" * 200,
]


def task(prompt: str, **changes: Any) -> Task:  # noqa: ANN401 - any field's own type
    model = changes.get("model", "veo-3.1-fast-generate-preview")
    request = {"model": model, "prompt": prompt, "duration": 8}
    made = new_task(
        request=request,
        account="https://geekai.co/api/v1#0123456789ab",
        owner="gone",
        at=time.time() - changes.pop("age", 0),
    )
    return replace(made, **{"status": Status.RUNNING, "attempt": 1, "price_cny": 12.25, **changes})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("terminal")
    made = [task(prompt, age=n) for n, prompt in enumerate(PROMPTS)]
    made += [
        task(
            LONG,
            age=50,
            status=Status.SUCCEED,
            file_status=FileStatus.STORED,
            file_path=f"/videos/{'small-red-fox-' * 6}.mp4",
            file_width=1920,
            file_height=1080,
            file_seconds=8.04,
        ),
        task(LONG, age=60, status=Status.FAILED, error_code="content_policy_violation"),
        task(LONG, age=70, status=Status.UNKNOWN, model="m" * 64, error_code="no_answer"),
    ]
    anyio.run(record_tasks, folder / "state", *made)
    return folder


def cells(line: str) -> int:
    """The width of a line, by the rules of the terminals that people use."""
    joining = [ch for ch in line if "\u1160" <= ch <= "\u11ff" or unicodedata.combining(ch)]
    return sum(2 if unicodedata.east_asian_width(ch) in "WF" else 1 for ch in line) - len(joining)


UTF8 = {"LANG": "C.UTF-8"}
TABLES = [
    ["tasks"],
    ["tasks", "--search", "fox"],
    ["spent"],
    ["spent", "--by", "month"],
    ["spent", "--by", "model"],
    ["models"],
    ["models", "--max-cny", "8"],
    ["tokens", "list"],
    ["install"],
]


@pytest.mark.parametrize(
    "columns",
    [80, *(pytest.param(wider, marks=pytest.mark.exhaustive) for wider in (120, 200))],
)
@pytest.mark.parametrize("command", TABLES, ids=" ".join)
def test_a_table_is_within_the_terminal(folder: Path, command: list[str], columns: int) -> None:
    status, shown = run_in_terminal(folder, *command, columns=columns, settings=UTF8)

    assert status == 0
    assert [line for line in shown.decode().splitlines() if cells(line) > columns] == []
    assert b"\x1b" not in shown


@pytest.mark.parametrize("columns", [80, 120])
def test_no_word_and_no_id_is_torn(folder: Path, columns: int) -> None:
    _, shown = run_in_terminal(folder, "tasks", columns=columns, settings=UTF8)
    out = shown.decode()

    assert out.count("veo-3.1-fast-generate-preview") == len(PROMPTS) + 2
    assert "m" * 64 in out
    assert len(re.findall(r"^[0-9a-f]{8} ", out, re.MULTILINE)) == len(PROMPTS) + 3
    words = set(LONG.split())
    cut = [line.partition("…")[0] for line in out.splitlines() if "small red" in line]
    assert cut
    for line in cut:
        assert line.split()[-1] in words
    if columns == 80:
        assert "content_policy_violation: a small red fox" in out


@pytest.mark.parametrize(
    "locale", [{"LC_ALL": "C"}, {"LANG": "C"}, {"LANG": "POSIX"}, {"LC_CTYPE": "C", "LANG": "C"}]
)
@pytest.mark.parametrize("command", [["tasks"], ["models"], ["tasks", "--json"]], ids=" ".join)
def test_in_the_c_locale_a_terminal_is_shown_ascii_in_the_same_columns(
    folder: Path, command: list[str], locale: dict[str, str]
) -> None:
    status, shown = run_in_terminal(folder, *command, settings=locale)
    _, wide = run_in_terminal(folder, *command, settings=UTF8)

    assert status == 0
    assert shown.isascii()
    assert b"Error" not in shown
    if "--json" not in command:
        assert [*map(len, shown.splitlines())] == [*map(cells, wide.decode().splitlines())]
    if command == ["tasks"]:
        assert b"while snow falls slowly~" in shown
        assert "…" in wide.decode()


@pytest.mark.parametrize("locale", [{}, {"LANG": "zh_CN.UTF-8"}, {"LC_ALL": "C.UTF-8"}])
def test_elsewhere_and_where_no_locale_is_set_every_script_is_shown(
    folder: Path, locale: dict[str, str]
) -> None:
    status, shown = run_in_terminal(folder, "tasks", settings=locale)

    assert status == 0
    assert CHINESE[:20] in shown.decode()
    assert "…" in shown.decode()


LOADED = """
import sys
from geekai_video_mcp.cli import main
status = main(sys.argv[1:])
sys.stderr.write(" ".join(sys.modules))
sys.exit(status)
"""


@pytest.mark.parametrize(
    "command", [["tasks"], ["spent"], ["models"], ["models", "sora-2"]], ids=" ".join
)
def test_a_table_is_made_without_what_takes_long_to_load(folder: Path, command: list[str]) -> None:
    done = subprocess.run(  # noqa: S603 - our own program, which says what it has loaded
        [sys.executable, "-c", LOADED, *command],
        env=environment(folder),
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=50,
    )

    loaded = set(done.stderr.split())
    assert "geekai_video_mcp.cli.table" in loaded
    assert not loaded & {"rich", "mcp", "httpx", "av", "PIL", "numpy", "geekai_video_mcp.app"}
