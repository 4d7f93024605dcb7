"""A process that launches executions and ends them one by one, so that no client that is measured has to."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

from benchmarks.scale.workflows import Flyte, eventually
from flyte_remote_async.transport.connect import open_transport
from flyte_remote_async.transport.target import Target

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

__all__ = ["Driver"]

_SEED: Final = 1
_AT_ONCE: Final = 16


async def _launch_all(flyte: Flyte, count: int) -> list[str]:
    """Launch executions that wait at a gate, and return their names when all have reached it."""
    plan = await flyte.register_tree(1, 1)
    places = asyncio.Semaphore(_AT_ONCE)

    async def launch() -> str:
        async with places:
            name = await flyte.launch(plan)
            await eventually(partial(flyte.waits_at, name, "g0"))
            return name

    return await asyncio.gather(*(launch() for _ in range(count)))


async def _end_all(flyte: Flyte, names: Sequence[str], idle: float, spread: float) -> dict[str, float]:
    """Open the gates as a Poisson process would, and return when each execution ended, by the server's clock."""
    dice = random.Random(_SEED)  # noqa: S311 - the same each time
    began = time.monotonic() + idle
    for at, name in sorted((dice.uniform(0, spread), name) for name in names):
        await asyncio.sleep(began + at - time.monotonic())
        await flyte.signal(name, "g0")
    ended = {}
    for name in names:
        await eventually(partial(flyte.has_ended, name))
        ended[name] = (await flyte.execution(name)).closure.updated_at.ToNanoseconds() / 1e9
    return ended


def _drive(pipe: Connection, endpoint: str, project: str, domain: str) -> None:
    async def run() -> None:
        transport = open_transport(Target.parse(endpoint, insecure=True))
        flyte = Flyte(transport, project, domain)
        while (command := await asyncio.to_thread(pipe.recv)) is not None:
            match command:
                case ("launch", count):
                    pipe.send(await _launch_all(flyte, count))
                case ("end", names, idle, spread):
                    pipe.send(await _end_all(flyte, names, idle, spread))
        await transport.aclose()

    asyncio.run(run())


class Driver:
    """The process, from outside.

    Args:
        endpoint: Where Flyte is, without the proxy.
        project: Where to launch.
        domain: The same.
    """

    def __init__(self, endpoint: str, project: str, domain: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_drive, args=(theirs, endpoint, project, domain), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.send(None)
        self._process.join(5)
        self._process.kill()

    def launch(self, count: int) -> list[str]:
        """Launch executions, and return their names when each waits at its gate."""
        return self._ask("launch", count)  # type: ignore[no-any-return]

    def begin_ends(self, names: Sequence[str], *, idle: float, spread: float) -> None:
        """Begin to end executions: none for a while, then one by one.

        Args:
            names: The executions.
            idle: Seconds in which nothing ends.
            spread: Seconds in which all end.
        """
        self._pipe.send(("end", list(names), idle, spread))

    def ends(self) -> dict[str, float]:
        """Return when each execution ended, in seconds since 1970, once all have."""
        return self._pipe.recv()  # type: ignore[no-any-return]

    def _ask(self, *command: Any) -> Any:
        self._pipe.send(command)
        return self._pipe.recv()
