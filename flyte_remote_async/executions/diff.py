"""What happened between two snapshots of an execution.

Both trees are walked together, without recursion, and what they share is skipped. Events are then put in the order of
the control plane's times, within the bounds that the tree sets: a part starts before what is below it, and ends after
it. Clocks of the control plane's parts differ, so a time that does not fit into its bounds gives way.
"""

# ruff: noqa: SLF001 - what was read below a part is for this package, and not for users

from __future__ import annotations

from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio.lowlevel

from flyte_remote_async.executions.events import (
    AttemptChanged,
    ExecutionPhaseChanged,
    LogLinkAdded,
    NodePhaseChanged,
    SignalWanted,
)
from flyte_remote_async.executions.gates import gate_of, wanted_signals
from flyte_remote_async.executions.telling import entered_at, has_another_reason, links_of
from flyte_remote_async.executions.workflow import FlyteWorkflowExecution
from flyte_remote_async.policy.progress import has_begun, is_forward

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flyte_remote_async.executions.attempt import FlyteTaskExecution
    from flyte_remote_async.executions.events import Event
    from flyte_remote_async.executions.node import FlyteNodeExecution

__all__ = ["diff", "diff_in_turns"]

T = TypeVar("T")

_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)
# So many parts are compared before the loop gets its turn.
_STRIDE: Final = 200


def diff(new: FlyteWorkflowExecution, old: FlyteWorkflowExecution) -> tuple[Event, ...]:
    """Return what happened between two snapshots of an execution, in order.

    Args:
        new: The later snapshot.
        old: The earlier one.

    Raises:
        ValueError: They are of different executions.
    """
    walk = _Walk(new)
    for _ in walk.since(old):
        pass
    return walk.events()


async def diff_in_turns(new: FlyteWorkflowExecution, old: FlyteWorkflowExecution) -> tuple[Event, ...]:
    """Return the same as :func:`diff`; the event loop gets its turn while much is compared."""
    walk = _Walk(new)
    for _ in walk.since(old):
        await anyio.lowlevel.checkpoint()
    return walk.events()


class _Place:
    """An execution or node of the new tree that differs from the old one, while what is below it is looked at.

    Args:
        new: The part as it is now.
        old: The part as it was; None where it was not there.
        up: The place above it; None for the root.
    """

    __slots__ = ("begins", "ending", "gates", "home", "latest", "limit", "new", "old", "up", "wanted")

    def __init__(
        self,
        new: FlyteWorkflowExecution | FlyteNodeExecution,
        old: FlyteWorkflowExecution | FlyteNodeExecution | None,
        up: _Place | None = None,
    ) -> None:
        self.new: Any = new
        self.old: Any = old
        self.up = up
        # Between these two is what happens below it.
        self.begins: datetime = up.begins if up else _FIRST
        self.limit: datetime = up.limit if up else _LAST
        # The latest that happened in it so far.
        self.latest: datetime = self.begins
        self.ending: Event | None = None
        is_execution = up is None or isinstance(new, FlyteWorkflowExecution)
        self.home: _Place = self if is_execution or up is None else up.home
        self.gates: dict[str, datetime] = {}

    def fit(self, at: datetime | None) -> datetime:
        """Return a time within the bounds; the earliest for one that is not known."""
        return self.begins if at is None else min(max(at, self.begins), self.limit)


