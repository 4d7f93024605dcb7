"""Nodes, data by address, entities, projects and signals: what the recorded behaviours leave open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.admin import description_entity_pb2, execution_pb2, project_pb2
from flyteidl.core import interface_pb2, literals_pb2, types_pb2

from flyte_remote_async.devserver.services.expected_inputs import expected_inputs
from flyte_remote_async.errors import (
    AlreadyExistsError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    RPCError,
    UnimplementedError,
    UnknownError,
)
from flyte_remote_async.transport.methods import GET_TASK, METHODS

if TYPE_CHECKING:
    from flyte_remote_async.devserver import DevServer
    from tests.support.raw import Asking
    from tests.support.recordings import Recordings

pytestmark = pytest.mark.anyio

PLACE = {"project": "flytesnacks", "domain": "development"}
ADD = {**PLACE, "resource_type": "TASK", "name": "samples.add", "version": "v2"}
WIDE5 = {**PLACE, "resource_type": "WORKFLOW", "name": "samples.wide5", "version": "v2"}
RUN = {**PLACE, "name": "e"}
NO_LINK = "error while validating request. Error: "
NODE = {"execution_id": RUN, "node_id": "n0"}


async def test_entities_that_there_are_not(ask: Asking) -> None:
    for kind in ("TASK", "WORKFLOW", "LAUNCH_PLAN"):
        rpc = "Get" + kind.title().replace("_", "")
        assert await refusal(ask, rpc, id=ADD | {"resource_type": kind, "name": "nope"}) == (
            "NOT_FOUND",
            (
                f'missing entity of type {kind} with identifier project:"flytesnacks" domain:"development" '
                'name:"nope" version:"v2"'
            ),
        )


async def put_executions(dev: DevServer, count: int, **closure: Any) -> None:
    for number in range(count):
        await dev.store.put_execution(
            execution_pb2.Execution(id={**PLACE, "domain": "staging", "name": f"e{number}"}, closure=closure)
        )


@pytest.mark.parametrize(("limit", "token"), [(2, "2"), (3, "3"), (4, "")])
async def test_a_full_page_has_a_token_and_another_has_none(
    dev: DevServer, ask: Asking, limit: int, token: str
) -> None:
    await put_executions(dev, 3)
    place = {**PLACE, "domain": "staging"}
    page = await ask("ListExecutions", id=place, limit=limit)
    assert (len(page.executions), page.token) == (min(limit, 3), token)
    if token:
        rest = await ask("ListExecutions", id=place, limit=limit, token=token)
        assert (len(rest.executions), rest.token) == (3 - limit, "")


async def test_a_list_cuts_errors_between_two_characters(dev: DevServer, ask: Asking) -> None:
    await put_executions(dev, 1, error={"message": "x" * 99 + "\N{SNOWMAN}"})
    (found,) = (await ask("ListExecutions", id={**PLACE, "domain": "staging"}, limit=9)).executions
    assert found.closure.error.message == "x" * 99


async def test_a_list_shows_what_is_archived_only_when_it_is_asked_for_states(dev: DevServer, ask: Asking) -> None:
    await put_executions(dev, 2)
    place = {**PLACE, "domain": "staging"}
    await ask("UpdateExecution", id={**place, "name": "e0"}, state="EXECUTION_ARCHIVED")
    shown = {
        filters: [each.id.name for each in (await ask("ListExecutions", id=place, limit=9, filters=filters)).executions]
        for filters in ("", "eq(state,1)", "value_in(state,0;1)")
    }
    assert shown == {"": ["e1"], "eq(state,1)": ["e0"], "value_in(state,0;1)": ["e0", "e1"]}


async def refusal(ask: Asking, rpc: str, /, **request: Any) -> tuple[str, str]:
    with pytest.raises(RPCError) as caught:
        await ask(rpc, **request)
    return caught.value.code, caught.value.details


@pytest.mark.parametrize(
    ("rpc", "request_", "details"),
    [
        ("ListNodeExecutions", {"limit": 1}, "missing execution_id"),
        ("GetTaskExecution", {}, "missing id"),
        ("GetTaskExecution", {"id": {}}, "missing node_execution_id"),
        ("GetTaskExecution", {"id": {"node_execution_id": {}}}, "missing execution_id"),
        ("GetTaskExecution", {"id": {"node_execution_id": {"execution_id": RUN}}}, "missing node_id"),
        ("GetTaskExecution", {"id": {"node_execution_id": NODE}}, "missing task_id"),
        (
            "GetTaskExecution",
            {"id": {"node_execution_id": NODE, "task_id": WIDE5}},
            (
                'unexpected resource type workflow for identifier [resource_type:WORKFLOW project:"flytesnacks" '
                'domain:"development" name:"samples.wide5" version:"v2"], expected task instead'
            ),
        ),
        ("GetTaskExecution", {"id": {"node_execution_id": NODE, "task_id": {"resource_type": 1}}}, "missing project"),
        ("GetWorkflow", {}, "missing id"),
        ("GetWorkflow", {"id": WIDE5 | {"version": ""}}, "missing version"),
        (
            "GetLaunchPlan",
            {"id": {"resource_type": 1, "name": "x"}},
            'unexpected resource type task for identifier [resource_type:TASK name:"x"], expected launch_plan instead',
        ),
        ("ListSignals", {"limit": 1}, "missing execution_id"),
        ("GetOrCreateSignal", {}, "missing id"),
        ("GetOrCreateSignal", {"id": {"signal_id": "s"}}, "missing execution_id"),
        ("GetOrCreateSignal", {"id": {"execution_id": RUN}}, "missing signal_id"),
        ("GetOrCreateSignal", {"id": {"signal_id": "s", "execution_id": RUN}}, "missing type"),
        ("SetSignal", {"id": {"signal_id": "s", "execution_id": RUN}}, "missing value"),
        ("ListTasks", {"limit": 1}, "missing id"),
        ("RegisterProject", {}, "missing project"),
        ("RegisterProject", {"project": {"id": "x", "name": "n" * 65}}, "project_name cannot exceed 64 characters"),
        (
            "RegisterProject",
            {"project": {"id": "x", "name": "x", "domains": [{"id": "d"}]}},
            "Domains are currently only set system wide. Please retry without domains included in your request.",
        ),
        ("GetProject", {}, "missing project_id"),
        ("GetNamedEntity", {}, "invalid value for resource_type"),
        ("GetNamedEntity", {"resource_type": "TASK"}, "missing id"),
        ("UpdateNamedEntity", {"resource_type": "TASK", "id": RUN}, "missing metadata"),
        ("ListNamedEntities", {}, "missing project"),
        ("ListNamedEntities", {**PLACE}, "invalid value for resource_type"),
        (
            "ListNamedEntities",
            {**PLACE, "resource_type": "DATASET", "limit": 1},
            "Cannot list entity names for resource type: DATASET",
        ),
        ("GetActiveLaunchPlan", {"id": {}}, "missing project"),
        ("CreateDownloadLink", {}, f"{NO_LINK}invalid artifact type [ARTIFACT_TYPE_UNDEFINED]"),
        (
            "CreateDownloadLink",
            {"artifact_type": 1},
            f"{NO_LINK}source is required. Provided nil",
        ),
    ],
)
async def test_what_is_not_complete_is_refused(ask: Asking, rpc: str, request_: dict[str, Any], details: str) -> None:
    assert await refusal(ask, rpc, **request_) == ("INVALID_ARGUMENT", details)


async def test_the_rpcs_that_there_are_not(dev: DevServer) -> None:
    transport = dev.transport()
    refused = {}
    for method in METHODS.values():
        try:
            await transport.unary(method, b"")
        except UnimplementedError as error:
            refused[method.name] = error.details
        except RPCError:
            pass
    auth, identity = (f"unknown service flyteidl.service.{name}Service" for name in ("AuthMetadata", "Identity"))
    assert refused == {
        "GetOAuth2Metadata": auth,
        "GetPublicClientConfig": auth,
        "UserInfo": identity,
    }


async def test_a_malformed_request_is_internal_as_in_grpc_go(dev: DevServer) -> None:
    with pytest.raises(InternalError, match="grpc: error unmarshalling request"):
        await dev.transport().unary(GET_TASK, b"\xff\xff\xff")


async def test_data_by_address(ask: Asking, recordings: Recordings) -> None:
    record = recordings.of_kind("TASK_EXECUTION_DATA", "samples.chain")[0]
    data, attempt = record.message, recordings.get("TASK_EXECUTION", record.key)
    node = data.flyte_urls.outputs.rsplit("/", 2)[0]
    for url, literals in ((data.flyte_urls.inputs, data.full_inputs), (data.flyte_urls.outputs, data.full_outputs)):
        assert (await ask("GetData", flyte_url=url)).literal_map == literals
        for name, literal in literals.literals.items():
            assert (await ask("GetData", flyte_url=f"{url}/{name}")).literal == literal
    code, details = await refusal(ask, "GetData", flyte_url=f"{node}/o/zz")
    assert (code, details.startswith("name [zz] not found in node execution [node_id:")) == ("INVALID_ARGUMENT", True)
    code, details = await refusal(ask, "GetData", flyte_url=f"{node}/7/o")
    assert (code, details.startswith("no task executions were listed [")) == ("INVALID_ARGUMENT", True)
    assert (await refusal(ask, "GetData", flyte_url=f"{node}x/o"))[0] == "NOT_FOUND"
    assert attempt.id.retry_attempt == 0


async def test_names_are_listed_once_and_in_pages(ask: Asking, recordings: Recordings) -> None:
    for rpc, kind in (("ListTaskIds", "TASK"), ("ListWorkflowIds", "WORKFLOW"), ("ListLaunchPlanIds", "LAUNCH_PLAN")):
        wanted = {record.message.id.name for record in recordings.of_kind(kind)}
        seen: list[str] = []
        token = ""
        while True:
            page = await ask(rpc, **PLACE, limit=10, token=token, sort_by={"key": "name", "direction": 1})
            seen += [entity.name for entity in page.entities]
            token = page.token
            if not token:
                break
        assert seen == sorted(wanted)


async def test_named_entities_are_described_and_found_by_state(ask: Asking) -> None:
    task = {"resource_type": "TASK", "id": {**PLACE, "name": "samples.add"}}
    await ask("UpdateNamedEntity", **task, metadata={"description": "adds"})
    await ask("UpdateNamedEntity", **task, metadata={"state": "NAMED_ENTITY_ARCHIVED"})
    found = await ask("GetNamedEntity", **task)
    assert (found.metadata.description, found.metadata.state) == ("adds", 1)
    listing = {**PLACE, "resource_type": "TASK", "limit": 100}
    archived = await ask("ListNamedEntities", **listing, filters="eq(state,1)")
    assert [entity.id.name for entity in archived.entities] == ["samples.add"]
    active = await ask("ListNamedEntities", **listing, filters="eq(state,0)")
    described = await ask("ListNamedEntities", **listing, filters="contains(description,add)")
    assert len(active.entities) == 27
    assert [entity.id.name for entity in described.entities] == ["samples.add"]
    with pytest.raises(UnknownError, match='column "state" does not exist'):
        await ask("ListNamedEntities", **listing, sort_by={"key": "state"})
    with pytest.raises(InvalidArgumentError, match="invalid sort key 'version'"):
        await ask("ListNamedEntities", **listing, sort_by={"key": "version"})
    with pytest.raises(InvalidArgumentError, match="invalid sort order specified"):
        await ask("ListNamedEntities", **listing, sort_by={"key": "name", "direction": 7})
    with pytest.raises(InvalidArgumentError, match="resource type: DATASET"):
        await ask("GetNamedEntity", resource_type="DATASET", id=task["id"])


async def test_a_task_is_registered_as_it_is_sent(ask: Asking) -> None:
    template = (await ask("GetTask", id=ADD)).closure.compiled_task.template
    mine = ADD | {"name": "mine", "version": "1"}
    await ask("CreateTask", id=mine, spec={"template": template, "description": {"short_description": "s"}})
    made = await ask("GetTask", id=mine)
    assert made.short_description == "s"
    assert made.closure.compiled_task.template.id == made.id
    assert made.closure.compiled_task.template.interface == template.interface
    for field, details in (("metadata", "metadata"), ("type", "type"), ("interface", "typed interface")):
        less = type(template)()
        less.CopyFrom(template)
        less.ClearField(field)
        assert await refusal(ask, "CreateTask", id=mine, spec={"template": less}) == (
            "INVALID_ARGUMENT",
            f"missing {details}",
        )
    less = type(template)()
    less.CopyFrom(template)
    less.container.image = ""
    assert (await refusal(ask, "CreateTask", id=mine, spec={"template": less}))[1] == "missing image"
    less.metadata.runtime.version = ""
    assert (await refusal(ask, "CreateTask", id=mine, spec={"template": less}))[1] == "missing runtime version"
    template.container.args[0] = "other"
    code, details = await refusal(ask, "CreateTask", id=mine, spec={"template": template})
    assert code == "INVALID_ARGUMENT"
    assert details.endswith(":\n/template/Target/Container/args/0:\n\t- pyflyte-execute \n\t+ other")
    wrong = WIDE5 | {"name": "mine"}
    assert (await refusal(ask, "CreateTask", id=wrong, spec={}))[1].startswith("unexpected resource type workflow")


PLAN = {**PLACE, "resource_type": "LAUNCH_PLAN", "name": "mine", "version": "1"}
ONE = {"scalar": {"primitive": {"integer": 1}}}
TEXT = {"scalar": {"primitive": {"string_value": "x"}}}
IS_TEXT = {"var": {"type": {"simple": "STRING"}}, "default": TEXT}


@pytest.mark.parametrize(
    ("spec", "details"),
    [
        ({"default_inputs": {"parameters": {"z": IS_TEXT}}}, "unexpected default_input z"),
        (
            {"default_inputs": {"parameters": {"a": IS_TEXT}}},
            "invalid default_input wrong type a, expected simple:STRING, got simple:INTEGER instead",
        ),
        (
            {"default_inputs": {"parameters": {"a": {"default": ONE}}}},
            "The Variable component of the Parameter a in default_inputs either is missing, or has a missing Type",
        ),
        (
            {"default_inputs": {"parameters": {"a": {"var": {"type": {"simple": "INTEGER"}}}}}},
            (
                "Invalid variable a in default_inputs - variable has neither default, nor is required. "
                "One must be specified"
            ),
        ),
        ({"fixed_inputs": {"literals": {"": ONE}}}, "missing key in fixed_inputs"),
        ({"fixed_inputs": {"literals": {"a": {}}}}, "missing valid literal in fixed_inputs a"),
        (
            {"fixed_inputs": {"literals": {"a": {"scalar": {}}}}},
            (
                "Failed to validate literal type for [a] with err: got unknown literal type: [<nil>].\n"
                "Suggested solution: Please update all your Flyte deployment images to the latest version and try again"
            ),
        ),
        (
            {"entity_metadata": {"schedule": {"cron_expression": "* * * * *"}}},
            "Cannot create a launch plan with a schedule if there is an unbound required input. [a] is required",
        ),
        (
            {
                "fixed_inputs": {"literals": {"a": ONE}},
                "entity_metadata": {"schedule": {"rate": {"value": 1}, "kickoff_time_input_arg": "t"}},
            },
            (
                "Cannot create a schedule with a KickoffTimeInputArg that does not point to a free input. "
                "[t] is not free or does not exist."
            ),
        ),
    ],
)
async def test_launch_plans_that_do_not_fit_are_refused(ask: Asking, spec: dict[str, Any], details: str) -> None:
    from flyteidl.admin import launch_plan_pb2
    from google.protobuf.json_format import ParseDict

    parsed = ParseDict({"workflow_id": WIDE5} | spec, launch_plan_pb2.LaunchPlanSpec())
    assert await refusal(ask, "CreateLaunchPlan", id=PLAN, spec=parsed) == ("INVALID_ARGUMENT", details)


@pytest.mark.parametrize("kind", ["fixed", "default"])
def test_a_workflow_without_inputs_leaves_nothing_to_fill_in(kind: str) -> None:
    fixed, defaults = literals_pb2.LiteralMap(), interface_pb2.ParameterMap()
    assert expected_inputs(interface_pb2.VariableMap(), fixed, defaults) == interface_pb2.ParameterMap()
    if kind == "fixed":
        fixed.literals["a"].scalar.primitive.integer = 1
    else:
        defaults.parameters["a"].var.type.simple = types_pb2.INTEGER
        defaults.parameters["a"].required = True
    with pytest.raises(InvalidArgumentError) as caught:
        expected_inputs(interface_pb2.VariableMap(), fixed, defaults)
    assert caught.value.details == f"invalid launch plan {kind} inputs, expected none but found 1"


async def test_one_version_of_a_launch_plan_is_active_at_most(ask: Asking) -> None:
    for version in ("1", "2"):
        await ask("CreateLaunchPlan", id=PLAN | {"version": version}, spec={"workflow_id": WIDE5})
        await ask("UpdateLaunchPlan", id=PLAN | {"version": version}, state="ACTIVE")
        name = {**PLACE, "name": "mine"}
        assert (await ask("GetActiveLaunchPlan", id=name)).id.version == version
        assert len((await ask("ListActiveLaunchPlans", **PLACE, limit=9)).launch_plans) == 1
    with pytest.raises(NotFoundError):
        await ask("UpdateLaunchPlan", id=PLAN | {"version": "3"}, state="ACTIVE")


async def test_signals_keep_their_type_and_their_last_value(ask: Asking) -> None:
    signal = {"signal_id": "s", "execution_id": RUN}
    made = await ask("GetOrCreateSignal", id=signal, type={"simple": "INTEGER"})
    assert await ask("GetOrCreateSignal", id=signal, type={"simple": "INTEGER"}) == made
    with pytest.raises(AlreadyExistsError):
        await ask("GetOrCreateSignal", id=signal, type={"simple": "STRING"})
    await ask("SetSignal", id=signal, value=ONE)
    listed = (await ask("ListSignals", workflow_execution_id=RUN, limit=1)).signals
    assert listed[0].value.scalar.primitive.integer == 1


async def test_projects_are_updated_by_parts(ask: Asking) -> None:
    await ask("RegisterProject", project={"id": "mine", "name": "Mine", "description": "d"})
    await ask("UpdateProject", id="mine", description="other", labels={"values": {"a": "b"}})
    found = await ask("GetProject", id="mine")
    assert (found.name, found.description, dict(found.labels.values)) == ("Mine", "other", {"a": "b"})
    assert [domain.id for domain in found.domains] == ["development", "staging", "production"]
    page = await ask("ListProjects", limit=1, sort_by={"key": "identifier", "direction": 1})
    assert ([project.id for project in page.projects], page.token) == (["flytesnacks"], "1")
    await ask("UpdateProject", id="mine", state=project_pb2.Project.ARCHIVED)
    assert [project.id for project in (await ask("ListProjects")).projects] == ["flytesnacks"]
    assert len((await ask("ListProjects", filters="value_in(state,0;1)")).projects) == 2


@pytest.mark.parametrize("key", ["/a", "A_b/x", "x/", "a" * 64])
async def test_labels_that_kubernetes_refuses(ask: Asking, key: str) -> None:
    project = {"id": "mine", "name": "m", "labels": {"values": {key: "v"}}}
    assert (await refusal(ask, "RegisterProject", project=project))[0] == "INVALID_ARGUMENT"
    value = {"id": "mine", "name": "m", "labels": {"values": {"ok.io/x": "v" * 64}}}
    assert (await refusal(ask, "RegisterProject", project=value))[1].endswith("[must be no more than 63 characters]")


async def test_the_version_and_the_domains(ask: Asking) -> None:
    assert (await ask("GetVersion")).control_plane_version.Version == "unknown"
    assert len((await ask("GetDomains")).domains) == 3


async def test_descriptions_are_filtered_by_what_they_have(dev: DevServer, ask: Asking) -> None:
    described = description_entity_pb2.DescriptionEntity(id=ADD, short_description="adds")
    await dev.store.put_description(described)
    request = {"resource_type": "TASK", "id": {**PLACE, "name": ADD["name"]}, "limit": 5}
    for filters, count in (("eq(version,v2)", 1), ("eq(version,v3)", 0), ("contains(short_description,dd)", 1)):
        found = await ask("ListDescriptionEntities", **request, filters=filters)
        assert len(found.descriptionEntities) == count
    code, details = await refusal(ask, "ListDescriptionEntities", **request, filters="eq(type,x)")
    assert (code, details) == ("UNKNOWN", 'failed database operation with column "type" does not exist')
    unknown = request | {"resource_type": "DATASET", "filters": "eq(version,v2)"}
    assert await refusal(ask, "ListDescriptionEntities", **unknown) == ("INTERNAL", "unsupported entity ''")


# --- texts that PostgreSQL does not take ----------------------------------------------------------------------------

NUL = "a\0b"
REFUSED_TEXT = 'failed database operation with invalid byte sequence for encoding "UTF8": 0x00'


@pytest.mark.parametrize(
    ("rpc", "request_"),
    [
        ("GetExecution", {"id": RUN | {"name": NUL}}),
        ("GetExecution", {"id": RUN | {"project": NUL}}),
        ("GetNodeExecution", {"id": NODE | {"node_id": NUL}}),
        ("GetTask", {"id": ADD | {"name": NUL}}),
        ("GetTask", {"id": ADD | {"version": NUL}}),
        ("ListTasks", {"id": PLACE, "limit": 1, "filters": f"eq(name,{NUL})"}),
        ("ListTasks", {"id": PLACE | {"name": NUL}, "limit": 1}),
        ("ListExecutions", {"id": PLACE, "limit": 1, "filters": f"value_in(execution_name,a;{NUL})"}),
        ("ListExecutions", {"id": PLACE, "limit": 1, "filters": f"contains(execution_name,{NUL})"}),
        ("ListSignals", {"workflow_execution_id": RUN | {"name": NUL}, "limit": 1}),
        ("GetNamedEntity", {"resource_type": "TASK", "id": PLACE | {"name": NUL}}),
        ("TerminateExecution", {"id": RUN | {"name": NUL}}),
    ],
)
async def test_a_null_character_is_refused_as_the_database_does(
    ask: Asking, rpc: str, request_: dict[str, Any]
) -> None:
    assert await refusal(ask, rpc, **request_) == ("UNKNOWN", REFUSED_TEXT)


async def test_a_null_character_in_what_is_looked_up_for_a_check(ask: Asking) -> None:
    place = f"failed to validate that project [{NUL}] and domain [development] are registered, err: [{REFUSED_TEXT}]"
    created = await refusal(ask, "CreateTask", id=ADD | {"project": NUL}, spec={"template": {"id": ADD, "type": "t"}})
    assert created[0] == "INVALID_ARGUMENT"
    launched = await refusal(
        ask, "CreateExecution", project=NUL, domain="development", name="e", spec={"launch_plan": ADD}
    )
    assert launched == ("INVALID_ARGUMENT", place)
    listed = await refusal(ask, "GetProjectAttributes", project=NUL, resource_type="TASK_RESOURCE")
    assert listed == (
        "INVALID_ARGUMENT",
        f"failed to validate that project [{NUL}] exists, err: [{REFUSED_TEXT}]",
    )
    identifier = {"execution_id": RUN, "signal_id": NUL}
    value = {"scalar": {"primitive": {"boolean": True}}}
    code, details = await refusal(ask, "SetSignal", id=identifier, value=value)
    assert code == "INVALID_ARGUMENT"
    assert details.endswith(f"exists, err: [{REFUSED_TEXT}]")


async def test_a_null_character_in_the_name_of_an_execution_is_no_name(ask: Asking) -> None:
    code, details = await refusal(
        ask, "CreateExecution", **PLACE, name=NUL, spec={"launch_plan": ADD | {"resource_type": "LAUNCH_PLAN"}}
    )
    assert (code, "invalid name format" in details) == ("INVALID_ARGUMENT", True)
