"""The workflows that are run: echo nodes and gates alone, so that a Flyte without images runs them, too."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING, Any, Final

from flyteidl.admin import execution_pb2, launch_plan_pb2, signal_pb2, task_pb2, workflow_pb2
from flyteidl.core import identifier_pb2, interface_pb2, literals_pb2, tasks_pb2, types_pb2
from flyteidl.core import workflow_pb2 as core_pb2

from flyte_remote_async.errors import AlreadyExistsError
from flyte_remote_async.transport import methods

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from flyte_remote_async.transport.base import Method, Transport

__all__ = ["Flyte", "eventually"]

_NODES_AT_MOST: Final = 100  # in one workflow, by Flyte's default
_TIMEOUT: Final = 60.0
_HOUR: Final = 3600
_PAUSE: Final = 0.05
_INTEGER: Final = types_pb2.LiteralType(simple=types_pb2.INTEGER)
_BOOLEAN: Final = types_pb2.LiteralType(simple=types_pb2.BOOLEAN)


def _variables(**types: types_pb2.LiteralType) -> interface_pb2.VariableMap:
    return interface_pb2.VariableMap(
        variables={name: interface_pb2.Variable(type=kind) for name, kind in types.items()}
    )


_INTERFACE: Final = interface_pb2.TypedInterface(inputs=_variables(a=_INTEGER), outputs=_variables(o0=_INTEGER))


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Return when something holds."""
    while True:
        if await holds():
            return
        await asyncio.sleep(_PAUSE)


