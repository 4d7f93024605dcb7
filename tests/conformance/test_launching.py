"""CreateExecution: names, inputs, what is launched, and what an execution says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.client import fresh, integers
from tests.conformance.entities import echo_template, register, task_node

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.client import Flyte
    from tests.conformance.entities import Registered

TAGGED = 'value with matching already exists (duplicate key value violates unique constraint "execution_tags_pkey")'
TAKEN = 'value with matching already exists (duplicate key value violates unique constraint "executions_pkey")'
FORMAT = r"invalid name format: %s, does not match regex '^[a-z][a-z\-0-9]*$$'"
ONE = integers(a=1)
INVALID = "INVALID_ARGUMENT"


def literal(**primitive: Any) -> dict[str, Any]:
    return {"scalar": {"primitive": primitive}}


@pytest.mark.parametrize("name", ["a", "a-b", "a1", "a--1", "a-", "Upper", "MIXED1"])
def test_names_that_are_fine(flyte: Flyte, wide: Registered, name: str) -> None:
    named = name + fresh() if name[-1] != "-" else fresh("a") + name
    spec = {"launch_plan": wide.plan}
    created = flyte("CreateExecution", **flyte.place, name=named, spec=spec, inputs={"literals": ONE})
    assert created["id"] == flyte.run(named)
    assert flyte.execution(named)["id"] == flyte.run(named)


def test_the_longest_name(flyte: Flyte, wide: Registered, refuses: Callable[..., None]) -> None:
    name = fresh("a").ljust(63, "b")
    request = {**flyte.place, "spec": {"launch_plan": wide.plan}, "inputs": {"literals": ONE}}
    assert flyte("CreateExecution", **request, name=name)["id"]["name"] == name
    refuses("CreateExecution", {**request, "name": name + "b"}, INVALID, f"size of name exceeded length 63 : {name}b")


@pytest.mark.parametrize("name", ["1a", "-a", "a_b", "a.b", "a b", "ä", "a/b", "a\n"])
def test_names_that_are_refused(refuses: Callable[..., None], wide: Registered, name: str) -> None:
    request = {**wide.flyte.place, "name": name, "spec": {"launch_plan": wide.plan}, "inputs": {"literals": ONE}}
    refuses("CreateExecution", request, INVALID, FORMAT % name)


def test_a_name_is_drawn(flyte: Flyte, wide: Registered) -> None:
    names = {
        flyte("CreateExecution", **flyte.place, spec={"launch_plan": wide.plan}, inputs={"literals": ONE})["id"]["name"]
        for _ in range(2)
    }
    assert len(names) == 2
    assert {(name[0], len(name)) for name in names} == {("a", 20)}


def test_a_name_that_is_taken_adds_its_labels(flyte: Flyte, wide: Registered, refuses: Callable[..., None]) -> None:
    key = fresh()
    name = flyte.execute(wide.plan, ONE, labels={"values": {key: "one"}})
    request = {**flyte.place, "name": name, "inputs": {"literals": ONE}}
    again = {**request, "spec": {"launch_plan": wide.plan, "labels": {"values": {key: "two"}}}}
    refuses("CreateExecution", again, "ALREADY_EXISTS", TAKEN)
    filters = f"eq(execution_tag.key,{key})+eq(execution_tag.value,two)"
    found = flyte("ListExecutions", id=flyte.place, limit=5, filters=filters)["executions"]
    assert [each["id"]["name"] for each in found] == [name]
    assert found[0]["spec"]["labels"] == {"values": {key: "one"}}
    refuses("CreateExecution", again, "ALREADY_EXISTS", TAGGED)


@pytest.mark.parametrize("labels", [{}, {"values": {"twice": ""}}])
def test_a_tag_that_is_given_twice(
    flyte: Flyte, wide: Registered, refuses: Callable[..., None], labels: dict[str, Any]
) -> None:
    name = fresh("c")
    spec = {"launch_plan": wide.plan, "labels": labels, "tags": ["twice"] * (1 if labels else 2)}
    request = {**flyte.place, "name": name, "spec": spec, "inputs": {"literals": ONE}}
    refuses("CreateExecution", request, "ALREADY_EXISTS", TAGGED)
    # The name is free all the same.
    assert flyte.refusal("GetExecution", id=flyte.run(name)).code == "NOT_FOUND"


def test_a_long_tag(wide: Registered, refuses: Callable[..., None]) -> None:
    request = {**wide.flyte.place, "name": fresh("c"), "inputs": {"literals": ONE}}
    details = "failed database operation with value too long for type character varying(255)"
    refuses("CreateExecution", {**request, "spec": {"launch_plan": wide.plan, "tags": ["x" * 256]}}, "UNKNOWN", details)
    wide.flyte.execute(wide.plan, ONE, tags=["x" * 255])


def test_a_name_that_is_taken_overwrites_the_inputs(
    flyte: Flyte, wide: Registered, refuses: Callable[..., None]
) -> None:
    name = flyte.execute(wide.plan, integers(a=1))
    flyte.ended(name)
    request = {**flyte.place, "name": name, "spec": {"launch_plan": wide.plan}, "inputs": {"literals": integers(a=9)}}
    refuses("CreateExecution", request, "ALREADY_EXISTS", TAKEN)
    assert flyte("GetExecutionData", id=flyte.run(name))["full_inputs"]["literals"] == integers(a=9)


@pytest.mark.parametrize(
    ("change", "details"),
    [
        ({"project": ""}, "missing project"),
        ({"domain": ""}, "missing domain"),
        ({"domain": "nope"}, "domain [nope] is unrecognized by system"),
        (
            {"project": "nope-nope"},
            (
                "failed to validate that project [nope-nope] and domain [$domain] are registered, "
                "err: [project [nope-nope] not found]"
            ),
        ),
        ({"spec": None}, "missing spec"),
        ({"spec": {}}, "missing id"),
    ],
)
def test_a_request_that_is_not_complete(
    refuses: Callable[..., None], wide: Registered, change: dict[str, Any], details: str
) -> None:
    request = {**wide.flyte.place, "name": "$new", "spec": {"launch_plan": wide.plan}, "inputs": {"literals": ONE}}
    request |= change
    if change.get("spec", ...) is None:
        del request["spec"]
    refuses("CreateExecution", request, INVALID, details)


@pytest.mark.parametrize("field", ["project", "domain", "name", "version"])
def test_a_launch_plan_without_a_part_of_its_identifier(
    refuses: Callable[..., None], wide: Registered, field: str
) -> None:
    spec = {"launch_plan": wide.plan | {field: ""}}
    refuses("CreateExecution", {**wide.flyte.place, "name": "$new", "spec": spec}, INVALID, f"missing {field}")


@pytest.mark.parametrize("kind", ["WORKFLOW", "DATASET", "UNSPECIFIED"])
def test_what_cannot_be_launched(refuses: Callable[..., None], wide: Registered, kind: str) -> None:
    spec = {"launch_plan": wide.plan | {"resource_type": kind}}
    details = f"Invalid reference entity resource type [{kind}], only [map[TASK:<nil> LAUNCH_PLAN:<nil>]] allowed"
    refuses("CreateExecution", {**wide.flyte.place, "name": "$new", "spec": spec}, INVALID, details)


@pytest.mark.parametrize("kind", ["LAUNCH_PLAN", "TASK"])
def test_what_there_is_not(refuses: Callable[..., None], wide: Registered, kind: str) -> None:
    spec = {"launch_plan": wide.plan | {"resource_type": kind, "name": "$new"}}
    details = (
        f'missing entity of type {kind} with identifier project:"$project" domain:"$domain" name:"$new" '
        f'version:"{wide.version}"'
    )
    refuses("CreateExecution", {**wide.flyte.place, "name": "$new", "spec": spec}, "NOT_FOUND", details)


WRONG = "invalid a input wrong type. Expected simple:INTEGER, but got "


@pytest.mark.parametrize(
    ("inputs", "details"),
    [
        ({}, "expected_inputs a missing"),
        (integers(a=1, zz=1), "invalid input zz"),
        ({"a": {}}, "missing valid literal in inputs a"),
        ({"a": literal(string_value="x")}, f"{WRONG}simple:STRING"),
        ({"a": literal(float_value=1.0)}, f"{WRONG}simple:FLOAT"),
        ({"a": literal(boolean=True)}, f"{WRONG}simple:BOOLEAN"),
        ({"a": literal(datetime="2026-01-01T00:00:00Z")}, f"{WRONG}simple:DATETIME"),
        ({"a": literal(duration="1s")}, f"{WRONG}simple:DURATION"),
        ({"a": {"scalar": {"none_type": {}}}}, f"{WRONG}simple:NONE"),
        ({"a": {"scalar": {"generic": {}}}}, f"{WRONG}simple:STRUCT"),
        ({"a": {"collection": {"literals": [literal(integer="1")]}}}, f"{WRONG}collection_type:{{simple:INTEGER}}"),
        ({"a": {"map": {"literals": {"k": literal(integer="1")}}}}, f"{WRONG}map_value_type:{{simple:INTEGER}}"),
        ({"a": {"scalar": {"binary": {"tag": "msgpack"}}}}, f"{WRONG}simple:STRUCT"),
    ],
)
def test_inputs_that_are_refused(
    refuses: Callable[..., None], wide: Registered, inputs: dict[str, Any], details: str
) -> None:
    request = {**wide.flyte.place, "name": "$new", "spec": {"launch_plan": wide.plan}, "inputs": {"literals": inputs}}
    refuses("CreateExecution", request, INVALID, details)


def test_a_default_that_is_left_out(flyte: Flyte, wide: Registered) -> None:
    default = {"var": {"type": {"simple": "INTEGER"}}, "default": integers(a=7)["a"]}
    plan = wide.another_plan(default_inputs={"parameters": {"a": default}})
    name = flyte.execute(plan, {})
    assert flyte("GetExecutionData", id=flyte.run(name))["full_inputs"]["literals"] == integers(a=7)


def test_an_input_that_is_fixed(flyte: Flyte, wide: Registered, refuses: Callable[..., None]) -> None:
    plan = wide.another_plan(fixed_inputs={"literals": integers(a=8)})
    name = flyte.execute(plan, {})
    assert flyte("GetExecutionData", id=flyte.run(name))["full_inputs"]["literals"] == integers(a=8)
    request = {**flyte.place, "name": "$new", "spec": {"launch_plan": plan}, "inputs": {"literals": ONE}}
    refuses("CreateExecution", request, INVALID, "invalid input a")


def test_inputs_in_the_spec(flyte: Flyte, wide: Registered) -> None:
    name = fresh("c")
    spec = {"launch_plan": wide.plan, "inputs": {"literals": integers(a=6)}}
    flyte("CreateExecution", **flyte.place, name=name, spec=spec)
    assert flyte("GetExecutionData", id=flyte.run(name))["full_inputs"]["literals"] == integers(a=6)


@pytest.mark.parametrize(
    ("spec", "details"),
    [
        ({"labels": {"values": {"bad key!": "v"}}}, "invalid label key [bad key!]: "),
        ({"labels": {"values": {"k": "bad value!"}}}, "invalid label value [bad value!]: "),
        ({"labels": {"values": {"k": "v" * 64}}}, "invalid label value"),
        ({"labels": {"values": {"/k": "v"}}}, "invalid label key [/k]: [prefix part must be non-empty]"),
        ({"labels": {"values": {"a/b/c": "v"}}}, "invalid label key [a/b/c]: [a qualified name must consist of"),
        ({"labels": {"values": {f"k{n}": "v" for n in range(17)}}}, "labels map cannot exceed 16 entries"),
        ({"notifications": {"notifications": [{"phases": ["FAILED"]}]}}, "invalid value for notification type"),
        ({"notifications": {"notifications": [{"phases": ["FAILED"], "email": {}}]}}, "missing recipients"),
        (
            {"notifications": {"notifications": [{"phases": ["QUEUED"], "email": {"recipients_email": ["a@b.c"]}}]}},
            "invalid value for phase",
        ),
    ],
)
def test_options_that_are_refused(flyte: Flyte, wide: Registered, spec: dict[str, Any], details: str) -> None:
    request = {**flyte.place, "spec": {"launch_plan": wide.plan, **spec}, "inputs": {"literals": ONE}}
    refusal = flyte.refusal("CreateExecution", **request)
    assert refusal.code == INVALID
    assert refusal.details.startswith(details)


def test_what_an_execution_says_of_itself(flyte: Flyte, wide: Registered) -> None:
    options = {
        "labels": {"values": {"team": "blue", "empty": ""}},
        "annotations": {"values": {"why": "because of this"}},
        "tags": ["one", "two"],
        "envs": {"values": [{"key": "K", "value": "v"}]},
        "interruptible": True,
        "overwrite_cache": True,
        "raw_output_data_config": {"output_location_prefix": "s3://my-s3-bucket/raw"},
        "max_parallelism": 3,
        "notifications": {"notifications": [{"phases": ["FAILED"], "email": {"recipients_email": ["a@b.c"]}}]},
    }
    found = flyte.execution(flyte.execute(wide.plan, ONE, **options))
    spec, closure = found["spec"], found["closure"]
    assert {key: spec[key] for key in options} == options
    assert spec["launch_plan"] == wide.plan
    assert spec["security_context"] == {"run_as": {}}
    assert spec["metadata"]["system_metadata"] == {"namespace": f"{flyte.project}-{flyte.domain}"}
    assert closure["workflow_id"] == wide.workflow
    assert closure["notifications"] == options["notifications"]["notifications"]  # type: ignore[index]
    assert closure["state_change_details"] == {"occurred_at": closure["created_at"]}


@pytest.mark.parametrize(("given", "kept"), [(0, 25), (-1, 25), (1, 1), (1000, 1000)])
def test_max_parallelism(flyte: Flyte, wide: Registered, given: int, kept: int) -> None:
    name = flyte.execute(wide.plan, ONE, max_parallelism=given)
    assert flyte.execution(name)["spec"]["max_parallelism"] == kept


def test_what_a_launch_plan_lends(flyte: Flyte, wide: Registered) -> None:
    notification = {"phases": ["SUCCEEDED"], "slack": {"recipients_email": ["a@b.c"]}}
    plan = wide.another_plan(
        max_parallelism=4,
        security_context={"run_as": {"k8s_service_account": "robot"}},
        entity_metadata={"notifications": [notification]},
        labels={"values": {"of": "plan"}},
    )
    found = flyte.execution(flyte.execute(plan, ONE))
    assert found["spec"]["max_parallelism"] == 4
    assert found["spec"]["security_context"] == {"run_as": {"k8s_service_account": "robot"}}
    assert found["closure"]["notifications"] == [notification]
    # Labels of the launch plan are the pods', and not the execution's.
    assert "values" not in found["spec"].get("labels", {})
    quiet = flyte.execution(flyte.execute(plan, ONE, disable_all=True))
    assert "notifications" not in quiet["closure"]


def test_an_old_role_becomes_a_security_context(flyte: Flyte, wide: Registered) -> None:
    role = {"kubernetes_service_account": "old"}
    found = flyte.execution(flyte.execute(wide.plan, ONE, auth_role=role))
    assert found["spec"]["security_context"] == {"run_as": {"k8s_service_account": "old"}}
    plan = wide.another_plan(role="arn:old")
    found = flyte.execution(flyte.execute(plan, ONE))
    assert found["spec"]["security_context"] == {"run_as": {"iam_role": "arn:old"}}


def test_an_inactive_launch_plan_is_launched(flyte: Flyte, wide: Registered) -> None:
    assert "state" not in flyte("GetLaunchPlan", id=wide.plan)["closure"]
    assert flyte.ended(flyte.execute(wide.plan, ONE))["closure"]["phase"] == "SUCCEEDED"


def test_a_task_is_executed(flyte: Flyte, echo: dict[str, str], refuses: Callable[..., None]) -> None:
    name = flyte.execute(echo, integers(a=4))
    found = flyte.ended(name)
    generated = f".flytegen.{echo['name']}"
    assert found["closure"]["phase"] == "SUCCEEDED"
    assert found["closure"]["workflow_id"] == echo | {"resource_type": "WORKFLOW", "name": generated}
    assert flyte("GetExecutionData", id=flyte.run(name))["full_outputs"]["literals"] == integers(o0=4)
    # Nothing is lent to it: not even how many nodes may run at a time.
    assert "max_parallelism" not in found["spec"]
    for kind, rpc in (("WORKFLOW", "GetWorkflow"), ("LAUNCH_PLAN", "GetLaunchPlan")):
        entity = echo | {"resource_type": kind, "name": generated}
        assert flyte(rpc, id=entity)["id"] == entity
        named = flyte("GetNamedEntity", resource_type=kind, id={**flyte.place, "name": generated})
        assert named["metadata"] == {"state": "SYSTEM_GENERATED"}
    request = {**flyte.place, "name": "$new", "spec": {"launch_plan": echo}}
    refuses("CreateExecution", request, INVALID, "expected_inputs a missing")


def test_the_labels_of_a_task_are_not_to_be_found(flyte: Flyte, echo: dict[str, str], words: dict[str, str]) -> None:
    name = flyte.execute(echo, ONE, labels={"values": {"mark": words["new"]}})
    assert flyte.execution(name)["spec"]["labels"] == {"values": {"mark": words["new"]}}
    filters = f"eq(execution_tag.value,{words['new']})"
    assert flyte("ListExecutions", id=flyte.place, limit=5, filters=filters) == {}


def test_a_concurrency_policy_skips(flyte: Flyte, gated: Registered, refuses: Callable[..., None]) -> None:
    policy = {"max": 1, "behavior": "CONCURRENCY_LIMIT_BEHAVIOR_SKIP"}
    plan = gated.another_plan(concurrency_policy=policy)
    name = flyte.execute(plan, ONE)
    flyte.until(lambda: flyte.phase(name) == "RUNNING")
    request = {**flyte.place, "name": "$new", "spec": {"launch_plan": plan}, "inputs": {"literals": ONE}}
    details = f"concurrency limit (1) reached for launch plan {plan['name']}; skipping execution"
    refuses("CreateExecution", request, "ALREADY_EXISTS", details)
    flyte("TerminateExecution", id=flyte.run(name), cause="enough")
    flyte.ended(name)
    again = flyte.execute(plan, ONE)
    flyte("TerminateExecution", id=flyte.run(again), cause="enough")


def test_a_task_of_another_type_is_taken(flyte: Flyte, words: dict[str, str]) -> None:
    task = flyte.entity("TASK", f"conformance.{words['new']}", "1")
    flyte("CreateTask", id=task, spec={"template": echo_template(task, type="nobody-knows-it")})
    unknown = register(flyte, task, [task_node("n0", task)])
    assert flyte.execution(flyte.execute(unknown.plan, ONE))["spec"]["launch_plan"] == unknown.plan
