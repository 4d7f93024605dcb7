"""Launching, terminating and archiving, and the faults of Flyte that a client must live with."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.admin import event_pb2
from flyteidl.core import execution_pb2 as core_execution_pb2
from flyteidl.core import literals_pb2
from google.rpc import status_pb2

from flyte_remote_async.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
)

if TYPE_CHECKING:
    from flyte_remote_async.devserver import DevServer
    from tests.support.raw import Asking
    from tests.support.recordings import Recordings

pytestmark = pytest.mark.anyio

PHASE = core_execution_pb2.WorkflowExecution
PLACE = {"project": "flytesnacks", "domain": "development"}


def plan(name: str, kind: str = "LAUNCH_PLAN") -> dict[str, Any]:
    return {"launch_plan": {**PLACE, "resource_type": kind, "name": name, "version": "v2"}}


def integers(**values: int) -> literals_pb2.LiteralMap:
    literals = {
        name: literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(integer=value)))
        for name, value in values.items()
    }
    return literals_pb2.LiteralMap(literals=literals)


async def end_of(ask: Asking, identifier: Any) -> Any:
    while True:
        execution = await ask("GetExecution", id=identifier)
        if execution.closure.phase in (PHASE.SUCCEEDED, PHASE.FAILED, PHASE.ABORTED):
            return execution
        await asyncio.sleep(0.01)


async def test_a_launch_plan_runs(ask: Asking) -> None:
    created = await ask("CreateExecution", **PLACE, name="mine", spec=plan("samples.wide5"), inputs=integers(a=7))
    execution = await end_of(ask, created.id)
    assert execution.closure.phase == PHASE.SUCCEEDED
    assert execution.spec.max_parallelism == 25
    assert execution.spec.metadata.system_metadata.namespace == "flytesnacks-development"
    assert execution.closure.workflow_id.name == "samples.wide5"
    assert not execution.closure.HasField("abort_metadata")
    data = await ask("GetExecutionData", id=created.id)
    assert data.full_inputs.literals["a"].scalar.primitive.integer == 7
    assert data.full_outputs.literals["o0"].scalar.primitive.integer == 7


async def test_a_client_launches_waits_and_reads(dev: DevServer) -> None:
    dev.stand_in("samples.add", lambda a, b: a + b)
    async with dev.remote() as remote:
        task = await remote.fetch_task("samples.add")
        execution = await (await remote.execute(task, inputs={"a": 1, "b": 2})).wait(poll_interval=0.02)
        assert await execution.outputs["o0"] == 3


async def test_defaults_and_fixed_inputs_are_filled_in(ask: Asking) -> None:
    created = await ask("CreateExecution", **PLACE, name="fixed", spec=plan("more.fixed"), inputs={})
    data = await ask("GetExecutionData", id=created.id)
    wanted = (await ask("GetLaunchPlan", id=plan("more.fixed")["launch_plan"])).spec
    for name, literal in wanted.fixed_inputs.literals.items():
        assert data.full_inputs.literals[name] == literal


async def test_a_task_runs_in_a_workflow_of_its_own(dev: DevServer, ask: Asking) -> None:
    @dev.task("samples.add")
    def add(a: int, b: int) -> int:
        return a + b

    spec = plan("samples.add", "TASK")
    created = await ask("CreateExecution", **PLACE, name="single", spec=spec, inputs=integers(a=1, b=2))
    execution = await end_of(ask, created.id)
    assert execution.closure.phase == PHASE.SUCCEEDED
    assert execution.closure.workflow_id.name == ".flytegen.samples.add"
    data = await ask("GetExecutionData", id=created.id)
    assert data.full_outputs.literals["o0"].scalar.primitive.integer == 3


async def test_the_workflow_of_a_task_is_made_once_and_hidden(dev: DevServer, ask: Asking) -> None:
    spec = plan("samples.echo_int", "TASK")
    for name in ("one", "two"):
        await end_of(ask, (await ask("CreateExecution", **PLACE, name=name, spec=spec, inputs=integers(a=1))).id)
    made = {**PLACE, "name": ".flytegen.samples.echo_int"}
    assert len((await ask("ListWorkflows", id=made, limit=9)).workflows) == 1
    assert (await ask("GetNamedEntity", resource_type="WORKFLOW", id=made)).metadata.state == 2
    shown = await ask("ListNamedEntities", resource_type="WORKFLOW", **PLACE, limit=100)
    assert not [entity for entity in shown.entities if entity.id.name.startswith(".flytegen")]
    everything = await ask("ListNamedEntities", resource_type="WORKFLOW", **PLACE, limit=100, filters="ne(name,x)")
    assert [entity for entity in everything.entities if entity.id.name == made["name"]]


async def test_a_replayed_create_is_refused_and_overwrites_the_inputs(ask: Asking) -> None:
    first = await ask("CreateExecution", **PLACE, name="again", spec=plan("samples.wide5"), inputs=integers(a=1))
    await end_of(ask, first.id)
    with pytest.raises(AlreadyExistsError):
        await ask("CreateExecution", **PLACE, name="again", spec=plan("samples.wide5"), inputs=integers(a=2))
    data = await ask("GetExecutionData", id=first.id)
    assert data.full_inputs.literals["a"].scalar.primitive.integer == 2
    assert data.full_outputs.literals["o0"].scalar.primitive.integer == 1


async def test_what_the_request_says_goes_before_the_launch_plan(ask: Asking) -> None:
    spec = plan("samples.wide5") | {
        "max_parallelism": 3,
        "security_context": {"run_as": {"k8s_service_account": "me"}},
        "notifications": {"notifications": [{"phases": ["FAILED"], "email": {"recipients_email": ["a@b.c"]}}]},
        "metadata": {"principal": "somebody"},
    }
    created = await ask("CreateExecution", **PLACE, spec=spec, inputs=integers(a=1))
    assert len(created.id.name) == 20
    execution = await ask("GetExecution", id=created.id)
    assert execution.spec.max_parallelism == 3
    assert execution.spec.security_context.run_as.k8s_service_account == "me"
    assert execution.spec.metadata.principal == ""
    assert len(execution.closure.notifications) == 1


@pytest.mark.parametrize(
    ("request_", "error", "details"),
    [
        ({"name": "x" * 64}, InvalidArgumentError, "size of name exceeded length 63 : " + "x" * 64),
        ({"domain": "nope"}, InvalidArgumentError, "domain [nope] is unrecognized by system"),
        ({"spec": None}, InvalidArgumentError, "missing spec"),
        ({"spec": {}}, InvalidArgumentError, "missing id"),
        ({"spec": plan("")}, InvalidArgumentError, "missing name"),
        (
            {"spec": plan("nope", "TASK")},
            NotFoundError,
            (
                'missing entity of type TASK with identifier project:"flytesnacks" domain:"development" '
                'name:"nope" version:"v2"'
            ),
        ),
        (
            {"spec": plan("samples.wide5") | {"labels": {"values": {"a": "b c"}}}},
            InvalidArgumentError,
            (
                "invalid label value [b c]: [a valid label must be an empty string or consist of alphanumeric "
                "characters, '-', '_' or '.', and must start and end with an alphanumeric character "
                "(e.g. 'MyValue',  or 'my_value',  or '12345', "
                "regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')]"
            ),
        ),
    ],
)
async def test_what_cannot_be_launched_is_refused(
    ask: Asking, request_: dict[str, Any], error: type[Exception], details: str
) -> None:
    request = {**PLACE, "name": "ok", "spec": plan("samples.wide5"), "inputs": integers(a=1)} | request_
    with pytest.raises(error) as caught:
        await ask("CreateExecution", **{name: value for name, value in request.items() if value is not None})
    assert vars(caught.value)["details"] == details


async def test_an_archived_project_launches_nothing(ask: Asking) -> None:
    await ask("RegisterProject", project={"id": "old", "name": "Old"})
    await ask("UpdateProject", id="old", state="ARCHIVED")
    with pytest.raises(InvalidArgumentError, match=r"project \[old\] is not active"):
        await ask("CreateExecution", project="old", domain="development", spec=plan("samples.wide5"))


async def test_terminate_stops_a_run_and_only_a_run(dev: DevServer, ask: Asking) -> None:
    @dev.task("samples.add")
    async def add(a: int, b: int) -> int:
        await asyncio.Event().wait()
        return a + b

    spec = plan("samples.add", "TASK")
    created = await ask("CreateExecution", **PLACE, name="long", spec=spec, inputs=integers(a=1, b=2))
    await ask("TerminateExecution", id=created.id, cause="enough")
    execution = await end_of(ask, created.id)
    assert execution.closure.phase == PHASE.ABORTED
    assert execution.closure.abort_metadata.cause == "enough"
    with pytest.raises(FailedPreconditionError) as caught:
        await ask("TerminateExecution", id=created.id, cause="again")
    assert caught.value.details == "Cannot abort an already terminated workflow execution"
    packed = dict(caught.value.trailing_metadata)["grpc-status-details-bin"]
    assert isinstance(packed, bytes)
    reason = event_pb2.EventFailureReason()
    assert status_pb2.Status.FromString(packed).details[0].Unpack(reason)
    assert reason.already_in_terminal_state.current_phase == "ABORTED"
    assert (await ask("GetExecution", id=created.id)).closure.abort_metadata.cause == "enough"


async def test_archiving_moves_the_row_and_not_the_closure(ask: Asking, recordings: Recordings) -> None:
    before = recordings.of_kind("EXECUTION", "samples.chain")[0].message
    await ask("UpdateExecution", id=before.id, state="EXECUTION_ARCHIVED")
    after = await ask("GetExecution", id=before.id)
    assert after.closure.state_change_details.state == 1
    assert after.closure.updated_at == before.closure.updated_at
    newest = await ask("ListExecutions", id=PLACE, limit=1, sort_by={"key": "updated_at"}, filters="eq(state,1)")
    assert newest.executions[0].id == before.id


async def test_executions_that_there_are_not(ask: Asking) -> None:
    for rpc in ("GetExecution", "GetExecutionData", "UpdateExecution", "TerminateExecution"):
        with pytest.raises(NotFoundError, match="missing entity of type execution"):
            await ask(rpc, id={**PLACE, "name": "nope"})
        if rpc != "GetExecutionData":
            with pytest.raises(InvalidArgumentError, match="missing id"):
                await ask(rpc)


async def test_what_is_left_out_of_an_identifier_fits_any(ask: Asking) -> None:
    assert (await ask("GetExecutionData")).full_inputs.literals
    assert (await ask("GetNodeExecution")).id.node_id
    assert (await ask("GetNodeExecutionData", id={"node_id": "n0"})).flyte_urls.inputs


async def test_a_launch_plan_whose_workflow_is_gone_is_refused(dev: DevServer, ask: Asking) -> None:
    gone = await ask("GetLaunchPlan", id=plan("samples.wide5")["launch_plan"])
    gone.spec.workflow_id.name = "gone"
    await dev.store.put_launch_plan(gone)
    with pytest.raises(NotFoundError, match="missing entity of type WORKFLOW"):
        await ask("CreateExecution", **PLACE, spec=plan("samples.wide5"), inputs=integers(a=1))


async def test_a_launch_plan_lends_what_the_request_does_not_say(dev: DevServer, ask: Asking) -> None:
    lending = await ask("GetLaunchPlan", id=plan("samples.wide5")["launch_plan"])
    lending.spec.security_context.run_as.iam_role = "role"
    lending.spec.max_parallelism = 4
    lending.spec.entity_metadata.notifications.add().email.recipients_email.append("a@b.c")
    await dev.store.put_launch_plan(lending)
    quiet = plan("samples.wide5") | {"disable_all": True}
    for spec, count in ((plan("samples.wide5"), 1), (quiet, 0)):
        created = await ask("CreateExecution", **PLACE, spec=spec, inputs=integers(a=1))
        execution = await ask("GetExecution", id=created.id)
        assert execution.spec.security_context.run_as.iam_role == "role"
        assert execution.spec.max_parallelism == 4
        assert len(execution.closure.notifications) == count


async def test_the_spans_of_an_execution_that_ran_here(ask: Asking) -> None:
    created = await ask("CreateExecution", **PLACE, name="mine", spec=plan("samples.wide5"), inputs=integers(a=7))
    await end_of(ask, created.id)
    span = (await ask("GetExecutionMetrics", id=created.id, depth=3)).span
    kinds = [inner.WhichOneof("id") for inner in span.spans]
    assert kinds == ["operation_id", *["node_id"] * 5, "operation_id"]
    assert [inner.operation_id for inner in span.spans[1].spans][:2] == ["NODE_TRANSITION", "NODE_SETUP"]
    assert not (await ask("GetExecutionMetrics", id=created.id)).span.spans
    with pytest.raises(NotFoundError):
        await ask("GetExecutionMetrics", id={**PLACE, "name": "nope"})
