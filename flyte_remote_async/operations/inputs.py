"""Inputs of a launch, checked against the interface before anything is sent."""

from __future__ import annotations

from collections.abc import Sized
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread
from flyteidl.core import literals_pb2

from flyte_remote_async.errors import EncodeError, InvalidInputsError
from flyte_remote_async.literals import encode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyte_remote_async.entities import FlyteLaunchPlan
    from flyte_remote_async.models.literals import Literal, Variable

__all__ = ["check_given", "encode_inputs"]

# A value with so many elements is encoded beside the loop.
_IN_PLACE_ELEMENTS: Final = 1000


async def encode_inputs(
    entity: str, declared: Mapping[str, Variable], inputs: Mapping[str, Any], hints: Mapping[str, Any]
) -> literals_pb2.LiteralMap:
    """Return the literals of inputs.

    Args:
        entity: What is launched, in words.
        declared: The inputs that its interface declares.
        inputs: Input name to Python value, or to a ready literal.
        hints: Input name to Python type, where the value alone does not tell.

    Raises:
        InvalidInputsError: An input is unknown, or its value is not of the declared type; all are named.
    """
    large = any(isinstance(value, Sized) and len(value) > _IN_PLACE_ELEMENTS for value in inputs.values())
    if large:
        return await anyio.to_thread.run_sync(_encode, entity, declared, inputs, hints)
    return _encode(entity, declared, inputs, hints)


def _encode(
    entity: str, declared: Mapping[str, Variable], inputs: Mapping[str, Any], hints: Mapping[str, Any]
) -> literals_pb2.LiteralMap:
    problems: dict[str, str] = {}
    literals: dict[str, Literal] = {}
    for name, value in inputs.items():
        if name not in declared:
            problems[name] = f"there is no such input; there are: {', '.join(declared) or 'none'}"
            continue
        try:
            literals[name] = encode(value, declared[name].type, hints.get(name))
        except EncodeError as error:
            problems[name] = str(error.named(name))
    if problems:
        raise InvalidInputsError(entity, problems)
    return literals_pb2.LiteralMap(literals={name: value.to_flyte_idl() for name, value in literals.items()})


def check_given(launch_plan: FlyteLaunchPlan, given: Mapping[str, Any]) -> None:
    """Check inputs against what a launch plan fixes and requires.

    Raises:
        InvalidInputsError: A fixed input is given, or a required one is missing; all are named.
    """
    problems = {
        name: "the launch plan fixes it: it cannot be given" for name in given if name in launch_plan.fixed_inputs
    }
    problems |= {
        name: f"it is required and missing; its type is {parameter.var.type}"
        for name, parameter in launch_plan.expected_inputs.items()
        if parameter.required and name not in given
    }
    if problems:
        raise InvalidInputsError(f"{launch_plan.id}", problems)
