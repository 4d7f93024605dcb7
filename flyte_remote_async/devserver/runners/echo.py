"""Echo tasks: their outputs are their inputs, and no code runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyteidl.core import literals_pb2

from flyte_remote_async.devserver.runners.outcome import Outcome, system_failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyteidl.core import execution_pb2, tasks_pb2

    from flyte_remote_async.devserver.runners.base import TaskCall

__all__ = ["EchoRunner", "echo"]

_TYPE: Final = "echo"


class EchoRunner:
    """Runs the tasks of type ``echo``, which Flyte's own plugin of that name answers at once."""

    at_once = True

    def takes(self, task: tasks_pb2.TaskTemplate) -> bool:
        """Return whether the task is an echo task."""
        return task.type == _TYPE

    def logs(self, call: TaskCall) -> Sequence[execution_pb2.TaskLog]:  # noqa: ARG002 - as the protocol has it
        """Return no links: nothing runs."""
        return ()

    async def run(self, call: TaskCall) -> Outcome:
        """Return the inputs as outputs."""
        return echo(call.task, call.inputs)


def echo(task: tasks_pb2.TaskTemplate, inputs: literals_pb2.LiteralMap) -> Outcome:
    """Return the outputs of an echo task: its inputs, in the order of their names."""
    names = sorted(task.interface.inputs.variables), sorted(task.interface.outputs.variables)
    if len(names[0]) != len(names[1]):
        return system_failure(
            "BadTaskSpecification",
            f"the number of input ({len(names[0])}) and output ({len(names[1])}) variables does not match",
        )
    outputs = {given: inputs.literals[taken] for taken, given in zip(*names, strict=True)}
    return Outcome(literals_pb2.LiteralMap(literals=outputs))
