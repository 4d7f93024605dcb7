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

__all__ = ["encode_inputs", "problems_of"]

# A value with so many elements is encoded beside the loop.
_IN_PLACE_ELEMENTS: Final = 1000


async def encode_inputs(
    entity: str,
    declared: Mapping[str, Variable],
    inputs: Mapping[str, Any],
    hints: Mapping[str, Any],
    problems: Mapping[str, str] | None = None,
) -> literals_pb2.LiteralMap:
    """Return the literals of inputs.

    Args:
        entity: What is launched, in words.
        declared: The inputs that its interface declares.
        inputs: Input name to Python value, or to a ready literal.
        hints: Input name to Python type, where the value alone does not tell.
        problems: What is wrong with them already, by name, to be told along.

    Raises:
        InvalidInputsError: An input is unknown, or its value is not of the declared type; all are named.
    """
    known = dict(problems or {})
    large = any(isinstance(value, Sized) and len(value) > _IN_PLACE_ELEMENTS for value in inputs.values())
    if large:
        return await anyio.to_thread.run_sync(_encode, entity, declared, inputs, hints, known)
    return _encode(entity, declared, inputs, hints, known)


def _encode(
    entity: str,
    declared: Mapping[str, Variable],
    inputs: Mapping[str, Any],
    hints: Mapping[str, Any],
    problems: dict[str, str],
) -> literals_pb2.LiteralMap:
    literals: dict[str, Literal] = {}
    for name, value in inputs.items():
        if name in problems:
            continue
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


def problems_of(launch_plan: FlyteLaunchPlan, given: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with inputs, by name: those that a launch plan fixes, and those that it requires."""
    fixed = launch_plan.fixed_inputs
    return {name: "the launch plan fixes it: it cannot be given" for name in given if name in fixed} | {
        name: f"it is required and missing; its type is {parameter.var.type}"
        for name, parameter in launch_plan.expected_inputs.items()
        if parameter.required and name not in given
    }
