"""Parts of the definition of a workflow and its nodes. Source: ``flyteidl/core/workflow.proto``, ``compiler.proto``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from flyteidl.core import compiler_pb2, literals_pb2, types_pb2, workflow_pb2

from flyte_remote_async.models.common import QualityOfService, texts
from flyte_remote_async.models.message import MessageValue
from flyte_remote_async.models.parsed import ParsedValue, value_in
from flyte_remote_async.models.phases import OpenEnum
from flyte_remote_async.models.times import timedelta_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

__all__ = [
    "Binding",
    "CompiledWorkflowClosure",
    "NodeMetadata",
    "OnFailurePolicy",
    "OutputReference",
    "WorkflowMetadata",
    "WorkflowMetadataDefaults",
    "promises_in",
]


class NodeMetadata(ParsedValue[workflow_pb2.NodeMetadata]):
    """How to run a node (``core.NodeMetadata``); a None leaves it to what the node runs."""

    __slots__ = ()
    message_type: ClassVar[type[workflow_pb2.NodeMetadata]] = workflow_pb2.NodeMetadata

    @property
    def name(self) -> str:
        """What people call it."""
        return self._message.name

    @property
    def timeout(self) -> timedelta | None:
        """How long it may take."""
        return timedelta_in(self._message, "timeout")

    @property
    def retries(self) -> int:
        """How often it is tried again."""
        return self._message.retries.retries

    @property
    def interruptible(self) -> bool | None:
        """Whether it may run on nodes of the cluster that can be taken away."""
        return self._message.interruptible if self._message.HasField("interruptible") else None

    @property
    def cacheable(self) -> bool | None:
        """Whether its outputs are cached."""
        return self._message.cacheable if self._message.HasField("cacheable") else None

    @property
    def cache_version(self) -> str | None:
        """The version of its cache."""
        return self._message.cache_version if self._message.HasField("cache_version") else None


class OutputReference(ParsedValue[types_pb2.OutputReference]):
    """An output of a node that something is bound to (``core.OutputReference``)."""

    __slots__ = ()
    message_type: ClassVar[type[types_pb2.OutputReference]] = types_pb2.OutputReference

    @property
    def node_id(self) -> str:
        """The node; empty for an input of the workflow."""
        return self._message.node_id

    @property
    def var(self) -> str:
        """The output of the node."""
        return self._message.var

    @property
    def attr_path(self) -> tuple[str | int, ...]:
        """The way into the output: names and positions."""
        return tuple(
            step.int_value if step.WhichOneof("value") == "int_value" else step.string_value
            for step in self._message.attr_path
        )


class Binding(ParsedValue[literals_pb2.Binding]):
    """Where an input of a node, or an output of a workflow, comes from (``core.Binding``)."""

    __slots__ = ()
    message_type: ClassVar[type[literals_pb2.Binding]] = literals_pb2.Binding

    @property
    def var(self) -> str:
        """What is bound."""
        return self._message.var

    @property
    def promises(self) -> tuple[OutputReference, ...]:
        """The outputs that it takes, those inside lists and maps included; empty for a constant."""
        return tuple(OutputReference.from_flyte_idl(promise) for promise in promises_in(self._message.binding))


def promises_in(data: literals_pb2.BindingData) -> list[types_pb2.OutputReference]:
    """Return the references inside the data of a binding, themselves and not copies."""
    found: list[types_pb2.OutputReference] = []
    waiting = [data]
    while waiting:
        binding = waiting.pop()
        which = binding.WhichOneof("value")
        if which == "promise":
            found.append(binding.promise)
        elif which == "collection":
            waiting.extend(reversed(binding.collection.bindings))
        elif which == "map":
            waiting.extend(binding.map.bindings[name] for name in sorted(binding.map.bindings, reverse=True))
    return found


class OnFailurePolicy(OpenEnum):
    """What a workflow does when a node fails (``core.WorkflowMetadata.OnFailurePolicy``)."""

    FAIL_IMMEDIATELY = 0
    FAIL_AFTER_EXECUTABLE_NODES_COMPLETE = 1


class WorkflowMetadata(ParsedValue[workflow_pb2.WorkflowMetadata]):
    """How to run a workflow (``core.WorkflowMetadata``)."""

    __slots__ = ()
    message_type: ClassVar[type[workflow_pb2.WorkflowMetadata]] = workflow_pb2.WorkflowMetadata

    @property
    def on_failure(self) -> OnFailurePolicy:
        """What it does when a node fails."""
        return OnFailurePolicy(self._message.on_failure)

    @property
    def quality_of_service(self) -> QualityOfService | None:
        """How urgent it is; None when nothing is said."""
        return value_in(QualityOfService, self._message, "quality_of_service")

    @property
    def tags(self) -> Mapping[str, str]:
        """Its tags."""
        return texts(self._message.tags)


class WorkflowMetadataDefaults(ParsedValue[workflow_pb2.WorkflowMetadataDefaults]):
    """What the nodes of a workflow do unless they say otherwise (``core.WorkflowMetadataDefaults``)."""

    __slots__ = ()
    message_type: ClassVar[type[workflow_pb2.WorkflowMetadataDefaults]] = workflow_pb2.WorkflowMetadataDefaults

    @property
    def interruptible(self) -> bool:
        """Whether they may run on nodes of the cluster that can be taken away."""
        return self._message.interruptible


class CompiledWorkflowClosure(MessageValue[compiler_pb2.CompiledWorkflowClosure]):
    """A workflow as Flyte's compiler left it, with all that it runs (``core.CompiledWorkflowClosure``)."""

    __slots__ = ()
    message_type: ClassVar[type[compiler_pb2.CompiledWorkflowClosure]] = compiler_pb2.CompiledWorkflowClosure
