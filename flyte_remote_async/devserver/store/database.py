"""The database itself: one connection, used by one thread at a time."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias, TypeVar

from flyte_remote_async.concurrency import in_thread
from flyte_remote_async.devserver.store.checks import check_header, check_tables
from flyte_remote_async.devserver.store.schema import create_statements
from flyte_remote_async.devserver.store.worker import Worker
from flyte_remote_async.errors import ClosedError, ConfigError, ResourceExhaustedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flyte_remote_async.devserver.store.sql import Statement
    from flyte_remote_async.devserver.store.worker import Job

__all__ = ["Database"]

T = TypeVar("T")
_Work: TypeAlias = Callable[[sqlite3.Connection], Any]

_FULL: Final = (
    "the devserver cannot write its state: {}; make room on the disk, and try again. What it has can be read meanwhile"
)


class Database:
    """A SQLite database that never blocks the event loop.

    All work happens in a thread of its own, one piece after another. A piece of work that has started is finished, also
    when the task that asked for it is cancelled, so that a write is never left half done. What waits together is
    committed together, in its order: whoever reads sees all that was asked for before, and nothing that was refused.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._worker: Worker[_Work] = Worker(self._do)

    @classmethod
    async def open(cls, path: str | None) -> Self:
        """Open a database, and make its tables where it is new.

        Args:
            path: The file; None is memory, which goes when the database is closed.

        Raises:
            ConfigError: The file cannot be opened, is no database, or has other tables. It is left as it was.
        """
        return cls(await in_thread(_connect, path or ":memory:", undo=sqlite3.Connection.close))

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do a piece of work in a transaction of its own and return what it returns.

        Raises:
            ClosedError: The database is closed.
            ResourceExhaustedError: The disk is full, or gives an error; nothing was written, and reads go on.
        """
        if self._worker.is_stopping:
            raise ClosedError("the devserver's store is closed")
        result: T = await self._worker.run(work)
        return result

    @property
    def is_idle(self) -> bool:
        """Whether no work is under way or waits for its turn."""
        return self._worker.is_idle

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
        if not self._worker.is_stopping:
            await self._worker.stop(sqlite3.Connection.close)

    # --- in the thread ---

    def _do(self, jobs: Sequence[Job[_Work]]) -> None:
        if len(jobs) > 1 and self._do_together(jobs):
            return
        for job in jobs:
            job.value, job.error = None, None
            try:
                job.value = self._do_alone(job.work)
            except BaseException as error:  # noqa: BLE001 - whoever waits for it is told
                job.error = error

    def _do_alone(self, work: _Work) -> Any:
        if work is sqlite3.Connection.close:
            return work(self._connection)
        try:
            with _transaction(self._connection):
                return work(self._connection)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                raise
            raise ResourceExhaustedError(_FULL.format(error)) from error

    def _do_together(self, jobs: Sequence[Job[_Work]]) -> bool:
        """Do jobs in one transaction; return False, with nothing done, where SQLite gave the transaction up."""
        try:
            with _transaction(self._connection):
                for job in jobs:
                    _do_inside(job, self._connection)
        except sqlite3.Error:
            return False
        return True


def _do_inside(job: Job[_Work], connection: sqlite3.Connection) -> None:
    """Do a job inside of a transaction; when it raises, what it did is undone and the transaction goes on."""
    connection.execute("SAVEPOINT job")
    try:
        job.value = job.work(connection)
    except sqlite3.OperationalError:
        raise  # The disk may be full: each job is told what becomes of it alone.
    except BaseException as error:  # noqa: BLE001 - whoever waits for it is told
        job.error = error
        connection.execute("ROLLBACK TO job")
    connection.execute("RELEASE job")


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
