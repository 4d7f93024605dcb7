"""How long to pause between two looks at a running execution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from attrs.validators import and_, ge, gt, le

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Backoff", "Pause"]


@attrs.frozen(kw_only=True)
class Backoff:
    """Pauses that grow while nothing moves.

    Attributes:
        initial: The first pause, in seconds.
        factor: How much longer each pause is than the one before.
        longest: No pause is longer, in seconds.
        jitter: Share of a pause by which it varies, 1 at most, so that many waiters do not ask in step.
    """

    initial: float = attrs.field(default=0.25, validator=gt(0))
    factor: float = attrs.field(default=1.5, validator=ge(1))
    longest: float = attrs.field(default=30.0, validator=gt(0))
    jitter: float = attrs.field(default=0.1, validator=and_(ge(0), le(1)))

    def first(self) -> Pause:
        """Return the state before the first pause."""
        return Pause(self, self.initial)


@attrs.frozen
class Pause:
    """One step of a backoff.

    Attributes:
        backoff: Where it belongs to.
        seconds: Its length before jitter.
    """

    backoff: Backoff
    seconds: float

    def next(self, *, moved: bool) -> Pause:
        """Return the pause after this one.

        Args:
            moved: Whether the last look showed something new: then the next look comes soon again.
        """
        if moved:
            return self.backoff.first()
        return attrs.evolve(self, seconds=min(self.seconds * self.backoff.factor, self.backoff.longest))

    def length(self, random: Callable[[], float], left: float | None = None) -> float:
        """Return the seconds to sleep.

        Args:
            random: Gives a number in [0, 1).
            left: Seconds until the deadline; the pause ends there for the last look.
        """
        spread = 1 + self.backoff.jitter * (2 * random() - 1)
        pause = min(self.seconds * spread, self.backoff.longest)
        return pause if left is None else max(0.0, min(pause, left))
