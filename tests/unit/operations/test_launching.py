"""Launches and terminations: what is checked before, what is sent, and what happens when the answer is lost."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import pytest
from flyteidl.admin import execution_pb2

from flyte_remote_async import LaunchOptions
from flyte_remote_async.devserver import DevServer
from flyte_remote_async.errors import (
    AbortedError,
    AlreadyExistsError,
    DeadlineExceededError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    InvalidInputsError,
    NotFoundError,
    PermissionDeniedError,
    RPCCancelledError,
    RPCError,
    UnavailableError,
    UnknownError,
)
from flyte_remote_async.models.phases import WorkflowPhase
from flyte_remote_async.transport.base import Reply
from tests.support import recordings
from tests.support.films import Film, refuse
from tests.support.remotes import remote_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from flyte_remote_async import FlyteRemote
    from flyte_remote_async.entities import FlyteLaunchPlan, FlyteTask, FlyteWorkflow
    from flyte_remote_async.transport.base import Method
    from tests.support.remotes import Ledger

    Entity: TypeAlias = FlyteTask | FlyteWorkflow | FlyteLaunchPlan

pytestmark = pytest.mark.anyio

ENTITIES = {"samples.add", "samples.branch", "samples.sub", "samples.sub_lp", "more.fixed"}

AMBIGUOUS = [UnavailableError, DeadlineExceededError, InternalError, UnknownError, AbortedError, RPCCancelledError]


@attrs.frozen
class Stage:
    """A server that knows the recorded entities, with a remote; what it runs, it runs with stand-ins."""

    server: DevServer
    remote: FlyteRemote
    ledger: Ledger

    async def entity(self, kind: str, name: str) -> Entity:
        fetch: Callable[..., Any] = getattr(self.remote, f"fetch_{kind}")
        entity: Entity = await fetch(name)
        self.ledger.clear()
        return entity

    @property
    def sent(self) -> execution_pb2.ExecutionCreateRequest:
        """The one CreateExecution that was sent."""
        (request,) = (request for name, request in self.ledger.calls if name == "CreateExecution")
        return execution_pb2.ExecutionCreateRequest.FromString(request)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with DevServer() as server, remote_of(server, max_attempts=1) as (remote, ledger):
        async with server.store.transaction() as together:
            for kind, put in (
                ("TASK", together.put_task),
                ("WORKFLOW", together.put_workflow),
                ("LAUNCH_PLAN", together.put_launch_plan),
            ):
                for record in recordings.load().of_kind(kind):
                    if record.key.split("/")[2] in ENTITIES:
                        put(record.message)
        server.stand_in("samples.add", lambda a, b: a + b)
        yield Stage(server, remote, ledger)


# --- what is launched -----------------------------------------------------------------------------------------------


async def test_a_task(stage: Stage) -> None:
    task = await stage.entity("task", "samples.add")
    execution = await stage.remote.execute(task, {"a": 1, "b": 2})
    assert stage.ledger.counts == {"CreateExecution": 1, "GetExecution": 1}
    assert re.fullmatch(r"a[a-z2-7]{19}", execution.id.name)
    assert execution.spec.launch_plan == task.id
    assert await (await execution.wait(poll_interval=0.01)).outputs["o0"] == 3


async def test_a_workflow_goes_by_the_launch_plan_of_its_name(stage: Stage) -> None:
    workflow = await stage.entity("workflow", "samples.branch")
    execution = await stage.remote.execute(workflow, {"a": 4})
    assert stage.ledger.counts == {"GetLaunchPlan": 1, "CreateExecution": 1, "GetExecution": 1}
    assert execution.spec.launch_plan.resource_type.name == "LAUNCH_PLAN"
    assert execution.spec.launch_plan.name == "samples.branch"
    # The launch plan never changes, so it is read once.
    await stage.remote.execute(workflow, {"a": 5})
    assert stage.ledger.counts["GetLaunchPlan"] == 1


async def test_a_launch_plan(stage: Stage) -> None:
    plan = await stage.entity("launch_plan", "samples.branch")
    execution = await stage.remote.execute(plan, {"a": 4})
    assert stage.ledger.counts == {"CreateExecution": 1, "GetExecution": 1}
    assert execution.spec.launch_plan == plan.id


async def test_two_launches_have_two_names(stage: Stage) -> None:
    task = await stage.entity("task", "samples.add")
    first, second = [await stage.remote.execute(task, {"a": 1, "b": 2}) for _ in range(2)]
    assert first.id.name != second.id.name


async def test_a_name_that_is_given_is_looked_for_first(stage: Stage) -> None:
    task = await stage.entity("task", "samples.add")
    execution = await stage.remote.execute(task, {"a": 1, "b": 2}, name="my-run-1")
    assert execution.id.name == "my-run-1"
    assert [name for name, _ in stage.ledger.calls] == ["GetExecution", "CreateExecution", "GetExecution"]
    stage.ledger.clear()
    with pytest.raises(AlreadyExistsError, match=r"my-run-1.*overwrite"):
        await stage.remote.execute(task, {"a": 3, "b": 4}, name="my-run-1")
    assert stage.ledger.counts == {"GetExecution": 1}
    assert await (await execution.wait(poll_interval=0.01)).inputs["a"] == 1


async def test_a_name_that_somebody_takes_meanwhile(stage: Stage) -> None:
    task = await stage.entity("task", "samples.add")
    await stage.remote.execute(task, {"a": 1, "b": 2}, name="mine")
    refuse(stage.ledger, "GetExecution", NotFoundError, times=1)
    with pytest.raises(AlreadyExistsError, match="flytesnacks/development/mine"):
        await stage.remote.execute(task, {"a": 1, "b": 2}, name="mine")


async def test_when_nobody_tells_whether_a_name_is_free_nothing_is_launched(stage: Stage) -> None:
    task = await stage.entity("task", "samples.add")
    refuse(stage.ledger, "GetExecution", UnavailableError)
    with pytest.raises(UnavailableError):
        await stage.remote.execute(task, {"a": 1, "b": 2}, name="mine")
    assert "CreateExecution" not in stage.ledger.counts


@pytest.mark.parametrize("name", ["", "-a", "1a", "A", "a-", "a_b", "ä", "a" * 64, "a/b"])
async def test_names_that_kubernetes_refuses_later(stage: Stage, name: str) -> None:
    task = await stage.entity("task", "samples.add")
    with pytest.raises(ValueError, match="cannot be called"):
        await stage.remote.execute(task, {"a": 1, "b": 2}, name=name)
    assert stage.ledger.total == 0


async def test_a_place_of_its_own(stage: Stage) -> None:
    task = await stage.entity("task", "samples.add")
    execution = await stage.remote.execute(task, {"a": 1, "b": 2}, domain="staging")
    assert execution.id.domain == "staging"
    with pytest.raises(RPCError, match="nowhere"):
        await stage.remote.execute(task, {"a": 1, "b": 2}, project="nowhere")


async def test_without_a_place_an_entity_runs_where_it_is_registered(stage: Stage) -> None:
    task = await stage.entity("task", "samples.add")
    async with remote_of(stage.server, project=None, domain=None) as (remote, _):
        execution = await remote.execute(task, {"a": 1, "b": 2})
        assert (execution.id.project, execution.id.domain) == ("flytesnacks", "development")


async def test_every_option_is_in_the_spec(stage: Stage) -> None:
    options = LaunchOptions(
        labels={"team": "blue"},
        annotations={"note": "x"},
        envs={"KEY": "value"},
        tags=("one", "two"),
        max_parallelism=7,
        overwrite_cache=True,
        interruptible=False,
        raw_output_data_prefix="s3://bucket/raw",
        service_account="runner",
        iam_role="role",
        cluster_pool="pool",
        execution_cluster_label="label",
        disable_notifications=True,
    )
    assert all(value for name, value in attrs.asdict(options).items() if name != "interruptible")
    task = await stage.entity("task", "samples.add")
    await stage.remote.execute(task, {"a": 1, "b": 2}, options=options)
    spec = stage.sent.spec
    assert dict(spec.labels.values) == {"team": "blue"}
    assert dict(spec.annotations.values) == {"note": "x"}
    assert [(pair.key, pair.value) for pair in spec.envs.values] == [("KEY", "value")]
    assert list(spec.tags) == ["one", "two"]
    assert (spec.max_parallelism, spec.overwrite_cache, spec.disable_all) == (7, True, True)
    assert spec.HasField("interruptible")
    assert not spec.interruptible.value
    assert spec.raw_output_data_config.output_location_prefix == "s3://bucket/raw"
    assert spec.security_context.run_as.k8s_service_account == "runner"
    assert spec.security_context.run_as.iam_role == "role"
    assert spec.cluster_assignment.cluster_pool_name == "pool"
    assert spec.execution_cluster_label.value == "label"


async def test_options_that_are_left_out_are_not_sent(stage: Stage) -> None:
    await stage.remote.execute(await stage.entity("task", "samples.add"), {"a": 1, "b": 2})
    assert {field.name for field, _ in stage.sent.spec.ListFields()} == {"launch_plan"}


# --- inputs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "inputs", "words"),
    [
        ("task", "samples.add", {"a": 1, "b": 2, "c": 3}, {"c": "no such input; there are: a, b"}),
        ("task", "samples.add", {"a": "one", "b": 2}, {"a": "'one'"}),
        ("task", "samples.add", {}, {"a": "missing", "b": "missing"}),
        ("task", "samples.add", {"a": "one", "c": 3}, {"a": "'one'", "b": "missing", "c": "no such input"}),
        ("workflow", "samples.branch", {"a": "one", "c": 3}, {"a": "'one'", "c": "no such input"}),
        ("launch_plan", "samples.sub_lp", {"c": 3}, {"a": "required and missing", "c": "no such input"}),
        ("launch_plan", "samples.branch", {"a": [1]}, {"a": "[1]"}),
        ("launch_plan", "more.fixed", {"a": 3, "c": 4}, {"a": "fixes it", "c": "no such input"}),
    ],
)
async def test_inputs_that_do_not_fit_are_all_named_before_anything_is_sent(
    stage: Stage, kind: str, name: str, inputs: Mapping[str, Any], words: Mapping[str, str]
) -> None:
    entity = await stage.entity(kind, name)
    with pytest.raises(InvalidInputsError, match=name) as caught:
        await stage.remote.execute(entity, inputs)
    assert stage.ledger.total == 0
    assert set(caught.value.problems) >= set(words)
    for input_name, problem in words.items():
        assert problem in caught.value.problems[input_name]
        assert input_name in str(caught.value)


async def test_what_a_workflow_requires_its_launch_plan_tells(stage: Stage) -> None:
    workflow = await stage.entity("workflow", "samples.sub")
    plan = recordings.load().get("LAUNCH_PLAN", "flytesnacks/development/samples.sub_lp/v2")
    plan.id.name = "samples.sub"
    await stage.server.store.put_launch_plan(plan)
    with pytest.raises(InvalidInputsError, match="required and missing"):
        await stage.remote.execute(workflow)
    assert stage.ledger.counts == {"GetLaunchPlan": 1}


async def test_a_workflow_without_a_launch_plan(stage: Stage) -> None:
    workflow = await stage.entity("workflow", "samples.sub")
    with pytest.raises(NotFoundError, match="launched by the launch plan of its name and version"):
        await stage.remote.execute(workflow, {"a": 1})
    assert stage.ledger.counts == {"GetLaunchPlan": 1}


async def test_many_elements_are_encoded_beside_the_loop(stage: Stage) -> None:
    task = await stage.entity("task", "samples.add")
    with pytest.raises(InvalidInputsError, match="a: "):
        await stage.remote.execute(task, {"a": list(range(2000)), "b": 2})


# --- answers that are lost ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", AMBIGUOUS)
async def test_a_launch_that_happened_though_its_answer_was_lost(stage: Stage, error: Callable[[], Exception]) -> None:
    task = await stage.entity("task", "samples.add")

    def on_reply(method: Method[Any, Any], reply: Reply) -> Reply:
        if method.name == "CreateExecution":
            raise error()
        return reply

    stage.ledger.on_reply = on_reply
    execution = await stage.remote.execute(task, {"a": 1, "b": 2})
    assert stage.ledger.counts == {"CreateExecution": 1, "GetExecution": 1}
    assert execution.id.name == stage.sent.name


async def test_a_lost_answer_does_not_make_the_execution_of_another_ours(stage: Stage) -> None:
    task = await stage.entity("task", "samples.add")
    await Film(stage.server.store, "shared").execution()  # taken after the look, and before the launch

    def on_call(method: Method[Any, Any], _request: bytes) -> None:
        if method.name == "GetExecution" and not stage.ledger.counts["CreateExecution"]:
            raise NotFoundError("free")
        if method.name == "CreateExecution":
            raise UnavailableError("lost")

    stage.ledger.on_call = on_call
    with pytest.raises(UnavailableError, match=r"lost; the execution of that name is another, of .*made\.flow"):
        await stage.remote.execute(task, {"a": 1, "b": 2}, name="shared")


@pytest.mark.parametrize("error", AMBIGUOUS)
async def test_a_launch_that_may_not_have_happened_is_never_sent_again(stage: Stage, error: type[RPCError]) -> None:
    task = await stage.entity("task", "samples.add")
    refuse(stage.ledger, "CreateExecution", lambda: error("lost"))
    async with remote_of(stage.server) as (remote, ledger):  # with its usual retries
        refuse(ledger, "CreateExecution", lambda: error("lost"))
        with pytest.raises(
            error, match=r"lost; whether .* is not known, .*NOT_FOUND.*before launching again"
        ) as caught:
            await remote.execute(task, {"a": 1, "b": 2})
        assert ledger.counts == {"CreateExecution": 1, "GetExecution": 1}
        (name,) = {execution_pb2.ExecutionCreateRequest.FromString(data).name for rpc, data in ledger.calls[:1]}
        assert f"'{name}'" in str(caught.value)
        assert caught.value.entity == f"flytesnacks/development/{name}"


@pytest.mark.parametrize("error", [InvalidArgumentError, PermissionDeniedError, AlreadyExistsError])
async def test_a_launch_that_was_refused(stage: Stage, error: type[RPCError]) -> None:
    task = await stage.entity("task", "samples.add")
    refuse(stage.ledger, "CreateExecution", lambda: error("no"))
    with pytest.raises(error, match="CreateExecution flytesnacks/development/mine") as caught:
        await stage.remote.execute(task, {"a": 1, "b": 2}, name="mine")
    assert caught.value.details == "no"
    assert stage.ledger.counts["CreateExecution"] == 1


async def test_an_answer_that_is_no_message_is_an_answer(stage: Stage) -> None:
    task = await stage.entity("task", "samples.add")
    stage.ledger.on_reply = lambda method, reply: Reply(b"\xff") if method.name == "CreateExecution" else reply
    execution = await stage.remote.execute(task, {"a": 1, "b": 2})
    assert execution.id.name == stage.sent.name


async def test_a_launch_that_cannot_be_read_is_told_by_name(stage: Stage) -> None:
    task = await stage.entity("task", "samples.add")
    refuse(stage.ledger, "GetExecution", lambda: UnavailableError("gone"))
    with pytest.raises(UnavailableError, match="gone; it was created all the same") as caught:
        await stage.remote.execute(task, {"a": 1, "b": 2})
    assert f"'{stage.sent.name}'" in str(caught.value)


# --- the end --------------------------------------------------------------------------------------------------------


async def test_a_running_execution_is_terminated(stage: Stage) -> None:
    running = Film(stage.server.store)
    await running.execution()
    await stage.remote.execution("film").terminate("enough")
    assert stage.ledger.counts == {"TerminateExecution": 1}
    ended = await stage.remote.fetch_execution("film")
    assert ended.phase in {WorkflowPhase.ABORTING, WorkflowPhase.ABORTED}
    assert ended.closure.abort_cause == "enough"


async def test_an_execution_that_has_ended_cannot_be_terminated(stage: Stage) -> None:
    await Film(stage.server.store).execution("SUCCEEDED")
    with pytest.raises(FailedPreconditionError, match="TerminateExecution flytesnacks/development/film"):
        await stage.remote.terminate(stage.remote.execution("film"), "enough")


async def test_a_termination_whose_answer_was_lost_is_one(stage: Stage) -> None:
    await Film(stage.server.store).execution()
    async with remote_of(stage.server) as (remote, ledger):  # with its usual retries
        lost = [UnavailableError("lost")]

        def on_reply(method: Method[Any, Any], reply: Reply) -> Reply:
            if method.name == "TerminateExecution" and lost:
                raise lost.pop()
            return reply

        ledger.on_reply = on_reply
        await remote.execution("film").terminate("enough")
        assert ledger.counts == {"TerminateExecution": 2, "GetExecution": 1}
        with pytest.raises(FailedPreconditionError):
            await remote.execution("film").terminate("enough")


async def test_a_termination_of_somebody_else_is_not_ours(stage: Stage) -> None:
    await Film(stage.server.store).execution()
    await stage.remote.execution("film").terminate("theirs")
    async with remote_of(stage.server) as (remote, ledger):
        refuse(ledger, "TerminateExecution", lambda: UnavailableError("lost"), times=1)
        with pytest.raises(FailedPreconditionError):
            await remote.execution("film").terminate("ours")


async def test_an_execution_that_is_not_there_cannot_be_terminated(stage: Stage) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        await stage.remote.execution("nobody").terminate("enough")
