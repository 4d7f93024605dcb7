"""The rows of an execution's nodes and attempts, and how they change. Pure: the time is given.

What is written, and when, follows recordings of a real Flyte: a node is QUEUED with its inputs, RUNNING from its first
attempt, and does not move while attempts fail; start and end nodes appear as SUCCEEDED; an echo task never runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteidl.admin import node_execution_pb2, task_execution_pb2
from flyteidl.core import execution_pb2, identifier_pb2
from flyteidl.event import event_pb2

from flyte_remote_async.devserver import naming
from flyte_remote_async.devserver.engine.closures import end_closure
from flyte_remote_async.devserver.runners.outcome import aborted_node

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable, Sequence

    from flyteidl.core import compiler_pb2, tasks_pb2, workflow_pb2

    from flyte_remote_async.devserver.engine.catalog import CacheNote
    from flyte_remote_async.devserver.naming import Place
    from flyte_remote_async.devserver.runners.outcome import Outcome

__all__ = ["ECHO", "AttemptRecord", "NodeRecord", "end_row", "start_row"]

ECHO: Final = "echo"
_NODE: Final = execution_pb2.NodeExecution
_TASK: Final = execution_pb2.TaskExecution
_EVENT_VERSION: Final = 1


def _node(
    execution_id: identifier_pb2.WorkflowExecutionIdentifier, place: Place, now: dt.datetime
) -> node_execution_pb2.NodeExecution:
    message = node_execution_pb2.NodeExecution(
        id=identifier_pb2.NodeExecutionIdentifier(node_id=place.node_id, execution_id=execution_id),
        metadata=node_execution_pb2.NodeExecutionMetaData(retry_group=place.retry_group, spec_node_id=place.spec_id),
    )
    message.closure.created_at.FromDatetime(now)
    message.closure.updated_at.FromDatetime(now)
    return message


def start_row(
    execution_id: identifier_pb2.WorkflowExecutionIdentifier, place: Place, now: dt.datetime
) -> node_execution_pb2.NodeExecution:
    """Return the row of a start node: its outputs are the inputs of the workflow."""
    message = _node(execution_id, place, now)
    message.closure.phase = _NODE.SUCCEEDED
    message.closure.output_uri = place.outputs_uri()
    return message


def end_row(
    execution_id: identifier_pb2.WorkflowExecutionIdentifier, place: Place, now: dt.datetime
) -> node_execution_pb2.NodeExecution:
    """Return the row of an end node: its inputs are the outputs of the workflow."""
    message = _node(execution_id, place, now)
    message.input_uri = place.inputs_uri
    message.closure.phase = _NODE.SUCCEEDED
    return message


class NodeRecord:
    """The row of one node, from QUEUED to its end.

    Attributes:
        message: The row as it is now.
        place: Where the node stands.
        number: Which try of the node this is, from 0 on.
        interruptible: Whether this try may be interrupted.
        attempt: The latest attempt of its task.
        previous_checkpoint_uri: The checkpoints that its first attempt begins with; empty where there are none.
        dynamic_before: The workflow that its task asked for in the execution that is recovered; None where it did not.
        raw_output_base: Where the execution wants raw data; empty for the usual place.
        on_abort: Called with the reason when the node is aborted: for what runs outside of this execution.
        release: Gives its share of ``max_parallelism`` back before the node has ended.
    """

    def __init__(
        self,
        execution_id: identifier_pb2.WorkflowExecutionIdentifier,
        place: Place,
        now: dt.datetime,
        node: workflow_pb2.Node,
    ) -> None:
        self.place = place
        self.number = 0
        self.interruptible = False
        self.attempt: AttemptRecord | None = None
        self.previous_checkpoint_uri = ""
        self.dynamic_before: compiler_pb2.CompiledWorkflowClosure | None = None
        self.raw_output_base = ""
        self.on_abort: Callable[[str], Awaitable[None]] | None = None
        self.release: Callable[[], None] = _nothing
        self.message = _node(execution_id, place, now)
        self.message.input_uri = place.inputs_uri
        self.message.metadata.is_parent_node = node.workflow_node.HasField("sub_workflow_ref")
        self.message.metadata.is_array = node.HasField("array_node")
        self.message.closure.phase = _NODE.QUEUED

    def run(self, now: dt.datetime, child: identifier_pb2.WorkflowExecutionIdentifier | None = None) -> None:
        """Note that it runs.

        Args:
            now: The instant.
            child: The execution that it has started.
        """
        closure = self.message.closure
        if child is not None:
            closure.workflow_node_metadata.executionId.CopyFrom(child)
        closure.phase = _NODE.RUNNING
        closure.started_at.FromDatetime(now)
        closure.updated_at.FromDatetime(now)

    def promise_deck(self, task: tasks_pb2.TaskTemplate) -> None:
        """Note where its first attempt leaves its deck, if its task makes one: it may be read while it runs."""
        if task.metadata.generates_deck.value:
            self.message.closure.deck_uri = self.place.deck_uri()

    def run_dynamic(self, now: dt.datetime, spec_uri: str) -> None:
        """Note that its task has ended, and that the workflow runs that the task asked for.

        Args:
            now: The instant.
            spec_uri: Where the task left the workflow.
        """
        closure, metadata = self.message.closure, self.message.metadata
        metadata.is_parent_node = metadata.is_dynamic = True
        closure.phase = _NODE.DYNAMIC_RUNNING
        closure.updated_at.FromDatetime(now)
        closure.task_node_metadata.SetInParent()
        closure.dynamic_job_spec_uri = spec_uri

    def recover(self, original: node_execution_pb2.NodeExecution) -> None:
        """Note what it takes over from the node of another execution that it is recovered from."""
        theirs, closure = original.closure, self.message.closure
        self.message.metadata.is_array = original.metadata.is_array
        # Flyte forgets here which execution a node of a launch plan started.
        if theirs.HasField("task_node_metadata"):
            closure.task_node_metadata.CopyFrom(theirs.task_node_metadata)
            closure.task_node_metadata.checkpoint_uri = ""
        closure.deck_uri = theirs.deck_uri

    def note_cache(self, note: CacheNote) -> None:
        """Note what the cache had of it, or what it left there."""
        metadata = self.message.closure.task_node_metadata
        metadata.cache_status = note.status
        metadata.catalog_key.CopyFrom(note.key)

    def end(self, now: dt.datetime, outcome: Outcome) -> None:
        """Note how it ended."""
        closure = self.message.closure
        if outcome.error is not None:
            closure.error.CopyFrom(outcome.error)
        elif outcome.has_succeeded and outcome.writes_outputs:
            closure.output_uri = self.place.outputs_uri(self.number)
        if self.attempt is not None and self.attempt.has_ended and not self.message.metadata.is_dynamic:
            closure.task_node_metadata.checkpoint_uri = self.attempt.checkpoint_uri
        if self.attempt is not None:
            closure.deck_uri = outcome.deck_uri
        usual = _NODE.SUCCEEDED if outcome.error is None else _NODE.FAILED
        end_closure(self.message.closure, usual if outcome.phase is None else outcome.phase, now)

    def skip(self) -> None:
        """Note that it is skipped."""
        self.message.closure.phase = _NODE.SKIPPED

    def abort(self, now: dt.datetime, reason: str) -> None:
        """Note that it was aborted."""
        self.message.closure.error.CopyFrom(aborted_node(reason))
        self.message.closure.deck_uri = ""
        end_closure(self.message.closure, _NODE.ABORTED, now)


def _nothing() -> None:
    """Give nothing back: most nodes hold no share."""


class AttemptRecord:
    """The row of one attempt of a task, from QUEUED to its end.

    Attributes:
        message: The row as it is now.
        number: 0 for the first attempt.
        generated_name: What its pod would be called.
        has_ended: Whether its end is written.
    """

    def __init__(self, node: NodeRecord, task: tasks_pb2.TaskTemplate, now: dt.datetime) -> None:
        node_id = node.message.id
        self.number = number = node.number
        self.has_ended = False
        self._node = node
        self.generated_name = naming.attempt_name(node_id.execution_id.name, node_id.node_id, number)
        self.message = task_execution_pb2.TaskExecution(
            id=identifier_pb2.TaskExecutionIdentifier(task_id=task.id, node_execution_id=node_id, retry_attempt=number),
            input_uri=node.place.inputs_uri,
        )
        closure = self.message.closure
        closure.phase = _TASK.QUEUED
        closure.task_type = task.type
        closure.event_version = _EVENT_VERSION
        closure.created_at.FromDatetime(now)
        closure.updated_at.FromDatetime(now)
        closure.metadata.generated_name = self.generated_name
        closure.metadata.plugin_identifier = "echo" if task.type == ECHO else "container"
        if node.interruptible:
            closure.metadata.instance_class = event_pb2.TaskExecutionMetadata.INTERRUPTIBLE
        if task.type != ECHO:
            for reason in ("task submitted to K8s", "Demistify Pending"):
                closure.reason = reason
                closure.reasons.add(message=reason).occurred_at.FromDatetime(now)

    @property
    def checkpoint_uri(self) -> str:
        """Where the attempt keeps its checkpoints."""
        return naming.checkpoint_uri(self.generated_name, self._node.raw_output_base)

    @property
    def previous_checkpoint_uri(self) -> str:
        """The checkpoints that the attempt begins with: those of the one before, where there was one."""
        if self.number == 0:
            return self._node.previous_checkpoint_uri
        node_id = self.message.id.node_execution_id
        name = naming.attempt_name(node_id.execution_id.name, node_id.node_id, self.number - 1)
        return naming.checkpoint_uri(name, self._node.raw_output_base)

    @property
    def raw_output_prefix(self) -> str:
        """The folder for files, directories and tables that the attempt makes."""
        return naming.raw_output_prefix(self.generated_name, self._node.raw_output_base)

    def run(self, now: dt.datetime, logs: Sequence[execution_pb2.TaskLog] = ()) -> None:
        """Note that it runs, and where its logs are."""
        closure = self.message.closure
        closure.phase = _TASK.RUNNING
        closure.started_at.FromDatetime(now)
        closure.updated_at.FromDatetime(now)
        closure.logs.extend(logs)

    def end(self, now: dt.datetime, outcome: Outcome) -> None:
        """Note how it ended. Flyte writes FAILED for an attempt that will be followed by another, too."""
        if outcome.error is None:
            self.message.closure.output_uri = self._node.place.outputs_uri(self.number)
        else:
            self.message.closure.error.CopyFrom(outcome.error)
        end_closure(self.message.closure, _TASK.SUCCEEDED if outcome.error is None else _TASK.FAILED, now)

    def abort(self, now: dt.datetime) -> None:
        """Note that it was aborted; Flyte keeps no reason with it."""
        end_closure(self.message.closure, _TASK.ABORTED, now)
