"""Carries out one node: from QUEUED to its end, try by try. What a try does is in :mod:`kinds`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyte_remote_async.devserver.engine import bindings
from flyte_remote_async.devserver.engine.conditions import BranchError
from flyte_remote_async.devserver.engine.shortcuts import cached_outcome, recovered_outcome
from flyte_remote_async.devserver.engine.tries import Tries, allowed_attempts, time_limit
from flyte_remote_async.devserver.runners.outcome import TIMED_OUT, system_failure, user_failure

if TYPE_CHECKING:
    import datetime as dt

    from flyteidl.core import execution_pb2, literals_pb2, workflow_pb2

    from flyte_remote_async.devserver.engine.levels import Level
    from flyte_remote_async.devserver.engine.run import Run
    from flyte_remote_async.devserver.engine.shares import Share
    from flyte_remote_async.devserver.naming import Place
    from flyte_remote_async.devserver.runners.outcome import Outcome

__all__ = ["NodeRun", "unresolved"]

_NODE_FAILING: Final = "node failing"
_NODE_TIMED_OUT: Final = "node timed out"


class NodeRun:
    """One node that runs.

    Args:
        run: The execution that it is part of.
        level: The workflow that it is part of.
        node: The node.
        place: Where it stands.
        share: What it takes of ``max_parallelism``.
    """

    def __init__(self, run: Run, level: Level, node: workflow_pb2.Node, place: Place, share: Share) -> None:
        self._run = run
        self._level = level
        self._node = node
        self._record = run.recorder.new_node(place, node)
        self._record.release = share.release
        self._record.raw_output_base = run.settings.raw_output_prefix

    async def carry_out(self, error: execution_pb2.ExecutionError | None) -> Outcome:
        """Run it, and write how it ended.

        Args:
            error: For a failure node: what it is run for.
        """
        outcome = await self._outcome(error)
        await self._run.recorder.end_node(self._record, outcome)
        # What a timeout left behind: propeller tells the node first, and then what is inside of it.
        await self._abort_rest(_NODE_TIMED_OUT if outcome.phase == TIMED_OUT else _NODE_FAILING)
        return outcome

    async def _outcome(self, error: execution_pb2.ExecutionError | None) -> Outcome:
        """Run it, unless its outputs are known already."""
        outcome = await recovered_outcome(self._run, self._record)
        if outcome is not None:
            return outcome
        try:
            inputs = bindings.resolve(self._node.inputs, self._level.outputs)
        except bindings.BindingError as refused:
            return unresolved(self._node.id, refused)
        if error is not None:
            bindings.tell_error(inputs, self._node.id, error)
        outcome = await cached_outcome(self._run, self._level, self._node, self._record, inputs)
        if outcome is not None:
            return outcome
        await self._run.recorder.queue(self._record, inputs)
        return await self._run_tries(inputs)

    async def _run_tries(self, inputs: literals_pb2.LiteralMap) -> Outcome:
        node, record = self._node, self._record
        task = self._level.program.task(node.task_node.reference_id) if node.HasField("task_node") else None
        interruptible = self._run.settings.interruptible
        if node.metadata.HasField("interruptible"):
            interruptible = node.metadata.interruptible
        tries = Tries(allowed_attempts(node, task))
        queued_at = self._run.clock.now()
        while True:
            record.number = tries.number
            record.interruptible = interruptible and tries.may_be_interrupted
            outcome = await self._try_in_time(inputs, queued_at)
            if not outcome.recoverable:
                return outcome
            following = tries.after(outcome)
            if following is None:
                return tries.exhausted(outcome)
            await self._abort_rest(outcome.error.message if outcome.error else "")
            tries = following

    async def _try_in_time(self, inputs: literals_pb2.LiteralMap, queued_at: dt.datetime) -> Outcome:
        clock = self._run.clock
        limit = time_limit(self._node, queued_at, clock.now())
        if limit is None:
            return await self._try(inputs)
        with clock.move_on_at(limit.at) as scope:
            outcome = await self._try(inputs)
        return limit.outcome if scope.cancelled_caught else outcome

    async def _try(self, inputs: literals_pb2.LiteralMap) -> Outcome:
        target = self._node.WhichOneof("target")
        kind = self._run.kinds.get(target)
        if kind is None:
            named = target or "node without target"
            return system_failure("UnsupportedNode", f"the devserver's engine does not run a {named}")
        try:
            return await kind(self._run, self._level, self._node, self._record, inputs)
        except BranchError as error:
            return user_failure(error.code, str(error))

    async def _abort_rest(self, reason: str) -> None:
        """Abort what it has left running: its attempt, and what is inside of it."""
        if self._record.on_abort is not None:
            await self._record.on_abort(reason)
        await self._run.recorder.abort_attempt(self._record)
        await self._run.recorder.abort_inside(self._record.place.node_id, reason)


def unresolved(node_id: str, error: bindings.BindingError) -> Outcome:
    """Return how a node ends whose inputs cannot be had from where they are bound to."""
    message = f"failed at Node[{node_id}]. BindingResolutionError: {error}"
    return system_failure("BindingResolutionFailure", message)
