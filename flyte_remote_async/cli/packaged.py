"""The workflows that the demo brings along: recorded from a real Flyte, compiled."""

from __future__ import annotations

import base64
import gzip
import json
from importlib import resources
from typing import TYPE_CHECKING, Final

import attrs
from flyteidl.admin import launch_plan_pb2

from flyte_remote_async.literals import decode
from flyte_remote_async.models.types import LiteralType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyteidl.core import interface_pb2

__all__ = ["Packaged", "packaged_lines", "packaged_workflows"]

_FILE: Final = "workflows.jsonl.gz"


@attrs.frozen
class Packaged:
    """One workflow of the package.

    Attributes:
        name: Its name.
        inputs: The names of its inputs, with what each is when it is not given.
        outputs: The names of its outputs.
    """

    name: str
    inputs: Mapping[str, object]
    outputs: tuple[str, ...]

    def __str__(self) -> str:
        inputs = ", ".join(f"{name}={default!r}" for name, default in self.inputs.items())
        return f"{self.name}({inputs}) -> {', '.join(self.outputs) or 'nothing'}"


def packaged_lines() -> list[str]:
    """Return the entities as lines that :meth:`DevServer.load` takes."""
    data = resources.files("flyte_remote_async.cli").joinpath("data", _FILE).read_bytes()
    return gzip.decompress(data).decode().splitlines()


def packaged_workflows() -> list[Packaged]:
    """Return what can be launched, by name."""
    lines = [json.loads(line) for line in packaged_lines()]
    plans = [
        launch_plan_pb2.LaunchPlan.FromString(base64.b64decode(line["pb"]))
        for line in lines
        if line["kind"] == "LAUNCH_PLAN"
    ]
    return sorted((_packaged(plan) for plan in plans), key=lambda workflow: workflow.name)


def _packaged(plan: launch_plan_pb2.LaunchPlan) -> Packaged:
    parameters = plan.closure.expected_inputs.parameters
    return Packaged(
        plan.spec.workflow_id.name,
        {name: _default(parameters[name]) for name in sorted(parameters)},
        tuple(sorted(plan.closure.expected_outputs.variables)),
    )


def _default(parameter: interface_pb2.Parameter) -> object:
    return decode(parameter.default, LiteralType.from_flyte_idl(parameter.var.type))
