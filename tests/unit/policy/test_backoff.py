"""Pauses between two looks."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.policy.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flyte_remote_async.policy.backoff import Pause

backoffs = st.builds(
    Backoff,
    initial=st.floats(0.001, 100),
    factor=st.floats(1, 10),
    longest=st.floats(0.001, 100),
    jitter=st.floats(0, 1),
)
chances = st.floats(0, 1, exclude_max=True)


def pauses(backoff: Backoff) -> Iterator[Pause]:
    pause = backoff.first()
    while True:
        yield pause
        pause = pause.next(moved=False)


def test_pauses_grow_to_the_longest_and_stay_there() -> None:
    backoff = Backoff(initial=1, factor=2, longest=10, jitter=0)
    lengths = [pause.length(lambda: 0.5) for pause in itertools.islice(pauses(backoff), 7)]
    assert lengths == [1, 2, 4, 8, 10, 10, 10]


def test_what_moved_is_looked_at_again_soon() -> None:
    backoff = Backoff(initial=1, factor=2, longest=10)
    late = next(itertools.islice(pauses(backoff), 5, None))
    assert late.seconds == 10
    assert late.next(moved=True) == backoff.first()


@pytest.mark.parametrize(("chance", "length"), [(0.0, 3.6), (0.5, 4.0), (0.75, 4.2)])
def test_jitter_spreads_pauses_around_their_length(chance: float, length: float) -> None:
    pause = Backoff(initial=4, jitter=0.1).first()
    assert pause.length(lambda: chance) == pytest.approx(length)


@given(backoffs, chances, st.integers(0, 20))
def test_a_pause_is_within_its_bounds(backoff: Backoff, chance: float, step: int) -> None:
    pause = next(itertools.islice(pauses(backoff), step, None))
    length = pause.length(lambda: chance)
    assert 0 <= length <= backoff.longest
    assert length <= pause.seconds * (1 + backoff.jitter)
    assert length >= min(pause.seconds * (1 - backoff.jitter), backoff.longest) * (1 - 1e-9)


@given(backoffs, chances, st.integers(0, 20), st.floats(-10, 200))
def test_a_pause_never_passes_the_deadline(backoff: Backoff, chance: float, step: int, left: float) -> None:
    pause = next(itertools.islice(pauses(backoff), step, None))
    length = pause.length(lambda: chance, left)
    assert length == max(0.0, min(pause.length(lambda: chance), left))


@given(backoffs)
def test_pauses_never_shrink_while_nothing_moves(backoff: Backoff) -> None:
    lengths = [min(pause.seconds, backoff.longest) for pause in itertools.islice(pauses(backoff), 20)]
    assert lengths == sorted(lengths)


@pytest.mark.parametrize(
    "bad", [{"initial": 0}, {"initial": -1}, {"factor": 0.9}, {"longest": 0}, {"jitter": -0.1}, {"jitter": 1.1}]
)
def test_a_backoff_that_makes_no_sense_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        Backoff(**bad)
