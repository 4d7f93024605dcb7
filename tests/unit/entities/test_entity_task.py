from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.admin import task_pb2
from flyteidl.core import security_pb2, tasks_pb2

from flyte_remote_async.entities import FlyteTask, TaskTemplate
from flyte_remote_async.interface import TypedInterface
from flyte_remote_async.models.identifiers import Identifier, ResourceType
from flyte_remote_async.models.literals import LiteralType, Variable
from flyte_remote_async.models.tasks import Container, TaskMetadata

if TYPE_CHECKING:
    from tests.support.recordings import Recordings

ID = Identifier(ResourceType.TASK, "p", "d", "t", "v")
TEXT = Variable.of(LiteralType.from_string(b"\x08\x03"))
INTERFACE = TypedInterface({"a": TEXT}, {"o0": TEXT})
METADATA = tasks_pb2.TaskMetadata(
    discoverable=True,
    discovery_version="1",
    cache_serializable=True,
    cache_ignore_input_vars=["a"],
    interruptible=False,
    deprecated_error_message="old",
    pod_template_name="pods",
    is_eager=True,
    tags={"k": "v"},
)
METADATA.retries.retries = 3
METADATA.timeout.seconds = 60
METADATA.generates_deck.value = True


def made(**changes: Any) -> FlyteTask:
    arguments: dict[str, Any] = {
        "id": ID,
        "type": "python-task",
        "metadata": METADATA,
        "interface": INTERFACE,
        "custom": {"n": 1, "deep": {"list": [None, True]}},
    }
    return FlyteTask(**{**arguments, **changes})


@pytest.fixture
def add(recordings: Recordings) -> FlyteTask:
    return FlyteTask.from_task(recordings.get("TASK", "flytesnacks/development/samples.add/v2"))


def test_a_fetched_task(add: FlyteTask) -> None:
    assert repr(add) == "FlyteTask(samples.add:v2 in flytesnacks/development)"
    assert str(add) == "Task samples.add:v2 in flytesnacks/development: (a: int, b: int) -> (o0: int)"
    assert add.name == "samples.add"
    assert add.id == Identifier(ResourceType.TASK, "flytesnacks", "development", "samples.add", "v2")
    assert add.resource_type is ResourceType.TASK
    assert add.entity_type_text == "Task"
    assert add.type == "python-task"
    assert add.task_type_version == 0
    assert add.python_interface is not None
    assert add.python_interface.inputs == {"a": int, "b": int}
    assert add.container is not None
    assert add.container.image
    assert add.container.args[0] == "pyflyte-execute"
    assert add.container.command == ()
    assert add.container.env == {}
    assert (add.k8s_pod, add.sql, add.extended_resources) == (None, None, None)
    assert add.metadata.runtime == "python 1.16.31"
    assert add.metadata.retries == 0
    assert add.metadata.interruptible is None
    assert add.metadata.timeout is None
    assert add.created_at is not None
    assert add.created_at.tzinfo is UTC
    assert not add.should_register
    assert add.config == {}
    assert add.custom == {}
    assert add._repr_html_().startswith(
        "<b>Task</b> samples.add:v2 in flytesnacks/development<table><tr><td>input</td>"
    )


def test_a_fetched_task_gives_the_spec_that_was_registered(recordings: Recordings) -> None:
    for record in recordings.of_kind("TASK"):
        task = FlyteTask.from_task(record.message)
        assert task.to_flyte_idl() == task_pb2.TaskSpec(template=record.message.closure.compiled_task.template)
        assert FlyteTask.from_flyte_idl(task.to_flyte_idl()).template == task.template
        assert FlyteTask.promote_from_model(task.template).to_flyte_idl() == task.to_flyte_idl()
        assert pickle.loads(pickle.dumps(task)) == task


def test_a_task_made_by_hand() -> None:
    task = made(
        container=Container.from_flyte_idl(tasks_pb2.Container(image="img", command=["run"])),
        task_type_version=2,
        security_context=security_pb2.SecurityContext(run_as=security_pb2.Identity(iam_role="r")),
        config={"k": "v"},
        extended_resources=tasks_pb2.ExtendedResources(gpu_accelerator=tasks_pb2.GPUAccelerator(device="a100")),
        should_register=True,
    )
    assert task.id == ID
    assert task.interface == INTERFACE
    assert task.custom == {"n": 1, "deep": {"list": [None, True]}}
    assert task.container is not None
    assert task.container.image == "img"
    assert task.task_type_version == 2
    assert task.security_context is not None
    assert task.security_context.iam_role == "r"
    assert task.config == {"k": "v"}
    assert task.extended_resources is not None
    assert task.extended_resources.accelerator == "a100"
    assert task.should_register
    assert task.created_at is None
    assert task.docs is None
    assert task.to_task().id == ID.to_flyte_idl()
    assert task.to_task().closure.compiled_task.template == task.template.to_flyte_idl()
    assert isinstance(task.template, TaskTemplate)


def test_how_to_run_a_task() -> None:
    metadata = made().metadata
    assert metadata == TaskMetadata.from_flyte_idl(METADATA)
    assert metadata.discoverable
    assert metadata.cache_serializable
    assert metadata.cache_ignore_input_vars == ("a",)
    assert metadata.retries == 3
    assert metadata.timeout == timedelta(minutes=1)
    assert metadata.interruptible is False
    assert metadata.generates_deck is True
    assert metadata.deprecated_error_message == "old"
    assert metadata.is_eager
    assert (metadata.discovery_version, metadata.pod_template_name, metadata.tags) == ("1", "pods", {"k": "v"})
    assert made(metadata=None).metadata.generates_deck is None


def test_a_task_has_one_target() -> None:
    pod = tasks_pb2.K8sPod(primary_container_name="main")
    pod.pod_spec["containers"] = []
    task = made(k8s_pod=pod)
    assert task.k8s_pod is not None
    assert task.k8s_pod.primary_container_name == "main"
    assert task.k8s_pod.pod_spec == {"containers": []}
    query = made(sql=tasks_pb2.Sql(statement="SELECT 1")).sql
    assert query is not None
    assert query.statement == "SELECT 1"
    with pytest.raises(ValueError, match="more than one of container, k8s_pod and sql"):
        made(k8s_pod=pod, sql=tasks_pb2.Sql())


def test_tasks_are_equal_by_content_and_hash_by_id(add: FlyteTask) -> None:
    assert made() == made()
    assert made(should_register=True) != made()
    assert made(type="other") != made()
    assert hash(made(type="other")) == hash(made()) == hash(ID)
    assert {made(): 1}[made()] == 1
    assert made() != add


def test_what_its_author_wrote() -> None:
    spec = task_pb2.TaskSpec()
    spec.description.short_description = "short"
    spec.description.long_description.value = "long"
    spec.description.source_code.link = "http://code"
    docs = FlyteTask.from_flyte_idl(spec).docs
    assert docs is not None
    assert (docs.short_description, docs.long_description, docs.source_link) == ("short", "long", "http://code")
    fetched = FlyteTask.from_task(task_pb2.Task(short_description="listed")).docs
    assert fetched is not None
    assert fetched.short_description == "listed"
    assert repr(FlyteTask.from_flyte_idl(spec)) == "FlyteTask(without id)"


def test_when_it_was_registered() -> None:
    message = task_pb2.Task()
    message.closure.created_at.seconds = 1
    assert FlyteTask.from_task(message).created_at == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
