from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.core import condition_pb2, literals_pb2, types_pb2, workflow_pb2
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.devserver.engine.conditions import BranchError, decide
from tests.support.made_workflows import integer

if TYPE_CHECKING:
    from collections.abc import Callable

Comparison = condition_pb2.ComparisonExpression
Primitive = literals_pb2.Primitive

OPERATORS: dict[int, Callable[[Any, Any], bool]] = {
    Comparison.EQ: operator.eq,
    Comparison.NEQ: operator.ne,
    Comparison.GT: operator.gt,
    Comparison.GTE: operator.ge,
    Comparison.LT: operator.lt,
    Comparison.LTE: operator.le,
}
NONE = literals_pb2.Literal(scalar=literals_pb2.Scalar(none_type=literals_pb2.Void()))


def literal(primitive: Primitive) -> literals_pb2.Literal:
    return literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=primitive))


def primitive(value: Any) -> Primitive:
    match value:
        case bool():
            return Primitive(boolean=value)
        case int():
            return Primitive(integer=value)
        case float():
            return Primitive(float_value=value)
        case _:
            return Primitive(string_value=value)


def compare(op: int, left: str | Primitive, right: str | Primitive) -> condition_pb2.BooleanExpression:
    def operand(value: str | Primitive) -> condition_pb2.Operand:
        if isinstance(value, str):
            return condition_pb2.Operand(var=value)
        return condition_pb2.Operand(primitive=value)

    comparison = Comparison(operator=op, left_value=operand(left), right_value=operand(right))  # type: ignore[arg-type]
    return condition_pb2.BooleanExpression(comparison=comparison)


def both(op: int, left: Any, right: Any) -> condition_pb2.BooleanExpression:
    conjunction = condition_pb2.ConjunctionExpression(
        operator=op,  # type: ignore[arg-type]
        left_expression=left,
        right_expression=right,
    )
    return condition_pb2.BooleanExpression(conjunction=conjunction)


def if_else(*conditions: condition_pb2.BooleanExpression, **otherwise: Any) -> workflow_pb2.IfElseBlock:
    blocks = [
        workflow_pb2.IfBlock(condition=condition, then_node=workflow_pb2.Node(id=f"then{index}"))
        for index, condition in enumerate(conditions)
    ]
    return workflow_pb2.IfElseBlock(case=blocks[0], other=blocks[1:], **otherwise)


def holds(condition: condition_pb2.BooleanExpression, **inputs: literals_pb2.Literal) -> bool:
    block = if_else(condition, else_node=workflow_pb2.Node(id="else"))
    return decide(block, inputs).id == "then0"


def refused(condition: condition_pb2.BooleanExpression, **inputs: literals_pb2.Literal) -> str:
    with pytest.raises(BranchError) as caught:
        holds(condition, **inputs)
    assert caught.value.code == "MalformedBranchUserError"
    return str(caught.value)


values = st.one_of(
    st.tuples(st.integers(-3, 3), st.integers(-3, 3)),
    st.tuples(st.floats(-2, 2), st.floats(-2, 2)),
    st.tuples(st.text(max_size=2), st.text(max_size=2)),
)


@given(values, st.sampled_from(sorted(OPERATORS)))
def test_every_operator_compares_as_python_does(pair: tuple[Any, Any], op: int) -> None:
    left, right = pair
    expected = OPERATORS[op](left, right)
    assert holds(compare(op, primitive(left), primitive(right))) is expected
    assert holds(compare(op, ".x", primitive(right)), **{".x": literal(primitive(left))}) is expected
    both_given = {".x": literal(primitive(left)), ".y": literal(primitive(right))}
    assert holds(compare(op, ".x", ".y"), **both_given) is expected


@given(st.recursive(st.booleans(), lambda inner: st.tuples(st.booleans(), inner, inner), max_leaves=12))
def test_and_and_or_nest(tree: Any) -> None:
    def build(part: Any) -> condition_pb2.BooleanExpression:
        if isinstance(part, bool):
            return compare(Comparison.EQ, Primitive(boolean=part), Primitive(boolean=True))
        is_or, left, right = part
        conjunction = condition_pb2.ConjunctionExpression
        return both(conjunction.OR if is_or else conjunction.AND, build(left), build(right))

    def value(part: Any) -> bool:
        if isinstance(part, bool):
            return part
        is_or, left, right = part
        return value(left) or value(right) if is_or else value(left) and value(right)

    assert holds(build(tree)) is value(tree)


def test_the_first_case_that_holds_is_taken() -> None:
    no, yes = (compare(Comparison.EQ, primitive(1), primitive(number)) for number in (2, 1))
    assert decide(if_else(no, no, yes, yes), {}).id == "then2"


def test_without_else_a_branch_that_nothing_satisfies_fails() -> None:
    no = compare(Comparison.EQ, primitive(1), primitive(2))
    with pytest.raises(BranchError, match=r"^\[MalformedBranchUserError\] No branch satisfied$"):
        decide(if_else(no), {})


def test_else_fail_gives_the_users_message() -> None:
    no = compare(Comparison.EQ, primitive(1), primitive(2))
    with pytest.raises(BranchError, match="must be small") as caught:
        decide(if_else(no, error=types_pb2.Error(failed_node_id="n0", message="must be small")), {})
    assert caught.value.code == "UserProvidedError"


def test_instants_and_durations_are_compared_by_seconds() -> None:
    early, late, later = Primitive(), Primitive(), Primitive()
    early.datetime.FromJsonString("2024-01-01T00:00:00Z")
    late.datetime.FromJsonString("2024-01-01T00:00:01.1Z")
    later.datetime.FromJsonString("2024-01-01T00:00:01.9Z")
    assert holds(compare(Comparison.LT, early, late))
    assert holds(compare(Comparison.EQ, late, later))
    short, long = Primitive(), Primitive()
    short.duration.FromSeconds(1)
    long.duration.FromSeconds(100)
    assert holds(compare(Comparison.GTE, long, short))


def test_none_equals_none_and_nothing_else() -> None:
    one = {".x": NONE, ".y": NONE}
    assert holds(compare(Comparison.EQ, ".x", ".y"), **one)
    assert not holds(compare(Comparison.EQ, ".x", primitive(1)), **one)
    assert holds(compare(Comparison.NEQ, ".x", primitive(1)), **one)
    assert "nil and non-nil" in refused(compare(Comparison.GT, ".x", primitive(1)), **one)


def test_what_cannot_be_compared_says_why() -> None:
    assert "different primitives" in refused(compare(Comparison.EQ, primitive(1), primitive("1")))
    assert "[GT] not defined for boolean" in refused(compare(Comparison.GT, primitive(True), primitive(False)))
    assert "Failed to find Value for Variable [.x]" in refused(compare(Comparison.EQ, ".x", primitive(1)))
    many = literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=[integer(1)]))
    assert "RHS Variable is non primitive" in refused(compare(Comparison.EQ, primitive(1), ".x"), **{".x": many})
    assert "No Comparison or Conjunction" in refused(condition_pb2.BooleanExpression())


def test_an_operand_may_be_a_scalar() -> None:
    operand = condition_pb2.Operand(scalar=integer(3).scalar)
    three = Comparison(operator=Comparison.EQ, left_value=operand, right_value=operand)
    assert holds(condition_pb2.BooleanExpression(comparison=three))
