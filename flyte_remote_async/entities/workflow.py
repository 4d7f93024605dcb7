"""A workflow that a control plane has."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ClassVar, Protocol, Self, TypeVar

import attrs
from flyteidl.admin import description_entity_pb2, workflow_pb2
from flyteidl.core import workflow_pb2 as core_workflow_pb2

from flyte_remote_async.entities.base import FlyteEntity, message_of
from flyte_remote_async.entities.definitions import Definitions, closure_of, spec_of
from flyte_remote_async.entities.launch_plan import FlyteLaunchPlan
from flyte_remote_async.entities.node import FlyteNode
from flyte_remote_async.entities.task import FlyteTask
from flyte_remote_async.entities.templates import END_NODE, START_NODE, WorkflowTemplate, as_registered, promoted
from flyte_remote_async.models.identifiers import Identifier, ResourceType
from flyte_remote_async.models.message import canonical_bytes
from flyte_remote_async.models.tasks import Documentation
from flyte_remote_async.models.times import datetime_in
from flyte_remote_async.models.workflows import CompiledWorkflowClosure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from flyteidl.core import compiler_pb2, interface_pb2, literals_pb2

    from flyte_remote_async.entities.definitions import LaunchPlans
    from flyte_remote_async.interface import TypedInterface
    from flyte_remote_async.models.workflows import Binding, WorkflowMetadata, WorkflowMetadataDefaults

__all__ = ["FlyteWorkflow"]


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


N = TypeVar("N", bound=_HasId)


@attrs.frozen(init=False, repr=False)
class FlyteWorkflow(FlyteEntity[workflow_pb2.WorkflowSpec]):
    """A workflow (``admin.WorkflowSpec``), fetched with ``remote.fetch_workflow`` or made by hand.

    A fetched workflow is as it was registered: without the start and end nodes of Flyte's compiler, which
    :attr:`compiled_closure` has.

    Args:
        id: What identifies it.
        nodes: Its nodes.
        interface: Its inputs and outputs.
        output_bindings: Where its outputs come from.
        metadata: How to run it.
        metadata_defaults: What its nodes do unless they say otherwise.
        subworkflows: The workflows that its nodes run, theirs included.
        tasks: The tasks that its nodes run.
        launch_plans: Specs of the launch plans that its nodes run, by id.
        compiled_closure: What Flyte's compiler made of it.
        should_register: Whether it is to be registered before it is used.

    Values may be ours or protobuf messages.
    """

    message_type: ClassVar[type[workflow_pb2.WorkflowSpec]] = workflow_pb2.WorkflowSpec
    _resource_type: ClassVar[ResourceType] = ResourceType.WORKFLOW

    should_register: bool = False
    _definitions: Definitions = attrs.field(kw_only=True)
    _fetched: bytes | None = None  # the admin.Workflow that it came in, without the closure

    def __init__(  # noqa: PLR0917 - the reference API's own parameters
        self,
        id: Identifier,
        nodes: Sequence[FlyteNode | core_workflow_pb2.Node],
        interface: TypedInterface | interface_pb2.TypedInterface,
        output_bindings: Sequence[Binding | literals_pb2.Binding],
        metadata: WorkflowMetadata | core_workflow_pb2.WorkflowMetadata | None,
        metadata_defaults: WorkflowMetadataDefaults | core_workflow_pb2.WorkflowMetadataDefaults | None,
        subworkflows: Sequence[FlyteWorkflow] | None = None,
        tasks: Sequence[FlyteTask] | None = None,
        launch_plans: LaunchPlans | None = None,
        compiled_closure: CompiledWorkflowClosure | compiler_pb2.CompiledWorkflowClosure | None = None,
        should_register: bool = False,
    ) -> None:
        template = core_workflow_pb2.WorkflowTemplate(
            id=id.to_flyte_idl(),
            metadata=message_of(metadata),
            interface=message_of(interface),
            nodes=[message_of(node) for node in nodes],
            outputs=[message_of(binding) for binding in output_bindings],
            metadata_defaults=message_of(metadata_defaults),
        )
        subs = [sub.template.to_flyte_idl() for sub in subworkflows or ()]
        spec = workflow_pb2.WorkflowSpec(template=template, sub_workflows=subs)
        closure = message_of(compiled_closure)
        if closure is None:
            closure = closure_of(spec, (task.template.to_flyte_idl() for task in tasks or ()))
        definitions = Definitions.of(closure, launch_plans, is_compiled=compiled_closure is not None)
        self.__attrs_init__(canonical_bytes(spec), should_register, definitions=definitions)

    @classmethod
    def from_flyte_idl(cls, p: workflow_pb2.WorkflowSpec) -> Self:
        """Return the workflow of a spec.

        Args:
            p: The spec, as it is registered.
        """
        return cls._of(p, Definitions.of(closure_of(p)))

    @classmethod
    def from_workflow(
        cls,
        p: workflow_pb2.Workflow,
        node_launch_plans: LaunchPlans | None = None,
    ) -> Self:
        """Return the workflow of a message that a control plane answered with.

        Args:
            p: What GetWorkflow and ListWorkflows give; the latter has no nodes.
            node_launch_plans: Specs of the launch plans that its nodes run, by id.
        """
        rest = workflow_pb2.Workflow()
        rest.CopyFrom(p)
        rest.closure.ClearField("compiled_workflow")
        closure = p.closure.compiled_workflow
        return cls._of(spec_of(closure), Definitions.of(closure, node_launch_plans, is_compiled=True), rest)

    @classmethod
    def promote_from_closure(
        cls,
        closure: CompiledWorkflowClosure | compiler_pb2.CompiledWorkflowClosure,
        node_launch_plans: LaunchPlans | None = None,
    ) -> Self:
        """Return the workflow that Flyte's compiler left.

        Args:
            closure: What the compiler made, such as the workflow of a dynamic node.
            node_launch_plans: Specs of the launch plans that its nodes run, by id; the closure has no more of them
                than their interfaces.
        """
        message = message_of(closure)
        return cls._of(spec_of(message), Definitions.of(message, node_launch_plans, is_compiled=True))

    @classmethod
    def promote_from_model(
        cls,
        base_model: WorkflowTemplate | core_workflow_pb2.WorkflowTemplate,
        sub_workflows: Mapping[Identifier, WorkflowTemplate | core_workflow_pb2.WorkflowTemplate] | None = None,
        tasks: Mapping[Identifier, FlyteTask] | None = None,
        node_launch_plans: LaunchPlans | None = None,
    ) -> Self:
        """Return the workflow of a template.

        Args:
            base_model: The definition of the workflow; start and end nodes are left out.
            sub_workflows: The workflows that its nodes run, by id.
            tasks: The tasks that its nodes run, by id.
            node_launch_plans: Specs of the launch plans that its nodes run, by id.
        """
        subs = [as_registered(message_of(sub)) for sub in (sub_workflows or {}).values()]
        spec = workflow_pb2.WorkflowSpec(template=as_registered(message_of(base_model)), sub_workflows=subs)
        closure = closure_of(spec, (task.template.to_flyte_idl() for task in (tasks or {}).values()))
        return cls._of(spec, Definitions.of(closure, node_launch_plans))

    @classmethod
    def from_definitions(cls, definitions: Definitions, identifier: Identifier) -> Self | None:
        """Return a subworkflow, which shares the definitions of the workflow that it came with.

        Args:
            definitions: What came along with the workflow.
            identifier: The subworkflow; None is returned for one that did not come along.
        """
        spec = definitions.spec_of_subworkflow(identifier)
        return cls._of(spec, definitions) if spec is not None else None

    @classmethod
    def _of(
        cls, spec: workflow_pb2.WorkflowSpec, definitions: Definitions, rest: workflow_pb2.Workflow | None = None
    ) -> Self:
        workflow = cls.__new__(cls)
        fetched = canonical_bytes(rest) if rest is not None else None
        workflow.__attrs_init__(canonical_bytes(spec), False, fetched, definitions=definitions)  # noqa: FBT003
        return workflow

    @classmethod
    def get_non_system_nodes(cls, nodes: Iterable[N]) -> list[N]:
        """Return the nodes that its author wrote: those that are no start or end node.

        Args:
            nodes: Ours, or protobuf messages.
        """
        return [node for node in nodes if node.id not in {START_NODE, END_NODE}]

    def to_workflow(self) -> workflow_pb2.Workflow:
        """Return the workflow as a control plane answers with it, with all that came in when it was fetched."""
        workflow = workflow_pb2.Workflow.FromString(self._fetched or b"")
        if self._fetched is None:
            workflow.id.CopyFrom(self.id.to_flyte_idl())
        workflow.closure.compiled_workflow.CopyFrom(self._definitions.message)
        return workflow

    @functools.cached_property
    def template(self) -> WorkflowTemplate:
        """Its definition."""
        return WorkflowTemplate.from_flyte_idl(self.to_flyte_idl().template)

    @functools.cached_property
    def id(self) -> Identifier:
        """What identifies it."""
        if self._fetched is not None:
            # Flyte's lists leave the template's own identifier out.
            return Identifier.from_flyte_idl(workflow_pb2.Workflow.FromString(self._fetched).id)
        return self.template.id

    @functools.cached_property
    def interface(self) -> TypedInterface:
        """Its inputs and outputs."""
        return self.template.interface

    @property
    def metadata(self) -> WorkflowMetadata:
        """How to run it."""
        return self.template.metadata

    @property
    def metadata_defaults(self) -> WorkflowMetadataDefaults:
        """What its nodes do unless they say otherwise."""
        return self.template.metadata_defaults

    @property
    def outputs(self) -> tuple[Binding, ...]:
        """Where its outputs come from."""
        return self.template.outputs

    @functools.cached_property
    def _promoted(self) -> core_workflow_pb2.WorkflowTemplate:
        # Of the compiled workflow where there is one: its nodes are named as the nodes of executions are.
        known = self._definitions
        return promoted(known.workflows.get(self.id, known.message.primary.template))

    @functools.cached_property
    def nodes(self) -> tuple[FlyteNode, ...]:
        """Its nodes; those inside branches are named as in executions, after the branch."""
        return tuple(self._node(node) for node in self._promoted.nodes)

    @property
    def flyte_nodes(self) -> tuple[FlyteNode, ...]:
        """The same as :attr:`nodes`; the reference API has both."""
        return self.nodes

    @property
    def failure_node(self) -> FlyteNode | None:
        """The node that runs when it has failed; None when there is none."""
        return self._node(self._promoted.failure_node) if self._promoted.HasField("failure_node") else None

    @property
    def sub_workflows(self) -> tuple[WorkflowTemplate, ...]:
        """The definitions of the workflows that its nodes run, theirs included."""
        return tuple(map(WorkflowTemplate.from_flyte_idl, self.to_flyte_idl().sub_workflows))

    @property
    def flyte_sub_workflows(self) -> tuple[FlyteWorkflow, ...]:
        """The workflows that its nodes run, theirs included."""
        known = self._definitions
        promoted = (FlyteWorkflow.from_definitions(known, identifier) for identifier in known.workflows)
        return tuple(workflow for workflow in promoted if workflow is not None)

    @property
    def flyte_tasks(self) -> tuple[FlyteTask, ...]:
        """The tasks that came along with it; a spec brings none."""
        return tuple(map(FlyteTask.promote_from_model, self._definitions.tasks.values()))

    @property
    def launch_plans(self) -> dict[Identifier, FlyteLaunchPlan]:
        """The launch plans whose specs came along with it, by id."""
        return {
            identifier: FlyteLaunchPlan.from_launch_plan(plan)
            for identifier, _ in self._definitions.launch_plans
            if (plan := self._definitions.launch_plan(identifier)) is not None
        }

    @property
    def compiled_closure(self) -> CompiledWorkflowClosure | None:
        """What Flyte's compiler made of it; None when it was not fetched."""
        if not self._definitions.is_compiled:
            return None
        return CompiledWorkflowClosure(self._definitions.closure)

    @property
    def docs(self) -> Documentation | None:
        """What its author wrote of it; None when that is nothing, or did not come along."""
        spec = self.to_flyte_idl()
        if spec.HasField("description"):
            return Documentation.from_flyte_idl(spec.description)
        short = workflow_pb2.Workflow.FromString(self._fetched or b"").short_description
        message = description_entity_pb2.DescriptionEntity(short_description=short)
        return Documentation.from_flyte_idl(message) if short else None

    @property
    def created_at(self) -> datetime | None:
        """When it was registered; None when it was not fetched."""
        return datetime_in(workflow_pb2.Workflow.FromString(self._fetched or b"").closure, "created_at")

    def _node(self, node: core_workflow_pb2.Node) -> FlyteNode:
        return FlyteNode.from_flyte_idl(node, self._definitions)

    # In each class anew: attrs hashes by content where a class has no __hash__ of its own.
    def __hash__(self) -> int:
        return hash(self.id)
