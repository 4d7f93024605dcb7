"""Registration requests made by hypothesis: workflows of all kinds of nodes, with the tasks they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
from flyteidl.admin import launch_plan_pb2, workflow_pb2
from flyteidl.core import condition_pb2, identifier_pb2, literals_pb2, types_pb2
from flyteidl.core import workflow_pb2 as core_workflow_pb2
from google.protobuf import duration_pb2
from hypothesis import strategies as st

from flyte_remote_async.transport import methods
from tests.support.made_tasks import INT, INTS, STAND_INS, STR, TASKS, identifier, interface, task_requests
from tests.support.made_workflows import integer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flyteidl.admin import task_pb2
    from google.protobuf.message import Message

    from flyte_remote_async.transport.base import Method

__all__ = ["KINDS", "STAND_INS", "TASKS", "Registration", "identifier", "registrations"]

KINDS: Final = ("task", "subworkflow", "launch_plan", "branch", "sleep", "signal", "approve", "array")
"""The kinds of nodes that a made workflow may have."""


@attrs.frozen
class Registration:
    """A workflow with all that has to be registered before it.

    Attributes:
        tasks: The tasks that it needs.
        workflows: Workflows with a launch plan of their own, each after those that it needs; the last is the main one.
        signals: The signals that its gates wait for, those inside of other workflows included.
    """

    tasks: tuple[task_pb2.TaskCreateRequest, ...]
    workflows: tuple[workflow_pb2.WorkflowCreateRequest, ...]
    signals: tuple[str, ...]

    @property
    def main(self) -> workflow_pb2.WorkflowCreateRequest:
        """The workflow to execute; its launch plan has the same name."""
        return self.workflows[-1]

    def requests(self) -> Iterator[tuple[Method[Any, Any], Message]]:
        """Yield what to send, in order."""
        for task in self.tasks:
            yield methods.CREATE_TASK, task
        for workflow in self.workflows:
            yield methods.CREATE_WORKFLOW, workflow
            spec = launch_plan_pb2.LaunchPlanSpec(workflow_id=workflow.id)
            plan = identifier(identifier_pb2.LAUNCH_PLAN, workflow.id.name)
            yield methods.CREATE_LAUNCH_PLAN, launch_plan_pb2.LaunchPlanCreateRequest(id=plan, spec=spec)


@st.composite
def registrations(
    draw: st.DrawFn, *, kinds: tuple[str, ...] = KINDS, max_nodes: int = 5, max_depth: int = 2
) -> Registration:
    """Return a strategy for workflows that compile.

    Every workflow takes an integer ``a`` and gives an integer ``o0``.

    Args:
        draw: Hypothesis'.
        kinds: The kinds of nodes that there may be.
        max_nodes: How many nodes a workflow has at most.
        max_depth: How many workflows and branches are inside of one another at most.
    """
    making = _Making(draw, kinds, max_nodes, max_depth)
    main = making.request("made.main", depth=0)
    return Registration(task_requests(), (*making.children, main), tuple(making.signals))


class _Making:
    """The whole of one registration while it is made."""

    def __init__(self, draw: st.DrawFn, kinds: tuple[str, ...], max_nodes: int, max_depth: int) -> None:
        self.draw = draw
        self.kinds = kinds
        self.max_nodes = max_nodes
        self.max_depth = max_depth
        self.children: list[workflow_pb2.WorkflowCreateRequest] = []
        self.signals: list[str] = []
        self._names = 0

    def name(self, kind: str) -> str:
        """Return a name that nothing else has."""
        self._names += 1
        return f"made.{kind}{self._names}"

    def request(self, name: str, depth: int) -> workflow_pb2.WorkflowCreateRequest:
        """Return the request for a new workflow with its subworkflows."""
        subs: list[core_workflow_pb2.WorkflowTemplate] = []
        template = _Workflow(self, depth, subs).template(name)
        spec = workflow_pb2.WorkflowSpec(template=template, sub_workflows=subs)
        return workflow_pb2.WorkflowCreateRequest(id=template.id, spec=spec)


class _Workflow:
    """One workflow while it is made: its nodes, and the values that they can use."""

    def __init__(self, making: _Making, depth: int, subs: list[core_workflow_pb2.WorkflowTemplate]) -> None:
        self._making = making
        self._draw = making.draw
        self._depth = depth
        self._subs = subs
        self._values: list[tuple[str, str, types_pb2.LiteralType]] = [("", "a", INT)]

    def template(self, name: str) -> core_workflow_pb2.WorkflowTemplate:
        made = core_workflow_pb2.WorkflowTemplate(
            id=identifier(identifier_pb2.WORKFLOW, name), interface=interface({"a": INT}, {"o0": INT})
        )
        ids: list[str] = []
        for number in range(self._draw(st.integers(1, self._making.max_nodes))):
            node = self._node(f"n{number}", self._draw(st.sampled_from(self._allowed())))
            node.upstream_node_ids.extend(self._before(ids))
            made.nodes.append(node)
            ids.append(node.id)
        made.outputs.add(var="o0", binding=self._value(INT))
        if self._draw(st.booleans()):
            handler = self._task("fn0", "made.add")
            # A handler takes from the inputs only, since any node may be the one that failed.
            for binding in handler.inputs:
                binding.binding.CopyFrom(_promise("", "a"))
            made.failure_node.CopyFrom(handler)
        return made

    def _before(self, ids: list[str]) -> list[str]:
        """Return nodes to wait for though nothing is taken from them."""
        return self._draw(st.lists(st.sampled_from(ids), unique=True, max_size=2)) if ids else []

    def _allowed(self) -> list[str]:
        nested = ("subworkflow", "launch_plan", "branch")
        deep = self._depth >= self._making.max_depth
        return [kind for kind in self._making.kinds if not (deep and kind in nested)] or ["task"]

    def _node(self, node_id: str, kind: str) -> core_workflow_pb2.Node:
        node, outputs = self._made(node_id, kind)
        node.metadata.name = f"{kind} {node_id}"
        self._values += [(node_id, name, each) for name, each in outputs.items()]
        return node

    def _made(self, node_id: str, kind: str) -> tuple[core_workflow_pb2.Node, Mapping[str, types_pb2.LiteralType]]:
        match kind:
            case "task":
                name = self._draw(st.sampled_from([each for each in TASKS if each != "made.mapped"]))
                return self._task(node_id, name), TASKS[name][1]
            case "array":
                return self._array(node_id), {"o0": INTS}
            case "branch":
                return self._branch(node_id, self._depth), {"o0": INT}
            case "subworkflow" | "launch_plan":
                return self._workflow(node_id, kind), {"o0": INT}
            case _:
                return self._waiting(node_id, kind)

    def _waiting(self, node_id: str, kind: str) -> tuple[core_workflow_pb2.Node, Mapping[str, types_pb2.LiteralType]]:
        match kind:
            case "sleep":
                return self._gate(node_id, sleep=core_workflow_pb2.SleepCondition(duration=_seconds(self._draw))), {}
            case "signal":
                signal = core_workflow_pb2.SignalCondition(
                    signal_id=self._signal(), type=INT, output_variable_name="o0"
                )
                return self._gate(node_id, signal=signal), {"o0": INT}
            case _:
                approve = core_workflow_pb2.ApproveCondition(signal_id=self._signal())
                node = self._gate(node_id, approve=approve)
                node.inputs.add(var="o0", binding=self._promised(INT))
                return node, {"o0": INT}

    def _task(self, node_id: str, name: str) -> core_workflow_pb2.Node:
        reference = identifier(identifier_pb2.TASK, name)
        return self._bound(node_id, TASKS[name][0], task_node=core_workflow_pb2.TaskNode(reference_id=reference))

    def _array(self, node_id: str) -> core_workflow_pb2.Node:
        inner = self._task("made.mapped", "made.mapped")
        array = core_workflow_pb2.ArrayNode(node=inner, min_success_ratio=1.0)
        return core_workflow_pb2.Node(id=node_id, inputs=inner.inputs, array_node=array)

    def _workflow(self, node_id: str, kind: str) -> core_workflow_pb2.Node:
        name, depth = self._making.name(kind), self._depth + 1
        if kind == "subworkflow":
            # The subworkflows of a subworkflow come along beside it.
            template = _Workflow(self._making, depth, self._subs).template(name)
            self._subs.append(template)
            target = core_workflow_pb2.WorkflowNode(sub_workflow_ref=template.id)
        else:
            self._making.children.append(self._making.request(name, depth))
            reference = identifier(identifier_pb2.LAUNCH_PLAN, name)
            target = core_workflow_pb2.WorkflowNode(launchplan_ref=reference)
        return self._bound(node_id, {"a": INT}, workflow_node=target)

    def _branch(self, node_id: str, depth: int) -> core_workflow_pb2.Node:
        node = core_workflow_pb2.Node(id=node_id)
        node.inputs.add(var=".x", binding=self._promised(INT))
        if_else = node.branch_node.if_else
        for number in range(self._draw(st.integers(1, 3))):
            block = if_else.other.add() if number else if_else.case
            block.condition.CopyFrom(self._condition())
            block.then_node.CopyFrom(self._case(f"n{number}", depth))
        if self._draw(st.booleans()):
            if_else.else_node.CopyFrom(self._case("n9", depth))
        else:
            if_else.error.message = "no case"
        return node

    def _case(self, node_id: str, depth: int) -> core_workflow_pb2.Node:
        if depth < self._making.max_depth and self._draw(st.booleans()):
            return self._branch(node_id, depth + 1)
        return self._task(node_id, self._draw(st.sampled_from(["made.add", "made.total", "made.length"])))

    def _condition(self) -> condition_pb2.BooleanExpression:
        operator = self._draw(st.sampled_from(condition_pb2.ComparisonExpression.Operator.keys()))
        comparison = condition_pb2.ComparisonExpression(operator=operator)
        comparison.left_value.var = ".x"
        comparison.right_value.primitive.integer = self._draw(st.integers(-3, 3))
        expression = condition_pb2.BooleanExpression(comparison=comparison)
        if self._draw(st.integers(0, 3)):
            return expression
        join = self._draw(st.sampled_from(condition_pb2.ConjunctionExpression.LogicalOperator.keys()))
        both = condition_pb2.ConjunctionExpression(
            operator=join, left_expression=expression, right_expression=expression
        )
        return condition_pb2.BooleanExpression(conjunction=both)

    def _gate(self, node_id: str, **condition: Any) -> core_workflow_pb2.Node:
        return core_workflow_pb2.Node(id=node_id, gate_node=core_workflow_pb2.GateNode(**condition))

    def _signal(self) -> str:
        self._making.signals.append(self._making.name("signal"))
        return self._making.signals[-1]

    def _bound(
        self, node_id: str, inputs: Mapping[str, types_pb2.LiteralType], **target: Any
    ) -> core_workflow_pb2.Node:
        node = core_workflow_pb2.Node(id=node_id, **target)
        for name, declared in inputs.items():
            node.inputs.add(var=name, binding=self._value(declared))
        return node

    def _promised(self, declared: types_pb2.LiteralType) -> literals_pb2.BindingData:
        fits = [(node_id, name) for node_id, name, shown in self._values if shown == declared]
        return _promise(*self._draw(st.sampled_from(fits)))

    def _value(self, declared: types_pb2.LiteralType) -> literals_pb2.BindingData:
        if any(shown == declared for _, _, shown in self._values) and self._draw(st.booleans()):
            return self._promised(declared)
        if declared == INTS:
            elements = [self._value(INT) for _ in range(self._draw(st.integers(0, 3)))]
            return literals_pb2.BindingData(collection=literals_pb2.BindingDataCollection(bindings=elements))
        if declared == STR:
            text = literals_pb2.Primitive(string_value=self._draw(st.sampled_from(["", "x", "größer"])))
            return literals_pb2.BindingData(scalar=literals_pb2.Scalar(primitive=text))
        return literals_pb2.BindingData(scalar=integer(self._draw(st.integers(-5, 5))).scalar)


def _promise(node_id: str, name: str) -> literals_pb2.BindingData:
    return literals_pb2.BindingData(promise=types_pb2.OutputReference(node_id=node_id, var=name))


def _seconds(draw: st.DrawFn) -> duration_pb2.Duration:
    return duration_pb2.Duration(seconds=draw(st.integers(0, 100)))
