"""Which inputs a launch plan expects, and which an execution gets. Pure.

Source: flyteadmin/pkg/manager/impl/validation (launch_plan_validator.go, execution_validator.go) of Flyte 1.16.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteidl.core import interface_pb2, literals_pb2

from flyte_remote_async.devserver.golang.prototext import prototext
from flyte_remote_async.devserver.validators.typecheck import castable, literal_type_of
from flyte_remote_async.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from flyteidl.core import types_pb2

__all__ = ["check_literals", "execution_inputs", "expected_inputs", "shown_type"]

# The instants that a protobuf timestamp can be: the years 1 to 9999.
_FIRST_SECOND: Final = -62_135_596_800
_LAST_SECOND: Final = 253_402_300_799
_SECOND: Final = 1_000_000_000


def check_literals(literals: Mapping[str, literals_pb2.Literal], field: str) -> None:
    """Refuse values without a name, and names without a value."""
    for name, literal in literals.items():
        if not name:
            raise InvalidArgumentError(f"missing key in {field}")
        if literal.WhichOneof("value") is None:
            raise InvalidArgumentError(f"missing valid literal in {field} {name}")
        _check_datetime(literal)


def expected_inputs(
    declared: interface_pb2.VariableMap, fixed: literals_pb2.LiteralMap, defaults: interface_pb2.ParameterMap
) -> interface_pb2.ParameterMap:
    """Return what a launch plan leaves to its executions: the workflow's inputs without those that it fixes.

    Raises:
        InvalidArgumentError: It fixes or defaults an input that the workflow does not have, or has with another type.
    """
    variables = declared.variables
    check_literals(fixed.literals, "fixed_inputs")
    for name, parameter in defaults.parameters.items():
        if parameter.HasField("artifact_query"):
            raise InvalidArgumentError(f"artifact mode not enabled but query found default_inputs {name}")
    for name, parameter in defaults.parameters.items():
        _check_default(name, parameter)
    _check_names("default", defaults.parameters, variables)
    _check_names("fixed", fixed.literals, variables)
    for name, parameter in defaults.parameters.items():
        _check_type("default_input", name, parameter.var.type, variables[name].type, swapped=True)
    for name, literal in fixed.literals.items():
        _check_type("fixed_input", name, shown_type(name, literal), variables[name].type)
    expected = interface_pb2.ParameterMap()
    for name, variable in variables.items():
        if name in defaults.parameters:
            expected.parameters[name].CopyFrom(defaults.parameters[name])
        elif name not in fixed.literals:
            expected.parameters[name].var.type.CopyFrom(variable.type)
            expected.parameters[name].var.description = variable.description
            expected.parameters[name].required = True
    return expected


def execution_inputs(
    given: literals_pb2.LiteralMap, fixed: literals_pb2.LiteralMap, expected: interface_pb2.ParameterMap
) -> literals_pb2.LiteralMap:
    """Return the inputs that an execution runs with.

    Raises:
        InvalidArgumentError: An input is unknown or fixed, is missing, or has the wrong type.
    """
    for name in given.literals:
        if name not in expected.parameters:
            raise InvalidArgumentError(f"invalid input {name}")
    inputs = literals_pb2.LiteralMap()
    inputs.CopyFrom(given)
    # The last name first: of two inputs that are missing, Flyte names any.
    for name in sorted(expected.parameters, reverse=True):
        parameter = expected.parameters[name]
        if name in given.literals:
            shown = shown_type(name, given.literals[name])
            if not castable(shown, parameter.var.type):
                raise InvalidArgumentError(
                    f"invalid {name} input wrong type. Expected {prototext(parameter.var.type)}, "
                    f"but got {prototext(shown)}"
                )
        elif parameter.required:
            raise InvalidArgumentError(f"expected_inputs {name} missing")
        else:
            inputs.literals[name].CopyFrom(parameter.default)
    for name, literal in fixed.literals.items():
        if name in inputs.literals:
            raise InvalidArgumentError(f"fixed_inputs {name} cannot be overridden")
        inputs.literals[name].CopyFrom(literal)
    return inputs


def _check_names(kind: str, names: Collection[str], variables: Collection[str]) -> None:
    if names and not variables:
        raise InvalidArgumentError(f"invalid launch plan {kind} inputs, expected none but found {len(names)}")
    for name in names:
        if name not in variables:
            raise InvalidArgumentError(f"unexpected {kind}_input {name}")


def _check_datetime(literal: literals_pb2.Literal) -> None:
    if not literal.scalar.primitive.HasField("datetime"):
        return
    instant = literal.scalar.primitive.datetime
    if instant.seconds < _FIRST_SECOND:
        problem = "before 0001-01-01"
    elif instant.seconds > _LAST_SECOND:
        problem = "after 9999-12-31"
    elif not 0 <= instant.nanos < _SECOND:
        problem = "has out-of-range nanos"
    else:
        return
    raise InvalidArgumentError(f"proto: timestamp ({prototext(instant)}) {problem}")


def _check_default(name: str, parameter: interface_pb2.Parameter) -> None:
    if not name:
        raise InvalidArgumentError("missing key in default_inputs")
    if not (parameter.HasField("var") and parameter.var.HasField("type")):
        raise InvalidArgumentError(
            f"The Variable component of the Parameter {name} in default_inputs either is missing, or has a missing Type"
        )
    if not parameter.HasField("default"):
        if not parameter.required:
            raise InvalidArgumentError(
                f"Invalid variable {name} in default_inputs - variable has neither default, nor is required. "
                "One must be specified"
            )
        return
    shown = shown_type(name, parameter.default)
    if not castable(shown, parameter.var.type):
        # Flyte says the two types in this order.
        raise InvalidArgumentError(
            f"Type mismatch for Parameter {name} in default_inputs has type {prototext(parameter.var.type)}, "
            f"expected {prototext(shown)}"
        )
    _check_datetime(parameter.default)


def _check_type(
    what: str, name: str, shown: types_pb2.LiteralType, declared: types_pb2.LiteralType, *, swapped: bool = False
) -> None:
    if castable(shown, declared):
        return
    first, second = (shown, declared) if swapped else (declared, shown)
    raise InvalidArgumentError(
        f"invalid {what} wrong type {name}, expected {prototext(first)}, got {prototext(second)} instead"
    )


def shown_type(name: str, literal: literals_pb2.Literal) -> types_pb2.LiteralType:
    """Return the type that a literal shows; refuse one of no type."""
    shown = literal_type_of(literal)
    if shown.WhichOneof("type") is None:
        raise InvalidArgumentError(
            f"Failed to validate literal type for [{name}] with err: got unknown literal type: [<nil>].\n"
            "Suggested solution: Please update all your Flyte deployment images to the latest version and try again"
        )
    return shown
