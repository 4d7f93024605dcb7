"""What the kinds of nodes do, a module each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyte_remote_async.devserver.engine.kinds.array import run_array
from flyte_remote_async.devserver.engine.kinds.branch import run_branch
from flyte_remote_async.devserver.engine.kinds.gate import run_gate
from flyte_remote_async.devserver.engine.kinds.task_node import run_task_node
from flyte_remote_async.devserver.engine.kinds.workflow import run_workflow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyte_remote_async.devserver.engine.run import Kind

__all__ = ["KINDS"]

KINDS: Final[Mapping[str | None, Kind]] = {
    "task_node": run_task_node,
    "workflow_node": run_workflow,
    "branch_node": run_branch,
    "array_node": run_array,
    "gate_node": run_gate,
}
"""By the field of ``flyteidl.core.Node`` that says what the node is."""
