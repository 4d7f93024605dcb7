"""What the nodes of a workflow refer to: the tasks, workflows and launch plans that came along with it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Self, TypeAlias

import attrs
from flyteidl.admin import launch_plan_pb2, workflow_pb2
from flyteidl.core import compiler_pb2

from flyte_remote_async.entities.launch_plan import FlyteLaunchPlan
from flyte_remote_async.entities.templates import all_nodes, as_registered
from flyte_remote_async.models.identifiers import Identifier
from flyte_remote_async.models.message import canonical_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flyteidl.core import tasks_pb2
    from flyteidl.core import workflow_pb2 as core_workflow_pb2

__all__ = ["Definitions", "LaunchPlans", "closure_of", "spec_of"]

LaunchPlans: TypeAlias = "Mapping[Identifier, FlyteLaunchPlan | launch_plan_pb2.LaunchPlanSpec]"


@attrs.frozen(repr=False)
class Definitions:
    """A compiled workflow and the launch plans that it refers to, shared by the workflow, its nodes and subworkflows.

    Attributes:
        closure: Bytes of the ``core.CompiledWorkflowClosure``.
        launch_plans: Specs of launch plans, as bytes, each with its id. Flyte's closure has only their interfaces.
        is_compiled: Whether Flyte's compiler made the closure; otherwise it was put together from what was given.
    """

    closure: bytes
    launch_plans: tuple[tuple[Identifier, bytes], ...] = ()
    is_compiled: bool = False

    @classmethod
    def of(
        cls,
        closure: compiler_pb2.CompiledWorkflowClosure,
        launch_plans: LaunchPlans | None = None,
        *,
        is_compiled: bool = False,
    ) -> Self:
        """Return the definitions that messages hold."""
        specs = {
            identifier: canonical_bytes(plan.to_flyte_idl() if isinstance(plan, FlyteLaunchPlan) else plan)
            for identifier, plan in (launch_plans or {}).items()
        }
        return cls(canonical_bytes(closure), tuple(sorted(specs.items())), is_compiled)

    @functools.cached_property
    def message(self) -> compiler_pb2.CompiledWorkflowClosure:
        """The closure, parsed; it is only read."""
        return compiler_pb2.CompiledWorkflowClosure.FromString(self.closure)

    @functools.cached_property
    def tasks(self) -> dict[Identifier, tasks_pb2.TaskTemplate]:
        """The tasks by id."""
        return {Identifier.from_flyte_idl(task.template.id): task.template for task in self.message.tasks}

    @functools.cached_property
    def workflows(self) -> dict[Identifier, core_workflow_pb2.WorkflowTemplate]:
        """The subworkflows by id."""
        return {Identifier.from_flyte_idl(sub.template.id): sub.template for sub in self.message.sub_workflows}

    def spec_of_subworkflow(self, identifier: Identifier) -> workflow_pb2.WorkflowSpec | None:
        """Return the spec of a subworkflow with all that it runs itself; None when it is not here."""
        if identifier not in self.workflows:
            return None
        needed = {identifier: self.workflows[identifier]}
        waiting = [self.workflows[identifier]]
        while waiting:
            for node in all_nodes(waiting.pop()):
                reference = Identifier.from_flyte_idl(node.workflow_node.sub_workflow_ref)
                if reference in self.workflows and reference not in needed:
                    needed[reference] = self.workflows[reference]
                    waiting.append(self.workflows[reference])
        template, *others = map(as_registered, needed.values())
        return workflow_pb2.WorkflowSpec(template=template, sub_workflows=others)

    def launch_plan(self, identifier: Identifier) -> launch_plan_pb2.LaunchPlan | None:
        """Return a launch plan as far as it is known: its spec, or its interface, or None."""
        spec = next((data for known, data in self.launch_plans if known == identifier), None)
        compiled = self._compiled_launch_plans.get(identifier)
        if spec is None and compiled is None:
            return None
        plan = launch_plan_pb2.LaunchPlan(id=identifier.to_flyte_idl())
        if spec is not None:
            plan.spec.MergeFromString(spec)
        if compiled is not None:
            plan.closure.expected_outputs.CopyFrom(compiled.interface.outputs)
            for name, variable in compiled.interface.inputs.variables.items():
                plan.closure.expected_inputs.parameters[name].var.CopyFrom(variable)
        return plan

    @functools.cached_property
    def _compiled_launch_plans(self) -> dict[Identifier, core_workflow_pb2.LaunchPlanTemplate]:
        return {Identifier.from_flyte_idl(plan.template.id): plan.template for plan in self.message.launch_plans}


def spec_of(closure: compiler_pb2.CompiledWorkflowClosure) -> workflow_pb2.WorkflowSpec:
    """Return the spec that a compiled workflow was made from."""
    return workflow_pb2.WorkflowSpec(
        template=as_registered(closure.primary.template),
        sub_workflows=[as_registered(sub.template) for sub in closure.sub_workflows],
    )


def closure_of(
    spec: workflow_pb2.WorkflowSpec, tasks: Iterable[tasks_pb2.TaskTemplate] = ()
) -> compiler_pb2.CompiledWorkflowClosure:
    """Return a spec and tasks in the form of a compiled workflow."""
    return compiler_pb2.CompiledWorkflowClosure(
        primary=compiler_pb2.CompiledWorkflow(template=spec.template),
        sub_workflows=[compiler_pb2.CompiledWorkflow(template=sub) for sub in spec.sub_workflows],
        tasks=[compiler_pb2.CompiledTask(template=task) for task in tasks],
    )
