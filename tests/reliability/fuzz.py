"""Thousands of hostile tool calls and frames against real servers, with a hostile provider.

    python -m reliability.fuzz --calls 20000 --frames 5000
    python -m reliability.fuzz --seed 7 --first-call 1234 --calls 1 --frames 0

Counts what must not happen: a server that exits, a request without a response, a traceback,
an internal error, a secret or a prompt where it does not belong, invisible characters in what is
shown, a response of any size, memory that grows, and a prompt that is charged twice. A failure
names its seed and number, and the second command runs it again alone.
"""

import argparse
import json
import re
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio

from geekai_video_mcp.quoting import has_hidden
from geekai_video_mcp.server.arguments.json_text import iterate_json
from reliability import hostile_calls
from reliability.hostile_provider import HostileProvider, running_hostile_provider
from reliability.targets import (
    FREE_AT_ONCE,
    NoResponse,
    StdioTarget,
    Target,
    Usage,
    http_target,
    read_token,
    run_numbered,
    stdio_target,
    stop,
    write_line,
)
from support.clips import make_clip
from support.memory import in_memory

KEY: Final = "sk-fuzz-5ecre7-0123456789abcdef"
IN_FLIGHT: Final = 6
"""Requests at a time to each server."""
MAX_SECONDS: Final = 30.0
"""Seconds for one response. The promise is 20, on a machine that has nothing else to do."""
MAX_RESPONSE_CHARS: Final = 100_000
"""Characters of a response without a picture: a page of tasks has less than half."""
FIRST_FINISHED: Final = 10**9
"""Beyond the number of every call."""
WARM_UP: Final = 200
"""Calls until the memory counts: by then every module is imported."""
MAX_GROWTH_MB: Final = 80.0
"""Of a server's memory from then to the end: a thousand tasks that are watched, and caches."""
MAX_PEAK_MB: Final = 700.0
"""A frame of 24 MB is in memory several times: as read, checked, parsed and copied by the SDK."""
MAX_SHOWN: Final = 10
"""Cases of one kind of failure that are printed."""
INTERNAL: Final = re.compile(r'"code":\s*-32603|Error executing tool')


@dataclass
class Report:
    """What went wrong, by kind, and what was measured."""

    failures: dict[str, list[str]] = field(
        default_factory=lambda: defaultdict[str, list[str]](list)
    )
    counts: Counter[str] = field(default_factory=Counter[str])
    slowest: float = 0.0
    slowest_case: str = ""
    token: str | None = None
    ids: list[str] = field(default_factory=list[str])

    def fail(self, kind: str, case: str) -> None:
        self.failures[kind].append(case)

    def check_message(self, text: str) -> None:
        """What is wrong with any message of a server, whatever it answers."""
        if KEY in text or (self.token and self.token in text):
            self.fail("secret in a response", _excerpt(text, KEY if KEY in text else ""))
        if '"id":null' in text:  # the others are checked with the call that they answer
            self.check_internal(text, "to a frame without a readable id")

    def check_internal(self, text: str, case: str) -> None:
        """Whether a response says that the server has failed."""
        if found := INTERNAL.search(text):
            self.fail("internal error", f"{_excerpt(text, found[0])}, {case}")


def _excerpt(text: str, around: str) -> str:
    at = max(0, text.find(around) - 100)
    return ascii(text[at : at + 300])


