"""The members of the reference API's page ``flytekit.remote.executions``: all are here, and work on recorded data."""

from __future__ import annotations

import ast
import inspect
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

import flyte_remote_async
from flyte_remote_async import (
    FlyteNodeExecution,
    FlyteTask,
    FlyteTaskExecution,
    FlyteWorkflow,
    FlyteWorkflowExecution,
    LiteralsResolver,
    NodeKind,
    RemoteExecutionBase,
    TypedInterface,
    executions,
)
from flyte_remote_async.errors import ExecutionFailedError, FlyteAssertion, NotSyncedError
from tests.support import recordings
from tests.support.members import MEMBERS
from tests.support.remotes import recorded_server, remote_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flyte_remote_async import FlyteRemote

pytestmark = pytest.mark.anyio

LABELS = recordings.labels()

# --- they are there --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", MEMBERS, ids=lambda cls: cls.__name__)
def test_every_class_is_in_both_places(cls: type[Any]) -> None:
    assert getattr(executions, cls.__name__) is cls
    assert getattr(flyte_remote_async, cls.__name__) is cls
    assert cls.__name__ in executions.__all__
    assert cls.__name__ in flyte_remote_async.__all__


def test_the_module_has_the_names_that_the_reference_lists_besides() -> None:
    from abc import abstractmethod

    assert executions.timedelta is timedelta
    assert executions.abstractmethod is abstractmethod
    assert "annotations" in vars(executions)


def docstring(cls: type[Any], name: str) -> str:
    """Return what is written of a member, where it is written: attrs keeps no docstrings of cached properties."""
    for base in cls.__mro__:
        if not base.__module__.startswith("flyte_remote_async"):
            continue
        written: Any = ast.parse(inspect.getsource(base)).body[0]
        for node in written.body:
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
            if is_function and "overload" not in map(ast.unparse, node.decorator_list):
                return ast.get_docstring(node) or ""
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
                return (inspect.getdoc(base) or "").partition(f"{name}: ")[2]
    return ""


@pytest.mark.parametrize("cls", MEMBERS, ids=lambda cls: cls.__name__)
def test_every_member_is_documented(cls: type[Any]) -> None:
    assert [name for name in MEMBERS[cls] if len(docstring(cls, name).split()) < 2] == []


# --- they work -------------------------------------------------------------------------------------------------------


async def raises(kind: type[Exception], read: Callable[[], Any]) -> bool:
    with pytest.raises(kind):
        read()
    return True


def message_members(value: Any) -> dict[str, Any]:
    """Use what every class with a message has."""
    cls, message = type(value), value.to_flyte_idl()
    return {
        "from_flyte_idl": cls.from_flyte_idl(message).to_flyte_idl() == message,
        "is_empty": not value.is_empty and cls.from_flyte_idl(cls.message_type()).is_empty,
        "serialize_to_string": cls.message_type.FromString(value.serialize_to_string()) == message,
        "short_string": value.short_string().startswith(f"Flyte Serialized object ({cls.__name__}):\n  "),
        "to_flyte_idl": isinstance(message, cls.message_type) and message is not value.to_flyte_idl(),
        "verbose_string": value.verbose_string() == value.short_string(),
    }


async def execution_base(remote: FlyteRemote) -> dict[str, Any]:
    execution: RemoteExecutionBase[Any] = await remote.fetch_execution(LABELS["samples.failing"])
    return {
        "error": execution.error is not None and "boom 4" in execution.error.message,
        "inputs": await execution.inputs.all() == {"a": 3},
        "is_done": execution.is_done,
        "outputs": await raises(ExecutionFailedError, lambda: execution.outputs),
    }


