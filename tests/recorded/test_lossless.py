"""Every value gives back the message that it was made from: on all recorded messages, and on made-up ones."""

from __future__ import annotations

import pickle
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.admin import launch_plan_pb2, task_pb2, workflow_pb2
from flyteidl.service import admin_pb2, dataproxy_pb2, signal_pb2
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyte_remote_async.entities import FlyteLaunchPlan, FlyteTask, FlyteWorkflow
from tests.support.messages import is_repeated, messages
from tests.support.recordings import load, message_class, rpcs
from tests.support.values import value_classes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flyte_remote_async.models.message import MessageValue

CLASSES = value_classes()


def walk(message: Message) -> Iterator[Message]:
    """Yield a message and all messages inside it."""
    waiting = [message]
    while waiting:
        current = waiting.pop()
        yield current
        for field, value in current.ListFields():
            inner = field.message_type
            if inner is None:
                continue
            if inner.GetOptions().map_entry:
                waiting.extend(item for item in value.values() if isinstance(item, Message))
            elif is_repeated(field):
                waiting.extend(value)
            else:
                waiting.append(value)


def recorded_messages() -> Iterator[Message]:
    for record in load().records:
        yield record.message
    services = {
        service.full_name: service
        for module in (admin_pb2, dataproxy_pb2, signal_pb2)
        for service in module.DESCRIPTOR.services_by_name.values()
    }
    for call in rpcs():
        service, _, method = call.method.removeprefix("/").rpartition("/")
        descriptor = services[service].methods_by_name[method]
        yield message_class(descriptor.input_type.full_name).FromString(call.request)
        yield message_class(descriptor.output_type.full_name).FromString(call.response)


@pytest.fixture(scope="module")
def recorded() -> dict[str, set[bytes]]:
    """Return the bytes of all recorded messages by type, those inside others included."""
    wanted = {value_class.message_type.DESCRIPTOR.full_name for value_class in CLASSES}
    found: dict[str, set[bytes]] = defaultdict(set)
    for outer in recorded_messages():
        for message in walk(outer):
            if message.DESCRIPTOR.full_name in wanted:
                found[message.DESCRIPTOR.full_name].add(message.SerializeToString(deterministic=True))
    return found


@pytest.mark.parametrize("value_class", CLASSES, ids=lambda value_class: value_class.__name__)
def test_recorded_messages_come_out_as_they_went_in(
    value_class: type[MessageValue[Any]], recorded: dict[str, set[bytes]]
) -> None:
    for data in recorded[value_class.message_type.DESCRIPTOR.full_name]:
        message = value_class.message_type.FromString(data)
        value = value_class.from_flyte_idl(message)
        assert value.to_flyte_idl() == message
        assert value.serialize_to_string() == data


def test_the_recordings_hold_what_people_read(recorded: dict[str, set[bytes]]) -> None:
    read = ["admin.ExecutionClosure", "admin.NodeExecutionClosure", "admin.TaskExecutionClosure", "core.Literal"]
    assert all(recorded[f"flyteidl.{name}"] for name in [*read, "core.ExecutionError", "admin.LaunchPlanSpec"])


@pytest.mark.parametrize("value_class", CLASSES, ids=lambda value_class: value_class.__name__)
@given(data=st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_message_comes_out_as_it_went_in(value_class: type[MessageValue[Any]], data: st.DataObject) -> None:
    message = data.draw(messages(value_class.message_type))
    before = message.SerializeToString(deterministic=True)
    value = value_class.from_flyte_idl(message)
    assert value.to_flyte_idl() == message
    assert value.serialize_to_string() == before
    assert value.is_empty == (not before)
    again = pickle.loads(pickle.dumps(value))
    assert again == value
    assert hash(again) == hash(value)
    assert again.to_flyte_idl() == message


@pytest.mark.parametrize("value_class", CLASSES, ids=lambda value_class: value_class.__name__)
def test_a_value_is_a_copy(value_class: type[MessageValue[Any]]) -> None:
    message = value_class.message_type()
    value = value_class.from_flyte_idl(message)
    message.MergeFromString(b"\xf8\xff\x7f\x01")  # a field that no type has
    assert value.to_flyte_idl() != message
    value.to_flyte_idl().MergeFromString(b"\xf8\xff\x7f\x01")
    assert value.serialize_to_string() == b""


@pytest.mark.parametrize(
    ("kind", "from_message", "to_message"),
    [
        ("TASK", FlyteTask.from_task, FlyteTask.to_task),
        ("WORKFLOW", FlyteWorkflow.from_workflow, FlyteWorkflow.to_workflow),
        ("LAUNCH_PLAN", FlyteLaunchPlan.from_launch_plan, FlyteLaunchPlan.to_launch_plan),
    ],
)
def test_fetched_entities_keep_all_that_came(kind: str, from_message: Any, to_message: Any) -> None:
    records = load().of_kind(kind)
    assert records
    for record in records:
        assert to_message(from_message(record.message)) == record.message


@given(st.one_of(messages(task_pb2.Task), messages(workflow_pb2.Workflow), messages(launch_plan_pb2.LaunchPlan)))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_fetched_entity_keeps_all_that_came(message: Any) -> None:
    if isinstance(message, task_pb2.Task):
        # What is always there when a control plane answers: the closure, and in it the definition.
        message.closure.compiled_task.template.SetInParent()
        assert FlyteTask.from_task(message).to_task() == message
    elif isinstance(message, workflow_pb2.Workflow):
        message.closure.compiled_workflow.SetInParent()
        assert FlyteWorkflow.from_workflow(message).to_workflow() == message
    else:
        message.spec.SetInParent()
        assert FlyteLaunchPlan.from_launch_plan(message).to_launch_plan() == message
