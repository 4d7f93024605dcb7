"""What the package gives out, and what importing it costs."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import flyte_remote_async

PUBLIC = [
    "AttemptChanged",
    "AuthConfig",
    "Config",
    "Event",
    "ExecutionPhaseChanged",
    "FailureReport",
    "FlyteDirectory",
    "FlyteError",
    "FlyteFile",
    "FlyteLaunchPlan",
    "FlyteNode",
    "FlyteNodeExecution",
    "FlyteRemote",
    "FlyteRemoteError",
    "FlyteTask",
    "FlyteTaskExecution",
    "FlyteWorkflow",
    "FlyteWorkflowExecution",
    "Identifier",
    "LaunchOptions",
    "Literal",
    "LiteralType",
    "LiteralsResolver",
    "LogLinkAdded",
    "NodeExecutionIdentifier",
    "NodeKind",
    "NodePhase",
    "NodePhaseChanged",
    "RemoteExecutionBase",
    "ResourceType",
    "Secret",
    "Signal",
    "SignalWanted",
    "Span",
    "SpanKind",
    "StructuredDataset",
    "TaskExecutionIdentifier",
    "TaskPhase",
    "Timeline",
    "TimelineSource",
    "Timeouts",
    "TypedInterface",
    "Types",
    "Variable",
    "WorkflowExecutionIdentifier",
    "WorkflowPhase",
    "__version__",
    "errors",
    "filters",
]
NOT_AT_IMPORT = ["grpc", "grpclib", "httpx", "msgpack", "yaml", "rich", "flyteidl.service", "flytekit"]
# The table of RPCs is its own list.
WITHOUT_LIST = {"flyte_remote_async.transport.methods"}
MODULES = [
    found.name
    for found in pkgutil.walk_packages(flyte_remote_async.__path__, "flyte_remote_async.")
    if not found.name.rpartition(".")[2].startswith("_") and found.name not in WITHOUT_LIST
]


def test_the_public_names_are_these() -> None:
    """A name that is added or taken away is a change for users: it goes into this list and the changelog."""
    assert flyte_remote_async.__all__ == PUBLIC
    assert sorted(PUBLIC) == PUBLIC
    for name in PUBLIC:
        assert getattr(flyte_remote_async, name) is not None


def test_names_that_do_not_exist_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = flyte_remote_async.no_such_name
    assert set(PUBLIC) <= set(dir(flyte_remote_async))


def in_order(name: str) -> tuple[int, str]:
    """Return the key by which ruff sorts names: constants, classes, the rest."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_gives_out(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    if not hasattr(module, "__all__"):
        # A package that only holds modules.
        assert hasattr(module, "__path__")
        assert not [one for one in vars(module) if not one.startswith("_") and f"{name}.{one}" not in sys.modules]
        return
    assert len(set(module.__all__)) == len(module.__all__)
    assert all(hasattr(module, one) for one in module.__all__)
    assert list(module.__all__) in (sorted(module.__all__), sorted(module.__all__, key=in_order))


def run(program: str) -> str:
    """Run a program in a fresh Python and return what it prints."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("what", ["import flyte_remote_async", "from flyte_remote_async import *"])
def test_importing_loads_no_backend_and_nothing_that_few_need(what: str) -> None:
    program = f"{what}\nimport sys\nprint(*sys.modules)"
    loaded = run(program).split()
    unwanted = [one for one in loaded for name in NOT_AT_IMPORT if one == name or one.startswith(f"{name}.")]
    assert unwanted == []


def test_a_remote_that_is_not_open_has_loaded_no_backend() -> None:
    connect = "flyte_remote_async.FlyteRemote.connect('localhost:30080', insecure=True)"
    loaded = run(f"import sys, flyte_remote_async\n{connect}\nprint(*sys.modules)").split()
    assert "grpc" not in loaded
    assert "grpclib" not in loaded


def test_watching_loads_no_nodes() -> None:
    loaded = run("import sys, flyte_remote_async\nprint(*sys.modules)").split()
    assert "flyte_remote_async.executions.workflow" in loaded
    assert {"flyte_remote_async.executions.node", "flyteidl.admin.node_execution_pb2"}.isdisjoint(loaded)


DEVSERVER = """
import asyncio, sys
from flyte_remote_async.devserver import DevServer
async def main():
    async with DevServer():
        print(*sys.modules)
asyncio.run(main())
"""


def test_a_devserver_that_was_asked_nothing_has_loaded_neither_compiler_nor_codecs_nor_http() -> None:
    loaded = run(DEVSERVER).split()
    assert "flyte_remote_async.devserver.engine.core" in loaded
    unwanted = {
        f"flyte_remote_async.{name}" for name in ("devserver.compiler", "literals.registry", "devserver.store.importer")
    }
    assert (unwanted | {"starlette", "uvicorn", "croniter", "rich"}).isdisjoint(loaded)
