"""Named entities: what all versions of something share, a description and a state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.client import integers

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.client import Flyte
    from tests.conformance.entities import Registered

INVALID = "INVALID_ARGUMENT"


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


@pytest.mark.parametrize(
    ("change", "details"),
    [
        ({"sort_by": {"key": "nope"}}, "invalid sort key 'nope'"),
        ({"token": "x"}, "invalid pagination token x for ListNamedEntities"),
        ({}, "Cannot list entity names for resource type: DATASET"),
    ],
)
def test_what_is_told_first_of_a_bad_list(
    refuses: Callable[..., None], flyte: Flyte, change: dict[str, Any], details: str
) -> None:
    request = {**flyte.place, "resource_type": "DATASET", "limit": 1} | change
    refuses("ListNamedEntities", request, "INVALID_ARGUMENT", details)
