"""The kinds of results. Pure."""

from enum import StrEnum


class Media(StrEnum):
    """What a task generates, and so which endpoint of the service it belongs to."""

    VIDEO = "video"
    IMAGE = "image"
    FILM = "film"
    """Videos joined on this machine: no endpoint has a part in it. See `films`."""