class Flyte:
    """Registers, launches and signals over the API, with nothing of the clients that are measured.

    Args:
        transport: To the endpoint, without the proxy.
        project: Where to register.
        domain: The same.
    """

    def __init__(self, transport: Transport, project: str, domain: str) -> None:
        self._transport = transport
        self._project, self._domain = project, domain
        self._version = secrets.token_hex(4)

    async def call(self, method: Method[Any, Any], request: Any) -> Any:
        """Make one call."""
        reply = await self._transport.unary(method, request.SerializeToString(), timeout=_TIMEOUT)
        return method.response_type.FromString(reply.message)

    def _id(self, kind: identifier_pb2.ResourceType, name: str) -> identifier_pb2.Identifier:
        return identifier_pb2.Identifier(
            resource_type=kind, name=name, version=self._version, project=self._project, domain=self._domain
        )

    async def register_tree(self, tasks: int, gates: int = 0) -> identifier_pb2.Identifier:
        """Register a workflow of echo nodes, in subworkflows where they are many, and of gates one after another."""
        name = f"bench.tree_{tasks}_{gates}"
        echo = await self._register_echo()
        if tasks + gates <= _NODES_AT_MOST:
            return await self._register(name, [*_echoes(echo, tasks), *_gates(gates)])
        inner = self._template(f"{name}_part", _echoes(echo, _NODES_AT_MOST))
        rest = self._template(f"{name}_rest", _echoes(echo, tasks % _NODES_AT_MOST or _NODES_AT_MOST))
        parts = -(-tasks // _NODES_AT_MOST)
        nodes = [_part(f"p{at}", inner.id) for at in range(parts - 1)] + [_part(f"p{parts - 1}", rest.id)]
        return await self._register(name, [*nodes, *_gates(gates)], [inner, rest])

    async def _register_echo(self) -> identifier_pb2.Identifier:
        template = tasks_pb2.TaskTemplate(
            id=self._id(identifier_pb2.TASK, "bench.echo"), type="echo", interface=_INTERFACE
        )
        template.metadata.runtime.type = tasks_pb2.RuntimeMetadata.FLYTE_SDK
        template.metadata.runtime.version = "1.16.0"
        template.metadata.retries.SetInParent()
        await self._create(
            methods.CREATE_TASK, task_pb2.TaskCreateRequest(id=template.id, spec=task_pb2.TaskSpec(template=template))
        )
        return template.id

    def _template(self, name: str, nodes: Sequence[core_pb2.Node]) -> core_pb2.WorkflowTemplate:
        template = core_pb2.WorkflowTemplate(
            id=self._id(identifier_pb2.WORKFLOW, name), interface=_INTERFACE, nodes=nodes
        )
        last = next((node for node in reversed(nodes) if not node.HasField("gate_node")), None)
        template.outputs.append(_bound("o0", last.id if last else "", "o0" if last else "a"))
        template.metadata.SetInParent()
        template.metadata_defaults.SetInParent()
        return template

    async def _register(
        self, name: str, nodes: Sequence[core_pb2.Node], inner: Sequence[core_pb2.WorkflowTemplate] = ()
    ) -> identifier_pb2.Identifier:
        template = self._template(name, nodes)
        spec = workflow_pb2.WorkflowSpec(template=template, sub_workflows=inner)
        await self._create(methods.CREATE_WORKFLOW, workflow_pb2.WorkflowCreateRequest(id=template.id, spec=spec))
        plan = launch_plan_pb2.LaunchPlanSpec(workflow_id=template.id)
        plan.default_inputs.parameters["a"].var.type.CopyFrom(_INTEGER)
        plan.default_inputs.parameters["a"].default.scalar.primitive.integer = 1
        identifier = self._id(identifier_pb2.LAUNCH_PLAN, name)
        request = launch_plan_pb2.LaunchPlanCreateRequest(id=identifier, spec=plan)
        await self._create(methods.CREATE_LAUNCH_PLAN, request)
        return identifier

    async def _create(self, method: Method[Any, Any], request: Any) -> None:
        with contextlib.suppress(AlreadyExistsError):  # of this version, so made by this run
            await self.call(method, request)

    async def launch(self, launch_plan: identifier_pb2.Identifier) -> str:
        """Launch an execution and return its name."""
        name = f"b{secrets.token_hex(9)}"
        spec = execution_pb2.ExecutionSpec(launch_plan=launch_plan)
        spec.metadata.mode = execution_pb2.ExecutionMetadata.MANUAL
        request = execution_pb2.ExecutionCreateRequest(name=name, spec=spec, project=self._project, domain=self._domain)
        request.inputs.SetInParent()
        await self.call(methods.CREATE_EXECUTION, request)
        return name

    async def execution(self, name: str) -> execution_pb2.Execution:
        """Return an execution."""
        request = execution_pb2.WorkflowExecutionGetRequest(id=self._execution_id(name))
        found: execution_pb2.Execution = await self.call(methods.GET_EXECUTION, request)
        return found

    async def waits_at(self, name: str, signal: str) -> bool:
        """Return whether an execution has come to a gate."""
        request = signal_pb2.SignalListRequest(workflow_execution_id=self._execution_id(name), limit=100)
        found = await self.call(methods.LIST_SIGNALS, request)
        return signal in {signal.id.signal_id for signal in found.signals}

    async def has_ended(self, name: str) -> bool:
        """Return whether an execution has ended."""
        return (await self.execution(name)).closure.HasField("duration")

    async def signal(self, name: str, signal: str) -> None:
        """Open a gate."""
        request = signal_pb2.SignalSetRequest()
        request.id.signal_id = signal
        request.id.execution_id.CopyFrom(self._execution_id(name))
        request.value.scalar.primitive.boolean = True
        await self.call(methods.SET_SIGNAL, request)

    async def running_nodes(self, name: str) -> int:
        """Return how many nodes of the top level have not ended."""
        from flyteidl.admin import node_execution_pb2

        request = node_execution_pb2.NodeExecutionListRequest(workflow_execution_id=self._execution_id(name), limit=500)
        request.filters = "value_in(phase,QUEUED;RUNNING)"
        found = await self.call(methods.LIST_NODE_EXECUTIONS, request)
        return len(found.node_executions)

    def _execution_id(self, name: str) -> identifier_pb2.WorkflowExecutionIdentifier:
        return identifier_pb2.WorkflowExecutionIdentifier(name=name, project=self._project, domain=self._domain)


def _bound(variable: str, node: str, output: str) -> literals_pb2.Binding:
    promise = types_pb2.OutputReference(node_id=node, var=output)
    return literals_pb2.Binding(var=variable, binding=literals_pb2.BindingData(promise=promise))


def _echoes(echo: identifier_pb2.Identifier, count: int) -> list[core_pb2.Node]:
    return [
        core_pb2.Node(id=f"n{at}", inputs=[_bound("a", "", "a")], task_node=core_pb2.TaskNode(reference_id=echo))
        for at in range(count)
    ]


def _part(node_id: str, workflow: identifier_pb2.Identifier) -> core_pb2.Node:
    reference = core_pb2.WorkflowNode(sub_workflow_ref=workflow)
    return core_pb2.Node(id=node_id, inputs=[_bound("a", "", "a")], workflow_node=reference)


def _gates(count: int) -> list[core_pb2.Node]:
    nodes = []
    for at in range(count):
        node = core_pb2.Node(id=f"g{at}", upstream_node_ids=[f"g{at - 1}"] if at else [])
        node.metadata.timeout.seconds = _HOUR
        node.gate_node.signal.signal_id = f"g{at}"
        node.gate_node.signal.type.CopyFrom(_BOOLEAN)
        node.gate_node.signal.output_variable_name = "o0"
        nodes.append(node)
    return nodes
