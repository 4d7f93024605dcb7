"""What a node of an execution is made of. Source: ``flyteidl/admin/node_execution.proto``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from flyteidl.admin import node_execution_pb2
from flyteidl.core import catalog_pb2

from flyte_remote_async.models.closures import Closure
from flyte_remote_async.models.identifiers import Identifier, TaskExecutionIdentifier, WorkflowExecutionIdentifier
from flyte_remote_async.models.literals import literals_by_name
from flyte_remote_async.models.parsed import ParsedValue, value_in
from flyte_remote_async.models.phases import CatalogCacheStatus, NodePhase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyte_remote_async.models.literals import Literal

__all__ = ["CatalogMetadata", "NodeExecutionClosure", "NodeExecutionMetaData", "TaskNodeMetadata"]


class CatalogMetadata(ParsedValue[catalog_pb2.CatalogMetadata]):
    """The entry of the cache that a node wrote or read (``core.CatalogMetadata``)."""

    __slots__ = ()
    message_type: ClassVar[type[catalog_pb2.CatalogMetadata]] = catalog_pb2.CatalogMetadata

    @property
    def dataset_id(self) -> Identifier:
        """The dataset of the cache."""
        return Identifier.from_flyte_idl(self._message.dataset_id)

    @property
    def artifact_tag(self) -> str:
        """The name of the entry."""
        return self._message.artifact_tag.name

    @property
    def artifact_id(self) -> str:
        """The id of the entry."""
        return self._message.artifact_tag.artifact_id

    @property
    def source_task_execution(self) -> TaskExecutionIdentifier | None:
        """The attempt that made the entry; None when nothing is said."""
        if not self._message.HasField("source_task_execution"):
            return None
        return TaskExecutionIdentifier.from_flyte_idl(self._message.source_task_execution)


class TaskNodeMetadata(ParsedValue[node_execution_pb2.TaskNodeMetadata]):
    """What a task node leaves behind besides its outputs (``admin.TaskNodeMetadata``)."""

    __slots__ = ()
    message_type: ClassVar[type[node_execution_pb2.TaskNodeMetadata]] = node_execution_pb2.TaskNodeMetadata

    @property
    def cache_status(self) -> CatalogCacheStatus:
        """What the cache did for it."""
        return CatalogCacheStatus(self._message.cache_status)

    @property
    def catalog_key(self) -> CatalogMetadata | None:
        """The entry of the cache; None when there is none."""
        return value_in(CatalogMetadata, self._message, "catalog_key")

    @property
    def checkpoint_uri(self) -> str:
        """Where its checkpoint is stored; empty when it has none."""
        return self._message.checkpoint_uri


class NodeExecutionMetaData(ParsedValue[node_execution_pb2.NodeExecutionMetaData]):
    """What a node is (``admin.NodeExecutionMetaData``)."""

    __slots__ = ()
    message_type: ClassVar[type[node_execution_pb2.NodeExecutionMetaData]] = node_execution_pb2.NodeExecutionMetaData

    @property
    def spec_node_id(self) -> str:
        """Its id in the workflow."""
        return self._message.spec_node_id

    @property
    def retry_group(self) -> str:
        """Which try of its parent it belongs to."""
        return self._message.retry_group

    @property
    def is_parent_node(self) -> bool:
        """Whether it has nodes below it."""
        return self._message.is_parent_node

    @property
    def is_dynamic(self) -> bool:
        """Whether its nodes were made while it ran."""
        return self._message.is_dynamic

    @property
    def is_array(self) -> bool:
        """Whether it maps."""
        return self._message.is_array

    @property
    def is_eager(self) -> bool:
        """Whether it is an eager task."""
        return self._message.is_eager


class NodeExecutionClosure(Closure[node_execution_pb2.NodeExecutionClosure]):
    """How far a node is, and how it ended (``admin.NodeExecutionClosure``)."""

    __slots__ = ()
    message_type: ClassVar[type[node_execution_pb2.NodeExecutionClosure]] = node_execution_pb2.NodeExecutionClosure

    @property
    def phase(self) -> NodePhase:
        """How far it is."""
        return NodePhase(self._message.phase)

    @property
    def output_uri(self) -> str:
        """Where its outputs are stored; empty when they are not."""
        return self._message.output_uri

    @property
    def output_data(self) -> Mapping[str, Literal]:
        """The outputs that stand in the closure itself; most servers keep them elsewhere."""
        return literals_by_name(self._message.output_data)

    @property
    def workflow_node_metadata(self) -> WorkflowExecutionIdentifier | None:
        """The execution that it started, for a launch-plan node; None for others."""
        if self._message.WhichOneof("target_metadata") != "workflow_node_metadata":
            return None
        return WorkflowExecutionIdentifier.from_flyte_idl(self._message.workflow_node_metadata.executionId)

    @property
    def task_node_metadata(self) -> TaskNodeMetadata | None:
        """What it left behind besides its outputs, for a task node; None for others."""
        return value_in(TaskNodeMetadata, self._message, "task_node_metadata")

    @property
    def deck_uri(self) -> str:
        """Where its deck is stored; empty when it has none."""
        return self._message.deck_uri

    @property
    def dynamic_job_spec_uri(self) -> str:
        """Where the workflow that a dynamic node made is stored; empty for others."""
        return self._message.dynamic_job_spec_uri
