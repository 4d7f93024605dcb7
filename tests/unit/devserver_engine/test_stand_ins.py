from __future__ import annotations

import asyncio
import functools
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import pytest
from flyteidl.core import identifier_pb2, literals_pb2, types_pb2

from flyte_remote_async.devserver.clock import Clock
from flyte_remote_async.devserver.runners import TaskCall, functions
from flyte_remote_async.devserver.runners.echo import echo
from flyte_remote_async.devserver.runners.functions import FunctionRunner
from flyte_remote_async.devserver.runners.stand_ins import Attempt, FlyteRecoverableException, StandIns, current_attempt
from flyte_remote_async.devserver.runners.threads import call_in_thread
from tests.support.made_workflows import integer, task

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyteidl.core import tasks_pb2

    from flyte_remote_async.devserver.runners.outcome import Outcome

pytestmark = pytest.mark.anyio

HANGING = """
import asyncio, threading
from flyte_remote_async.devserver.runners.threads import call_in_thread

async def main():
    task = asyncio.ensure_future(call_in_thread(threading.Event().wait))
    await asyncio.sleep(0.01)
    task.cancel()

asyncio.run(main())
print("gone")
"""


async def test_a_function_that_hangs_does_not_keep_the_process_from_its_end() -> None:
    with anyio.fail_after(50):
        ended = await anyio.run_process([sys.executable, "-c", HANGING])
    assert ended.stdout == b"gone\n"


async def test_a_thread_that_ends_when_nobody_waits_is_no_matter() -> None:
    go, done = threading.Event(), threading.Event()

    def work() -> None:
        go.wait()
        done.set()

    waiting = asyncio.ensure_future(call_in_thread(work))
    await asyncio.sleep(0)
    waiting.cancel()
    go.set()
    await anyio.to_thread.run_sync(done.wait)
    await asyncio.sleep(0.01)
    assert waiting.cancelled()


ADD = task("t.add", ("a", "b"))
STRING = types_pb2.LiteralType(simple=types_pb2.STRING)


async def call(function: Callable[..., Any], template: tasks_pb2.TaskTemplate = ADD, **inputs: int) -> Outcome:
    stand_ins = StandIns()
    stand_ins.add(template.id.name, function)
    runner = FunctionRunner(stand_ins, Clock())
    assert runner.takes(template)
    return await runner.run(task_call(template, **inputs))


def task_call(template: tasks_pb2.TaskTemplate, **inputs: int) -> TaskCall:
    return TaskCall(
        Attempt("e", "n0", template.id.name, 2),
        identifier_pb2.WorkflowExecutionIdentifier(project="p", domain="d", name="e"),
        template,
        literals_pb2.LiteralMap(literals={name: integer(value) for name, value in inputs.items()}),
        generated_name="e-n0-2",
        inputs_uri="",
        output_prefix="",
        raw_output_prefix="",
        checkpoint_uri="",
    )


def values(outcome: Outcome) -> dict[str, literals_pb2.Literal]:
    assert outcome.error is None, outcome.error.message
    return dict(outcome.outputs.literals)


def failure(outcome: Outcome) -> str:
    assert outcome.error is not None
    assert outcome.error.code == "USER:RuntimeError"
    assert not outcome.recoverable
    assert outcome.error.HasField("timestamp")
    return outcome.error.message


class Both(NamedTuple):
    total: int
    mean: int


class SyncCallable:
    def __call__(self, a: int, b: int) -> int:
        return a + b


def as_text(a: Any) -> Any:
    return str(a)


class AsyncCallable:
    async def __call__(self, a: int, b: int) -> int:
        return a + b


async def async_add(a: int, b: int) -> int:
    return a + b


def sync_add(a: int, b: int) -> int:
    return a + b


@functools.wraps(sync_add)
async def wrapped(**inputs: Any) -> int:
    return sync_add(**inputs)


@pytest.mark.parametrize(
    "function",
    [
        sync_add,
        async_add,
        wrapped,
        SyncCallable(),
        AsyncCallable(),
        functools.partial(async_add),
        functools.partial(sync_add),
        lambda a, b: a + b,
    ],
)
async def test_anything_that_can_be_called_stands_in(function: Callable[..., Any]) -> None:
    assert values(await call(function, a=1, b=2)) == {"o0": integer(3)}


async def test_sync_functions_run_in_a_thread_and_async_ones_on_the_loop() -> None:
    threads: list[threading.Thread] = []

    def sync(a: int) -> int:
        threads.append(threading.current_thread())
        return a

    async def not_sync(a: int) -> int:
        threads.append(threading.current_thread())
        return a

    await call(sync, a=1)
    await call(not_sync, a=1)
    assert threads[0] is not threading.current_thread()
    assert threads[1] is threading.current_thread()


@pytest.mark.parametrize("returned", [Both(3, 4), {"total": 3, "mean": 4}])
async def test_several_outputs_go_by_name(returned: Any) -> None:
    both = task("t.both", (), ("mean", "total"))
    assert values(await call(lambda: returned, both)) == {"total": integer(3), "mean": integer(4)}


