"""Films of executions: trees of snapshots that grow, a step at a time, as a control plane would tell them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from flyteidl.admin import execution_pb2, node_execution_pb2, signal_pb2, task_execution_pb2

from flyte_remote_async import (
    FlyteNodeExecution,
    FlyteTaskExecution,
    FlyteWorkflowExecution,
    NodePhase,
    TaskPhase,
    WorkflowPhase,
)
from flyte_remote_async.executions.below import Below
from flyte_remote_async.models.signals import Signal

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Grown", "film"]

START: Final = 1_700_000_000
_ENDS: Final = (WorkflowPhase.SUCCEEDED, WorkflowPhase.FAILED, WorkflowPhase.ABORTED, WorkflowPhase.TIMED_OUT)
_NODE_ENDS: Final = (NodePhase.SUCCEEDED, NodePhase.FAILED, NodePhase.SKIPPED, NodePhase.RECOVERED)


class Grown:
    """One execution, node or attempt whose phase a test moves forward.

    Args:
        kind: ``"execution"``, ``"node"`` or ``"attempt"``.
        name: What it is called.
        execution: The name of the execution that it is in.
    """

    def __init__(self, kind: str, name: str, execution: str = "root") -> None:
        self.kind = kind
        self.name = name
        self.execution = execution
        self.phase = 0
        self.times: dict[str, int] = {}
        self.nodes: list[Grown] = []
        self.attempts: list[Grown] = []
        self.executions: list[Grown] = []
        self.logs: list[str] = []
        self.elements: dict[int, list[str]] = {}
        self.reason = ""
        self.task = "t"
        self.signals: dict[str, bool] | None = None
        self._made: Any = None
        self._of: tuple[Any, ...] = ()

    @property
    def parts(self) -> list[Grown]:
        """What is right below it."""
        return [*self.nodes, *self.attempts, *self.executions]

    def add(self, part: Grown) -> Grown:
        """Put a part below it and return the part."""
        {"node": self.nodes, "attempt": self.attempts, "execution": self.executions}[part.kind].append(part)
        return part

    def move(self, phase: int, at: int, *, is_timed: bool = True) -> None:
        """Bring it into a phase at a time in seconds."""
        self.phase = phase
        if is_timed:
            self.times.setdefault("created_at", at)
            if phase == int(NodePhase.RUNNING):  # 2 in all enums of phases
                self.times.setdefault("started_at", at)
            self.times["updated_at"] = at

    def snapshot(self) -> Any:
        """Return it as it is now; what has not changed is the snapshot of before."""
        below = {name: tuple(part.snapshot() for part in getattr(self, name)) for name in _PARTS[self.kind]}
        told = (list(self.logs), dict(self.elements), self.reason, dict(self.signals or {}))
        made_of = (self.phase, dict(self.times), told, tuple(below.items()))
        if self._made is None or not _same(made_of, self._of):
            self._of, self._made = made_of, getattr(self, f"_{self.kind}")(**below)
        return self._made

    def _execution(self, nodes: tuple[FlyteNodeExecution, ...]) -> FlyteWorkflowExecution:
        message: Any = execution_pb2.Execution()
        message.id.project, message.id.domain, message.id.name = "p", "d", self.name
        self._stamp(message.closure)
        return FlyteWorkflowExecution.from_flyte_idl(message, nodes=nodes, signals=self._signals())

    def _node(
        self,
        nodes: tuple[FlyteNodeExecution, ...],
        attempts: tuple[FlyteTaskExecution, ...],
        executions: tuple[FlyteWorkflowExecution, ...],
    ) -> FlyteNodeExecution:
        message: Any = node_execution_pb2.NodeExecution()
        self._place(message.id)
        message.metadata.spec_node_id = self.name
        message.metadata.is_parent_node = bool(nodes)
        if executions:
            message.closure.workflow_node_metadata.executionId.name = executions[0].id.name
        self._stamp(message.closure)
        below = Below(nodes=nodes or None, attempts=attempts, executions=executions or None)
        return FlyteNodeExecution.from_flyte_idl(message, below=below)

    def _attempt(self) -> FlyteTaskExecution:
        message: Any = task_execution_pb2.TaskExecution()
        node, _, number = self.name.partition(":")
        self._place(message.id.node_execution_id, node)
        message.id.task_id.name, message.id.retry_attempt = self.task, int(number)
        for log in self.logs:
            message.closure.logs.add(name=log, uri=f"http://logs/{log}")
        for index, logs in self.elements.items():
            element = message.closure.metadata.external_resources.add(index=index)
            for log in logs:
                element.logs.add(name=log, uri=f"http://logs/{log}")
        message.closure.reason = self.reason
        self._stamp(message.closure)
        return FlyteTaskExecution.from_flyte_idl(message)

    def _place(self, id: Any, node: str = "") -> None:
        id.node_id = node or self.name
        id.execution_id.project, id.execution_id.domain, id.execution_id.name = "p", "d", self.execution

    def _stamp(self, closure: Any) -> None:
        closure.phase = self.phase
        for field, at in self.times.items():
            getattr(closure, field).seconds = at

    def _signals(self) -> tuple[Signal, ...] | None:
        if self.signals is None:
            return None
        found = []
        for signal_id, is_set in self.signals.items():
            message: Any = signal_pb2.Signal()
            message.id.signal_id = signal_id
            message.id.execution_id.name = self.name
            message.type.simple = 4
            if is_set:
                message.value.scalar.primitive.boolean = True
            found.append(Signal.from_flyte_idl(message))
        return tuple(found)


_PARTS: Final = {"execution": ("nodes",), "node": ("nodes", "attempts", "executions"), "attempt": ()}


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether two snapshots would be made of the same, their parts being the same objects."""
    if not other or one[:-1] != other[:-1]:
        return False
    return all(
        name == other_name and len(parts) == len(others) and all(a is b for a, b in zip(parts, others, strict=True))
        for (name, parts), (other_name, others) in zip(one[-1], other[-1], strict=True)
    )


