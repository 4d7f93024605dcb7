"""Signals, and the gates that wait for them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.client import fresh, integers
from tests.conformance.entities import gate_node, register, task_node

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.client import Flyte
    from tests.conformance.entities import Registered

INVALID = "INVALID_ARGUMENT"
VALUE = integers(a=4)["a"]
TEXT = {"scalar": {"primitive": {"string_value": "x"}}}
TRUTH = {"scalar": {"primitive": {"boolean": True}}}
INTEGER = {"simple": "INTEGER"}
TAKEN = 'value with matching already exists (duplicate key value violates unique constraint "signals_pkey")'


def signal(flyte: Flyte, run: str, name: str) -> dict[str, Any]:
    return {"signal_id": name, "execution_id": flyte.run(run)}


@pytest.fixture
def made(flyte: Flyte, finished: str) -> dict[str, Any]:
    """Return the identifier of a signal of integers, made by this test."""
    identifier = signal(flyte, finished, fresh("s"))
    flyte("GetOrCreateSignal", id=identifier, type=INTEGER)
    return identifier


def test_a_signal_is_made_once(flyte: Flyte, made: dict[str, Any]) -> None:
    again = flyte("GetOrCreateSignal", id=made, type=INTEGER)
    assert again == {"id": made, "type": INTEGER}


def test_a_signal_of_another_type(refuses: Callable[..., None], made: dict[str, Any]) -> None:
    refuses("GetOrCreateSignal", {"id": made, "type": {"simple": "STRING"}}, "ALREADY_EXISTS", TAKEN)


def test_the_last_value_counts(flyte: Flyte, made: dict[str, Any]) -> None:
    for number in (4, 5):
        assert flyte("SetSignal", id=made, value=integers(a=number)["a"]) == {}
    found = flyte("GetOrCreateSignal", id=made, type=INTEGER)
    assert found["value"] == integers(a=5)["a"]
    listed = flyte("ListSignals", workflow_execution_id=made["execution_id"], limit=1000)["signals"]
    assert found in listed


def test_a_value_of_another_type(refuses: Callable[..., None], made: dict[str, Any]) -> None:
    details = (
        'requested signal value [scalar:{primitive:{string_value:"x"}}] is not castable to existing signal type [[8 1]]'
    )
    refuses("SetSignal", {"id": made, "value": TEXT}, INVALID, details)


def test_a_value_of_no_type(refuses: Callable[..., None], made: dict[str, Any]) -> None:
    details = (
        "Failed to validate literal type for [] with err: got unknown literal type: [<nil>].\n"
        "Suggested solution: Please update all your Flyte deployment images to the latest version and try again"
    )
    refuses("SetSignal", {"id": made, "value": {}}, INVALID, details)


def test_a_signal_that_there_is_not(refuses: Callable[..., None], flyte: Flyte, finished: str) -> None:
    details = (
        f"failed to validate that signal [{{{{$project $domain {finished}}} $new}}] exists, "
        "err: [signal does not exist]"
    )
    refuses("SetSignal", {"id": signal(flyte, finished, "$new"), "value": VALUE}, INVALID, details)


@pytest.mark.parametrize("rpc", ["SetSignal", "GetOrCreateSignal"])
@pytest.mark.parametrize(
    ("identifier", "details"),
    [
        ({"signal_id": "s"}, "missing execution_id"),
        ({"execution_id": {"project": "p", "domain": "d", "name": "n"}}, "missing signal_id"),
        ({"signal_id": "s", "execution_id": {"domain": "d", "name": "n"}}, "missing project"),
        ({"signal_id": "s", "execution_id": {"project": "p", "name": "n"}}, "missing domain"),
        ({"signal_id": "s", "execution_id": {"project": "p", "domain": "d"}}, "missing name"),
    ],
)
def test_an_identifier_that_is_not_complete(
    refuses: Callable[..., None], rpc: str, identifier: dict[str, Any], details: str
) -> None:
    refuses(rpc, {"id": identifier}, INVALID, details)


def test_a_request_without_value_or_type(refuses: Callable[..., None], made: dict[str, Any]) -> None:
    refuses("SetSignal", {"id": made}, INVALID, "missing value")
    refuses("GetOrCreateSignal", {"id": made}, INVALID, "missing type")


@pytest.mark.parametrize(
    ("change", "details"),
    [
        ({"limit": 0}, "invalid value for limit"),
        ({"workflow_execution_id": {"project": "p"}}, "missing execution_id"),
        ({"token": "x"}, "invalid pagination token x for ListSignals"),
        ({"sort_by": {"key": "nope"}}, "invalid sort key 'nope'"),
        ({"filters": "eq(color,red)"}, "'s.color' is invalid filter"),
    ],
)
def test_a_list_that_is_refused(
    refuses: Callable[..., None], flyte: Flyte, finished: str, change: dict[str, Any], details: str
) -> None:
    refuses("ListSignals", {"workflow_execution_id": flyte.run(finished), "limit": 5} | change, INVALID, details)


def test_filters_sorts_and_pages(flyte: Flyte, wide: Registered) -> None:
    run = flyte.execute(wide.plan, integers(a=1))
    assert flyte("ListSignals", workflow_execution_id=flyte.run(run), limit=5) == {}
    for name in ("b", "a", "c"):
        flyte("GetOrCreateSignal", id=signal(flyte, run, name), type=INTEGER)
    request = {"workflow_execution_id": flyte.run(run), "sort_by": {"key": "signal_id", "direction": "ASCENDING"}}
    first = flyte("ListSignals", **request, limit=2)
    second = flyte("ListSignals", **request, limit=2, token=first["token"])
    assert [found["id"]["signal_id"] for page in (first, second) for found in page["signals"]] == ["a", "b", "c"]
    only = flyte("ListSignals", **request, limit=5, filters="value_in(signal_id,a;c)")
    assert [found["id"]["signal_id"] for found in only["signals"]] == ["a", "c"]


def test_a_gate_waits_for_its_signal(flyte: Flyte, gated: Registered) -> None:
    run = flyte.execute(gated.plan, integers(a=1))
    identifier = signal(flyte, run, "number")
    flyte.until(lambda: flyte("ListSignals", workflow_execution_id=flyte.run(run), limit=5))
    listed = flyte("ListSignals", workflow_execution_id=flyte.run(run), limit=5)["signals"]
    assert listed == [{"id": identifier, "type": INTEGER}]
    flyte("SetSignal", id=identifier, value=VALUE)
    assert flyte.ended(run)["closure"]["phase"] == "SUCCEEDED"
    assert flyte("GetExecutionData", id=flyte.run(run))["full_outputs"]["literals"] == integers(o0=4)


def test_a_signal_that_comes_too_early(flyte: Flyte, echo: dict[str, str]) -> None:
    first = gate_node("n0", signal={"signal_id": "one", "type": INTEGER, "output_variable_name": "o0"})
    second = gate_node("n1", approve={"signal_id": "two"}) | {"upstream_node_ids": ["n0"]}
    both = register(flyte, echo, [first, second], [])
    run = flyte.execute(both.plan, integers(a=1))
    flyte.until(lambda: flyte("ListSignals", workflow_execution_id=flyte.run(run), limit=5))
    refusal = flyte.refusal("SetSignal", id=signal(flyte, run, "two"), value=TRUTH)
    assert (refusal.code, refusal.details[-22:]) == (INVALID, "signal does not exist]")
    flyte("TerminateExecution", id=flyte.run(run), cause="enough")


@pytest.mark.parametrize(("answer", "phase"), [(True, "SUCCEEDED"), (False, "FAILED")])
def test_an_approval(flyte: Flyte, echo: dict[str, str], answer: bool, phase: str) -> None:
    nodes = [gate_node("n0", approve={"signal_id": "ok"}), task_node("n1", echo) | {"upstream_node_ids": ["n0"]}]
    asked = register(flyte, echo, nodes)
    run = flyte.execute(asked.plan, integers(a=1))
    flyte.until(lambda: flyte("ListSignals", workflow_execution_id=flyte.run(run), limit=5))
    listed = flyte("ListSignals", workflow_execution_id=flyte.run(run), limit=5)["signals"]
    assert listed[0]["type"] == {"simple": "BOOLEAN"}
    flyte("SetSignal", id=signal(flyte, run, "ok"), value={"scalar": {"primitive": {"boolean": answer}}})
    assert flyte.ended(run)["closure"]["phase"] == phase


def test_a_sleep(flyte: Flyte, echo: dict[str, str]) -> None:
    sleeps = register(flyte, echo, [task_node("n0", echo), gate_node("n1", sleep={"duration": "2s"})], [])
    began = time.monotonic()
    run = flyte.execute(sleeps.plan, integers(a=1))
    assert flyte.ended(run)["closure"]["phase"] == "SUCCEEDED"
    # Kubernetes keeps the instant in whole seconds, so that Flyte may sleep for one less; its node says even less.
    assert time.monotonic() - began >= 1
    assert flyte.nodes(run)["n1"]["closure"]["phase"] == "SUCCEEDED"
