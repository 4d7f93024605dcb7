"""Inputs of a launch, checked against the interface before anything is sent."""

from __future__ import annotations

from collections.abc import Sized
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread
import attrs
from flyteidl.core import literals_pb2

from flyte_remote_async.concurrency import task_group
from flyte_remote_async.errors import EncodeError, InvalidInputsError
from flyte_remote_async.literals.convert import encode
from flyte_remote_async.literals.gathering import Gathered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyte_remote_async.entities import FlyteLaunchPlan
    from flyte_remote_async.literals import Context
    from flyte_remote_async.models.literals import Literal, Variable

__all__ = ["Inputs", "problems_of"]

# A value with so many elements is encoded beside the loop.
_IN_PLACE_ELEMENTS: Final = 1000


class Inputs:
    """Inputs on their way into literals.

    They are checked as a whole before a file or table among them is stored anywhere.

    Args:
        entity: What is launched, in words.
        declared: The inputs that its interface declares.
        given: Input name to Python value, or to a ready literal.
        hints: Input name to Python type, where the value alone does not tell.
        context: What the conversion may use.
    """

    def __init__(
        self,
        entity: str,
        declared: Mapping[str, Variable],
        given: Mapping[str, Any],
        hints: Mapping[str, Any],
        context: Context,
    ) -> None:
        self._entity = entity
        self._declared = declared
        self._given = given
        self._hints = hints
        self._literals: dict[str, Literal] = {}
        self._contexts = {name: attrs.evolve(context, gathered=Gathered()) for name in given}

    async def check(self, problems: Mapping[str, str] | None = None) -> None:
        """Convert what needs nothing stored.

        Args:
            problems: What is wrong with inputs already, by name, to be told along.

        Raises:
            InvalidInputsError: An input is unknown, or its value is not of the declared type; all are named.
        """
        known = dict(problems or {})
        large = any(isinstance(value, Sized) and len(value) > _IN_PLACE_ELEMENTS for value in self._given.values())
        if large:
            await anyio.to_thread.run_sync(self._encode, known)
        else:
            self._encode(known)
        if known:
            raise InvalidInputsError(self._entity, known)

    async def stored(self) -> literals_pb2.LiteralMap:
        """Store what has to be stored, and return the literals.

        Raises:
            InvalidInputsError: A stored value is not of the declared type; all are named.
            StorageError: A file cannot be stored.
        """
        while pending := [name for name in self._given if name not in self._literals]:
            async with task_group() as group:
                for name in pending:
                    group.start_soon(self._gathered(name).bring)
            await self.check()
        return literals_pb2.LiteralMap(literals={name: value.to_flyte_idl() for name, value in self._literals.items()})

    def _gathered(self, name: str) -> Gathered:
        gathered = self._contexts[name].gathered
        assert gathered is not None  # noqa: S101 - it was made above
        return gathered

    def _encode(self, problems: dict[str, str]) -> None:
        for name, value in self._given.items():
            if name in problems or name in self._literals:
                continue
            if name not in self._declared:
                problems[name] = f"there is no such input; there are: {', '.join(self._declared) or 'none'}"
                continue
            gathered = self._gathered(name)
            try:
                literal = encode(value, self._declared[name].type, self._hints.get(name), self._contexts[name])
            except EncodeError as error:
                # Until all is stored, a part that is missing may be what does not fit.
                if gathered.is_complete:
                    problems[name] = str(error.named(name))
            else:
                if gathered.is_complete:
                    self._literals[name] = literal


def problems_of(launch_plan: FlyteLaunchPlan, given: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with inputs, by name: those that a launch plan fixes, and those that it requires."""
    fixed = launch_plan.fixed_inputs
    return {name: "the launch plan fixes it: it cannot be given" for name in given if name in fixed} | {
        name: f"it is required and missing; its type is {parameter.var.type}"
        for name, parameter in launch_plan.expected_inputs.items()
        if parameter.required and name not in given
    }
