"""What tasks, workflows and launch plans have in common."""

from __future__ import annotations

import html
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final, TypeVar, overload

import attrs
from google.protobuf.message import Message as ProtobufMessage

from flyte_remote_async.models.identifiers import ResourceType
from flyte_remote_async.models.message import MessageValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyte_remote_async.interface import PythonInterface, TypedInterface
    from flyte_remote_async.models.identifiers import Identifier

__all__ = ["FlyteEntity", "message_of"]

M = TypeVar("M", bound=ProtobufMessage)

_TEXTS: Final[Mapping[ResourceType, str]] = {
    ResourceType.TASK: "Task",
    ResourceType.WORKFLOW: "Workflow",
    ResourceType.LAUNCH_PLAN: "Launch Plan",
}


@overload
def message_of(value: MessageValue[M] | M) -> M: ...
@overload
def message_of(value: None) -> None: ...
def message_of(value: MessageValue[M] | M | None) -> M | None:
    """Return the protobuf message of one of our values; a message or None as it is."""
    return value.to_flyte_idl() if isinstance(value, MessageValue) else value


@attrs.frozen(repr=False)
class FlyteEntity(MessageValue[M]):
    """A task, workflow or launch plan as a control plane has it, or as one would get it.

    Entities are equal when all that they hold is, and hash by their id.
    """

    _resource_type: ClassVar[ResourceType]

    @property
    @abstractmethod
    def id(self) -> Identifier:
        """What identifies it."""

    @property
    @abstractmethod
    def interface(self) -> TypedInterface | None:
        """Its inputs and outputs; None when they are not known."""

    @property
    def name(self) -> str:
        """Its name, such as ``"samples.add"``."""
        return self.id.name

    @property
    def resource_type(self) -> ResourceType:
        """What kind of entity it is."""
        return self._resource_type

    @property
    def entity_type_text(self) -> str:
        """What kind of entity it is, for people."""
        return _TEXTS[self._resource_type]

    @property
    def python_interface(self) -> PythonInterface | None:
        """Its inputs and outputs as the Python types that they have when no other is asked for; None when not known."""
        return self.interface.python_interface if self.interface is not None else None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_where(self.id)})"

    def __str__(self) -> str:
        return f"{self.entity_type_text} {_where(self.id)}{': ' + str(self.interface) if self.interface else ''}"

    def _repr_html_(self) -> str:
        text = html.escape
        interface = self.interface
        rows = (
            [
                f"<tr><td>{side}</td><td>{text(name)}</td><td><code>{text(str(variable.type))}</code></td></tr>"
                for side, variables in (("input", interface.inputs), ("output", interface.outputs))
                for name, variable in variables.items()
            ]
            if interface
            else []
        )
        return f"<b>{self.entity_type_text}</b> {text(_where(self.id))}<table>{''.join(rows)}</table>"


def _where(identifier: Identifier) -> str:
    version = f":{identifier.version}" if identifier.version else ""
    place = f" in {identifier.project}/{identifier.domain}" if identifier.project else ""
    return f"{identifier.name or 'without id'}{version}{place}"
