"""A key as people and programs hand it over: cleaned, refused, or no key at all."""

import re
import unicodedata
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from geekai_video_mcp.config.small_files import read_small_file
from geekai_video_mcp.config.values import check_characters, is_reference

MAX_KEY_BYTES: Final = 16 * 1024
"""Bytes that are read for a key; one has about fifty."""
SHOWN_END: Final = 4
"""Characters of a key that are shown."""
MIN_LENGTH: Final = 16
"""Of a shorter key nothing is shown: four characters would be a good part of it."""


class UnusableKey(ValueError):
    """What stands where a key belongs is none; `str()` of it follows the variable's name."""


def parse_key(value: str) -> SecretStr | None:
    """The key without what surrounds it; None if nothing is left.

    Raises:
        UnusableKey: it is a placeholder, or a reference that no program has replaced.
        ValueError: it is meant for a key and cannot be one. Neither repeats it.
    """
    check_characters(value)
    key = _unwrap(value)
    if is_reference(key) or _KEY_REFERENCE.fullmatch(key):
        msg = "refers to another variable, which the program that starts this server left as it is"
        raise UnusableKey(msg)
    if (
        (value.strip() and not key and _SCHEME.search(value))
        or _PLACEHOLDER.fullmatch(key)
        or any(word in key for word in _PLACEHOLDER_WORDS)
    ):
        msg = "is a placeholder and not a key"
        raise UnusableKey(msg)
    if not key:
        return None
    if not key.isascii() or not key.isprintable() or " " in key:
        msg = "must be printable ASCII without spaces; copy the key again from GeekAI's console"
        raise ValueError(msg)
    if set(key) & set("\"'`;,"):
        msg = (
            "contains a quotation mark, a comma or a semicolon, which no key has; copy the key"
            " again from GeekAI's console"
        )
        raise ValueError(msg)
    return SecretStr(key)


def read_key_line(path: Path) -> str:
    """The one line of a key file, which may be anything else than a key.

    Raises:
        ValueError: why there is none, in words that follow the path.
    """
    try:
        text = read_small_file(path, max_bytes=MAX_KEY_BYTES).text.strip()
    except (FileNotFoundError, NotADirectoryError):
        msg = "does not exist"
        raise ValueError(msg) from None
    if not text or len(text.splitlines()) > 1:
        msg = f"{'has several lines' if text else 'is empty'}; it must hold the key alone"
        raise ValueError(msg)
    return text


def mask_key(key: str) -> str:
    """Enough of a key to tell it from another one."""
    return f"...{key[-SHOWN_END:]}" if len(key) >= MIN_LENGTH else "set"


def _unwrap(value: str) -> str:
    """*value* without the quotation marks, names and invisible characters around a key."""
    before = None
    while value != before:
        before = value
        value = _strip_invisible(value).rstrip(",;")
        if len(value) > 1 and value[-1] in _QUOTES.get(value[0], ""):
            value = value[1:-1]
        value = _SCHEME.sub("", value)
    return value


def _strip_invisible(value: str) -> str:
    """*value* without spaces of any kind and invisible characters at its ends."""
    visible = [i for i, ch in enumerate(value) if not (ch.isspace() or _is_invisible(ch))]
    return value[visible[0] : visible[-1] + 1] if visible else ""


def _is_invisible(character: str) -> bool:
    """Whether it is a zero-width character, or a mark of the order of bytes or of writing."""
    return unicodedata.category(character) == "Cf"


_QUOTES: Final = {
    '"': '"',
    "'": "'",
    "`": "`",
    "\u201c": "\u201d\u201c",
    "\u201d": "\u201d\u201c",
    "\u201e": "\u201c\u201d",
    "\u2018": "\u2019\u2018",
    "\u2019": "\u2019\u2018",
    "\u00ab": "\u00bb",
    "\u300c": "\u300d",
    "\uff02": "\uff02",
}
"""Each opening mark, and those that close it: straight, curly, and those of other languages."""
_SCHEME: Final = re.compile(
    r"^(export\s+|set\s+|\$env:)?GEEKAI_API_KEY\s*[=:]\s*|^(proxy-)?authorization\s*[=:]\s*"
    r"|^x-api-key\s*[=:]\s*|^bearer(\s+|:\s*|$)",
    re.IGNORECASE,
)
"""What is copied along with a key from a header, a shell or a settings file."""
_KEY_REFERENCE: Final = re.compile(
    r"<%.*%>|__\w+__|@\w+@|!\w+!|#\{.*\}#?|\{\w+\}|(op|vault|secret|keychain)://.*|(env|inputs?|secrets?):.*"
    r"|!(env|secret|env_var) .*|(process\.)?env\.\w+|os\.environ\W.*",
    re.IGNORECASE | re.ASCII,
)
"""References that only a key is: what stands there otherwise could be a value."""
_PLACEHOLDER: Final = re.compile(
    r"(sk-?)?<.*>|\[.*\]|(sk-)?(x|[*.…])[x*.…_\- ]+|(sk-)?[*.…]|sk-?"
    r"|((sk|put|paste|insert|enter|add|use|with|replace)[-_ ]*)*your([-_ ].*|\w*(key|token)\w*)"
    r"|(insert|paste|enter|put|type|fill)[-_ ].*(key|here)"
    r"|(my[-_ ]?)?(geekai[-_ ]?)?(api|secret)[-_ ]?(key|token)([-_ ]?here)?|key[-_ ]?here"
    r"|(change|replace)[-_ ]?(me|this|it)|placeholder|todo|null|none|undefined",
    re.IGNORECASE,
)
"""What guides and templates write in the place of a key."""
_PLACEHOLDER_WORDS: Final = ("你的", "您的", "填写", "填入", "替换", "密钥", "粘贴")
