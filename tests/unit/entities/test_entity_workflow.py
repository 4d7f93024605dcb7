from __future__ import annotations

import pickle
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import pytest
from flyteidl.admin import launch_plan_pb2, node_execution_pb2, workflow_pb2
from flyteidl.core import compiler_pb2, literals_pb2, types_pb2
from flyteidl.core import workflow_pb2 as core_workflow_pb2
from google.protobuf import text_format

from flyte_remote_async.entities import FlyteLaunchPlan, FlyteNode, FlyteTask, FlyteWorkflow, WorkflowTemplate
from flyte_remote_async.interface import TypedInterface
from flyte_remote_async.models.identifiers import Identifier, ResourceType
from flyte_remote_async.models.workflows import CompiledWorkflowClosure, OnFailurePolicy
from tests.support.recordings import load, rpcs

if TYPE_CHECKING:
    from tests.support.recordings import Recordings


def identifier(name: str, kind: ResourceType = ResourceType.WORKFLOW) -> Identifier:
    return Identifier(kind, "flytesnacks", "development", name, "v2")


def fetched(recordings: Recordings, name: str) -> FlyteWorkflow:
    return FlyteWorkflow.from_workflow(recordings.get("WORKFLOW", f"flytesnacks/development/{name}/v2"))


def registered() -> dict[str, workflow_pb2.WorkflowSpec]:
    requests = [
        workflow_pb2.WorkflowCreateRequest.FromString(call.request)
        for call in rpcs()
        if call.method.endswith("/CreateWorkflow")
    ]
    launched = {record.key.split("/")[2] for record in load().of_kind("WORKFLOW")}
    return {request.id.name: request.spec for request in requests if request.id.name in launched}


REGISTERED = registered()


@pytest.mark.parametrize("name", sorted(REGISTERED))
def test_a_fetched_workflow_is_as_it_was_registered(recordings: Recordings, name: str) -> None:
    spec = REGISTERED[name]
    spec.ClearField("description")  # Flyte keeps it elsewhere
    again = fetched(recordings, name).to_flyte_idl()
    for template in (spec.template, again.template, *spec.sub_workflows, *again.sub_workflows):
        for node in template.nodes:
            node.upstream_node_ids.sort()  # a set, which the compiler gives in another order
    assert again == spec


def test_a_fetched_workflow(recordings: Recordings) -> None:
    workflow = fetched(recordings, "samples.chain")
    assert repr(workflow) == "FlyteWorkflow(samples.chain:v2 in flytesnacks/development)"
    assert str(workflow).endswith(": (a: int) -> (o0: int, p: Point, s: str)")
    assert workflow.name == "samples.chain"
    assert workflow.id == identifier("samples.chain")
    assert workflow.resource_type is ResourceType.WORKFLOW
    assert workflow.entity_type_text == "Workflow"
    assert [node.id for node in workflow.nodes] == ["n0", "n1", "n2"]
    assert workflow.flyte_nodes == workflow.nodes
    assert [node.kind for node in workflow.nodes] == ["subworkflow", "task", "task"]
    assert [template.id.name for template in workflow.sub_workflows] == ["samples.sub"]
    assert [sub.name for sub in workflow.flyte_sub_workflows] == ["samples.sub"]
    assert {task.name for task in workflow.flyte_tasks} >= {"samples.make_point", "samples.use_point", "samples.add"}
    assert workflow.failure_node is None
    assert workflow.metadata.on_failure is OnFailurePolicy.FAIL_IMMEDIATELY
    assert workflow.metadata.quality_of_service is None
    assert workflow.metadata.tags == {}
    assert workflow.metadata_defaults.interruptible is False
    assert {binding.var for binding in workflow.outputs} == {"o0", "p", "s"}
    assert workflow.python_interface is not None
    assert workflow.python_interface.outputs == {"o0": int, "p": dict, "s": str}
    assert workflow.created_at is not None
    assert workflow.created_at.tzinfo is UTC
    assert workflow.docs is None
    assert not workflow.should_register
    assert workflow.launch_plans == {}
    assert isinstance(workflow.compiled_closure, CompiledWorkflowClosure)
    assert workflow.compiled_closure.to_flyte_idl().primary.template.nodes[0].id == "start-node"


