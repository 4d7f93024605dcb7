"""Who waits for what, what is asked for them, and what comes of it."""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs

from flyte_remote_async.errors import RPCError
from flyte_remote_async.policy.retry import is_passing

if TYPE_CHECKING:
    from flyte_remote_async.errors import FlyteRemoteError
    from flyte_remote_async.models.identifiers import WorkflowExecutionIdentifier

__all__ = [
    "Ask",
    "Cut",
    "Ended",
    "Failed",
    "Kind",
    "Lane",
    "Moved",
    "Outcome",
    "Place",
    "Row",
    "Subject",
    "Ticket",
    "TimedOut",
    "passes",
]

Place = tuple[str, str, str]
"""Project, domain and organisation: what one list can cover."""

Lane = tuple[Place, "Kind", int]
"""Where, what and about which phase: what one question has in common."""


class Kind(enum.IntEnum):
    """What is asked about executions."""

    ONE = 0
    """One execution by itself."""
    ENDED = 1
    """Which of many have ended."""
    MOVED = 2
    """Which of many are no longer in the phase that they were seen in."""
    ALL = 3
    """Many as they are, to see whether they exist."""


@attrs.frozen(eq=False)
class Row:
    """An execution as an answer shows it.

    Attributes:
        name: Its name.
        phase: How far it is, as a number.
        is_done: Whether it has ended.
        created: When it was created, in seconds on the server's clock.
        updated: When it moved last, in seconds on the server's clock.
        is_cut: Whether its error may have been cut short.
        message: The message itself.
    """

    name: str
    phase: int
    is_done: bool
    created: float | None
    updated: float | None
    is_cut: bool
    message: Any

    @property
    def mark(self) -> tuple[int, float | None]:
        """What differs when the execution has moved."""
        return self.phase, self.updated


@attrs.define(eq=False)
class Ticket:
    """One who waits for an execution.

    Attributes:
        id: Which execution.
        is_seen: Whether the control plane showed it before, so that it must exist.
        looks: Whether to tell of each look at it, and not of its end alone.
        interval: Seconds between two looks; None adapts to its age.
        deadline: When the waiter gives up; None is never.
        created: When it was created, in seconds on the server's clock, where that is known.
        is_told: Whether the waiter was told of a row.
        is_resting: Whether the waiter does not look at present.
        owner: For the one who made it.
        joined: Since when it waits.
    """

    id: WorkflowExecutionIdentifier
    is_seen: bool = False
    looks: bool = False
    interval: float | None = None
    deadline: float | None = None
    created: float | None = None
    is_told: bool = False
    is_resting: bool = False
    owner: Any = None
    joined: float = 0.0


@attrs.define(eq=False)
class Subject:
    """An execution that is waited for.

    Attributes:
        id: Which execution.
        joined: Since when it is waited for.
        full_at: When to ask next whether it exists at all; minus infinity is at once.
        tickets: Who waits for it, in the order in which they came.
        active: How many of them wait at present.
        looking: How many of those want to be told of each look.
        untold: How many of those were not told of a row yet.
        mark: The mark of the last row that those who look were told of; None before the first.
        lane: Where it is put until it is due.
        is_listable: Whether its name can be written in a filter.
        due: When to look next; infinite when it is not known yet.
        is_asked: Whether a question about it is under way.
        asked_at: When it was asked about last.
        heard_at: When an answer about it came last.
        known_at: When the question was asked that was answered last.
        full_gap: Seconds between two questions whether it exists.
        created: When it was created, in seconds on the server's clock.
        is_seen: Whether the control plane has shown it.
        is_missed: Whether the last list that should have had it did not.
        not_found: How many answers in a row did not find it.
        failures: How many questions in a row failed.
        last_error: How the last question failed; None when it did not.
        shown: The bytes of the last message about it; None when there was none.
        end: The row that showed its end.
        is_settled: Whether those who wait were told of the end.
    """

    id: WorkflowExecutionIdentifier
    joined: float
    full_at: float
    full_gap: float
    is_listable: bool = True
    # A dict is a set that keeps the order. Who waits is counted and not looked for: there may be thousands, who come
    # and go one by one.
    tickets: dict[Ticket, None] = attrs.field(factory=dict)
    active: int = 0
    looking: int = 0
    untold: int = 0
    mark: tuple[int, float | None] | None = None
    lane: Lane | None = None
    due: float = math.inf
    is_asked: bool = False
    asked_at: float | None = None
    heard_at: float | None = None
    known_at: float | None = None
    created: float | None = None
    is_seen: bool = False
    is_missed: bool = False
    not_found: int = 0
    failures: int = 0
    last_error: FlyteRemoteError | None = None
    shown: bytes | None = None
    end: Row | None = None
    is_settled: bool = False

    @property
    def place(self) -> Place:
        """Which lists have it."""
        return self.id.project, self.id.domain, self.id.org

    def count(self, ticket: Ticket, by: int) -> None:
        """Count one who begins to wait, by 1, or rests or leaves, by -1."""
        self.active += by
        if ticket.looks:
            self.looking += by
            self.untold += 0 if ticket.is_told else by

    def tell(self, ticket: Ticket) -> None:
        """Note that one who looks is told of a row."""
        if not ticket.is_told:
            ticket.is_told = True
            self.untold -= not ticket.is_resting

    @property
    def only(self) -> Ticket | None:
        """The one who waits for its end by himself and wants nothing special, which is the usual case."""
        if len(self.tickets) != 1:
            return None
        (ticket,) = self.tickets
        is_usual = ticket.interval is None and ticket.deadline is None and not ticket.looks
        return ticket if is_usual else None


@attrs.frozen(eq=False)
class Ask:
    """One question, which is one request.

    Attributes:
        kind: What is asked.
        place: Where.
        subjects: About which executions.
        asked_at: When.
        phase: For what moved: in which phase all of them were seen.
    """

    kind: Kind
    place: Place
    subjects: tuple[Subject, ...]
    asked_at: float
    phase: int = 0


class Ended(NamedTuple):
    """A waiter learns of the end."""

    ticket: Ticket
    row: Row


class Cut(NamedTuple):
    """An execution has ended, and must be read by itself since its error may have been cut short."""

    subject: Subject


class Moved(NamedTuple):
    """A waiter learns of a look; the row is None when the execution did not move."""

    ticket: Ticket
    row: Row | None


class Failed(NamedTuple):
    """A waiter learns that its execution cannot be asked about."""

    ticket: Ticket
    error: FlyteRemoteError


class TimedOut(NamedTuple):
    """A waiter's time is over; ``shown`` is the last message about his execution, in bytes.

    ``is_heard`` tells whether the control plane answered about it since he came.
    """

    ticket: Ticket
    shown: bytes | None
    last_error: FlyteRemoteError | None
    stale_for: float
    is_heard: bool


Outcome = Ended | Cut | Moved | Failed | TimedOut


def passes(error: FlyteRemoteError) -> bool:
    """Return whether the same question may be answered a little later."""
    return isinstance(error, RPCError) and is_passing(error)
