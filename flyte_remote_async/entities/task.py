"""A task that a control plane has."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ClassVar, Self

import attrs
from flyteidl.admin import description_entity_pb2, task_pb2
from flyteidl.core import tasks_pb2

from flyte_remote_async.entities.base import FlyteEntity, message_of
from flyte_remote_async.entities.templates import TaskTemplate
from flyte_remote_async.models.identifiers import ResourceType
from flyte_remote_async.models.message import canonical_bytes
from flyte_remote_async.models.structs import struct_from
from flyte_remote_async.models.tasks import Documentation
from flyte_remote_async.models.times import datetime_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from flyteidl.core import interface_pb2, security_pb2

    from flyte_remote_async.interface import TypedInterface
    from flyte_remote_async.models.common import SecurityContext
    from flyte_remote_async.models.identifiers import Identifier
    from flyte_remote_async.models.tasks import Container, ExtendedResources, K8sPod, Sql, TaskMetadata

__all__ = ["FlyteTask"]


@attrs.frozen(init=False, repr=False)
class FlyteTask(FlyteEntity[task_pb2.TaskSpec]):
    """A task (``admin.TaskSpec``), fetched with ``remote.fetch_task`` or made by hand.

    Args:
        id: What identifies it.
        type: What runs it, such as ``"python-task"``.
        metadata: How to run it.
        interface: Its inputs and outputs.
        custom: What its plugin needs to know, as plain data.
        container: The container that it runs in; at most one of container, k8s_pod and sql may be given.
        task_type_version: The version of its type.
        security_context: What it runs as.
        config: Settings for its plugin.
        k8s_pod: The pod that it runs in.
        sql: The query that it runs.
        extended_resources: The accelerator and shared memory that it asks for.
        should_register: Whether it is to be registered before it is used.

    Raises:
        ValueError: More than one of container, k8s_pod and sql is given.

    Values may be ours or protobuf messages.
    """

    message_type: ClassVar[type[task_pb2.TaskSpec]] = task_pb2.TaskSpec
    _resource_type: ClassVar[ResourceType] = ResourceType.TASK

    should_register: bool = False
    _fetched: bytes | None = None  # the admin.Task that it came in, without the template

    def __init__(  # noqa: PLR0917 - the reference API's own parameters
        self,
        id: Identifier,
        type: str,  # noqa: A002
        metadata: TaskMetadata | tasks_pb2.TaskMetadata | None,
        interface: TypedInterface | interface_pb2.TypedInterface | None,
        custom: Mapping[str, Any] | None,
        container: Container | tasks_pb2.Container | None = None,
        task_type_version: int = 0,
        security_context: SecurityContext | security_pb2.SecurityContext | None = None,
        config: Mapping[str, str] | None = None,
        k8s_pod: K8sPod | tasks_pb2.K8sPod | None = None,
        sql: Sql | tasks_pb2.Sql | None = None,
        extended_resources: ExtendedResources | tasks_pb2.ExtendedResources | None = None,
        should_register: bool = False,
    ) -> None:
        if sum(target is not None for target in (container, k8s_pod, sql)) > 1:
            raise ValueError(f"{id} has more than one of container, k8s_pod and sql: give one of them")
        template = tasks_pb2.TaskTemplate(
            id=id.to_flyte_idl(),
            type=type,
            metadata=message_of(metadata),
            interface=message_of(interface),
            custom=struct_from(custom) if custom else None,
            container=message_of(container),
            k8s_pod=message_of(k8s_pod),
            sql=message_of(sql),
            task_type_version=task_type_version,
            security_context=message_of(security_context),
            extended_resources=message_of(extended_resources),
            config=config,
        )
        self.__attrs_init__(canonical_bytes(task_pb2.TaskSpec(template=template)), should_register)

    @classmethod
    def from_flyte_idl(cls, p: task_pb2.TaskSpec) -> Self:
        """Return the task of a spec.

        Args:
            p: The spec, as it is registered.
        """
        return cls._of(p)

    @classmethod
    def from_task(cls, p: task_pb2.Task) -> Self:
        """Return the task of a message that a control plane answered with.

        Args:
            p: What GetTask and ListTasks give.
        """
        rest = task_pb2.Task()
        rest.CopyFrom(p)
        rest.closure.compiled_task.ClearField("template")
        return cls._of(task_pb2.TaskSpec(template=p.closure.compiled_task.template), canonical_bytes(rest))

    @classmethod
    def promote_from_model(cls, base_model: TaskTemplate | tasks_pb2.TaskTemplate) -> Self:
        """Return the task of a template.

        Args:
            base_model: The definition of the task.
        """
        return cls._of(task_pb2.TaskSpec(template=message_of(base_model)))

    @classmethod
    def _of(cls, spec: task_pb2.TaskSpec, fetched: bytes | None = None) -> Self:
        task = cls.__new__(cls)
        task.__attrs_init__(canonical_bytes(spec), False, fetched)  # noqa: FBT003
        return task

    def to_task(self) -> task_pb2.Task:
        """Return the task as a control plane answers with it, with all that came in when it was fetched."""
        task = task_pb2.Task.FromString(self._fetched or b"")
        if self._fetched is None:
            task.id.CopyFrom(self.id.to_flyte_idl())
        task.closure.compiled_task.template.CopyFrom(self.to_flyte_idl().template)
        return task

    @functools.cached_property
    def template(self) -> TaskTemplate:
        """Its definition."""
        return TaskTemplate.from_flyte_idl(self.to_flyte_idl().template)

    @functools.cached_property
    def id(self) -> Identifier:
        """What identifies it."""
        return self.template.id

    @functools.cached_property
    def interface(self) -> TypedInterface:
        """Its inputs and outputs."""
        return self.template.interface

    @property
    def type(self) -> str:
        """What runs it, such as ``"python-task"``."""
        return self.template.type

    @property
    def task_type_version(self) -> int:
        """The version of its type."""
        return self.template.task_type_version

    @property
    def metadata(self) -> TaskMetadata:
        """How to run it: caching, retries, time limit."""
        return self.template.metadata

    @property
    def custom(self) -> dict[str, Any]:
        """What its plugin needs to know."""
        return self.template.custom

    @property
    def config(self) -> Mapping[str, str]:
        """Settings for its plugin."""
        return self.template.config

    @property
    def container(self) -> Container | None:
        """The container that it runs in; None when it does not."""
        return self.template.container

    @property
    def k8s_pod(self) -> K8sPod | None:
        """The pod that it runs in; None when it does not."""
        return self.template.k8s_pod

    @property
    def sql(self) -> Sql | None:
        """The query that it runs; None when it does not."""
        return self.template.sql

    @property
    def security_context(self) -> SecurityContext | None:
        """What it runs as; None when nothing is said."""
        return self.template.security_context

    @property
    def extended_resources(self) -> ExtendedResources | None:
        """The accelerator and shared memory that it asks for; None when it asks for none."""
        return self.template.extended_resources

    @property
    def docs(self) -> Documentation | None:
        """What its author wrote of it; None when that is nothing, or did not come along."""
        spec = self.to_flyte_idl()
        if spec.HasField("description"):
            return Documentation.from_flyte_idl(spec.description)
        short = task_pb2.Task.FromString(self._fetched or b"").short_description
        message = description_entity_pb2.DescriptionEntity(short_description=short)
        return Documentation.from_flyte_idl(message) if short else None

    @property
    def created_at(self) -> datetime | None:
        """When it was registered; None when it was not fetched."""
        return datetime_in(task_pb2.Task.FromString(self._fetched or b"").closure, "created_at")

    # In each class anew: attrs hashes by content where a class has no __hash__ of its own.
    def __hash__(self) -> int:
        return hash(self.id)
