"""What a hub asks, when, and whom it tells what."""

from __future__ import annotations

import itertools
import random
import statistics
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyte_remote_async.errors import (
    InternalError,
    InvalidArgumentError,
    MalformedMessageError,
    MessageTooLargeError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
    UnavailableError,
    UnimplementedError,
    UnknownError,
)
from flyte_remote_async.policy.hub.answers import answered, read, unread
from flyte_remote_async.policy.hub.schedule import GRACE, Schedule
from flyte_remote_async.policy.hub.values import Ended, Failed, Kind, Moved, Ticket, TimedOut
from tests.support.hub_world import RUNNING, SERVER_AHEAD, SUCCEEDED, Life, World, id_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyte_remote_async.errors import FlyteRemoteError
    from flyte_remote_async.policy.hub.values import Ask, Row

HOUR = 3600.0


def crowd(count: int, **life: Any) -> dict[str, Life]:
    return {f"e{number}": Life(**life) for number in range(count)}


def most_in(asks: list[Ask], seconds: float) -> int:
    times = [ask.asked_at for ask in asks]
    return max((sum(start <= at < start + seconds - 1e-9 for at in times) for start in times), default=0)


# --- what is asked --------------------------------------------------------------------------------------------------


def test_one_by_itself_is_read_by_itself() -> None:
    world = World(crowd(1, ends=3.0))
    ticket = world.join("e0")
    world.run(10)
    assert {ask.kind for ask in world.asks} == {Kind.ONE}
    assert isinstance(world.last(ticket), Ended)
    assert world.schedule.is_idle
    assert world.schedule.subjects == {}


def test_many_share_their_requests_and_rows_are_of_what_ended() -> None:
    world = World({f"e{number}": Life(ends=20 + number / 10) for number in range(500)})
    tickets = [world.join(f"e{number}", is_seen=True) for number in range(500)]
    world.run(100)
    assert all(isinstance(world.last(ticket), Ended) for ticket in tickets)
    assert world.rows == 500
    assert len(world.asks) <= 10 * 75
    assert {ask.kind for ask in world.asks} <= {Kind.ENDED, Kind.ONE}


def test_what_was_never_seen_is_asked_for_in_full_once() -> None:
    world = World(crowd(10))
    for number in range(10):
        world.join(f"e{number}")
    world.run(30)
    assert [ask.kind for ask in world.asks].count(Kind.ALL) == 1
    assert world.asks[0].kind is Kind.ALL
    assert all(ask.kind is Kind.ENDED for ask in world.asks[1:])


def test_places_have_lists_of_their_own_and_lists_have_an_end() -> None:
    world = World(crowd(2500))
    for number in range(2500):
        world.join(f"e{number}", project="one" if number < 2100 else "two", is_seen=True)
    world.run(0)
    assert [(ask.place[0], len(ask.subjects)) for ask in world.asks] == [
        ("one", 1000),
        ("one", 1000),
        ("one", 100),
        ("two", 400),
    ]


def test_a_name_that_no_filter_takes_is_asked_for_by_itself() -> None:
    world = World(crowd(3))
    for number in range(3):
        world.join(f"e{number}", is_listable=number > 0)
    world.run(0)
    assert [[one.id.name for one in ask.subjects] for ask in world.asks] == [["e0"], ["e1", "e2"]]


