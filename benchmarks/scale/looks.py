"""One look at an execution, and a refresh of it when a little has moved."""

from __future__ import annotations

import asyncio
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import attrs

from benchmarks.scale.workflows import eventually

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from benchmarks.scale.proxy import Counts, Proxy
    from benchmarks.scale.theirs import Flytekit
    from benchmarks.scale.workflows import Flyte
    from flyte_remote_async import FlyteRemote, FlyteWorkflowExecution

__all__ = ["Look", "Sides", "compare_looks", "compare_refreshes"]

_GATES: Final = 8
_MANY: Final = 1000


@attrs.frozen
class Look:
    """What one way of looking costs: median seconds, requests, and bytes received."""

    side: str
    what: str
    tasks: int
    round_trip: float
    seconds: float
    requests: int
    received: int


@attrs.frozen
class Sides:
    """Who looks, and what they look through.

    Attributes:
        flyte: Launches, and lets executions move.
        proxy: Delays and counts.
        remote: Our client, through the proxy.
        theirs: flytekit's, through the proxy; None without it.
    """

    flyte: Flyte
    proxy: Proxy
    remote: FlyteRemote
    theirs: Flytekit | None


async def _measured(proxy: Proxy, work: Callable[[], Awaitable[Any]], rounds: int) -> tuple[float, Counts]:
    """Return the median seconds of a piece of work, and what its last round sent and received."""
    times = []
    for _ in range(rounds):
        proxy.reset()
        start = time.perf_counter()
        await work()
        times.append(time.perf_counter() - start)
    return statistics.median(times), proxy.counts()


async def compare_looks(sides: Sides, sizes: Sequence[int], delays: Sequence[float]) -> list[Look]:
    """Look at ended executions of several sizes, at several round-trip delays, with both clients."""
    proxy, theirs = sides.proxy, sides.theirs
    names = {size: await _ended(sides.flyte, size) for size in sizes}
    looks = []
    for size, name in names.items():
        for delay in delays:
            proxy.delay(delay)
            rounds = 5 if size * delay < 1 else 3
            for what, work in _ways(sides.remote, name).items():
                seconds, counts = await _measured(proxy, work, rounds)
                looks.append(Look("ours", what, size, delay, seconds, counts.requests, counts.received))
            if theirs is not None:
                looks.append(await _their_look(proxy, theirs, name, size, delay))
            proxy.delay(0)
    return looks


def _ways(remote: FlyteRemote, name: str) -> dict[str, Callable[[], Awaitable[Any]]]:
    handle = remote.execution(name)
    return {
        "statuses": lambda: handle.sync(sync_nodes=True, attempts=False),
        "attempts": lambda: handle.sync(sync_nodes=True),
        "inputs and outputs": lambda: handle.sync(sync_nodes=True, io=True),
    }


async def _their_look(proxy: Proxy, theirs: Flytekit, name: str, size: int, delay: float) -> Look:
    if not delay:
        await asyncio.to_thread(theirs.ask, do="look", name=name)  # its caches of entities are warm from here on
    proxy.reset()
    answer = await asyncio.to_thread(theirs.ask, do="look", name=name)
    counts = proxy.counts()
    return Look("flytekit", "sync", size, delay, answer["seconds"], counts.requests, counts.received)


async def _ended(flyte: Flyte, tasks: int) -> str:
    name = await flyte.launch(await flyte.register_tree(tasks))
    await eventually(partial(flyte.has_ended, name))
    return name


async def compare_refreshes(sides: Sides, tasks: int, delay: float) -> list[Look]:
    """Look again at an execution that runs, each time after one gate of it was opened."""
    flyte, proxy, theirs = sides.flyte, sides.proxy, sides.theirs
    name = await flyte.launch(await flyte.register_tree(tasks, _GATES))
    await _reached(flyte, name, 0)
    looked = await sides.remote.execution(name).sync(sync_nodes=True)
    if theirs is not None:
        await asyncio.to_thread(theirs.ask, do="look", name=name)
    proxy.delay(delay)
    costs: dict[str, list[tuple[float, Counts]]] = {"ours": [], "flytekit": []}
    for gate in range(_GATES // 2 if tasks < _MANY else 2):
        await _move(flyte, name, gate)
        proxy.reset()
        start = time.perf_counter()
        looked = await looked.sync(sync_nodes=True)
        costs["ours"].append((time.perf_counter() - start, proxy.counts()))
        if theirs is not None:
            proxy.reset()
            answer = await asyncio.to_thread(theirs.ask, do="refresh", name=name)
            costs["flytekit"].append((answer["seconds"], proxy.counts()))
    proxy.delay(0)
    await _finish(looked)
    return [
        Look(
            side,
            "refresh",
            tasks,
            delay,
            statistics.median(seconds for seconds, _ in found),
            found[-1][1].requests,
            found[-1][1].received,
        )
        for side, found in costs.items()
        if found
    ]


async def _move(flyte: Flyte, name: str, gate: int) -> None:
    await flyte.signal(name, f"g{gate}")
    await _reached(flyte, name, gate + 1)


async def _reached(flyte: Flyte, name: str, gate: int) -> None:
    """Wait until an execution waits at a gate, with all that is not behind gates ended."""

    async def rests() -> bool:
        return await flyte.waits_at(name, f"g{gate}") and await flyte.running_nodes(name) == 1

    await eventually(rests)


async def _finish(execution: FlyteWorkflowExecution) -> None:
    await execution.terminate("the benchmark has seen enough")
