"""Matchable attributes: what holds for all executions of a project, of a domain of it, or of a workflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.client import fill, fresh, integers

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


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "PLUGIN_OVERRIDE"])
def test_attributes_of_a_project(flyte: Flyte, project: str, kind: str) -> None:
    attributes = {"project": project, "matching_attributes": KINDS[kind]}
    flyte("UpdateProjectAttributes", attributes=attributes)
    asked = {"project": project, "resource_type": kind}
    assert flyte("GetProjectAttributes", **asked) == {"attributes": attributes}
    assert flyte("DeleteProjectAttributes", **asked) == {}


def test_overrides_of_plugins_need_a_domain(flyte: Flyte, project: str) -> None:
    attributes = {"project": project, "matching_attributes": KINDS["PLUGIN_OVERRIDE"]}
    refusal = flyte.refusal("UpdateProjectAttributes", attributes=attributes)
    details = f"unexpected error type for: missing and/or invalid parameters: {{{project} PLUGIN_OVERRIDE}}"
    assert (refusal.code, refusal.details) == ("INTERNAL", details)


@pytest.mark.parametrize(("rpc", "scope"), [("Project", {}), ("Workflow", {"domain": "$domain", "workflow": "w"})])
def test_attributes_of_no_project(flyte: Flyte, words: dict[str, str], rpc: str, scope: dict[str, str]) -> None:
    attributes = {**fill(scope, words), "matching_attributes": KINDS["CLUSTER_ASSIGNMENT"]}
    refusal = flyte.refusal(f"Update{rpc}Attributes", attributes=attributes)
    assert refusal.code == "INVALID_ARGUMENT"
    assert refusal.details.startswith("missing and/or invalid parameters: {0 0001-01-01 00:00:00 +0000 UTC ")
    assert " CLUSTER_ASSIGNMENT " in refusal.details
    read = flyte.refusal(f"Get{rpc}Attributes", **fill(scope, words), resource_type="CLUSTER_ASSIGNMENT")
    assert (read.code, read.details.partition(": {")[0]) == (
        "INTERNAL",
        "unexpected error type for: missing and/or invalid parameters",
    )


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