@dataclass
class Attack:
    """One run: the servers, the provider, and what came of it."""

    seed: int
    folder: Path
    provider: HostileProvider
    targets: list[Target]
    report: Report
    tools: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    async def finish_videos(self) -> None:
        """Have two videos made, which parts of films may be, by a provider that is not hostile."""
        target, hostility, self.provider.hostility = self.targets[0], self.provider.hostility, 0.0
        for number in range(FIRST_FINISHED, FIRST_FINISHED + hostile_calls.FINISHED):
            request = {"prompt": f"{hostile_calls.CANARY} #{number}# a fox"}
            made = await target.call("generate_video", request)
            task_id = made["structuredContent"]["task_id"]
            await target.call("get_video_task", {"task_id": task_id, "wait_seconds": 45})
            self.report.ids.append(task_id)
        self.provider.hostility = hostility

    async def call(self, number: int) -> None:
        """Make call *number* of one of the servers, and check what comes back."""
        target = self.targets[number % len(self.targets)]
        call = hostile_calls.make_call(
            number,
            seed=self.seed,
            tools=self.tools,
            ids=self.report.ids,
            folder=self.folder / "videos",
        )
        case = f"--seed {self.seed} --first-call {number}: {ascii(call)[:300]}"
        started = time.monotonic()
        try:
            result = await target.call(call.tool, call.arguments, max_seconds=MAX_SECONDS)
        except NoResponse as exc:
            self._record_silence(target, f"{case}: {exc}")
            return
        self._check_time(started, case)
        self.report.counts["refused" if result.get("isError") else "done"] += 1
        self._check_result(result, case)

    def _check_result(self, result: dict[str, Any], case: str) -> None:
        without_pictures = [one for one in result.get("content", []) if one.get("type") != "image"]
        shown = {**result, "content": without_pictures}
        written = json.dumps(shown, ensure_ascii=False)
        self.report.check_internal(written, case)
        if len(written) > MAX_RESPONSE_CHARS:
            self.report.fail("large response", f"{len(written):,} characters, {case}")
        for text in _texts(shown):
            if has_hidden(text):
                self.report.fail("invisible characters shown", f"{_hidden_in(text)}, {case}")
                break
        structured: dict[str, Any] = result.get("structuredContent") or {}
        self.report.counts["films shown"] += written.count("Finished (a film)")
        tasks: list[dict[str, Any]] = [structured, *structured.get("tasks", ())]
        self.report.ids += [task["task_id"] for task in tasks if task.get("task_id")]

    def _check_time(self, started: float, case: str) -> None:
        seconds = time.monotonic() - started
        if seconds > self.report.slowest:
            self.report.slowest, self.report.slowest_case = seconds, case

    def _record_silence(self, target: Target, case: str) -> None:
        kind = "exit" if target.process.returncode is not None else "no response"
        self.report.fail(kind, case)

    async def send_frame(self, number: int) -> None:
        """Send frame *number*, and a ping after it, which must be answered."""
        target = self.targets[number % len(self.targets)]
        frame = hostile_calls.make_frame(number, seed=self.seed, tools=self.tools)
        content = frame.content
        if isinstance(target, StdioTarget):
            content = content.replace(b"\n", b" ")
        case = f"--seed {self.seed} --first-frame {number}: {content[:200]!r} ({len(content):,})"
        started = time.monotonic()
        try:
            answer = await target.exchange(content, frame.answer_to, max_seconds=MAX_SECONDS)
            self.report.check_internal(json.dumps(answer), case)
            await target.request("ping", {}, max_seconds=MAX_SECONDS)
        except NoResponse as exc:
            self._record_silence(target, f"{case}: {exc}")
            return
        self._check_time(started, case)
        self.report.counts["frames"] += 1


def _texts(value: object) -> Iterator[str]:
    """Every text and name in a JSON value."""
    for member, _ in iterate_json(value):
        if isinstance(member, str):
            yield member


def _hidden_in(text: str) -> str:
    at = next(number for number, ch in enumerate(text) if has_hidden(ch))
    return ascii(text[max(0, at - 40) : at + 20])


async def attack(
    folder: Path, *, seed: int, calls: range, frames: range, hostility: float = 0.5
) -> Report:
    """Attack two servers that share a folder, and report what came of it."""
    report = Report()
    hostile_calls.make_odd_files(folder / "videos")
    async with running_hostile_provider(seed, KEY, hostility=hostility) as provider:
        provider.video = make_clip(frames=12)  # one that can be joined
        settings = {
            **provider.settings,
            "GEEKAI_MAX_VIDEOS_PER_DAY": "1000000",
            "GEEKAI_MAX_IN_FLIGHT": "1000000",
            **FREE_AT_ONCE,
        }
        async with (
            http_target(folder, report.check_message, **settings) as http,
            stdio_target(folder, report.check_message, **settings) as stdio,
        ):
            report.token = read_token(folder / "state")
            targets: list[Target] = [stdio, http]
            run = Attack(seed, folder, provider, targets, report)
            listed = (await stdio.request("tools/list", {}))["result"]["tools"]
            run.tools = {one["name"]: list(one["inputSchema"]["properties"]) for one in listed}
            await run.finish_videos()
            warm_up = calls[:WARM_UP]
            await run_numbered(warm_up, run.call, in_flight=IN_FLIGHT * len(targets))
            before = [target.usage for target in targets]
            await run_numbered(calls[WARM_UP:], run.call, in_flight=IN_FLIGHT * len(targets))
            for target in targets:
                report.counts[f"{target.name} MB after the calls"] = round(target.usage.rss_mb)
            await run_numbered(frames, run.send_frame, in_flight=IN_FLIGHT * len(targets))
            for target, usage in zip(targets, before, strict=True):
                await _check_end(target, usage, report)
        _check_traces(folder, provider, report)
    return report


