"""How an execution is to run: what it says, and else its launch plan, and else its workflow. Pure.

Source: flyteadmin ``manager/impl/execution_manager.go`` (``getExecutionConfig``) and flytepropeller
``apis/flyteworkflow/v1alpha1/workflow.go`` (``IsInterruptible``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyteidl.admin import execution_pb2, launch_plan_pb2

    from flyte_remote_async.devserver.engine.graph import Graph

    _Spec: TypeAlias = execution_pb2.ExecutionSpec | launch_plan_pb2.LaunchPlanSpec

__all__ = ["Settings"]


@attrs.frozen
class Settings:
    """How an execution is to run.

    Attributes:
        max_parallelism: How many tasks and launch plans run at a time; 0 is no bound.
        interruptible: Whether nodes that say nothing of it may be interrupted.
        fails_late: Whether nodes go on when another has failed, in its own workflow and in those inside of it.
        environment: Environment variables for its tasks.
        raw_output_prefix: Where its tasks put files, directories and tables; empty for the usual place.
    """

    max_parallelism: int = 0
    interruptible: bool = False
    fails_late: bool = False
    environment: Mapping[str, str] = attrs.field(factory=dict)
    raw_output_prefix: str = ""

    @classmethod
    def of(
        cls, execution: execution_pb2.Execution, launch_plan: launch_plan_pb2.LaunchPlan | None, workflow: Graph
    ) -> Settings:
        """Return the settings of an execution.

        Args:
            execution: The execution as it was launched.
            launch_plan: Its launch plan; None for the execution of a task.
            workflow: The graph of its workflow.
        """
        specs: list[_Spec] = [execution.spec] if launch_plan is None else [execution.spec, launch_plan.spec]
        interruptible = next((spec.interruptible.value for spec in specs if spec.HasField("interruptible")), None)
        variables = next((spec.envs.values for spec in specs if spec.envs.values), ())
        prefixes = (spec.raw_output_data_config.output_location_prefix for spec in specs)
        return cls(
            execution.spec.max_parallelism,
            workflow.interruptible if interruptible is None else interruptible,
            workflow.fails_late,
            {pair.key: pair.value for pair in variables},
            next(filter(None, prefixes), ""),
        )
