"""What an answer, or a failure, means to those who wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flyte_remote_async.errors import NotFoundError
from flyte_remote_async.policy.hub.values import Cut, Ended, Failed, Kind, Moved, TimedOut, passes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flyte_remote_async.errors import FlyteRemoteError
    from flyte_remote_async.policy.hub.schedule import Schedule
    from flyte_remote_async.policy.hub.values import Ask, Outcome, Row, Subject, Ticket

__all__ = ["answered", "expired", "failed", "read", "unread"]

# An execution that was seen is not gone before so many looks in a row did not find it.
_NOT_FOUND_LOOKS: Final = 3

# What has ended is read by itself when its error was cut; a replica that says that it runs is not asked for ever.
_END_READS: Final = 3

# So many are gone through before others have their turn.
_STRIDE: Final = 200


def answered(schedule: Schedule, now: float, ask: Ask, rows: Mapping[str, Row]) -> Iterator[Outcome | None]:
    """Yield what an answer means to those who wait; None now and then, where others may have their turn.

    Args:
        schedule: The schedule.
        now: The time.
        ask: The question.
        rows: What was found, by name.
    """
    if ask.kind is not Kind.ONE:
        schedule.lanes.lists_work()
    for start in range(0, len(ask.subjects), _STRIDE):
        some = ask.subjects[start : start + _STRIDE]
        # First, and in one go: whoever comes or leaves while others are told finds them planned.
        quiet = [one for one in some if ask.kind is Kind.ENDED and _is_quiet(one, rows)]
        for subject in quiet:
            subject.is_asked, subject.failures, subject.last_error = False, 0, None
            subject.heard_at, subject.known_at = now, ask.asked_at
        schedule.plan_quiet(quiet, now)
        if len(quiet) < len(some):
            yield from _heard_all(schedule, now, ask, (one for one in some if one.is_asked), rows)
        if start + _STRIDE < len(ask.subjects):
            yield None


def _is_quiet(subject: Subject, rows: Mapping[str, Row]) -> bool:
    """Whether an execution did not end, and nobody wants to know more."""
    return subject.end is None and subject.id.name not in rows and subject.only is not None


def _heard_all(
    schedule: Schedule, now: float, ask: Ask, subjects: Iterator[Subject], rows: Mapping[str, Row]
) -> Iterator[Outcome]:
    for subject in subjects:
        subject.is_asked = False
        if subject.tickets:
            yield from _heard(schedule, now, ask, subject, rows.get(subject.id.name))


def _heard(schedule: Schedule, now: float, ask: Ask, subject: Subject, row: Row | None) -> Iterator[Outcome]:
    known_at = subject.known_at
    subject.failures, subject.last_error, subject.heard_at, subject.known_at = 0, None, now, ask.asked_at
    if ask.kind in {Kind.ONE, Kind.ALL}:
        schedule.check_later(now, subject)
        subject.is_missed = row is None
    if row is not None:
        subject.not_found, subject.is_seen = 0, True
        subject.created = row.created if row.created is not None else subject.created
        if row.is_done:
            if known_at is not None:
                schedule.saw_end(row, known_at)
            yield from _ended(schedule, subject, row)
            return
        # Not the message: one that is kept keeps the whole reply that it came in.
        subject.shown = row.message.SerializeToString()
    if subject.only is not None:
        schedule.plan(subject, now, now if subject.is_missed else None)
        return
    yield from _looked(subject, row)
    schedule.plan(subject, now, now if subject.is_missed else None)
    yield from _late(ask, subject, now)


def _looked(subject: Subject, row: Row | None) -> Iterator[Outcome]:
    """Tell those who want to know of each look."""
    is_news = row is not None and row.mark != subject.mark
    if row is not None:
        subject.mark = row.mark
    looking = [ticket for ticket in subject.tickets if ticket.looks]
    news = [Moved(ticket, row if is_news or not ticket.is_told else None) for ticket in looking]
    # Before the first hears of it: who leaves meanwhile is counted no more.
    if row is not None:
        for ticket in looking:
            subject.tell(ticket)
    yield from news


def _ended(schedule: Schedule, subject: Subject, row: Row) -> Iterator[Outcome]:
    """Keep the end: what has ended stays so, whatever an answer that is behind may say."""
    subject.end = row
    schedule.lanes.discard(subject)
    if row.is_cut:
        yield Cut(subject)
    else:
        yield from _settled(subject, row)


def failed(schedule: Schedule, now: float, ask: Ask, error: FlyteRemoteError) -> Iterator[Outcome]:
    """Yield what a failure means to those who wait.

    Args:
        schedule: The schedule.
        now: The time.
        ask: The question that failed.
        error: How.
    """
    for subject in ask.subjects:
        subject.is_asked = False
    alive = [subject for subject in ask.subjects if subject.tickets and subject.end is None]
    if ask.kind is not Kind.ONE and schedule.lanes.list_failed(ask, error, now):
        for subject in alive:
            schedule.plan(subject, now, now)
        return
    for subject in alive:
        subject.failures += 1
        subject.last_error = error
    # One pause for all of them, so that they share the next request too.
    again = now + schedule.pause_after(max((subject.failures for subject in alive), default=1))
    for subject in alive:
        if _lasts(subject, error):
            for ticket in tuple(subject.tickets):
                yield Failed(ticket, error)
        else:
            schedule.plan(subject, now, again)
            yield from _late(ask, subject, now)


def _lasts(subject: Subject, error: FlyteRemoteError) -> bool:
    """Whether a failure is for good."""
    if not isinstance(error, NotFoundError):
        subject.not_found = 0
        return not passes(error)
    subject.not_found += 1
    return not subject.is_seen or subject.not_found >= _NOT_FOUND_LOOKS


def _late(ask: Ask, subject: Subject, now: float) -> Iterator[Outcome]:
    """Tell those whose time is over, and who stayed for this one look."""
    for ticket in tuple(subject.tickets):
        is_over = ticket.deadline is not None and ticket.deadline <= now
        if is_over and not ticket.is_resting and ticket.joined <= ask.asked_at:
            yield _timed_out(ticket, subject, now)


def _timed_out(ticket: Ticket, subject: Subject, now: float) -> Outcome:
    heard_at = subject.joined if subject.heard_at is None else subject.heard_at
    stale_for = now - max(heard_at, ticket.joined)
    is_heard = subject.heard_at is not None and subject.heard_at >= ticket.joined
    return TimedOut(ticket, subject.shown, subject.last_error, stale_for, is_heard)


def expired(schedule: Schedule, now: float) -> Iterator[Outcome]:
    """Yield what becomes of those whose time is over, and whose last look was not answered."""
    for ticket in schedule.deadlines.take(now):
        subject = schedule.subjects[ticket.id]
        # Where the end is known, and its whole error is not, that is better than nothing.
        yield _timed_out(ticket, subject, now) if subject.end is None else Ended(ticket, subject.end)


# --- the read of what has ended, by itself --------------------------------------------------------------------------


def read(subject: Subject, row: Row) -> Iterator[Outcome]:
    """Yield what the row of an execution that has ended means; nothing when it must be read again.

    Args:
        subject: The execution.
        row: What was read.
    """
    if row.is_done:
        yield from _settled(subject, row)
        return
    # A replica that is behind answered.
    subject.failures += 1
    if subject.failures >= _END_READS and subject.end is not None:
        yield from _settled(subject, subject.end)


def unread(subject: Subject, error: FlyteRemoteError) -> Iterator[Outcome]:
    """Yield what it means that an execution that has ended could not be read; nothing when it must be read again.

    Args:
        subject: The execution.
        error: How the read failed.
    """
    subject.failures += 1
    subject.last_error = error
    if subject.end is not None and not passes(error):
        yield from _settled(subject, subject.end)


def _settled(subject: Subject, row: Row) -> Iterator[Outcome]:
    subject.end, subject.is_settled = row, True
    for ticket in tuple(subject.tickets):
        yield Ended(ticket, row)
