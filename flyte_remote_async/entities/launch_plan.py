"""A launch plan that a control plane has."""

from __future__ import annotations

import functools
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Self

import attrs
from flyteidl.admin import common_pb2, launch_plan_pb2
from flyteidl.core import interface_pb2

from flyte_remote_async.entities.base import FlyteEntity, message_of
from flyte_remote_async.interface import TypedInterface
from flyte_remote_async.models.common import QualityOfService, SecurityContext, optional_bool, texts
from flyte_remote_async.models.identifiers import Identifier, ResourceType
from flyte_remote_async.models.launch_plans import LaunchPlanMetadata, LaunchPlanState
from flyte_remote_async.models.literals import literal_map_to_flyte_idl, literals_by_name, parameters_by_name
from flyte_remote_async.models.message import canonical_bytes
from flyte_remote_async.models.parsed import value_in
from flyte_remote_async.models.times import datetime_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from flyteidl.core import security_pb2

    from flyte_remote_async.models.launch_plans import Schedule
    from flyte_remote_async.models.literals import Literal, Parameter, Variable

__all__ = ["FlyteLaunchPlan"]


@attrs.frozen(init=False, repr=False)
class FlyteLaunchPlan(FlyteEntity[launch_plan_pb2.LaunchPlanSpec]):
    """A launch plan (``admin.LaunchPlanSpec``), fetched with ``remote.fetch_launch_plan`` or made by hand.

    Args:
        id: What identifies it.
        workflow_id: The workflow that it launches.
        default_inputs: Inputs that need not be given, or must be, by name.
        fixed_inputs: Inputs that cannot be given, by name.
        entity_metadata: When it is launched, and whom to tell.
        labels: Labels of the executions.
        annotations: Annotations of the executions.
        security_context: What the executions run as.
        max_parallelism: How many nodes run at once at most; 0 is the server's default.

    Values may be ours or protobuf messages.
    """

    message_type: ClassVar[type[launch_plan_pb2.LaunchPlanSpec]] = launch_plan_pb2.LaunchPlanSpec
    _resource_type: ClassVar[ResourceType] = ResourceType.LAUNCH_PLAN

    id: Identifier
    """What identifies it; a spec alone does not say it, and gives an id without a name."""
    _fetched: bytes | None = None  # the admin.LaunchPlan that it came in, without id and spec

    def __init__(  # noqa: PLR0917 - the reference API's own parameters
        self,
        id: Identifier,
        workflow_id: Identifier,
        default_inputs: Mapping[str, Parameter] | None = None,
        fixed_inputs: Mapping[str, Literal] | None = None,
        entity_metadata: LaunchPlanMetadata | launch_plan_pb2.LaunchPlanMetadata | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        security_context: SecurityContext | security_pb2.SecurityContext | None = None,
        max_parallelism: int = 0,
    ) -> None:
        parameters = {name: parameter.to_flyte_idl() for name, parameter in (default_inputs or {}).items()}
        spec = launch_plan_pb2.LaunchPlanSpec(
            workflow_id=workflow_id.to_flyte_idl(),
            default_inputs=interface_pb2.ParameterMap(parameters=parameters),
            fixed_inputs=literal_map_to_flyte_idl(fixed_inputs or {}),
            entity_metadata=message_of(entity_metadata),
            labels=common_pb2.Labels(values=labels) if labels else None,
            annotations=common_pb2.Annotations(values=annotations) if annotations else None,
            security_context=message_of(security_context),
            max_parallelism=max_parallelism,
        )
        self.__attrs_init__(canonical_bytes(spec), id)

    @classmethod
    def from_flyte_idl(cls, p: launch_plan_pb2.LaunchPlanSpec) -> Self:
        """Return the launch plan of a spec, which does not say what identifies it.

        Args:
            p: The spec, as it is registered.
        """
        return cls._of(p, Identifier(ResourceType.LAUNCH_PLAN, "", "", ""))

    @classmethod
    def from_launch_plan(cls, p: launch_plan_pb2.LaunchPlan) -> Self:
        """Return the launch plan of a message that a control plane answered with.

        Args:
            p: What GetLaunchPlan and ListLaunchPlans give.
        """
        rest = launch_plan_pb2.LaunchPlan()
        rest.CopyFrom(p)
        rest.ClearField("spec")
        return cls._of(p.spec, Identifier.from_flyte_idl(p.id), canonical_bytes(rest))

    @classmethod
    def promote_from_model(cls, id: Identifier, model: launch_plan_pb2.LaunchPlanSpec) -> Self:
        """Return the launch plan of a spec.

        Args:
            id: What identifies it.
            model: The spec, as it is registered.
        """
        return cls._of(model, id)

    @classmethod
    def _of(cls, spec: launch_plan_pb2.LaunchPlanSpec, identifier: Identifier, fetched: bytes | None = None) -> Self:
        plan = cls.__new__(cls)
        plan.__attrs_init__(canonical_bytes(spec), identifier, fetched)
        return plan

    def to_launch_plan(self) -> launch_plan_pb2.LaunchPlan:
        """Return the launch plan as a control plane answers with it, with all that came in when it was fetched."""
        plan = launch_plan_pb2.LaunchPlan.FromString(self._fetched or b"")
        if self._fetched is None:
            plan.id.CopyFrom(self.id.to_flyte_idl())
        plan.spec.CopyFrom(self.to_flyte_idl())
        return plan

    @functools.cached_property
    def _spec(self) -> launch_plan_pb2.LaunchPlanSpec:
        return self.to_flyte_idl()

    @functools.cached_property
    def _closure(self) -> launch_plan_pb2.LaunchPlanClosure | None:
        plan = launch_plan_pb2.LaunchPlan.FromString(self._fetched or b"")
        return plan.closure if plan.HasField("closure") else None

    @property
    def workflow_id(self) -> Identifier:
        """The workflow that it launches."""
        return Identifier.from_flyte_idl(self._spec.workflow_id)

    @functools.cached_property
    def interface(self) -> TypedInterface | None:
        """The inputs that may be given, and the outputs; None when it was not fetched."""
        if self._closure is None:
            return None
        inputs = {name: parameter.var for name, parameter in self.expected_inputs.items()}
        outputs = interface_pb2.TypedInterface(outputs=self._closure.expected_outputs)
        return TypedInterface(inputs, TypedInterface.from_flyte_idl(outputs).outputs)

    @functools.cached_property
    def expected_inputs(self) -> Mapping[str, Parameter]:
        """The inputs that may be given, by name: which are required, and the defaults of the others."""
        message = self._closure.expected_inputs if self._closure is not None else self._spec.default_inputs
        return MappingProxyType(parameters_by_name(message))

    @property
    def expected_outputs(self) -> Mapping[str, Variable]:
        """The outputs by name; empty when it was not fetched."""
        return self.interface.outputs if self.interface is not None else MappingProxyType({})

    @property
    def default_inputs(self) -> Mapping[str, Parameter]:
        """The inputs that it says something of, by name; :attr:`expected_inputs` has those of the workflow too."""
        return MappingProxyType(parameters_by_name(self._spec.default_inputs))

    @property
    def fixed_inputs(self) -> Mapping[str, Literal]:
        """The inputs that cannot be given, by name."""
        return MappingProxyType(literals_by_name(self._spec.fixed_inputs))

    @property
    def entity_metadata(self) -> LaunchPlanMetadata:
        """When it is launched, and whom to tell."""
        return LaunchPlanMetadata.from_flyte_idl(self._spec.entity_metadata)

    @property
    def schedule(self) -> Schedule:
        """When it is launched by itself; an empty value when it is not."""
        return self.entity_metadata.schedule

    @property
    def is_scheduled(self) -> bool:
        """Whether it is launched by itself when it is active."""
        return self.schedule.is_scheduled

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels of the executions."""
        return texts(self._spec.labels.values)

    @property
    def annotations(self) -> Mapping[str, str]:
        """Annotations of the executions."""
        return texts(self._spec.annotations.values)

    @property
    def envs(self) -> Mapping[str, str]:
        """Environment variables of the executions."""
        return texts({pair.key: pair.value for pair in self._spec.envs.values})

    @property
    def security_context(self) -> SecurityContext | None:
        """What the executions run as; None when nothing is said."""
        return value_in(SecurityContext, self._spec, "security_context")

    @property
    def quality_of_service(self) -> QualityOfService | None:
        """How urgent the executions are; None when nothing is said."""
        return value_in(QualityOfService, self._spec, "quality_of_service")

    @property
    def max_parallelism(self) -> int:
        """How many nodes run at once at most; 0 is the server's default."""
        return self._spec.max_parallelism

    @property
    def interruptible(self) -> bool | None:
        """Whether tasks may run on nodes that can be taken away; None leaves it to the workflow."""
        return optional_bool(self._spec.interruptible, is_set=self._spec.HasField("interruptible"))

    @property
    def overwrite_cache(self) -> bool:
        """Whether tasks run though the cache has their outputs."""
        return self._spec.overwrite_cache

    @property
    def raw_output_data_prefix(self) -> str:
        """Where tasks put files and tables; empty for the server's default."""
        return self._spec.raw_output_data_config.output_location_prefix

    @property
    def state(self) -> LaunchPlanState | None:
        """Whether it was active when it was fetched; None when it was not fetched."""
        return LaunchPlanState(self._closure.state) if self._closure is not None else None

    @property
    def is_active(self) -> bool:
        """Whether it was active when it was fetched."""
        return self.state is LaunchPlanState.ACTIVE

    @property
    def created_at(self) -> datetime | None:
        """When it was registered; None when it was not fetched."""
        return datetime_in(self._closure, "created_at") if self._closure is not None else None

    @property
    def updated_at(self) -> datetime | None:
        """When its state last changed; None when it was not fetched."""
        return datetime_in(self._closure, "updated_at") if self._closure is not None else None

    # In each class anew: attrs hashes by content where a class has no __hash__ of its own.
    def __hash__(self) -> int:
        return hash(self.id)
