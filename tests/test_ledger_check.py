"""A look at a ledger finds what is wrong with it, and changes nothing of it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from geekai_video_mcp.errors import LedgerTooNew, StorageUnavailable
from geekai_video_mcp.ledger.sqlite.check import check_ledger
from geekai_video_mcp.ledger.sqlite.connection import create_database
from geekai_video_mcp.ledger.sqlite.migrations import MIGRATIONS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "ledger.sqlite3"
    create_database(file)
    return file


def test_there_is_none_and_none_is_made(tmp_path: Path) -> None:
    assert check_ledger(tmp_path / "state") is None
    assert not (tmp_path / "state").exists()


def test_a_whole_one_is_described(path: Path) -> None:
    report = check_ledger(path.parent)

    assert report is not None
    assert report.checked
    assert (report.tasks, report.unknown) == ({}, ())
    assert report.schema_version == report.newest_schema == len(MIGRATIONS)


def test_an_earlier_schema_is_not_upgraded(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in MIGRATIONS[0]:
            db.execute(statement)
        db.execute("PRAGMA user_version=1")
    before = path.read_bytes()
    report = check_ledger(path.parent)

    assert report is not None
    assert report.schema_version == 1 < report.newest_schema
    assert path.read_bytes() == before


def test_a_damaged_page_is_found_although_the_file_opens(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[5 * 4096 : 6 * 4096] = b"\xff" * 4096
    path.write_bytes(content)

    with pytest.raises(StorageUnavailable, match="damaged"):
        check_ledger(path.parent)


def test_one_of_a_newer_version_and_one_of_another_program_are_told_apart(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    with pytest.raises(LedgerTooNew):
        check_ledger(path.parent)

    path.unlink()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE other (a)")
    with pytest.raises(StorageUnavailable, match="another program"):
        check_ledger(path.parent)
