"""What a task must have to be registered.

Source: flyteadmin/pkg/manager/impl/validation/task_validator.go of Flyte 1.16.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flyteidl.core import tasks_pb2
from google.protobuf.json_format import MessageToDict

from flyte_remote_async.devserver.golang.prototext import prototext
from flyte_remote_async.devserver.golang.quantities import QuantityError, parse_quantity
from flyte_remote_async.devserver.services.refusals import missing
from flyte_remote_async.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from flyteidl.admin import task_pb2
    from flyteidl.core import identifier_pb2

__all__ = ["check_task"]

_Resources = tasks_pb2.Resources
_COMPARED: Final = (_Resources.CPU, _Resources.MEMORY, _Resources.EPHEMERAL_STORAGE)
_NAMES: Final[Mapping[str, Any]] = {
    "cpu": _Resources.CPU,
    "memory": _Resources.MEMORY,
    "gpu": _Resources.GPU,
    "ephemeral-storage": _Resources.EPHEMERAL_STORAGE,
}
_CONVENTIONS: Final = (
    "Please follow K8s conventions for resources "
    "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/"
)


def check_task(request: task_pb2.TaskCreateRequest) -> None:
    """Refuse a task that is not complete, or that asks for more resources than it allows itself.

    There are no limits of the platform: how much a machine of Flyte's has says nothing here.

    Raises:
        InvalidArgumentError: With what is wrong.
    """
    if not (request.HasField("spec") and request.spec.HasField("template")):
        raise missing("spec")
    template = request.spec.template
    if not template.type:
        raise missing("type")
    if not template.HasField("metadata"):
        raise missing("metadata")
    if template.metadata.HasField("runtime") and not template.metadata.runtime.version:
        raise missing("runtime version")
    if not template.HasField("interface"):
        raise missing("typed interface")
    match template.WhichOneof("target"):
        case "container":
            _check_container(request.id, template.container)
        case "k8s_pod":
            _check_pod(request.id, template.k8s_pod)


def _check_container(task: identifier_pb2.Identifier, container: tasks_pb2.Container) -> None:
    if not container.image:
        raise missing("image")
    resources = container.resources
    _check_bounds(task, _amounts(task, resources.requests), _amounts(task, resources.limits))


def _check_pod(task: identifier_pb2.Identifier, pod: tasks_pb2.K8sPod) -> None:
    if not pod.HasField("pod_spec"):
        raise InvalidArgumentError(
            "invalid TaskSpecification, pod tasks should specify their target as a K8sPod with a defined pod spec"
        )
    containers = MessageToDict(pod.pod_spec).get("containers")
    for container in containers if isinstance(containers, list) else ():
        resources = container.get("resources") if isinstance(container, dict) else None
        if isinstance(resources, dict):
            _check_bounds(task, _pod_amounts(resources.get("requests")), _pod_amounts(resources.get("limits")))


def _amounts(
    task: identifier_pb2.Identifier, entries: Iterable[tasks_pb2.Resources.ResourceEntry]
) -> Mapping[int, tuple[Decimal, str]]:
    amounts: dict[int, tuple[Decimal, str]] = {}
    for entry in entries:
        if entry.name not in (*_COMPARED, _Resources.GPU):
            continue
        name = _Resources.ResourceName.Name(entry.name)
        if entry.name in amounts:
            raise InvalidArgumentError(f"can't specify {name} limit for task [{prototext(task)}] multiple times")
        try:
            amount = parse_quantity(entry.value)
        except QuantityError as error:
            raise InvalidArgumentError(
                f"Parsing of {name} request failed for value {entry.value} - reason  {error}. {_CONVENTIONS}"
            ) from error
        if entry.name == _Resources.GPU and amount % 1:
            raise InvalidArgumentError(
                f"gpu for [{prototext(task)}] must be a whole number, got: {entry.value} instead"
            )
        amounts[entry.name] = amount, entry.value
    return amounts


def _pod_amounts(given: Any) -> Mapping[int, tuple[Decimal, str]]:
    amounts = {}
    for name, value in (given if isinstance(given, dict) else {}).items():
        text = f"{value:g}" if isinstance(value, float) else str(value)
        try:
            # Of other resources Flyte checks nothing.
            if name in _NAMES:
                amounts[_NAMES[name]] = parse_quantity(text), text
        except QuantityError as error:
            raise InvalidArgumentError(str(error)) from error
    return amounts


def _check_bounds(
    task: identifier_pb2.Identifier,
    requests: Mapping[int, tuple[Decimal, str]],
    limits: Mapping[int, tuple[Decimal, str]],
) -> None:
    for name, (asked, text) in requests.items():
        limit, limit_text = limits.get(name, (asked, text))
        if name == _Resources.GPU and asked != limit:
            raise InvalidArgumentError(
                f"For extended resource 'gpu' the default value must equal the limit value for task [{prototext(task)}]"
            )
        if name in _COMPARED and _whole(limit) < _whole(asked):
            raise InvalidArgumentError(
                f"Requested {_Resources.ResourceName.Name(name)} default [{text}] is greater than the limit "
                f"[{limit_text}]. Please fix your configuration"
            )


def _whole(amount: Decimal) -> int:
    # Kubernetes compares whole units, rounded away from zero.
    return int(amount.to_integral_value(rounding="ROUND_UP"))
