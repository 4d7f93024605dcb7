"""Which way a branch node goes. Pure.

Source: flytepropeller ``controller/nodes/branch`` (both sides of ``and`` and ``or`` are evaluated; instants and
durations are compared by whole seconds; booleans only for equality).
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Final

from flyteidl.core import condition_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flyteidl.core import literals_pb2, workflow_pb2

__all__ = ["BranchError", "decide"]

_MALFORMED: Final = "MalformedBranchUserError"
_USER_PROVIDED: Final = "UserProvidedError"
_Comparison = condition_pb2.ComparisonExpression
_COMPARISONS: Final[Mapping[int, Callable[[Any, Any], bool]]] = {
    _Comparison.EQ: operator.eq,
    _Comparison.NEQ: operator.ne,
    _Comparison.GT: operator.gt,
    _Comparison.GTE: operator.ge,
    _Comparison.LT: operator.lt,
    _Comparison.LTE: operator.le,
}
_EQUALITIES: Final = frozenset({_Comparison.EQ, _Comparison.NEQ})


class BranchError(Exception):
    """A branch that cannot be decided, or whose ``else_().fail(...)`` was reached.

    Attributes:
        code: Flyte's code for it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"[{code}] {message}")
        self.code = code


def decide(if_else: workflow_pb2.IfElseBlock, inputs: Mapping[str, literals_pb2.Literal]) -> workflow_pb2.Node:
    """Return the node that a branch takes.

    Args:
        if_else: The cases of the branch, in order, and its ``else``.
        inputs: The inputs of the branch node: the variables of its conditions.

    Raises:
        BranchError: No case holds and there is no ``else``, the ``else`` is a failure, or values do not compare.
    """
    for block in (if_else.case, *if_else.other):
        if _holds(block.condition, inputs):
            return block.then_node
    match if_else.WhichOneof("default"):
        case "else_node":
            return if_else.else_node
        case "error":
            raise BranchError(_USER_PROVIDED, if_else.error.message)
        case _:
            raise BranchError(_MALFORMED, "No branch satisfied")


def _holds(expression: condition_pb2.BooleanExpression, inputs: Mapping[str, literals_pb2.Literal]) -> bool:
    if expression.HasField("comparison"):
        return _compare(expression.comparison, inputs)
    if not expression.HasField("conjunction"):
        raise BranchError(_MALFORMED, "No Comparison or Conjunction found in Branch node expression.")
    conjunction = expression.conjunction
    left = _holds(conjunction.left_expression, inputs)
    right = _holds(conjunction.right_expression, inputs)
    return left or right if conjunction.operator == condition_pb2.ConjunctionExpression.OR else left and right


def _compare(expression: condition_pb2.ComparisonExpression, inputs: Mapping[str, literals_pb2.Literal]) -> bool:
    left = _operand(expression.left_value, inputs, "LHS")
    right = _operand(expression.right_value, inputs, "RHS")
    name = _Comparison.Operator.Name(expression.operator)
    if left is None or right is None:
        if expression.operator not in _EQUALITIES:
            raise BranchError(
                _MALFORMED,
                f"Comparison between nil and non-nil values with operator [{name}] is not supported. "
                f"lVal[{left}]:rVal[{right}]",
            )
        return _COMPARISONS[expression.operator](left, right)
    kinds = left.WhichOneof("value"), right.WhichOneof("value")
    if kinds[0] != kinds[1]:
        raise BranchError(
            _MALFORMED, f"Comparison between different primitives types. lVal[{kinds[0]}]:rVal[{kinds[1]}]"
        )
    if kinds[0] == "boolean" and expression.operator not in _EQUALITIES:
        raise BranchError(_MALFORMED, f"[{name}] not defined for boolean operands.")
    return _COMPARISONS[expression.operator](_comparable(left), _comparable(right))


def _operand(
    operand: condition_pb2.Operand, inputs: Mapping[str, literals_pb2.Literal], side: str
) -> literals_pb2.Primitive | None:
    match operand.WhichOneof("val"):
        case "primitive":
            return operand.primitive
        case "scalar":
            scalar = operand.scalar
        case _:
            if operand.var not in inputs:
                raise BranchError(_MALFORMED, f"Failed to find Value for Variable [{operand.var}]")
            scalar = inputs[operand.var].scalar
    if scalar.HasField("none_type"):
        return None
    if not scalar.HasField("primitive"):
        raise BranchError(_MALFORMED, f"Only primitives can be compared. {side} Variable is non primitive.")
    return scalar.primitive


def _comparable(primitive: literals_pb2.Primitive) -> Any:
    kind = primitive.WhichOneof("value") or "string_value"
    value = getattr(primitive, kind)
    return value.seconds if kind in {"datetime", "duration"} else value
