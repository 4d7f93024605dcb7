"""Identities of the control plane: what an entity, execution, node or attempt is called.

Plain frozen values, hashable by content. Source: ``flyteidl/core/identifier.proto``.
"""

from __future__ import annotations

from typing import Self

import attrs
from flyteidl.core import identifier_pb2

from flyte_remote_async.models.phases import OpenEnum

__all__ = [
    "Identifier",
    "NodeExecutionIdentifier",
    "ResourceType",
    "TaskExecutionIdentifier",
    "WorkflowExecutionIdentifier",
]


class ResourceType(OpenEnum):
    """What kind of entity an identifier names (``core.ResourceType``)."""

    UNSPECIFIED = 0
    TASK = 1
    WORKFLOW = 2
    LAUNCH_PLAN = 3
    DATASET = 4


@attrs.frozen
class Identifier:
    """The identity of a task, workflow or launch plan in one version (``core.Identifier``)."""

    resource_type: ResourceType = attrs.field(converter=ResourceType)
    project: str
    domain: str
    name: str
    version: str = ""
    org: str = ""

    @classmethod
    def from_flyte_idl(cls, p: identifier_pb2.Identifier) -> Self:
        """Return the value of the protobuf message."""
        return cls(ResourceType(p.resource_type), p.project, p.domain, p.name, p.version, p.org)

    def to_flyte_idl(self) -> identifier_pb2.Identifier:
        """Return the protobuf message."""
        return identifier_pb2.Identifier(
            # The generated stub wants the enum's own type; a number from a newer server has none.
            resource_type=int(self.resource_type),  # type: ignore[arg-type]
            project=self.project,
            domain=self.domain,
            name=self.name,
            version=self.version,
            org=self.org,
        )

    def __str__(self) -> str:
        kind = self.resource_type.name.lower().replace("_", " ")
        return f"{kind} {self.project}/{self.domain}/{self.name}{':' + self.version if self.version else ''}"


@attrs.frozen
class WorkflowExecutionIdentifier:
    """The identity of an execution (``core.WorkflowExecutionIdentifier``)."""

    project: str
    domain: str
    name: str
    org: str = ""

    @classmethod
    def from_flyte_idl(cls, p: identifier_pb2.WorkflowExecutionIdentifier) -> Self:
        """Return the value of the protobuf message."""
        return cls(p.project, p.domain, p.name, p.org)

    def to_flyte_idl(self) -> identifier_pb2.WorkflowExecutionIdentifier:
        """Return the protobuf message."""
        return identifier_pb2.WorkflowExecutionIdentifier(
            project=self.project, domain=self.domain, name=self.name, org=self.org
        )

    def __str__(self) -> str:
        return f"{self.project}/{self.domain}/{self.name}"


@attrs.frozen
class NodeExecutionIdentifier:
    """The identity of a node of an execution (``core.NodeExecutionIdentifier``)."""

    node_id: str
    execution_id: WorkflowExecutionIdentifier

    @classmethod
    def from_flyte_idl(cls, p: identifier_pb2.NodeExecutionIdentifier) -> Self:
        """Return the value of the protobuf message."""
        return cls(p.node_id, WorkflowExecutionIdentifier.from_flyte_idl(p.execution_id))

    def to_flyte_idl(self) -> identifier_pb2.NodeExecutionIdentifier:
        """Return the protobuf message."""
        return identifier_pb2.NodeExecutionIdentifier(
            node_id=self.node_id, execution_id=self.execution_id.to_flyte_idl()
        )

    def __str__(self) -> str:
        return f"{self.execution_id}/{self.node_id}"


@attrs.frozen
class TaskExecutionIdentifier:
    """The identity of one attempt of a task (``core.TaskExecutionIdentifier``)."""

    task_id: Identifier
    node_execution_id: NodeExecutionIdentifier
    retry_attempt: int = 0

    @classmethod
    def from_flyte_idl(cls, p: identifier_pb2.TaskExecutionIdentifier) -> Self:
        """Return the value of the protobuf message."""
        return cls(
            Identifier.from_flyte_idl(p.task_id),
            NodeExecutionIdentifier.from_flyte_idl(p.node_execution_id),
            p.retry_attempt,
        )

    def to_flyte_idl(self) -> identifier_pb2.TaskExecutionIdentifier:
        """Return the protobuf message."""
        return identifier_pb2.TaskExecutionIdentifier(
            task_id=self.task_id.to_flyte_idl(),
            node_execution_id=self.node_execution_id.to_flyte_idl(),
            retry_attempt=self.retry_attempt,
        )

    def __str__(self) -> str:
        return f"{self.node_execution_id}/{self.task_id.name}/{self.retry_attempt}"
