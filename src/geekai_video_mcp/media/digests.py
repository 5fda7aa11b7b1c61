"""The SHA-256 of a file, by which the ledger knows a result again."""

import hashlib
from typing import BinaryIO, Final

_BLOCK: Final = 1024**2
"""Bytes read at a time."""


def hash_file(file: BinaryIO) -> str:
    """The SHA-256 of the whole content in hexadecimal; leaves *file* at its end. Blocks.

    Raises:
        OSError: the file cannot be read.
    """
    digest = hashlib.sha256()
    file.seek(0)
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()
