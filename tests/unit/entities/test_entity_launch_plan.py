from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

from flyteidl.admin import launch_plan_pb2
from flyteidl.core import interface_pb2, literals_pb2, security_pb2, types_pb2
from google.protobuf import text_format

from flyte_remote_async.entities import FlyteLaunchPlan
from flyte_remote_async.models.common import QualityOfServiceTier
from flyte_remote_async.models.identifiers import Identifier, ResourceType
from flyte_remote_async.models.launch_plans import LaunchPlanState
from flyte_remote_async.models.literals import Literal, Parameter

if TYPE_CHECKING:
    from tests.support.recordings import Recordings

ID = Identifier(ResourceType.LAUNCH_PLAN, "p", "d", "lp", "v")
WORKFLOW = Identifier(ResourceType.WORKFLOW, "p", "d", "wf", "v")
THREE = Literal.from_flyte_idl(
    literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(integer=3)))
)
INTEGER = interface_pb2.Variable(type=types_pb2.LiteralType(simple=types_pb2.INTEGER))


def test_fetched_launch_plans(recordings: Recordings) -> None:
    plans = [FlyteLaunchPlan.from_launch_plan(record.message) for record in recordings.of_kind("LAUNCH_PLAN")]
    by_name = {plan.name: plan for plan in plans}
    plan = by_name["samples.chain"]
    assert repr(plan) == "FlyteLaunchPlan(samples.chain:v2 in flytesnacks/development)"
    assert str(plan).startswith("Launch Plan samples.chain:v2 in flytesnacks/development: (a: int) -> (o0: int, ")
    assert plan.resource_type is ResourceType.LAUNCH_PLAN
    assert plan.entity_type_text == "Launch Plan"
    assert plan.workflow_id.name == "samples.chain"
    assert plan.expected_inputs["a"].default == THREE
    assert not plan.expected_inputs["a"].required
    required = by_name["samples.wide5"].expected_inputs["a"]
    assert required.required == (required.default is None)
    assert list(plan.expected_outputs) == ["o0", "p", "s"]
    assert plan.python_interface is not None
    assert plan.python_interface.inputs == {"a": int}
    assert plan.state in set(LaunchPlanState)
    assert plan.is_active == (plan.state is LaunchPlanState.ACTIVE)
    assert plan.created_at is not None
    assert plan.updated_at is not None
    assert not plan.is_scheduled
    assert plan.security_context is None or plan.security_context.k8s_service_account == ""
    for entry in plans:
        assert pickle.loads(pickle.dumps(entry)) == entry
        assert FlyteLaunchPlan.promote_from_model(entry.id, entry.to_flyte_idl()).to_flyte_idl() == entry.to_flyte_idl()


def test_a_fixed_input_cannot_be_given(recordings: Recordings) -> None:
    message = recordings.get("LAUNCH_PLAN", "flytesnacks/development/more.fixed/v2")
    plan = FlyteLaunchPlan.from_launch_plan(message)
    assert plan.fixed_inputs
    assert not set(plan.fixed_inputs) & set(plan.expected_inputs)
    assert str(plan.interface) == "() -> (o0: int)"


def test_defaults_of_a_fetched_launch_plan() -> None:
    message = launch_plan_pb2.LaunchPlan(id=ID.to_flyte_idl())
    parameter = message.closure.expected_inputs.parameters["a"]
    parameter.var.CopyFrom(INTEGER)
    parameter.default.CopyFrom(THREE.to_flyte_idl())
    plan = FlyteLaunchPlan.from_launch_plan(message)
    assert plan.expected_inputs["a"].default == THREE
    assert not plan.expected_inputs["a"].required
    assert plan.interface is not None
    assert str(plan.interface) == "(a: int) -> ()"
    assert plan.state is LaunchPlanState.INACTIVE
    assert plan.updated_at is None


def test_a_launch_plan_made_by_hand() -> None:
    parameter = Parameter.from_flyte_idl(interface_pb2.Parameter(var=INTEGER, required=True))
    plan = FlyteLaunchPlan(
        ID,
        WORKFLOW,
        default_inputs={"a": parameter},
        fixed_inputs={"b": THREE},
        entity_metadata=text_format.Parse(
            'schedule { cron_schedule { schedule: "@hourly" } } notifications { email { recipients_email: "a@b" } }',
            launch_plan_pb2.LaunchPlanMetadata(),
        ),
        labels={"team": "blue"},
        annotations={"k": "v"},
        security_context=security_pb2.SecurityContext(run_as=security_pb2.Identity(iam_role="r")),
        max_parallelism=4,
    )
    assert plan.id == ID
    assert plan.workflow_id == WORKFLOW
    assert plan.default_inputs == plan.expected_inputs == {"a": parameter}
    assert plan.fixed_inputs == {"b": THREE}
    assert plan.schedule.cron_expression == "@hourly"
    assert plan.is_scheduled
    assert [notification.recipients for notification in plan.entity_metadata.notifications] == [("a@b",)]
    assert (plan.labels, plan.annotations) == ({"team": "blue"}, {"k": "v"})
    assert plan.security_context is not None
    assert plan.security_context.iam_role == "r"
    assert plan.max_parallelism == 4
    assert plan.interface is None
    assert plan.python_interface is None
    assert plan.expected_outputs == {}
    assert (plan.state, plan.created_at, plan.updated_at) == (None, None, None)
    assert not plan.is_active
    assert str(plan) == "Launch Plan lp:v in p/d"
    assert plan._repr_html_() == "<b>Launch Plan</b> lp:v in p/d<table></table>"
    assert plan.to_launch_plan().id == ID.to_flyte_idl()
    assert FlyteLaunchPlan(ID, WORKFLOW) == FlyteLaunchPlan(ID, WORKFLOW)
    assert plan != FlyteLaunchPlan(ID, WORKFLOW)
    assert hash(plan) == hash(FlyteLaunchPlan(ID, WORKFLOW)) == hash(ID)


def test_what_else_a_spec_says() -> None:
    message = text_format.Parse(
        """
        envs { values { key: "K" value: "V" } }
        quality_of_service { tier: LOW }
        interruptible { value: true }
        overwrite_cache: true
        raw_output_data_config { output_location_prefix: "s3://b" }
        """,
        launch_plan_pb2.LaunchPlanSpec(),
    )
    plan = FlyteLaunchPlan.from_flyte_idl(message)
    assert plan.envs == {"K": "V"}
    assert plan.quality_of_service is not None
    assert plan.quality_of_service.tier is QualityOfServiceTier.LOW
    assert plan.interruptible is True
    assert plan.overwrite_cache
    assert plan.raw_output_data_prefix == "s3://b"
    assert repr(plan) == "FlyteLaunchPlan(without id)"
    assert FlyteLaunchPlan(ID, WORKFLOW).interruptible is None
