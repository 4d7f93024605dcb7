"""What the engine makes of kinds of nodes that need no container: arrays, launch plans, gates, and what fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.client import fresh, integers
from tests.conformance.entities import binding, gate_node, interface, register, register_echo, task_node

if TYPE_CHECKING:
    from tests.conformance.client import Flyte
    from tests.conformance.entities import Registered

LIST = {"type": {"collection_type": {"simple": "INTEGER"}}, "description": "numbers"}
LISTS = interface({"a": LIST}, {"o0": LIST})
LARGE = {"operator": "GT", "left_value": {"var": "a"}, "right_value": {"primitive": {"integer": "99"}}}


def numbers(*values: int) -> dict[str, Any]:
    literals = [integers(a=value)["a"] for value in values]
    return {"a": {"collection": {"literals": literals} if literals else {}}}


def refusing(node_id: str, echo: dict[str, str], source: str = "start-node", output: str = "a") -> dict[str, Any]:
    """Return a branch that has no way for what is below a hundred."""
    way = {"condition": {"comparison": LARGE}, "then_node": task_node(f"{node_id}then", echo, source, output)}
    block = {"case": way, "error": {"failed_node_id": node_id, "message": "no way"}}
    return {
        "id": node_id,
        "metadata": {"name": node_id},
        "inputs": [binding("a", source, output)],
        "branch_node": {"if_else": block},
    }


@pytest.fixture(scope="module")
def mapped(flyte: Flyte) -> Registered:
    """Return a workflow that maps an echo task over a list."""
    task = register_echo(flyte, interface=LISTS)
    inner = task_node("n0", task)
    node = {"id": "n0", "metadata": {"name": "n0"}, "inputs": inner["inputs"], "array_node": {"node": inner}}
    return register(flyte, task, [node], template={"interface": LISTS})


@pytest.mark.parametrize("values", [(1, 2, 3), (7,), ()])
def test_an_array(flyte: Flyte, mapped: Registered, values: tuple[int, ...]) -> None:
    run = flyte.execute(mapped.plan, numbers(*values))
    assert flyte.ended(run)["closure"]["phase"] == "SUCCEEDED"
    outputs = flyte("GetExecutionData", id=flyte.run(run))["full_outputs"]["literals"]
    assert outputs["o0"]["collection"].get("literals", []) == numbers(*values)["a"]["collection"].get("literals", [])
    node = flyte.nodes(run)["n0"]
    assert node["metadata"]["is_array"] is True
    assert flyte.nodes(run, "n0") == {}
    listed = flyte("ListTaskExecutions", node_execution_id=flyte.node(run, "n0"), limit=5)["task_executions"]
    assert len(listed) == 1
    assert listed[0]["closure"]["task_type"] == "container_array"
    resources = listed[0]["closure"]["metadata"].get("external_resources", [])
    assert [(each.get("index", 0), each["phase"]) for each in resources] == [
        (index, "SUCCEEDED") for index, _ in enumerate(values)
    ]
    assert ("input_uri" in listed[0]) == bool(values)


def test_a_launch_plan_node(flyte: Flyte, echo: dict[str, str], wide: Registered) -> None:
    node = {
        "id": "n0",
        "metadata": {"name": "n0"},
        "inputs": [binding("a", "start-node", "a")],
        "workflow_node": {"launchplan_ref": wide.plan},
    }
    parent = register(flyte, echo, [node, refusing("n1", echo, "n0", "o0")])
    run = flyte.execute(parent.plan, integers(a=3), labels={"values": {"team": "blue"}})
    assert flyte.ended(run)["closure"]["phase"] == "FAILED"
    closure = flyte.nodes(run)["n0"]["closure"]
    assert closure["phase"] == "SUCCEEDED"
    child = closure["workflow_node_metadata"]["executionId"]
    spec = flyte("GetExecution", id=child)["spec"]
    assert spec["metadata"]["mode"] == "CHILD_WORKFLOW"
    assert spec["metadata"]["parent_node_execution"] == flyte.node(run, "n0")
    assert spec["labels"]["values"]["team"] == "blue"
    # Recovered, it does not say what it had started.
    again = fresh("c")
    flyte("RecoverExecution", id=flyte.run(run), name=again)
    assert flyte.ended(again)["closure"]["phase"] == "FAILED"
    closure = flyte.nodes(again)["n0"]["closure"]
    assert closure["phase"] == "RECOVERED"
    assert "workflow_node_metadata" not in closure


def test_a_branch_without_a_way(flyte: Flyte, echo: dict[str, str]) -> None:
    stuck = register(flyte, echo, [refusing("n0", echo), task_node("n1", echo, "n0", "o0")])
    run = flyte.execute(stuck.plan, integers(a=3))
    error = flyte.ended(run)["closure"]["error"]
    assert (error["code"], error["message"], error["kind"]) == (
        "UserProvidedError",
        "[UserProvidedError] no way",
        "USER",
    )
    assert sorted(flyte.nodes(run)) == ["n0", "start-node"]


def test_a_failure_node(flyte: Flyte, echo: dict[str, str]) -> None:
    handled = register(
        flyte,
        echo,
        [refusing("n0", echo), task_node("n1", echo, "n0", "o0")],
        template={"failure_node": task_node("fn", echo)},
    )
    run = flyte.execute(handled.plan, integers(a=3))
    assert flyte.ended(run)["closure"]["phase"] == "FAILED"
    nodes = flyte.nodes(run)
    assert (nodes["n0"]["closure"]["phase"], nodes["fn"]["closure"]["phase"]) == ("FAILED", "SUCCEEDED")


def test_a_gate_that_times_out(flyte: Flyte, echo: dict[str, str]) -> None:
    gate = gate_node("n0", signal={"signal_id": "s", "type": {"simple": "INTEGER"}, "output_variable_name": "o0"})
    gate["metadata"]["timeout"] = "2s"
    late = register(flyte, echo, [gate, task_node("n1", echo, "n0", "o0")])
    run = flyte.execute(late.plan, integers(a=3))
    error = flyte.ended(run)["closure"]["error"]
    node = flyte.nodes(run)["n0"]["closure"]
    if error["code"] == "Timeout":
        # A Flyte that looks again too late finds that all tries together have taken too long.
        assert node["phase"] == "TIMED_OUT"
        return
    assert (error["code"], error["kind"]) == ("RetriesExhausted|TimeoutExpired", "USER")
    assert error["message"] == "[1/1] currentAttempt done. Last Error: USER::task execution timeout [2s] expired"
    assert node["phase"] == "FAILED"