class _Walk:
    """Compares two trees."""

    def __init__(self, snapshot: FlyteWorkflowExecution) -> None:
        self._snapshot = snapshot
        self._found: list[tuple[datetime, Event]] = []

    def since(self, old: FlyteWorkflowExecution) -> Iterator[None]:
        """Find what happened since the other snapshot; yields now and then, so that others get their turn."""
        if self._snapshot.id != old.id:
            ids = f"this one is of {self._snapshot.id}, the other of {old.id}"
            reason = f"only snapshots of one execution can be compared: {ids}"
            raise ValueError(reason)
        stack = [] if self._snapshot is old else [(_Place(self._snapshot, old), False)]
        count = 0
        while stack:
            count += 1
            if count % _STRIDE == 0:
                yield
            place, is_left = stack.pop()
            if is_left:
                self._leave(place)
            else:
                stack.append((place, True))
                self._enter(place)
                stack.extend((below, False) for below in reversed(list(_below(place))))

    def events(self) -> tuple[Event, ...]:
        """Return what was found, in order."""
        # The order of the walk is one that the tree allows, and is kept where times are equal.
        self._found.sort(key=itemgetter(0))
        return tuple(event for _, event in self._found)

    def _note(self, place: _Place, at: datetime, event: Event) -> None:
        self._found.append((at, event))
        place.latest = max(place.latest, at)

    def _enter(self, place: _Place) -> None:
        new, before = place.new, None if place.old is None else place.old.phase
        if is_forward(before, new.phase):
            self._move(place, before)
        if not isinstance(new, FlyteWorkflowExecution):
            for attempt, old in _pairs(new._below.attempts, place.old and place.old._below.attempts, _number):
                self._compare_attempts(place, attempt, old)

    def _move(self, place: _Place, before: Any) -> None:
        """Note that a part moved; an end is noted when all that is below it is."""
        event = self._phase_event(place, before)
        at = place.fit(event.at)
        if place.new.phase.is_terminal:
            place.ending = event
            place.limit = place.limit if event.at is None else at
            return
        self._note(place, at, event)
        if not has_begun(before):
            place.begins = at
        if isinstance(event, NodePhaseChanged):
            place.home.gates[event.node_id] = at

    def _phase_event(self, place: _Place, before: Any) -> Event:
        new = place.new
        moved = {"snapshot": self._snapshot, "at": entered_at(new), "before": before, "after": new.phase}
        if isinstance(new, FlyteWorkflowExecution):
            return ExecutionPhaseChanged(**moved, execution_id=new.id, execution=new)
        above = place.up.new if place.up else None
        parent = None if above is None or isinstance(above, FlyteWorkflowExecution) else above.id.node_id
        id = new.id
        return NodePhaseChanged(**moved, execution_id=id.execution_id, node_id=id.node_id, parent_id=parent, node=new)

    def _leave(self, place: _Place) -> None:
        if place.home is place:
            self._compare_signals(place)
        if place.ending is not None:
            at = place.latest if place.ending.at is None else max(place.fit(place.ending.at), place.latest)
            self._note(place, at, place.ending)
        if place.up is not None:
            place.up.latest = max(place.up.latest, place.latest)

    def _compare_attempts(self, place: _Place, new: FlyteTaskExecution, old: FlyteTaskExecution | None) -> None:
        if old is not None and new.serialize_to_string() == old.serialize_to_string():
            return
        closure = new.closure
        began = place.fit(closure.started_at or closure.created_at)
        key = max(place.fit(entered_at(new)), began)
        if not new.is_done:
            self._note_change(place, new, old, key)
        known = dict(links_of(old))
        for link, log in links_of(new):
            if link not in known:
                added = LogLinkAdded(**self._where(place), attempt=new.attempt, subtask=link[0], log=log)
                self._note(place, began if new.is_done else key, added)
        if new.is_done:
            self._note_change(place, new, old, key)

    def _note_change(
        self, place: _Place, new: FlyteTaskExecution, old: FlyteTaskExecution | None, key: datetime
    ) -> None:
        before = None if old is None else old.phase
        if is_forward(before, new.phase):
            at = entered_at(new)
        elif has_another_reason(new, old):
            at = new.closure.updated_at
        else:
            return
        change = AttemptChanged(
            **self._where(place),
            at=at,
            attempt=new.attempt,
            before=before,
            after=new.phase,
            reason=new.reason,
            task_execution=new,
        )
        self._note(place, max(place.fit(at), key), change)

    def _where(self, place: _Place) -> dict[str, Any]:
        id = place.new.id
        return {"snapshot": self._snapshot, "execution_id": id.execution_id, "node_id": id.node_id}

    def _compare_signals(self, place: _Place) -> None:
        execution: FlyteWorkflowExecution = place.new
        before = wanted_signals(place.old) if place.old is not None else {}
        for signal_id, signal in wanted_signals(execution).items():
            if signal_id in before:
                continue
            gate = gate_of(signal_id, execution)
            at = gate.closure.started_at if gate else None
            node_id = gate.id.node_id if gate else None
            event = SignalWanted(
                snapshot=self._snapshot,
                execution_id=execution.id,
                at=at,
                signal_id=signal_id,
                node_id=node_id,
                type=signal.type,
            )
            # Not before its node is seen to run.
            begun = place.gates.get(node_id, _FIRST) if node_id else place.latest
            self._note(place, max(place.fit(at), begun), event)


def _below(place: _Place) -> Iterator[_Place]:
    new, old = place.new, place.old
    if isinstance(new, FlyteWorkflowExecution):
        pairs = [*_pairs(new._nodes, old and old._nodes, _node_id)]
    else:
        pairs = [*_pairs(new._below.nodes, old and old._below.nodes, _node_id)]
        pairs += _pairs(new._below.executions, old and old._below.executions, _execution_id)
    for part, before in pairs:
        yield _Place(part, before, place)


def _pairs(
    new: tuple[T, ...] | None, old: tuple[T, ...] | None, key: Callable[[T], object]
) -> Iterator[tuple[T, T | None]]:
    """Yield the parts that are not shared, each with what it was; what was not read now has not changed."""
    if new is None or new is old:
        return
    before = {key(part): part for part in old or ()}
    for part in new:
        was = before.get(key(part))
        if part is not was:
            yield part, was


def _node_id(node: Any) -> object:
    return node.id.node_id


def _execution_id(execution: Any) -> object:
    return execution.id


def _number(attempt: Any) -> object:
    return attempt.id.task_id.name, attempt.id.retry_attempt
