"""Matchable attributes, and named entities: what holds for all versions or all executions of something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.client import fresh, integers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conformance.client import Flyte
    from tests.conformance.entities import Registered

INVALID = "INVALID_ARGUMENT"
KINDS: dict[str, dict[str, Any]] = {
    "TASK_RESOURCE": {"task_resource_attributes": {"defaults": {"cpu": "1"}, "limits": {"cpu": "2"}}},
    "CLUSTER_RESOURCE": {"cluster_resource_attributes": {"attributes": {"quota": "4"}}},
    "EXECUTION_QUEUE": {"execution_queue_attributes": {"tags": ["gpu"]}},
    "EXECUTION_CLUSTER_LABEL": {"execution_cluster_label": {"value": "here"}},
    "PLUGIN_OVERRIDE": {"plugin_overrides": {"overrides": [{"task_type": "python-task", "plugin_id": ["x"]}]}},
    "WORKFLOW_EXECUTION_CONFIG": {"workflow_execution_config": {"max_parallelism": 7}},
    "CLUSTER_ASSIGNMENT": {"cluster_assignment": {"cluster_pool_name": "pool"}},
}


@pytest.fixture(scope="module")
def project(flyte: Flyte) -> Iterator[str]:
    """Return a project of these tests alone."""
    name = fresh("conf-")
    flyte("RegisterProject", project={"id": name, "name": "Attributes"})
    yield name
    flyte("UpdateProject", id=name, name="Attributes", state="ARCHIVED")


@pytest.mark.parametrize("kind", KINDS)
def test_attributes_of_a_workflow(flyte: Flyte, words: dict[str, str], kind: str) -> None:
    scope = {**flyte.place, "workflow": words["new"]}
    attributes = {**scope, "matching_attributes": KINDS[kind]}
    assert flyte("UpdateWorkflowAttributes", attributes=attributes) == {}
    asked = {**scope, "resource_type": kind}
    assert flyte("GetWorkflowAttributes", **asked) == {"attributes": attributes}
    every = flyte("ListMatchableAttributes", resource_type=kind)["configurations"]
    assert {**scope, "attributes": KINDS[kind]} in every
    for _ in range(2):
        assert flyte("DeleteWorkflowAttributes", **asked) == {}
    again = flyte("ListMatchableAttributes", resource_type=kind).get("configurations", [])
    assert {**scope, "attributes": KINDS[kind]} not in again


@pytest.mark.parametrize("kind", KINDS)
def test_attributes_of_a_domain(flyte: Flyte, project: str, kind: str) -> None:
    scope = {"project": project, "domain": flyte.domain}
    attributes = {**scope, "matching_attributes": KINDS[kind]}
    flyte("UpdateProjectDomainAttributes", attributes=attributes)
    asked = {**scope, "resource_type": kind}
    assert flyte("GetProjectDomainAttributes", **asked) == {"attributes": attributes}
    for _ in range(2):
        assert flyte("DeleteProjectDomainAttributes", **asked) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_attributes_of_a_project(flyte: Flyte, project: str, kind: str) -> None:
    attributes = {"project": project, "matching_attributes": KINDS[kind]}
    flyte("UpdateProjectAttributes", attributes=attributes)
    asked = {"project": project, "resource_type": kind}
    assert flyte("GetProjectAttributes", **asked) == {"attributes": attributes}
    assert flyte("DeleteProjectAttributes", **asked) == {}


def test_the_closest_attributes_are_found(flyte: Flyte, project: str) -> None:
    def queue(tag: str) -> dict[str, Any]:
        return {"execution_queue_attributes": {"tags": [tag]}}

    domain = {"project": project, "domain": flyte.domain}
    workflow = {**domain, "workflow": "w"}
    asked = {**workflow, "resource_type": "EXECUTION_QUEUE"}
    flyte("UpdateProjectAttributes", attributes={"project": project, "matching_attributes": queue("project")})
    found = flyte("GetWorkflowAttributes", **asked)["attributes"]
    assert found == {"project": project, "matching_attributes": queue("project")}
    flyte("UpdateProjectDomainAttributes", attributes={**domain, "matching_attributes": queue("domain")})
    assert flyte("GetWorkflowAttributes", **asked)["attributes"] == {**domain, "matching_attributes": queue("domain")}
    flyte("UpdateWorkflowAttributes", attributes={**workflow, "matching_attributes": queue("workflow")})
    found = flyte("GetWorkflowAttributes", **asked)["attributes"]
    assert found == {**workflow, "matching_attributes": queue("workflow")}
    for rpc, scope in (("Workflow", workflow), ("ProjectDomain", domain), ("Project", {"project": project})):
        flyte(f"Delete{rpc}Attributes", **scope, resource_type="EXECUTION_QUEUE")


def test_the_last_attributes_count(flyte: Flyte, words: dict[str, str]) -> None:
    scope = {**flyte.place, "workflow": words["new"]}
    for tag in ("one", "two"):
        matching = {"execution_queue_attributes": {"tags": [tag]}}
        flyte("UpdateWorkflowAttributes", attributes={**scope, "matching_attributes": matching})
    found = flyte("GetWorkflowAttributes", **scope, resource_type="EXECUTION_QUEUE")["attributes"]
    assert found["matching_attributes"] == {"execution_queue_attributes": {"tags": ["two"]}}
    flyte("DeleteWorkflowAttributes", **scope, resource_type="EXECUTION_QUEUE")


def test_overrides_of_plugins_are_merged(flyte: Flyte, words: dict[str, str]) -> None:
    scope = {**flyte.place, "workflow": words["new"]}
    for kind, plugin in (("a", "x"), ("b", "y"), ("a", "z")):
        matching = {"plugin_overrides": {"overrides": [{"task_type": kind, "plugin_id": [plugin]}]}}
        flyte("UpdateWorkflowAttributes", attributes={**scope, "matching_attributes": matching})
    found = flyte("GetWorkflowAttributes", **scope, resource_type="PLUGIN_OVERRIDE")["attributes"]
    overrides = found["matching_attributes"]["plugin_overrides"]["overrides"]
    assert {each["task_type"]: each["plugin_id"] for each in overrides} == {"a": ["z"], "b": ["y"]}
    flyte("DeleteWorkflowAttributes", **scope, resource_type="PLUGIN_OVERRIDE")


@pytest.mark.parametrize(
    ("rpc", "attributes", "details"),
    [
        ("UpdateProjectAttributes", {"project": "$project"}, "missing matching_attributes"),
        ("UpdateProjectDomainAttributes", {"project": "$project", "domain": "$domain"}, "missing matching_attributes"),
        (
            "UpdateWorkflowAttributes",
            {"project": "$project", "domain": "$domain", "workflow": "w"},
            "missing matching_attributes",
        ),
        ("UpdateWorkflowAttributes", {"project": "$project", "domain": "$domain"}, "missing name"),
        (
            "UpdateProjectAttributes",
            {"project": "$project", "matching_attributes": {}},
            "Unrecognized matching attributes type for request $project",
        ),
        (
            "UpdateWorkflowAttributes",
            {
                "project": "$project",
                "domain": "$domain",
                "workflow": "w",
                "matching_attributes": {"quality_of_service": {"tier": "HIGH"}},
            },
            "Unrecognized matching attributes type for request $project-$domain-w",
        ),
        (
            "UpdateProjectDomainAttributes",
            {"project": "$project", "domain": "nope"},
            "domain [nope] is unrecognized by system",
        ),
        (
            "UpdateProjectDomainAttributes",
            {"project": "$new", "domain": "$domain"},
            (
                "failed to validate that project [$new] and domain [$domain] are registered, "
                "err: [project [$new] not found]"
            ),
        ),
        (
            "UpdateProjectAttributes",
            {"project": "$new"},
            "failed to validate that project [$new] is registered, err: [project [$new] not found]",
        ),
    ],
)
def test_attributes_that_are_refused(
    refuses: Callable[..., None], rpc: str, attributes: dict[str, Any], details: str
) -> None:
    refuses(rpc, {"attributes": attributes}, INVALID, details)


@pytest.mark.parametrize(
    ("rpc", "request_", "code", "details"),
    [
        (
            "GetWorkflowAttributes",
            {"project": "$project", "domain": "$domain", "workflow": "$new", "resource_type": "CLUSTER_RESOURCE"},
            "NOT_FOUND",
            (
                "Resource [{Project:$project Domain:$domain Workflow:$new LaunchPlan: "
                "ResourceType:CLUSTER_RESOURCE}] not found"
            ),
        ),
        (
            "GetWorkflowAttributes",
            {"project": "$project", "domain": "$domain"},
            INVALID,
            "missing name",
        ),
        (
            "DeleteWorkflowAttributes",
            {"project": "$project", "domain": "$domain"},
            INVALID,
            "missing name",
        ),
        (
            "GetProjectDomainAttributes",
            {"project": "$project", "domain": "nope"},
            INVALID,
            "domain [nope] is unrecognized by system",
        ),
        (
            "GetProjectAttributes",
            {"project": "$new"},
            INVALID,
            "failed to validate that project [$new] exists, err: [project [$new] not found]",
        ),
        (
            "DeleteProjectAttributes",
            {"project": "$new"},
            INVALID,
            "failed to validate that project [$new] is registered, err: [project [$new] not found]",
        ),
        ("ListMatchableAttributes", {"resource_type": 99}, INVALID, "invalid value for resource_type"),
    ],
)
def test_requests_that_are_refused(
    refuses: Callable[..., None], rpc: str, request_: dict[str, Any], code: str, details: str
) -> None:
    refuses(rpc, request_, code, details)


def test_a_project_without_attributes(flyte: Flyte, project: str, refuses: Callable[..., None]) -> None:
    # The platform's own are told, and nothing else.
    config = flyte("GetProjectAttributes", project=project, resource_type="WORKFLOW_EXECUTION_CONFIG")
    told = config["attributes"]["matching_attributes"]["workflow_execution_config"]
    assert told["max_parallelism"] == 25
    details = f"Resource [{{Project:{project} Domain: Workflow: LaunchPlan: ResourceType:CLUSTER_RESOURCE}}] not found"
    refuses("GetProjectAttributes", {"project": project, "resource_type": "CLUSTER_RESOURCE"}, "NOT_FOUND", details)


def test_what_a_workflow_lends_to_its_executions(flyte: Flyte, wide: Registered) -> None:
    scope = {**flyte.place, "workflow": wide.name}
    config = {"max_parallelism": 9, "security_context": {"run_as": {"k8s_service_account": "robot"}}}
    matching = {"workflow_execution_config": config}
    flyte("UpdateWorkflowAttributes", attributes={**scope, "matching_attributes": matching})
    lent = flyte.execution(flyte.execute(wide.plan, integers(a=1)))["spec"]
    own = flyte.execution(flyte.execute(wide.plan, integers(a=1), max_parallelism=2))["spec"]
    flyte("DeleteWorkflowAttributes", **scope, resource_type="WORKFLOW_EXECUTION_CONFIG")
    assert (lent["max_parallelism"], lent["security_context"]) == (9, config["security_context"])
    assert own["max_parallelism"] == 2


# --- named entities ---


def test_nobody_has_described_it(flyte: Flyte, wide: Registered) -> None:
    for kind, name in (("WORKFLOW", wide.name), ("LAUNCH_PLAN", wide.name), ("TASK", wide.task["name"])):
        identifier = {**flyte.place, "name": name}
        found = flyte("GetNamedEntity", resource_type=kind, id=identifier)
        assert found == {"resource_type": kind, "id": identifier, "metadata": {}}


@pytest.mark.parametrize("kind", ["WORKFLOW", "LAUNCH_PLAN", "TASK"])
def test_describing_and_archiving(flyte: Flyte, wide: Registered, kind: str) -> None:
    name = wide.task["name"] if kind == "TASK" else wide.name
    entity = {"resource_type": kind, "id": {**flyte.place, "name": name}}
    flyte("UpdateNamedEntity", **entity, metadata={"description": "what it does"})
    assert flyte("GetNamedEntity", **entity)["metadata"] == {"description": "what it does"}
    flyte("UpdateNamedEntity", **entity, metadata={"state": "NAMED_ENTITY_ARCHIVED"})
    # What is left out of an update stays.
    assert flyte("GetNamedEntity", **entity)["metadata"] == {
        "description": "what it does",
        "state": "NAMED_ENTITY_ARCHIVED",
    }
    request = {**flyte.place, "resource_type": kind, "limit": 10000}
    archived = flyte("ListNamedEntities", **request, filters="eq(state,1)")["entities"]
    active = flyte("ListNamedEntities", **request, filters="eq(state,0)").get("entities", [])
    assert name in [each["id"]["name"] for each in archived]
    assert name not in [each["id"]["name"] for each in active]
    flyte("UpdateNamedEntity", **entity, metadata={"description": "x"})
    assert flyte("GetNamedEntity", **entity)["metadata"] == {"description": "x"}


def test_the_longest_description(flyte: Flyte, wide: Registered, refuses: Callable[..., None]) -> None:
    entity = {"resource_type": "WORKFLOW", "id": {**flyte.place, "name": wide.name}}
    flyte("UpdateNamedEntity", **entity, metadata={"description": "x" * 300})
    details = "failed database operation with value too long for type character varying(300)"
    refuses("UpdateNamedEntity", {**entity, "metadata": {"description": "x" * 301}}, "UNKNOWN", details)


@pytest.mark.parametrize("kind", ["WORKFLOW", "LAUNCH_PLAN", "TASK"])
def test_a_named_entity_that_there_is_not(refuses: Callable[..., None], flyte: Flyte, kind: str) -> None:
    entity = {"resource_type": kind, "id": {**flyte.place, "name": "$new"}}
    refuses("GetNamedEntity", entity, "NOT_FOUND", "entry not found")
    refuses("UpdateNamedEntity", {**entity, "metadata": {}}, "NOT_FOUND", "entry not found")


@pytest.mark.parametrize(
    ("rpc", "request_", "details"),
    [
        ("GetNamedEntity", {"resource_type": "WORKFLOW"}, "missing id"),
        ("GetNamedEntity", {"resource_type": "WORKFLOW", "id": {}}, "missing project"),
        ("GetNamedEntity", {"resource_type": "WORKFLOW", "id": {"project": "p"}}, "missing domain"),
        ("GetNamedEntity", {"resource_type": "WORKFLOW", "id": {"project": "p", "domain": "d"}}, "missing name"),
        (
            "GetNamedEntity",
            {"resource_type": "DATASET", "id": {"project": "p", "domain": "d", "name": "n"}},
            "Cannot get NamedEntityMetadata for resource type: DATASET",
        ),
        (
            "UpdateNamedEntity",
            {"resource_type": "WORKFLOW", "id": {"project": "p", "domain": "d", "name": "n"}},
            "missing metadata",
        ),
        (
            "UpdateNamedEntity",
            {
                "resource_type": "DATASET",
                "id": {"project": "p", "domain": "d", "name": "n"},
                "metadata": {"state": "NAMED_ENTITY_ARCHIVED"},
            },
            "Resource [DATASET] cannot have its state updated",
        ),
        ("ListNamedEntities", {"project": "p", "domain": "d", "limit": 1}, "invalid value for resource_type"),
        ("ListNamedEntities", {"resource_type": "TASK", "domain": "d", "limit": 1}, "missing project"),
        ("ListNamedEntities", {"resource_type": "TASK", "project": "p", "limit": 1}, "missing domain"),
        ("ListNamedEntities", {"resource_type": "TASK", "project": "p", "domain": "d"}, "invalid value for limit"),
        (
            "ListNamedEntities",
            {"resource_type": "DATASET", "project": "p", "domain": "d", "limit": 1},
            "Cannot list entity names for resource type: DATASET",
        ),
        (
            "ListNamedEntities",
            {"resource_type": "TASK", "project": "p", "domain": "d", "limit": 1, "filters": "eq(version,1)"},
            "'nen.version' is invalid filter",
        ),
        (
            "ListNamedEntities",
            {"resource_type": "TASK", "project": "p", "domain": "d", "limit": 1, "sort_by": {"key": "version"}},
            "invalid sort key 'version'",
        ),
        (
            "ListNamedEntities",
            {"resource_type": "TASK", "project": "p", "domain": "d", "limit": 1, "token": "x"},
            "invalid pagination token x for ListNamedEntities",
        ),
    ],
)
def test_named_entities_that_are_refused(
    refuses: Callable[..., None], rpc: str, request_: dict[str, Any], details: str
) -> None:
    refuses(rpc, request_, INVALID, details)


def test_generated_workflows_are_left_out(flyte: Flyte, echo: dict[str, str]) -> None:
    flyte.execute(echo, integers(a=1))
    generated = f".flytegen.{echo['name']}"
    request = {**flyte.place, "resource_type": "WORKFLOW", "limit": 10000}
    usual = [each["id"]["name"] for each in flyte("ListNamedEntities", **request)["entities"]]
    assert generated not in usual
    asked = flyte("ListNamedEntities", **request, filters=f"eq(name,{generated})")["entities"]
    assert [each["metadata"]["state"] for each in asked] == ["SYSTEM_GENERATED"]


@pytest.mark.parametrize(
    "filters", ["eq(name,$name)", "value_in(name,$name;nope)", "contains(name,$name)", "ne(name,nope)"]
)
def test_filters_of_named_entities(flyte: Flyte, wide: Registered, filters: str) -> None:
    request = {**flyte.place, "resource_type": "WORKFLOW", "limit": 10000}
    found = flyte("ListNamedEntities", **request, filters=filters.replace("$name", wide.name))["entities"]
    assert wide.name in [each["id"]["name"] for each in found]
