"""The database itself: one connection, used by one thread at a time."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import anyio.to_thread

from flyte_remote_async.devserver.store.checks import check_header, check_tables
from flyte_remote_async.devserver.store.schema import create_statements
from flyte_remote_async.errors import ClosedError, ConfigError, ResourceExhaustedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from flyte_remote_async.devserver.store.sql import Statement

__all__ = ["Database"]

T = TypeVar("T")

_FULL: Final = (
    "the devserver cannot write its state: {}; make room on the disk, and try again. What it has can be read meanwhile"
)


class Database:
    """A SQLite database that never blocks the event loop.

    All work happens in worker threads, one piece after another. A piece of work that has started is finished, also when
    the task that asked for it is cancelled, so that a write is never left half done.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection: sqlite3.Connection | None = connection
        self._turns = anyio.CapacityLimiter(1)
        self._working = threading.Lock()

    @classmethod
    async def open(cls, path: str | None) -> Self:
        """Open a database, and make its tables where it is new.

        Args:
            path: The file; None is memory, which goes when the database is closed.

        Raises:
            ConfigError: The file cannot be opened, is no database, or has other tables. It is left as it was.
        """
        return cls(await anyio.to_thread.run_sync(_connect, path or ":memory:"))

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do a piece of work in a transaction of its own and return what it returns.

        Raises:
            ClosedError: The database is closed.
            ResourceExhaustedError: The disk is full, or gives an error; nothing was written, and reads go on.
        """
        return await anyio.to_thread.run_sync(self._run, work, limiter=self._turns)

    @property
    def is_idle(self) -> bool:
        """Whether no work is under way or waits for its turn."""
        turns = self._turns.statistics()
        return not turns.borrowed_tokens and not turns.tasks_waiting

    async def write(self, statements: Sequence[Statement]) -> int:
        """Run statements in one transaction; return how many rows the last of them changed."""
        return await self.run(partial(_write, statements))

    async def column(self, statement: Statement) -> list[Any]:
        """Return the only column of all rows that a SELECT finds."""
        return [row[0] for row in await self.rows(statement)]

    async def rows(self, statement: Statement) -> list[tuple[Any, ...]]:
        """Return all rows that a SELECT finds."""
        return await self.run(lambda connection: connection.execute(statement.sql, statement.values).fetchall())

    async def aclose(self) -> None:
        """Close the database after the work that is under way. Closing twice is fine."""
        await anyio.to_thread.run_sync(self._close, limiter=self._turns)

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        # A task that is cancelled gives its turn back while its thread still works.
        with self._working:
            if self._connection is None:
                raise ClosedError("the devserver's store is closed")
            try:
                with _transaction(self._connection):
                    return work(self._connection)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                    raise
                raise ResourceExhaustedError(_FULL.format(error)) from error

    def _close(self) -> None:
        with self._working:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def _connect(path: str) -> sqlite3.Connection:
    try:
        check_header(path)
        # No wait for a lock: whoever has one keeps it.
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError, ConfigError) as error:
        reason = "another devserver uses it" if str(error) == "database is locked" else error
        raise ConfigError(f"cannot use {path!r} as the devserver's state: {reason}; it is left as it was") from error
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    # An exclusive lock, taken at the first write and kept: a second server on the file is refused instead of mixed in.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    with _transaction(connection):
        if not connection.execute("SELECT name FROM sqlite_master").fetchall():
            for statement in create_statements():
                connection.execute(statement)
        check_tables(connection)
    # A write that a crash or a full disk cuts short is as if it had not been, and a commit waits for no disk.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA case_sensitive_like = ON")  # as PostgreSQL has it


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk has SQLite roll back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _write(statements: Sequence[Statement], connection: sqlite3.Connection) -> int:
    changed = 0
    for statement in statements:
        changed = connection.execute(statement.sql, statement.values).rowcount
    return changed
