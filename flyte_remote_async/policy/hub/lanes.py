"""Which executions share a request."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from flyte_remote_async.errors import (
    InternalError,
    MessageTooLargeError,
    UnauthenticatedError,
    UnavailableError,
    UnknownError,
)
from flyte_remote_async.policy.hub.queue import Due
from flyte_remote_async.policy.hub.values import Ask, Kind, passes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flyte_remote_async.errors import FlyteRemoteError
    from flyte_remote_async.policy.hub.values import Lane, Subject

__all__ = ["MOST_NAMES", "Lanes"]

MOST_NAMES: Final = 1000
"""So many names go into one list: 20 kB of request, and 45 ms of a server's time for ten times as many."""

# A list that is refused is not tried again for so many seconds. One that the server failed at so often in a row may
# be refused, too.
_REFUSED_FOR: Final = 300.0
_DOUBTS: Final = 2
_DOUBTED_FOR: Final = 30.0


class Lanes:
    """Executions by when they are due, in lanes whose next ones can be asked about together.

    A lane is a place, a kind of question and a phase. Where the server refuses lists, or a name cannot be written in a
    filter, each execution is asked about by itself.
    """

    def __init__(self) -> None:
        self._lanes: dict[Lane, Due[Subject]] = {}
        self._most = MOST_NAMES
        self._refused_until = -math.inf
        self._doubts = 0

    def put(self, subject: Subject, due: float) -> None:
        """Put an execution in, or move it."""
        self.put_all((subject,), due)

    def put_all(self, subjects: Iterable[Subject], due: float) -> None:
        """Put executions in that are due at one time, or move them."""
        together: dict[Lane, list[Subject]] = {}
        for subject in subjects:
            key = subject.place, *_kind_of(subject, due)
            if subject.lane is not None and subject.lane != key:
                self.discard(subject)
            together.setdefault(key, []).append(subject)
            subject.lane, subject.due = key, due
        for key, some in together.items():
            lane = self._lanes.get(key)
            if lane is None:
                lane = self._lanes[key] = Due()
            lane.put_all(some, due)

    def discard(self, subject: Subject) -> None:
        """Take an execution out; one that is not in is fine."""
        key = subject.lane
        if key is not None:
            subject.lane, subject.due = None, math.inf
            self._lanes[key].discard(subject)
            self._drop_if_empty(key)

    @property
    def first_at(self) -> float:
        """When the first execution is due; infinite when there is none."""
        return min((lane.first_at for lane in self._lanes.values()), default=math.inf)

    def take(self, now: float) -> Ask:
        """Return the question about the one that is due longest, and those that can be asked about with it."""
        key = min(self._lanes, key=lambda one: self._lanes[one].first_at)
        place, kind, phase = key
        most = 1 if kind is Kind.ONE or now < self._refused_until else self._most
        subjects = tuple(self._lanes[key].take(now, most))
        for subject in subjects:
            subject.lane, subject.due, subject.is_asked, subject.asked_at = None, math.inf, True, now
        self._drop_if_empty(key)
        if len(subjects) == 1:
            return Ask(Kind.ONE, place, subjects, now)
        return Ask(kind, place, subjects, now, phase)

    def _drop_if_empty(self, key: Lane) -> None:
        if not self._lanes[key]:
            del self._lanes[key]

    # --- lists that fail ----------------------------------------------------------------------------------------

    def lists_work(self) -> None:
        """Note that a list was answered."""
        self._doubts = 0

    def list_failed(self, ask: Ask, error: FlyteRemoteError, now: float) -> bool:
        """Note that a list failed; return whether its executions are to be asked about in another way, at once."""
        if isinstance(error, MessageTooLargeError):
            self._most = max(1, len(ask.subjects) // 2)
            return True
        if isinstance(error, (UnknownError, InternalError)):
            # That is how Flyte reports a database that is away, and how it may report a filter that it cannot take.
            self._doubts += 1
            if self._doubts >= _DOUBTS:
                self._refuse_until(now + _DOUBTED_FOR)
                return True
            return False
        # A certificate or a token that is not taken is not taken for single reads either.
        if passes(error) or isinstance(error, (UnauthenticatedError, UnavailableError)):
            return False
        self._refuse_until(now + _REFUSED_FOR)
        return True

    def _refuse_until(self, at: float) -> None:
        self._doubts = 0
        self._refused_until = at


def _kind_of(subject: Subject, due: float) -> tuple[Kind, int]:
    if not subject.is_listable or subject.is_missed or subject.not_found:
        return Kind.ONE, 0
    if not subject.is_seen or subject.full_at <= due:
        return Kind.ALL, 0
    if subject.only is not None:
        return Kind.ENDED, 0
    if not subject.looking:
        return Kind.ENDED, 0
    # By phase, and not by when the row was updated: that would go by clocks, which may jump.
    return (Kind.ALL, 0) if subject.untold or subject.mark is None else (Kind.MOVED, subject.mark[0])
