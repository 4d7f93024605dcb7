"""What flytekit makes of a map task: how its function is called, and what an item of it gives. Pure.

Source: flytekit ``core/array_node_map_task.py``.
"""

from __future__ import annotations

import itertools
import re
import typing
from typing import TYPE_CHECKING, Any, Final

from flyteidl.core import literals_pb2, types_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flyteidl.core import tasks_pb2

__all__ = ["item_outputs", "stand_in_names"]

_MAP_TASK: Final = re.compile(r"(?P<module>(?:.+\.)?)map_(?P<name>.+)_[0-9a-f]{32}-arraynode")
_OPTIONAL: Final = 2  # a type, or none


def stand_in_names(task: tasks_pb2.TaskTemplate) -> Iterator[str]:
    """Yield the names under which a stand-in for a task may be registered: for a map task also that of its function."""
    yield task.id.name
    mapped = _MAP_TASK.fullmatch(task.id.name)
    if mapped is None:
        return
    arguments = list(task.container.args)
    told = dict(itertools.pairwise(arguments))
    if "task-module" in told and "task-name" in told:
        yield f"{told['task-module']}.{told['task-name']}"
    yield mapped["module"] + mapped["name"]


def item_outputs(
    task: tasks_pb2.TaskTemplate, outputs: literals_pb2.LiteralMap, hints: Mapping[str, Any]
) -> literals_pb2.LiteralMap:
    """Return what an item gives: where items may fail, the type of the whole is optional, and that of an item is not.

    Args:
        task: The task, with the interface of one item.
        outputs: What the function returned, as that interface says.
        hints: The annotations of the function.
    """
    if type(None) in typing.get_args(hints.get("return")):
        return outputs
    declared = task.interface.outputs.variables
    return literals_pb2.LiteralMap(
        literals={name: _plain(literal, declared[name].type) for name, literal in outputs.literals.items()}
    )


def _plain(literal: literals_pb2.Literal, declared: types_pb2.LiteralType) -> literals_pb2.Literal:
    variants = declared.union_type.variants
    is_optional = len(variants) == _OPTIONAL and any(map(_is_none, variants))
    if not is_optional or literal.scalar.union.value.scalar.HasField("none_type"):
        return literal
    return literal.scalar.union.value


def _is_none(declared: types_pb2.LiteralType) -> bool:
    # NONE is 0, which an unset type has as well.
    return declared.HasField("simple") and declared.simple == types_pb2.NONE
