"""The entities that a control plane knows: tasks, workflows with their nodes, and launch plans."""

from __future__ import annotations

from flyte_remote_async.entities.launch_plan import FlyteLaunchPlan
from flyte_remote_async.entities.node import FlyteArrayNode, FlyteBranchNode, FlyteNode
from flyte_remote_async.entities.targets import FlyteGateNode, FlyteTaskNode, FlyteWorkflowNode
from flyte_remote_async.entities.task import FlyteTask
from flyte_remote_async.entities.templates import TaskTemplate, WorkflowTemplate
from flyte_remote_async.entities.workflow import FlyteWorkflow

__all__ = [
    "FlyteArrayNode",
    "FlyteBranchNode",
    "FlyteGateNode",
    "FlyteLaunchPlan",
    "FlyteNode",
    "FlyteTask",
    "FlyteTaskNode",
    "FlyteWorkflow",
    "FlyteWorkflowNode",
    "TaskTemplate",
    "WorkflowTemplate",
]
