"""Tool calls and raw frames that are wrong in every way that a seed can think of.

Call or frame N of a seed is always the same, whatever came before it, except for the task ids
that it refers to: so one of them can be run again alone.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from geekai_video_mcp.domain import catalogue
from reliability import hostile_values as hostile

CANARY: Final = "canary-prompt"
"""In every prompt: it may stand in a response, and never in a log."""
HEAVY: Final = 0.004
"""Share of frames with 25 MB: each takes a second."""
ONE_ODD_SETTING: Final = 0.4
"""Share of the requests that are good but for one setting, so that no other check refuses them."""
SETTINGS: Final = ("model", "size", "aspect_ratio", "resolution", "quality", "negative_prompt")
GOOD: Final[Mapping[str, Sequence[Any]]] = {
    "model": ("veo-3.1-fast-generate-preview", "kling-video-v1-6", "cogvideox-3", "sora-2"),
    "negative_prompt": ("blurry", "{0}"),
    "image": ("https://example.com/a.png",),
    "image_tail": ("https://example.com/b.png",),
    "images": (["https://example.com/a.png"] * 3,),
    "video": ("https://example.com/a.mp4",),
    "audio": (["https://example.com/a.mp3"],),
    "idempotency_key": ("same", "{0}", "%s"),
    "mask": ("https://example.com/m.png",),
    "style_preset": ("anime", "{model}"),
    "output_format": ("png", "webp"),
    "background": ("opaque",),
    "size": ("1280x720",),
    "aspect_ratio": ("16:9", "1:1", "7:3"),
    "resolution": ("720p", "1080P", "4k"),
    "quality": ("speed", "pro"),
    "duration": (5, "5", 8),
    "fps": (30,),
    "watermark": (False,),
    "with_audio": (True,),
    "extra_body": ({"camera_control": {"config": {"pan": 5, "tilt": 99}}}, {"seed": 7}),
    "retries": (0, 1),
    "variation": (1, 2, 3),
    "strength": (0.5,),
    "task_id": ("aaaaaaaa",),
    "status": ("succeed", "unknown"),
    "limit": (1, 50),
    "query": ("veo",),
    "seconds": (5,),
    "free": (True,),
}
PARTS: Final = (
    *("{id}", "task:{id}", "{id}@0.1-", "{id}@-0.2", "{id}@0.04-0.12", "video://tasks/{id}"),
    *("{id}@1e400-", "{id}@-1-2", "{id}@5-1", "{id}@99999-", "{id}@1", "{id}@--", "{id}@@1-2"),
    *("{id}@\u202e1-2", "{id}@%s-", "{id}@0:00.1-end", "/srv/fox-{id}.mp4@0-1"),
)
"""Parts of a film, good and bad."""
NEEDED: Final = frozenset({"task_id", "parts"})
"""Arguments without which a call is refused at once."""
FINISHED: Final = 2
"""Of the first ids: their videos are on this machine."""
Tools = Mapping[str, Sequence[str]]
"""The names of each tool's arguments."""


@dataclass(frozen=True)
class Call:
    """One tool call."""

    tool: str
    arguments: dict[str, Any]


def dice_for(seed: int, kind: str, number: int) -> random.Random:
    """The dice of one call or frame."""
    return random.Random(f"{seed} {kind} {number}")  # noqa: S311 - a test's own dice


def make_call(number: int, *, seed: int, tools: Tools, ids: Sequence[str], folder: Path) -> Call:
    """Call *number*; it may refer to *ids*, and to the odd files in *folder*."""
    dice = dice_for(seed, "call", number)
    if dice.random() < 0.01:
        return Call(hostile.text(dice) or "x", {hostile.text(dice): hostile.value(dice)})
    tool = dice.choice(list(tools))
    wild = dice.choice((0.0, 0.0, 0.3, 1.0))
    share = dice.choice((0.05, 0.3))
    names = [
        name
        for name in tools[tool]
        if name in NEEDED or (dice.random() < share and (wild or name in GOOD))
    ]
    arguments: dict[str, Any] = {name: _argument(name, dice, wild, ids, folder) for name in names}
    if tool.startswith("generate"):
        if dice.random() < ONE_ODD_SETTING:
            arguments = {
                "model": dice.choice(list(catalogue.models())),
                dice.choice(SETTINGS): dice.choice((*hostile.FORMATS, *hostile.INVISIBLE)),
            }
        arguments["prompt"] = _prompt(number, dice, wild)
        if dice.random() < 0.5:
            arguments["dry_run"] = True
        elif arguments.get("dry_run") is True:
            del arguments["dry_run"]
        arguments["async"] = True  # else it could wait 45 s for a job that may never end
    if "wait_seconds" in tools[tool]:
        arguments["wait_seconds"] = 0
        # A picture is a child process with codecs: a few of them are enough.
        if dice.random() < 0.98:
            arguments["view"] = "none"
    if dice.random() < 0.02:
        arguments[hostile.text(dice)] = hostile.value(dice)
    return Call(tool, arguments)


