"""Small values that executions, launch plans and workflows share. Source: ``flyteidl/admin/common.proto``."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from flyteidl.admin import common_pb2
from flyteidl.core import execution_pb2, security_pb2

from flyte_remote_async.models.parsed import ParsedValue
from flyte_remote_async.models.phases import OpenEnum, WorkflowPhase
from flyte_remote_async.models.times import timedelta_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from google.protobuf.wrappers_pb2 import BoolValue

__all__ = ["Notification", "QualityOfService", "QualityOfServiceTier", "SecurityContext", "optional_bool", "texts"]


def texts(values: Mapping[str, str]) -> Mapping[str, str]:
    """Return a read-only copy of a protobuf map of strings, by name."""
    return MappingProxyType(dict(sorted(values.items())))


def optional_bool(value: BoolValue, *, is_set: bool) -> bool | None:
    """Return a flag that may be left to a default: None when it is."""
    return value.value if is_set else None


class QualityOfServiceTier(OpenEnum):
    """How urgent an execution is (``core.QualityOfService.Tier``)."""

    UNDEFINED = 0
    HIGH = 1
    MEDIUM = 2
    LOW = 3


class QualityOfService(ParsedValue[execution_pb2.QualityOfService]):
    """How urgent an execution is (``core.QualityOfService``): a tier, or a time that it may queue."""

    __slots__ = ()
    message_type: ClassVar[type[execution_pb2.QualityOfService]] = execution_pb2.QualityOfService

    @property
    def tier(self) -> QualityOfServiceTier:
        """The tier."""
        return QualityOfServiceTier(self._message.tier)

    @property
    def queueing_budget(self) -> timedelta | None:
        """How long it may queue; None when nothing is said."""
        return timedelta_in(self._message.spec, "queueing_budget")


class Notification(ParsedValue[common_pb2.Notification]):
    """Whom to tell when an execution reaches a phase (``admin.Notification``)."""

    __slots__ = ()
    message_type: ClassVar[type[common_pb2.Notification]] = common_pb2.Notification

    @property
    def phases(self) -> tuple[WorkflowPhase, ...]:
        """The phases to tell of."""
        return tuple(map(WorkflowPhase, self._message.phases))

    @property
    def kind(self) -> str | None:
        """How to tell: ``"email"``, ``"pager_duty"`` or ``"slack"``; None when nothing is said."""
        which: str | None = self._message.WhichOneof("type")
        return which

    @property
    def recipients(self) -> tuple[str, ...]:
        """The e-mail addresses to tell, of all three kinds."""
        kind = self.kind
        return tuple(getattr(self._message, kind).recipients_email) if kind else ()


class SecurityContext(ParsedValue[security_pb2.SecurityContext]):
    """What a task or execution runs as (``core.SecurityContext``); ``to_dict()`` has the secrets that it asks for."""

    __slots__ = ()
    message_type: ClassVar[type[security_pb2.SecurityContext]] = security_pb2.SecurityContext

    @property
    def iam_role(self) -> str:
        """The role of the cloud; empty when none is named."""
        return self._message.run_as.iam_role

    @property
    def k8s_service_account(self) -> str:
        """The Kubernetes service account; empty when none is named."""
        return self._message.run_as.k8s_service_account
