"""Registering tasks, workflows and launch plans: what the recorded behaviours leave open."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.admin import launch_plan_pb2, project_pb2, task_pb2, workflow_pb2
from flyteidl.core import types_pb2
from google.protobuf import json_format
from google.rpc import status_pb2
from hypothesis import HealthCheck, given, settings

from flyte_remote_async.devserver import DevServer
from flyte_remote_async.errors import RPCError
from tests.support import recordings as recorded
from tests.support.made_registrations import registrations
from tests.support.raw import METHOD

if TYPE_CHECKING:
    from tests.support.made_registrations import Registration
    from tests.support.raw import Asking
    from tests.support.recordings import Recordings

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

PLACE: Json = {"project": "flytesnacks", "domain": "development", "version": "1"}
INT: Json = {"simple": "INTEGER"}
INTERFACE: Json = {
    "inputs": {"variables": {"a": {"type": INT}}},
    "outputs": {"variables": {"o0": {"type": INT}}},
}
TASK: Json = {"type": "echo", "metadata": {}, "interface": INTERFACE}


def identifier(kind: str, name: str = "mine", **more: Any) -> Json:
    return {"resource_type": kind, "name": name, **PLACE, **more}


async def send(ask: Asking, rpc: str, **request: Any) -> Any:
    """Make a call whose request is JSON."""
    message = json_format.ParseDict(request, METHOD[rpc].request_type())
    return await ask(rpc, **{field.name: value for field, value in message.ListFields()})


async def refused(ask: Asking, rpc: str, **request: Any) -> RPCError:
    with pytest.raises(RPCError) as caught:
        await send(ask, rpc, **request)
    return caught.value


async def words(ask: Asking, rpc: str, **request: Any) -> str:
    error = await refused(ask, rpc, **request)
    assert error.code == "INVALID_ARGUMENT"
    return error.details


async def create_task(ask: Asking, name: str = "mine", **fields: Any) -> None:
    await send(ask, "CreateTask", id=identifier("TASK", name), spec={"template": TASK | fields})


def workflow(*nodes: Json, **more: Any) -> Json:
    listed = nodes or (node("n0"),)
    outputs = [{"var": "o0", "binding": {"promise": {"node_id": "n0", "var": "o0"}}}]
    return {"interface": INTERFACE, "nodes": list(listed), "outputs": outputs, **more}


def node(node_id: str, **target: Any) -> Json:
    run = target or {"task_node": {"reference_id": identifier("TASK")}}
    return {"id": node_id, "inputs": [{"var": "a", "binding": {"promise": {"var": "a"}}}], **run}


async def create_workflow(ask: Asking, template: Json | None = None, **more: Any) -> None:
    spec = {"template": template or workflow(), **more}
    await send(ask, "CreateWorkflow", id=identifier("WORKFLOW"), spec=spec)


# --- workflows ---


async def test_a_workflow_is_registered_compiled_and_listed_without_nodes(ask: Asking) -> None:
    await create_task(ask)
    description = {"short_description": "short", "long_description": {"value": "long"}}
    await create_workflow(ask, description=description)
    made = await send(ask, "GetWorkflow", id=identifier("WORKFLOW"))
    closure = made.closure.compiled_workflow
    assert [each.id for each in closure.primary.template.nodes] == ["start-node", "end-node", "n0"]
    assert closure.primary.template.id == made.id
    assert [task.template.id.name for task in closure.tasks] == ["mine"]
    assert made.short_description == "short"
    assert made.closure.HasField("created_at")
    listed = await send(ask, "ListWorkflows", id={**PLACE_OF_LIST, "name": "mine"}, limit=5)
    (seen,) = listed.workflows
    shown = seen.closure.compiled_workflow.primary.template
    assert not shown.nodes
    assert list(shown.interface.inputs.variables) == ["a"]
    described = await send(ask, "GetDescriptionEntity", id=identifier("WORKFLOW"))
    assert (described.short_description, described.long_description.value) == ("short", "long")


PLACE_OF_LIST: Json = {"project": "flytesnacks", "domain": "development"}


async def test_the_recorded_registrations_give_the_recorded_entities(recordings: Recordings) -> None:
    async with DevServer() as dev:
        transport = dev.transport()
        for call in recorded.rpcs():
            name = call.method.rpartition("/")[2]
            if name in ("CreateTask", "CreateWorkflow", "CreateLaunchPlan"):
                await transport.unary(METHOD[name], call.request)
        compared = 0
        readers: list[tuple[Any, Any]] = [
            (task_pb2.Task, dev.store.get_task),
            (workflow_pb2.Workflow, dev.store.get_workflow),
            (launch_plan_pb2.LaunchPlan, dev.store.get_launch_plan),
        ]
        for cls, get in readers:
            for wanted in recordings.messages(cls):
                found = await get(wanted.id)
                if not wanted.id.name.startswith(".flytegen"):
                    assert timeless(found) == timeless(wanted), wanted.id
                    compared += 1
    assert compared == 28 + 29 + 30


def timeless(message: Any) -> Any:
    copy = type(message)()
    copy.CopyFrom(message)
    for field in ("created_at", "updated_at"):
        if field in copy.closure.DESCRIPTOR.fields_by_name:
            copy.closure.ClearField(field)
    # Whether somebody activated it is no part of its registration.
    if isinstance(copy, launch_plan_pb2.LaunchPlan):
        copy.closure.ClearField("state")
    return copy


async def test_a_version_that_is_taken_says_so_to_programs_too(ask: Asking) -> None:
    await create_task(ask)
    await create_workflow(ask)
    spec = {"template": workflow()}
    same = await refused(ask, "CreateWorkflow", id=identifier("WORKFLOW"), spec=spec)
    assert (same.code, reason(same).WhichOneof("reason")) == ("ALREADY_EXISTS", "exists_identical_structure")
    spec = {"template": workflow(metadata={"on_failure": 1})}
    other = await refused(ask, "CreateWorkflow", id=identifier("WORKFLOW"), spec=spec)
    assert (other.code, reason(other).WhichOneof("reason")) == ("INVALID_ARGUMENT", "exists_different_structure")
    assert reason(other).exists_different_structure.id.name == "mine"
    assert other.details.startswith("mine workflow with different structure already exists. (Please register a new")
    assert "\n/primary/template/metadata:\n\t- <nil> \n\t+ map[on_failure:1]\n" in other.details
    assert "/primary/template/interface" not in other.details


def reason(error: RPCError) -> workflow_pb2.CreateWorkflowFailureReason:
    packed = dict(error.trailing_metadata)["grpc-status-details-bin"]
    assert isinstance(packed, bytes)
    status = status_pb2.Status.FromString(packed)
    assert status.message == error.details
    found = workflow_pb2.CreateWorkflowFailureReason()
    assert status.details[0].Unpack(found)
    return found


async def test_two_registrations_of_one_version_at_a_time(ask: Asking) -> None:
    await create_task(ask)
    ended = await asyncio.gather(*(create_workflow(ask) for _ in range(5)), return_exceptions=True)
    codes = sorted("OK" if error is None else getattr(error, "code", repr(error)) for error in ended)
    assert codes == ["ALREADY_EXISTS"] * 4 + ["OK"]


WORKFLOW_TEXT = 'resource_type:WORKFLOW project:"flytesnacks" domain:"development" name:"mine" version:"1"'


async def test_what_does_not_compile(ask: Asking) -> None:
    about = f"failed to compile workflow for [{WORKFLOW_TEXT}] with err: "
    spec: Json = {"template": workflow()}
    unknown = about + "missing entity of type TASK with identifier " + WORKFLOW_TEXT.partition(" ")[2]
    assert await words(ask, "CreateWorkflow", id=identifier("WORKFLOW"), spec=spec) == unknown
    lp = {"workflow_node": {"launchplan_ref": identifier("LAUNCH_PLAN")}}
    spec = {"template": workflow(node("n0", **lp))}
    assert await words(ask, "CreateWorkflow", id=identifier("WORKFLOW"), spec=spec) == unknown.replace(
        "type TASK", "type LAUNCH_PLAN"
    )
    await create_task(ask)
    sub = {**workflow(), "id": identifier("WORKFLOW", "sub")}
    spec = {"template": workflow(), "sub_workflows": [sub, sub]}
    assert await words(ask, "CreateWorkflow", id=identifier("WORKFLOW"), spec=spec) == (
        about + "failed to get workflow requirements with err Collected Errors: 1\n\tError 0: Code: DuplicateId, Node "
        f"Id: {WORKFLOW_TEXT.replace('mine', 'sub')}, Description: Trying to insert two nodes with the same id.\n"
    )
    spec = {"template": workflow(node("n0", gate_node={}))}
    assert "Code: NoConditionFound, Node Id: n0" in await words(
        ask, "CreateWorkflow", id=identifier("WORKFLOW"), spec=spec
    )
    assert await words(ask, "CreateWorkflow", id=identifier("WORKFLOW")) == "missing spec"
    assert await words(ask, "CreateWorkflow", id=identifier("WORKFLOW"), spec={}) == "missing spec"


async def test_a_workflow_has_a_hundred_nodes_at_most(ask: Asking) -> None:
    await create_task(ask)
    spec = {"template": workflow(*(node(f"n{number}") for number in range(101)))}
    assert await words(ask, "CreateWorkflow", id=identifier("WORKFLOW"), spec=spec) == (
        f"number of nodes in workflow [{WORKFLOW_TEXT}] exceeds limit (101 > 100)"
    )
    await create_workflow(ask, workflow(*(node(f"n{number}") for number in range(100))))


async def test_a_launch_plan_is_a_node_of_another_workflow(ask: Asking) -> None:
    await create_task(ask)
    await create_workflow(ask)
    spec = {"workflow_id": identifier("WORKFLOW")}
    await send(ask, "CreateLaunchPlan", id=identifier("LAUNCH_PLAN"), spec=spec)
    lp = {"workflow_node": {"launchplan_ref": identifier("LAUNCH_PLAN")}}
    template = workflow(node("n0", **lp))
    await send(ask, "CreateWorkflow", id=identifier("WORKFLOW", "outer"), spec={"template": template})
    made = await send(ask, "GetWorkflow", id=identifier("WORKFLOW", "outer"))
    assert list(made.closure.compiled_workflow.primary.connections.upstream["n0"].ids) == ["start-node"]


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(registration=registrations(max_nodes=4))
async def test_made_registrations_are_taken(registration: Registration) -> None:
    async with DevServer() as dev:
        transport = dev.transport()
        for method, request in registration.requests():
            await transport.unary(method, request.SerializeToString())


async def test_an_inactive_project_takes_nothing(ask: Asking) -> None:
    await ask("RegisterProject", project=project_pb2.Project(id="old", name="old"))
    await ask("UpdateProject", id="old", state=project_pb2.Project.ARCHIVED)
    for rpc, kind in (("CreateTask", "TASK"), ("CreateWorkflow", "WORKFLOW")):
        error = await refused(ask, rpc, id=identifier(kind, project="old"))
        assert error.details == "project [old] is not active"
        assert "grpc-status-details-bin" in dict(error.trailing_metadata)


# --- tasks ---

TASK_TEXT = WORKFLOW_TEXT.replace("WORKFLOW", "TASK")
CONVENTIONS = (
    "Please follow K8s conventions for resources "
    "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/"
)
FORM = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


def container(requests: Json | None = None, limits: Json | None = None) -> Json:
    sides = {
        side: [{"name": name, "value": value} for name, value in (given or {}).items()]
        for side, given in (("requests", requests), ("limits", limits))
    }
    return {"container": {"image": "i", "args": ["x"], "resources": sides}}


def pod(requests: Any, limits: Any = None) -> Json:
    resources = {"requests": requests, **({"limits": limits} if limits else {})}
    return {"k8s_pod": {"pod_spec": {"containers": [{"name": "main", "resources": resources}]}}}


@pytest.mark.parametrize(
    ("fields", "details"),
    [
        (container({"CPU": "2"}, {"CPU": "1"}), "Requested CPU default [2] is greater than the limit [1]. "),
        (pod({"memory": "2Gi"}, {"memory": "1Gi"}), "Requested MEMORY default [2Gi] is greater than the limit [1Gi]. "),
        (pod({"cpu": 2}, {"cpu": 1.0}), "Requested CPU default [2] is greater than the limit [1]. "),
        (
            pod({"ephemeral-storage": "2"}, {"ephemeral-storage": "1"}),
            "Requested EPHEMERAL_STORAGE default [2] is greater than the limit [1]. ",
        ),
        (container({"CPU": "x"}), f"Parsing of CPU request failed for value x - reason  {FORM}. {CONVENTIONS}"),
        (container(limits={"MEMORY": "x"}), f"Parsing of MEMORY request failed for value x - reason  {FORM}."),
        (pod({"cpu": "x"}), FORM),
        (container({"GPU": "0.5"}), f"gpu for [{TASK_TEXT}] must be a whole number, got: 0.5 instead"),
        (
            container({"GPU": "1"}, {"GPU": "2"}),
            f"For extended resource 'gpu' the default value must equal the limit value for task [{TASK_TEXT}]",
        ),
        (
            {
                "container": {
                    "image": "i",
                    "resources": {"requests": [{"name": "CPU", "value": "1"}, {"name": "CPU", "value": "2"}]},
                }
            },
            f"can't specify CPU limit for task [{TASK_TEXT}] multiple times",
        ),
        (
            {"k8s_pod": {}},
            "invalid TaskSpecification, pod tasks should specify their target as a K8sPod with a defined pod spec",
        ),
        (
            {"container": {"image": "i"}},
            "task failed compilation with Collected Errors: 1\n\tError 0: Code: ValueRequired, Node Id: container, ",
        ),
        (
            container({"STORAGE": "x"}),
            "task failed compilation with Collected Errors: 1\n\tError 0: Code: Unrecognized",
        ),
    ],
)
async def test_tasks_that_are_refused(ask: Asking, fields: Json, details: str) -> None:
    spec = {"template": TASK | fields}
    assert (await words(ask, "CreateTask", id=identifier("TASK"), spec=spec)).startswith(details)


@pytest.mark.parametrize(
    "fields",
    [
        container({"CPU": "500m", "MEMORY": "1Gi", "GPU": "1"}, {"CPU": "600m", "GPU": "1"}),
        # Whole units are compared: half a CPU is one, and so is a tenth.
        container({"CPU": "500m"}, {"CPU": "100m"}),
        container({"CPU": "64", "MEMORY": "4Ti"}),
        pod({"cpu": "1", "example.com/thing": "x"}),
        pod("nothing"),
        {"k8s_pod": {"pod_spec": {}}},
    ],
)
async def test_tasks_that_are_taken(ask: Asking, fields: Json) -> None:
    await create_task(ask, **fields)


# --- launch plans ---

CRON: Json = {"cron_schedule": {"schedule": "0 8 * * *"}}


@pytest.mark.parametrize(
    ("metadata", "details"),
    [
        ({"schedule": {"cron_expression": "* * *"}}, "Invalid cron expression: expected exactly 5 fields, found 3"),
        ({"schedule": {"cron_schedule": {"schedule": "@sometimes"}}}, "Invalid cron expression: unrecognized desc"),
        (
            {"schedule": {**CRON, "kickoff_time_input_arg": "z"}},
            "Cannot create a schedule with a KickoffTimeInputArg that does not point to a free input. [z] is not",
        ),
        (
            {"schedule": {**CRON, "kickoff_time_input_arg": "a"}},
            "KickoffTimeInputArg must reference a datetime input. [a] is a [simple:INTEGER]",
        ),
        ({"notifications": [{}]}, "invalid value for notification type"),
        ({"notifications": [{"email": {}}]}, "missing recipients"),
        (
            {"launch_conditions": {"@type": "type.googleapis.com/flyteidl.core.Identifier", "name": "x"}},
            "Launch condition must be empty, found ",
        ),
    ],
)
async def test_schedules_notifications_and_conditions(ask: Asking, metadata: Json, details: str) -> None:
    await create_task(ask)
    await create_workflow(ask)
    default = {"a": {"var": {"type": INT}, "default": {"scalar": {"primitive": {"integer": 1}}}}}
    spec: Json = {
        "workflow_id": identifier("WORKFLOW"),
        "entity_metadata": metadata,
        "default_inputs": {"parameters": default},
    }
    assert (await words(ask, "CreateLaunchPlan", id=identifier("LAUNCH_PLAN"), spec=spec)).startswith(details)


@pytest.mark.parametrize(
    "schedule",
    [CRON, {"rate": {"value": 5, "unit": "HOUR"}}, {"cron_expression": "@daily"}, {"cron_expression": ""}, {}],
)
async def test_schedules_that_are_taken(ask: Asking, schedule: Json) -> None:
    await create_task(ask)
    await create_workflow(ask)
    spec: Json = {"workflow_id": identifier("WORKFLOW"), "entity_metadata": {"schedule": schedule}}
    spec["fixed_inputs"] = {"literals": {"a": {"scalar": {"primitive": {"integer": 1}}}}}
    await send(ask, "CreateLaunchPlan", id=identifier("LAUNCH_PLAN"), spec=spec)


@pytest.mark.parametrize(
    ("seconds", "nanos", "details"),
    [
        (-62135596801, 0, "proto: timestamp (seconds:-62135596801) before 0001-01-01"),
        (253402300800, 0, "proto: timestamp (seconds:253402300800) after 9999-12-31"),
        (1, -1, "proto: timestamp (seconds:1 nanos:-1) has out-of-range nanos"),
    ],
)
async def test_instants_that_there_are_not(ask: Asking, seconds: int, nanos: int, details: str) -> None:
    interface = {"inputs": {"variables": {"a": {"type": {"simple": "DATETIME"}}}}}
    await create_task(ask, interface=interface)
    await create_workflow(ask, workflow(interface=interface, outputs=[]))
    for side in ("fixed_inputs", "default_inputs"):
        spec = launch_plan_pb2.LaunchPlanSpec()
        json_format.ParseDict({"workflow_id": identifier("WORKFLOW")}, spec)
        if side == "fixed_inputs":
            literal = spec.fixed_inputs.literals["a"]
        else:
            parameter = spec.default_inputs.parameters["a"]
            parameter.var.type.simple = types_pb2.DATETIME
            literal = parameter.default
        literal.scalar.primitive.datetime.seconds = seconds
        literal.scalar.primitive.datetime.nanos = nanos
        plan = launch_plan_pb2.LaunchPlanCreateRequest(spec=spec)
        json_format.ParseDict({"id": identifier("LAUNCH_PLAN")}, plan)
        with pytest.raises(RPCError) as caught:
            await ask("CreateLaunchPlan", id=plan.id, spec=plan.spec)
        assert caught.value.details == details


@pytest.mark.parametrize(
    ("parameters", "details"),
    [
        ({"": {"var": {"type": INT}, "required": True}}, "missing key in default_inputs"),
        (
            {"a": {"var": {"type": INT}, "artifact_query": {}}},
            "artifact mode not enabled but query found default_inputs a",
        ),
    ],
)
async def test_default_inputs_that_are_refused(ask: Asking, parameters: Json, details: str) -> None:
    await create_task(ask)
    await create_workflow(ask)
    spec: Json = {"workflow_id": identifier("WORKFLOW"), "default_inputs": {"parameters": parameters}}
    assert await words(ask, "CreateLaunchPlan", id=identifier("LAUNCH_PLAN"), spec=spec) == details


async def test_states_of_a_launch_plan(ask: Asking) -> None:
    await create_task(ask)
    await create_workflow(ask)
    spec = {"workflow_id": identifier("WORKFLOW")}
    await send(ask, "CreateLaunchPlan", id=identifier("LAUNCH_PLAN"), spec=spec)
    before = (await send(ask, "GetLaunchPlan", id=identifier("LAUNCH_PLAN"))).closure
    assert before.state == launch_plan_pb2.INACTIVE
    await send(ask, "UpdateLaunchPlan", id=identifier("LAUNCH_PLAN"), state="ACTIVE")
    active = (await send(ask, "GetLaunchPlan", id=identifier("LAUNCH_PLAN"))).closure
    assert (active.state, active.updated_at) == (launch_plan_pb2.ACTIVE, before.updated_at)
    await send(ask, "UpdateLaunchPlan", id=identifier("LAUNCH_PLAN"), state="INACTIVE")
    after = (await send(ask, "GetLaunchPlan", id=identifier("LAUNCH_PLAN"))).closure
    assert after.state == launch_plan_pb2.INACTIVE
    assert after.updated_at.ToNanoseconds() > before.updated_at.ToNanoseconds()
    with pytest.raises(RPCError) as caught:
        await ask("UpdateLaunchPlan", state=7)
    assert caught.value.details == "Unrecognized launch plan state 7 for update for launch plan []"
    assert await words(ask, "UpdateLaunchPlan") == "missing id"
    missing = await refused(ask, "UpdateLaunchPlan", id=identifier("LAUNCH_PLAN", "nope"), state="ACTIVE")
    assert missing.code == "NOT_FOUND"


async def test_versions_activated_at_a_time(ask: Asking) -> None:
    await create_task(ask)
    await create_workflow(ask)
    versions = [identifier("LAUNCH_PLAN", version=str(number)) for number in range(5)]
    for each in versions:
        await send(ask, "CreateLaunchPlan", id=each, spec={"workflow_id": identifier("WORKFLOW")})
    await asyncio.gather(*(send(ask, "UpdateLaunchPlan", id=each, state="ACTIVE") for each in versions))
    listed = await send(ask, "ListActiveLaunchPlans", project="flytesnacks", domain="development", limit=100)
    assert len([plan for plan in listed.launch_plans if plan.id.name == "mine"]) == 1


async def test_names_of_launch_plans_need_a_limit_and_a_place(ask: Asking) -> None:
    needed = "missing and/or invalid parameters: "
    assert await words(ask, "ListLaunchPlanIds") == f"{needed}limit"
    assert await words(ask, "ListLaunchPlanIds", limit=1) == f"{needed}filters"
    everywhere = await send(ask, "ListLaunchPlanIds", limit=100, domain="development")
    here = await send(ask, "ListLaunchPlanIds", limit=100, domain="development", project="flytesnacks")
    assert here.entities
    assert list(everywhere.entities) == list(here.entities)
    for rpc in ("ListTaskIds", "ListWorkflowIds"):
        assert await words(ask, rpc, limit=1, domain="development") == "missing project"
