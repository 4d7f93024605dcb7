"""Lists that are merged into one."""

from __future__ import annotations

import pytest
from flyteidl.admin import execution_pb2
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.devserver.web.page.lists import Asked, merged

LISTS = st.tuples(st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)))


def listed(names: set[int]) -> list[execution_pb2.Execution]:
    """Return executions that are named after the second in which they were created, the newest first."""
    found = []
    for name in sorted(names, reverse=True):
        execution = execution_pb2.Execution()
        execution.id.name = str(name)
        execution.closure.created_at.seconds = name
        found.append(execution)
    return found


@given(LISTS, st.integers(1, 7))
def test_pages_have_what_either_list_has_once_and_in_order(names: tuple[set[int], set[int]], limit: int) -> None:
    lists = [listed(each) for each in names]
    offsets = [0, 0]
    seen: list[int] = []
    while True:
        # As many of each list as a page that is cut from it has.
        cut = [each[offset : offset + limit + 1] for each, offset in zip(lists, offsets, strict=True)]
        page, taken = merged(cut, limit)
        assert len(page) <= limit
        seen += [int(execution.id.name) for execution in page]
        offsets = [offset + count for offset, count in zip(offsets, taken, strict=True)]
        if all(count == len(each) for count, each in zip(taken, cut, strict=True)):
            break
    assert seen == sorted(names[0] | names[1], reverse=True)


def test_what_is_asked_for_becomes_filters() -> None:
    place = {"project": "p", "domain": "d"}
    assert Asked(**place).filters() == [[]]
    assert [[str(each) for each in one] for one in Asked(**place, phase="FAILED").filters()] == [["eq(phase,FAILED)"]]
    both = Asked(**place, text="etl", phase="FAILED").filters()
    assert [[str(each) for each in one] for one in both] == [
        ["contains(execution_name,etl)", "eq(phase,FAILED)"],
        ["contains(workflow.name,etl)", "eq(phase,FAILED)"],
    ]
    with pytest.raises(ValueError, match="no escapes"):
        Asked(**place, text="a;b").filters()


@pytest.mark.parametrize("token", ["x", "1.2.3", "1"])
def test_a_token_of_another_list_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="token"):
        Asked(project="p", domain="d", text="x", token=token).offsets(2)
