"""Projects, domains and the version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.client import fresh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conformance.client import Flyte

LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
KEY = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
TAKEN = 'value with matching already exists (duplicate key value violates unique constraint "projects_pkey")'


@pytest.fixture
def project(flyte: Flyte) -> Iterator[str]:
    """Return a project of this test alone, which is archived afterwards."""
    name = fresh("conf-")
    flyte("RegisterProject", project={"id": name, "name": "A project", "description": "for a test"})
    yield name
    flyte("UpdateProject", id=name, name="A project", state="ARCHIVED")


@pytest.mark.parametrize(
    ("project", "details"),
    [
        ({"name": "x"}, "missing project_id"),
        ({"id": "$new"}, "missing project_name"),
        ({"id": "Bad", "name": "x"}, f"invalid project id [Bad]: [{LABEL}]"),
        ({"id": "a_b", "name": "x"}, f"invalid project id [a_b]: [{LABEL}]"),
        ({"id": "-a", "name": "x"}, f"invalid project id [-a]: [{LABEL}]"),
        ({"id": "a-", "name": "x"}, f"invalid project id [a-]: [{LABEL}]"),
        ({"id": "a.b", "name": "x"}, "invalid project id [a.b]: [must not contain dots]"),
        ({"id": "a..b", "name": "x"}, f"invalid project id [a..b]: [{LABEL}]"),
        ({"id": "ä", "name": "x"}, f"invalid project id [ä]: [{LABEL}]"),
        ({"id": "a" * 64, "name": "x"}, f"invalid project id [{'a' * 64}]: [must be no more than 63 characters]"),
        ({"id": "$new", "name": "x" * 65}, "project_name cannot exceed 64 characters"),
        ({"id": "$new", "name": "x", "description": "y" * 301}, "project_description cannot exceed 300 characters"),
        (
            {"id": "$new", "name": "x", "domains": [{"id": "development"}]},
            "Domains are currently only set system wide. Please retry without domains included in your request.",
        ),
        ({"id": "$new", "name": "x", "labels": {"values": {"bad key": "v"}}}, f"invalid label key [bad key]: [{KEY}]"),
        ({"id": "$new", "name": "x", "labels": {"values": {"k": "bad!"}}}, f"invalid label value [bad!]: [{VALUE}]"),
        (
            {"id": "$new", "name": "x", "labels": {"values": {f"k{n}": "v" for n in range(17)}}},
            "labels map cannot exceed 16 entries",
        ),
    ],
)
def test_a_project_that_is_not_registered(refuses: Callable[..., None], project: Any, details: str) -> None:
    refuses("RegisterProject", {"project": project}, "INVALID_ARGUMENT", details)


def test_a_project_is_found_with_the_domains(flyte: Flyte, project: str) -> None:
    found = flyte("GetProject", id=project)
    assert (found["id"], found["name"], found["description"]) == (project, "A project", "for a test")
    assert found["domains"] == flyte("GetDomains")["domains"]
    assert "state" not in found


def test_an_id_that_is_taken(flyte: Flyte, project: str, refuses: Callable[..., None]) -> None:
    refuses("RegisterProject", {"project": {"id": project, "name": "other"}}, "ALREADY_EXISTS", TAKEN)
    assert flyte("GetProject", id=project)["name"] == "A project"


def test_the_longest_texts(flyte: Flyte) -> None:
    name = fresh("conf-")
    flyte("RegisterProject", project={"id": name, "name": "n" * 64, "description": "d" * 300})
    assert flyte("GetProject", id=name)["description"] == "d" * 300
    flyte("UpdateProject", id=name, name="n", state="ARCHIVED")


def test_a_project_with_labels(flyte: Flyte, project: str) -> None:
    flyte("UpdateProject", id=project, name="A project", labels={"values": {"team": "blue", "ok.io/x": ""}})
    assert flyte("GetProject", id=project)["labels"] == {"values": {"team": "blue", "ok.io/x": ""}}


def test_the_labels_of_a_project_are_taken_away(flyte: Flyte, project: str) -> None:
    flyte("UpdateProject", id=project, name="A project", labels={"values": {"team": "blue"}})
    flyte("UpdateProject", id=project, name="A project")
    assert flyte("GetProject", id=project)["labels"] == {"values": {"team": "blue"}}
    flyte("UpdateProject", id=project, name="A project", labels={})
    assert flyte("GetProject", id=project).get("labels", {}) == {}


def test_an_update_of_some_parts_leaves_the_others(flyte: Flyte, project: str) -> None:
    flyte("UpdateProject", id=project, description="another")
    found = flyte("GetProject", id=project)
    assert (found["name"], found["description"]) == ("A project", "another")


@pytest.mark.parametrize(
    ("change", "details"),
    [
        ({"name": "x" * 65}, "project_name cannot exceed 64 characters"),
        ({"description": "y" * 301}, "project_description cannot exceed 300 characters"),
        ({"labels": {"values": {"bad key": "v"}}}, f"invalid label key [bad key]: [{KEY}]"),
        (
            {"domains": [{"id": "development"}]},
            "Domains are currently only set system wide. Please retry without domains included in your request.",
        ),
    ],
)
def test_an_update_that_is_refused(
    refuses: Callable[..., None], project: str, change: dict[str, Any], details: str
) -> None:
    refuses("UpdateProject", {"id": project, **change}, "INVALID_ARGUMENT", details)


@pytest.mark.parametrize("rpc", ["GetProject", "UpdateProject"])
def test_a_project_that_there_is_not(refuses: Callable[..., None], rpc: str) -> None:
    refuses(rpc, {"id": "$new"}, "NOT_FOUND", "project [$new] not found")


def test_an_archived_project_is_found_and_not_listed(flyte: Flyte, project: str) -> None:
    def listed(**request: Any) -> list[str]:
        return [each["id"] for each in flyte("ListProjects", limit=10000, **request).get("projects", [])]

    assert project in listed()
    flyte("UpdateProject", id=project, name="A project", state="ARCHIVED")
    assert flyte("GetProject", id=project)["state"] == "ARCHIVED"
    assert project not in listed()
    assert project in listed(filters="value_in(state,0;1;2)")
    assert listed(filters=f"eq(identifier,{project})") == [project]
    flyte("UpdateProject", id=project, name="A project", state="ACTIVE")
    assert project in listed()


def test_an_archived_project_takes_nothing(flyte: Flyte, project: str, refuses: Callable[..., None]) -> None:
    flyte("UpdateProject", id=project, name="A project", state="ARCHIVED")
    request = {"project": project, "domain": "development", "name": "x", "spec": {}}
    refuses("CreateExecution", request, "INVALID_ARGUMENT", f"project [{project}] is not active")


@pytest.mark.parametrize(
    ("request_", "details"),
    [
        ({"filters": "eq(color,red)"}, "'p.color' is invalid filter"),
        ({"filters": "eq(id,1)", "sort_by": {"key": "color"}}, "invalid sort key 'color'"),
        ({"filters": "eq(task.name,x)"}, "'t' entity is not allowed in filters"),
        ({"filters": "identifier"}, "invalid value for filters"),
        ({"filters": "is(identifier,x)"}, "unrecognized filter function: is"),
        ({"limit": 1, "token": "x"}, "invalid pagination token x for ListProjects"),
        ({"limit": 1, "token": "-1"}, "invalid pagination token -1 for ListProjects"),
    ],
)
def test_a_list_that_is_refused(refuses: Callable[..., None], request_: dict[str, Any], details: str) -> None:
    refuses("ListProjects", request_, "INVALID_ARGUMENT", details)


def test_pages_of_projects(flyte: Flyte, project: str) -> None:
    other = fresh("conf-")
    flyte("RegisterProject", project={"id": other, "name": "B"})
    both = {"filters": f"value_in(identifier,{project};{other})", "limit": 1}
    first = flyte("ListProjects", **both)
    second = flyte("ListProjects", **both, token=first["token"])
    assert [page["projects"][0]["id"] for page in (first, second)] == sorted([project, other])
    assert flyte("ListProjects", **both, token=second["token"]) == {}
    down = flyte("ListProjects", **both | {"limit": 5}, sort_by={"key": "identifier", "direction": "DESCENDING"})
    assert [each["id"] for each in down["projects"]] == sorted([project, other], reverse=True)
    assert "token" not in down
    flyte("UpdateProject", id=other, name="B", state="ARCHIVED")


def test_domains(flyte: Flyte) -> None:
    domains = flyte("GetDomains")["domains"]
    assert {"id": flyte.domain, "name": flyte.domain} in domains


def test_the_version_has_its_parts(flyte: Flyte) -> None:
    assert set(flyte("GetVersion")["control_plane_version"]) == {"Build", "Version", "BuildTime"}
