from __future__ import annotations

import datetime as dt

from flyteidl.core import workflow_pb2
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.devserver.engine.tries import Tries, allowed_attempts, time_limit
from flyte_remote_async.devserver.runners.outcome import TIMED_OUT, Outcome, system_failure, user_failure
from tests.support.made_workflows import task, task_node

NOON = dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
USER = user_failure("USER:Recoverable", "again", recoverable=True)
SYSTEM = system_failure("Interrupted", "gone", recoverable=True)


def test_the_nodes_retries_come_before_the_tasks() -> None:
    template = task("t.add", retries=5)
    node = task_node("n0", template, a=1)
    assert allowed_attempts(node, template) == 6
    node.metadata.retries.retries = 1
    assert allowed_attempts(node, template) == 2
    assert allowed_attempts(workflow_pb2.Node(), None) == 1


@given(st.integers(1, 5), st.lists(st.booleans(), max_size=12))
def test_every_kind_of_failure_has_an_allowance_of_its_own(allowed: int, by_system: list[bool]) -> None:
    tries = Tries(allowed)
    for number, is_system in enumerate(by_system):
        assert tries.number == number
        assert tries.system_failures == sum(by_system[:number])
        assert tries.may_be_interrupted == (sum(by_system[:number]) < 3)
        users, systems = by_system[: number + 1].count(False), by_system[: number + 1].count(True)
        following = tries.after(SYSTEM if is_system else USER)
        assert (following is None) == (systems > 3 if is_system else users >= allowed)
        if following is None:
            break
        tries = following


def test_what_flyte_says_when_there_are_no_more() -> None:
    tries = Tries(3, number=2)
    error = tries.exhausted(USER).error
    assert error is not None
    assert (error.code, error.kind) == ("RetriesExhausted|USER:Recoverable", error.USER)
    assert error.message == "[3/3] currentAttempt done. Last Error: USER::again"
    error = Tries(1, number=3, system_failures=3).exhausted(SYSTEM).error
    assert error is not None
    assert (error.code, error.kind) == ("RetriesExhausted|Interrupted", error.USER)
    assert error.message == "[3/3] currentAttempt done. Last Error: SYSTEM::gone"
    error = Tries(1).exhausted(Outcome(recoverable=True)).error
    assert error is not None
    assert error.message == "[1/1] currentAttempt done. Last Error: UNKNOWN::"


def test_a_node_without_timeout_has_no_limit() -> None:
    node = workflow_pb2.Node()
    assert time_limit(node, NOON, NOON) is None
    node.metadata.timeout.FromTimedelta(-SECOND)
    assert time_limit(node, NOON, NOON) is None


def test_a_try_that_would_end_with_the_time_of_all_is_the_last() -> None:
    node = workflow_pb2.Node()
    node.metadata.timeout.FromTimedelta(3 * SECOND)
    limit = time_limit(node, NOON, NOON + 3 * SECOND)
    assert limit is not None
    assert (limit.at, limit.outcome) == (NOON + 6 * SECOND, Outcome(phase=TIMED_OUT))


def test_a_try_may_take_its_timeout_and_all_of_them_twice_that() -> None:
    node = workflow_pb2.Node()
    node.metadata.timeout.FromTimedelta(3 * SECOND)
    first = time_limit(node, NOON, NOON + SECOND)
    assert first is not None
    assert first.at == NOON + 4 * SECOND
    assert first.outcome.recoverable
    assert first.outcome.error is not None
    assert (first.outcome.error.code, first.outcome.error.message) == (
        "TimeoutExpired",
        "task execution timeout [3s] expired",
    )
    second = time_limit(node, NOON, NOON + 4 * SECOND)
    assert second is not None
    assert second.at == NOON + 6 * SECOND
    assert second.outcome == Outcome(phase=TIMED_OUT)
