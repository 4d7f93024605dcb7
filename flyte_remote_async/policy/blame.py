"""Which of the nodes of a level failed by themselves, and which of them is to be blamed.

A node that failed ends the others of its execution: those are aborted, and are not the cause. A failure handler runs
after the failure, so its own failure is not the cause either. Nothing in the record of a node says that it is a
handler; its id does, where it is the one that flytekit gives, and its times do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from flyte_remote_async.models.phases import NodePhase

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

__all__ = ["Outcome", "blame_of", "failed_by_itself"]

# flytekit calls the handler of a workflow so.
_HANDLER: Final = "fn0"
_FAILED: Final = frozenset({NodePhase.FAILED, NodePhase.TIMED_OUT, NodePhase.FAILING})


@attrs.frozen(kw_only=True)
class Outcome:
    """How a node ended.

    Attributes:
        node_id: Its id in its execution.
        spec_node_id: Its id in the workflow.
        phase: Its phase.
        retry_group: Which try of the node above it it belongs to; empty at the top level.
        began: When it was created.
        ended: When it changed last.
        is_handler: Whether the definition of the workflow says that it is the failure handler.
    """

    node_id: str
    spec_node_id: str
    phase: NodePhase
    retry_group: str = ""
    began: datetime | None = None
    ended: datetime | None = None
    is_handler: bool = False


def failed_by_itself(nodes: Iterable[Outcome]) -> list[Outcome]:
    """Return the nodes of a level that failed by themselves, of the last try of the node above them."""
    every = list(nodes)
    last = max((_try(node) for node in every), default=0)
    return [node for node in every if node.phase in _FAILED and _try(node) == last]


def blame_of(node: Outcome) -> tuple[bool, bool, float, str]:
    """Return the place of a failed node among others: the first to fail is the first, and failure handlers are last."""
    handles = node.is_handler or node.spec_node_id == _HANDLER
    return handles, node.ended is None, node.ended.timestamp() if node.ended else 0.0, node.node_id


def _try(node: Outcome) -> int:
    return int(node.retry_group) if node.retry_group.isdecimal() else 0
