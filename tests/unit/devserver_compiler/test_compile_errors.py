"""What the compiler says of workflows that are not well formed, in Flyte's words."""

from __future__ import annotations

from typing import Any

import pytest
from flyteidl.admin import launch_plan_pb2
from flyteidl.core import compiler_pb2, workflow_pb2
from google.protobuf import json_format

from flyte_remote_async.devserver.compiler import CompileError, compile_workflow, requirements
from tests.support.compiling import INT, STR, World, identifier, node, problems, promise, scalar, template, within

Json = dict[str, Any]

UNION: Json = {"union_type": {"variants": [INT, {"simple": "NONE"}]}}
LISTS: Json = {"union_type": {"variants": [{"collection_type": INT}, {"collection_type": {**INT, "annotation": {}}}]}}
POINT: Json = {"simple": "STRUCT", "structure": {"dataclass_type": {"y": STR, "x": INT}}}
IS_A: Json = {"comparison": {"left_value": {"var": ".a"}, "right_value": {"primitive": {"integer": 1}}}}


def text(kind: str, name: str) -> str:
    return f'resource_type:{kind} project:"p" domain:"d" name:"{name}" version:"v"'


def branch(case: Json | None = None, **more: Any) -> Json:
    return {"branch_node": {"if_else": {**({} if case is None else {"case": case}), **more}}}


def case(condition: Json | None = None, then: Json | None = None) -> Json:
    return {"condition": condition or IS_A, "then_node": then or node("x", "one", a=promise())}


def gate(**condition: Json) -> Json:
    return {"gate_node": condition}


FAIL: Json = {"error": {"message": "no case"}}
ONE: Json = node("n0", "one", a=promise())


def typed(name: str, declared: Json) -> World:
    world = World.small()
    world.task(name, {"v": declared}, {"o0": declared})
    return world


def one(whole: Json, world: World | None = None) -> tuple[str, str, str]:
    """Return the only thing that is wrong."""
    (problem,) = problems(world or World.small(), whole)
    return problem


def test_a_whole_workflow_has_no_problems() -> None:
    whole = template(
        ONE,
        node("n1", "two", a=promise("n0", "o0"), b=scalar(2)),
        node("n2", {"workflow_node": {"launchplan_ref": identifier("LAUNCH_PLAN", "lp")}}, a=promise("n1", "o0")),
        node("n3", branch(case(), **FAIL), __a=promise("n2", "o0")),
        node("n4", gate(approve={"signal_id": "s"}), o0=promise("n3", "o0")),
        node("n5", gate(signal={"signal_id": "t", "type": INT, "output_variable_name": "o0"}), after=["n4"]),
        node("n6", gate(sleep={"duration": "1s"})),
        outputs={"o0": promise("n5", "o0")},
        failure_node=node("fn", "one", a=promise()),
    )
    assert problems(World.small(), whole) == []


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        ({}, ("ParameterNotBound", "n0", "Parameter not bound [a].")),
        ({"a": promise(), "b": scalar(1)}, ("VariableNameNotFound", "n0", "Variable [b] not found on node [n0].")),
        ({"a": {}}, ("ValueRequired", "n0", "Value required [Binding].")),
        (
            {"a": promise(var="z")},
            ("VariableNameNotFound", "start-node", "Variable [z] not found on node [start-node]."),
        ),
        ({"a": promise("nope")}, ("NodeReferenceNotFound", "nope", "Referenced node [nope] not found.")),
        ({"a": promise(var="a.b")}, ("SyntaxError", "n0", "Failed to parse element [a.b].")),
        (
            {"a": scalar("x")},
            (
                "MismatchingTypes",
                "n0",
                "Variable [a] (type [simple:STRING]) doesn't match expected type [simple:INTEGER].",
            ),
        ),
        (
            {"a": {"binding": {"collection": {"bindings": [scalar(1)["binding"]]}}}},
            (
                "MismatchingBindings",
                "n0",
                (
                    "Input [a] on node [n0] expects bindings of type [simple:INTEGER].  "
                    "Received [bindings:{scalar:{primitive:{integer:1}}}]"
                ),
            ),
        ),
        (
            {"a": {"binding": {}}},
            (
                "MismatchingBindings",
                "n0",
                "Input [a] on node [n0] expects bindings of type [simple:INTEGER].  Received []",
            ),
        ),
        ({"a": {"binding": {"scalar": {}}}}, ("UnrecognizedValue", "n0", "Unrecognized value [<nil>].")),
        (
            {"a": {"binding": {"scalar": {"blob": {"uri": "s3://x"}}}}},
            ("UnrecognizedValue", "n0", "Unrecognized value [*core.Scalar_Blob]."),
        ),
    ],
)
def test_bindings(bound: Json, expected: tuple[str, str, str]) -> None:
    assert expected in problems(World.small(), template(node("n0", "one", **bound)))


