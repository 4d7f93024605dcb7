"""The cache: what a task that is discoverable gave is given again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.conformance.client import fresh, integers
from tests.conformance.entities import register, register_echo, task_node

if TYPE_CHECKING:
    from tests.conformance.client import Flyte
    from tests.conformance.entities import Registered


def cached(flyte: Flyte, **changes: Any) -> Registered:
    """Register a workflow of one cached echo task."""
    metadata = {
        "runtime": {"type": "FLYTE_SDK", "version": "1.16.31", "flavor": "python"},
        "retries": {},
        "discoverable": True,
        "discovery_version": fresh(),
        **changes,
    }
    task = register_echo(flyte, metadata=metadata)
    return register(flyte, task, [task_node("n0", task)])


def status(flyte: Flyte, run: str) -> str | None:
    """Return the cache status of the only node, when the execution has ended."""
    assert flyte.ended(run)["closure"]["phase"] == "SUCCEEDED"
    found: str | None = flyte.nodes(run)["n0"]["closure"]["task_node_metadata"].get("cache_status")
    return found


def test_a_second_run_is_a_hit(flyte: Flyte) -> None:
    workflow = cached(flyte)
    first = flyte.execute(workflow.plan, integers(a=1))
    assert status(flyte, first) == "CACHE_POPULATED"
    second = flyte.execute(workflow.plan, integers(a=1))
    assert status(flyte, second) == "CACHE_HIT"
    assert flyte("GetExecutionData", id=flyte.run(second))["full_outputs"]["literals"] == integers(o0=1)


def test_other_inputs_are_no_hit(flyte: Flyte) -> None:
    workflow = cached(flyte)
    for number in (1, 2):
        assert status(flyte, flyte.execute(workflow.plan, integers(a=number))) == "CACHE_POPULATED"


def test_the_cache_is_overwritten(flyte: Flyte) -> None:
    workflow = cached(flyte)
    assert status(flyte, flyte.execute(workflow.plan, integers(a=1))) == "CACHE_POPULATED"
    assert status(flyte, flyte.execute(workflow.plan, integers(a=1), overwrite_cache=True)) != "CACHE_HIT"


def test_without_a_cache(flyte: Flyte, wide: Registered) -> None:
    run = flyte.execute(wide.plan, integers(a=1))
    assert status(flyte, run) is None
