"""Whether a task is one that a person or a model is looking for. Pure.

Letters are compared in any script, whatever their case and their form in Unicode, and not by the
database: SQLite knows the case of ASCII alone, and PostgreSQL that of its locale.
"""

import unicodedata
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

_QUOTATION_MARKS: Final = "\"'`“”‘’„«»「」『』《》"


class SearchedFields(NamedTuple):
    """What of a task is searched."""

    id: str
    provider_task_id: str | None
    model: str
    prompt: str


@dataclass(frozen=True)
class TaskQuery:
    """Words that must all occur in a task's prompt or model; one word may also begin its id."""

    words: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The query in *text*; None if it has no word, and so every task matches."""
        words = (word.strip(_QUOTATION_MARKS) for word in _fold(text).split())
        found = tuple(word for word in words if word)
        return cls(found) if found else None

    def matches(self, task: SearchedFields) -> bool:
        text = _fold(f"{task.prompt}\n{task.model}")
        if all(word in text for word in self.words):
            return True
        ids = (task.id, _fold(task.provider_task_id or ""))
        return len(self.words) == 1 and any(each.startswith(self.words[0]) for each in ids)


def _fold(text: str) -> str:
    if text.isascii():  # many prompts, and five times as fast
        return text.lower()
    return unicodedata.normalize("NFKC", text.casefold())
