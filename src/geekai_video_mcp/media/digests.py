"""The SHA-256 of a file, by which the ledger knows a result again."""

import hashlib
from typing import BinaryIO


def hash_file(file: BinaryIO) -> str:
    """The SHA-256 of the whole content in hexadecimal; leaves *file* at its end. Blocks.

    Raises:
        OSError: the file cannot be read.
    """
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()
