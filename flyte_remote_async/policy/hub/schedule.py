"""The schedule of a hub: who waits, what to ask next and when.

It has no clock and asks nobody: it is given the time, and told of answers. Times are seconds on a clock that only moves
forward; the server's own times are compared with each other alone.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final

from flyte_remote_async.policy.backoff import Backoff
from flyte_remote_async.policy.hub.lanes import Lanes
from flyte_remote_async.policy.hub.queue import Due
from flyte_remote_async.policy.hub.values import Subject
from flyte_remote_async.policy.pace import Pace, RateWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from flyte_remote_async.models.identifiers import WorkflowExecutionIdentifier
    from flyte_remote_async.policy.hub.values import Ask, Row, Ticket

__all__ = ["GRACE", "Schedule"]

GRACE: Final = 1.0
"""Seconds for the one look of who gives no time at all, and for the nodes of what ended in time."""

# The last look is so many seconds before the deadline, so that it is answered by then. Less time than that, all told,
# is none.
_LAST_LOOK: Final = 0.25

# After a failure: a server that is back is noticed within a few seconds.
_RETRY: Final = Backoff(initial=0.5, factor=1.5, longest=5.0, jitter=0.2)
_LONGEST_AFTER: Final = 8

# A list of what ended does not tell what vanished: now and then all are asked for, ever more seldom. A list of what
# is in another phase does not tell what moved within its phase: there it is more often.
_FIRST_CHECK: Final = 300.0
_LONGEST_CHECK: Final = 3600.0
_LOOKING_CHECK: Final = 60.0

# So many ends are looked at to learn how the clocks differ.
_BOUNDS: Final = 5


class Schedule:
    """Decides what a hub asks, and when.

    Args:
        chance: Draws a number from [0, 1).
        polls_per_second: The budget of requests.
        pace: How often one execution is looked at.
        ahead: By how many seconds the server's clock is ahead of ours, as far as is known; minus infinity when not.
    """

    def __init__(
        self,
        chance: Callable[[], float],
        *,
        polls_per_second: float = 10.0,
        pace: Pace | None = None,
        ahead: float = -math.inf,
    ) -> None:
        self.lanes = Lanes()
        self.deadlines: Due[Ticket] = Due()
        self._chance = chance
        self._pace = pace or Pace()
        self._origin = chance() * self._pace.longest
        self._budget = RateWindow(polls_per_second)
        self._subjects: dict[WorkflowExecutionIdentifier, Subject] = {}
        self._ahead = ahead
        # What the last ends tell of it.
        self._bounds: deque[float] = deque(maxlen=_BOUNDS)
        self._active = 0

    # --- who waits ----------------------------------------------------------------------------------------------

    def join(self, ticket: Ticket, now: float, *, is_listable: bool = True) -> None:
        """Take in one who waits; an execution that nobody waited for is looked at as soon as the budget allows.

        Args:
            ticket: Who waits for what.
            now: The time.
            is_listable: Whether the name can be written in a filter.
        """
        subject = self._subjects.get(ticket.id)
        if subject is None:
            subject = self._subjects[ticket.id] = Subject(ticket.id, now, 0.0, _FIRST_CHECK, is_listable)
            self.check_later(now, subject)
        ticket.joined = now
        subject.tickets[ticket] = None
        subject.count(ticket, 1)
        subject.is_seen = subject.is_seen or ticket.is_seen
        subject.created = ticket.created if subject.created is None else subject.created
        self._active += 1
        if ticket.deadline is not None:
            is_none = ticket.deadline - now < _LAST_LOOK
            self.deadlines.put(ticket, now + GRACE if is_none else ticket.deadline)
        # Nobody may have looked at it for long: all who wait for it may rest.
        is_new = subject.lane is None or ticket.looks
        self._plan_for(ticket, subject, now, now if is_new else subject.due)

    def leave(self, ticket: Ticket) -> None:
        """Let go of one who waits no more; one who has left is fine."""
        subject = self._subject_of(ticket)
        if subject is not None:
            self._rest(ticket, subject)
            if ticket.deadline is not None:
                self.deadlines.discard(ticket)
            del subject.tickets[ticket]
            if not subject.tickets:
                del self._subjects[ticket.id]

    def rest(self, ticket: Ticket) -> None:
        """Look no more for one who waits, until :meth:`wake`; one who has left is fine."""
        subject = self._subject_of(ticket)
        if subject is not None:
            self._rest(ticket, subject)

    def _rest(self, ticket: Ticket, subject: Subject) -> None:
        if not ticket.is_resting:
            ticket.is_resting = True
            self._active -= 1
            subject.count(ticket, -1)
            if not subject.active:
                self.lanes.discard(subject)

    def wake(self, ticket: Ticket, now: float, pause: float) -> None:
        """Look again for one who rested; one who has left is fine.

        Args:
            ticket: Who.
            now: The time.
            pause: Seconds to the next look, at most.
        """
        subject = self._subject_of(ticket)
        if subject is not None:
            ticket.interval = self._pace.tick(now, pause, self._origin) - now
            if ticket.is_resting:
                ticket.is_resting = False
                self._active += 1
                subject.count(ticket, 1)
            self._plan_for(ticket, subject, now, subject.due)

    def _subject_of(self, ticket: Ticket) -> Subject | None:
        subject = self._subjects.get(ticket.id)
        return subject if subject is not None and ticket in subject.tickets else None

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits at present."""
        return self._active == 0

    @property
    def subjects(self) -> Mapping[WorkflowExecutionIdentifier, Subject]:
        """The executions that are waited for."""
        return self._subjects

    # --- what to ask --------------------------------------------------------------------------------------------

    @property
    def next_at(self) -> float:
        """When there is something to do next; infinite when there is nothing."""
        ask_at = self.lanes.first_at
        if not self._is_first_and_alone:
            ask_at = max(ask_at, self._budget.free_at)
        return min(ask_at, self.deadlines.first_at)

    def take(self, now: float) -> Iterator[Ask]:
        """Yield the questions that are to be asked now: those that wait longest first, and no more than the budget."""
        while self.lanes.first_at <= now:
            if not self._is_first_and_alone:
                if self._budget.free_at > now:
                    return
                self._budget.spend(now)
            yield self.lanes.take(now)

    @property
    def _is_first_and_alone(self) -> bool:
        # Whoever waits for one after another makes one call for each, as if there were no hub.
        return len(self._subjects) == 1 and next(iter(self._subjects.values())).asked_at is None

    def plan(self, subject: Subject, now: float, at: float | None = None) -> None:
        """Put the next look at an execution on the list.

        Args:
            subject: The execution.
            now: The time.
            at: When to look; None goes by its age. Whoever has an interval or a deadline may have it earlier.
        """
        if subject.is_asked or subject.end is not None:
            return
        if subject.only is not None:
            self.lanes.put(subject, self._tick(subject, now) if at is None or at == math.inf else at)
            return
        if not subject.active:
            return
        due = math.inf if at is None else at
        usual = self._tick(subject, now) if due == math.inf else due
        for ticket in subject.tickets:
            if not ticket.is_resting:
                due = min(due, self._due_for(ticket, subject, now, usual))
        self.lanes.put(subject, due)

    def _plan_for(self, ticket: Ticket, subject: Subject, now: float, at: float) -> None:
        """Put the next look on the list for one who came; the others had theirs put on it."""
        if subject.active == 1 or subject.due == math.inf:
            self.plan(subject, now, at)
        elif not subject.is_asked and subject.end is None:
            self.lanes.put(subject, min(at, self._due_for(ticket, subject, now, at)))

    def _due_for(self, ticket: Ticket, subject: Subject, now: float, usual: float) -> float:
        """Return when somebody wants the next look, who has an interval or a deadline or wants the usual."""
        due = usual if ticket.interval is None else now + ticket.interval
        if ticket.deadline is not None:
            last_at = max(ticket.joined, ticket.deadline - _LAST_LOOK)
            if subject.asked_at is None or subject.asked_at < last_at:
                due = min(due, max(now, last_at))
        return due

    def plan_quiet(self, subjects: Iterable[Subject], now: float) -> None:
        """Put the next look at executions on the list that were looked at together and did not end.

        Args:
            subjects: The executions, each waited for by one alone who wants nothing special.
            now: The time.
        """
        # One throw for all, and ages by the second, never older than they are: so they stay together.
        chance = self._chance()
        ages: dict[int, list[Subject]] = {}
        for subject in subjects:
            ages.setdefault(int(self.age(subject, now)), []).append(subject)
        ticks: dict[float, list[Subject]] = {}
        for age, some in ages.items():
            at = self._pace.tick(now, self._pace.pause(age, chance), self._origin)
            ticks.setdefault(at, []).extend(some)
        for at, some in ticks.items():
            self.lanes.put_all(some, at)

    def _tick(self, subject: Subject, now: float) -> float:
        return self._pace.tick(now, self._pace.pause(self.age(subject, now), self._chance()), self._origin)

    def pause_after(self, failures: int) -> float:
        """Return the seconds to pause after so many failures in a row."""
        pause = _RETRY.first()
        for _ in range(min(failures, _LONGEST_AFTER) - 1):
            pause = pause.next(moved=False)
        return pause.length(self._chance)

    def check_later(self, now: float, subject: Subject) -> None:
        """Note that an execution is known to be there, and when to ask for that again."""
        is_looked_at = any(ticket.looks for ticket in subject.tickets)
        gap = _LOOKING_CHECK if is_looked_at else subject.full_gap
        subject.full_at = now + gap * (1 + self._chance())
        subject.full_gap = min(2 * subject.full_gap, _LONGEST_CHECK)

    # --- the server's clock -------------------------------------------------------------------------------------

    def saw_end(self, row: Row, since: float) -> None:
        """Learn what time it is for the server.

        Args:
            row: An execution that has ended.
            since: When it had not ended yet.
        """
        # What ended after that did so after that on the server's clock too, so ours is too far ahead where it seems
        # otherwise. Most of the last ends must say so: single rows have odd times.
        if row.updated is not None:
            self._bounds.append(row.updated - since)
            if len(self._bounds) == _BOUNDS:
                self._ahead = min(self._ahead, sorted(self._bounds)[_BOUNDS // 2])

    def age(self, subject: Subject, now: float) -> float:
        """Return the age of an execution in seconds, or fewer where that is not known."""
        age = now - subject.joined
        return age if subject.created is None else max(age, now + self._ahead - subject.created)