async def _check_end(target: Target, before: Usage, report: Report) -> None:
    """Memory, and that the server ends as it should, a line that is cut off included."""
    after = target.usage
    report.counts[f"{target.name} MB at first"] = round(before.rss_mb)
    report.counts[f"{target.name} MB at last"] = round(after.rss_mb)
    report.counts[f"{target.name} MB at most"] = round(after.peak_mb)
    if after.rss_mb - before.rss_mb > MAX_GROWTH_MB or after.peak_mb > MAX_PEAK_MB:
        report.fail("memory", f"{target.name}: {before} became {after}")
    if isinstance(target, StdioTarget) and target.process.stdin is not None:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await target.process.stdin.send(b'{"jsonrpc":"2.0","id":1,"meth')
    status = await stop(target)
    if status not in {0, -15, 143}:
        report.fail("exit", f"{target.name} ended with {status}")


def _check_traces(folder: Path, provider: HostileProvider, report: Report) -> None:
    """Logs, ledger and charges."""
    for log in folder.glob("*.stderr"):
        text = log.read_text("utf-8", "replace")
        report.counts["log KB"] += len(text) // 1024
        for traceback in text.split("Traceback (most recent call last)")[1:]:
            report.fail("traceback", f"{log.name}: {traceback[-400:]!a}")
        for what, secret in (("key", KEY), ("token", report.token), ("prompt", "canary-prompt")):
            if secret and secret in text:
                report.fail(f"{what} in a log", f"{log.name}: {_excerpt(text, secret)}")
    for path in (folder / "state").rglob("*"):
        if path.is_file() and path.name != "http-token" and KEY.encode() in path.read_bytes():
            report.fail("key on disk", str(path.name))
    for number, times in provider.charges.items():
        if times > 1 and number != "0":
            report.fail("charged twice", f"--first-call {number}: {times} times")
    for request in provider.without_key:
        report.fail("without key", ascii(request))
    report.counts["charges"] = provider.charges.total()


def summarize(report: Report, seconds: float) -> str:
    """One line about the whole run."""
    bad = {kind: len(cases) for kind, cases in report.failures.items()} or "no failure"
    counts = ", ".join(f"{count:,} {name}" for name, count in report.counts.items() if count)
    return f"{bad}: {counts}; slowest {report.slowest:.1f} s; {seconds:.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--frames", type=int, default=5_000)
    parser.add_argument("--first-call", type=int, default=0)
    parser.add_argument("--first-frame", type=int, default=0)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=in_memory(), prefix="fuzz-"))
    calls = range(options.first_call, options.first_call + options.calls)
    frames = range(options.first_frame, options.first_frame + options.frames)
    started = time.monotonic()

    async def run() -> Report:
        return await attack(folder, seed=options.seed, calls=calls, frames=frames)

    report = anyio.run(run)
    write_line(f"fuzz, seed {options.seed}: {summarize(report, time.monotonic() - started)}")
    write_line(f"  slowest: {report.slowest_case}")
    for kind, cases in report.failures.items():
        for case in cases[:MAX_SHOWN]:
            write_line(f"  {kind}: {case}")
    if not report.failures:
        shutil.rmtree(folder)
    else:
        write_line(f"  the files of the run are in {folder}")
    sys.exit(1 if report.failures else 0)


if __name__ == "__main__":
    main()
