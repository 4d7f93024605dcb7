"""One suite of behaviours for any Flyte: ``pytest tests/conformance --endpoint HOST:PORT``.

By default it asks a devserver of its own. What it needs it registers under fresh names, and leaves there; it changes
nothing that it did not make.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.client import Flyte, even, fill, fresh, integers
from tests.conformance.entities import (
    binding,
    gate_node,
    register,
    register_echo,
    task_node,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conformance.entities import Registered


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance")
    group.addoption("--endpoint", default="", help="host and port of a Flyte; a devserver is started by default")
    group.addoption("--project", default="flytesnacks", help="an active project of that Flyte")
    group.addoption("--domain", default="development", help="a domain of that Flyte")


@pytest.fixture(scope="session")
def flyte(request: pytest.FixtureRequest) -> Iterator[Flyte]:
    """Return the Flyte that is asked."""
    # The options are not there where this folder is not named on the command line.
    endpoint = request.config.getoption("--endpoint", "")
    place = request.config.getoption("--project", "flytesnacks"), request.config.getoption("--domain", "development")
    if endpoint:
        client = Flyte(endpoint, *place)
        yield client
        client.close()
        return
    from flyte_remote_async.devserver import DevServer

    with DevServer.in_thread() as dev:
        client = Flyte(dev.endpoint, *place)
        yield client
        client.close()


@pytest.fixture(scope="session")
def echo(flyte: Flyte) -> dict[str, str]:
    """Return a registered echo task."""
    return register_echo(flyte)


@pytest.fixture(scope="session")
def wide(flyte: Flyte, echo: dict[str, str]) -> Registered:
    """Return a workflow of two echo nodes side by side."""
    return register(flyte, echo, [task_node("n0", echo), task_node("n1", echo)])


@pytest.fixture(scope="session")
def gated(flyte: Flyte, echo: dict[str, str]) -> Registered:
    """Return a workflow that waits for the signal ``number``, and gives it back."""
    wait = gate_node("n0", signal={"signal_id": "number", "type": {"simple": "INTEGER"}, "output_variable_name": "o0"})
    return register(flyte, echo, [wait, task_node("n1", echo, "n0", "o0")])


@pytest.fixture(scope="session")
def tree(flyte: Flyte, echo: dict[str, str], wide: Registered) -> Registered:
    """Return a workflow with a workflow in it, and a branch."""
    inner = flyte("GetWorkflow", id=wide.workflow)["closure"]["compiled_workflow"]["primary"]["template"]
    inner["nodes"] = [node for node in inner["nodes"] if node["id"] not in ("start-node", "end-node")]
    inside = {
        "id": "n0",
        "metadata": {"name": "inside"},
        "inputs": [binding("a", "start-node", "a")],
        "workflow_node": {"sub_workflow_ref": wide.workflow},
    }
    condition = {
        "operator": "GT",
        "left_value": {"var": "a"},
        "right_value": {"primitive": {"integer": "10"}},
    }
    case = {"condition": {"comparison": condition}, "then_node": task_node("n2", echo, "n0", "o0")}
    choice = {
        "id": "n1",
        "metadata": {"name": "choice"},
        "inputs": [binding("a", "n0", "o0")],
        "branch_node": {"if_else": {"case": case, "else_node": task_node("n3", echo, "n0", "o0")}},
    }
    nodes = [inside, choice]
    return register(flyte, echo, nodes, [binding("o0", "n1", "o0")], sub_workflows=[inner])


@pytest.fixture(scope="session")
def finished(flyte: Flyte, tree: Registered) -> str:
    """Return the name of an execution of the tree that has succeeded."""
    name = flyte.execute(tree.plan, integers(a=3), labels={"values": {"team": tree.version}})
    assert flyte.ended(name)["closure"]["phase"] == "SUCCEEDED"
    return name


@pytest.fixture(scope="session")
def waiting(flyte: Flyte, gated: Registered) -> Iterator[str]:
    """Return the name of an execution that waits for its signal as long as the suite runs."""
    name = flyte.execute(gated.plan, integers(a=1))
    flyte.until(lambda: flyte("ListSignals", workflow_execution_id=flyte.run(name), limit=5))
    yield name
    flyte("TerminateExecution", id=flyte.run(name), cause="the suite has ended")


@pytest.fixture
def words(flyte: Flyte) -> dict[str, str]:
    """Return what the ``$names`` of a case stand for; ``$new`` is a name of this case alone."""
    return {"project": flyte.project, "domain": flyte.domain, "new": fresh("c")}


@pytest.fixture
def refuses(flyte: Flyte, words: dict[str, str]) -> Callable[..., None]:
    """Return what checks that a request is refused with a code and the words."""

    def check(rpc: str, request: dict[str, Any], code: str, details: str, **more: str) -> None:
        known = words | more
        refusal = flyte.refusal(rpc, **fill(request, known))
        assert (refusal.code, refusal.details) == (code, even(fill(details, known)))

    return check
