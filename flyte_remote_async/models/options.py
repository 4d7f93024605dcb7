"""How an execution is launched, beside what is launched with which inputs."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs
from flyteidl.core import security_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flyteidl.admin import execution_pb2

__all__ = ["LaunchOptions"]

_NONE: Mapping[str, str] = MappingProxyType({})


# Type checkers take no tuple of strings for the bare class `tuple`.
def _to_tags(tags: Iterable[str]) -> tuple[str, ...]:
    return tuple(tags)


@attrs.frozen(kw_only=True)
class LaunchOptions:
    """How an execution is launched; what is left out is for the launch plan and the server to say.

    Attributes:
        labels: Kubernetes labels; Flyte can filter executions by them.
        annotations: Kubernetes annotations.
        envs: Environment variables of the tasks.
        tags: Tags of the execution.
        max_parallelism: How many nodes may run at one time; 0 leaves it to the server.
        overwrite_cache: Whether cached results are made anew.
        interruptible: Whether tasks may run on machines that can be taken away; None leaves it to the workflow.
        raw_output_data_prefix: Where tasks store their data, such as ``"s3://bucket/path"``.
        service_account: Kubernetes service account that the tasks run as.
        iam_role: Cloud role that the tasks run as.
        cluster_pool: Pool of clusters to run in.
        execution_cluster_label: Label of the cluster to run in.
        disable_notifications: Whether the notifications of the launch plan are left out.
    """

    labels: Mapping[str, str] = _NONE
    annotations: Mapping[str, str] = _NONE
    envs: Mapping[str, str] = _NONE
    tags: tuple[str, ...] = attrs.field(default=(), converter=_to_tags)
    max_parallelism: int = 0
    overwrite_cache: bool = False
    interruptible: bool | None = None
    raw_output_data_prefix: str = ""
    service_account: str = ""
    iam_role: str = ""
    cluster_pool: str = ""
    execution_cluster_label: str = ""
    disable_notifications: bool = False

    def apply_to(self, spec: execution_pb2.ExecutionSpec) -> None:
        """Write the options into a spec; what is left out is not touched."""
        spec.labels.values.update(self.labels)
        spec.annotations.values.update(self.annotations)
        for key, value in self.envs.items():
            spec.envs.values.add(key=key, value=value)
        spec.tags.extend(self.tags)
        spec.max_parallelism = self.max_parallelism
        spec.overwrite_cache = self.overwrite_cache
        if self.interruptible is not None:
            spec.interruptible.value = self.interruptible
        if self.raw_output_data_prefix:
            spec.raw_output_data_config.output_location_prefix = self.raw_output_data_prefix
        if self.service_account or self.iam_role:
            identity = security_pb2.Identity(k8s_service_account=self.service_account, iam_role=self.iam_role)
            spec.security_context.run_as.CopyFrom(identity)
        if self.cluster_pool:
            spec.cluster_assignment.cluster_pool_name = self.cluster_pool
        if self.execution_cluster_label:
            spec.execution_cluster_label.value = self.execution_cluster_label
        if self.disable_notifications:
            spec.disable_all = True
