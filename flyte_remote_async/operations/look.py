"""One look at an execution and all that is below it.

The look is a set of small reads that run side by side: each files what it found and starts the reads that follow from
it, so a deep tree needs no deep stack. When all are done the snapshots are made from the leaves up, and what was
settled in the snapshot before is taken from there.
"""

from __future__ import annotations

import functools
from collections import deque
from typing import TYPE_CHECKING, Final

import anyio
import anyio.lowlevel
import attrs

from flyte_remote_async.concurrency import task_group
from flyte_remote_async.errors import InvalidArgumentError, UnimplementedError, UnknownError
from flyte_remote_async.executions.below import evidence_of
from flyte_remote_async.executions.tree import has_more_than
from flyte_remote_async.models.identifiers import (
    Identifier,
    NodeExecutionIdentifier,
    WorkflowExecutionIdentifier,
)
from flyte_remote_async.models.phases import WorkflowPhase
from flyte_remote_async.operations.calm import LARGE, STRIDE, Calm
from flyte_remote_async.operations.drafts import Context, ExecutionDraft, NodeDraft, present
from flyte_remote_async.operations.lag import goes_back, says_nothing_new, without_lag
from flyte_remote_async.operations.reads import Reads
from flyte_remote_async.operations.session import READS_AT_ONCE
from flyte_remote_async.policy.sync_plan import changed_since, may_wait, needs_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anyio.abc import TaskGroup
    from flyteidl.admin import execution_pb2, node_execution_pb2

    from flyte_remote_async.entities import FlyteTask, FlyteWorkflow
    from flyte_remote_async.executions.binding import Remote
    from flyte_remote_async.executions.node import FlyteNodeExecution
    from flyte_remote_async.executions.workflow import FlyteWorkflowExecution
    from flyte_remote_async.operations.session import Session
    from flyte_remote_async.policy.filters import Filter
    from flyte_remote_async.policy.sync_plan import Coverage

__all__ = ["Look"]

# So a filter is refused; flyteadmin answers UNKNOWN when its database cannot take one.
_REFUSED: Final = (InvalidArgumentError, UnimplementedError, UnknownError)