def test_an_output_of_a_node_without_an_interface() -> None:
    whole = template(node("n0", {"gate_node": {}}), node("n1", "one", a=promise("n0", "o0")))
    assert ("VariableNameNotFound", "n0", "Variable [o0] not found on node [n0].") in problems(World.small(), whole)


def test_an_input_is_bound_once() -> None:
    whole = template({**ONE, "inputs": [{"var": "a", **scalar(1)}, {"var": "a", **scalar(2)}]})
    assert one(whole) == ("ParameterBoundMoreThanOnce", "n0", "Input [a] is bound more than once.")


def test_an_output_of_another_type() -> None:
    named = {"metadata": {"name": "first"}}
    whole = template({**ONE, **named}, {**node("n1", "text", s=promise("n0", "o0")), "metadata": {"name": "second"}})
    assert one(whole) == (
        "MismatchingTypes",
        "n1",
        (
            "The output variable 'first.o0' has type [simple:INTEGER], but it's assigned to the input variable "
            "'second.s' which has type type [simple:STRING]."
        ),
    )


@pytest.mark.parametrize("declared", [{"collection_type": INT}, {"map_value_type": INT}])
@pytest.mark.parametrize(("value", "fits"), [(scalar(1), True), (promise(), True), (scalar("x"), False)])
def test_collections_and_maps_are_looked_into(declared: Json, value: Json, *, fits: bool) -> None:
    kind = "collection" if "collection_type" in declared else "map"
    inner = [value["binding"]] if kind == "collection" else {"k": value["binding"]}
    whole = template(node("n0", "many", v={"binding": {kind: {"bindings": inner}}}))
    assert (problems(typed("many", declared), whole) == []) is fits


def test_an_element_of_a_list_and_fields_of_a_structure() -> None:
    world = typed("many", {"collection_type": POINT})
    many = node("n0", "many", v={"binding": {"collection": {}}})
    path = [{"int_value": 0}, {"string_value": "x"}]
    assert problems(world, template(many, node("n1", "one", a=promise("n0", "o0", attr_path=path)))) == []
    first = promise("n0", "[0].o0", attr_path=path[1:])
    assert problems(world, template(many, node("n1", "one", a=first))) == []
    wrong = promise("n0", "o0", attr_path=[{"int_value": 0}, {"string_value": "z"}])
    code, node_id, description = one(template(many, node("n1", "one", a=wrong)), world)
    assert (code, node_id) == ("FieldNotFound", "n1")
    assert description.startswith("Variable [o0] (type [simple:STRUCT structure:{dataclass_type:{key:")
    assert description.endswith("doesn't have field [z].")
    other = promise("n0", "o0", attr_path=path[:1])
    assert one(template(many, node("n1", "one", a=other)), world)[2] == (
        "The output variable 'o0' has type [simple: STRUCT structure{dataclass_type:{key:x value:{simple:INTEGER}, "
        "dataclass_type:{key:y value:{simple:STRING}}], but it's assigned to the input variable 'a' which has type "
        "type [simple:INTEGER]."
    )


def test_values_of_a_map_and_of_what_has_no_parts() -> None:
    world = typed("mapped", {"map_value_type": INT})
    mapped = node("n0", "mapped", v={"binding": {"map": {}}})
    path = [{"string_value": "k"}]
    assert problems(world, template(mapped, node("n1", "one", a=promise("n0", "o0", attr_path=path)))) == []
    # A path into a value without parts is not looked at.
    assert problems(world, template(node("n0", "one", a=promise(attr_path=path)))) == []


def test_an_element_of_what_is_no_list() -> None:
    assert one(template(node("n0", "one", a=promise(var="[0].a"))))[:2] == ("MismatchingTypes", "n0")


@pytest.mark.parametrize(
    ("declared", "value", "code"),
    [
        (UNION, scalar(1), None),
        (UNION, scalar("x"), "MismatchingTypes"),
        (LISTS, {"binding": {"collection": {"bindings": [scalar(1)["binding"]]}}}, "AmbiguousBindingUnionValue"),
        (LISTS, {"binding": {"map": {}}}, "IncompatibleBindingUnionValue"),
        (
            {"union_type": {"variants": [{"collection_type": INT}, STR]}},
            {"binding": {"collection": {"bindings": [scalar(1)["binding"]]}}},
            None,
        ),
        ({"enum_type": {"values": ["a", "b"]}}, scalar("a"), None),
    ],
)
def test_unions_and_enums(declared: Json, value: Json, code: str | None) -> None:
    found = problems(typed("t", declared), template(node("n0", "t", v=value)))
    assert [problem[0] for problem in found] == ([code] if code else [])