def test_nodes_know_what_they_run(recordings: Recordings) -> None:
    sub, point, use = fetched(recordings, "samples.chain").nodes
    assert isinstance(sub.flyte_entity, FlyteWorkflow)
    assert sub.flyte_entity.name == "samples.sub"
    assert [node.flyte_entity.name for node in sub.flyte_entity.nodes if isinstance(node.flyte_entity, FlyteTask)]
    assert sub.workflow_node is not None
    assert sub.workflow_node.sub_workflow_ref == identifier("samples.sub")
    assert sub.workflow_node.launchplan_ref is None
    assert sub.workflow_node.flyte_launch_plan is None
    assert sub.task_node is None
    assert isinstance(point.flyte_entity, FlyteTask)
    assert point.task_node is not None
    assert point.task_node.reference_id.name == point.flyte_entity.name == "samples.make_point"
    assert point.metadata.name == "make_point"
    assert point.upstream_node_ids == ("n0",)
    promised = {binding.var: [promise.node_id for promise in binding.promises] for binding in use.inputs}
    assert promised["p"] == ["n1"]
    assert use.output_aliases == {}
    assert repr(use) == "FlyteNode(n2: task)"


def test_a_node_alone_knows_only_ids() -> None:
    message = core_workflow_pb2.Node(id="n0")
    message.task_node.reference_id.name = "t"
    alone = FlyteNode.from_flyte_idl(message)
    assert alone.kind == "task"
    assert alone.task_node is not None
    assert alone.task_node.reference_id.name == "t"
    assert alone.flyte_entity is None
    message.workflow_node.launchplan_ref.name = "lp"
    plan = FlyteNode.from_flyte_idl(message)
    assert plan.kind == "launch_plan"
    assert plan.workflow_node is not None
    assert plan.workflow_node.launchplan_ref is not None
    assert plan.workflow_node.launchplan_ref.name == "lp"
    assert plan.flyte_entity is None
    system = [FlyteNode.from_flyte_idl(core_workflow_pb2.Node(id=name)) for name in ("start-node", "end-node", "x")]
    assert [node.kind for node in system] == ["start", "end", "unknown"]


def test_a_branch(recordings: Recordings) -> None:
    (node,) = fetched(recordings, "samples.branch").nodes
    assert node.kind == "branch"
    branch = node.branch_node
    assert branch is not None
    assert node.flyte_entity == branch
    assert [inner.id for inner in branch.nodes] == ["n0-n0", "n0-n1", "n0-n2"]
    assert isinstance(branch.nodes[0].flyte_entity, FlyteTask)
    assert branch.nodes[0].flyte_entity.name == "samples.add"
    assert branch.error == ""


def test_branches_inside_branches_find_their_workflow(recordings: Recordings) -> None:
    (node,) = fetched(recordings, "more.nested_branch").nodes
    found = set()
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if current.branch_node:
            waiting.extend(current.branch_node.nodes)
        elif isinstance(current.flyte_entity, FlyteTask | FlyteWorkflow):
            found.add(current.flyte_entity.name)
    assert "samples.sub" in found
    assert len(found) > 1


def test_gates(recordings: Recordings) -> None:
    _, number, approval, _ = fetched(recordings, "samples.gates").nodes
    assert number.kind == approval.kind == "gate"
    assert number.gate_node is not None
    assert (number.gate_node.condition, number.gate_node.signal_id) == ("signal", "number")
    assert number.gate_node.output_variable_name == "o0"
    assert str(number.gate_node.type) == "int"
    assert number.gate_node.duration is None
    assert approval.gate_node is not None
    assert (approval.gate_node.condition, approval.gate_node.signal_id) == ("approve", "ok")
    assert approval.gate_node.type is None
    sleep = fetched(recordings, "samples.sleepy").nodes[0].gate_node
    assert sleep is not None
    assert (sleep.condition, sleep.duration, sleep.signal_id) == ("sleep", timedelta(seconds=5), "")


def test_maps(recordings: Recordings) -> None:
    (node,) = fetched(recordings, "samples.mapped").nodes
    assert node.kind == "array"
    array = node.array_node
    assert array is not None
    assert isinstance(array.node.flyte_entity, FlyteTask)
    assert array.execution_mode.name == "MINIMAL_STATE"
    assert array.min_successes is None
    (tolerant,) = fetched(recordings, "more.mapped_tolerant").nodes
    assert tolerant.array_node is not None
    assert tolerant.array_node.min_success_ratio is not None
    assert 0 < tolerant.array_node.min_success_ratio < 1
    message = text_format.Parse(
        'array_node { parallelism: 3 min_successes: 2 bound_inputs: "b" node { id: "x" } }', core_workflow_pb2.Node()
    )
    other = FlyteNode.from_flyte_idl(message).array_node
    assert other is not None
    assert (other.parallelism, other.min_successes, other.min_success_ratio) == (3, 2, None)
    assert other.bound_inputs == ("b",)
    assert other.node.id == "x"
    assert FlyteNode.from_flyte_idl(core_workflow_pb2.Node(array_node=core_workflow_pb2.ArrayNode())).array_node


def test_a_failure_node(recordings: Recordings) -> None:
    node = fetched(recordings, "samples.with_handler").failure_node
    assert node is not None
    assert isinstance(node.flyte_entity, FlyteTask)
    promised = {promise.node_id for binding in node.inputs for promise in binding.promises}
    assert "start-node" not in promised


