"""Whether a file can be used as the state of a devserver; looking at it never changes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from flyte_remote_async.devserver.store.schema import APPLICATION_ID, SCHEMA_VERSION, create_statements
from flyte_remote_async.errors import ConfigError

if TYPE_CHECKING:
    import sqlite3

__all__ = ["check_header", "check_tables"]

# Source: "The Database Header" in SQLite's description of its file format.
_MAGIC: Final = b"SQLite format 3\0"
_LENGTH: Final = 100
_USER_VERSION: Final = slice(60, 64)
_APPLICATION_ID: Final = slice(68, 72)


def check_header(path: str) -> None:
    """Refuse a file that no devserver of this version has written, before SQLite opens it.

    Args:
        path: The file; one that is not there or empty is fine, and so is ``":memory:"``.

    Raises:
        ConfigError: It is something else.
        OSError: It cannot be read.
    """
    file = Path(path)
    if path == ":memory:" or not file.exists():
        return
    with file.open("rb") as opened:
        header = opened.read(_LENGTH)
    if not header:
        return
    if len(header) < _LENGTH or not header.startswith(_MAGIC):
        raise ConfigError("the file is not a database")
    if int.from_bytes(header[_APPLICATION_ID]) != APPLICATION_ID:
        raise ConfigError("it is the database of another program")
    version = int.from_bytes(header[_USER_VERSION])
    if version != SCHEMA_VERSION:
        who = "a newer devserver" if version > SCHEMA_VERSION else "an older devserver"
        raise ConfigError(
            f"{who} wrote it: it holds version {version} of the tables, and this one reads and writes version "
            f"{SCHEMA_VERSION}; use that devserver, or give another file"
        )


def check_tables(connection: sqlite3.Connection) -> None:
    """Refuse a database that is damaged, or has other tables than this version's.

    Args:
        connection: The database.

    Raises:
        ConfigError: It cannot be used.
    """
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise ConfigError(f"the file is damaged: {' '.join(found.split())}")
    expected = {statement for statement in create_statements() if not statement.startswith("PRAGMA")}
    tables = {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}
    if tables != expected:
        raise ConfigError("its tables are those of another build of the devserver; use that one, or give another file")
