"""How long the event loop stands still while large values are received over gRPC and decoded.

The server runs in a process of its own. A ticker wakes up each millisecond; its longest delay is the stall. Each value
is received twice: its bytes alone, which is what gRPC itself costs, and through ``await execution.outputs.get(...)``
with default settings. What the second adds is ours.

    python benchmarks/stalls.py [--runs 5] [--limit 30]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import attrs
import msgpack
from flyteidl.admin import execution_pb2, launch_plan_pb2
from flyteidl.core import execution_pb2 as core_execution_pb2
from flyteidl.core import identifier_pb2, literals_pb2, types_pb2

from flyte_remote_async import FlyteRemote
from flyte_remote_async.devserver.faces.serving import Serving
from flyte_remote_async.models.wire import header
from flyte_remote_async.transport.connect import connect
from flyte_remote_async.transport.methods import GET_EXECUTION, GET_EXECUTION_DATA, GET_LAUNCH_PLAN
from flyte_remote_async.transport.target import Target

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from multiprocessing.connection import Connection

Type, Literal, Scalar = types_pb2.LiteralType, literals_pb2.Literal, literals_pb2.Scalar
STRUCT = Type(simple=types_pb2.SimpleType.STRUCT)
TICK = 0.001


@dataclass
class Point:
    """One of the dataclasses."""

    x: int
    y: float
    name: str
    tags: list[str]


def elements(literals: Sequence[literals_pb2.Literal], times: int) -> bytes:
    """Return a serialised list literal that has some elements many times."""
    data = literals_pb2.LiteralCollection(literals=literals).SerializeToString() * times
    return header(2, len(data)) + data


def integers(count: int) -> bytes:
    """Return a list of integers."""
    values = (value * 7919 for value in range(1000))
    literals = [Literal(scalar=Scalar(primitive=literals_pb2.Primitive(integer=value))) for value in values]
    return elements(literals, count // 1000)


def text(count: int) -> bytes:
    """Return a string, most of it ASCII."""
    value = "A text in which some letters are not ASCII: é. "
    value *= count // len(value)
    return Literal(scalar=Scalar(primitive=literals_pb2.Primitive(string_value=value))).SerializeToString()


def points(count: int) -> bytes:
    """Return a list of dataclasses."""
    values = [{"x": at, "y": at / 7, "name": f"point {at}", "tags": ["a", "b"]} for at in range(1000)]
    literals = [
        Literal(scalar=Scalar(binary=literals_pb2.Binary(value=msgpack.packb(v), tag="msgpack"))) for v in values
    ]
    return elements(literals, count // 1000)


@attrs.frozen
class Case:
    """A value to receive: what makes its bytes, its declared type, and the type to read it as."""

    make: Callable[[int], bytes]
    count: int
    declared: types_pb2.LiteralType
    hint: Any


CASES = {
    "integers": Case(integers, 5_000_000, Type(collection_type=Type(simple=types_pb2.SimpleType.INTEGER)), None),
    "text": Case(text, 60_000_000, Type(simple=types_pb2.SimpleType.STRING), None),
    "dataclasses": Case(points, 300_000, Type(collection_type=STRUCT), list[Point]),
}


def serve(pipe: Connection, scale: float) -> None:
    """Serve one finished execution for each case until the other side says stop."""
    replies: dict[str, bytes] = {}
    for name, case in CASES.items():
        literal = case.make(int(case.count * scale))
        entry = header(1, 2) + b"o0" + header(2, len(literal)) + literal
        outputs = header(1, len(entry)) + entry
        replies[name] = header(4, len(outputs)) + outputs

    async def execution(request: bytes, metadata: Any) -> bytes:  # noqa: ARG001
        asked = execution_pb2.WorkflowExecutionGetRequest.FromString(request).id
        plan = identifier_pb2.Identifier(resource_type="LAUNCH_PLAN", project="p", domain="d", name=asked.name)
        phase = core_execution_pb2.WorkflowExecution.SUCCEEDED
        spec, closure = execution_pb2.ExecutionSpec(launch_plan=plan), execution_pb2.ExecutionClosure(phase=phase)
        return execution_pb2.Execution(id=asked, spec=spec, closure=closure).SerializeToString()

    async def plan(request: bytes, metadata: Any) -> bytes:  # noqa: ARG001
        asked = launch_plan_pb2.LaunchPlan.FromString(request).id
        answer = launch_plan_pb2.LaunchPlan(id=asked)
        answer.closure.expected_outputs.variables["o0"].type.CopyFrom(CASES[asked.name].declared)
        return answer.SerializeToString()

    async def data(request: bytes, metadata: Any) -> bytes:  # noqa: ARG001
        return replies[execution_pb2.WorkflowExecutionGetDataRequest.FromString(request).id.name]

    handlers = {GET_EXECUTION.path: execution, GET_LAUNCH_PLAN.path: plan, GET_EXECUTION_DATA.path: data}

    async def run() -> None:
        async with Serving(handlers) as serving:
            pipe.send(await serving.start())
            await asyncio.to_thread(pipe.recv)

    asyncio.run(run())


@attrs.frozen
class Run:
    """One run, in milliseconds: the longest delay of the ticker, and the whole."""

    stall: float
    whole: float


async def watch(work: Callable[[], Awaitable[Any]]) -> Run:
    """Run something beside a ticker."""
    delays: list[float] = []

    async def tick() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(TICK)
            now = time.perf_counter()
            delays.append(now - last - TICK)
            last = now

    gc.collect()
    ticker = asyncio.create_task(tick())
    await asyncio.sleep(0.02)
    delays.clear()
    start = time.perf_counter()
    value = await work()
    whole = time.perf_counter() - start
    # Some more ticks: a delay at the very end is one too. Giving the value back is the program's own affair.
    await asyncio.sleep(0.02)
    ticker.cancel()
    del value
    return Run(max(delays) * 1000, whole * 1000)


async def measure(port: int, options: argparse.Namespace) -> float:
    """Print a line for each value; return the largest median of what decoding adds to the longest stall."""
    print(f"{'':14} {'received':>20} {'received and decoded':>24} {'added stall, ms':>24}")
    print(f"{'value':14} {'stall ms':>9} {'whole ms':>10} {'stall ms':>13} {'whole ms':>10} {'median':>15} {'best':>8}")
    target = Target.parse(f"127.0.0.1:{port}", insecure=True)
    bare = connect(target, max_message_bytes=options.max_message_bytes)
    worst = 0.0
    async with FlyteRemote.connect(f"127.0.0.1:{port}", insecure=True, project="p", domain="d") as remote:
        for name, case in CASES.items():
            execution = await remote.fetch_execution(name)
            request = execution_pb2.WorkflowExecutionGetDataRequest(id=execution.id.to_flyte_idl()).SerializeToString()

            async def decode(name: str = name, hint: Any = case.hint) -> Any:
                fetched = await remote.fetch_execution(name)
                return await fetched.outputs.get("o0", hint)

            async def receive(request: bytes = request) -> Any:
                return await bare.unary(GET_EXECUTION_DATA, request, timeout=60)

            pairs = [(await watch(receive), await watch(decode)) for _ in range(options.runs)]
            worst = max(worst, report(name, pairs))
    await bare.aclose()
    return worst


def report(name: str, pairs: Sequence[tuple[Run, Run]]) -> float:
    """Print one line, and return the median of what decoding adds to the longest stall."""
    received, decoded = ([pair[side] for pair in pairs] for side in (0, 1))
    columns = [
        statistics.median(values)
        for runs in (received, decoded)
        for values in ([r.stall for r in runs], [r.whole for r in runs])
    ]
    added = [after.stall - before.stall for before, after in pairs]
    figures = f"{columns[0]:9.1f} {columns[1]:10.0f} {columns[2]:13.1f} {columns[3]:10.0f}"
    print(f"{name:14} {figures} {statistics.median(added):15.1f} {min(added):8.1f}")
    return statistics.median(added)


def main() -> None:
    """Measure, print, and fail when decoding adds more than the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=5, help="runs of each value")
    parser.add_argument("--scale", type=float, default=1.0, help="part of the full size of the values")
    parser.add_argument("--limit", type=float, default=30.0, help="the most milliseconds that decoding may add")
    parser.add_argument("--max-message-bytes", type=int, default=128 * 1024 * 1024, help=argparse.SUPPRESS)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=serve, args=(there, options.scale), daemon=True)
    server.start()
    try:
        worst = asyncio.run(measure(here.recv(), options))
    finally:
        here.send("stop")
        server.join()
    print(f"worst: decoding adds {worst:.1f} ms to the longest stall (limit {options.limit:.0f})")
    if worst > options.limit:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