def test_launch_plans_are_known_when_their_specs_are_given(recordings: Recordings) -> None:
    message = recordings.get("WORKFLOW", "flytesnacks/development/samples.nested_lp/v2")
    bare = FlyteWorkflow.from_workflow(message)
    node = bare.nodes[0]
    assert node.kind == "launch_plan"
    assert node.flyte_entity is None
    assert node.workflow_node is not None
    reference = node.workflow_node.launchplan_ref
    assert reference is not None
    plan = FlyteLaunchPlan.promote_from_model(reference, launch_plan_pb2.LaunchPlanSpec(max_parallelism=5))
    for given in (plan, plan.to_flyte_idl()):
        workflow = FlyteWorkflow.from_workflow(message, {reference: given})
        entity = workflow.nodes[0].flyte_entity
        assert isinstance(entity, FlyteLaunchPlan)
        assert (entity.id, entity.max_parallelism) == (reference, 5)
        assert workflow.launch_plans[reference] == entity
        assert workflow.id == bare.id
        assert workflow != bare


def test_launch_plans_of_a_closure_have_interfaces() -> None:
    closure = compiler_pb2.CompiledWorkflowClosure()
    template = closure.launch_plans.add().template
    template.id.CopyFrom(identifier("lp", ResourceType.LAUNCH_PLAN).to_flyte_idl())
    template.interface.inputs.variables["a"].type.simple = types_pb2.INTEGER
    template.interface.outputs.variables["o0"].type.simple = types_pb2.STRING
    node = closure.primary.template.nodes.add(id="n0")
    node.workflow_node.launchplan_ref.CopyFrom(template.id)
    (promoted,) = FlyteWorkflow.promote_from_closure(closure).nodes
    assert isinstance(promoted.flyte_entity, FlyteLaunchPlan)
    assert str(promoted.flyte_entity.interface) == "(a: int) -> (o0: str)"


def test_the_workflow_of_a_dynamic_node(recordings: Recordings) -> None:
    for response in recordings.messages(node_execution_pb2.DynamicNodeWorkflowResponse):
        workflow = FlyteWorkflow.promote_from_closure(
            CompiledWorkflowClosure.from_flyte_idl(response.compiled_workflow)
        )
        assert workflow.nodes
        assert workflow.created_at is None
        assert workflow.to_workflow().closure.compiled_workflow == response.compiled_workflow
        assert workflow.to_workflow().id == workflow.id.to_flyte_idl()
        assert {node.kind for node in workflow.nodes} <= {"task", "subworkflow", "launch_plan"}


def test_a_workflow_of_templates(recordings: Recordings) -> None:
    known = fetched(recordings, "samples.chain")
    closure = recordings.get("WORKFLOW", "flytesnacks/development/samples.chain/v2").closure.compiled_workflow
    workflow = FlyteWorkflow.promote_from_model(
        WorkflowTemplate.from_flyte_idl(closure.primary.template),
        {identifier("samples.sub"): closure.sub_workflows[0].template},
        {task.id: task for task in known.flyte_tasks},
    )
    assert workflow.to_flyte_idl() == known.to_flyte_idl()
    assert [node.flyte_entity for node in workflow.nodes][1:] == [node.flyte_entity for node in known.nodes][1:]
    assert workflow.compiled_closure is None
    assert isinstance(workflow.nodes[0].flyte_entity, FlyteWorkflow)
    bare = FlyteWorkflow.promote_from_model(closure.primary.template)
    assert [node.flyte_entity for node in bare.nodes] == [None, None, None]
    assert bare.flyte_tasks == ()


def test_a_workflow_made_by_hand(recordings: Recordings) -> None:
    known = fetched(recordings, "samples.chain")
    workflow = FlyteWorkflow(
        id=known.id,
        nodes=known.nodes,
        interface=known.interface,
        output_bindings=known.outputs,
        metadata=known.metadata,
        metadata_defaults=known.metadata_defaults,
        subworkflows=known.flyte_sub_workflows,
        tasks=known.flyte_tasks,
        should_register=True,
    )
    assert workflow.to_flyte_idl() == known.to_flyte_idl()
    assert workflow.should_register
    assert workflow.compiled_closure is None
    assert isinstance(workflow.nodes[0].flyte_entity, FlyteWorkflow)
    assert isinstance(workflow.nodes[1].flyte_entity, FlyteTask)
    compiled = FlyteWorkflow(
        known.id, [], TypedInterface({}, {}), [], None, None, compiled_closure=known.compiled_closure
    )
    assert compiled.compiled_closure == known.compiled_closure
    assert compiled.created_at is None


