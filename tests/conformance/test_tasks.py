"""Registering tasks, and finding them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.client import fresh
from tests.conformance.entities import INTEGER, echo_template, interface, register_echo

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.client import Flyte


@pytest.fixture
def task(flyte: Flyte) -> dict[str, str]:
    """Return the identifier of a task that nobody has registered."""
    return flyte.entity("TASK", f"conformance.{fresh()}", fresh("v"))


CASES: dict[str, tuple[Callable[[dict[str, str]], dict[str, Any]], str]] = {
    "without an id": (lambda task: {"spec": {"template": echo_template(task)}}, "missing id"),
    "without a spec": (lambda task: {"id": task}, "missing spec"),
    "without a template": (lambda task: {"id": task, "spec": {}}, "missing spec"),
    "with an empty template": (lambda task: {"id": task, "spec": {"template": {}}}, "missing type"),
    "without a type": (lambda task: {"id": task, "spec": {"template": echo_template(task, type="")}}, "missing type"),
    "without metadata": (
        lambda task: {"id": task, "spec": {"template": {**echo_template(task), "metadata": None}}},
        "missing metadata",
    ),
    "without a version of its runtime": (
        lambda task: {"id": task, "spec": {"template": echo_template(task, metadata={"runtime": {"type": "OTHER"}})}},
        "missing runtime version",
    ),
    "without an interface": (
        lambda task: {"id": task, "spec": {"template": {**echo_template(task), "interface": None}}},
        "missing typed interface",
    ),
    "without an image": (
        lambda task: {"id": task, "spec": {"template": echo_template(task, container={"args": ["x"]})}},
        "missing image",
    ),
    "without a project": (
        lambda task: {"id": task | {"project": ""}, "spec": {"template": echo_template(task)}},
        "missing project",
    ),
    "without a domain": (
        lambda task: {"id": task | {"domain": ""}, "spec": {"template": echo_template(task)}},
        "missing domain",
    ),
    "without a name": (
        lambda task: {"id": task | {"name": ""}, "spec": {"template": echo_template(task)}},
        "missing name",
    ),
    "without a version": (
        lambda task: {"id": task | {"version": ""}, "spec": {"template": echo_template(task)}},
        "missing version",
    ),
    "of an unknown domain": (
        lambda task: {"id": task | {"domain": "nope"}, "spec": {"template": echo_template(task)}},
        "domain [nope] is unrecognized by system",
    ),
    "of an unknown project": (
        lambda task: {"id": task | {"project": "nope-nope"}, "spec": {"template": echo_template(task)}},
        (
            "failed to validate that project [nope-nope] and domain [$domain] are registered, "
            "err: [project [nope-nope] not found]"
        ),
    ),
    "that says to be a workflow": (
        lambda task: {"id": task | {"resource_type": "WORKFLOW"}, "spec": {"template": echo_template(task)}},
        (
            'unexpected resource type workflow for identifier [resource_type:WORKFLOW project:"$project" '
            'domain:"$domain" name:"$name" version:"$version"], expected task instead'
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_task_that_is_not_registered(refuses: Callable[..., None], task: dict[str, str], case: str) -> None:
    make, details = CASES[case]
    request = {key: _without_none(value) for key, value in make(task).items()}
    # The arguments of a container are templates, and so are the words of a case.
    refuses("CreateTask", request, "INVALID_ARGUMENT", details, name=task["name"], version=task["version"])


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return value


def test_a_task_is_found_as_it_was_registered(flyte: Flyte, task: dict[str, str]) -> None:
    flyte("CreateTask", id=task, spec={"template": echo_template(task)})
    found = flyte("GetTask", id=task)
    template = found["closure"]["compiled_task"]["template"]
    assert (found["id"], template["id"], template["type"]) == (task, task, "echo")
    assert template["interface"] == echo_template(task)["interface"]
    assert found["closure"]["created_at"]


def test_registering_the_same_twice(flyte: Flyte, task: dict[str, str], refuses: Callable[..., None]) -> None:
    request = {"id": task, "spec": {"template": echo_template(task)}}
    flyte("CreateTask", **request)
    refuses("CreateTask", request, "ALREADY_EXISTS", "task with identical structure already exists")


def test_registering_another_under_the_same_version(
    flyte: Flyte, task: dict[str, str], refuses: Callable[..., None]
) -> None:
    flyte("CreateTask", id=task, spec={"template": echo_template(task)})
    details = (
        f"{task['name']} task with different structure already exists. (Please register a new version of the task):\n"
        "/template/type:\n\t- echo \n\t+ other"
    )
    request = {"id": task, "spec": {"template": echo_template(task, type="other")}}
    refuses("CreateTask", request, "INVALID_ARGUMENT", details)


def test_the_id_of_the_template_does_not_count(flyte: Flyte, task: dict[str, str]) -> None:
    flyte("CreateTask", id=task, spec={"template": echo_template(task | {"name": "other"})})
    assert flyte("GetTask", id=task)["closure"]["compiled_task"]["template"]["id"] == task


@pytest.mark.parametrize("version", ["a/b", "a b", "ü", "a+b", "1.2.3", "A", "v" * 200])
def test_versions_that_are_fine(flyte: Flyte, task: dict[str, str], version: str) -> None:
    task |= {"version": version}
    flyte("CreateTask", id=task, spec={"template": echo_template(task)})
    assert flyte("GetTask", id=task)["id"] == task


@pytest.mark.parametrize("name", ["a", "A.b-c_d", "a b", "ü.ß", "n" * 200])
def test_names_that_are_fine(flyte: Flyte, task: dict[str, str], name: str) -> None:
    task |= {"name": name, "version": fresh("v")}
    flyte("CreateTask", id=task, spec={"template": echo_template(task)})
    assert flyte("GetTask", id=task)["id"] == task


def test_a_task_that_there_is_not(refuses: Callable[..., None], task: dict[str, str]) -> None:
    details = (
        'missing entity of type TASK with identifier project:"$project" domain:"$domain" '
        f'name:"{task["name"]}" version:"{task["version"]}"'
    )
    refuses("GetTask", {"id": task}, "NOT_FOUND", details)


def test_a_version_that_is_left_out_is_any(flyte: Flyte, echo: dict[str, str]) -> None:
    assert flyte("GetTask", id=echo | {"version": ""})["id"] == echo


def test_lists_of_versions_and_of_names(flyte: Flyte) -> None:
    first = register_echo(flyte)
    second = first | {"version": fresh("v")}
    flyte("CreateTask", id=second, spec={"template": echo_template(second)})
    named = {"id": {**flyte.place, "name": first["name"]}}
    order = {"key": "created_at", "direction": "ASCENDING"}
    listed = flyte("ListTasks", **named, limit=5, sort_by=order)
    assert [task["id"] for task in listed["tasks"]] == [first, second]
    assert listed["tasks"][0]["closure"]["compiled_task"]["template"]["type"] == "echo"
    newest = flyte("ListTasks", **named, limit=1, sort_by=order | {"direction": "DESCENDING"})
    assert (newest["tasks"][0]["id"], newest["token"]) == (second, "1")
    names = flyte("ListTaskIds", **flyte.place, limit=10000)["entities"]
    assert names.count({**flyte.place, "name": first["name"]}) == 1


def test_a_task_without_outputs(flyte: Flyte, task: dict[str, str]) -> None:
    flyte("CreateTask", id=task, spec={"template": echo_template(task, interface=interface({"a": INTEGER}, {}))})
    found = flyte("GetTask", id=task)["closure"]["compiled_task"]["template"]["interface"]
    assert found["inputs"] == {"variables": {"a": INTEGER}}


def test_a_description_is_kept(flyte: Flyte, task: dict[str, str]) -> None:
    described = {
        "short_description": "adds",
        "long_description": {"value": "adds numbers", "format": "DESCRIPTION_FORMAT_MARKDOWN"},
        "source_code": {"link": "https://example.com/add"},
    }
    flyte("CreateTask", id=task, spec={"template": echo_template(task), "description": described})
    found = flyte("GetDescriptionEntity", id=task)
    assert found == {"id": task, **described}
    assert flyte("GetTask", id=task)["short_description"] == "adds"
    listed = flyte("ListDescriptionEntities", resource_type="TASK", id={**flyte.place, "name": task["name"]}, limit=5)
    assert listed["descriptionEntities"] == [found]


def test_nobody_described_it(refuses: Callable[..., None], echo: dict[str, str]) -> None:
    refuses("GetDescriptionEntity", {"id": echo}, "NOT_FOUND", "entry not found")


@pytest.mark.parametrize(
    ("request_", "details"),
    [
        ({"resource_type": "TASK", "id": {"project": "p", "domain": "d"}, "limit": 1}, "missing name"),
        ({"resource_type": "TASK", "id": {"project": "p", "name": "n"}, "limit": 1}, "missing domain"),
        ({"resource_type": "TASK", "id": {"project": "p", "domain": "d", "name": "n"}}, "invalid value for limit"),
        (
            {"resource_type": "TASK", "id": {"project": "p", "domain": "d", "name": "n"}, "limit": 1, "token": "x"},
            "invalid pagination token x for ListWorkflows",
        ),
        (
            {
                "resource_type": "TASK",
                "id": {"project": "p", "domain": "d", "name": "n"},
                "limit": 1,
                "filters": "eq(color,red)",
            },
            "'t.color' is invalid filter",
        ),
    ],
)
def test_a_list_of_descriptions_that_is_refused(
    refuses: Callable[..., None], request_: dict[str, Any], details: str
) -> None:
    refuses("ListDescriptionEntities", request_, "INVALID_ARGUMENT", details)
