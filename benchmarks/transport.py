"""What a unary call costs through this package's transport, beside a bare call of the same backend.

The server runs in a process of its own. Ours and bare calls are measured in turn, in pairs, and the median of the
pairs' ratios is printed, so that a machine that is busy with other things moves both sides alike.

    python benchmarks/transport.py [--pairs 40] [--seconds 0.1]
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import time
from typing import TYPE_CHECKING, Any

import attrs
import grpc.aio
from grpclib.client import Channel, UnaryUnaryMethod

from flyte_remote_async.devserver.faces.serving import Serving
from flyte_remote_async.transport.connect import connect
from flyte_remote_async.transport.methods import GET_EXECUTION
from flyte_remote_async.transport.target import Target

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from multiprocessing.connection import Connection

REQUEST = b"q" * 60
REPLY = b"r" * 1500
TIMEOUT = 15.0


class RawCodec:
    """Gives grpclib bytes, as our transport does."""

    __content_subtype__ = "proto"

    def encode(self, message: bytes, message_type: Any) -> bytes:  # noqa: ARG002
        """Leave the bytes as they are."""
        return message

    def decode(self, data: bytes, message_type: Any) -> bytes:  # noqa: ARG002
        """Leave the bytes as they are."""
        return data


@attrs.frozen
class Cost:
    """Microseconds of one call: on the clock and on the client's CPU."""

    wall: float
    cpu: float


def serve(pipe: Connection) -> None:
    """Serve one RPC until the other side says stop."""

    async def answer(request: bytes, metadata: Any) -> bytes:  # noqa: ARG001
        return REPLY

    async def run() -> None:
        async with Serving({GET_EXECUTION.path: answer}) as serving:
            pipe.send(await serving.start())
            await asyncio.to_thread(pipe.recv)

    asyncio.run(run())


async def measure(call: Callable[[], Awaitable[Any]], calls: int, in_flight: int) -> Cost:
    """Make a number of calls, so many at a time."""

    async def worker() -> None:
        for _ in range(calls // in_flight):
            await call()

    wall, cpu = time.perf_counter(), time.process_time()
    if in_flight == 1:
        await worker()
    else:
        await asyncio.gather(*(worker() for _ in range(in_flight)))
    done = calls // in_flight * in_flight
    return Cost((time.perf_counter() - wall) / done * 1e6, (time.process_time() - cpu) / done * 1e6)


async def compare(
    name: str, bare: Callable[[], Awaitable[Any]], ours: Callable[[], Awaitable[Any]], options: argparse.Namespace
) -> float:
    """Print one line for each number of calls in flight, and return the worst ratio."""
    worst = 0.0
    for in_flight in (1, 64):
        warm = await measure(bare, 256, in_flight)
        await measure(ours, 256, in_flight)
        calls = max(in_flight, int(options.seconds * 1e6 / warm.wall))
        pairs: list[tuple[Cost, Cost]] = []
        for turn in range(options.pairs):
            if turn % 2:
                mine = await measure(ours, calls, in_flight)
                theirs = await measure(bare, calls, in_flight)
            else:
                theirs = await measure(bare, calls, in_flight)
                mine = await measure(ours, calls, in_flight)
            pairs.append((theirs, mine))
        worst = max(worst, report(name, in_flight, pairs))
    return worst


def report(name: str, in_flight: int, pairs: Sequence[tuple[Cost, Cost]]) -> float:
    """Print one line, and return the median of the ratios."""
    wall = statistics.median(mine.wall / bare.wall for bare, mine in pairs)
    cpu = statistics.median(mine.cpu / bare.cpu for bare, mine in pairs)
    bare_wall, our_wall, bare_cpu, our_cpu = (
        statistics.median(values) for values in zip(*((b.wall, m.wall, b.cpu, m.cpu) for b, m in pairs), strict=True)
    )
    left = f"{name:8} {in_flight:9d} {bare_wall:10.0f} {our_wall:10.0f} {wall:7.3f}"
    print(f"{left} {bare_cpu:10.0f} {our_cpu:10.0f} {cpu:7.3f}")
    return wall


async def run(port: int, options: argparse.Namespace) -> float:
    """Measure both backends against their bare selves."""
    print(f"{'':8} {'':9} {'wall µs/call':>28}  {'client CPU µs/call':>28}")
    print(
        f"{'backend':8} {'in flight':>9} {'bare':>10} {'ours':>10} {'ratio':>7} {'bare':>10} {'ours':>10} {'ratio':>7}"
    )
    target = Target.parse(f"127.0.0.1:{port}", insecure=True)
    ours = connect(target, backend="grpcio")
    async with grpc.aio.insecure_channel(str(target)) as channel:
        call: Any = channel.unary_unary(GET_EXECUTION.path)
        worst = await compare(
            "grpcio",
            lambda: call(REQUEST, timeout=TIMEOUT),
            lambda: ours.unary(GET_EXECUTION, REQUEST, timeout=TIMEOUT),
            options,
        )
    await ours.aclose()
    ours_lib = connect(target, backend="grpclib")
    async with Channel(target.host, target.port, codec=RawCodec()) as lib:  # type: ignore[arg-type]
        method = UnaryUnaryMethod[bytes, bytes](lib, GET_EXECUTION.path, bytes, bytes)
        worst_lib = await compare(
            "grpclib",
            lambda: method(REQUEST, timeout=TIMEOUT),
            lambda: ours_lib.unary(GET_EXECUTION, REQUEST, timeout=TIMEOUT),
            options,
        )
    await ours_lib.aclose()
    return max(worst, worst_lib)


def main() -> None:
    """Measure, print, and fail when a ratio is above the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=40, help="pairs of measurements for each line")
    parser.add_argument("--seconds", type=float, default=0.1, help="length of one measurement")
    parser.add_argument("--limit", type=float, default=1.15, help="the largest ratio of wall time that passes")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=serve, args=(there,), daemon=True)
    server.start()
    try:
        worst = asyncio.run(run(here.recv(), options))
    finally:
        here.send("stop")
        server.join()
    print(f"worst ratio of wall time: {worst:.3f} (limit {options.limit})")
    if worst > options.limit:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
