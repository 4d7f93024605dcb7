"""A workflow that runs: the execution's own, or one in a node of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from flyte_remote_async.devserver.naming import Place

if TYPE_CHECKING:
    from flyteidl.core import literals_pb2

    from flyte_remote_async.devserver.engine.graph import Graph, Program

__all__ = ["Level"]

_AUTO_ABORT: Final = "Some node execution failed, auto-abort."


@attrs.frozen
class Level:
    """One workflow that runs.

    Attributes:
        program: Where its tasks and subworkflows are.
        graph: Its nodes.
        parent: The node that it is inside of; None at the top.
        attempt: The try of that node that it belongs to.
        abort_reason: Why its nodes that still run are aborted when it has failed, in Flyte's words.
        outputs: What its nodes gave, by id; grows while it runs.
    """

    program: Program
    graph: Graph
    parent: Place | None = None
    attempt: int = 0
    abort_reason: str = _AUTO_ABORT
    outputs: dict[str, literals_pb2.LiteralMap] = attrs.field(factory=dict)

    def place(self, root: str, spec_id: str) -> Place:
        """Return where one of its nodes stands.

        Args:
            root: The folder of the execution.
            spec_id: The id of the node in the workflow.
        """
        return self.parent.inside(spec_id, self.attempt) if self.parent else Place.at_top(root, spec_id)