async def workflow_execution(remote: FlyteRemote) -> dict[str, Any]:
    handle = remote.execution(LABELS["samples.chain"], type_hints={"o0": float})
    whole = await handle.sync(sync_nodes=True, definitions=True)
    failed = await remote.fetch_execution(LABELS["samples.failing"])
    assert whole.flyte_workflow is not None
    assert failed.error is not None
    return message_members(whole) | {
        "closure": whole.closure.phase.name == "SUCCEEDED" and whole.closure.output_uri.endswith("outputs.pb"),
        "error": whole.error is None and failed.error.code == "USER:RuntimeError",
        "execution_url": str(whole.execution_url).endswith(
            f"/console/projects/flytesnacks/domains/development/executions/{whole.id.name}"
        ),
        "flyte_workflow": whole.flyte_workflow.name == "samples.chain" and handle.flyte_workflow is None,
        "id": whole.id.name == LABELS["samples.chain"],
        "inputs": await whole.inputs["a"] == 3,
        "is_done": whole.is_done and failed.is_done and not handle.is_done,
        "is_successful": whole.is_successful and not failed.is_successful,
        "node_executions": list(whole.node_executions) == ["start-node", "n0", "n1", "n2", "end-node"]
        and await raises(NotSyncedError, lambda: handle.node_executions),
        "outputs": isinstance(await whole.outputs["o0"], float) and await whole.outputs.get("o0", int) == 5,
        "promote_from_model": FlyteWorkflowExecution.promote_from_model(whole.to_flyte_idl(), remote).id == whole.id,
        "spec": whole.spec.launch_plan.name == "samples.chain",
        "sync": (await handle.sync()).is_done and not handle.is_done,
        "wait": (await handle.wait(timedelta(seconds=30), sync_nodes=False)).is_successful,
    }


async def node_execution(remote: FlyteRemote) -> dict[str, Any]:
    chain = await remote.execution(LABELS["samples.chain"]).sync(sync_nodes=True, definitions=True)
    dynamic, mapped, parent, failed = [
        (await remote.execution(LABELS[label]).sync(sync_nodes=True)).node_executions[node_id]
        for label, node_id in (
            ("samples.dynwf", "n0"),
            ("samples.mapped", "n0"),
            ("samples.nested_lp", "n0"),
            ("samples.failing", "n1"),
        )
    ]
    node = chain.node_executions["n1"]
    assert node.interface is not None
    assert failed.error is not None
    return message_members(node) | {
        "closure": node.closure.duration is not None and node.closure.duration > timedelta(0),
        "error": node.error is None and "boom 4" in failed.error.message,
        "executions": [len(one.executions) for one in (node, dynamic, parent)] == [1, 1, 1],
        "id": (node.id.node_id, node.id.execution_id) == ("n1", chain.id),
        "input_uri": node.input_uri.endswith("/n1/data/inputs.pb"),
        "inputs": await node.inputs.all() == {"x": 5},
        "interface": set(node.interface.inputs) == {"x"} and failed.interface is None,
        "is_done": node.is_done,
        "kind": [one.kind for one in (node, dynamic, mapped, parent)]
        == [NodeKind.TASK, NodeKind.DYNAMIC, NodeKind.ARRAY, NodeKind.LAUNCH_PLAN],
        "metadata": node.metadata.spec_node_id == "n1" and dynamic.metadata.is_dynamic,
        "outputs": (await node.outputs["o0"])["x"] == 5 and await raises(FlyteAssertion, lambda: failed.outputs),
        "promote_from_model": FlyteNodeExecution.promote_from_model(node.to_flyte_idl()).id == node.id,
        "subtasks": len(mapped.subtasks) == 3 and len(node.subtasks) == 0,
        "subworkflow_node_executions": len(dynamic.subworkflow_node_executions) == 5,
        "task_executions": [len(one.task_executions) for one in (node, failed, parent)] == [1, 1, 0],
        "workflow_executions": [child.is_successful for child in parent.workflow_executions] == [True],
    }