def test_a_value_that_an_enum_does_not_have() -> None:
    world = typed("t", {"enum_type": {"values": ["a", "b"]}})
    assert one(template(node("n0", "t", v=scalar("c"))), world) == (
        "IllegalEnumValue",
        "n0",
        "Input [v] on node [n0] is an Enum and expects value to be one of [[a b]].  Received [c]",
    )


def test_ambiguous_unions_are_told_with_both_variants() -> None:
    whole = template(node("n0", "t", v={"binding": {"collection": {}}}))
    _, _, description = one(whole, typed("t", LISTS))
    assert description.startswith("Input [v] on node [n0] expects bindings of union type [union_type:{variants:{")
    assert (
        "Received [collection:{}] which is ambiguous as both variants [collection_type:{simple:INTEGER}]" in description
    )


def test_an_optional_input_may_be_left_out() -> None:
    assert problems(typed("t", UNION), template(node("n0", "t"))) == []


def test_an_alias_renames_an_output() -> None:
    aliased = {**ONE, "output_aliases": [{"var": "o0", "alias": "total"}]}
    assert problems(World.small(), template(aliased, node("n1", "one", a=promise("n0", "total")))) == []
    assert ("VariableNameNotFound", "n0", "Variable [o0] not found on node [n0].") in problems(
        World.small(), template(aliased, node("n1", "one", a=promise("n0", "o0")))
    )
    twice = {**ONE, "output_aliases": [{"var": "o0", "alias": "x"}, {"var": "o0", "alias": "y"}]}
    assert one(template(twice)) == (
        "DuplicateAlias",
        "n0",
        "Duplicate alias [y] found. An output alias can only be used once in the Workflow.",
    )
    unknown = {**ONE, "output_aliases": [{"var": "zz", "alias": "x"}]}
    assert one(template(unknown)) == ("ParameterNotBound", "n0", "Parameter not bound [x].")


# --- references ---


def test_references_to_what_there_is_not() -> None:
    whole = template(
        node("n0", "nope"),
        node("n1", {"workflow_node": {"launchplan_ref": identifier("LAUNCH_PLAN", "nope")}}),
        node("n2", within("nope")),
    )
    assert problems(World.small(), whole) == [
        ("TaskReferenceNotFound", "start-node", f"Referenced Task [{text('TASK', 'nope')}] not found."),
        ("WorkflowReferenceNotFound", "n2", f"Referenced Workflow [{text('WORKFLOW', 'nope')}] not found."),
        ("WorkflowReferenceNotFound", "start-node", f"Referenced Workflow [{text('LAUNCH_PLAN', 'nope')}] not found."),
    ]


@pytest.mark.parametrize(
    ("target", "code", "description"),
    [
        ({}, "ValueRequired", "Value required [Target]."),
        ({"task_node": {}}, "ValueRequired", "Value required [TaskNode.ReferenceId]."),
        ({"workflow_node": {}}, "WorkflowReferenceNotFound", "Referenced Workflow [<nil>/<nil>] not found."),
        ({"gate_node": {}}, "NoConditionFound", "Can't find any condition in gate node [n0]."),
        (gate(signal={}), "ValueRequired", "Value required [GateNode.Signal.Type]."),
        (gate(signal={"type": INT}), "ValueRequired", "Value required [GateNode.Signal.OutputVariableName]."),
        ({"branch_node": {}}, "ValueRequired", "Value required [Branch.IfElse]."),
        (branch(), "ValueRequired", "Value required [Branch.IfElse.Case]."),
        (branch({"condition": IS_A}), "ValueRequired", "Value required [Branch.IfElse.Case.ThenNode]."),
    ],
)
def test_nodes_without_a_target(target: Json, code: str, description: str) -> None:
    assert (code, "n0", description) in problems(World.small(), template(node("n0", target)))


def test_an_array_takes_the_interface_of_its_node() -> None:
    world = typed("many", {"collection_type": INT})
    inner = node("inner", "many", v={"binding": {"collection": {}}})
    assert problems(world, template({**inner, "id": "n0", "array_node": {"node": inner}} | {"task_node": None})) == []
    assert ("ValueRequired", "", "Value required [Target].") in problems(
        world, template(node("n0", {"array_node": {}}))
    )


