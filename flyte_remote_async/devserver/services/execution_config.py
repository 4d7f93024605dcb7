"""What an execution runs with where the request, its launch plan and the attributes of its project all say something.

Pure. The first of them that says something about a setting is the one that counts.

Source: flyteadmin/pkg/manager/impl (execution_manager.go, util/shared.go) of Flyte 1.16.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from flyteidl.admin import common_pb2, execution_pb2, launch_plan_pb2, matchable_resource_pb2
from flyteidl.core import security_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["PLATFORM", "merged", "resolve", "run_spec"]

Settings: TypeAlias = (
    execution_pb2.ExecutionSpec | launch_plan_pb2.LaunchPlanSpec | matchable_resource_pb2.WorkflowExecutionConfig
)
"""The messages that have the settings, under the same names."""

PLATFORM: Final = matchable_resource_pb2.WorkflowExecutionConfig(max_parallelism=25)
"""What Flyte's own configuration says where nobody else does."""

_MAPS: Final = ("labels", "annotations", "envs")


def merged(sources: Iterable[Settings]) -> matchable_resource_pb2.WorkflowExecutionConfig:
    """Return the settings of several sources in one.

    Args:
        sources: What says something, the one that counts most first.
    """
    config = matchable_resource_pb2.WorkflowExecutionConfig()
    for source in sources:
        _merge(config, source)
    return config


def resolve(
    spec: execution_pb2.ExecutionSpec,
    plan: launch_plan_pb2.LaunchPlanSpec | None,
    attributes: Iterable[matchable_resource_pb2.WorkflowExecutionConfig],
) -> matchable_resource_pb2.WorkflowExecutionConfig:
    """Return what an execution runs with.

    Args:
        spec: What the request asks for.
        plan: The launch plan; None for an execution of a task.
        attributes: The workflow execution configs that match, the most specific first.
    """
    config = merged([spec, *([] if plan is None else [plan]), *attributes])
    if not config.HasField("security_context"):
        role = _auth_role(spec, plan)
        if role.kubernetes_service_account or role.assumable_iam_role:
            run_as = config.security_context.run_as
            run_as.iam_role, run_as.k8s_service_account = role.assumable_iam_role, role.kubernetes_service_account
    _merge(config, PLATFORM)
    if not config.security_context.HasField("run_as"):
        config.security_context.run_as.CopyFrom(security_pb2.Identity())
    return config


def run_spec(
    spec: execution_pb2.ExecutionSpec,
    config: matchable_resource_pb2.WorkflowExecutionConfig,
    project_labels: Mapping[str, str],
) -> execution_pb2.ExecutionSpec:
    """Return the spec that the engine gets: as it is stored, with what was found out about each setting.

    Flyte keeps what the request asked for, and writes what counts into the resource that the engine works on.

    Args:
        spec: As it is stored.
        config: What counts.
        project_labels: The labels of the project, for keys that nobody else labels.
    """
    run = execution_pb2.ExecutionSpec()
    run.CopyFrom(spec)
    for name in ("raw_output_data_config", *_MAPS, "interruptible"):
        if config.HasField(name):
            getattr(run, name).CopyFrom(getattr(config, name))
    for key, value in project_labels.items():
        if key not in run.labels.values:
            run.labels.values[key] = value
    run.overwrite_cache = config.overwrite_cache
    run.max_parallelism = config.max_parallelism
    return run


def _merge(config: matchable_resource_pb2.WorkflowExecutionConfig, source: Any) -> None:
    if config.max_parallelism == 0 and source.max_parallelism > 0:
        config.max_parallelism = source.max_parallelism
    run_as = source.security_context.run_as
    named = run_as.k8s_service_account or run_as.iam_role or run_as.execution_identity
    if named and not config.HasField("security_context"):
        config.security_context.CopyFrom(source.security_context)
    if (
        source.raw_output_data_config.output_location_prefix
        and not config.raw_output_data_config.output_location_prefix
    ):
        config.raw_output_data_config.CopyFrom(source.raw_output_data_config)
    for name in _MAPS:
        if getattr(source, name).values and not getattr(config, name).values:
            getattr(config, name).CopyFrom(getattr(source, name))
    if source.HasField("interruptible") and not config.HasField("interruptible"):
        config.interruptible.CopyFrom(source.interruptible)
    config.overwrite_cache = config.overwrite_cache or source.overwrite_cache


def _auth_role(spec: execution_pb2.ExecutionSpec, plan: launch_plan_pb2.LaunchPlanSpec | None) -> common_pb2.AuthRole:
    """Return the role as old clients say it, in one of four fields."""
    if spec.HasField("auth_role") or plan is None:
        return spec.auth_role
    if plan.HasField("auth_role"):
        return plan.auth_role
    if plan.HasField("auth"):
        return common_pb2.AuthRole(
            assumable_iam_role=plan.auth.assumable_iam_role,
            kubernetes_service_account=plan.auth.kubernetes_service_account,
        )
    return common_pb2.AuthRole(assumable_iam_role=plan.role)
