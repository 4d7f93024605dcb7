"""Parts of the definition of a task. Source: ``flyteidl/core/tasks.proto`` and ``admin/description_entity.proto``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from flyteidl.admin import description_entity_pb2
from flyteidl.core import tasks_pb2

from flyte_remote_async.models.common import optional_bool, texts
from flyte_remote_async.models.parsed import ParsedValue
from flyte_remote_async.models.structs import struct_to_dict
from flyte_remote_async.models.times import timedelta_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

__all__ = ["Container", "Documentation", "ExtendedResources", "K8sPod", "Sql", "TaskMetadata"]


class Documentation(ParsedValue[description_entity_pb2.DescriptionEntity]):
    """What its author wrote of an entity (``admin.DescriptionEntity``)."""

    __slots__ = ()
    message_type: ClassVar[type[description_entity_pb2.DescriptionEntity]] = description_entity_pb2.DescriptionEntity

    @property
    def short_description(self) -> str:
        """One line."""
        return self._message.short_description

    @property
    def long_description(self) -> str:
        """The whole text; empty when it is not in the message, or is kept elsewhere."""
        return self._message.long_description.value

    @property
    def source_link(self) -> str:
        """Where its source code is; empty when nothing is said."""
        return self._message.source_code.link


class TaskMetadata(ParsedValue[tasks_pb2.TaskMetadata]):
    """How to run a task (``core.TaskMetadata``)."""

    __slots__ = ()
    message_type: ClassVar[type[tasks_pb2.TaskMetadata]] = tasks_pb2.TaskMetadata

    @property
    def discoverable(self) -> bool:
        """Whether its outputs are cached."""
        return self._message.discoverable

    @property
    def discovery_version(self) -> str:
        """The version of its cache."""
        return self._message.discovery_version

    @property
    def cache_serializable(self) -> bool:
        """Whether equal runs wait for one another instead of running side by side."""
        return self._message.cache_serializable

    @property
    def cache_ignore_input_vars(self) -> tuple[str, ...]:
        """The inputs that do not count for the cache."""
        return tuple(self._message.cache_ignore_input_vars)

    @property
    def retries(self) -> int:
        """How often it is tried again."""
        return self._message.retries.retries

    @property
    def timeout(self) -> timedelta | None:
        """How long one attempt may take; None when nothing is said."""
        return timedelta_in(self._message, "timeout")

    @property
    def interruptible(self) -> bool | None:
        """Whether it may run on nodes that can be taken away; None leaves it to the workflow."""
        return self._message.interruptible if self._message.HasField("interruptible") else None

    @property
    def generates_deck(self) -> bool | None:
        """Whether it makes a deck; None when nothing is said."""
        return optional_bool(self._message.generates_deck, is_set=self._message.HasField("generates_deck"))

    @property
    def deprecated_error_message(self) -> str:
        """Why it should not be used any more; empty when it may."""
        return self._message.deprecated_error_message

    @property
    def is_eager(self) -> bool:
        """Whether it is an eager task."""
        return self._message.is_eager

    @property
    def pod_template_name(self) -> str:
        """The pod template that it runs with; empty for the default."""
        return self._message.pod_template_name

    @property
    def runtime(self) -> str:
        """The SDK that made it, and its version, such as ``"python 1.16.31"``; empty when nothing is said."""
        return f"{self._message.runtime.flavor} {self._message.runtime.version}".strip()

    @property
    def tags(self) -> Mapping[str, str]:
        """Its tags."""
        return texts(self._message.tags)


class Container(ParsedValue[tasks_pb2.Container]):
    """The container that a task runs in (``core.Container``); ``to_dict()`` has its resources and ports."""

    __slots__ = ()
    message_type: ClassVar[type[tasks_pb2.Container]] = tasks_pb2.Container

    @property
    def image(self) -> str:
        """The image."""
        return self._message.image

    @property
    def command(self) -> tuple[str, ...]:
        """The command; empty for that of the image."""
        return tuple(self._message.command)

    @property
    def args(self) -> tuple[str, ...]:
        """The arguments of the command."""
        return tuple(self._message.args)

    @property
    def env(self) -> Mapping[str, str]:
        """The environment variables."""
        return texts({pair.key: pair.value for pair in self._message.env})


class K8sPod(ParsedValue[tasks_pb2.K8sPod]):
    """The Kubernetes pod that a task runs in (``core.K8sPod``)."""

    __slots__ = ()
    message_type: ClassVar[type[tasks_pb2.K8sPod]] = tasks_pb2.K8sPod

    @property
    def pod_spec(self) -> dict[str, Any]:
        """The spec of the pod, as Kubernetes has it."""
        return struct_to_dict(self._message.pod_spec)

    @property
    def primary_container_name(self) -> str:
        """The container whose end is the end of the task."""
        return self._message.primary_container_name


class Sql(ParsedValue[tasks_pb2.Sql]):
    """The query that a task runs (``core.Sql``)."""

    __slots__ = ()
    message_type: ClassVar[type[tasks_pb2.Sql]] = tasks_pb2.Sql

    @property
    def statement(self) -> str:
        """The query."""
        return self._message.statement


class ExtendedResources(ParsedValue[tasks_pb2.ExtendedResources]):
    """The accelerator and shared memory that a task asks for (``core.ExtendedResources``)."""

    __slots__ = ()
    message_type: ClassVar[type[tasks_pb2.ExtendedResources]] = tasks_pb2.ExtendedResources

    @property
    def accelerator(self) -> str:
        """The device, such as ``"nvidia-tesla-a100"``; empty when none is asked for."""
        return self._message.gpu_accelerator.device
