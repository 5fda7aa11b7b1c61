"""Pictures of the conversation, which only the program that shows it can read. Pure.

Their names are refused with what the user can do instead.
"""

import re
from collections.abc import Sequence
from typing import Final, NoReturn

from geekai_video_mcp.quoting import quote

NOT_HERE: Final = "that file is not on this computer"
ASK_FOR_FILE: Final = "ask the user for a path on this computer or an https link"

_CHAT_SCHEMES: Final = frozenset(
    [
        "attachment",
        "blob",
        "chat",
        "cid",
        "clipboard",
        "content",
        "file-service",
        "image",
        "mid",
        "pasted",
        "sediment",
        "upload",
        "uploads",
    ]
)
"""Schemes by which a chat names a picture that only it can see."""
CHAT_NAME: Final = re.compile(
    r"[\[(<]?(?:the |user'?s? |my )?(?:user|attached|uploaded|pasted|input|inline)?[ _-]*"
    r"(?:image|img|picture|photo|screenshot|attachment|file|upload|clipboard)s?"
    r"(?: (?:above|below))?[ _-]*#?\d*[\])>]?"
    r"|(?:file|img|image|upload|attachment)[-_][A-Za-z0-9_-]{6,}",
    re.IGNORECASE,
)
"""What models write for a picture of the conversation: [Image #1], image_0, file-8dGq2hX."""


def advise_to_save(folders: Sequence[str]) -> str:
    """What to do about a picture that is only in the conversation."""
    named = f" ({', '.join(map(quote, folders))})" if folders else ""
    return (
        "A picture that was pasted or attached to the conversation has no path here: ask the user"
        f" to save it into one of these folders{named} and to tell its path, or for an https link"
        " to it"
    )


def refuse_chat_scheme(text: str, folders: Sequence[str] | None) -> None:
    """Refuse what only the conversation's own program can resolve."""
    scheme = text.partition(":")[0].lower()
    if scheme == "sandbox" and folders is not None:
        msg = f"{NOT_HERE}: it is in a sandbox of the conversation, so {ASK_FOR_FILE}"
        raise ValueError(msg)
    if scheme in _CHAT_SCHEMES or scheme == "sandbox":
        refuse_picture_of_chat(folders)


def refuse_picture_of_chat(folders: Sequence[str] | None) -> NoReturn:
    if folders is None:
        msg = (
            "that names a picture of the conversation, which this server does not get. Ask the"
            " user for an https link to it, or pass the picture itself as a data URI"
        )
        raise ValueError(msg)
    msg = f"that names a picture of the conversation, not a file. {advise_to_save(folders)}"
    raise ValueError(msg)
