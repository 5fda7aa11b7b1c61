"""Helpers of the tests: a scripted service, virtual time, and a World with a real server."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
"""The repository."""
