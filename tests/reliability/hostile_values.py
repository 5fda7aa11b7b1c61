"""Hostile values: what a model, a host, a person or a provider may send where a text belongs.

Everything comes from a `random.Random`, so the same seed makes the same values.
"""

import base64
import json
import random
from collections.abc import Callable
from typing import Any, Final

FORMATS: Final = (
    "{0}",
    "}",
    "{",
    "{model:>1000000000}",
    "{model.__class__.__mro__}",
    "{model!r:*^2000000}",
    "%s%s%s%n",
    "%(key)1000000000d",
    "%",
    "${GEEKAI_API_KEY}",
    "$GEEKAI_API_KEY",
    "$(id)",
    "`id`",
    "; rm -rf /",
    "| cat /etc/passwd",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "\\1\\g<0>",
    "(a+)+$",
    "[",
    "(?P<a>",
    "*",
    "a" * 40 + "!",
    "'; DROP TABLE task; --",
    '" OR 1=1 --',
    "=cmd|'/C calc'!A0",
    "@SUM(1+1)",
    "+1",
    "-1",
)
INVISIBLE: Final = (
    "a\u202eb",
    "\u2066x\u2069",
    "z\u200bw",
    "\ufeffbom",
    "tag\U000e0041",
    "vs\ufe0f",
    "fill\u3164",
    "pua\ue000",
    "ls\u2028ps\u2029",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "bell\x07",
    "back\x08\x08",
    "nel\x85",
    "del\x7f",
)
NOTHINGS: Final = ("", " ", "null", "undefined", "None", "nil", "NaN", "${input}", "[]", "{}", "\t")
UNICODE: Final = (
    "雪の中の狐",
    "🦊👩‍👩‍👧",
    "ثعلب",
    "e\u0301\u0301\u0301",
    "\ud83d",
    "\udfff",
    "\uffff",
    "ﬀ",
    "İ",
)
PATHS: Final = (
    "../../etc/passwd",
    "/etc/passwd",
    "/dev/zero",
    "/dev/stdin",
    "/proc/self/environ",
    "~root/.ssh/id_rsa",
    "file:///etc/passwd",
    "file://host/etc/passwd",
    "file:///%00",
    "C:\\Windows\\win.ini",
    "\\\\host\\share\\x.png",
    "/srv/\0.png",
    "//etc//passwd",
    ".",
    "..",
    "/",
    "x/../../y.png",
)
LINKS: Final = (
    "http://127.0.0.1/x.png",
    "https://localhost/x.png",
    "https://169.254.169.254/latest/meta-data",
    "https://[::1]/x",
    "https://0x7f000001/x",
    "https://user:pass@example.com/x.png",
    "https://example.com:0/x",
    "https://example.com:99999/x",
    "https://[bad/x",
    "https://exa mple.com/x",
    "https://example.com/x.png",
    "https://例え.jp/x.png",
    "javascript:alert(1)",
    "ftp://example.com/x",
    "https:///x",
    "https://" + "a." * 2000 + "com/",
)
DATA_URIS: Final = (
    "data:",
    "data:image/png;base64,",
    "data:image/png;base64,%%%",
    "data:image/png;base64,AAAA",
    "data:image/svg+xml;base64,PHN2Zz4=",
    "data:text/html,<script>",
    "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(64)).decode(),
    "data:image/jpeg;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(64)).decode(),
    "data:image/png;base64," + "A" * 200_000,
)
REFERENCES: Final = (
    "task:",
    "task: ",
    "task:..",
    "task:x",
    "task:" + "0" * 32,
    "task:" + "a" * 129,
    "TASK:abc",
    "task:abc@2.5",
    "task:abc@-1",
    "task:abc@1e400",
    "task:%2e%2e",
)
NUMBERS: Final = (
    *(0, -1, 1, 5, 60, 2**31, 2**63, 2**64, -(2**64), 10**400, 0.1, -0.0, 1e308, 1e-320),
    *(float("nan"), float("inf"), float("-inf"), True, False),
)


def text(dice: random.Random) -> str:
    """A text of any kind; a long one now and then."""
    kind = dice.random()
    if kind < 0.02:
        return dice.choice((*FORMATS, *INVISIBLE, "a", "ß")) * dice.randrange(1000, 20_000)
    if kind < 0.2:
        return "".join(dice.choice((*FORMATS, *INVISIBLE, *UNICODE)) for _ in range(3))
    pools = (FORMATS, INVISIBLE, NOTHINGS, UNICODE, PATHS, LINKS, DATA_URIS, REFERENCES)
    return dice.choice(dice.choice(pools))


def nested(dice: random.Random, depth: int) -> Any:  # noqa: ANN401 - JSON
    """Lists and objects in each other, *depth* levels deep."""
    value: Any = text(dice)
    for _ in range(depth):
        value = [value] if dice.random() < 0.5 else {text(dice)[:20]: value}
    return value


def value(dice: random.Random) -> Any:  # noqa: ANN401 - JSON
    """Any JSON value."""
    kinds: tuple[tuple[int, Callable[[random.Random], Any]], ...] = (
        (50, text),
        (15, lambda dice: dice.choice(NUMBERS)),
        (5, lambda _: None),
        (10, lambda dice: [value(dice) for _ in range(dice.randrange(4))]),
        (10, lambda dice: {text(dice)[:40]: value(dice) for _ in range(dice.randrange(4))}),
        (3, json_text),
        (4, lambda dice: nested(dice, dice.choice((2, 15, 17, 60, 150)))),
        (3, lambda dice: [dice.choice((0, "", False))] * dice.choice((10, 31, 3000))),
    )
    weights = [weight for weight, _ in kinds]
    return dice.choices([make for _, make in kinds], weights)[0](dice)


def json_text(dice: random.Random) -> str:
    """JSON as a text, valid or not, and sometimes deep."""
    depth = dice.choice((1, 16, 400, 900, 5000, 100_000))
    opened, closed = dice.choice((("[", "]"), ('{"a":', "}")))
    whole = opened * depth + "1" + closed * depth
    written = json.dumps({"type": "simple", "config": {text(dice)[:9]: dice.choice(NUMBERS[:9])}})
    return dice.choice((whole, opened * depth, written, written[:-2], '{"config":[NaN,1e999]}'))