class _Director:
    """Lets an execution grow at random: parents begin before their parts, and end after them."""

    def __init__(self, dice: random.Random, *, is_timed: bool) -> None:
        self.dice = dice
        self.is_timed = is_timed
        self.now = START
        self.count = 0
        self.root = Grown("execution", "root")
        self.everything = [self.root]

    def step(self) -> None:
        """Let one thing happen."""
        self.now += self.dice.randrange(3)
        part = self.dice.choice(self.everything)
        if self._has_ended(part):
            return
        if not self._has_begun(part):
            self._move(part, {0: 1, 1: 2, 6: 2}[part.phase])
        elif (part.parts and self.dice.random() < 0.4) or part.kind == "attempt":
            self._end(part)
        elif len(self.everything) < 40:
            self._grow(part)

    def finish(self) -> None:
        """End all that has not ended, the root last."""
        for part in reversed(self.everything):
            if not self._has_ended(part):
                self.now += 1
                self._end(part)

    def _grow(self, part: Grown) -> None:
        self.count += 1
        if part.kind == "execution":
            self.everything.append(part.add(Grown("node", f"n{self.count}", part.name)))
            return
        kind = part.parts[0].kind if part.parts else self.dice.choice(["node", "attempt", "execution"])
        if kind == "attempt":
            if all(self._has_ended(attempt) for attempt in part.attempts):
                self.everything.append(part.add(Grown("attempt", f"{part.name}:{len(part.attempts)}", part.execution)))
        elif kind == "node":
            self.everything.append(part.add(Grown("node", f"n{self.count}", part.execution)))
        elif not part.executions:
            self.everything.append(part.add(Grown("execution", f"child{self.count}")))

    def _end(self, part: Grown) -> None:
        if all(self._has_ended(one) for one in part.parts):
            if part.kind == "attempt":
                part.logs = [f"log{self.dice.randrange(3)}"]
                ends: Sequence[int] = (TaskPhase.SUCCEEDED, TaskPhase.FAILED, TaskPhase.ABORTED)
            else:
                ends = _ENDS if part.kind == "execution" else _NODE_ENDS
            self._move(part, self.dice.choice([int(end) for end in ends]))

    def _move(self, part: Grown, phase: int) -> None:
        part.move(phase, self.now, is_timed=self.is_timed)

    def _has_begun(self, part: Grown) -> bool:
        return part.phase >= int(NodePhase.RUNNING)

    def _has_ended(self, part: Grown) -> bool:
        if part.kind == "execution":
            return WorkflowPhase(part.phase).is_terminal
        return NodePhase(part.phase).is_terminal if part.kind == "node" else TaskPhase(part.phase).is_terminal


def film(seed: int, *, looks: int = 8, is_timed: bool = True) -> list[FlyteWorkflowExecution]:
    """Return the snapshots of some looks at an execution that runs to its end; what stands still is shared.

    Args:
        seed: Decides what happens.
        looks: How many looks.
        is_timed: Whether the control plane tells times.
    """
    dice = random.Random(seed)  # noqa: S311 - a film, not a secret
    director = _Director(dice, is_timed=is_timed)
    frames = [director.root.snapshot()]
    for _ in range(looks - 2):
        for _ in range(dice.randrange(30)):
            director.step()
        frames.append(director.root.snapshot())
    director.finish()
    return [*frames, director.root.snapshot()]