async def test_a_plain_tuple_is_for_outputs_without_names() -> None:
    assert values(await call(lambda: (3, 4), task("t.two", (), ("o0", "o1")))) == {"o0": integer(3), "o1": integer(4)}
    message = failure(await call(lambda: (3, 4), task("t.both", (), ("mean", "total"))))
    assert "it should return a dict or a NamedTuple of mean, total, and returned (3, 4)" in message


async def test_a_task_without_outputs_returns_none() -> None:
    nothing = task("t.nothing", (), ())
    assert values(await call(lambda: None, nothing)) == {}
    assert "it should return None, and returned 3" in failure(await call(lambda: 3, nothing))


async def test_a_named_tuple_of_the_only_output() -> None:
    class One(NamedTuple):
        o0: int

    assert values(await call(lambda: One(3), task("t.one", ()))) == {"o0": integer(3)}


async def test_the_wrong_type_fails_the_attempt_as_flyte_words_it() -> None:
    message = failure(await call(as_text, a=1))
    assert "TypeError: Failed to convert outputs of task 't.add' at position 0:\n" in message
    named = failure(await call(as_text, task("t.named", ("a",), ("total",)), a=1))
    assert "at position total:" in named


async def test_inputs_that_do_not_fit_the_annotations() -> None:
    def wants_text(a: str) -> str:
        return a

    template = task("t.text", output_type=STRING)
    assert "Failed to convert inputs of task 't.text'" in failure(await call(wants_text, template, a=1))


async def test_large_inputs_are_decoded_off_the_loop() -> None:
    many = {f"i{number}": number for number in range(6_000)}

    async def total(**inputs: int) -> int:
        return sum(inputs.values())

    assert values(await call(total, task("t.total", tuple(many)), **many)) == {"o0": integer(sum(many.values()))}


async def test_the_trace_starts_at_the_function() -> None:
    def boom(a: int) -> int:
        raise ValueError(f"boom {a}")

    for function in (boom, _async(boom)):
        message = failure(await call(function, a=4))
        assert message.startswith("Trace:\n\n    Traceback (most recent call last):\n")
        assert message.endswith("\n    ValueError: boom 4\n\nMessage:\n\n    ValueError: boom 4")
        assert functions.__file__ not in message
        assert __file__ in message


def _async(function: Callable[..., Any]) -> Callable[..., Any]:
    async def run(**inputs: Any) -> Any:
        return function(**inputs)

    return run


@pytest.mark.parametrize("error", [SystemExit(1), StopIteration(), anyio.get_cancelled_exc_class, RecursionError()])
async def test_whatever_a_function_raises_is_its_own_failure(error: Any) -> None:
    raised = error if isinstance(error, BaseException) else error()()

    def boom() -> int:
        raise raised

    template = task("t.boom", ())
    for function in (boom, _async(boom)):
        # Python turns a StopIteration that leaves a coroutine into a RuntimeError.
        assert "Traceback" in failure(await call(function, template))


async def test_a_missing_argument_is_a_failure_of_the_function() -> None:
    assert "missing 1 required positional argument: 'b'" in failure(await call(sync_add, a=1))


async def test_recoverable_exceptions_are_known_by_their_name() -> None:
    class Own(FlyteRecoverableException):
        pass

    flytekits = type("FlyteRecoverableException", (Exception,), {})
    for error in (Own("again"), flytekits("again")):

        def boom(error: Exception = error) -> int:
            raise error

        outcome = await call(boom, task("t.boom", ()))
        assert outcome.error is not None
        assert outcome.error.code == "USER:Recoverable"
        assert outcome.recoverable


async def test_a_function_knows_its_attempt() -> None:
    seen: list[Attempt] = []

    def sync() -> int:
        seen.append(current_attempt())
        return 1

    template = task("t.seen", ())
    await call(sync, template)
    await call(_async(sync), template)
    assert seen == [Attempt("e", "n0", "t.seen", 2)] * 2
    with pytest.raises(RuntimeError, match="outside of a stand-in"):
        current_attempt()


def test_registering() -> None:
    @dataclass
    class Entity:
        name: str

    stand_ins = StandIns()
    assert stand_ins.task("t.add")(sync_add) is sync_add
    stand_ins.add(Entity("t.other"), sync_add)
    assert stand_ins.get("t.other") == stand_ins.get("t.add")
    assert stand_ins.get("t.none") is None
    with pytest.raises(TypeError, match=r"the stand-in for t\.add is 3, and cannot be called"):
        stand_ins.add("t.add", 3)  # type: ignore[arg-type]


def test_an_annotation_that_cannot_be_found_is_refused_when_it_is_registered() -> None:
    class Local:
        pass

    def local(a: Local) -> None: ...

    with pytest.raises(TypeError, match=r"t\.local is annotated with 'Local', which cannot be found"):
        StandIns().add("t.local", local)


def test_echo_pairs_names_in_order() -> None:
    inputs = literals_pb2.LiteralMap(literals={"b": integer(2), "a": integer(1)})
    outcome = echo(task("t.echo", ("b", "a"), ("x", "o")), inputs)
    assert values(outcome) == {"o": integer(1), "x": integer(2)}
    odd = echo(task("t.echo", ("a", "b"), ("o",)), inputs)
    assert odd.error is not None
    assert "number of input (2) and output (1)" in odd.error.message