def test_a_launch_plan_without_expectations() -> None:
    world = World.small()
    world.launch_plans["lp"].ClearField("closure")
    whole = template(node("n0", {"workflow_node": {"launchplan_ref": identifier("LAUNCH_PLAN", "lp")}}))
    assert [problem[2] for problem in problems(world, whole)] == [
        "Value required [WorkflowNode.ExpectedInputs].",
        "Value required [WorkflowNode.ExpectedOutputs].",
    ]


def test_a_launch_plan_may_be_given_what_it_defaults() -> None:
    lp = {"workflow_node": {"launchplan_ref": identifier("LAUNCH_PLAN", "lp")}}
    assert problems(World.small(), template(node("n0", lp, a=promise(), b=promise()))) == []
    assert one(template(node("n0", lp)))[2] == "Parameter not bound [a]."


def test_variables_without_a_name_or_a_type() -> None:
    whole = template(ONE)
    whole["interface"]["inputs"]["variables"][""] = {}
    assert problems(World.small(), whole) == [
        ("ValueRequired", "start-node", "Value required [param.Type]."),
        ("ValueRequired", "start-node", "Value required [paramName]."),
    ]


# --- branches ---


def conditioned(condition: Json) -> Json:
    return template(node("n0", branch(case(condition), **FAIL), __a=promise()))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"comparison": {"left_value": {"var": ".a"}}}, ("ValueRequired", "Value required [RightValue].")),
        (
            {"comparison": {"left_value": {}, "right_value": {"var": ".a"}}},
            ("ValueRequired", "Value required [LeftValue.Val]."),
        ),
        (
            {"comparison": {"left_value": {"var": ".z"}, "right_value": {"var": ".a"}}},
            ("VariableNameNotFound", "Variable [.z] not found on node [n0]."),
        ),
        (
            {"comparison": {"left_value": {"var": ".a"}, "right_value": {"primitive": {"boolean": True}}}},
            (
                "MismatchingTypes",
                "Variable [RightValue] (type [simple:BOOLEAN]) doesn't match expected type [simple:INTEGER].",
            ),
        ),
        (
            {"conjunction": {"left_expression": IS_A}},
            ("BranchNodeHasNoCondition", "One of the branches on the node doesn't have a condition."),
        ),
        ({"conjunction": {"left_expression": IS_A, "right_expression": IS_A}}, None),
        ({"comparison": {"left_value": {"primitive": {}}, "right_value": {"primitive": {}}}}, None),
        ({"comparison": None}, ("ValueRequired", "Value required [Expr].")),
    ],
)
def test_conditions(condition: Json, expected: tuple[str, str] | None) -> None:
    found = problems(World.small(), conditioned(condition))
    assert [(code, description) for code, _, description in found] == ([expected] if expected else [])


def test_a_variable_of_a_node_without_an_interface() -> None:
    broken = node("n0", branch(case(then=node("x", "text")), other=[{}], **FAIL), __a=promise())
    assert {"ValueRequired", "BranchNodeHasNoCondition", "BranchNodeIdNotFound"} <= {
        code for code, _, _ in problems(World.small(), template(broken))
    }


def test_a_branch_needs_a_default() -> None:
    assert one(template(node("n0", branch(case()), __a=promise()))) == (
        "BranchNodeHasNoDefault",
        "n0",
        "Branch Node must have either the else case set or a default error.",
    )


def test_the_outputs_of_a_branch_are_those_of_all_cases() -> None:
    world = World.small()
    world.task("worded", {"a": INT}, {"o0": STR})
    other = {"else_node": node("y", "worded", a=promise())}
    assert problems(world, template(node("n0", branch(case(), **other), __a=promise()))) == [
        (
            "MismatchingTypes",
            "n0-y",
            "Variable [o0] (type [simple:INTEGER]) doesn't match expected type [simple:STRING].",
        ),
        # Without an interface a node has no edges, and no variables for its conditions.
        ("UnreachableNodes", "start-node", "The Workflow contain unreachable nodes [n0]."),
        ("ValueRequired", "n0", "Value required [.a]."),
    ]
    none = {"else_node": node("y", "none")}
    whole = template(node("n0", branch(case(), **none), __a=promise()), outputs={"o0": promise("n0", "o0")})
    assert ("VariableNameNotFound", "n0", "Variable [o0] not found on node [n0].") in problems(World.small(), whole)


def test_branches_inside_of_branches_are_named_by_both() -> None:
    inner = node("in", branch(case(), **FAIL), __a=promise())
    closure = World.small().compile(template(node("n0", branch(case(then=inner), **FAIL), __a=promise())))
    outer = closure.primary.template.nodes[2].branch_node.if_else.case.then_node
    assert outer.id == "n0-in"
    assert outer.branch_node.if_else.case.then_node.id == "n0-in-x"
    assert list(closure.primary.connections.upstream["n0-in-x"].ids) == ["start-node"]
    assert "n0-in-x" not in closure.primary.connections.downstream["start-node"].ids


