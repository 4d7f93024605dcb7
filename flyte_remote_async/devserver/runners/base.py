"""What a runner is given for one attempt of a task, and what it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flyteidl.core import execution_pb2, identifier_pb2, literals_pb2, tasks_pb2

    from flyte_remote_async.devserver.runners.outcome import Outcome
    from flyte_remote_async.devserver.runners.stand_ins import Attempt

__all__ = ["TaskCall", "TaskRunner"]


@attrs.frozen
class TaskCall:
    """One attempt of a task that is to be run.

    Attributes:
        attempt: What :func:`current_attempt` tells a stand-in.
        execution_id: The execution.
        task: The task.
        inputs: The inputs; for an item of an array node its own, and not the array's.
        generated_name: The name that Flyte gives the attempt: its pod's on Kubernetes.
        inputs_uri: Where Flyte keeps the inputs; for an item of an array node those of the whole array, of which the
            task takes its own by its index.
        output_prefix: The folder for outputs.pb, error.pb, futures.pb and deck.html.
        raw_output_prefix: The folder for files, directories and tables that the task makes.
        checkpoint_uri: The folder for checkpoints.
        previous_checkpoint_uri: The checkpoints of the attempt before; empty for the first.
        interruptible: Whether the attempt is one that may be interrupted.
        index: For an item of an array node: its place in the array; else None.
        environment: Environment variables that the execution asks for.
    """

    attempt: Attempt
    execution_id: identifier_pb2.WorkflowExecutionIdentifier
    task: tasks_pb2.TaskTemplate
    inputs: literals_pb2.LiteralMap
    generated_name: str
    inputs_uri: str
    output_prefix: str
    raw_output_prefix: str
    checkpoint_uri: str
    previous_checkpoint_uri: str = ""
    interruptible: bool = False
    index: int | None = None
    environment: Mapping[str, str] = attrs.field(factory=dict)


class TaskRunner(Protocol):
    """Runs attempts of tasks. Of a devserver's runners, the first that takes a task runs it."""

    #: Whether Flyte shows an attempt as ended without ever having shown it as running.
    at_once: bool

    def takes(self, task: tasks_pb2.TaskTemplate) -> bool:
        """Return whether this runner can run a task."""
        ...

    def logs(self, call: TaskCall) -> Sequence[execution_pb2.TaskLog]:
        """Return the links to the logs of an attempt, shown from the moment it runs."""
        ...

    async def run(self, call: TaskCall) -> Outcome:
        """Run an attempt and return how it ended; what goes wrong in it is an outcome; a cancellation leaves."""
        ...