async def task_execution(remote: FlyteRemote) -> dict[str, Any]:
    chain = await remote.execution(LABELS["samples.chain"]).sync(sync_nodes=True, definitions=True)
    flaky = await remote.execution(LABELS["samples.flakywf"]).sync(sync_nodes=True)
    mapped = await remote.execution(LABELS["samples.mapped"]).sync(sync_nodes=True)
    (attempt,) = chain.node_executions["n1"].task_executions
    first, second = flaky.node_executions["n0"].task_executions
    assert attempt.task is not None
    assert first.error is not None
    return message_members(attempt) | {
        "attempt": [first.attempt, second.attempt] == [0, 1],
        "closure": attempt.closure.task_type == "python-task",
        "error": second.error is None and bool(first.error.message),
        "external_resources": len(mapped.node_executions["n0"].task_executions[-1].external_resources) == 3,
        "fetch_task": (await first.fetch_task()).name == first.id.task_id.name and first.task is None,
        "id": attempt.id.task_id.name == "samples.make_point",
        "input_uri": attempt.input_uri.endswith("/n1/data/inputs.pb"),
        "inputs": await attempt.inputs.all() == {"x": 5},
        "is_done": attempt.is_done,
        "is_parent": not attempt.is_parent,
        "logs": [log.name for log in attempt.logs] == ["Kubernetes Logs (User)"],
        "outputs": (await attempt.outputs["o0"])["x"] == 5 and await raises(FlyteAssertion, lambda: first.outputs),
        "promote_from_model": FlyteTaskExecution.promote_from_model(attempt.to_flyte_idl()) != attempt,
        "reason": bool(attempt.reason),
        "reasons": len(attempt.reasons) == 2,
        "task": attempt.task.name == "samples.make_point",
    }


def entity_members(entity: Any, *, name: str, inputs: dict[str, Any], kind: str) -> dict[str, Any]:
    """Use what every entity has."""
    return message_members(entity) | {
        "docs": entity.docs is None,  # Flyte keeps them elsewhere
        "entity_type_text": entity.entity_type_text == kind,
        "id": (entity.id.name, entity.id.version) == (name, "v2"),
        "interface": set(entity.interface.inputs) == set(inputs),
        "metadata": entity.metadata.to_flyte_idl() == entity.template.to_flyte_idl().metadata,
        "name": entity.name == name,
        "promote_from_model": type(entity).promote_from_model(entity.template).id == entity.id,
        "python_interface": entity.python_interface.inputs == inputs,
        "resource_type": entity.resource_type.name == kind.upper(),
        "should_register": entity.should_register is False,
        "template": entity.template.id == entity.id,
    }


async def task(remote: FlyteRemote) -> dict[str, Any]:
    add = await remote.fetch_task("samples.add")
    return entity_members(add, name="samples.add", inputs={"a": int, "b": int}, kind="Task") | {
        "config": add.config == {},
        "container": add.container is not None and add.container.args[0] == "pyflyte-execute",
        "custom": add.custom == {},
        "extended_resources": add.extended_resources is None,
        "k8s_pod": add.k8s_pod is None,
        "security_context": add.security_context is None,
        "sql": add.sql is None,
        "task_type_version": add.task_type_version == 0,
        "type": add.type == "python-task",
    }


async def workflow(remote: FlyteRemote) -> dict[str, Any]:
    chain = await remote.fetch_workflow("samples.chain", "v2")
    handled = await remote.fetch_workflow("samples.with_handler", "v2")
    assert chain.compiled_closure is not None
    compiled = chain.compiled_closure.to_flyte_idl()
    nodes = compiled.primary.template.nodes
    promoted = FlyteWorkflow.promote_from_closure(compiled)
    return entity_members(chain, name="samples.chain", inputs={"a": int}, kind="Workflow") | {
        "failure_node": handled.failure_node is not None and chain.failure_node is None,
        "flyte_nodes": [node.id for node in chain.flyte_nodes] == ["n0", "n1", "n2"],
        "flyte_sub_workflows": [sub.name for sub in chain.flyte_sub_workflows] == ["samples.sub"],
        "flyte_tasks": {one.name for one in chain.flyte_tasks}
        == {"samples.add", "samples.make_point", "samples.use_point"},
        "get_non_system_nodes": [node.id for node in FlyteWorkflow.get_non_system_nodes(nodes)] == ["n0", "n1", "n2"]
        and len(nodes) == 5,
        "metadata_defaults": chain.metadata_defaults.is_empty,
        "nodes": [node.kind for node in chain.nodes] == ["subworkflow", "task", "task"],
        "outputs": [binding.var for binding in chain.outputs] == ["o0", "p", "s"],
        "promote_from_closure": promoted.id == chain.id and len(promoted.nodes) == 3,
        "sub_workflows": [sub.id.name for sub in chain.sub_workflows] == ["samples.sub"],
    }


