"""The schedule of a hub: who waits, what to ask next and when.

It has no clock and asks nobody: it is given the time, and told of answers. Times are seconds on a clock that only moves
forward; the server's own times are compared with each other alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from flyte_remote_async.policy.backoff import Backoff
from flyte_remote_async.policy.hub.lanes import Lanes
from flyte_remote_async.policy.hub.queue import Due
from flyte_remote_async.policy.hub.values import Subject
from flyte_remote_async.policy.pace import Pace, RateWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from flyte_remote_async.models.identifiers import WorkflowExecutionIdentifier
    from flyte_remote_async.policy.hub.values import Ask, Row, Ticket

__all__ = ["LAST_LOOK", "Schedule"]

LAST_LOOK: Final = 1.0
"""Seconds that the look at a deadline may take."""

# After a failure: a server that is back is noticed within a few seconds.
_RETRY: Final = Backoff(initial=0.5, factor=1.5, longest=5.0, jitter=0.2)
_LONGEST_AFTER: Final = 8

# A list of what ended does not tell what vanished: now and then all are asked for, ever more seldom. A list of what
# moved goes by the server's clock, which may be set back: there it is more often.
_FIRST_CHECK: Final = 300.0
_LONGEST_CHECK: Final = 3600.0
_LOOKING_CHECK: Final = 60.0


class Schedule:
    """Decides what a hub asks, and when.

    Args:
        chance: Draws a number from [0, 1).
        polls_per_second: The budget of requests.
        pace: How often one execution is looked at.
    """

    def __init__(
        self, chance: Callable[[], float], *, polls_per_second: float = 10.0, pace: Pace | None = None
    ) -> None:
        self.lanes = Lanes()
        self.deadlines: Due[Ticket] = Due()
        self._chance = chance
        self._pace = pace or Pace()
        self._origin = chance() * self._pace.longest
        self._budget = RateWindow(polls_per_second)
        self._subjects: dict[WorkflowExecutionIdentifier, Subject] = {}
        # By how much the server's clock is ahead of ours, at least: what its rows tell has happened for it.
        self._ahead = -math.inf
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
        subject.tickets.append(ticket)
        subject.is_seen = subject.is_seen or ticket.is_seen
        subject.created = ticket.created if subject.created is None else subject.created
        self._active += 1
        if ticket.deadline is not None:
            self.deadlines.put(ticket, ticket.deadline + LAST_LOOK)
        is_new = subject.asked_at is None or ticket.looks
        self.plan(subject, now, now if is_new else subject.due)

    def leave(self, ticket: Ticket) -> None:
        """Let go of one who waits no more; one who has left is fine."""
        subject = self._subject_of(ticket)
        if subject is not None:
            self.rest(ticket)
            self.deadlines.discard(ticket)
            subject.tickets.remove(ticket)
            if not subject.tickets:
                del self._subjects[ticket.id]

    def rest(self, ticket: Ticket) -> None:
        """Look no more for one who waits, until :meth:`wake`; one who has left is fine."""
        subject = self._subject_of(ticket)
        if subject is not None and not ticket.is_resting:
            ticket.is_resting = True
            self._active -= 1
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
            self._active += ticket.is_resting
            ticket.is_resting = False
            self.plan(subject, now, subject.due)

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
        active = subject.active
        if not active:
            return
        due = math.inf if at is None else at
        for ticket in active:
            if ticket.interval is not None:
                due = min(due, now + ticket.interval)
            elif at is None or at == math.inf:
                due = min(due, self._tick(subject, now))
            if ticket.deadline is not None and (subject.asked_at is None or subject.asked_at < ticket.deadline):
                due = min(due, max(now, ticket.deadline))
        self.lanes.put(subject, due)

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

    def saw(self, row: Row, now: float) -> None:
        """Learn from a row what time it is for the server."""
        if row.updated is not None:
            self._ahead = max(self._ahead, row.updated - now)

    def on_server(self, at: float) -> float:
        """Return what time it was for the server, or a little before; minus infinity when that is not known."""
        return at + self._ahead

    def age(self, subject: Subject, now: float) -> float:
        """Return the age of an execution in seconds, or fewer where that is not known."""
        age = now - subject.joined
        return age if subject.created is None else max(age, self.on_server(now) - subject.created)