def test_subworkflows_bring_only_what_they_run(recordings: Recordings) -> None:
    template = core_workflow_pb2.WorkflowTemplate

    def definition(name: str, *runs: str) -> core_workflow_pb2.WorkflowTemplate:
        message = template(id=identifier(name).to_flyte_idl())
        for number, other in enumerate(runs):
            node = message.nodes.add(id=f"n{number}")
            node.workflow_node.sub_workflow_ref.CopyFrom(identifier(other).to_flyte_idl())
        return message

    names = {"a": "bc", "b": "c", "c": "", "d": "a"}
    definitions = [definition(name, *runs) for name, runs in names.items()]
    workflow = FlyteWorkflow.from_flyte_idl(
        workflow_pb2.WorkflowSpec(template=definition("top", "d"), sub_workflows=definitions)
    )
    subs = {sub.name: sub for sub in workflow.flyte_sub_workflows}
    assert {name: sorted(inner.id.name for inner in sub.sub_workflows) for name, sub in subs.items()} == {
        "a": ["b", "c"],
        "b": ["c"],
        "c": [],
        "d": ["a", "b", "c"],
    }
    deep = workflow.nodes[0].flyte_entity
    assert deep == subs["d"]
    assert fetched(recordings, "more.deep").flyte_sub_workflows


def test_system_nodes_are_not_the_authors() -> None:
    nodes = [core_workflow_pb2.Node(id=name) for name in ("start-node", "n0", "end-node", "my-start-node")]
    assert [node.id for node in FlyteWorkflow.get_non_system_nodes(nodes)] == ["n0", "my-start-node"]


def test_workflows_are_equal_by_content_and_hash_by_id(recordings: Recordings) -> None:
    first, second = fetched(recordings, "samples.chain"), fetched(recordings, "samples.chain")
    assert first == second
    assert hash(first) == hash(second) == hash(first.id)
    assert first != FlyteWorkflow.from_flyte_idl(first.to_flyte_idl())
    again = pickle.loads(pickle.dumps(first))
    assert again == first
    assert isinstance(again.nodes[0].flyte_entity, FlyteWorkflow)
    node = pickle.loads(pickle.dumps(first.nodes[1]))
    assert node == first.nodes[1]
    assert node.flyte_entity == first.nodes[1].flyte_entity


def test_what_its_author_wrote() -> None:
    listed = FlyteWorkflow.from_workflow(workflow_pb2.Workflow(short_description="listed")).docs
    assert listed is not None
    assert listed.short_description == "listed"
    spec = workflow_pb2.WorkflowSpec()
    spec.description.short_description = "spec"
    docs = FlyteWorkflow.from_flyte_idl(spec).docs
    assert docs is not None
    assert docs.short_description == "spec"


def test_bindings_say_what_they_take() -> None:
    text = """
        inputs { var: "x" binding { map { bindings { key: "a" value { promise { node_id: "n1" var: "o0"
            attr_path { string_value: "f" } attr_path { int_value: 2 } } } }
          bindings { key: "b" value { collection { bindings { promise { node_id: "n2" } }
            bindings { promise { node_id: "n3" } } bindings { scalar {} } } } } } } }
        output_aliases { var: "o0" alias: "result" }
        metadata { cacheable: true cache_version: "1" interruptible: false
                   retries { retries: 2 } timeout { seconds: 1 } }
    """
    node = FlyteNode.from_flyte_idl(text_format.Parse(text, core_workflow_pb2.Node()))
    (binding,) = node.inputs
    assert [promise.node_id for promise in binding.promises] == ["n1", "n2", "n3"]
    assert binding.promises[0].var == "o0"
    assert binding.promises[0].attr_path == ("f", 2)
    assert node.output_aliases == {"o0": "result"}
    assert (node.metadata.cacheable, node.metadata.cache_version, node.metadata.interruptible) == (True, "1", False)
    assert (node.metadata.retries, node.metadata.timeout) == (2, timedelta(seconds=1))
    nothing = FlyteNode.from_flyte_idl(core_workflow_pb2.Node()).metadata
    assert (nothing.cacheable, nothing.cache_version, nothing.interruptible) == (None, None, None)


def test_a_workflow_as_deep_as_protobuf_goes() -> None:
    # A list in a list, 30 levels down, in a binding: what is read must not depend on Python's stack.
    data = literals_pb2.BindingData(promise={"node_id": "start-node", "var": "a"})
    for _ in range(30):
        data = literals_pb2.BindingData(collection=literals_pb2.BindingDataCollection(bindings=[data]))
    closure = compiler_pb2.CompiledWorkflowClosure()
    closure.primary.template.nodes.add(id="start-node")
    node = closure.primary.template.nodes.add(id="n0")
    node.inputs.add(var="x", binding=data)
    workflow = FlyteWorkflow.promote_from_closure(closure)
    (promoted,) = workflow.nodes
    assert [promise.node_id for promise in promoted.inputs[0].promises] == [""]
    assert pickle.loads(pickle.dumps(workflow)) == workflow