@attrs.define(eq=False)
class Look:
    """One look at an execution and all that is below it.

    Attributes:
        session: The parts of the remote.
        remote: What the snapshots are bound to.
        wanted: What is to be read along with the nodes.
    """

    session: Session
    remote: Remote
    wanted: Coverage
    _drafts: list[ExecutionDraft | NodeDraft] = attrs.field(factory=list, init=False)
    _tasks: dict[Identifier, FlyteTask | None] = attrs.field(factory=dict, init=False)
    _workflows: dict[Identifier, FlyteWorkflow | None] = attrs.field(factory=dict, init=False)
    _reads: Reads = attrs.field(init=False)
    _calm: Calm = attrs.field(factory=Calm, init=False)
    # One level at a time: the loop gets its turn after each stride, whatever number of levels comes in at once.
    _filing: anyio.Lock = attrs.field(factory=anyio.Lock, init=False)
    # Nodes whose attempts are to be read, and how many tasks do that.
    _tried: deque[NodeDraft] = attrs.field(factory=deque, init=False)
    _readers: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._reads = Reads(self.session.reads)

    async def at(
        self,
        old: FlyteWorkflowExecution,
        message: execution_pb2.Execution | None = None,
        *,
        is_cut: bool = False,
    ) -> FlyteWorkflowExecution:
        """Return a new snapshot of an execution with its tree.

        Args:
            old: The snapshot before; what is settled in it is taken over.
            message: The execution as it is now, where it was just read; it is read when it is None.
            is_cut: Whether a list may have cut the error of that.

        Raises:
            RPCError: The execution or a level below it could not be read, for a reason that is not a node's own.
            ClientStateError: The remote is closed, or used from the wrong loop or process.
        """
        with self._calm:
            if has_more_than(old, LARGE):
                self._calm.begin()
            return await self._at(ExecutionDraft(old.id, old, message=message, is_cut=is_cut))

    async def _at(self, root: ExecutionDraft) -> FlyteWorkflowExecution:
        async with task_group() as group:
            group.start_soon(self._read_execution, group, root)
        context = Context(self.remote, self.wanted, self._tasks, self._workflows)
        # What is below was found after what is above: definitions go down, and snapshots are made from the leaves up.
        if self.wanted.definitions:
            for draft in self._drafts:
                draft.define(context)
        for count, draft in enumerate(reversed(self._drafts), 1):
            draft.make(context)
            if count % STRIDE == 0:
                await anyio.lowlevel.checkpoint()
        return present(root.snapshot)

    # --- executions and levels ----------------------------------------------------------------------------------

    async def _read_execution(self, group: TaskGroup, draft: ExecutionDraft) -> None:
        self._drafts.append(draft)
        if draft.message is None and draft.old is not None and draft.old.is_known_to_its_end:
            draft.message = draft.old.to_flyte_idl()
        if draft.message is None:
            draft.message = await self._reads.of(draft.node, self.session.reader.execution, draft.id)
            if draft.message is None:
                return
        if draft.old is not None and goes_back(draft.old.phase, WorkflowPhase(draft.message.closure.phase)):
            draft.message = draft.old.to_flyte_idl()
        if draft.is_final and draft.old is not None and draft.old.covers(self.wanted):
            draft.snapshot = draft.old
            return
        if self.wanted.io:
            group.start_soon(self._read_execution_data, draft)
        if self.wanted.definitions and draft.message.closure.HasField("workflow_id"):
            group.start_soon(self._read_workflow, Identifier.from_flyte_idl(draft.message.closure.workflow_id))
        await self._read_level(group, draft, None)

    async def _read_level(self, group: TaskGroup, execution: ExecutionDraft, parent: NodeDraft | None) -> None:
        owner = parent or execution
        before = owner.old_nodes
        filters = () if owner.is_final else await self._changed_since(before)
        parent_id = parent.message.id.node_id if parent else ""
        read = functools.partial(self.session.reader.nodes, execution.id, parent_id, on_full_page=self._calm.begin)
        rows = None
        if filters:
            try:
                rows = await self._reads.plain(read, filters=filters)
            except _REFUSED:
                # A server that does not know the filter: the whole level then.
                filters = ()
        if rows is None:
            rows = await self._reads.of(parent or execution.node, read)
        if rows is None:
            return
        # Under a filter the server leaves out what did not move.
        level: dict[str, node_execution_pb2.NodeExecution | None] = dict.fromkeys(before) if filters else {}
        level.update({row.id.node_id: row for row in rows})
        owner.nodes = []
        async with self._filing:
            for count, (node_id, message) in enumerate(level.items(), 1):
                owner.nodes.append(self._start_node(group, owner, message, before.get(node_id)))
                if count % STRIDE == 0:
                    await anyio.lowlevel.checkpoint()

    async def _changed_since(self, before: Mapping[str, FlyteNodeExecution]) -> tuple[Filter, ...]:
        if not before:
            return ()
        times = []
        async with self._filing:
            for count, node in enumerate(before.values(), 1):
                times.append(node.closure.updated_at)
                if count % STRIDE == 0:
                    await anyio.lowlevel.checkpoint()
        return changed_since(times)

    def _start_node(
        self,
        group: TaskGroup,
        owner: ExecutionDraft | NodeDraft,
        message: node_execution_pb2.NodeExecution | None,
        old: FlyteNodeExecution | None,
    ) -> NodeDraft:
        unmoved = message is None or (old is not None and says_nothing_new(message, old))
        row = present(old).to_flyte_idl() if unmoved else present(message)
        draft = NodeDraft(row, owner, old)
        self._drafts.append(draft)
        self._calm.count(1)
        if unmoved and old is not None and old.covers(self.wanted):
            draft.snapshot = old
            return draft
        needs = needs_of(evidence_of(draft.message), self.wanted)
        if needs.children:
            self._start_level(group, draft)
        if needs.attempts:
            self._start_attempts(group, draft)
        if needs.execution:
            self._start_child(group, draft)
        if not needs.attempts:
            self._start_signals(group, draft)
            self._start_data(group, draft)
        return draft

    def _start_level(self, group: TaskGroup, draft: NodeDraft) -> None:
        node_id, parents = draft.message.id.node_id, draft.execution.parents
        if not node_id or node_id in parents:
            # The empty id asks for the top level again, and that of another parent for a level that is read: for ever.
            draft.problem = f"its id {node_id!r} is empty or another parent's, so what is below it cannot be asked for"
            return
        parents.add(node_id)
        group.start_soon(self._read_level, group, draft.execution, draft)

    def _start_data(self, group: TaskGroup, draft: NodeDraft) -> None:
        if self.wanted.io and draft.message.input_uri:
            group.start_soon(self._read_node_data, draft)

    def _start_child(self, group: TaskGroup, draft: NodeDraft) -> None:
        id = WorkflowExecutionIdentifier.from_flyte_idl(draft.message.closure.workflow_node_metadata.executionId)
        if draft.execution.is_within(id):
            draft.problem = f"it names execution {id} as its child, which it is itself a part of"
            return
        before = draft.old.child_executions if draft.old else ()
        old = next((execution for execution in before if execution.id == id), None)
        draft.child = ExecutionDraft(id, old, node=draft)
        group.start_soon(self._read_execution, group, draft.child)

    # --- attempts, definitions, data ----------------------------------------------------------------------------

    def _start_attempts(self, group: TaskGroup, draft: NodeDraft) -> None:
        # Not a task for each node: ten thousand of them, each waiting for its turn, are a load by themselves.
        self._tried.append(draft)
        if self._readers < READS_AT_ONCE:
            self._readers += 1
            group.start_soon(self._read_tried, group)

    async def _read_tried(self, group: TaskGroup) -> None:
        while self._tried:
            await self._read_attempts(group, self._tried.popleft())
        self._readers -= 1

    async def _read_attempts(self, group: TaskGroup, draft: NodeDraft) -> None:
        found = await self._reads.of(
            draft, self.session.reader.attempts, NodeExecutionIdentifier.from_flyte_idl(draft.message.id)
        )
        draft.attempts = None if found is None else without_lag(found, draft.old)
        self._calm.count(len(draft.attempts or ()))
        if self.wanted.definitions and draft.attempts:
            for id in {Identifier.from_flyte_idl(attempt.id.task_id) for attempt in draft.attempts}:
                group.start_soon(self._read_task, id)
        # The attempts tell which task's interface the data has, and whether the node is a gate.
        self._start_signals(group, draft)
        self._start_data(group, draft)

    def _start_signals(self, group: TaskGroup, draft: NodeDraft) -> None:
        execution = draft.execution
        if not self.wanted.signals or execution.are_signals_asked or execution.is_final:
            return
        attempts = None if draft.attempts is None else len(draft.attempts)
        if may_wait(evidence_of(draft.message, attempts=attempts), is_done=draft.is_final):
            execution.are_signals_asked = True
            group.start_soon(self._read_signals, execution)

    async def _read_signals(self, draft: ExecutionDraft) -> None:
        found = await self._reads.may_fail(self.session.reader.signals, draft.id)
        # Where they cannot be had now, those of before still stand.
        before = (draft.old.signals if draft.old else None) or ()
        draft.signals = found if found is not None else [signal.to_flyte_idl() for signal in before]

    async def _read_task(self, id: Identifier) -> None:
        if id not in self._tasks:
            self._tasks[id] = None
            self._tasks[id] = await self._reads.may_fail(self.session.definitions.task, id)

    async def _read_workflow(self, id: Identifier) -> None:
        if id not in self._workflows:
            self._workflows[id] = None
            self._workflows[id] = await self._reads.may_fail(self.session.definitions.workflow, id)

    async def _read_execution_data(self, draft: ExecutionDraft) -> None:
        draft.data = await self._reads.may_fail(self.session.data.of_execution, present(draft.message))

    async def _read_node_data(self, draft: NodeDraft) -> None:
        draft.data = await self._reads.may_fail(self.session.data.of_node, draft.message, draft.task_id)
