"""What a sync costs, in requests and in time: an execution of many task nodes, most of which have ended.

The server is a DevServer in a process of its own, on loopback. "second look" is a sync with attempts of a snapshot
that has them: what has ended is not read again.

    python benchmarks/sync.py [--nodes 100] [--running 10] [--rounds 10]
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import time
from typing import TYPE_CHECKING, Any, Literal

from flyteidl.admin import execution_pb2, node_execution_pb2, task_execution_pb2

from flyte_remote_async import Config, FlyteRemote
from flyte_remote_async.devserver import DevServer
from flyte_remote_async.transport.connect import open_transport
from flyte_remote_async.transport.target import Target

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from multiprocessing.connection import Connection

    from flyte_remote_async import FlyteWorkflowExecution
    from flyte_remote_async.transport.base import Metadata, Method, Reply, Transport

BACKENDS: tuple[Literal["grpcio", "grpclib"], ...] = ("grpcio", "grpclib")
NAME = "wide"
RUNNING, SUCCEEDED = 2, 3
HOUR = 3600


class Counted:
    """A transport that counts its calls."""

    requests = 0

    def __init__(self, inner: Transport) -> None:
        self._inner = inner

    async def unary(
        self, method: Method[Any, Any], request: bytes, *, timeout: float | None = None, metadata: Metadata = ()
    ) -> Reply:
        """Make one call, and count it."""
        Counted.requests += 1
        return await self._inner.unary(method, request, timeout=timeout, metadata=metadata)

    async def aclose(self) -> None:
        """Close the transport."""
        await self._inner.aclose()


async def put_execution(server: DevServer, nodes: int, running: int) -> None:
    """Put an execution of task nodes with an attempt each; the last ones still run."""
    execution: Any = execution_pb2.Execution()
    execution.id.project, execution.id.domain, execution.id.name = "flytesnacks", "development", NAME
    execution.closure.phase = RUNNING
    async with server.store.transaction() as together:
        together.put_execution(execution)
        for index in range(nodes):
            is_running = index >= nodes - running
            node: Any = node_execution_pb2.NodeExecution()
            node.id.execution_id.CopyFrom(execution.id)
            node.id.node_id = node.metadata.spec_node_id = f"n{index}"
            node.closure.phase = RUNNING if is_running else SUCCEEDED
            node.closure.created_at.GetCurrentTime()
            node.closure.updated_at.seconds = node.closure.created_at.seconds + (HOUR if is_running else 0)
            together.put_node(node)
            attempt: Any = task_execution_pb2.TaskExecution()
            attempt.id.node_execution_id.CopyFrom(node.id)
            attempt.id.task_id.name = "made.task"
            attempt.closure.phase = node.closure.phase
            together.put_attempt(attempt)


def serve(pipe: Connection, nodes: int, running: int) -> None:
    """Serve the execution until the other side says stop."""

    async def run() -> None:
        async with DevServer() as server:
            await put_execution(server, nodes, running)
            pipe.send(server.endpoint)
            await asyncio.to_thread(pipe.recv)

    asyncio.run(run())


async def measure(work: Callable[[], Awaitable[Any]], rounds: int) -> tuple[int, float]:
    """Return the requests and the median milliseconds of one piece of work."""
    times = []
    Counted.requests = 0
    for _ in range(rounds):
        start = time.perf_counter()
        await work()
        times.append((time.perf_counter() - start) * 1000)
    return Counted.requests // rounds, statistics.median(times)


async def compare(endpoint: str, rounds: int) -> None:
    """Print a row for each kind of look and each backend."""
    print(f"{'':24}{'backend':>10}{'requests':>10}{'ms':>10}")
    for backend in BACKENDS:
        target = Target.parse(endpoint, insecure=True)
        config = Config.for_endpoint(endpoint, insecure=True, project="flytesnacks", domain="development")
        make: Any = lambda target=target, backend=backend: Counted(open_transport(target, backend=backend))  # noqa: E731
        async with FlyteRemote.over(make, config) as remote:
            handle = remote.execution(NAME)
            whole = await handle.sync(sync_nodes=True)
            for label, work in looks(handle, whole).items():
                requests, milliseconds = await measure(work, rounds)
                print(f"{label:24}{backend:>10}{requests:>10}{milliseconds:>10.1f}")


def looks(
    handle: FlyteWorkflowExecution, whole: FlyteWorkflowExecution
) -> dict[str, Callable[[], Awaitable[FlyteWorkflowExecution]]]:
    """Return the kinds of looks: the first ones by a handle, the second one by what the first one gave."""
    return {
        "status": handle.sync,
        "statuses of all nodes": lambda: handle.sync(sync_nodes=True, attempts=False),
        "nodes and attempts": lambda: handle.sync(sync_nodes=True),
        "second look": lambda: whole.sync(sync_nodes=True),
    }


def main() -> None:
    """Start the server, measure, stop it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--running", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs, options.nodes, options.running))
    server.start()
    try:
        asyncio.run(compare(ours.recv(), options.rounds))
    finally:
        ours.send("stop")
        server.join()


if __name__ == "__main__":
    main()