async def interface(remote: FlyteRemote) -> dict[str, Any]:
    add = (await remote.fetch_task("samples.add")).interface
    mapped = add.transform_interface_to_list({"b"})
    return message_members(add) | {
        "inputs": list(add.inputs) == ["a", "b"],
        "outputs": str(add.outputs["o0"].type) == "int",
        "transform_interface_to_list": str(mapped) == "(a: list[int], b: int) -> (o0: list[int])",
    }


async def resolver(remote: FlyteRemote) -> dict[str, Any]:
    execution = await remote.fetch_execution(LABELS["samples.chain"])
    outputs = execution.outputs
    point = {"x": 5, "y": 2.5, "tags": ["a", "b"], "name": None}
    first = await outputs.get("o0") == 5 and await outputs.get("o0", float) == 5.0
    variables, literals = outputs.variable_map, outputs.literals
    assert variables is not None
    text = await outputs["s"]
    seen: dict[str, Any] = {
        "get": first,
        "get_literal": outputs.get_literal("o0").kind == "primitive"
        and await raises(KeyError, lambda: outputs.get_literal("zz")),
        "keys": list(outputs.keys()) == ["o0", "p", "s"],
        "literals": list(literals) == ["o0", "p", "s"],
        "native_values": outputs.native_values == {"o0": 5.0, "s": text},
        "variable_map": str(variables["o0"].type) == "int",
        "values": await outputs.values() == [5, point, text],
        "items": await outputs.items() == [("o0", 5), ("p", point), ("s", text)],
        "as_python_native": await outputs.as_python_native(TypedInterface({}, variables)) == (5, point, text),
        "fromkeys": await LiteralsResolver.fromkeys(["a", "b"], 1).all() == {"a": 1, "b": 1},
    }
    other = LiteralsResolver.from_flyte_idl(literal_map(literals))
    other.update_type_hints({"o0": str, "s": str})
    seen["from_flyte_idl"] = list(other) == ["o0", "p", "s"]
    seen["update_type_hints"] = await other["s"] == text and other.type_hints["s"] is str
    copied = outputs.copy()
    seen["pop"] = await copied.pop("o0") == 5 and "o0" not in copied and "o0" in outputs
    seen["popitem"] = await copied.popitem() == ("s", text)
    seen["setdefault"] = await copied.setdefault("new", 7) == 7 and await copied["new"] == 7
    copied.update({"new": 8})
    seen["update"] = await copied["new"] == 8
    copied.clear()
    seen["clear"] = len(copied) == 0 and len(outputs) == 3
    seen["copy"] = copied is not outputs
    return seen


def literal_map(literals: Any) -> Any:
    from flyte_remote_async.models.literals import literal_map_to_flyte_idl

    return literal_map_to_flyte_idl(literals)


CHECKS: dict[type[Any], Callable[[FlyteRemote], Awaitable[dict[str, Any]]]] = {
    RemoteExecutionBase: execution_base,
    FlyteWorkflowExecution: workflow_execution,
    FlyteNodeExecution: node_execution,
    FlyteTaskExecution: task_execution,
    FlyteTask: task,
    FlyteWorkflow: workflow,
    TypedInterface: interface,
    LiteralsResolver: resolver,
}


@pytest.mark.parametrize("cls", MEMBERS, ids=lambda cls: cls.__name__)
async def test_every_member_works_on_recorded_data(cls: type[Any]) -> None:
    async with recorded_server() as server, remote_of(server) as (remote, _):
        seen = await CHECKS[cls](remote)
    assert sorted(seen) == sorted(MEMBERS[cls])
    assert [name for name, works in seen.items() if works is not True] == []
