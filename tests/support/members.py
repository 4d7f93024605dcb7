"""The classes and members that the reference API's page ``flytekit.remote.executions`` lists, and ours besides.

``compile``, ``construct_node_metadata``, ``execute``, ``local_execute`` and ``local_execution_mode`` of entities are
for composing workflows, and are not listed.
"""

from __future__ import annotations

from typing import Any

from flyte_remote_async import (
    FlyteNodeExecution,
    FlyteTask,
    FlyteTaskExecution,
    FlyteWorkflow,
    FlyteWorkflowExecution,
    LiteralsResolver,
    RemoteExecutionBase,
    TypedInterface,
)

__all__ = ["MEMBERS"]

MESSAGE = ["from_flyte_idl", "is_empty", "serialize_to_string", "short_string", "to_flyte_idl", "verbose_string"]
ENTITY = ["docs", "entity_type_text", "id", "interface", "metadata", "name", "promote_from_model", "python_interface"]
ENTITY += ["resource_type", "should_register", "template", *MESSAGE]
EXECUTION = ["error", "inputs", "is_done", "outputs"]

MEMBERS: dict[type[Any], list[str]] = {
    RemoteExecutionBase: EXECUTION,
    FlyteWorkflowExecution: [
        *EXECUTION,
        *MESSAGE,
        "closure",
        "execution_url",
        "flyte_workflow",
        "id",
        "is_successful",
        "node_executions",
        "promote_from_model",
        "spec",
        "sync",
        "wait",
    ],
    FlyteNodeExecution: [
        *EXECUTION,
        *MESSAGE,
        "closure",
        "executions",
        "id",
        "input_uri",
        "interface",
        "kind",
        "metadata",
        "promote_from_model",
        "subtasks",
        "subworkflow_node_executions",
        "task_executions",
        "workflow_executions",
    ],
    FlyteTaskExecution: [
        *EXECUTION,
        *MESSAGE,
        "attempt",
        "closure",
        "external_resources",
        "fetch_task",
        "id",
        "input_uri",
        "is_parent",
        "logs",
        "promote_from_model",
        "reason",
        "reasons",
        "task",
    ],
    FlyteTask: [
        *ENTITY,
        "config",
        "container",
        "custom",
        "extended_resources",
        "k8s_pod",
        "security_context",
        "sql",
        "task_type_version",
        "type",
    ],
    FlyteWorkflow: [
        *ENTITY,
        "failure_node",
        "flyte_nodes",
        "flyte_sub_workflows",
        "flyte_tasks",
        "get_non_system_nodes",
        "metadata_defaults",
        "nodes",
        "outputs",
        "promote_from_closure",
        "sub_workflows",
    ],
    TypedInterface: [*MESSAGE, "inputs", "outputs", "transform_interface_to_list"],
    LiteralsResolver: [
        "as_python_native",
        "clear",
        "copy",
        "from_flyte_idl",
        "fromkeys",
        "get",
        "get_literal",
        "items",
        "keys",
        "literals",
        "native_values",
        "pop",
        "popitem",
        "setdefault",
        "update",
        "update_type_hints",
        "values",
        "variable_map",
    ],
}
