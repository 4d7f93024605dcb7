"""The tables of the devserver, with the columns that flyteadmin's tables have.

A filter or a sort key of Flyte names a column, so the columns are the vocabulary of every list request. Instants are
kept as nanoseconds since 1970, durations as nanoseconds; the message itself is kept as bytes beside them. Where
flyteadmin refers to another row by its number, the number is the row's key here.

Source: flyteadmin/pkg/repositories/models of Flyte 1.16.8.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["APPLICATION_ID", "SCHEMA_VERSION", "TABLES", "ColumnType", "Table", "create_statements"]

SCHEMA_VERSION: Final = 2
"""Raised with every change of the tables, so that a state file of another version is refused and never misread."""

APPLICATION_ID: Final = int.from_bytes(b"FlyD")
"""Marks a database as a devserver's; see ``PRAGMA application_id`` of SQLite."""


class ColumnType(enum.Enum):
    """What a column holds, and so how the text of a filter becomes a value.

    The value is the name that PostgreSQL has for it, which Flyte's messages quote.
    """

    TEXT = "text"
    INTEGER = "integer"
    BIGINT = "bigint"
    TIMESTAMP = "timestamp with time zone"
    INTERVAL = "interval"


TEXT, INTEGER, BIGINT = ColumnType.TEXT, ColumnType.INTEGER, ColumnType.BIGINT
TIMESTAMP, INTERVAL = ColumnType.TIMESTAMP, ColumnType.INTERVAL

_BASE: Final = {"id": BIGINT, "created_at": TIMESTAMP, "updated_at": TIMESTAMP, "deleted_at": TIMESTAMP}
_VERSIONED: Final = {"project": TEXT, "domain": TEXT, "name": TEXT, "version": TEXT}
_EXECUTION: Final = {"execution_project": TEXT, "execution_domain": TEXT, "execution_name": TEXT}
_ERROR: Final = {"error_kind": TEXT, "error_code": TEXT}


@attrs.frozen
class Table:
    """One table.

    Attributes:
        name: Its name in the database.
        columns: The columns that requests may name, with what they hold.
        key: The columns that identify a row.
        extra: Columns that no request may name: name to SQL type.
        indexes: Columns of further indexes.
    """

    name: str
    columns: Mapping[str, ColumnType]
    key: tuple[str, ...]
    extra: Mapping[str, str] = attrs.field(factory=lambda: {"message": "BLOB NOT NULL"})
    indexes: tuple[tuple[str, ...], ...] = ()


