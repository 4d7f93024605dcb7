"""Runs a task by its stand-in: inputs out of literals, outputs into literals, and what it raises into Flyte's words."""

from __future__ import annotations

import asyncio
import re
import textwrap
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread
import attrs
from flyteidl.core import dynamic_job_pb2, execution_pb2, literals_pb2

from flyte_remote_async.devserver.naming import log_uri
from flyte_remote_async.devserver.runners.dynamic import DynamicWorkflow
from flyte_remote_async.devserver.runners.items import item_outputs, stand_in_names
from flyte_remote_async.devserver.runners.outcome import Outcome, system_failure, user_failure
from flyte_remote_async.devserver.runners.stand_ins import Interrupted, acting_for
from flyte_remote_async.devserver.runners.threads import call_in_thread
from flyte_remote_async.errors import LiteralError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from flyteidl.core import tasks_pb2

    from flyte_remote_async.devserver.clock import Clock
    from flyte_remote_async.devserver.runners.base import TaskCall
    from flyte_remote_async.devserver.runners.stand_ins import StandIn, StandIns

__all__ = ["FunctionRunner"]

_NUMBERED: Final = re.compile(r"o(\d+)")
_INDENT: Final = "    "
# Above this many bytes of inputs, decoding them on the loop would be felt by others.
_LARGE: Final = 100_000
# More than run at a time in any test: functions may wait for one another. Each costs a thread while it runs.
_THREADS: Final = 1000


class FunctionRunner:
    """Runs the tasks that a Python function stands in for.

    Args:
        stand_ins: The functions.
        clock: Dates what they raise.
    """

    at_once = False

    def __init__(self, stand_ins: StandIns, clock: Clock) -> None:
        self._stand_ins = stand_ins
        self._clock = clock
        self._threads: anyio.CapacityLimiter | None = None

    def takes(self, task: tasks_pb2.TaskTemplate) -> bool:
        """Return whether a function is registered for a task."""
        return self._stand_in(task) is not None

    def _stand_in(self, task: tasks_pb2.TaskTemplate) -> StandIn | None:
        found = (self._stand_ins.get(name) for name in stand_in_names(task))
        return next((stand_in for stand_in in found if stand_in is not None), None)

    def logs(self, call: TaskCall) -> Sequence[execution_pb2.TaskLog]:
        """Return the link that a local Flyte shows for the attempt."""
        namespace = f"{call.execution_id.project}-{call.execution_id.domain}"
        return (
            execution_pb2.TaskLog(
                uri=log_uri(namespace, call.generated_name),
                name="Kubernetes Logs (User)",
                message_format=execution_pb2.TaskLog.JSON,
            ),
        )

    async def run(self, call: TaskCall) -> Outcome:
        """Call the function: nothing that it does escapes."""
        stand_in = self._stand_in(call.task)
        if stand_in is None:
            raise LookupError(f"no stand-in is registered for task {call.task.id.name}")
        with acting_for(call.attempt):
            outcome = await self._call(stand_in, call)
        if call.index is not None and outcome.error is None:
            return attrs.evolve(outcome, outputs=item_outputs(call.task, outcome.outputs, stand_in.hints))
        return outcome

    async def _call(self, stand_in: StandIn, call: TaskCall) -> Outcome:
        if stand_in.is_async:
            return await _call_on_loop(stand_in, call.task, call.inputs, self._clock)
        # A function that hangs must not keep its execution from being aborted.
        async with self._thread_limiter():
            return await call_in_thread(partial(_call_in_thread, stand_in, call.task, call.inputs, self._clock))

    def _thread_limiter(self) -> anyio.CapacityLimiter:
        # Not in the constructor: it belongs to the loop.
        if self._threads is None:
            self._threads = anyio.CapacityLimiter(_THREADS)
        return self._threads


async def _call_on_loop(
    stand_in: StandIn, task: tasks_pb2.TaskTemplate, inputs: literals_pb2.LiteralMap, clock: Clock
) -> Outcome:
    try:
        if inputs.ByteSize() > _LARGE:
            arguments = await anyio.to_thread.run_sync(_arguments, stand_in, task, inputs)
        else:
            arguments = _arguments(stand_in, task, inputs)
        value = await stand_in.function(**arguments)
        return _outcome(stand_in, task, value)
    except asyncio.CancelledError as error:
        current = asyncio.current_task()
        if current is not None and current.cancelling():
            raise
        return _raised(error, clock.now())  # the function's own: nobody cancelled it
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's function may raise anything
        return _raised(error, clock.now())


