"""The row of an array node's attempt, and the pen that writes what its items do into it.

The items of an array of tasks have no rows of their own: they are the external resources of the array's only attempt.

Source: flytepropeller ``controller/nodes/array/event_recorder.go``; flyteadmin's ``mergeExternalResources``.
"""

from __future__ import annotations

import bisect
import contextlib
from typing import TYPE_CHECKING, Any, Final, cast

from flyteidl.admin import task_execution_pb2
from flyteidl.core import catalog_pb2, execution_pb2, identifier_pb2
from flyteidl.event import event_pb2

from flyte_remote_async.devserver.engine.closures import end_closure
from flyte_remote_async.devserver.engine.recorder import Recorder
from flyte_remote_async.devserver.naming import attempt_name

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import AsyncIterator

    from flyteidl.admin import node_execution_pb2
    from flyteidl.core import literals_pb2, tasks_pb2

    from flyte_remote_async.devserver.clock import Clock
    from flyte_remote_async.devserver.engine.records import NodeRecord
    from flyte_remote_async.devserver.runners.outcome import Outcome
    from flyte_remote_async.devserver.store import Store

__all__ = ["ArrayAttempt", "ItemRecorder"]

_TASK: Final = execution_pb2.TaskExecution
_EVENT_VERSION: Final = 1


class ArrayAttempt:
    """The row of the only attempt of an array of tasks.

    Args:
        store: Where it is kept.
        clock: What it is dated with.
        node: The array.
        task: The task of its items.
        size: How many items it has.
    """

    def __init__(self, store: Store, clock: Clock, node: NodeRecord, task: tasks_pb2.TaskTemplate, size: int) -> None:
        self.message = task_execution_pb2.TaskExecution(
            id=identifier_pb2.TaskExecutionIdentifier(task_id=task.id, node_execution_id=node.message.id),
            # Flyte does not say where the inputs are of an array that has nothing to do.
            input_uri=node.place.inputs_uri if size else "",
        )
        self._store = store
        self._clock = clock
        self._outputs_uri = node.place.outputs_uri()
        self._name = attempt_name(node.message.id.execution_id.name, node.place.node_id, 0)
        closure = self.message.closure
        closure.phase = _TASK.QUEUED
        closure.task_type = "container_array"
        closure.event_version = _EVENT_VERSION
        closure.metadata.plugin_identifier = "k8s-array"
        now = clock.now()
        closure.created_at.FromDatetime(now)
        closure.updated_at.FromDatetime(now)
        for index in range(size):
            self._resource(index, 0)

    def _resource(self, index: int, attempt: int) -> event_pb2.ExternalResourceInfo:
        """Return the entry of an attempt of an item, made where there is none: they are in order."""
        entries = self.message.closure.metadata.external_resources
        place = bisect.bisect_left(entries, (index, attempt), key=lambda entry: (entry.index, entry.retry_attempt))
        if place == len(entries) or (entries[place].index, entries[place].retry_attempt) != (index, attempt):
            name = f"{self._name}-n{index}-{attempt}"
            entries.insert(place, event_pb2.ExternalResourceInfo(external_id=name, index=index, retry_attempt=attempt))
        return entries[place]

    def note_attempt(self, index: int, attempt: task_execution_pb2.TaskExecution) -> None:
        """Take over what an attempt of an item has come to."""
        entry = self._resource(index, attempt.id.retry_attempt)
        entry.phase = attempt.closure.phase
        del entry.logs[:]
        for log in attempt.closure.logs:
            entry.logs.add().CopyFrom(log)
            entry.logs[-1].name = f"{log.name}-{index}"

    def note_node(self, index: int, node: node_execution_pb2.NodeExecution) -> None:
        """Take over what an item says of its cache: one that was found there has no attempts."""
        status = node.closure.task_node_metadata.cache_status
        if status == catalog_pb2.CACHE_DISABLED:
            return
        entries = self.message.closure.metadata.external_resources
        entry = [each for each in entries if each.index == index][-1]
        entry.cache_status = status
        if status == catalog_pb2.CACHE_HIT:
            entry.phase = _TASK.SUCCEEDED

    async def save(self, inputs: literals_pb2.LiteralMap | None = None) -> None:
        """Write it as it is, with its inputs where they are given."""
        self.message.closure.updated_at.FromDatetime(self._clock.now())
        async with self._store.transaction() as together:
            together.put_attempt(self.message)
            if inputs is not None:
                together.put_attempt_data(self.message.id, inputs=inputs)

    async def run(self) -> None:
        """Write it as RUNNING."""
        self.message.closure.phase = _TASK.RUNNING
        self.message.closure.started_at.FromDatetime(self._clock.now())
        await self.save()

    async def end(self, outcome: Outcome) -> None:
        """Write how it ended."""
        closure, now = self.message.closure, self._clock.now()
        if outcome.error is None:
            closure.output_uri = self._outputs_uri
            await self._store.put_attempt_data(self.message.id, outputs=outcome.outputs)
        else:
            closure.error.CopyFrom(outcome.error)
        await self._stop(now, _TASK.SUCCEEDED if outcome.error is None else _TASK.FAILED)

    async def abort(self) -> None:
        """Write it as ABORTED."""
        await self._stop(self._clock.now(), _TASK.ABORTED)

    async def _stop(self, now: dt.datetime, phase: execution_pb2.TaskExecution.Phase) -> None:
        end_closure(self.message.closure, phase, now)
        await self.save()


class ItemRecorder(Recorder):
    """The pen of one item: what it writes becomes part of the array's attempt.

    Args:
        array: The attempt of the array.
        clock: What it dates with.
        execution_id: Whose execution it is.
        index: The place of the item in the array.
    """

    def __init__(
        self, array: ArrayAttempt, clock: Clock, execution_id: identifier_pb2.WorkflowExecutionIdentifier, index: int
    ) -> None:
        super().__init__(cast("Store", _ItemStore(array, index)), clock, execution_id)


class _ItemStore:
    """What the pen of an item takes for the store."""

    def __init__(self, array: ArrayAttempt, index: int) -> None:
        self._array = array
        self._index = index

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[_ItemWrites]:
        """Collect what an item writes, and write the array's attempt where it changed."""
        writes = _ItemWrites(self._array, self._index)
        yield writes
        if writes.changed:
            await self._array.save()


class _ItemWrites:
    """What an item writes in one transaction: of its nodes and attempts, and nothing else, something is kept."""

    def __init__(self, array: ArrayAttempt, index: int) -> None:
        self._array = array
        self._index = index
        self.changed = False

    def put_node(self, message: node_execution_pb2.NodeExecution, parent_id: str) -> None:  # noqa: ARG002
        """Take over what a node says of its cache."""
        self._array.note_node(self._index, message)
        self.changed = True

    def put_attempt(self, message: task_execution_pb2.TaskExecution) -> None:
        """Take over what an attempt has come to."""
        self._array.note_attempt(self._index, message)
        self.changed = True

    def _nothing(self, *_arguments: Any, **_sides: Any) -> None:
        """Keep nothing: Flyte has no data of items."""

    put_node_data = put_attempt_data = put_dynamic_workflow = _nothing
