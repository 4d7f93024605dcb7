"""What the compiler makes of the recorded registrations is what a real Flyte made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.admin import task_pb2, workflow_pb2

from flyte_remote_async.devserver.compiler import compile_workflow
from tests.support import recordings as recorded
from tests.support.compiling import World

if TYPE_CHECKING:
    from flyteidl.core import compiler_pb2

    from tests.support.recordings import Recordings


def requests(cls: Any) -> list[Any]:
    name = cls.DESCRIPTOR.name.removesuffix("Request").replace("Create", "")
    return [cls.FromString(call.request) for call in recorded.rpcs() if call.method.endswith(f"/Create{name}")]


@pytest.fixture(scope="module")
def world(recordings: Recordings) -> World:
    world = World()
    for task in requests(task_pb2.TaskCreateRequest):
        world.add_task(task)
    for record in recordings.of_kind("LAUNCH_PLAN"):
        world.launch_plans[record.message.id.name] = record.message
    return world


def key(message: Any) -> str:
    return f"{message.id.project}/{message.id.domain}/{message.id.name}/{message.id.version}"


@pytest.mark.parametrize("request_", requests(workflow_pb2.WorkflowCreateRequest), ids=lambda each: each.id.name)
def test_a_recorded_workflow(
    world: World, recordings: Recordings, request_: workflow_pb2.WorkflowCreateRequest
) -> None:
    compiled = world.compile_request(request_)
    if request_.id.name == "samples.wide50":
        # It was registered and never fetched.
        assert len(compiled.primary.template.nodes) == 52
    else:
        assert compiled == recordings.get("WORKFLOW", key(request_)).closure.compiled_workflow


def test_recorded_tasks(world: World, recordings: Recordings) -> None:
    compared = 0
    for record in recordings.of_kind("TASK"):
        task = record.message.closure.compiled_task
        assert world.tasks[task.template.id.name] == task
        compared += 1
    assert compared == 28


def spec_of(compiled: compiler_pb2.CompiledWorkflow) -> Any:
    """Return the template that was compiled: without the nodes that the compiler adds."""
    template = type(compiled.template)()
    template.CopyFrom(compiled.template)
    del template.nodes[:2]
    return template


def test_recorded_dynamic_workflows(world: World, recordings: Recordings) -> None:
    records = recordings.of_kind("DYNAMIC_WORKFLOW")
    assert len(records) == 2
    for record in records:
        closure = record.message.compiled_workflow
        inner = [spec_of(each) for each in closure.sub_workflows]
        plans = list(world.launch_plans.values())
        assert compile_workflow(spec_of(closure.primary), inner, closure.tasks, plans) == closure
