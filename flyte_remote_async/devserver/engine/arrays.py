"""What an array node is made of: how many items, what each is given, and what all of them gave. Pure.

Source: flytepropeller ``controller/nodes/array/handler.go`` and ``node_execution_context.go``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import attrs
from flyteidl.core import execution_pb2, interface_pb2, literals_pb2, tasks_pb2

from flyte_remote_async.devserver.runners.outcome import user_failure

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from flyteidl.core import types_pb2, workflow_pb2

    from flyte_remote_async.devserver.runners.outcome import Outcome

__all__ = ["ArrayProgress", "array_size", "cached_template", "gathered", "item_inputs", "item_template"]

_NOTHING: Final = literals_pb2.Literal(scalar=literals_pb2.Scalar(none_type=literals_pb2.Void()))
_LONGEST_MESSAGE: Final = 102_400
_MORE: Final = "... and many more."


def array_size(array: workflow_pb2.ArrayNode, inputs: literals_pb2.LiteralMap) -> int | Outcome:
    """Return how many items an array has, or how it fails where that cannot be said.

    Args:
        array: The node.
        inputs: Its inputs: lists of one length, but for those that are bound to all items alike.
    """
    size = -1
    for name in sorted(inputs.literals):
        literal = inputs.literals[name]
        if name in array.bound_inputs or not literal.HasField("collection"):
            continue
        length = len(literal.collection.literals)
        if size not in {-1, length}:
            return user_failure(
                "InvalidArrayLength", f"input arrays have different lengths: expecting '{size}' found '{length}'"
            )
        size = length
    if size >= 0:
        return size
    if len(array.bound_inputs) == len(inputs.literals):
        return 1
    return user_failure("InvalidArrayLength", "no input array provided")


def item_inputs(array: workflow_pb2.ArrayNode, inputs: literals_pb2.LiteralMap, index: int) -> literals_pb2.LiteralMap:
    """Return what one item is given."""
    given = literals_pb2.LiteralMap()
    for name, literal in inputs.literals.items():
        is_shared = name in array.bound_inputs or not literal.HasField("collection")
        given.literals[name].CopyFrom(literal if is_shared else literal.collection.literals[index])
    return given


def item_template(template: tasks_pb2.TaskTemplate, array: workflow_pb2.ArrayNode) -> tasks_pb2.TaskTemplate:
    """Return a task with the interface of one item of its array.

    Args:
        template: The task, whose interface may be that of the whole array.
        array: The node.
    """
    item = cached_template(template)
    if not array.is_original_sub_node_interface.value:
        _make_singular(item.interface.inputs, set(array.bound_inputs))
    return item


def cached_template(template: tasks_pb2.TaskTemplate) -> tasks_pb2.TaskTemplate:
    """Return a task with the interface that the cache counts for an item: outputs of one item, inputs of all."""
    item = tasks_pb2.TaskTemplate()
    item.CopyFrom(template)
    _make_singular(item.interface.outputs)
    return item


def _make_singular(declared: interface_pb2.VariableMap, but: Collection[str] = ()) -> None:
    for name, variable in declared.variables.items():
        if name not in but and variable.type.HasField("collection_type"):
            element: types_pb2.LiteralType = variable.type.collection_type
            kept = interface_pb2.Variable(type=element)
            variable.type.CopyFrom(kept.type)


def gathered(template: tasks_pb2.TaskTemplate | None, outcomes: Sequence[Outcome]) -> literals_pb2.LiteralMap:
    """Return the outputs of an array: lists, with nothing in the places of items that failed.

    Args:
        template: The task of the items; None where they run something else.
        outcomes: How the items ended, in their order.
    """
    names = set(template.interface.outputs.variables) if template is not None else set()
    names.update(name for outcome in outcomes for name in outcome.outputs.literals)
    outputs = literals_pb2.LiteralMap()
    for name in names:
        items = outputs.literals[name].collection
        items.SetInParent()
        for outcome in outcomes:
            literals = outcome.outputs.literals
            items.literals.append(literals.get(name, _NOTHING))
    return outputs


@attrs.define
class ArrayProgress:
    """How far an array has come.

    Attributes:
        size: How many items it has.
        needed: How many must succeed.
        outcomes: How the items ended that have ended, by index.
        error: What went wrong last, in Flyte's words; None as long as nothing did.
    """

    size: int
    needed: int
    outcomes: dict[int, Outcome] = attrs.field(factory=dict)
    error: execution_pb2.ExecutionError | None = None

    @classmethod
    def of(cls, array: workflow_pb2.ArrayNode, size: int) -> ArrayProgress:
        """Return the progress of an array that has not begun."""
        match array.WhichOneof("success_criteria"):
            case "min_successes":
                return cls(size, array.min_successes)
            case "min_success_ratio":
                return cls(size, math.ceil(array.min_success_ratio * size))
            case _:
                return cls(size, size)

    def settle(self, index: int, outcome: Outcome) -> None:
        """Note how an item ended."""
        self.outcomes[index] = outcome
        if outcome.error is not None:
            told = f"[{index}]: {outcome.error.message}\n"
            if len(told) >= _LONGEST_MESSAGE - len(_MORE):
                told += _MORE
            self.error = execution_pb2.ExecutionError(message=told)

    @property
    def has_failed(self) -> bool:
        """Whether too few items can still succeed."""
        failed = sum(outcome.error is not None for outcome in self.outcomes.values())
        return self.size - failed < self.needed

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come."""
        return self.has_failed or len(self.outcomes) == self.size
