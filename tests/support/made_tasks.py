"""The tasks that made registrations use, and what they do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flyteidl.admin import task_pb2
from flyteidl.core import identifier_pb2, interface_pb2, tasks_pb2, types_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["INT", "INTS", "STAND_INS", "STR", "TASKS", "identifier", "interface", "task_requests"]

INT: Final = types_pb2.LiteralType(simple=types_pb2.INTEGER)
STR: Final = types_pb2.LiteralType(simple=types_pb2.STRING)
INTS: Final = types_pb2.LiteralType(collection_type=INT)

TASKS: Final[Mapping[str, tuple[Mapping[str, types_pb2.LiteralType], Mapping[str, types_pb2.LiteralType]]]] = {
    "made.add": ({"a": INT, "b": INT}, {"o0": INT}),
    "made.text": ({"a": INT}, {"o0": STR}),
    "made.length": ({"s": STR}, {"o0": INT}),
    "made.spread": ({"a": INT}, {"o0": INTS}),
    "made.total": ({"xs": INTS}, {"o0": INT}),
    "made.nothing": ({}, {}),
    "made.mapped": ({"a": INTS}, {"o0": INTS}),
}
"""The tasks of made workflows: name to inputs and outputs. ``made.mapped`` is the one that array nodes run."""


def _length(s: str) -> int:
    return len(s)


def _total(xs: list[int]) -> int:
    return sum(xs)


def _text(a: int) -> str:
    return str(a)


STAND_INS: Final[Mapping[str, Callable[..., Any]]] = {
    "made.add": lambda a, b: a + b,
    "made.text": _text,
    "made.length": _length,
    "made.spread": lambda a: [a] * (abs(a) % 3 + 1),
    "made.total": _total,
    "made.nothing": lambda: None,
    "made.mapped": lambda a: a + 1,
}
"""What each of them does; ``made.mapped`` for one element."""


def identifier(kind: identifier_pb2.ResourceType, name: str) -> identifier_pb2.Identifier:
    """Return the identifier of an entity of made workflows."""
    return identifier_pb2.Identifier(
        resource_type=kind, project="flytesnacks", domain="development", name=name, version="made"
    )


def task_requests() -> tuple[task_pb2.TaskCreateRequest, ...]:
    """Return what registers them."""
    requests = []
    for name, (inputs, outputs) in TASKS.items():
        template = tasks_pb2.TaskTemplate(type="python-task", interface=interface(inputs, outputs))
        template.metadata.runtime.version = "1"
        task = identifier(identifier_pb2.TASK, name)
        requests.append(task_pb2.TaskCreateRequest(id=task, spec=task_pb2.TaskSpec(template=template)))
    return tuple(requests)


def interface(
    inputs: Mapping[str, types_pb2.LiteralType], outputs: Mapping[str, types_pb2.LiteralType]
) -> interface_pb2.TypedInterface:
    """Return an interface by the types of its variables."""
    sides = [
        interface_pb2.VariableMap(variables={name: interface_pb2.Variable(type=each) for name, each in side.items()})
        for side in (inputs, outputs)
    ]
    return interface_pb2.TypedInterface(inputs=sides[0], outputs=sides[1])
