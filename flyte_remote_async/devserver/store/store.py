"""The devserver's memory: what a control plane knows, in messages in and messages out."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Self

import attrs
from flyteidl.admin import (
    execution_pb2,
    launch_plan_pb2,
    node_execution_pb2,
    project_pb2,
    signal_pb2,
    task_execution_pb2,
    task_pb2,
    workflow_pb2,
)
from flyteidl.core import literals_pb2

from flyte_remote_async.devserver.store import rows
from flyte_remote_async.devserver.store.artifacts import Artifacts
from flyte_remote_async.devserver.store.database import Database
from flyte_remote_async.devserver.store.sql import insert, select
from flyte_remote_async.devserver.store.writes import Writes, put

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from flyteidl.core import identifier_pb2

    from flyte_remote_async.devserver.store.sql import Query, Statement

__all__ = ["Data", "Store", "Transaction"]


@attrs.frozen
class Data:
    """The data of an execution, a node or an attempt; a side that is not there yet is empty, as Flyte has it.

    Attributes:
        inputs: The inputs.
        outputs: The outputs.
        dynamic_workflow: For a dynamic node: the workflow that it made; else None.
        user_inputs: For an execution: the inputs that its caller gave; None where that is not known.
    """

    inputs: literals_pb2.LiteralMap
    outputs: literals_pb2.LiteralMap
    dynamic_workflow: node_execution_pb2.DynamicWorkflowNodeMetadata | None = None
    user_inputs: literals_pb2.LiteralMap | None = None


class Transaction(Writes[None]):
    """Writes that are kept, and done together when ``async with store.transaction()`` ends without an exception."""

    def __init__(self, clock: Callable[[], int]) -> None:
        super().__init__(clock)
        self.statements: list[Statement] = []

    def _write(self, statements: Sequence[Statement]) -> None:
        self.statements.extend(statements)


class Store(Writes[Awaitable[None]]):
    """The state of a control plane in SQLite.

    Open it with :meth:`open`, close it with :meth:`aclose`. Every ``put_...`` inserts or replaces, every ``get_...``
    returns a message of the caller's own, or None. What is written is committed when the call returns. What cached
    tasks gave is in ``artifacts``.

    Example::

        store = await Store.open()
        await store.put_execution(execution)
        async with store.transaction() as together:
            together.put_node(node)
            together.put_attempt(attempt)
    """

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        super().__init__(clock)
        self._database = database
        self.artifacts = Artifacts(database)

    @classmethod
    async def open(cls, path: str | Path | None = None, *, clock: Callable[[], int] = time.time_ns) -> Self:
        """Open a store.

        Args:
            path: The file that keeps the state; None is memory.
            clock: Nanoseconds since 1970, for rows whose message has no times.

        Raises:
            ConfigError: The file is no state file, is another version's or damaged, or another server uses it.
        """
        return cls(await Database.open(None if path is None else str(path)), clock)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being read or written."""
        return self._database.is_idle

    async def aclose(self) -> None:
        """Close the store. Closing twice is fine."""
        await self._database.aclose()

    async def _write(self, statements: Sequence[Statement]) -> None:
        await self._database.write(statements)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Collect writes and do them together: all of them, or none when the body raises."""
        together = Transaction(self._clock)
        yield together
        await self._database.write(together.statements)

    # --- conditional writes ---

    async def add_execution(self, message: execution_pb2.Execution, *, tagged: bool = True) -> str | None:
        """Insert an execution; return the table whose key is taken, or None where it was added.

        As in Flyte, labels and tags come first and stay: those of a second execution of a name become the first one's
        where they are new, and nothing is added where one of them is there already or is given twice.

        Args:
            message: The execution.
            tagged: Whether its labels and tags become something to filter by.
        """
        now = self._clock()
        first = insert("executions", rows.execution(message, now))
        tags = rows.tags(message, now) if tagged else []
        pairs = [{**rows.execution_key(message.id), "key": row["key"], "value": row["value"]} for row in tags]
        known = [select("execution_tags", "id", pair) for pair in pairs]

        def work(connection: sqlite3.Connection) -> str | None:
            twice = len({tuple(pair.values()) for pair in pairs}) < len(pairs)
            if twice or any(connection.execute(each.sql, each.values).fetchone() for each in known):
                return "execution_tags"
            for statement in (insert("execution_tags", row) for row in tags):
                connection.execute(statement.sql, statement.values)
            return None if connection.execute(first.sql, first.values).rowcount else "executions"

        return await self._database.run(work)

    async def update_execution(
        self,
        identifier: identifier_pb2.WorkflowExecutionIdentifier,
        change: Callable[[execution_pb2.Execution], None],
    ) -> execution_pb2.Execution | None:
        """Change an execution with nobody writing in between.

        Args:
            identifier: Which execution.
            change: Changes the message in place, in a worker thread, and not its labels. When it raises, the execution
                stays as it was.

        Returns:
            The execution as it is now; None where there is none.
        """
        found = select("executions", "message", rows.execution_key(identifier))

        def work(connection: sqlite3.Connection) -> execution_pb2.Execution | None:
            row = connection.execute(found.sql, found.values).fetchone()
            if row is None:
                return None
            message = execution_pb2.Execution.FromString(row[0])
            change(message)
            now = self._clock()
            statement = put("executions", rows.execution(message, now) | {"updated_at": now})
            connection.execute(statement.sql, statement.values)
            return message

        return await self._database.run(work)

    async def add_project(self, message: project_pb2.Project) -> bool:
        """Insert a project; return False, and change nothing, where its id is taken."""
        return await self._database.write([insert("projects", rows.project(message, self._clock()))]) > 0

    async def add_signal(self, message: signal_pb2.Signal) -> bool:
        """Insert a signal; return False, and change nothing, where it is there already."""
        return await self._database.write([insert("signals", rows.signal(message, self._clock()))]) > 0

    async def add_task(self, message: task_pb2.Task) -> bool:
        """Insert a task; return False, and change nothing, where its version is taken."""
        return await self._database.write([insert("tasks", rows.task(message, self._clock()))]) > 0

    async def add_workflow(self, message: workflow_pb2.Workflow) -> bool:
        """Insert a workflow; return False, and change nothing, where its version is taken."""
        return await self._database.write([insert("workflows", rows.workflow(message, self._clock()))]) > 0

    async def add_launch_plan(self, message: launch_plan_pb2.LaunchPlan) -> bool:
        """Insert a launch plan; return False, and change nothing, where its version is taken."""
        return await self._database.write([insert("launch_plans", rows.launch_plan(message, self._clock()))]) > 0

    # --- reads ---

    async def get_execution(
        self, identifier: identifier_pb2.WorkflowExecutionIdentifier
    ) -> execution_pb2.Execution | None:
        """Return an execution, or None; identifiers as for :meth:`get_task`."""
        found = await self._get("executions", _given(rows.execution_key(identifier)))
        return None if found is None else execution_pb2.Execution.FromString(found)

    async def get_node(
        self, identifier: identifier_pb2.NodeExecutionIdentifier
    ) -> node_execution_pb2.NodeExecution | None:
        """Return a node execution, or None; identifiers as for :meth:`get_task`."""
        found = await self._get("node_executions", _given(rows.node_key(identifier)))
        return None if found is None else node_execution_pb2.NodeExecution.FromString(found)

    async def get_attempt(
        self, identifier: identifier_pb2.TaskExecutionIdentifier
    ) -> task_execution_pb2.TaskExecution | None:
        """Return an attempt of a task, or None."""
        found = await self._get("task_executions", rows.attempt_key(identifier))
        return None if found is None else task_execution_pb2.TaskExecution.FromString(found)

    async def get_task(self, identifier: identifier_pb2.Identifier) -> task_pb2.Task | None:
        """Return a task, or None. An empty part of the identifier fits any, and the oldest that fits is returned."""
        found = await self._get("tasks", _given(rows.entity_key(identifier)))
        return None if found is None else task_pb2.Task.FromString(found)

    async def get_workflow(self, identifier: identifier_pb2.Identifier) -> workflow_pb2.Workflow | None:
        """Return a workflow, or None; identifiers as for :meth:`get_task`."""
        found = await self._get("workflows", _given(rows.entity_key(identifier)))
        return None if found is None else workflow_pb2.Workflow.FromString(found)

    async def get_launch_plan(self, identifier: identifier_pb2.Identifier) -> launch_plan_pb2.LaunchPlan | None:
        """Return a launch plan, or None; identifiers as for :meth:`get_task`."""
        found = await self._get("launch_plans", _given(rows.entity_key(identifier)))
        return None if found is None else launch_plan_pb2.LaunchPlan.FromString(found)

    async def get_signal(self, identifier: identifier_pb2.SignalIdentifier) -> signal_pb2.Signal | None:
        """Return a signal, or None."""
        key = rows.execution_key(identifier.execution_id) | {"signal_id": identifier.signal_id}
        found = await self._get("signals", key)
        return None if found is None else signal_pb2.Signal.FromString(found)

    async def get_project(self, identifier: str) -> project_pb2.Project | None:
        """Return a project, or None; an empty id fits any, and the oldest is returned."""
        found = await self._get("projects", _given({"identifier": identifier}))
        return None if found is None else project_pb2.Project.FromString(found)

    async def get_execution_data(self, identifier: identifier_pb2.WorkflowExecutionIdentifier) -> Data:
        """Return the data of an execution."""
        return await self._get_data(rows.owner(*rows.execution_key(identifier).values()))

    async def get_node_data(self, identifier: identifier_pb2.NodeExecutionIdentifier) -> Data:
        """Return the data of a node."""
        return await self._get_data(rows.owner(*rows.node_key(identifier).values()))

    async def get_attempt_data(self, identifier: identifier_pb2.TaskExecutionIdentifier) -> Data:
        """Return the data of an attempt."""
        return await self._get_data(rows.owner(*rows.attempt_key(identifier).values()))

    async def get_dynamic_workflow(
        self, identifier: identifier_pb2.NodeExecutionIdentifier
    ) -> node_execution_pb2.DynamicNodeWorkflowResponse | None:
        """Return the workflow that a dynamic node compiled, or None."""
        found = await self._get("dynamic_workflows", {"owner": rows.owner(*rows.node_key(identifier).values())})
        return None if found is None else node_execution_pb2.DynamicNodeWorkflowResponse.FromString(found)

    async def get_last_run(self, identifier: identifier_pb2.Identifier) -> dt.datetime | None:
        """Return when a scheduled launch plan was due last, or None."""
        owner = rows.owner(*rows.entity_key(identifier).values())
        found = await self._database.column(select("schedules", '"last_run"', {"owner": owner}))
        return dt.datetime.fromisoformat(found[0]) if found else None

    async def page(self, query: Query, column: str = "message") -> list[bytes]:
        """Return one page of a list, as the bytes of its messages."""
        return await self._database.column(query.statement(column))

    async def select(self, statement: Statement) -> list[tuple[Any, ...]]:
        """Return the rows of a SELECT that no other method makes."""
        return await self._database.rows(statement)

    async def _get(self, table: str, key: rows.Row) -> bytes | None:
        found = await self._database.column(select(table, '"message"', key))
        return found[0] if found else None

    async def _get_data(self, owner: str) -> Data:
        columns = '"inputs", "outputs", "dynamic_workflow", "user_inputs"'
        found = await self._database.rows(select("data", columns, {"owner": owner}))
        inputs, outputs, dynamic, given = found[0] if found else (None, None, None, None)
        return Data(
            literals_pb2.LiteralMap.FromString(inputs or b""),
            literals_pb2.LiteralMap.FromString(outputs or b""),
            None if dynamic is None else node_execution_pb2.DynamicWorkflowNodeMetadata.FromString(dynamic),
            None if given is None else literals_pb2.LiteralMap.FromString(given),
        )


def _given(key: rows.Row) -> rows.Row:
    return {name: value for name, value in key.items() if value}
