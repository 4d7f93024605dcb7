"""Which tasks, launch plans and workflows a workflow refers to.

Source: flytepropeller/pkg/compiler/requirements.go of Flyte 1.16.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from flyte_remote_async.devserver.compiler.graphs import depth_first
from flyte_remote_async.devserver.compiler.problems import CompileError, Problems
from flyte_remote_async.devserver.golang.prototext import prototext

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from flyteidl.core import identifier_pb2, workflow_pb2

__all__ = ["Requirements", "index_templates", "nodes_within", "requirements", "workflows_within"]

_FIELDS: Final = ("resource_type", "project", "domain", "name", "version")


@attrs.frozen
class Requirements:
    """What must be there for a workflow to compile, each once and sorted.

    Attributes:
        tasks: The tasks that its nodes, and those of its subworkflows, run.
        launch_plans: The launch plans that they start.
    """

    tasks: tuple[identifier_pb2.Identifier, ...]
    launch_plans: tuple[identifier_pb2.Identifier, ...]


def requirements(
    template: workflow_pb2.WorkflowTemplate, sub_workflows: Iterable[workflow_pb2.WorkflowTemplate]
) -> Requirements:
    """Return what a workflow and the subworkflows that it uses refer to.

    Args:
        template: The workflow.
        sub_workflows: The subworkflows that come with it.

    Raises:
        CompileError: Two subworkflows have the same identifier, one has none, or they refer to each other in a cycle.
    """
    problems = Problems()
    known = index_templates(sub_workflows, problems)
    tasks: dict[str, identifier_pb2.Identifier] = {}
    launch_plans: dict[str, identifier_pb2.Identifier] = {}
    for used in (*workflows_within(template, known), template):
        for node in nodes_within(used):
            if node.task_node.HasField("reference_id"):
                tasks[prototext(node.task_node.reference_id)] = node.task_node.reference_id
            elif node.workflow_node.HasField("launchplan_ref"):
                launch_plans[prototext(node.workflow_node.launchplan_ref)] = node.workflow_node.launchplan_ref
    return Requirements(_sorted(tasks.values()), _sorted(launch_plans.values()))


def index_templates(
    sub_workflows: Iterable[workflow_pb2.WorkflowTemplate], problems: Problems
) -> Mapping[str, workflow_pb2.WorkflowTemplate]:
    """Return subworkflows by their identifier, as text.

    Raises:
        CompileError: Two have the same identifier, or one has none.
    """
    known: dict[str, workflow_pb2.WorkflowTemplate] = {}
    for template in sub_workflows:
        if not template.HasField("id"):
            raise CompileError(problems.found)
        key = prototext(template.id)
        if key in known:
            problems.add("DuplicateId", key, "Trying to insert two nodes with the same id.")
        known.setdefault(key, template)
    if problems:
        raise CompileError(problems.found)
    return known


def workflows_within(
    template: workflow_pb2.WorkflowTemplate, known: Mapping[str, workflow_pb2.WorkflowTemplate]
) -> tuple[workflow_pb2.WorkflowTemplate, ...]:
    """Return the subworkflows that a workflow uses, each after those that it uses itself; unknown ones are left out.

    Raises:
        CompileError: One uses itself, however indirectly.
    """

    def used(key: str | None) -> Iterator[str]:
        for node in nodes_within(template if key is None else known[key]):
            reference = prototext(node.workflow_node.sub_workflow_ref)
            if node.workflow_node.HasField("sub_workflow_ref") and reference in known:
                yield reference

    # The workflow itself is None: one of its subworkflows may have the same identifier.
    cycle, done = depth_first(None, used)
    if cycle:
        root = prototext(template.id)
        problems = Problems()
        problems.cycle(root, (root if key is None else key for key in cycle))
        raise CompileError(problems.found)
    return tuple(known[key] for key in done if key is not None)


def nodes_within(template: workflow_pb2.WorkflowTemplate) -> Iterator[workflow_pb2.Node]:
    """Yield the nodes of a workflow that refer to something, those inside of branches and arrays included."""
    ahead = list(template.nodes)
    if template.HasField("failure_node"):
        ahead.append(template.failure_node)
    while ahead:
        node = ahead.pop()
        match node.WhichOneof("target"):
            case "branch_node":
                if_else = node.branch_node.if_else
                ahead += [if_else.case.then_node, *(other.then_node for other in if_else.other), if_else.else_node]
            case "array_node":
                ahead.append(node.array_node.node)
            case _:
                yield node


def _sorted(identifiers: Iterable[identifier_pb2.Identifier]) -> tuple[identifier_pb2.Identifier, ...]:
    return tuple(sorted(identifiers, key=lambda each: [getattr(each, field) for field in _FIELDS]))
