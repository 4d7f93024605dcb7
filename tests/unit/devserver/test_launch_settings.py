"""What an execution runs with: who says what, and what it takes over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.admin import common_pb2, execution_pb2, launch_plan_pb2, matchable_resource_pb2
from flyteidl.core import interface_pb2, literals_pb2

from flyte_remote_async.devserver.services.execution_config import PLATFORM, resolve, run_spec
from flyte_remote_async.devserver.services.expected_inputs import execution_inputs
from flyte_remote_async.errors import AlreadyExistsError, InternalError, InvalidArgumentError, NotFoundError

if TYPE_CHECKING:
    from flyte_remote_async.devserver import DevServer
    from tests.support.raw import Asking

pytestmark = pytest.mark.anyio

PLACE = {"project": "flytesnacks", "domain": "development"}
PLAN = {**PLACE, "resource_type": "LAUNCH_PLAN", "name": "samples.wide5", "version": "v2"}
ONE = literals_pb2.LiteralMap(literals={"a": literals_pb2.Literal(scalar={"primitive": {"integer": 1}})})


def labels(**values: str) -> dict[str, Any]:
    return {"labels": {"values": values}}


def config(**settings: Any) -> matchable_resource_pb2.WorkflowExecutionConfig:
    return matchable_resource_pb2.WorkflowExecutionConfig(**settings)


def test_the_request_counts_before_the_launch_plan_before_the_attributes() -> None:
    spec = execution_pb2.ExecutionSpec(**labels(of="request"))
    plan = launch_plan_pb2.LaunchPlanSpec(
        **labels(of="plan"), annotations={"values": {"of": "plan"}}, interruptible={"value": True}
    )
    attributes = config(
        max_parallelism=3, envs={"values": [{"key": "K"}]}, interruptible={"value": False}, overwrite_cache=True
    )
    found = resolve(spec, plan, [attributes, config(max_parallelism=4)])
    assert (dict(found.labels.values), dict(found.annotations.values)) == ({"of": "request"}, {"of": "plan"})
    assert (found.max_parallelism, found.interruptible.value, found.overwrite_cache) == (3, True, True)
    assert [env.key for env in found.envs.values] == ["K"]
    assert resolve(execution_pb2.ExecutionSpec(), None, []).max_parallelism == PLATFORM.max_parallelism


def test_an_empty_security_context_says_nothing() -> None:
    spec = execution_pb2.ExecutionSpec(security_context={"run_as": {}})
    plan = launch_plan_pb2.LaunchPlanSpec(security_context={"run_as": {"iam_role": "r"}})
    assert resolve(spec, plan, []).security_context.run_as.iam_role == "r"
    assert resolve(spec, None, []).security_context.HasField("run_as")


@pytest.mark.parametrize(
    ("plan", "role"),
    [
        ({"auth_role": {"kubernetes_service_account": "a"}}, "a"),
        ({"auth": {"kubernetes_service_account": "b"}, "role": "x"}, "b"),
        ({"auth_role": {}, "auth": {"kubernetes_service_account": "b"}}, ""),
    ],
)
def test_old_ways_to_say_a_role(plan: dict[str, Any], role: str) -> None:
    found = resolve(execution_pb2.ExecutionSpec(), launch_plan_pb2.LaunchPlanSpec(**plan), [])
    assert found.security_context.run_as.k8s_service_account == role


def test_the_engine_gets_what_counts_and_the_labels_of_the_project() -> None:
    spec = execution_pb2.ExecutionSpec(max_parallelism=1, tags=["t"])
    given = config(
        max_parallelism=5, **labels(a="of the plan"), raw_output_data_config={"output_location_prefix": "s3://x"}
    )
    run = run_spec(spec, given, {"a": "of the project", "b": "of the project"})
    assert dict(run.labels.values) == {"a": "of the plan", "b": "of the project"}
    assert (run.max_parallelism, list(run.tags)) == (5, ["t"])
    assert run.raw_output_data_config.output_location_prefix == "s3://x"
    assert not spec.labels.values


async def test_a_child_takes_over_from_its_parent(dev: DevServer, ask: Asking) -> None:
    label = {"value": "here"}
    spec = {"launch_plan": PLAN, "execution_cluster_label": label}
    parent = (await ask("CreateExecution", **PLACE, name="parent", spec=spec, inputs=ONE)).id
    listed = await ask("ListNodeExecutions", workflow_execution_id=parent, limit=1)
    while not listed.node_executions:
        listed = await ask("ListNodeExecutions", workflow_execution_id=parent, limit=1)
    node = listed.node_executions[0].id
    spec = {"launch_plan": PLAN, "metadata": {"parent_node_execution": node, "mode": "CHILD_WORKFLOW"}}
    child = (await ask("CreateExecution", **PLACE, name="child", spec=spec, inputs=ONE)).id
    found = (await ask("GetExecution", id=child)).spec
    assert (found.metadata.nesting, found.execution_cluster_label.value) == (1, "here")
    again = {"parent_node_execution": node}
    recovered = (await ask("RecoverExecution", id=child, name="again", metadata=again)).id
    assert (await ask("GetExecution", id=recovered)).spec.metadata.parent_node_execution == node
    node.node_id = "zz"
    with pytest.raises(NotFoundError, match="missing entity of type node execution"):
        await ask("CreateExecution", **PLACE, spec=spec | {"metadata": {"parent_node_execution": node}}, inputs=ONE)


async def test_a_cluster_pool_that_is_another(ask: Asking) -> None:
    scope = {**PLACE, "matching_attributes": {"cluster_assignment": {"cluster_pool_name": "here"}}}
    await ask("UpdateProjectDomainAttributes", attributes=scope)
    for pool in ("", "here"):
        spec = {"launch_plan": PLAN, "cluster_assignment": {"cluster_pool_name": pool}}
        await ask("CreateExecution", **PLACE, spec=spec, inputs=ONE)
    spec = {"launch_plan": PLAN, "cluster_assignment": {"cluster_pool_name": "there"}}
    with pytest.raises(InvalidArgumentError, match='cannot run on cluster pool "there"'):
        await ask("CreateExecution", **PLACE, spec=spec, inputs=ONE)


async def test_any_cluster_pool_is_good_where_none_is_assigned(ask: Asking) -> None:
    spec = {"launch_plan": PLAN, "cluster_assignment": {"cluster_pool_name": "there"}}
    created = await ask("CreateExecution", **PLACE, spec=spec, inputs=ONE)
    assert (await ask("GetExecution", id=created.id)).spec.cluster_assignment.cluster_pool_name == "there"


@pytest.mark.parametrize(("behavior", "error"), [(0, None), (1, AlreadyExistsError), (7, InternalError)])
async def test_what_a_concurrency_policy_says(
    dev: DevServer, ask: Asking, behavior: int, error: type[Exception] | None
) -> None:
    plan = await ask("GetLaunchPlan", id=PLAN)
    plan.spec.concurrency_policy.behavior = behavior
    await dev.store.put_launch_plan(plan)
    request = {**PLACE, "spec": {"launch_plan": PLAN}, "inputs": ONE}
    if error is None:
        await ask("CreateExecution", **request)
    else:
        with pytest.raises(error, match="concurrency"):
            await ask("CreateExecution", **request)


@pytest.mark.parametrize(
    ("name", "phase", "counts"),
    [
        ("samples.wide5", "QUEUED", True),
        ("samples.wide5", "RUNNING", True),
        ("samples.wide5", "SUCCEEDED", False),
        ("samples.wide5", "UNDEFINED", False),
        ("samples.chain", "RUNNING", False),
    ],
)
async def test_what_counts_for_a_concurrency_policy(
    dev: DevServer, ask: Asking, name: str, phase: str, *, counts: bool
) -> None:
    plan = await ask("GetLaunchPlan", id=PLAN)
    plan.spec.concurrency_policy.max = 1
    plan.spec.concurrency_policy.behavior = launch_plan_pb2.CONCURRENCY_LIMIT_BEHAVIOR_SKIP
    await dev.store.put_launch_plan(plan)
    await dev.store.put_execution(
        execution_pb2.Execution(
            id={**PLACE, "name": "earlier"}, spec={"launch_plan": PLAN | {"name": name}}, closure={"phase": phase}
        )
    )
    request = {**PLACE, "name": "later", "spec": {"launch_plan": PLAN}, "inputs": ONE}
    if counts:
        with pytest.raises(AlreadyExistsError, match=r"limit \(1\) reached for launch plan samples.wide5"):
            await ask("CreateExecution", **request)
    else:
        assert (await ask("CreateExecution", **request)).id.name == "later"


async def test_a_relaunch_of_what_was_imported_leaves_out_what_is_fixed(dev: DevServer, ask: Asking) -> None:
    fixed = {**PLACE, "resource_type": "LAUNCH_PLAN", "name": "more.fixed", "version": "v2"}
    run = {**PLACE, "name": "imported"}
    inputs = (await ask("GetLaunchPlan", id=fixed)).spec.fixed_inputs
    await dev.store.put_execution(execution_pb2.Execution(id=run, spec={"launch_plan": fixed}))
    await dev.store.put_execution_data((await ask("GetExecution", id=run)).id, inputs=inputs)
    again = (await ask("RelaunchExecution", id=run)).id
    assert (await ask("GetExecutionData", id=again)).full_inputs == inputs


async def test_a_relaunch_of_an_imported_task_has_its_inputs(dev: DevServer, ask: Asking) -> None:
    task = {**PLACE, "resource_type": "TASK", "name": "samples.echo_int", "version": "v2"}
    run = {**PLACE, "name": "imported"}
    await dev.store.put_execution(execution_pb2.Execution(id=run, spec={"launch_plan": task}))
    identifier = (await ask("GetExecution", id=run)).id
    await dev.store.put_execution_data(identifier, inputs=ONE)
    again = (await ask("RelaunchExecution", id=run)).id
    assert (await ask("GetExecutionData", id=again)).full_inputs == ONE


def test_an_input_that_is_fixed_and_has_a_default_cannot_be_given_at_all() -> None:
    expected = interface_pb2.ParameterMap()
    expected.parameters["a"].default.CopyFrom(ONE.literals["a"])
    with pytest.raises(InvalidArgumentError, match="fixed_inputs a cannot be overridden"):
        execution_inputs(literals_pb2.LiteralMap(), ONE, expected)


def test_a_role_of_the_request() -> None:
    spec = execution_pb2.ExecutionSpec(auth_role=common_pb2.AuthRole(assumable_iam_role="r"))
    assert resolve(spec, launch_plan_pb2.LaunchPlanSpec(role="other"), []).security_context.run_as.iam_role == "r"