def _prompt(number: int, dice: random.Random, wild: float) -> Any:  # noqa: ANN401 - JSON
    if dice.random() < 0.05:
        return hostile.value(dice)
    words = hostile.text(dice)[:15_000] if dice.random() < max(wild, 0.2) else "a fox"
    return f"{CANARY} #{number}# {words}"


def _choose_id(dice: random.Random, ids: Sequence[str]) -> str:
    """One of the last ids, by one throw in any case: alone, the call has to be the same."""
    share, latest = dice.random(), ids[-50:] or ("0" * 32,)
    return latest[int(share * len(latest))]


def _parts(dice: random.Random, ids: Sequence[str]) -> Any:  # noqa: ANN401 - JSON
    """The parts of a film as a list, as a text, or as objects."""
    # A film is a child process with codecs: a few of them are enough.
    known = ids[:FINISHED] if dice.random() < 0.3 else ids
    named = [_choose_id(dice, known) for _ in range(dice.choice((1, 2, 3, 61)))]
    texts = [dice.choice(PARTS if dice.random() < 0.3 else PARTS[:3]) for _ in named]
    parts = [text.replace("{id}", name) for text, name in zip(texts, named, strict=True)]
    members = [{"task": name, "from": dice.choice((0, 0.04, *hostile.NUMBERS))} for name in named]
    odd = [*parts, hostile.value(dice)]
    return dice.choice((parts, parts, ", ".join(parts), json.dumps(parts), members, odd))


def _argument(name: str, dice: random.Random, wild: float, ids: Sequence[str], folder: Path) -> Any:  # noqa: ANN401 - JSON
    known = _choose_id(dice, ids)
    if dice.random() < wild:
        return hostile.value(dice)
    if name == "parts":
        return _parts(dice, ids)
    if name == "task_id" and dice.random() < 0.8:
        return known
    if name in FILES and dice.random() < 0.5:
        file = f"{folder}/{dice.choice(ODD_FILES)}"
        return dice.choice((f"task:{known}", file, f"file://{file}", hostile.text(dice)))
    return dice.choice(GOOD.get(name, (hostile.value(dice),)))


FILES: Final = frozenset({"image", "image_tail", "mask", "images", "video", "audio"})
"""Arguments that take a file or a task."""
ODD_FILES: Final = ("pipe", "zero", "passwd", "loop", "folder", ".hidden.png", "text.png", "none")


def make_odd_files(folder: Path) -> None:
    """Files in the output folder that are no pictures, or lead out of it."""
    import os  # noqa: PLC0415 - only here

    folder.mkdir(parents=True, exist_ok=True)
    os.mkfifo(folder / "pipe")
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "passwd").symlink_to("/etc/passwd")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "folder").mkdir()
    (folder / ".hidden.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "text.png").write_text("no picture", "utf-8")


@dataclass(frozen=True)
class Frame:
    """The bytes of one message, without the end of the line."""

    content: bytes
    answer_to: int | str | None = None
    """The id whose response must come; None if none can be told."""


def make_frame(number: int, *, seed: int, tools: Tools) -> Frame:
    """Frame *number*."""
    dice = dice_for(seed, "frame", number)
    name = f"f{number}"
    if dice.random() < HEAVY:
        return dice.choice(_heavy_frames(name))
    params = {"name": dice.choice(list(tools)), "arguments": {"prompt": CANARY, "dry_run": True}}
    whole = _message(name, "tools/call", params)
    return dice.choice((_valid_json_frame, _broken_frame, _deep_frame, _odd_request))(
        dice, name, whole
    )


def _message(id_: object, method: object, params: object) -> bytes:
    message = {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}
    return json.dumps(message).encode()


def _valid_json_frame(dice: random.Random, name: str, whole: bytes) -> Frame:
    """Valid JSON, and no valid message, or one with an odd id."""
    del name
    single = json.loads(whole)
    ids: tuple[object, ...] = (None, True, 1.5, -1, 2**70, [], {}, "", "x" * 5000, "\u202e", "\0")
    odd: tuple[object, ...] = (
        [single],
        [single] * 50,
        [],
        {},
        None,
        "text",
        7,
        {**single, "id": dice.choice(ids)},
        {**single, "jsonrpc": dice.choice(("1.0", 2, None))},
        {**single, "method": dice.choice((None, 7, "", "x" * 9000, hostile.text(dice)))},
        {**single, "params": dice.choice((None, [], 7, "x", [single]))},
        {**single, "result": {}},
        {k: v for k, v in single.items() if k != "id"},
        {k: v for k, v in single.items() if k != "method"},
        {"jsonrpc": "2.0", "id": dice.choice(ids), "result": hostile.value(dice)},
        {"jsonrpc": "2.0", "id": dice.choice(ids), "error": {"code": 1, "message": "x"}},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}},
        {"jsonrpc": "2.0", "method": hostile.text(dice), "params": {}},
    )
    return Frame(json.dumps(dice.choice(odd)).replace("\n", "").encode())