def test_a_branch_knows_the_nodes_before_it_only() -> None:
    whole = template(node("n0", branch(case(), **FAIL), __a=promise("n1", "o0")), node("n1", "one", a=promise()))
    assert ("NodeReferenceNotFound", "n1", "Referenced node [n1] not found.") in problems(World.small(), whole)


# --- graphs ---


def test_nodes_that_cannot_be_reached() -> None:
    whole = template(ONE, node("n1", "none", after=["n2"]), node("n2", "none", after=["n1"]))
    assert one(whole) == ("UnreachableNodes", "start-node", "The Workflow contain unreachable nodes [n1,n2].")


def test_reserved_and_missing_ids() -> None:
    closure = World.small().compile(template(ONE, node("start-node", "none"), node("n0", "none")))
    # A second node of the same id is left out.
    assert [each.id for each in closure.primary.template.nodes] == ["start-node", "end-node", "n0"]
    assert closure.primary.template.nodes[2].task_node.reference_id.name == "one"
    assert one(template({**ONE, "id": ""}))[:3] == ("ValueRequired", "<node>", "Value required [Id].")


def test_nodes_that_nothing_waits_for_end_before_the_end() -> None:
    closure = World.small().compile(template(node("n0", "none"), node("n1", "none", after=["n0"])))
    connections = closure.primary.connections
    assert list(connections.downstream["start-node"].ids) == ["n0"]
    assert list(connections.upstream["end-node"].ids) == ["n1"]


def test_an_upstream_node_that_there_is_not_is_taken_as_it_is() -> None:
    closure = World.small().compile(template(node("n0", "one", a=promise(), after=["nope"])))
    assert list(closure.primary.connections.upstream["n0"].ids) == ["nope", "start-node"]


# --- subworkflows ---


def sub(whole: Json, *names: str) -> tuple[World, Json]:
    world = World.small()
    for name in names or ("sub",):
        inner = json_format.ParseDict({**whole, "id": identifier("WORKFLOW", name)}, workflow_pb2.WorkflowTemplate())
        world.sub_workflows.append(inner)
    return world, template(*(node(name, within(name), a=promise()) for name in names or ("sub",)))


def test_what_is_wrong_inside_of_a_subworkflow() -> None:
    world, whole = sub(template(node("n0", "one")))
    assert one(whole, world) == ("ParameterNotBound", "n0", "Parameter not bound [a].")
    world, whole = sub(template())
    assert one(whole, world)[0] == "NoNodesFound"
    world, whole = sub({key: value for key, value in template(ONE).items() if key != "interface"})
    assert ("ValueRequired", "sub", "Value required [WorkflowNode.Template.Interface].") in problems(world, whole)


def test_a_subworkflow_that_no_node_uses_stays_as_it_came() -> None:
    world, _ = sub(template(ONE))
    closure = world.compile(template(ONE))
    assert [each.id for each in closure.sub_workflows[0].template.nodes] == ["n0"]
    assert not closure.sub_workflows[0].HasField("connections")


def test_two_subworkflows_of_one_name_and_one_without() -> None:
    world, whole = sub(template(ONE), "sub", "sub")
    assert one(whole, world)[:2] == ("DuplicateId", text("WORKFLOW", "sub"))
    world.sub_workflows[1].ClearField("id")
    with pytest.raises(CompileError) as caught:
        requirements(workflow_pb2.WorkflowTemplate(), world.sub_workflows)
    assert str(caught.value) == "Collected Errors: 0\n"


def test_a_workflow_may_start_a_launch_plan_under_its_own_identifier() -> None:
    recursive = node("n0", {"workflow_node": {"launchplan_ref": identifier("WORKFLOW", "wf")}}, a=promise())
    world = World.small()
    world.launch_plans["wf"] = launch_plan_pb2.LaunchPlan()
    json_format.ParseDict({"id": identifier("WORKFLOW", "wf")}, world.launch_plans["wf"])
    assert problems(world, template(recursive)) == []


def test_tasks_must_have_identifiers() -> None:
    with pytest.raises(CompileError, match=r"Value required \[Template.Id\]"):
        compile_workflow(workflow_pb2.WorkflowTemplate(), [], [compiler_pb2.CompiledTask()], [])


def test_a_task_without_an_interface_has_no_variables() -> None:
    world = World.small()
    world.tasks["none"].template.ClearField("interface")
    assert problems(world, template(node("n0", "none"))) == []
