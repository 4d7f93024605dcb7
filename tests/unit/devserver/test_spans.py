"""Spans of executions in states that recordings and the engine do not have, as flyteadmin tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.admin import execution_pb2, node_execution_pb2, task_execution_pb2, workflow_pb2
from flyteidl.core import compiler_pb2

from flyte_remote_async.devserver.services.spans import Spans
from flyte_remote_async.devserver.store import Store
from flyte_remote_async.errors import InternalError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

RUN = {"project": "p", "domain": "d", "name": "e"}
CHILD = RUN | {"name": "child"}
WORKFLOW = {"resource_type": "WORKFLOW", "project": "p", "domain": "d", "name": "w", "version": "1"}
TASK = {**WORKFLOW, "resource_type": "TASK"}
EXECUTION = execution_pb2.Execution(
    id=RUN, closure={"workflow_id": WORKFLOW, "created_at": {"seconds": 100}, "updated_at": {"seconds": 200}}
)


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    store = await Store.open()
    yield store
    await store.aclose()


async def put_workflow(store: Store, *nodes: dict[str, Any], **upstream: list[str]) -> None:
    connections = {"upstream": {name: compiler_pb2.ConnectionSet.IdList(ids=ids) for name, ids in upstream.items()}}
    primary = {"template": {"id": WORKFLOW, "nodes": nodes}, "connections": connections}
    await store.put_workflow(workflow_pb2.Workflow(id=WORKFLOW, closure={"compiled_workflow": {"primary": primary}}))


async def put_node(
    store: Store, node_id: str, start: int, end: int, *, parent: str = "", spec: str = "", **more: Any
) -> None:
    closure = {"created_at": {"seconds": start}, "updated_at": {"seconds": end}, **more.pop("closure", {})}
    metadata = {"spec_node_id": spec or node_id, **more}
    identifier = {"node_id": node_id, "execution_id": RUN}
    await store.put_node(node_execution_pb2.NodeExecution(id=identifier, closure=closure, metadata=metadata), parent)


async def put_attempt(store: Store, node_id: str, number: int, start: int, end: int, **closure: Any) -> None:
    node = {"node_id": node_id, "execution_id": RUN}
    await store.put_attempt(
        task_execution_pb2.TaskExecution(
            id={"task_id": TASK, "node_execution_id": node, "retry_attempt": number},
            closure={"created_at": {"seconds": start}, "updated_at": {"seconds": end}, **closure},
        )
    )


def shown(span: Any) -> Any:
    """Return a span as what it is of, its seconds, and what is inside."""
    kind = span.WhichOneof("id")
    value = getattr(span, kind)
    what = value if kind == "operation_id" else f"{kind}:{getattr(value, 'node_id', '') or getattr(value, 'name', '')}"
    if kind == "task_id":
        what = f"attempt {value.retry_attempt}"
    return (what, span.start_time.seconds, span.end_time.seconds, *[shown(inner) for inner in span.spans])


async def nodes_of(store: Store) -> list[Any]:
    return [shown(span) for span in (await Spans(store).of_execution(EXECUTION, 10)).spans]


async def test_an_execution_that_has_not_started(store: Store) -> None:
    await put_workflow(store)
    assert await nodes_of(store) == [("WORKFLOW_SETUP", 100, 200)]


async def test_an_execution_whose_workflow_is_gone(store: Store) -> None:
    with pytest.raises(NotFoundError, match="missing entity of type WORKFLOW"):
        await Spans(store).of_execution(EXECUTION, 1)


async def test_attempts(store: Store) -> None:
    await put_workflow(store, {"id": "n0", "task_node": {}}, n0=["start-node"])
    await put_node(store, "start-node", 110, 110)
    await put_node(store, "n0", 112, 160)
    # As long as nothing has ended, and when it ended before its duration says so, there is no teardown.
    await put_attempt(store, "n0", 2, 140, 150)
    await put_attempt(store, "n0", 0, 115, 125, started_at={"seconds": 117}, duration={"seconds": 5})
    await put_attempt(store, "n0", 1, 130, 135, started_at={"seconds": 131})
    _, node = await nodes_of(store)
    assert node == (
        "node_id:n0",
        112,
        160,
        ("NODE_TRANSITION", 110, 112),
        ("NODE_SETUP", 112, 140),
        ("attempt 0", 115, 125, ("TASK_SETUP", 115, 117), ("TASK_RUNTIME", 117, 122), ("TASK_TEARDOWN", 122, 125)),
        ("NODE_RESET", 125, 130),
        ("attempt 1", 130, 135, ("TASK_SETUP", 130, 131), ("TASK_RUNTIME", 131, 135)),
        ("NODE_RESET", 135, 140),
        ("attempt 2", 140, 150, ("TASK_SETUP", 140, 150)),
        ("NODE_TEARDOWN", 150, 160),
    )


@pytest.mark.parametrize(
    "node",
    [
        {"task_node": {}},
        {"branch_node": {}},
        {"gate_node": {}},
        {"workflow_node": {"launchplan_ref": {}}},
        {"workflow_node": {"sub_workflow_ref": WORKFLOW}},
    ],
)
async def test_a_node_that_has_not_started(store: Store, node: dict[str, Any]) -> None:
    await put_workflow(store, {"id": "n0", **node})
    await put_node(store, "start-node", 110, 110)
    await put_node(store, "n0", 112, 113)
    assert (await nodes_of(store))[1] == ("node_id:n0", 112, 113, ("NODE_SETUP", 112, 113))


async def test_a_dynamic_node_before_its_nodes(store: Store) -> None:
    await put_workflow(store, {"id": "n0", "task_node": {}})
    await put_node(store, "start-node", 110, 110)
    await put_node(store, "n0", 112, 150, is_parent_node=True)
    assert (await nodes_of(store))[1] == ("node_id:n0", 112, 150, ("NODE_SETUP", 112, 150))
    await put_attempt(store, "n0", 0, 115, 125)
    before = await nodes_of(store)
    assert before[1][-1] == ("NODE_RESET", 125, 150)
    await put_node(store, "n0-0-start-node", 130, 130, parent="n0", spec="start-node")
    assert (await nodes_of(store))[1][-1] == ("NODE_RESET", 125, 130)
    await put_node(store, "n0-0-x", 131, 132, parent="n0", spec="x")
    with pytest.raises(InternalError, match="failed to discover workflow node 'x'"):
        await nodes_of(store)


async def test_a_gate_that_waits_and_one_that_is_through(store: Store) -> None:
    await put_workflow(store, {"id": "n0", "gate_node": {}}, {"id": "n1", "gate_node": {}})
    await put_node(store, "start-node", 110, 110)
    await put_node(store, "n0", 112, 120, closure={"started_at": {"seconds": 113}})
    through = {"started_at": {"seconds": 116}, "duration": {"seconds": 10}}
    await put_node(store, "n1", 115, 120, closure=through)
    _, first, second = await nodes_of(store)
    assert first[3:] == (("NODE_SETUP", 112, 113), ("NODE_IDLE", 113, 120))
    assert second[3:] == (("NODE_SETUP", 115, 116), ("NODE_IDLE", 116, 126), ("NODE_TEARDOWN", 126, 120))


async def test_an_array_node_is_told_without_its_parts(store: Store) -> None:
    await put_workflow(store, {"id": "n0", "array_node": {}})
    await put_node(store, "start-node", 110, 110)
    await put_node(store, "n0", 112, 120)
    assert (await nodes_of(store))[1] == ("node_id:n0", 112, 120)


async def test_a_child_that_is_gone(store: Store) -> None:
    await put_workflow(store, {"id": "n0", "workflow_node": {"launchplan_ref": {}}})
    await put_node(store, "start-node", 110, 110)
    await put_node(store, "n0", 112, 120, closure={"workflow_node_metadata": {"executionId": CHILD}})
    with pytest.raises(NotFoundError, match="missing entity of type execution"):
        await nodes_of(store)


async def test_a_branch_that_went_two_ways_or_none_that_there_is(store: Store) -> None:
    choice = {"if_else": {"case": {"then_node": {"id": "n0-a"}}, "other": [{"then_node": {"id": "n0-b"}}]}}
    await put_workflow(store, {"id": "n0", "branch_node": choice})
    await put_node(store, "start-node", 110, 110)
    await put_node(store, "n0", 112, 120)
    await put_node(store, "n0-0-x", 113, 114, parent="n0", spec="x")
    with pytest.raises(InternalError, match="failed to identify branch node"):
        await nodes_of(store)
    await put_node(store, "n0-0-y", 113, 114, parent="n0", spec="y")
    with pytest.raises(InternalError, match="expected 1 but found 2"):
        await nodes_of(store)


async def test_what_ended_after_its_parent_has_no_teardown(store: Store) -> None:
    await put_workflow(store, {"id": "n0", "task_node": {}}, **{"end-node": ["n0"]})
    await put_node(store, "start-node", 110, 110)
    await put_node(store, "n0", 112, 300)
    await put_attempt(store, "n0", 0, 113, 301)
    setup, node = await nodes_of(store)
    assert (setup[0], node[3:]) == (
        "WORKFLOW_SETUP",
        (("NODE_SETUP", 112, 113), ("attempt 0", 113, 301, ("TASK_SETUP", 113, 301))),
    )
