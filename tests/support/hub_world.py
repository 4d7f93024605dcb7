"""A hub's schedule in a world of made-up executions, whose time is a number."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import attrs
from flyteidl.admin import execution_pb2

from flyte_remote_async.models.identifiers import WorkflowExecutionIdentifier
from flyte_remote_async.policy.hub.answers import answered, expired, failed, read
from flyte_remote_async.policy.hub.schedule import Schedule
from flyte_remote_async.policy.hub.values import Cut, Failed, Kind, Moved, Row, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flyte_remote_async.errors import FlyteRemoteError
    from flyte_remote_async.policy.hub.values import Ask, Outcome

__all__ = ["RUNNING", "SERVER_AHEAD", "SUCCEEDED", "Life", "World", "id_of"]

QUEUED, RUNNING, SUCCEEDED = 1, 2, 4

# The server's clock has nothing to do with ours.
SERVER_AHEAD = 1_700_000_000.0


def id_of(name: str, project: str = "p") -> WorkflowExecutionIdentifier:
    """Return the identity of an execution."""
    return WorkflowExecutionIdentifier(project, "d", name)


@attrs.define
class Life:
    """When an execution does what, on our clock; it is cut when a list shows half of its error.

    By ``jump`` the clock that its rows are written by is ahead of the others.
    """

    created: float = 0.0
    starts: float = 0.0
    ends: float = math.inf
    is_cut: bool = False
    is_there: bool = True
    jump: float = 0.0

    def row(self, name: str, now: float, *, listed: bool) -> Row:
        """Return what the server shows of it."""
        phase = SUCCEEDED if now >= self.ends else RUNNING if now >= self.starts else QUEUED
        moved = self.ends if now >= self.ends else self.starts if now >= self.starts else self.created
        message: Any = execution_pb2.Execution()
        message.id.name, message.closure.phase = name, phase
        done = phase == SUCCEEDED
        times = SERVER_AHEAD + self.created, SERVER_AHEAD + self.jump + moved
        return Row(name, phase, done, *times, is_cut=done and listed and self.is_cut, message=message)


class World:
    """A server and those who wait, until there is nothing left to do."""

    def __init__(
        self,
        lives: dict[str, Life],
        *,
        latency: float = 0.05,
        chance: Callable[[], float] = lambda: 0.5,
        fail: Callable[[Ask, float], FlyteRemoteError | None] = lambda _ask, _now: None,
        **schedule: Any,
    ) -> None:
        self.lives = lives
        self.latency = latency
        self.fail = fail
        self.schedule = Schedule(chance, **({"ahead": SERVER_AHEAD} | schedule))
        self.now = 0.0
        self.asks: list[Ask] = []
        self.rows = 0
        self.told: dict[Ticket, list[tuple[float, Outcome]]] = defaultdict(list)
        self._later: list[tuple[float, int, Callable[[], Iterable[Outcome | None]]]] = []
        self._numbers = itertools.count()

    # --- those who wait -----------------------------------------------------------------------------------------

    def at(self, when: float, do: Callable[[], Any]) -> None:
        """Do something at a time."""

        def act() -> Iterable[Outcome]:
            do()
            return ()

        self._push(when, act)

    def join(self, name: str, *, project: str = "p", is_listable: bool = True, **ticket: Any) -> Ticket:
        """Let somebody wait for an execution, from now on."""
        joined = Ticket(id_of(name, project), **ticket)
        self.schedule.join(joined, self.now, is_listable=is_listable)
        return joined

    def last(self, ticket: Ticket) -> Outcome:
        """Return what somebody was told last."""
        return self.told[ticket][-1][1]

    def when(self, ticket: Ticket) -> float:
        """Return when somebody was told last."""
        return self.told[ticket][-1][0]

    # --- time ---------------------------------------------------------------------------------------------------

    def run(self, until: float) -> None:
        """Let time pass."""
        while True:
            next_at = min(self.schedule.next_at, self._later[0][0] if self._later else math.inf)
            if next_at > until:
                self.now = until
                return
            self.now = max(self.now, next_at)
            while self._later and self._later[0][0] <= self.now:
                self._tell(heapq.heappop(self._later)[2]())
            for ask in self.schedule.take(self.now):
                self.asks.append(ask)
                self._push(self.now + self.latency, lambda ask=ask: self._answer(ask))  # type: ignore[misc]
            self._tell(expired(self.schedule, self.now))

    def _push(self, at: float, do: Callable[[], Iterable[Outcome | None]]) -> None:
        heapq.heappush(self._later, (at, next(self._numbers), do))

    def _answer(self, ask: Ask) -> Iterable[Outcome | None]:
        error = self.fail(ask, self.now)
        if error is not None:
            return failed(self.schedule, self.now, ask, error)
        rows = {}
        for subject in ask.subjects:
            life = self.lives[subject.id.name]
            row = life.row(subject.id.name, self.now - self.latency / 2, listed=ask.kind is not Kind.ONE)
            wanted = {
                Kind.ENDED: row.is_done,
                Kind.MOVED: row.phase != ask.phase,
            }.get(ask.kind, True)
            if life.is_there and wanted:
                rows[row.name] = row
        self.rows += len(rows)
        return answered(self.schedule, self.now, ask, rows)

    def _tell(self, outcomes: Iterable[Outcome | None]) -> None:
        for outcome in outcomes:
            if outcome is None:
                continue
            if isinstance(outcome, Cut):
                subject = outcome.subject
                row = self.lives[subject.id.name].row(subject.id.name, self.now, listed=False)
                self._push(self.now + self.latency, lambda s=subject, r=row: read(s, r))  # type: ignore[misc]
                continue
            self.told[outcome.ticket].append((self.now, outcome))
            if not isinstance(outcome, Moved):
                self.schedule.leave(outcome.ticket)

    @property
    def failures(self) -> list[Failed]:
        """Return what somebody was told of failures."""
        return [outcome for told in self.told.values() for _, outcome in told if isinstance(outcome, Failed)]