def _broken_frame(dice: random.Random, name: str, whole: bytes) -> Frame:
    """No valid JSON in UTF-8, or valid JSON in an odd dress."""
    at = dice.randrange(1, len(whole))
    twice = whole.replace(b'"jsonrpc"', b'"method":"x","jsonrpc"')
    broken = (
        Frame(whole[:at]),
        Frame(whole[:at] + b"\0" + whole[at:]),
        Frame(whole[:at] + bytes(dice.randrange(128, 256) for _ in range(3)) + whole[at:]),
        Frame(whole[:at] + bytes(dice.randrange(32, 127) for _ in range(2)) + whole[at:]),
        Frame(b"\xef\xbb\xbf" + whole),
        Frame(whole + b"\r", name),
        Frame(b"   " + whole + b" \t ", name),
        Frame(b"\r"),
        Frame(b"\0"),
        Frame(whole + whole),
        Frame(b"Content-Length: 10\r"),
        Frame(b"GET / HTTP/1.1\r"),
        Frame(twice),
        Frame(whole.replace(b"true", b"NaN")),
        Frame(whole.replace(CANARY.encode(), b"\\ud800"), name),
        Frame(whole.replace(CANARY.encode(), b"\\\\\\ud83d\\ude00\\udc00"), name),
        Frame(whole.replace(b"true", b"1" * 5000)),
        Frame(whole.replace(b"true", b"1e999")),
    )
    return dice.choice(broken)


def _deep_frame(dice: random.Random, name: str, whole: bytes) -> Frame:
    depth = dice.choice((20, 190, 210, 5000, 100_000))
    opened, closed = dice.choice(((b"[", b"]"), (b'{"a":', b"}")))
    deep = opened * depth + b"1" + closed * depth
    return dice.choice(
        (
            Frame(deep),
            Frame(opened * depth),
            Frame(whole.replace(b"true", deep), name if depth < 100 else None),
            Frame(_message(name, "tools/call", json.loads(b"[" * 90 + b"]" * 90))),
        )
    )


def _odd_request(dice: random.Random, name: str, whole: bytes) -> Frame:
    """A request that must have its response, whatever it asks for."""
    method, params = dice.choice(
        (
            ("tools/call", {"name": hostile.value(dice), "arguments": hostile.value(dice)}),
            ("tools/call", {"name": "list_video_models", "arguments": {}, "_meta": {}}),
            ("tools/list", {"cursor": hostile.text(dice)}),
            ("resources/read", {"uri": f"video://tasks/{hostile.text(dice)}"}),
            ("resources/read", {"uri": hostile.value(dice)}),
            ("resources/list", {"cursor": hostile.text(dice)}),
            ("prompts/get", {"name": "storyboard", "arguments": {"topic": hostile.text(dice)}}),
            ("prompts/get", {"name": hostile.text(dice), "arguments": {}}),
            ("completion/complete", {"ref": hostile.value(dice), "argument": {}}),
            ("logging/setLevel", {"level": hostile.text(dice)}),
            ("ping", {}),
            (hostile.text(dice), {"x": hostile.value(dice)}),
        )
    )
    del whole
    try:
        return Frame(_message(name, method, params), name)
    except ValueError:  # a number that json does not write
        return Frame(_message(name, method, {}), name)


def _heavy_frames(name: str) -> tuple[Frame, ...]:
    """Frames of about 25 MB, most of them of many small values."""
    head = b'{"jsonrpc":"2.0","id":"' + name.encode() + b'","method":"tools/call","params":{"a":'
    return (
        Frame(head + b'"' + b"x" * 25_000_000 + b'"}}', name),
        Frame(head + b'"' + b"x" * 23_000_000 + b'"}}', name),
        Frame(head + b'"' + b"\\\\" * 11_000_000 + b'\\ud800"}}', name),
        Frame(head + b"[" + b"[]," * 7_500_000 + b"1]}}", name),
        Frame(head + b'"' + b"," * 23_000_000 + b'"}}', name),
        Frame(b"[" * 24_000_000),
        Frame(b"x" * 25_000_000),
    )
