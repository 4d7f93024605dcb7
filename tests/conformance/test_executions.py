"""Executions that exist: reading, archiving, terminating, relaunching, recovering."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.client import fresh, integers

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.client import Flyte
    from tests.conformance.entities import Registered

ABSENT = 'missing entity of type execution with identifier project:"$project" domain:"$domain" name:"$new"'
TAGGED = 'value with matching already exists (duplicate key value violates unique constraint "execution_tags_pkey")'
TAKEN = 'value with matching already exists (duplicate key value violates unique constraint "executions_pkey")'
CHECKED = ["GetExecution", "GetExecutionMetrics", "UpdateExecution", "TerminateExecution"]


@pytest.mark.parametrize("rpc", [*CHECKED, "GetExecutionData", "RelaunchExecution", "RecoverExecution"])
def test_an_execution_that_there_is_not(refuses: Callable[..., None], flyte: Flyte, rpc: str) -> None:
    refuses(rpc, {"id": flyte.run("$new")}, "NOT_FOUND", ABSENT)


@pytest.mark.parametrize("rpc", CHECKED)
@pytest.mark.parametrize("field", ["project", "domain", "name"])
def test_an_identifier_without_a_part(refuses: Callable[..., None], flyte: Flyte, rpc: str, field: str) -> None:
    refuses(rpc, {"id": flyte.run("x") | {field: ""}}, "INVALID_ARGUMENT", f"missing {field}")


def test_an_execution_that_has_succeeded(flyte: Flyte, finished: str, tree: Registered) -> None:
    found = flyte.execution(finished)
    closure = found["closure"]
    assert closure["phase"] == "SUCCEEDED"
    assert closure["outputs"]["uri"].endswith(
        f"/metadata/propeller/{flyte.project}-{flyte.domain}-{finished}/end-node/data/0/outputs.pb"
    )
    assert closure["created_at"] <= closure["started_at"] <= closure["updated_at"]
    assert closure["duration"].endswith("s")
    assert closure["workflow_id"] == tree.workflow
    assert "error" not in closure


def test_its_data(flyte: Flyte, finished: str) -> None:
    data = flyte("GetExecutionData", id=flyte.run(finished))
    assert data == {
        "inputs": {},
        "outputs": {},
        "full_inputs": {"literals": integers(a=3)},
        "full_outputs": {"literals": integers(o0=3)},
    }


def test_archiving(flyte: Flyte, wide: Registered) -> None:
    name = flyte.execute(wide.plan, integers(a=1))
    before = flyte.ended(name)
    flyte("UpdateExecution", id=flyte.run(name), state="EXECUTION_ARCHIVED")
    found = flyte.execution(name)["closure"]
    assert found["state_change_details"]["state"] == "EXECUTION_ARCHIVED"
    assert found["state_change_details"]["occurred_at"] > before["closure"]["created_at"]
    assert found["phase"] == "SUCCEEDED"
    one = {"id": flyte.place, "limit": 5}
    named = f"eq(execution_name,{name})"
    assert flyte("ListExecutions", **one, filters=named) == {}
    assert len(flyte("ListExecutions", **one, filters=f"{named}+eq(state,1)")["executions"]) == 1
    assert len(flyte("ListExecutions", **one, filters=f"{named}+value_in(state,0;1)")["executions"]) == 1
    flyte("UpdateExecution", id=flyte.run(name), state="EXECUTION_ACTIVE")
    assert len(flyte("ListExecutions", **one, filters=named)["executions"]) == 1
    assert "state" not in flyte.execution(name)["closure"]["state_change_details"]


def test_terminating(flyte: Flyte, gated: Registered) -> None:
    name = flyte.execute(gated.plan, integers(a=1))
    flyte.until(lambda: "n0" in flyte.nodes(name))
    flyte("TerminateExecution", id=flyte.run(name), cause="enough")
    closure = flyte.ended(name)["closure"]
    assert (closure["phase"], closure["abort_metadata"]) == ("ABORTED", {"cause": "enough"})
    flyte.until(lambda: flyte.nodes(name)["n0"]["closure"]["phase"] == "ABORTED")
    assert flyte.nodes(name)["n0"]["closure"]["error"]["message"] == "Workflow aborted."
    data = flyte("GetExecutionData", id=flyte.run(name))
    assert data["full_outputs"] == {}
    assert data["full_inputs"]["literals"] == integers(a=1)
    refusal = flyte.refusal("TerminateExecution", id=flyte.run(name), cause="again")
    assert refusal.code == "FAILED_PRECONDITION"
    assert refusal.details == "Cannot abort an already terminated workflow execution"
    assert b"flyteidl.admin.EventFailureReason" in refusal.status
    assert b"ABORTED" in refusal.status
    assert flyte.execution(name)["closure"]["abort_metadata"] == {"cause": "enough"}


def test_terminating_one_that_has_succeeded(flyte: Flyte, finished: str) -> None:
    refusal = flyte.refusal("TerminateExecution", id=flyte.run(finished), cause="late")
    assert (refusal.code, refusal.details) == (
        "FAILED_PRECONDITION",
        "Cannot abort an already terminated workflow execution",
    )
    assert b"SUCCEEDED" in refusal.status


def test_an_abort_is_found_by_its_phase(flyte: Flyte, gated: Registered) -> None:
    name = flyte.execute(gated.plan, integers(a=1))
    flyte.until(lambda: flyte.phase(name) == "RUNNING")
    flyte("TerminateExecution", id=flyte.run(name), cause="x" * 500)
    assert flyte.ended(name)["closure"]["abort_metadata"]["cause"] == "x" * 500
    filters = f"eq(execution_name,{name})+eq(phase,ABORTED)"
    assert len(flyte("ListExecutions", id=flyte.place, limit=5, filters=filters)["executions"]) == 1


MODES = {"RelaunchExecution": "RELAUNCH", "RecoverExecution": "RECOVERED"}


@pytest.mark.parametrize("rpc", MODES)
def test_once_more(flyte: Flyte, finished: str, rpc: str) -> None:
    name = fresh("c")
    created = flyte(rpc, id=flyte.run(finished), name=name)
    assert created == {"id": flyte.run(name)}
    found = flyte.ended(name)
    before = flyte.execution(finished)
    assert found["closure"]["phase"] == "SUCCEEDED"
    assert found["spec"]["metadata"]["mode"] == MODES[rpc]
    assert found["spec"]["metadata"]["reference_execution"] == flyte.run(finished)
    assert found["spec"]["launch_plan"] == before["spec"]["launch_plan"]
    assert found["spec"]["labels"] == before["spec"]["labels"]
    data = flyte("GetExecutionData", id=flyte.run(name))
    assert data["full_inputs"]["literals"] == integers(a=3)
    # What recovers an end takes it over as it is, and it has no outputs of its own.
    assert data["full_outputs"].get("literals") == (integers(o0=3) if rpc == "RelaunchExecution" else None)
    assert ("outputs" in found["closure"]) == (rpc == "RelaunchExecution")


@pytest.mark.parametrize("rpc", MODES)
def test_once_more_under_a_name_that_is_taken(
    refuses: Callable[..., None], flyte: Flyte, finished: str, rpc: str
) -> None:
    # Its labels come first, and are there already.
    refuses(rpc, {"id": flyte.run(finished), "name": finished}, "ALREADY_EXISTS", TAGGED)


@pytest.mark.parametrize("rpc", MODES)
def test_once_more_under_a_name_that_is_drawn(flyte: Flyte, finished: str, rpc: str) -> None:
    name = flyte(rpc, id=flyte.run(finished))["id"]["name"]
    assert (name[0], len(name)) == ("a", 20)


@pytest.mark.parametrize("rpc", MODES)
def test_once_more_under_a_name_that_is_refused(
    refuses: Callable[..., None], flyte: Flyte, finished: str, rpc: str
) -> None:
    details = r"invalid name format: no_good, does not match regex '^[a-z][a-z\-0-9]*$$'"
    refuses(rpc, {"id": flyte.run(finished), "name": "no_good"}, "INVALID_ARGUMENT", details)


@pytest.mark.parametrize("rpc", MODES)
def test_once_more_while_it_runs(flyte: Flyte, waiting: str, rpc: str) -> None:
    name = fresh("c")
    flyte(rpc, id=flyte.run(waiting), name=name)
    assert flyte.execution(name)["spec"]["metadata"]["mode"] == MODES[rpc]
    flyte("TerminateExecution", id=flyte.run(name), cause="enough")


def test_a_relaunch_may_overwrite_the_cache(flyte: Flyte, finished: str) -> None:
    name = fresh("c")
    flyte("RelaunchExecution", id=flyte.run(finished), name=name, overwrite_cache=True)
    assert flyte.execution(name)["spec"]["overwrite_cache"] is True


def test_a_relaunch_keeps_what_the_caller_gave_and_not_what_is_fixed(flyte: Flyte, wide: Registered) -> None:
    plan = wide.another_plan(fixed_inputs={"literals": integers(a=8)})
    first = flyte.execute(plan, {})
    name = fresh("c")
    flyte("RelaunchExecution", id=flyte.run(first), name=name)
    assert flyte("GetExecutionData", id=flyte.run(name))["full_inputs"]["literals"] == integers(a=8)


def test_recovered_nodes_do_not_run_again(flyte: Flyte, finished: str) -> None:
    name = fresh("c")
    flyte("RecoverExecution", id=flyte.run(finished), name=name)
    flyte.ended(name)
    phases = {node_id: node["closure"]["phase"] for node_id, node in flyte.nodes(name).items()}
    assert phases == {"start-node": "SUCCEEDED", "n0": "RECOVERED", "n1": "RECOVERED", "end-node": "RECOVERED"}


def test_the_phases_of_one_that_runs(flyte: Flyte, waiting: str) -> None:
    closure = flyte.execution(waiting)["closure"]
    assert closure["phase"] == "RUNNING"
    assert {"duration", "outputs", "error", "abort_metadata"}.isdisjoint(closure)
    data = flyte("GetExecutionData", id=flyte.run(waiting))
    assert data == {"inputs": {}, "outputs": {}, "full_inputs": {"literals": integers(a=1)}, "full_outputs": {}}


def test_a_branch_that_was_not_taken(flyte: Flyte, tree: Registered) -> None:
    taken: dict[int, Any] = {}
    for value in (3, 30):
        name = flyte.execute(tree.plan, integers(a=value))
        flyte.ended(name)
        taken[value] = {node["metadata"]["spec_node_id"] for node in flyte.nodes(name, "n1").values()}
    # The id of a branch goes before those of its nodes.
    assert taken == {3: {"n1-n3"}, 30: {"n1-n2"}}
