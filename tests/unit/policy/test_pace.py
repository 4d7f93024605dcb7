"""How often executions are looked at, and how many requests that makes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.policy.pace import Pace, RateWindow

chances = st.floats(0, 1, exclude_max=True)
ages = st.floats(0, 1e7)
PACE = Pace()


@pytest.mark.parametrize(("age", "pause"), [(0, 0.5), (5, 0.5), (10, 1), (15, 1.5), (59, 1.5), (60, 6), (1e6, 20)])
def test_pauses_by_age(age: float, pause: float) -> None:
    assert PACE.pause(age, 0.0) == pytest.approx(pause)


@given(ages, chances)
def test_a_pause_is_within_what_is_promised(age: float, chance: float) -> None:
    pause = PACE.pause(age, chance)
    assert 0 < pause <= (1.5 if age < 60 else min(0.1 * age, 20))
    assert pause >= 0.9 * PACE.pause(age, 0.0)


@given(st.floats(0, 1e7), ages, chances, st.floats(0, 20))
def test_a_tick_is_within_the_pause_and_not_in_its_first_half(
    now: float, age: float, chance: float, origin: float
) -> None:
    pause = PACE.pause(age, chance)
    tick = PACE.tick(now, pause, origin)
    assert now + pause / 2 <= tick <= now + pause + 1e-6


@given(st.lists(st.tuples(st.floats(0, 1), ages), min_size=2, max_size=50), st.floats(0, 20))
def test_looks_that_were_planned_at_about_the_same_time_meet(plans: list[tuple[float, float]], origin: float) -> None:
    old = [(now, PACE.pause(300 + age, 0.0)) for now, age in plans]
    ticks = {round(PACE.tick(100 + now, pause, origin), 6) for now, pause in old}
    # Pauses of 20 s, on ticks of 8 s.
    assert len(ticks) <= 2


def test_pauses_that_are_shorter_than_a_tick_are_kept() -> None:
    assert PACE.tick(10.0, 0.1, 3.0) == pytest.approx(10.1)


@given(st.floats(0.1, 50), st.lists(st.floats(0, 0.5), max_size=200))
def test_no_stretch_of_time_holds_more_than_the_rate_allows(rate: float, gaps: list[float]) -> None:
    window, now, sent = RateWindow(rate), 0.0, []
    for gap in gaps:
        now += gap
        if window.free_at <= now:
            window.spend(now)
            sent.append(now)
    most = max(1, int(rate))
    length = most / rate
    for start in sent:
        assert sum(start <= at < start + length - 1e-9 for at in sent) <= most


@given(st.floats(0.1, 50))
def test_what_was_not_spent_is_free(rate: float) -> None:
    window = RateWindow(rate)
    assert window.free_at == -math.inf
    for _ in range(max(1, int(rate))):
        assert window.free_at <= 0
        window.spend(0.0)
    assert window.free_at == pytest.approx(max(1, int(rate)) / rate)