_TABLES: Final = (
    Table(
        "executions",
        {
            **_BASE,
            **_EXECUTION,
            "launch_plan_id": TEXT,
            "workflow_id": TEXT,
            "task_id": TEXT,
            "phase": TEXT,
            "started_at": TIMESTAMP,
            "execution_created_at": TIMESTAMP,
            "execution_updated_at": TIMESTAMP,
            "duration": INTERVAL,
            "abort_cause": TEXT,
            "mode": INTEGER,
            "cluster": TEXT,
            **_ERROR,
            "user": TEXT,
            "state": INTEGER,
            "launch_entity": TEXT,
        },
        key=tuple(_EXECUTION),
        indexes=(("execution_project", "execution_domain", "created_at"), ("updated_at",)),
    ),
    Table(
        "execution_tags", {**_BASE, **_EXECUTION, "key": TEXT, "value": TEXT}, (*_EXECUTION, "key", "value"), extra={}
    ),
    Table(
        "node_executions",
        {
            **_BASE,
            **_EXECUTION,
            "node_id": TEXT,
            "phase": TEXT,
            "input_uri": TEXT,
            "started_at": TIMESTAMP,
            "node_execution_created_at": TIMESTAMP,
            "node_execution_updated_at": TIMESTAMP,
            "duration": INTERVAL,
            "parent_id": TEXT,
            "parent_task_execution_id": TEXT,
            **_ERROR,
            "cache_status": TEXT,
        },
        key=(*_EXECUTION, "node_id"),
    ),
    Table(
        "task_executions",
        {
            **_BASE,
            **_VERSIONED,
            **_EXECUTION,
            "node_id": TEXT,
            "retry_attempt": BIGINT,
            "phase": TEXT,
            "phase_version": BIGINT,
            "input_uri": TEXT,
            "started_at": TIMESTAMP,
            "task_execution_created_at": TIMESTAMP,
            "task_execution_updated_at": TIMESTAMP,
            "duration": INTERVAL,
        },
        key=(*_EXECUTION, "node_id", *_VERSIONED, "retry_attempt"),
    ),
    Table("tasks", {**_BASE, **_VERSIONED, "type": TEXT, "short_description": TEXT}, key=tuple(_VERSIONED)),
    Table(
        "workflows",
        {**_BASE, **_VERSIONED, "short_description": TEXT},
        key=tuple(_VERSIONED),
        # Lists carry the interface and none of the nodes.
        extra={"message": "BLOB NOT NULL", "listed": "BLOB NOT NULL"},
    ),
    Table(
        "launch_plans",
        {
            **_BASE,
            **_VERSIONED,
            "workflow_id": TEXT,
            "state": INTEGER,
            "schedule_type": TEXT,
            "launch_condition_type": TEXT,
        },
        key=tuple(_VERSIONED),
    ),
    Table("signals", {**_BASE, **_EXECUTION, "signal_id": TEXT}, key=(*_EXECUTION, "signal_id")),
    Table(
        "projects",
        {**_BASE, "identifier": TEXT, "name": TEXT, "description": TEXT, "state": INTEGER},
        key=("identifier",),
    ),
    Table(
        "named_entity_metadata",
        {
            **_BASE,
            "resource_type": INTEGER,
            "project": TEXT,
            "domain": TEXT,
            "name": TEXT,
            "description": TEXT,
            "state": INTEGER,
        },
        key=("resource_type", "project", "domain", "name"),
        extra={},
    ),
    Table(
        "description_entities",
        {**_BASE, "resource_type": INTEGER, **_VERSIONED, "short_description": TEXT, "link": TEXT},
        key=("resource_type", *_VERSIONED),
    ),
    Table(
        "resources",
        {
            **_BASE,
            "project": TEXT,
            "domain": TEXT,
            "workflow": TEXT,
            "launch_plan": TEXT,
            "resource_type": TEXT,
            "priority": INTEGER,
        },
        key=("project", "domain", "workflow", "launch_plan", "resource_type"),
        extra={"attributes": "BLOB NOT NULL"},
    ),
    # What Flyte keeps in its object store, and what it computes: one row for each owner (see rows.owner).
    Table(
        "data",
        {},
        key=("owner",),
        extra=dict.fromkeys(("inputs", "outputs", "dynamic_workflow", "user_inputs"), "BLOB"),
    ),
    Table("dynamic_workflows", {}, key=("owner",)),
    Table("schedules", {}, key=("owner",), extra={"last_run": "TEXT NOT NULL"}),
    # The catalog: what cached tasks gave.
    Table("datasets", {}, key=("owner",)),
    Table("artifacts", {}, key=("owner",)),
)

TABLES: Final[Mapping[str, Table]] = {table.name: table for table in _TABLES}


def create_statements() -> list[str]:
    """Return the SQL that makes an empty database."""
    statements = []
    for table in TABLES.values():
        types = {"owner": "TEXT NOT NULL"} if table.key == ("owner",) else {}
        types |= {name: "TEXT" if kind is TEXT else "INTEGER" for name, kind in table.columns.items()} | dict(
            table.extra
        )
        types["id"] = "INTEGER PRIMARY KEY"
        columns = ", ".join(f'"{name}" {sql_type}' for name, sql_type in types.items())
        statements.append(f'CREATE TABLE "{table.name}" ({columns}, UNIQUE ({_names(table.key)}))')
        statements += [
            f'CREATE INDEX "{table.name}_{number}" ON "{table.name}" ({_names(index)})'
            for number, index in enumerate(table.indexes)
        ]
    return [*statements, f"PRAGMA application_id = {APPLICATION_ID}", f"PRAGMA user_version = {SCHEMA_VERSION}"]


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