def _call_in_thread(
    stand_in: StandIn, task: tasks_pb2.TaskTemplate, inputs: literals_pb2.LiteralMap, clock: Clock
) -> Outcome:
    try:
        value = stand_in.function(**_arguments(stand_in, task, inputs))
        return _outcome(stand_in, task, value)
    except BaseException as error:  # noqa: BLE001 - a user's function may raise anything, and Ctrl-C is never raised here
        return _raised(error, clock.now())


def _arguments(stand_in: StandIn, task: tasks_pb2.TaskTemplate, inputs: literals_pb2.LiteralMap) -> dict[str, Any]:
    # The codecs cost a tenth of the devserver's start, and those who only echo do without.
    from flyte_remote_async.literals import decode
    from flyte_remote_async.models.types import LiteralType

    variables = task.interface.inputs.variables
    try:
        return {
            name: decode(literal, LiteralType.from_flyte_idl(variables[name].type), stand_in.hints.get(name))
            for name, literal in inputs.literals.items()
        }
    except LiteralError as error:
        raise TypeError(f"Failed to convert inputs of task '{task.id.name}':\n  {error}") from None


def _outcome(stand_in: StandIn, task: tasks_pb2.TaskTemplate, value: Any) -> Outcome:
    match value:
        case DynamicWorkflow():
            constant = value.literals()
            return Outcome(dynamic=value.spec) if constant is None else Outcome(constant)
        case dynamic_job_pb2.DynamicJobSpec():
            return Outcome(dynamic=value)
        case _:
            return Outcome(_outputs(stand_in, task, value))


def _outputs(stand_in: StandIn, task: tasks_pb2.TaskTemplate, value: Any) -> literals_pb2.LiteralMap:
    from flyte_remote_async.literals import encode
    from flyte_remote_async.models.types import LiteralType

    variables = task.interface.outputs.variables
    values = _by_name(task.id.name, list(variables), value)
    hint = stand_in.hints.get("return") if len(values) == 1 else None
    literals = {}
    for name, item in values.items():
        try:
            literal = encode(item, LiteralType.from_flyte_idl(variables[name].type), hint)
        except LiteralError as error:
            numbered = _NUMBERED.fullmatch(name)
            position = numbered[1] if numbered else name
            raise TypeError(
                f"Failed to convert outputs of task '{task.id.name}' at position {position}:\n  {error}"
            ) from None
        literals[name] = literal.to_flyte_idl()
    return literals_pb2.LiteralMap(literals=literals)


def _by_name(task: str, names: list[str], value: Any) -> Mapping[str, Any]:
    fields = getattr(value, "_fields", None)
    if isinstance(value, tuple) and fields is not None and set(fields) == set(names):
        return dict(zip(fields, value, strict=True))
    if len(names) == 1:
        return {names[0]: value}
    if not names and value is None:
        return {}
    if isinstance(value, dict) and set(value) == set(names):
        return value
    in_order = [f"o{index}" for index in range(len(names))]
    if isinstance(value, tuple) and len(value) == len(names) > 0 and set(names) == set(in_order):
        return dict(zip(in_order, value, strict=True))
    wanted = f"a dict or a NamedTuple of {', '.join(sorted(names))}" if names else "None"
    raise TypeError(f"Failed to convert outputs of task '{task}':\n  it should return {wanted}, and returned {value!r}")


def _raised(error: BaseException, now: dt.datetime) -> Outcome:
    if isinstance(error, Interrupted):
        return system_failure("Interrupted", _said(error), recoverable=True)
    recoverable = any(cls.__name__ == "FlyteRecoverableException" for cls in type(error).__mro__)
    trace = "".join(traceback.format_exception(type(error), error, _without_ours(error.__traceback__)))
    message = (
        f"Trace:\n\n{textwrap.indent(trace, _INDENT)}\nMessage:\n\n"
        f"{textwrap.indent(f'{type(error).__name__}: {_said(error)}', _INDENT)}"
    )
    return user_failure(
        "USER:Recoverable" if recoverable else "USER:RuntimeError", message, now, recoverable=recoverable
    )


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a user's exception may be broken itself
        return "<exception str() failed>"  # in the words of Python's own traces


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace
