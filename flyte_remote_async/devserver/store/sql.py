"""The few shapes of SQL that the store speaks, as values; no text of a request ever becomes part of a statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from flyte_remote_async.errors import UnknownError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["EVERYTHING", "Condition", "Query", "Statement", "check_texts", "delete", "insert", "select", "upsert"]

EVERYTHING: Final = 2**31 - 1
"""The largest limit that a request can have: no page is cut by it."""

_KEPT: Final = frozenset({"created_at"})
"""What the first write of a row says stays."""


def check_texts(values: Iterable[Any]) -> None:
    """Refuse texts with a NUL in them, which SQLite would take and Flyte's PostgreSQL does not.

    Raises:
        UnknownError: There is one.
    """
    for value in values:
        if isinstance(value, str) and "\0" in value:
            raise UnknownError('failed database operation with invalid byte sequence for encoding "UTF8": 0x00')


@attrs.frozen
class Statement:
    """One statement, with the values that are bound to its marks.

    Raises:
        UnknownError: A text has a NUL in it.
    """

    sql: str
    values: Sequence[Any] = ()

    def __attrs_post_init__(self) -> None:
        check_texts(self.values)


@attrs.frozen
class Condition:
    """One part of a WHERE clause.

    Attributes:
        sql: The test, with one mark for each value; columns carry the name of their table.
        values: What is bound to the marks.
        table: The table that must be joined for it.
    """

    sql: str
    values: tuple[Any, ...]
    table: str


@attrs.frozen
class Query:
    """One page of a list.

    Attributes:
        table: The table whose rows are wanted.
        where: What holds for each of them.
        joins: JOIN clauses for the other tables that the conditions name.
        order_by: Column to sort by; None is the order of insertion.
        descending: Whether the sort goes down.
        limit: How many rows at most.
        offset: How many rows to leave out.
    """

    table: str
    where: tuple[Condition, ...]
    joins: tuple[str, ...] = ()
    order_by: str | None = None
    descending: bool = False
    limit: int = 100
    offset: int = 0

    def statement(self, column: str = "message") -> Statement:
        """Return the SELECT of one column of the page."""
        return self._select(f'"{self.table}"."{column}"', f', "{self.table}"."id" {self._direction}')

    def names(self) -> Statement:
        """Return the SELECT of the projects, domains and names of the page's entities, each once."""
        named = ", ".join(f'"{self.table}"."{part}"' for part in ("project", "domain", "name"))
        return self._select(named, "", grouped=f"GROUP BY {named}")

    @property
    def _direction(self) -> str:
        return "DESC" if self.descending else "ASC"

    def _select(self, columns: str, ties: str, grouped: str = "") -> Statement:
        where = " AND ".join(condition.sql for condition in self.where) or "TRUE"
        sort = f'"{self.table}"."{self.order_by or "id"}" {self._direction}{ties}'
        sql = (
            f'SELECT {columns} FROM "{self.table}" {" ".join(self.joins)} '  # noqa: S608 - names of ours
            f"WHERE {where} {grouped} ORDER BY {sort} LIMIT ? OFFSET ?"
        )
        values = [value for condition in self.where for value in condition.values]
        return Statement(sql, (*values, self.limit, self.offset))


def insert(table: str, row: Mapping[str, Any]) -> Statement:
    """Return the INSERT of a row that does nothing where the row is there already."""
    return Statement(_insert(table, row) + " ON CONFLICT DO NOTHING", tuple(row.values()))


def upsert(table: str, key: Sequence[str], row: Mapping[str, Any]) -> Statement:
    """Return the INSERT of a row that updates the row where it is there already."""
    updates = ", ".join(f'"{name}" = excluded."{name}"' for name in row if name not in key and name not in _KEPT)
    conflict = ", ".join(f'"{name}"' for name in key)
    action = f"UPDATE SET {updates}" if updates else "NOTHING"
    return Statement(f"{_insert(table, row)} ON CONFLICT ({conflict}) DO {action}", tuple(row.values()))


def delete(table: str, where: Mapping[str, Any]) -> Statement:
    """Return the DELETE of the rows that have these values."""
    test = " AND ".join(f'"{name}" = ?' for name in where)
    return Statement(f'DELETE FROM "{table}" WHERE {test}', tuple(where.values()))  # noqa: S608 - names of ours


def select(table: str, column: str, where: Mapping[str, Any]) -> Statement:
    """Return the SELECT of one column of the first row that has these values."""
    test = " AND ".join(f'"{name}" = ?' for name in where) or "TRUE"
    return Statement(
        f'SELECT {column} FROM "{table}" WHERE {test} ORDER BY "id" LIMIT 1',  # noqa: S608 - names of ours
        tuple(where.values()),
    )


def _insert(table: str, row: Mapping[str, Any]) -> str:
    columns = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" * len(row))
    return f'INSERT INTO "{table}" ({columns}) VALUES ({marks})'  # noqa: S608 - names of ours
