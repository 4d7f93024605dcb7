"""Items by the time at which they are due."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from flyte_remote_async.policy.hub.queue import Due

items = st.integers(0, 20)
times = st.integers(0, 50)


class DueIsADictionary(RuleBasedStateMachine):
    """A queue does what a plain dictionary of times would do."""

    def __init__(self) -> None:
        super().__init__()
        self.due: Due[int] = Due()
        self.model: dict[int, int] = {}

    @rule(item=items, at=times)
    def put(self, item: int, at: int) -> None:
        self.due.put(item, at)
        self.model[item] = at

    @rule(some=st.lists(items, unique=True), at=times)
    def put_all(self, some: list[int], at: int) -> None:
        self.due.put_all(some, at)
        self.model.update(dict.fromkeys(some, at))

    @rule(item=items)
    def discard(self, item: int) -> None:
        self.due.discard(item)
        self.model.pop(item, None)

    @rule(now=times, most=st.none() | st.integers(0, 5))
    def take(self, now: int, most: int | None) -> None:
        taken = list(self.due.take(now, most))
        ready = sorted(at for at in self.model.values() if at <= now)
        assert [self.model.pop(item) for item in taken] == ready[:most]

    @invariant()
    def is_the_same(self) -> None:
        assert len(self.due) == len(self.model)
        assert self.due.first_at == min(self.model.values(), default=math.inf)


TestDue = DueIsADictionary.TestCase


@given(st.lists(times, min_size=1, max_size=20))
def test_what_is_due_at_one_time_comes_in_the_order_in_which_it_came(order: list[int]) -> None:
    due: Due[int] = Due()
    for item in dict.fromkeys(order):
        due.put(item, 1)
    assert list(due.take(1)) == list(dict.fromkeys(order))


def test_what_was_moved_or_taken_out_does_not_pile_up() -> None:
    due: Due[int] = Due()
    for count in range(10_000):
        due.put(1, 1e9)
        due.put(2, count)
        due.discard(2)
    assert len(due._heap) < 200
    for count in range(1000):
        due.put_all(range(100), count)
    assert due._held == sum(len(items) for _, _, items in due._heap) < 500
