"""The inputs and outputs that the state keeps, found by the URIs under which Flyte would have stored them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from flyteidl.admin import execution_pb2, node_execution_pb2, task_execution_pb2
from flyteidl.core import identifier_pb2

from flyte_remote_async.devserver.naming import BUCKET
from flyte_remote_async.devserver.store.rows import execution_key
from flyte_remote_async.devserver.store.sql import Statement

if TYPE_CHECKING:
    from flyteidl.core import literals_pb2

    from flyte_remote_async.devserver.store import Data, Store

__all__ = ["WrittenLiterals"]

_RUN: Final = re.compile(rf"s3://{BUCKET}/metadata/propeller/(?P<run>[^/]+)/.+\.pb")
_GIVEN: Final = re.compile(
    rf"s3://{BUCKET}/metadata/(?P<project>[^/]+)/(?P<domain>[^/]+)/(?P<name>[^/]+)/(?:user_)?inputs"
)


class WrittenLiterals:
    """Finds literal maps by URI.

    What lies under ``metadata/`` on a real Flyte (``inputs.pb`` and ``outputs.pb`` of executions, nodes and attempts)
    is in the tables of the devserver's state; the URIs are in the messages that it gives out.

    Args:
        store: The state.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(self, uri: str) -> bytes | None:
        """Return the bytes of the literal map under a URI, or None."""
        if given := _GIVEN.fullmatch(uri):
            return await self._given(identifier_pb2.WorkflowExecutionIdentifier(**given.groupdict()))
        found = _RUN.fullmatch(uri)
        if found is None:
            return None
        best: bytes | None = None
        for run in await self._runs(found["run"]):
            for literals in (self._of_node, self._of_attempt, self._of_execution):
                data = await literals(run, uri)
                if data is not None:
                    # A node and its attempt have one place, and one of them may know nothing of it.
                    best = data.SerializeToString()
                    if best:
                        return best
        return best

    async def _runs(self, folder: str) -> list[identifier_pb2.WorkflowExecutionIdentifier]:
        """Return the executions that ``project-domain-name`` may mean: each of the three may have a dash of its own."""
        names = '"execution_project", "execution_domain", "execution_name"'
        joined = '"execution_project" || \'-\' || "execution_domain" || \'-\' || "execution_name"'
        sql = f'SELECT {names} FROM "executions" WHERE {joined} = ?'  # noqa: S608 - names of ours
        return [
            identifier_pb2.WorkflowExecutionIdentifier(project=project, domain=domain, name=name)
            for project, domain, name in await self._store.select(Statement(sql, (folder,)))
        ]

    async def _given(self, run: identifier_pb2.WorkflowExecutionIdentifier) -> bytes | None:
        if await self._store.get_execution(run) is None:
            return None
        return (await self._store.get_execution_data(run)).inputs.SerializeToString()

    async def _of_attempt(
        self, run: identifier_pb2.WorkflowExecutionIdentifier, uri: str
    ) -> literals_pb2.LiteralMap | None:
        for attempt in await self._that_name(uri, "task_executions", run, task_execution_pb2.TaskExecution):
            side = _side(uri, attempt.input_uri, attempt.closure.output_uri)
            if side:
                return _pick(await self._store.get_attempt_data(attempt.id), side)
        return None

    async def _of_node(
        self, run: identifier_pb2.WorkflowExecutionIdentifier, uri: str
    ) -> literals_pb2.LiteralMap | None:
        for node in await self._that_name(uri, "node_executions", run, node_execution_pb2.NodeExecution):
            side = _side(uri, node.input_uri, node.closure.output_uri)
            if side:
                return _pick(await self._store.get_node_data(node.id), side)
        return None

    async def _of_execution(
        self, run: identifier_pb2.WorkflowExecutionIdentifier, uri: str
    ) -> literals_pb2.LiteralMap | None:
        for execution in await self._that_name(uri, "executions", run, execution_pb2.Execution):
            if execution.closure.outputs.uri == uri:
                return (await self._store.get_execution_data(execution.id)).outputs
        return None

    async def _that_name(
        self, uri: str, table: str, run: identifier_pb2.WorkflowExecutionIdentifier, message: Any
    ) -> list[Any]:
        """Return the rows of an execution that have a URI somewhere in their message, the oldest first."""
        key = execution_key(run)
        where = " AND ".join(f'"{column}" = ?' for column in key)
        sql = f'SELECT "message" FROM "{table}" WHERE {where} AND instr("message", ?) > 0 ORDER BY "id"'  # noqa: S608 - names of ours
        found = await self._store.select(Statement(sql, (*key.values(), uri.encode())))
        return [message.FromString(row[0]) for row in found]


def _side(uri: str, inputs: str, outputs: str) -> str:
    return "inputs" if uri == inputs else "outputs" if uri == outputs else ""


def _pick(data: Data, side: str) -> literals_pb2.LiteralMap:
    return data.inputs if side == "inputs" else data.outputs
