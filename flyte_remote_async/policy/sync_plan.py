"""What to read next of an execution, so that little is asked for and nothing twice.

What has ended and was read to its end is settled: it is shared with the next snapshot and never read again. The rest is
live. Of a live level, only nodes that moved since the last look are asked for; what is below a live node is asked for
whether the node moved or not, since a node's row does not move while its attempts fail and are retried, nor while the
nodes below it do.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import attrs

from flyte_remote_async.models.phases import NodeKind
from flyte_remote_async.policy.filters import gte
from flyte_remote_async.policy.node_kinds import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from flyte_remote_async.policy.filters import Filter
    from flyte_remote_async.policy.node_kinds import Evidence

__all__ = ["Coverage", "Needs", "changed_since", "may_wait", "needs_of"]

# The clocks of the server's parts differ, and events are stored after they happened: rows this much older than the
# newest one seen are asked for again.
SKEW: Final = timedelta(seconds=60)


@attrs.frozen(kw_only=True)
class Coverage:
    """What was, or is to be, read along with the nodes.

    Attributes:
        attempts: The attempts of task nodes.
        io: Inputs and outputs.
        definitions: The workflow and the tasks.
        signals: The signals that running gate nodes wait for. What has ended waits for none, so they do not count when
            it is asked whether all is there.
    """

    attempts: bool = True
    io: bool = False
    definitions: bool = False
    signals: bool = False

    def includes(self, other: Coverage) -> bool:
        """Whether all that the other asks for is in this one."""
        return (
            (self.attempts or not other.attempts)
            and (self.io or not other.io)
            and (self.definitions or not other.definitions)
        )


@attrs.frozen(kw_only=True)
class Needs:
    """What has to be read below a node.

    Attributes:
        children: Its node executions.
        attempts: The attempts of its task.
        execution: The execution that it started.
    """

    children: bool = False
    attempts: bool = False
    execution: bool = False


def needs_of(node: Evidence, wanted: Coverage) -> Needs:
    """Return what has to be read below a node.

    Args:
        node: What the node shows of itself.
        wanted: What is to be read along with the nodes.
    """
    kind = kind_of(node)
    runs_task = (
        node.is_eager
        or kind in {NodeKind.DYNAMIC, NodeKind.ARRAY}
        or (not node.is_parent and kind in {NodeKind.TASK, NodeKind.GATE})
    )
    return Needs(
        children=node.is_parent,
        attempts=wanted.attempts and runs_task,
        execution=kind is NodeKind.LAUNCH_PLAN,
    )


def may_wait(node: Evidence, *, is_done: bool) -> bool:
    """Whether a node may wait for a signal: a gate that runs, or a leaf that may be one as far as is known.

    Args:
        node: What the node shows of itself.
        is_done: Whether the node has ended.
    """
    if is_done or not node.is_started:
        return False
    kind = kind_of(node)
    return kind is NodeKind.GATE or (kind is NodeKind.TASK and node.attempts is None and not node.has_task_metadata)


def changed_since(seen: Iterable[datetime | None]) -> tuple[Filter, ...]:
    """Return the filter for the nodes of a level that moved since they were seen.

    Only the server's own times are compared, so the client's clock does not matter.

    Args:
        seen: When each node of the level was updated last, as of the last look.

    Returns:
        No filter at all when nothing was seen, or when the server gave no times.
    """
    times = list(seen)
    known = [at for at in times if at is not None]
    if not known or len(known) < len(times):
        return ()
    return (gte("updated_at", max(known) - SKEW),)
