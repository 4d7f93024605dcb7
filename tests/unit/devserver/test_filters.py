"""Filters, sorts and tokens of the devserver's lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_remote_async.devserver.services.listing import trimmed
from flyte_remote_async.devserver.store.filters import LETTERS, parse_filters
from flyte_remote_async.errors import InvalidArgumentError, RPCError, UnknownError

if TYPE_CHECKING:
    from tests.support.raw import Asking

PLACE = {"project": "flytesnacks", "domain": "development"}


def values(text: str, table: str = "executions") -> tuple[Any, ...]:
    return tuple(value for condition in parse_filters(text, table) for value in condition.values)


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("eq(phase,SUCCEEDED)", "SUCCEEDED"),
        ("eq(phase, SUCCEEDED)", "SUCCEEDED"),
        ("contains(phase,S)", "%S%"),
        ("contains(phase,S;T)", "%[S T]%"),
        ("not_like(execution_name,ok%)", "ok%"),
        ("eq(state,1)", 1),
        ("value_in(phase,A;B)", '["A", "B"]'),
        ("value_not_in(state,0;1)", "[0, 1]"),
        ("gt(duration,1)", 1_000_000_000),
        ("gt(duration,-1.5)", -1_500_000_000),
        ("gt(duration,1m30s)", 90_000_000_000),
        ("gt(duration,-1h)", -3_600_000_000_000),
        ("gt(duration,1.5ms)", 1_500_000),
        ("gte(created_at,1970-01-01T00:00:01Z)", 1_000_000_000),
        ("gte(created_at,1970-01-01T00:00:01.000000002Z)", 1_000_000_002),
        ("gte(created_at,1970-01-01)", 0),
        ("gte(created_at,1970-01-01T00:00:00.5)", 500_000_000),
        ("gte(created_at,1970-01-01T01:00:00-01:00)", 7_200_000_000_000),
    ],
)
def test_a_value_becomes_what_its_column_holds(text: str, bound: object) -> None:
    assert values(text) == (bound,)


@pytest.mark.parametrize(
    ("text", "table", "details"),
    [
        ("eq(phase)", "executions", "invalid value for filters"),
        ("eq(user,)", "executions", "invalid value for filters"),
        ("phase", "executions", "invalid value for filters"),
        ("gte(created_at,2020-01-01T00:00:00+00:00)", "executions", "invalid value for filters"),
        ("like(phase,S)", "executions", "unrecognized filter function: like"),
        ("eq(name,x)", "executions", "'e.name' is invalid filter"),
        ("eq(name,x)", "node_executions", "'ne.name' is invalid filter"),
        ("eq(task_execution.phase,x)", "node_executions", "'te' entity is not allowed in filters"),
        ("eq(execution.phase,x)", "launch_plans", "'e' entity is not allowed in filters"),
        ("eq(state,1)", "workflows", "'w.state' is invalid filter"),
        ("gt(duration,soon)", "executions", "Failed to parse duration [soon]"),
        ("gt(duration,1e999)", "executions", "Failed to parse duration [1e999]"),
    ],
)
def test_what_is_not_legal_is_refused_in_flytes_words(text: str, table: str, details: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        parse_filters(text, table)
    assert caught.value.details == details


@pytest.mark.parametrize(
    ("text", "details"),
    [
        ("eq(mode,MANUAL)", 'invalid input syntax for type integer: "MANUAL"'),
        ("eq(id,x)", 'invalid input syntax for type bigint: "x"'),
        ("gte(created_at,yesterday)", 'invalid input syntax for type timestamp with time zone: "yesterday"'),
        ("gte(created_at,2020-13-01)", 'date/time field value out of range: "2020-13-01"'),
        ("eq(phase,A;B)", "operator does not exist: text = record"),
        ("contains(state,1)", "operator does not exist: integer ~~ unknown"),
    ],
)
def test_what_only_the_database_refuses_is_unknown(text: str, details: str) -> None:
    with pytest.raises(UnknownError) as caught:
        parse_filters(text, "executions")
    assert caught.value.details == f"failed database operation with {details}"


@pytest.mark.parametrize("filters", [f"eq(duration,{'1' * 50_000}x)", f"eq(id,{'1' * 50_000})"])
def test_a_long_number_is_refused_at_once(filters: str) -> None:
    with pytest.raises(RPCError):
        parse_filters(filters, "executions")


def test_no_filter_is_no_condition() -> None:
    assert parse_filters("", "executions") == ()


@given(st.text(max_size=60), st.sampled_from(sorted(LETTERS)))
def test_any_text_is_conditions_or_a_refusal(text: str, table: str) -> None:
    try:
        parse_filters(text, table)
    except RPCError as error:
        assert error.details  # noqa: PT017 - either outcome is right


@given(st.text(alphabet="aé€𝄞", max_size=200))
def test_a_trimmed_message_is_a_beginning_of_at_most_a_hundred_bytes(message: str) -> None:
    short = trimmed(message)
    assert message.startswith(short)
    assert len(short.encode()) <= 100
    assert short == message or len(short.encode()) > 96


def names(listed: Any) -> list[str]:
    return [execution.id.name for execution in listed.executions]


@pytest.mark.anyio
class TestLists:
    """Lists of the recorded executions."""

    async def test_pages_hold_everything_once(self, ask: Asking) -> None:
        everything = await ask("ListExecutions", id=PLACE, limit=1000)
        assert len(everything.executions) == 36
        assert everything.token == ""
        for sort in (None, {"key": "created_at"}, {"key": "duration", "direction": "ASCENDING"}):
            options = {} if sort is None else {"sort_by": sort}
            seen, token = [], ""
            while True:
                page = await ask("ListExecutions", id=PLACE, limit=7, token=token, **options)
                seen += names(page)
                token = page.token
                if not token:
                    break
            assert sorted(seen) == sorted(names(everything))

    async def test_a_full_last_page_has_a_token_to_an_empty_one(self, ask: Asking) -> None:
        page = await ask("ListExecutions", id=PLACE, limit=36)
        assert page.token == "36"
        assert not (await ask("ListExecutions", id=PLACE, limit=36, token="36")).executions

    @pytest.mark.parametrize("token", ["x", "-1", "1.5", "9" * 30, "9" * 5000, " 1"])
    async def test_a_token_is_an_offset_and_nothing_else(self, ask: Asking, token: str) -> None:
        with pytest.raises(InvalidArgumentError, match=r"invalid pagination token .* for ListExecutions"):
            await ask("ListExecutions", id=PLACE, limit=1, token=token)

    async def test_ten_thousand_names_are_one_filter(self, ask: Asking) -> None:
        some = names(await ask("ListExecutions", id=PLACE, limit=5))
        many = ";".join([*(f"x{number}" for number in range(10_000)), *some])
        found = await ask("ListExecutions", id=PLACE, limit=100, filters=f"value_in(execution_name,{many})")
        assert sorted(names(found)) == sorted(some)

    async def test_the_filter_of_the_shared_poll_finds_archived_ones_too(self, ask: Asking) -> None:
        everything = (await ask("ListExecutions", id=PLACE, limit=100)).executions
        name = everything[0].id.name
        await ask("UpdateExecution", id=everything[0].id, state="EXECUTION_ARCHIVED")
        named = f"value_in(execution_name,{name})"
        ended = "value_in(phase,SUCCEEDED;FAILED;ABORTED;TIMED_OUT)"
        assert names(await ask("ListExecutions", id=PLACE, limit=9, filters=named)) == []
        with_state = f"{named}+value_in(state,0;1)+{ended}"
        assert names(await ask("ListExecutions", id=PLACE, limit=9, filters=with_state)) == [name]

    @pytest.mark.parametrize(
        ("filters", "count"),
        [
            ("eq(workflow.name,samples.chain)", 1),
            ("eq(launch_plan.name,more.fixed)", 1),
            ("eq(task.name,samples.add)", 1),
            ("eq(launch_entity,task)", 1),
            ("eq(mode,3)", 1),
            ("eq(error_kind,USER)+eq(phase,FAILED)", 8),
            ("contains(execution_name,abort)", 1),
            ("contains(execution_name,ABORT)", 0),
        ],
    )
    async def test_filters_find(self, ask: Asking, filters: str, count: int) -> None:
        found = await ask("ListExecutions", id=PLACE, limit=100, filters=filters)
        assert len(found.executions) == count

    async def test_labels_are_found(self, ask: Asking) -> None:
        filters = "eq(execution_tag.key,team)+eq(execution_tag.value,x)"
        labelled = (await ask("ListExecutions", id=PLACE, limit=100, filters=filters)).executions
        assert labelled
        assert {execution.spec.labels.values["team"] for execution in labelled} == {"x"}
        by_tag = (await ask("ListExecutions", id=PLACE, limit=100, filters="eq(admin_tag.name,team)")).executions
        assert list(by_tag) == list(labelled)

    async def test_what_changed_is_asked_for_by_time(self, ask: Asking) -> None:
        newest = (await ask("ListExecutions", id=PLACE, limit=1, sort_by={"key": "updated_at"})).executions[0]
        stamp = newest.closure.updated_at.ToJsonString()
        found = await ask("ListExecutions", id=PLACE, limit=100, filters=f"gte(execution_updated_at,{stamp})")
        assert names(found) == [newest.id.name]

    async def test_attempts_and_nodes_are_joined(self, ask: Asking, recordings: Any) -> None:
        attempt = recordings.of_kind("TASK_EXECUTION", "samples.chain")[0].message
        node = attempt.id.node_execution_id
        for filters in (
            f"eq(task.name,{attempt.id.task_id.name})",
            "eq(node_execution.phase,SUCCEEDED)+eq(execution.phase,SUCCEEDED)",
            "eq(retry_attempt,0)",
            f"eq(name,{node.execution_id.name})",
        ):
            found = await ask("ListTaskExecutions", node_execution_id=node, limit=9, filters=filters)
            assert list(found.task_executions) == [attempt]
        request = {"workflow_execution_id": node.execution_id, "limit": 100}
        whole = await ask("ListNodeExecutions", **request)
        joined = await ask("ListNodeExecutions", **request, filters="eq(execution.phase,SUCCEEDED)")
        assert list(joined.node_executions) == list(whole.node_executions)

    async def test_launch_plans_are_joined_with_their_workflows(self, ask: Asking) -> None:
        filters = "eq(workflow.name,samples.wide5)+eq(state,0)+eq(schedule_type,NONE)"
        found = await ask("ListLaunchPlans", id=PLACE, limit=9, filters=filters)
        assert [plan.spec.workflow_id.name for plan in found.launch_plans] == ["samples.wide5"]
