"""Which signals an execution waits for, and at which of its nodes."""

# ruff: noqa: SLF001 - what was read below a part is for this package, and not for users

from __future__ import annotations

from typing import TYPE_CHECKING

from flyte_remote_async.models.phases import NodeKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flyte_remote_async.executions.node import FlyteNodeExecution
    from flyte_remote_async.executions.workflow import FlyteWorkflowExecution
    from flyte_remote_async.models.signals import Signal

__all__ = ["gate_of", "wanted_signals"]


def wanted_signals(execution: FlyteWorkflowExecution) -> dict[str, Signal]:
    """Return the signals that an execution waits for, by their ids; none where they were not read."""
    if execution.is_done:
        return {}
    return {signal.signal_id: signal for signal in execution.signals or () if not signal.is_set}


def gate_of(signal_id: str, execution: FlyteWorkflowExecution) -> FlyteNodeExecution | None:
    """Return the node that waits for a signal; None when several may, and nothing tells which.

    The control plane notes a signal with its execution and not with its node. A definition of the workflow tells the
    node, where it was read along; so does a single node that waits.

    Args:
        signal_id: What the signal is called.
        execution: The execution that waits for it.
    """
    waiting = [node for node in _nodes(execution) if node.kind is NodeKind.GATE and not node.is_done]
    known = _defined(execution)
    named = [node for node in waiting if known.get(node.spec_node_id) == signal_id]
    # A node that waits for another signal is not the one.
    rest = [node for node in waiting if known.get(node.spec_node_id, signal_id) == signal_id]
    found = named or rest
    return found[0] if len(found) == 1 and (named or len(wanted_signals(execution)) == 1) else None


def _nodes(execution: FlyteWorkflowExecution) -> Iterator[FlyteNodeExecution]:
    """Yield the nodes of an execution that may still wait, those of child executions left out."""
    stack = list(reversed(execution._nodes or ()))
    while stack:
        node = stack.pop()
        if not node.is_done:
            yield node
            stack.extend(reversed(node._below.nodes or ()))


def _defined(execution: FlyteWorkflowExecution) -> dict[str, str]:
    """Return the id in the workflow of each gate node to its signal, as far as definitions were read."""
    workflow = execution.flyte_workflow
    if workflow is None:
        return {}
    found: dict[str, set[str]] = {}
    for node in (node for one in (workflow, *workflow.flyte_sub_workflows) for node in one.nodes):
        if node.gate_node is not None:
            found.setdefault(node.id, set()).add(node.gate_node.signal_id)
    # Two subworkflows may give one id to two gates.
    return {node_id: signals.pop() for node_id, signals in found.items() if len(signals) == 1}