def test_whoever_waits_for_one_after_another_does_not_wait_for_the_budget() -> None:
    world = World(crowd(50, ends=0.0), polls_per_second=1.0)
    for number in range(50):
        world.join(f"e{number}")
        world.run(world.now + 0.05)
    assert len(world.asks) == 50
    assert world.now == pytest.approx(2.5)


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.integers(2, 150), st.floats(0.5, 20), st.integers(1, 3))
def test_the_budget_holds_and_nobody_starves(seed: int, count: int, rate: float, projects: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - dice of a test
    lives = {f"e{number}": Life(created=-dice.choice([0, 10, 1000, 1e5])) for number in range(count)}
    world = World(lives, polls_per_second=rate, chance=dice.random)
    joined = {}
    for number, name in enumerate(lives):
        at = dice.choice([0.0, dice.uniform(0, 20)])
        interval = dice.choice([None, None, None, 0.01, 7.0])
        where = f"p{number % projects}"
        created = lives[name].created

        def join(name: str = name, interval: Any = interval, where: str = where, created: float = created) -> None:
            world.join(name, project=where, interval=interval, created=created, is_seen=True)

        world.at(at, join)
        joined[name, where] = at
    world.run(200)
    most = max(1, int(rate))
    assert most_in(world.asks, most / rate) <= most + 1  # the very first one is free
    looks: dict[tuple[str, str], list[float]] = {key: [at] for key, at in joined.items()}
    for ask in world.asks:
        for subject in ask.subjects:
            looks[subject.id.name, subject.id.project].append(ask.asked_at)
    # Each lane of each place is asked in turn.
    longest = 20 + 3 * projects * (1 + count / 1000) / rate + 1
    for times in looks.values():
        assert max(after - before for before, after in itertools.pairwise([*times, 200])) <= longest


@given(st.integers(0, 2**32), st.booleans())
@settings(max_examples=20)
def test_an_end_is_noticed_in_good_time(seed: int, is_known: bool) -> None:
    dice = random.Random(seed)  # noqa: S311 - dice of a test
    lives = {}
    for number in range(300):
        created = -dice.choice([0.0, dice.uniform(0, 60), dice.uniform(60, 5000)])
        lives[f"e{number}"] = Life(created=created, starts=created, ends=dice.uniform(1, 300))
    world = World(lives, chance=dice.random)
    tickets = {name: world.join(name, is_seen=is_known, created=None) for name in lives}
    world.run(400)
    young = []
    for name, ticket in tickets.items():
        life = lives[name]
        late, age = world.when(ticket) - life.ends, life.ends - life.created
        assert 0 <= late <= 30
        if age < 60:
            young.append(late)
        else:
            assert late <= 0.15 * age
    assert not young or statistics.median(young) <= 1.0


def test_a_thousand_make_few_requests() -> None:
    world = World(crowd(1000), chance=random.Random(1).random)  # noqa: S311 - dice of a test
    for number in range(1000):
        world.at(number / 100, lambda number=number: world.join(f"e{number}"))  # type: ignore[misc]
    world.run(120)
    assert len(world.asks) / 120 < 5
    assert most_in(world.asks, 1.0) <= 11
    # Each was shown once, when it came.
    assert world.rows == 1000


def test_ten_thousand_make_no_more_than_the_budget() -> None:
    world = World(crowd(10_000), chance=random.Random(1).random)  # noqa: S311 - dice of a test
    for number in range(10_000):
        world.join(f"e{number}", is_seen=True)
    world.run(10)
    assert len(world.asks) <= 10 * 10 + 10
    assert world.rows == 0
    assert min(len(ask.subjects) for ask in world.asks) > 100


def test_an_interval_is_kept_and_others_profit() -> None:
    world = World(crowd(1, created=-1e6))
    world.join("e0", interval=3.0)
    world.run(31)
    assert [ask.asked_at for ask in world.asks] == pytest.approx([3.05 * number for number in range(11)])


def test_whoever_comes_later_does_not_delay_the_next_look() -> None:
    world = World(crowd(1, ends=5.0))
    first = world.join("e0", interval=2.0)
    for step in range(1, 50):
        world.at(step / 10, lambda: world.join("e0", interval=2.0))
    world.run(8)
    assert world.when(first) <= 6.2
    assert len(world.asks) <= 5


# --- deadlines ------------------------------------------------------------------------------------------------------


@given(st.floats(0, 100), st.floats(0.01, 0.9), st.sampled_from([None, 0.5, HOUR]))
def test_there_is_a_last_look_before_the_deadline(deadline: float, latency: float, interval: float | None) -> None:
    world = World(crowd(1), latency=latency)
    ticket = world.join("e0", deadline=deadline, interval=interval)
    world.run(200)
    outcome = world.last(ticket)
    assert isinstance(outcome, TimedOut)
    if deadline >= 0.25:
        assert world.when(ticket) == pytest.approx(deadline)
    else:
        assert deadline <= world.when(ticket) <= deadline + GRACE
    # One that was under way just before leaves too little time for another.
    assert any(ask.asked_at >= deadline - 0.25 - latency for ask in world.asks)
    assert outcome.is_heard or latency > deadline
    assert world.schedule.is_idle


def test_what_ends_before_the_deadline_is_seen_by_the_last_look() -> None:
    world = World(crowd(1, ends=9.0))
    ticket = world.join("e0", deadline=10.0, interval=HOUR)
    world.run(20)
    assert isinstance(world.last(ticket), Ended)
    assert len(world.asks) == 2


def test_two_with_different_times_wait_for_one() -> None:
    world = World(crowd(1, ends=50.0))
    short, long = world.join("e0", deadline=10.0), world.join("e0", deadline=100.0)
    world.run(120)
    assert isinstance(world.last(short), TimedOut)
    assert 10 <= world.when(short) <= 11
    assert isinstance(world.last(long), Ended)


def test_many_deadlines_share_their_last_looks() -> None:
    world = World(crowd(5000, created=-1e6))
    for number in range(5000):
        world.join(f"e{number}", is_seen=True, created=-1e6, deadline=5 + number / 1e5)
    world.run(4.9)
    before = len(world.asks)
    world.run(10)
    assert len(world.asks) - before <= 15
    assert all(isinstance(world.last(ticket), TimedOut) for ticket in world.told)


def test_a_server_that_does_not_answer_does_not_hold_up_a_deadline() -> None:
    world = World(crowd(1), latency=1000.0)
    ticket = world.join("e0", deadline=5.0)
    hasty = world.join("e0", deadline=0.0)
    world.run(7)
    assert world.when(ticket) == pytest.approx(5)
    outcome = world.last(ticket)
    assert isinstance(outcome, TimedOut)
    assert outcome.stale_for == pytest.approx(5.0)
    assert not outcome.is_heard
    assert world.when(hasty) == pytest.approx(GRACE)


# --- failures -------------------------------------------------------------------------------------------------------


def test_a_server_that_is_away_is_waited_for() -> None:
    def fail(_ask: Ask, now: float) -> FlyteRemoteError | None:
        return UnavailableError("restarting") if 10 <= now < 70 else None

    world = World(crowd(1000, ends=60.0), fail=fail, chance=random.Random(1).random)  # noqa: S311 - dice of a test
    tickets = [world.join(f"e{number}", is_seen=True) for number in range(1000)]
    world.run(50)
    subject = world.schedule.subjects[id_of("e0")]
    assert subject.failures > 3
    assert isinstance(subject.last_error, UnavailableError)
    away = [ask for ask in world.asks if 10 <= ask.asked_at < 70]
    assert len(away) <= 60
    world.run(100)
    assert all(isinstance(world.last(ticket), Ended) for ticket in tickets)
    assert max(world.when(ticket) for ticket in tickets) <= 76


def test_the_last_error_and_the_silence_are_told() -> None:
    world = World(crowd(1), fail=lambda _ask, now: UnavailableError("away") if now > 2 else None)
    ticket = world.join("e0", deadline=30.0)
    world.run(40)
    outcome = world.last(ticket)
    assert isinstance(outcome, TimedOut)
    assert isinstance(outcome.last_error, UnavailableError)
    assert 27 <= outcome.stale_for <= 31
    assert outcome.shown is not None


def test_the_silence_is_that_of_ones_own_time() -> None:
    world = World(crowd(1), fail=lambda _ask, _now: UnavailableError("away"))
    world.join("e0")
    world.run(100)
    late = world.join("e0", deadline=110.0)
    world.run(120)
    outcome = world.last(late)
    assert isinstance(outcome, TimedOut)
    assert 10 <= outcome.stale_for <= 10 + GRACE
    assert not outcome.is_heard


def test_only_failures_in_a_row_count() -> None:
    flip = itertools.cycle([UnavailableError("away"), None])
    world = World(crowd(1), fail=lambda _ask, _now: next(flip))
    world.join("e0")
    world.run(30)
    assert world.schedule.subjects[id_of("e0")].failures <= 1


@pytest.mark.parametrize(
    "error", [InvalidArgumentError("filter"), UnimplementedError(), PermissionDeniedError(), MalformedMessageError()]
)
def test_a_server_that_refuses_lists_is_asked_for_one_at_a_time(error: FlyteRemoteError) -> None:
    world = World(crowd(30, ends=5.0), fail=lambda ask, _now: None if ask.kind is Kind.ONE else error)
    tickets = [world.join(f"e{number}") for number in range(30)]
    world.run(60)
    assert [ask.kind for ask in world.asks].count(Kind.ALL) == 1
    assert all(isinstance(world.last(ticket), Ended) for ticket in tickets)
    assert most_in(world.asks, 1.0) <= 10
    assert not world.failures


def test_lists_are_tried_again_after_a_while() -> None:
    refused = [InvalidArgumentError("an old server")]
    world = World(crowd(5), fail=lambda ask, _now: refused.pop() if ask.kind is not Kind.ONE and refused else None)
    for number in range(5):
        world.join(f"e{number}", is_seen=True)
    world.run(400)
    first, *others = [ask.asked_at for ask in world.asks if ask.kind is not Kind.ONE]
    assert first == 0
    assert others[0] > 290


@pytest.mark.parametrize("error", [UnknownError("database"), InternalError("database")])
def test_a_list_that_a_server_fails_at_twice_may_be_refused(error: FlyteRemoteError) -> None:
    world = World(crowd(5, ends=1.0), fail=lambda ask, _now: None if ask.kind is Kind.ONE else error)
    tickets = [world.join(f"e{number}", is_seen=True) for number in range(5)]
    world.run(20)
    assert [ask.kind for ask in world.asks].count(Kind.ENDED) == 2
    assert all(isinstance(world.last(ticket), Ended) for ticket in tickets)


def test_a_list_that_works_again_is_not_doubted() -> None:
    errors = itertools.cycle([InternalError("once"), None])
    world = World(crowd(5), fail=lambda _ask, _now: next(errors))
    for number in range(5):
        world.join(f"e{number}", is_seen=True)
    world.run(60)
    assert {ask.kind for ask in world.asks} == {Kind.ENDED}


@pytest.mark.parametrize("error", [UnauthenticatedError("who"), UnavailableError("CERTIFICATE_VERIFY_FAILED")])
def test_what_is_wrong_with_the_client_is_told_to_all_at_once(error: FlyteRemoteError) -> None:
    world = World(crowd(5), fail=lambda _ask, _now: error)
    tickets = [world.join(f"e{number}") for number in range(5)]
    world.run(1)
    assert len(world.asks) == 1
    assert all(world.last(ticket) == Failed(ticket, error) for ticket in tickets)


def test_lists_that_are_too_large_are_halved() -> None:
    def fail(ask: Ask, _now: float) -> FlyteRemoteError | None:
        return MessageTooLargeError("65 MB") if len(ask.subjects) > 200 else None

    world = World(crowd(1000, ends=5.0), fail=fail)
    tickets = [world.join(f"e{number}", is_seen=True) for number in range(1000)]
    world.run(60)
    assert all(isinstance(world.last(ticket), Ended) for ticket in tickets)
    assert max(len(ask.subjects) for ask in world.asks[10:]) <= 200


def test_one_that_is_too_large_is_an_error() -> None:
    world = World(crowd(1), fail=lambda _ask, _now: MessageTooLargeError("65 MB"))
    ticket = world.join("e0")
    world.run(1)
    assert isinstance(world.last(ticket), Failed)


# --- what is gone ---------------------------------------------------------------------------------------------------


def gone(world: World) -> Callable[[Ask, float], FlyteRemoteError | None]:
    def fail(ask: Ask, _now: float) -> FlyteRemoteError | None:
        is_gone = ask.kind is Kind.ONE and not world.lives[ask.subjects[0].id.name].is_there
        return NotFoundError("gone") if is_gone else None

    return fail


def test_what_never_was_is_told_at_once_to_those_alone_who_wait_for_it() -> None:
    world = World(crowd(5))
    world.fail = gone(world)
    world.lives["e2"].is_there = False
    tickets = [world.join(f"e{number}") for number in range(5)]
    world.run(2)
    assert [isinstance(world.last(ticket), Failed) for ticket in tickets if world.told[ticket]] == [True]
    assert isinstance(world.last(tickets[2]), Failed)


def test_what_was_seen_is_gone_after_three_answers() -> None:
    world = World(crowd(3))
    world.fail = gone(world)
    tickets = [world.join(f"e{number}", is_seen=True) for number in range(3)]
    world.run(10)
    world.lives["e1"].is_there = False
    world.run(2000)
    assert isinstance(world.last(tickets[1]), Failed)
    assert [ask.subjects[0].id.name for ask in world.asks if ask.kind is Kind.ONE] == ["e1"] * 3
    assert not world.told[tickets[0]]


def test_several_that_are_gone_are_read_one_by_one() -> None:
    world = World(crowd(5))
    world.fail = gone(world)
    tickets = [world.join(f"e{number}", is_seen=True) for number in range(5)]
    world.run(10)
    for name in ("e1", "e3"):
        world.lives[name].is_there = False
    world.run(1000)
    assert [bool(world.told[ticket]) for ticket in tickets] == [False, True, False, True, False]
    assert all(isinstance(world.last(tickets[number]), Failed) for number in (1, 3))


def test_what_is_missing_for_a_moment_is_not_gone() -> None:
    answers = iter([NotFoundError(), NotFoundError(), None, NotFoundError(), UnavailableError(), NotFoundError()])
    world = World(crowd(1, ends=60.0), fail=lambda _ask, _now: next(answers, None))
    ticket = world.join("e0", is_seen=True)
    world.run(100)
    assert isinstance(world.last(ticket), Ended)
    assert next(answers, "none left") == "none left"


def test_whether_all_are_there_is_asked_ever_more_seldom() -> None:
    world = World(crowd(10), chance=random.Random(1).random)  # noqa: S311 - dice of a test
    for number in range(10):
        world.join(f"e{number}", is_seen=True)
    world.run(43_200)
    # Once in two hours at least, and no more than twenty times in half a day.
    assert 6 * 10 <= world.rows <= 20 * 10


# --- ends -----------------------------------------------------------------------------------------------------------


def row(name: str, phase: int, *, is_cut: bool = False) -> Row:
    shown = Life(ends=0.0 if phase == SUCCEEDED else 9e9).row(name, 1.0, listed=is_cut)
    return attrs.evolve(shown, is_cut=is_cut)


def test_a_look_that_was_under_way_is_no_last_look_of_who_came_after_it() -> None:
    world = World(crowd(1), latency=0.5)
    world.join("e0")
    world.run(0.2)
    hasty = world.join("e0", deadline=0.2)
    world.run(5)
    assert isinstance(world.last(hasty), TimedOut)
    assert world.when(hasty) == 1.0
    assert [ask.asked_at for ask in world.asks][:2] == [0.0, 0.5]


def test_what_is_wrong_is_told_to_those_who_rest_too() -> None:
    world = World(crowd(1), fail=lambda _ask, now: PermissionDeniedError("no") if now > 2 else None)
    resting, waiting = world.join("e0", looks=True), world.join("e0")
    world.run(1)
    world.schedule.rest(resting)
    world.run(20)
    assert isinstance(world.last(waiting), Failed)
    assert isinstance(world.last(resting), Failed)


def test_an_error_that_was_cut_is_read_by_itself() -> None:
    world = World(crowd(5, ends=3.0, is_cut=True))
    tickets = [world.join(f"e{number}", is_seen=True) for number in range(5)]
    world.run(10)
    ends = [world.last(ticket) for ticket in tickets]
    assert all(isinstance(end, Ended) and not end.row.is_cut for end in ends)


def ended_and_cut(count: int = 1) -> tuple[Schedule, Any, list[Ticket]]:
    schedule = Schedule(lambda: 0.5)
    tickets = [Ticket(id_of(f"e{number}"), is_seen=True) for number in (0, 0, 1)]
    for ticket in tickets:
        schedule.join(ticket, 0.0)
    (ask,) = schedule.take(0.0)
    rows = {"e0": row("e0", SUCCEEDED, is_cut=True)}
    (cut,) = answered(schedule, 0.1, ask, rows)
    return schedule, cut.subject, tickets  # type: ignore[union-attr] # it is a Cut


def test_what_has_ended_stays_so_when_a_replica_is_behind() -> None:
    _schedule, subject, tickets = ended_and_cut()
    behind = row("e0", RUNNING)
    assert list(read(subject, behind)) == []
    assert list(read(subject, behind)) == []
    outcomes = list(read(subject, behind))
    assert [(type(one), one.ticket) for one in outcomes] == [(Ended, ticket) for ticket in tickets[:2]]  # type: ignore[union-attr]
    assert subject.end.is_cut


def test_an_end_that_cannot_be_read_whole_is_told_as_it_is() -> None:
    _schedule, subject, tickets = ended_and_cut()
    assert list(unread(subject, UnavailableError("away"))) == []
    assert [one.ticket for one in unread(subject, PermissionDeniedError("no"))] == tickets[:2]  # type: ignore[union-attr]


def test_an_answer_that_comes_after_the_end_is_ignored() -> None:
    schedule, subject, tickets = ended_and_cut()
    late = Ticket(id_of("e0"), is_seen=True, deadline=5.0)
    schedule.join(late, 0.2)
    assert schedule.next_at > 0.2
    assert [one.ticket for one in read(subject, row("e0", SUCCEEDED))] == [*tickets[:2], late]  # type: ignore[union-attr]


def test_an_end_without_its_whole_error_is_better_than_none_at_the_deadline() -> None:
    world = World(crowd(2, ends=1.0, is_cut=True))
    ticket = world.join("e0", is_seen=True, deadline=5.0)
    world.join("e1", is_seen=True)
    world._push = lambda *_: None  # type: ignore[method-assign] # nothing is answered any more
    world.run(0)
    ask = world.asks[0]
    world._tell(answered(world.schedule, 2.0, ask, {"e0": row("e0", SUCCEEDED, is_cut=True)}))
    world.run(7)
    outcome = world.last(ticket)
    assert isinstance(outcome, Ended)
    assert outcome.row.is_cut


# --- looks ----------------------------------------------------------------------------------------------------------


def test_whoever_looks_is_told_of_each_move_once() -> None:
    world = World({"e0": Life(starts=100.0, ends=300.0), "e1": Life(starts=50.0)})
    ticket = world.join("e0", looks=True, is_seen=True)
    world.join("e1", looks=True, is_seen=True)
    world.run(400)
    rows = [outcome.row for _, outcome in world.told[ticket] if isinstance(outcome, Moved) and outcome.row]
    assert [one.phase for one in rows] == [1, 2]
    assert isinstance(world.last(ticket), Ended)
    assert Kind.MOVED in {ask.kind for ask in world.asks}


def test_what_moved_while_one_rests_is_not_lost() -> None:
    world = World({"e0": Life(starts=100.0), "e1": Life()})
    resting = world.join("e0", looks=True, is_seen=True)
    world.join("e0", looks=True, is_seen=True)
    world.join("e1", looks=True, is_seen=True)
    world.run(50)
    world.schedule.rest(resting)
    world.run(250)
    world.schedule.wake(resting, world.now, 5.0)
    world.run(300)
    rows = [outcome.row for _, outcome in world.told[resting] if isinstance(outcome, Moved) and outcome.row]
    assert [one.phase for one in rows] == [1, 2]


def test_whoever_rests_costs_nothing() -> None:
    world = World(crowd(1))
    ticket = world.join("e0", looks=True)
    world.run(1)
    world.schedule.rest(ticket)
    world.schedule.rest(ticket)
    assert world.schedule.is_idle
    before = len(world.asks)
    world.run(1000)
    assert len(world.asks) == before
    world.schedule.wake(ticket, world.now, 2.0)
    world.run(1002.5)
    assert len(world.asks) > before


def test_rows_of_what_moved_do_not_come_again_and_again() -> None:
    world = World(crowd(100, created=-HOUR, starts=-HOUR))
    world.lives["e0"].starts = 500.0
    for number in range(100):
        world.join(f"e{number}", looks=True, is_seen=True)
    world.run(100)
    world.rows, before = 0, len(world.asks)
    world.run(1000)
    kinds = [ask.kind for ask in world.asks[before:]]
    # All of them now and then, and the one that moved, which may be asked for by itself until it shares a look again.
    assert world.rows <= 100 * kinds.count(Kind.ALL) + kinds.count(Kind.ONE) + 1
    assert kinds.count(Kind.MOVED) > 3 * kinds.count(Kind.ALL)


@given(st.floats(-1e6, 1e6), st.sampled_from([Kind.ENDED, Kind.MOVED]))
@settings(max_examples=20)
def test_clocks_that_jump_hide_no_move_and_no_end(jump: float, kind: Kind) -> None:
    world = World(crowd(20), chance=random.Random(1).random)  # noqa: S311 - dice of a test
    # The rows of one are from another time, and the clock jumps before the others move.
    world.lives["e0"].jump = 3600.0
    looks = kind is Kind.MOVED
    tickets = [world.join(f"e{number}", looks=looks, is_seen=True) for number in range(20)]
    world.run(20)
    for number in range(1, 20):
        world.lives[f"e{number}"].jump = jump
        world.lives[f"e{number}"].ends = 20.0 + number
    world.run(50)
    assert kind in {ask.kind for ask in world.asks}
    for number in range(1, 20):
        assert isinstance(world.last(tickets[number]), Ended)
        assert world.when(tickets[number]) - (20.0 + number) <= 2.0


def test_two_phases_are_asked_for_apart() -> None:
    world = World(crowd(6, created=-HOUR))
    for number in range(3):
        world.lives[f"e{number}"].starts = 9e9
    for number in range(6):
        world.join(f"e{number}", looks=True, is_seen=True)
    world.run(30)
    moved = [ask for ask in world.asks if ask.kind is Kind.MOVED]
    assert {ask.phase for ask in moved} == {1, 2}
    assert all(len(ask.subjects) == 3 for ask in moved)


# --- the clocks -----------------------------------------------------------------------------------------------------


def test_what_is_old_is_not_looked_at_like_what_is_young() -> None:
    world = World(crowd(100, created=-HOUR, starts=-HOUR))
    for number in range(100):
        world.join(f"e{number}", is_seen=True, created=SERVER_AHEAD - HOUR)
    world.run(60)
    assert len(world.asks) <= 8


def test_a_clock_of_ours_that_is_ahead_is_found_out_by_what_ends() -> None:
    world = World({f"e{number}": Life(ends=10.0 + number) for number in range(40)}, ahead=SERVER_AHEAD + HOUR)
    tickets = [world.join(f"e{number}", is_seen=True, created=SERVER_AHEAD) for number in range(40)]
    world.run(100)
    late = [world.when(ticket) - (10.0 + number) for number, ticket in enumerate(tickets)]
    assert max(late) <= 22
    assert statistics.median(late[25:]) <= 2.0


def test_one_end_with_an_odd_time_does_not_set_the_clock() -> None:
    schedule = Schedule(lambda: 0.5, ahead=5000.0)
    schedule.join(Ticket(id_of("e0"), is_seen=True, created=0.0), 10.0)
    (subject,) = schedule.subjects.values()
    for updated in (1000.0, 1000.0, -1e9, 1000.0, 1000.0):
        assert schedule.age(subject, 10.0) == 5010.0
        schedule.saw_end(attrs.evolve(row("e1", SUCCEEDED), updated=updated), 0.0)
    assert schedule.age(subject, 10.0) == 1010.0


# --- while others are told ----------------------------------------------------------------------------------------


def test_others_have_their_turn_while_an_answer_is_gone_through() -> None:
    schedule = Schedule(lambda: 0.5)
    tickets = [Ticket(id_of(f"e{number}"), is_seen=True) for number in range(1000)]
    for ticket in tickets:
        schedule.join(ticket, 0.0)
    (ask,) = schedule.take(0.0)
    turns = 0
    for outcome in answered(schedule, 0.1, ask, {"e950": row("e950", SUCCEEDED)}):
        turns += outcome is None
        # Whoever leaves, comes and leaves meanwhile is not forgotten, and not kept.
        schedule.leave(tickets[turns])
        schedule.join(Ticket(id_of("e999"), is_seen=True), 0.1)
        check(schedule)
    assert turns >= 4
    check(schedule)
    assert schedule.lanes.first_at <= 1.0


def test_whoever_has_left_can_do_nothing_more() -> None:
    schedule = Schedule(lambda: 0.5)
    ticket = Ticket(id_of("e0"))
    schedule.join(ticket, 0.0)
    schedule.leave(ticket)
    for act in (schedule.leave, schedule.rest, lambda one: schedule.wake(one, 1.0, 1.0)):
        act(ticket)
        assert schedule.is_idle
        assert schedule.next_at == float("inf")


# --- anything at any time -------------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(st.data())
def test_whatever_happens_whoever_waits_is_looked_at(data: st.DataObject) -> None:
    dice = random.Random(data.draw(st.integers(0, 2**32)))  # noqa: S311 - dice of a test
    errors = [UnavailableError("x"), NotFoundError("x"), InvalidArgumentError("x"), InternalError("x")]
    lives = {f"e{number}": Life(ends=dice.uniform(0, 60), is_cut=dice.random() < 0.3) for number in range(5)}
    world = World(
        lives,
        chance=dice.random,
        latency=dice.choice([0.01, 0.5, 3.0]),
        fail=lambda _ask, _now: dice.choice(errors) if dice.random() < 0.2 else None,
        polls_per_second=dice.choice([1.0, 10.0]),
    )
    tickets: list[Ticket] = []
    for _ in range(40):
        act = dice.choice(["join", "join", "leave", "rest", "wake", "run"])
        if act == "join":
            deadline = world.now + dice.uniform(0, 20) if dice.random() < 0.3 else None
            looks, interval = dice.random() < 0.4, dice.choice([None, None, 1.0])
            name = dice.choice(list(lives))
            ticket = world.join(name, looks=looks, interval=interval, deadline=deadline, is_seen=dice.random() < 0.7)
            if world.schedule.subjects[ticket.id].is_settled:
                world.schedule.leave(ticket)
            tickets.append(ticket)
        elif act == "run":
            world.run(world.now + dice.uniform(0, 5))
        elif tickets:
            ticket = dice.choice(tickets)
            if act == "leave":
                world.schedule.leave(ticket)
            elif act == "rest" and ticket.looks:
                world.schedule.rest(ticket)
            elif act == "wake" and ticket.looks:
                world.schedule.wake(ticket, world.now, 1.0)
        check(world.schedule)
    world.run(world.now + 400)
    check(world.schedule)
    # All have ended by now, so that whoever is left cannot be told.
    assert not [subject for subject in world.schedule.subjects.values() if subject.active]


def check(schedule: Schedule) -> None:
    """Assert that a schedule is sound."""
    active = planned = 0
    for subject in schedule.subjects.values():
        assert subject.tickets
        waiting = [ticket for ticket in subject.tickets if not ticket.is_resting]
        looking = [ticket for ticket in waiting if ticket.looks]
        untold = [ticket for ticket in looking if not ticket.is_told]
        assert (subject.active, subject.looking, subject.untold) == (len(waiting), len(looking), len(untold))
        active += len(waiting)
        planned += subject.lane is not None
        if subject.active:
            assert subject.lane is not None or subject.is_asked or subject.end is not None
        else:
            assert subject.lane is None
        # Nothing more is asked of what has ended, so no answer comes after the end.
        assert subject.end is None or not subject.is_asked
    assert schedule.is_idle == (active == 0)
    assert sum(map(len, schedule.lanes._lanes.values())) == planned


# --- many who wait for one ------------------------------------------------------------------------------------------


class Counted(Ticket):
    """A ticket that counts how often one of its kind is looked at."""

    looks_at = 0

    def __getattribute__(self, name: str) -> Any:
        Counted.looks_at += 1
        return super().__getattribute__(name)

    def __eq__(self, other: object) -> bool:
        Counted.looks_at += 1
        return self is other

    __hash__ = object.__hash__


@pytest.mark.parametrize("terms", [{}, {"deadline": 1e9}, {"looks": True}, {"interval": 5.0}])
@pytest.mark.parametrize("last", [10, 1000])
def test_one_who_comes_or_goes_is_not_held_up_by_others_who_wait_for_the_same(last: int, terms: dict[str, Any]) -> None:
    schedule = Schedule(lambda: 0.5)
    tickets = [Counted(id_of("e0"), **terms) for _ in range(last)]
    for ticket in tickets:
        schedule.join(ticket, 0.0)
    assert len(list(schedule.take(0.0))) == 1
    check(schedule)
    Counted.looks_at = 0
    schedule.join(Counted(id_of("e0"), **terms), 1.0)
    for ticket in tickets[::2]:
        schedule.rest(ticket)
        schedule.wake(ticket, 1.0, 5.0)
        schedule.leave(ticket)
    assert Counted.looks_at <= 50 * len(tickets[::2])
    check(schedule)
