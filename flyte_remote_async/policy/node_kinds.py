"""What kind of node a node execution is, told by what it left behind and not by a workflow definition.

A definition may be missing, archived or of another version; the node's own record is always there. What tells the
kinds apart was read off recordings of Flyte 1.16.8:

- A start or end node is known by its id in the workflow, never by its own id, which is a hash below a deep parent.
- A launch-plan node names the execution that it started.
- Dynamic and array nodes say so. A dynamic node says so once its closure is compiled; until then it is a task node.
- A parent with a start node among its children is a subworkflow. The children of a branch are named after it:
  ``n0-n2`` below ``n0``, and there is no start node.
- Of the rest, a task node has attempts, or what its task node leaves behind (cache status, checkpoint). A node that was
  started, has ended or waits, and has neither, is a gate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from flyte_remote_async.models.phases import NodeKind

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Evidence", "kind_of"]

START_NODE = "start-node"
END_NODE = "end-node"


@attrs.frozen(kw_only=True)
class Evidence:
    """What a node execution shows of itself.

    Attributes:
        spec_node_id: Its id in the workflow; servers before 0.19 leave it empty and the node's own id stands in.
        is_parent: Whether it has node executions below it.
        is_dynamic: Whether it is a dynamic node with a compiled closure.
        is_array: Whether it maps.
        is_eager: Whether its task starts nodes while it runs.
        starts_execution: Whether it names a child execution.
        has_task_metadata: Whether it left what only task nodes leave.
        is_started: Whether it has begun.
        is_successful: Whether it ended well.
        attempts: How many attempts it has; None when they were not read.
        children: Ids in the workflow of the nodes below it; None when they were not read.
    """

    spec_node_id: str
    is_parent: bool = False
    is_dynamic: bool = False
    is_array: bool = False
    is_eager: bool = False
    starts_execution: bool = False
    has_task_metadata: bool = False
    is_started: bool = False
    is_successful: bool = False
    attempts: int | None = None
    children: Sequence[str] | None = None


def kind_of(node: Evidence) -> NodeKind:  # noqa: PLR0911 - one line for each kind reads best
    """Return the kind of a node; ``UNKNOWN`` for a parent whose children fit no kind."""
    if node.spec_node_id == START_NODE:
        return NodeKind.START
    if node.spec_node_id == END_NODE:
        return NodeKind.END
    if node.starts_execution:
        return NodeKind.LAUNCH_PLAN
    if node.is_array:
        return NodeKind.ARRAY
    if node.is_dynamic:
        return NodeKind.DYNAMIC
    if node.is_parent:
        return _kind_of_parent(node)
    return _kind_of_leaf(node)


def _kind_of_parent(node: Evidence) -> NodeKind:
    if not node.children or START_NODE in node.children:
        # The first child of a subworkflow is its start node; a parent is marked as one with its first child.
        return NodeKind.SUBWORKFLOW
    if all(child.startswith(f"{node.spec_node_id}-") for child in node.children):
        return NodeKind.BRANCH
    return NodeKind.UNKNOWN


def _kind_of_leaf(node: Evidence) -> NodeKind:
    if node.has_task_metadata or node.attempts:
        return NodeKind.TASK
    if node.attempts is None:
        # Every task node that succeeded left task metadata, a cached one too.
        return NodeKind.GATE if node.is_successful else NodeKind.TASK
    return NodeKind.GATE if node.is_started or node.is_successful else NodeKind.TASK
