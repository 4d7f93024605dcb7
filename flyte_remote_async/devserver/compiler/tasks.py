"""Tasks: whether what they run is complete.

Source: flytepropeller/pkg/compiler/task_compiler.go of Flyte 1.16.8.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from flyteidl.core import compiler_pb2, tasks_pb2
from google.protobuf.json_format import MessageToDict

from flyte_remote_async.devserver.compiler.problems import CompileError, Problems
from flyte_remote_async.devserver.golang.quantities import QuantityError, parse_quantity

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["compile_task"]

_DNS_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def compile_task(template: tasks_pb2.TaskTemplate) -> compiler_pb2.CompiledTask:
    """Return what Flyte makes of a task: the same, checked.

    Raises:
        CompileError: With all that is wrong.
    """
    problems = Problems()
    if not template.HasField("id"):
        problems.value_required("root", "Id")
    match template.WhichOneof("target"):
        case "container":
            _check_container(template, problems)
        case "k8s_pod":
            _check_pod(template.k8s_pod, problems)
    if problems:
        raise CompileError(problems.found)
    return compiler_pb2.CompiledTask(template=template)


def _check_container(template: tasks_pb2.TaskTemplate, problems: Problems) -> None:
    container, interface = template.container, template.interface
    takes_or_gives = bool(interface.inputs.variables or interface.outputs.variables)
    if takes_or_gives and not container.command and not container.args:
        problems.value_required("container", "command")
    if not container.image:
        problems.value_required("container", "image")
    _check_resources(container.resources.requests, problems)
    _check_resources(container.resources.limits, problems)


def _check_resources(entries: Iterable[tasks_pb2.Resources.ResourceEntry], problems: Problems) -> None:
    names = tasks_pb2.Resources.ResourceName.DESCRIPTOR.values_by_number
    for entry in entries:
        try:
            parse_quantity(entry.value)
        except QuantityError:
            name = names[entry.name].name if entry.name in names else entry.name
            problems.add("UnrecognizedValue", f"resources.{name}", f"Unrecognized value [{entry.value}].")


def _check_pod(pod: tasks_pb2.K8sPod, problems: Problems) -> None:
    containers: Any = MessageToDict(pod.pod_spec).get("containers", [])
    if not isinstance(containers, list) or not all(isinstance(each, dict) for each in containers):
        problems.add("InvalidValue", "root", "Invalid value [k8s pod spec].")
        return
    if not all(_DNS_LABEL.fullmatch(str(each.get("name", ""))) for each in containers):
        problems.add("InvalidValue", "root", "Invalid value [k8s pod spec container name].")
