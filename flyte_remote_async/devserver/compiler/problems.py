"""What can be wrong with a workflow or a task, in Flyte's words, and how it is collected.

Source: flytepropeller/pkg/compiler/errors of Flyte 1.16.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["CompileError", "CrashError", "Problem", "Problems"]


@attrs.frozen(order=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        code: Its kind, such as ``"ParameterNotBound"``.
        node_id: The node that it is about; the identifier of the workflow where it is about all of it.
        description: What is wrong, for a reader.
    """

    code: str
    node_id: str
    description: str

    def __str__(self) -> str:
        return f"Code: {self.code}, Node Id: {self.node_id}, Description: {self.description}"


class CompileError(ValueError):
    """Raised when a workflow or a task does not compile. Its text is Flyte's.

    Attributes:
        problems: All that is wrong, in the order in which the text tells it.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = sorted(problems, key=lambda problem: (problem.code, str(problem)))
        super().__init__(self.problems)

    def __str__(self) -> str:
        told = [f"\tError {number}: {problem}\n" for number, problem in enumerate(self.problems)]
        return f"Collected Errors: {len(told)}\n{''.join(told)}"


class CrashError(CompileError):
    """Raised for what Flyte's own compiler crashes on, so that its server answers INTERNAL."""


class Problems:
    """The problems found so far; a scope tells those of one step from those of the steps before."""

    def __init__(self, outer: Self | None = None) -> None:
        self._outer = outer
        self._found: set[Problem] = set()

    def scope(self) -> Self:
        """Return a collection of its own, whose problems are this one's too."""
        return type(self)(self)

    def add(self, code: str, node_id: str, description: str) -> None:
        """Note a problem. The same problem noted twice is one."""
        self.extend([Problem(code, node_id, description)])

    def extend(self, problems: Iterable[Problem]) -> None:
        """Note problems that were found elsewhere."""
        self._found.update(problems)
        if self._outer is not None:
            self._outer.extend(problems)

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def found(self) -> frozenset[Problem]:
        """What was found, without order."""
        return frozenset(self._found)

    # --- those that several steps find ---

    def value_required(self, node_id: str, field: str) -> None:
        """Note a field that is not set."""
        self.add("ValueRequired", node_id, f"Value required [{field}].")

    def not_bound(self, node_id: str, parameter: str) -> None:
        """Note an input that nothing is bound to."""
        self.add("ParameterNotBound", node_id, f"Parameter not bound [{parameter}].")

    def no_task(self, node_id: str, task: str) -> None:
        """Note a reference to a task that there is not."""
        self.add("TaskReferenceNotFound", node_id, f"Referenced Task [{task}] not found.")

    def no_workflow(self, node_id: str, workflow: str) -> None:
        """Note a reference to a workflow or a launch plan that there is not."""
        self.add("WorkflowReferenceNotFound", node_id, f"Referenced Workflow [{workflow}] not found.")

    def no_variable(self, node_id: str, variable: str) -> None:
        """Note a variable that its node does not have."""
        self.add("VariableNameNotFound", node_id, f"Variable [{variable}] not found on node [{node_id}].")

    def no_condition(self, node_id: str) -> None:
        """Note a case of a branch without a condition."""
        words = "One of the branches on the node doesn't have a condition."
        self.add("BranchNodeHasNoCondition", node_id, words)

    def mismatch(self, node_id: str, variable: str, shown: str, expected: str) -> None:
        """Note a value whose type is not the declared one."""
        words = f"Variable [{variable}] (type [{shown}]) doesn't match expected type [{expected}]."
        self.add("MismatchingTypes", node_id, words)

    def cycle(self, node_id: str, path: Iterable[str]) -> None:
        """Note a cycle, by the path that finds it."""
        words = f"A cycle has been detected while traversing the Workflow [{'>'.join(path)}]."
        self.add("CycleDetected", node_id, words)
