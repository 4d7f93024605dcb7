"""Many waits at once, on executions that end one by one in wall time."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any, Final

import attrs

from benchmarks.scale.driver import Driver
from benchmarks.scale.theirs import Flytekit
from benchmarks.scale.usage import usage
from benchmarks.scale.waiter import Waiter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.scale.proxy import Proxy

__all__ = ["Bench", "Waits"]

_POLLS: Final = ("GetExecution", "ListExecutions")


@attrs.frozen
class Waits:
    """What a number of waits cost, from the first to the last.

    Attributes:
        side: Whose.
        count: How many waits.
        seconds: How long it took for all of them.
        calls: Calls by RPC.
        received: Bytes.
        notice: Seconds from the end of an execution to the return of its wait: median, 90 of 100, worst.
        resident: The most bytes that the client's process had.
        cpu: Share of a core that the client took.
        server_cpu: Share of a core that the server took; None where it is not ours.
        idle_cpu: Share of a core that the client took while nothing ended; None where it was not measured.
        lag: Seconds that the client's loop was late, 99 of 100; None without a loop.
    """

    side: str
    count: int
    seconds: float
    calls: Mapping[str, int]
    received: int
    notice: tuple[float, float, float]
    resident: int
    cpu: float
    server_cpu: float | None
    idle_cpu: float | None = None
    lag: float | None = None

    @property
    def polls_a_second(self) -> float:
        """Requests a second that ask how executions are; not those that read the nodes of what has ended."""
        if self.side == "ours":
            return sum(self.calls.get(name, 0) for name in _POLLS) / self.seconds
        return sum(self.calls.values()) / self.seconds  # each of its polls reads all there is


@attrs.frozen
class Bench:
    """Where the waits are measured.

    Attributes:
        endpoint: Where Flyte is.
        place: Project and domain.
        proxy: What counts.
        server: The process of the server, where it is ours.
        idle: Seconds in which nothing ends, at the beginning.
        spread: Seconds in which all executions end, after that.
    """

    endpoint: str
    place: Sequence[str]
    proxy: Proxy
    server: int | None
    idle: float
    spread: float

    def ours(self, count: int) -> Waits:
        """Wait with this package: all on one loop."""
        with Driver(self.endpoint, *self.place) as driver:
            names = driver.launch(count)
            self.proxy.reset()
            began, cpu = time.monotonic(), self._cpu()
            with Waiter(self.proxy.endpoint, self.place, names, self.idle) as waiter:
                driver.begin_ends(names, idle=self.idle, spread=self.spread)
                found = waiter.result()
                return self._waits("ours", driver.ends(), found, time.monotonic() - began, cpu)

    def flytekit(self, count: int, python: str) -> Waits:
        """Wait with flytekit: a thread for each."""
        with Driver(self.endpoint, *self.place) as driver, Flytekit(python, self.proxy.endpoint, self.place) as theirs:
            names = driver.launch(count)
            theirs.send(do="wait", names=names)
            theirs.read()
            self.proxy.reset()
            began, cpu = time.monotonic(), self._cpu()
            driver.begin_ends(names, idle=self.idle, spread=self.spread)
            found = theirs.read()
            return self._waits("flytekit", driver.ends(), found, time.monotonic() - began, cpu)

    def _cpu(self) -> float:
        return usage(self.server).cpu if self.server else 0.0

    def _waits(
        self, side: str, ended: Mapping[str, float], found: Mapping[str, Any], seconds: float, cpu: float
    ) -> Waits:
        counts = self.proxy.counts()
        delays = sorted(found["ended"][name] - at for name, at in ended.items())
        return Waits(
            side,
            len(delays),
            seconds,
            counts.calls,
            counts.received,
            (statistics.median(delays), delays[int(len(delays) * 0.9)], delays[-1]),
            found["resident"],
            found["cpu"] / seconds,
            (self._cpu() - cpu) / seconds if self.server else None,
            found.get("idle_cpu"),
            found.get("lag"),
        )
