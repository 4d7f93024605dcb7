"""How often executions are looked at, and how many requests that may make: numbers alone."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import attrs
from attrs.validators import ge, gt, le

__all__ = ["Pace", "RateWindow"]

# Finer ticks than this share less and notice little sooner. The shortest pauses that adapt still have theirs.
_FINEST_TICK: Final = 0.125


@attrs.frozen(kw_only=True)
class Pace:
    """Pauses between two looks at one execution: short while it is young, a share of its age when it is old.

    Looks are put on ticks that are a power of two of each other, so executions of all ages meet in few requests.

    Attributes:
        soonest: The shortest pause, in seconds.
        longest: The longest pause, in seconds.
        young: Up to this age, in seconds, an execution is young.
        longest_young: The longest pause for one that is young, in seconds.
        share: Share of its age that a pause takes, for one that is not.
        jitter: Share of a pause by which it may be shorter, below 1.
    """

    soonest: float = attrs.field(default=0.5, validator=gt(0))
    longest: float = attrs.field(default=20.0, validator=gt(0))
    young: float = attrs.field(default=60.0, validator=ge(0))
    longest_young: float = attrs.field(default=1.5, validator=gt(0))
    share: float = attrs.field(default=0.1, validator=gt(0))
    jitter: float = attrs.field(default=0.1, validator=[ge(0), le(0.5)])

    def pause(self, age: float, chance: float) -> float:
        """Return the seconds to the next look, at most.

        Args:
            age: Seconds since the execution was created, or fewer where that is not known.
            chance: A number drawn from [0, 1).
        """
        longest = self.longest_young if age < self.young else self.longest
        return max(self.soonest, min(age * self.share, longest)) * (1 - self.jitter * chance)

    def tick(self, now: float, pause: float, origin: float) -> float:
        """Return the last tick within a pause: later than now by half of the pause at least.

        Args:
            now: Seconds on the clock that the looks go by.
            pause: Seconds to the next look, at most.
            origin: Where the ticks are counted from; each client has its own, so that clients do not ask in step.
        """
        tick = 2.0 ** math.floor(math.log2(pause / 2))
        if tick < _FINEST_TICK:
            return now + pause
        return max(now + pause / 2, origin + math.floor((now + pause - origin) / tick) * tick)


class RateWindow:
    """A budget of requests: no stretch of time holds more of them than the rate allows.

    Args:
        per_second: How many there may be in each second; a fraction is one request in more than a second.
    """

    __slots__ = ("_count", "_sent", "_window")

    def __init__(self, per_second: float) -> None:
        self._count = max(1, int(per_second))
        self._window = self._count / per_second
        self._sent: deque[float] = deque(maxlen=self._count)

    @property
    def free_at(self) -> float:
        """When the next request may be sent."""
        return -math.inf if len(self._sent) < self._count else self._sent[0] + self._window

    def spend(self, now: float) -> None:
        """Note that a request is sent."""
        self._sent.append(now)
