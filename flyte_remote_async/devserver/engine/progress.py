"""Which nodes of a workflow can start, which are skipped, and when it is over. Pure.

Source: flytepropeller ``controller/nodes/executor.go`` (``RecursiveNodeHandler``, ``handleDownstream``) and
``predicate.go``. Propeller walks through the graph round by round. By default the first failure ends the workflow. With
FAIL_AFTER_EXECUTABLE_NODES_COMPLETE it walks on: what follows a failed node is skipped, one layer a round, until every
way through the graph is complete or ends in a failure. A failure is only walked past in the round after it was seen, so
a workflow that has nothing else to do ends without a skipped node. The error is that of the last way that failed, in
the order of the graph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyte_remote_async.devserver.engine.bindings import promised_nodes
from flyte_remote_async.devserver.engine.graph import END_NODE, START_NODE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyteidl.core import workflow_pb2

    from flyte_remote_async.devserver.engine.graph import Graph
    from flyte_remote_async.devserver.runners.outcome import Outcome

__all__ = ["Progress"]


class Progress:
    """How far the run of one graph has come.

    Args:
        graph: What runs.
        fails_late: Whether other nodes go on when one has failed: the policy of the execution's own workflow, which
            Flyte applies to all workflows inside of it.

    Attributes:
        failure: How the workflow failed; None while it has not.
    """

    def __init__(self, graph: Graph, *, fails_late: bool = False) -> None:
        self._graph = graph
        self._waiting = dict(graph.nodes)
        self._running: set[str] = set()
        self._succeeded: set[str] = set()
        self._late = _LateFailures(graph) if fails_late else None
        self.failure: Outcome | None = None

    def start_ready(self) -> list[workflow_pb2.Node]:
        """Return the nodes that can start now, and count them as running."""
        upstream = self._graph.upstream
        ready = [node for node_id, node in self._waiting.items() if upstream[node_id] <= self._succeeded]
        for node in ready:
            del self._waiting[node.id]
            self._running.add(node.id)
        return ready

    def settle(self, node_id: str, outcome: Outcome) -> list[str]:
        """Note that a running node has ended; return the nodes that are skipped for it, ``end-node`` included."""
        self._running.discard(node_id)
        if outcome.has_succeeded:
            self._succeeded.add(node_id)
        elif self._late is None:
            self.failure = outcome
        else:
            self._late.failures[node_id] = outcome
        if self._late is None or not self._late.failures:
            return []
        skipped = self._late.walk(self._succeeded)
        self.failure = self._late.verdict
        for skipped_id in skipped:
            self._waiting.pop(skipped_id, None)
        return skipped

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to wait for; call :meth:`start_ready` before."""
        return not self._running or self.failure is not None

    @property
    def stuck(self) -> list[str]:
        """The nodes that never became ready."""
        return sorted(self._waiting)


class _LateFailures:
    """The walk through a graph some of whose nodes have failed."""

    def __init__(self, graph: Graph) -> None:
        self.failures: dict[str, Outcome] = {}
        self.verdict: Outcome | None = None
        self._seen: set[str] = set()
        self._skipped: set[str] = set()
        self._upstream = _with_ends(graph)
        self._downstream = _turned(self._upstream)
        self._backwards = _topological(self._upstream)[::-1]

    def walk(self, succeeded: set[str]) -> list[str]:
        """Walk until nothing changes or there is a verdict; return the nodes that were skipped."""
        skipped: list[str] = []
        while self.verdict is None:
            fresh = self.failures.keys() - self._seen
            layer = self._next_layer(succeeded, fresh)
            self.verdict = self._judge(succeeded)
            self._seen |= fresh
            self._skipped.update(layer)
            skipped += layer
            if not fresh and not layer:
                break
        return skipped

    def _next_layer(self, succeeded: set[str], fresh: set[str]) -> list[str]:
        spoiled = self.failures.keys() | self._skipped
        ended = succeeded | spoiled | {START_NODE}
        return [
            node_id
            for node_id, needed in self._upstream.items()
            if node_id not in ended and needed <= ended and needed & spoiled and not needed & fresh
        ]

    def _judge(self, succeeded: set[str]) -> Outcome | None:
        """Return the failure that the walk ends with, or None where some way is not at its end."""
        complete: dict[str, bool] = {}
        failed: dict[str, Outcome | None] = {}
        for node_id in self._backwards:
            own = self.failures.get(node_id)
            after = self._downstream.get(node_id, [])
            passable = node_id in succeeded or node_id in self._skipped or node_id == START_NODE
            complete[node_id] = own is not None or (passable and all(complete.get(each) for each in after))
            failed[node_id] = own or next((failed[each] for each in reversed(after) if failed.get(each)), None)
        return failed[START_NODE] if complete[START_NODE] else None


def _with_ends(graph: Graph) -> dict[str, frozenset[str]]:
    """Return what each node waits for, start and end included."""
    upstream = {node_id: needed or frozenset({START_NODE}) for node_id, needed in graph.upstream.items()}
    followed = frozenset().union(*upstream.values()) if upstream else frozenset()
    leaves = frozenset(upstream) - followed
    upstream[END_NODE] = leaves | (promised_nodes(graph.outputs) - {START_NODE}) or frozenset({START_NODE})
    return upstream


def _turned(upstream: Mapping[str, frozenset[str]]) -> dict[str, list[str]]:
    downstream: dict[str, list[str]] = {}
    for node_id in sorted(upstream):
        for needed in upstream[node_id]:
            downstream.setdefault(needed, []).append(node_id)
    return downstream


def _topological(upstream: Mapping[str, frozenset[str]]) -> list[str]:
    """Return the nodes, each after all that it waits for; those of a cycle are left out."""
    ordered = {START_NODE: None}
    waiting = dict(upstream)
    while ready := [node_id for node_id, needed in waiting.items() if needed <= ordered.keys()]:
        for node_id in ready:
            ordered[node_id] = None
            del waiting[node_id]
    return list(ordered)
