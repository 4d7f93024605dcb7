"""Our side of the waits, in a process of its own: all on one loop."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from typing import TYPE_CHECKING, Any, Final, Self

from benchmarks.scale.usage import usage
from flyte_remote_async import FlyteRemote

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

__all__ = ["Waiter"]

_TICK: Final = 0.005


async def _watch_the_loop(lags: list[float]) -> None:
    while True:
        at = time.perf_counter()
        await asyncio.sleep(_TICK)
        lags.append(time.perf_counter() - at - _TICK)


async def _wait(pipe: Connection, endpoint: str, place: Sequence[str], names: Sequence[str], idle: float) -> None:
    project, domain = place
    ended: dict[str, float] = {}
    lags: list[float] = []
    async with FlyteRemote.connect(endpoint, insecure=True, project=project, domain=domain) as remote:

        async def wait(name: str) -> None:
            await remote.execution(name).wait()
            ended[name] = time.time()

        waits = [asyncio.create_task(wait(name)) for name in names]
        await asyncio.sleep(min(2, idle / 2))  # all waits are known by then
        pipe.send("waiting")
        ticker = asyncio.create_task(_watch_the_loop(lags))
        began = usage(os.getpid()).cpu
        await asyncio.sleep(idle / 2)
        idle_cpu = (usage(os.getpid()).cpu - began) / (idle / 2)
        await asyncio.gather(*waits)
        ticker.cancel()
        used = usage(os.getpid())
    pipe.send(
        {
            "ended": ended,
            "cpu": used.cpu - began,
            "idle_cpu": idle_cpu,
            "resident": used.most_resident,
            "lag": sorted(lags)[int(len(lags) * 0.99)],
        }
    )


def _run(pipe: Connection, endpoint: str, place: Sequence[str], names: Sequence[str], idle: float) -> None:
    asyncio.run(_wait(pipe, endpoint, place, names, idle))


class Waiter:
    """The process, from outside; it begins to wait with the ``with`` block.

    Args:
        endpoint: Where Flyte is: the proxy.
        place: Project and domain.
        names: The executions.
        idle: Seconds in which nothing will end.
    """

    def __init__(self, endpoint: str, place: Sequence[str], names: Sequence[str], idle: float) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(theirs, endpoint, place, names, idle), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self._pipe.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.join(10)
        self._process.kill()

    def result(self) -> dict[str, Any]:
        """Return what it took, once all waits have returned."""
        return self._pipe.recv()  # type: ignore[no-any-return]
