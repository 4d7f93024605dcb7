"""What every test gets: asyncio, a loop that must not be blocked, and the recordings."""

from __future__ import annotations

import functools
import inspect
import os
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from blockbuster import BlockBuster

from tests.support import recordings as recorded
from tests.support.limits import pytest_pyfunc_call, pytest_timeout_set_timer
from tests.support.loops import TestLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.recordings import Recordings

__all__ = ["pytest_pyfunc_call", "pytest_timeout_set_timer"]

# Cold imports and a busy machine make single examples slow; what a test may take is limited by pytest-timeout.
hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
# Where the whole search has run on another Python.
hypothesis.settings.register_profile("brief", deadline=None, derandomize=True, print_blob=True, max_examples=15)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "local"))


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Run async tests on asyncio, each on a loop of its own: gRPC for Python knows no other."""
    return "asyncio", {"loop_factory": TestLoop}


@pytest.fixture(autouse=True)
def never_block_the_loop() -> Iterator[None]:
    """Fail a test at the line of the package that blocks the event loop."""
    guard = BlockBuster("flyte_remote_async")
    # A backend is imported once, when it is opened: that reads files, and the caller must wait for it anyway.
    for name in ("os.stat", "os.listdir", "os.getcwd", "io.BufferedReader.read", "os.readlink"):
        guard.functions[name].can_block_in("<frozen importlib._bootstrap>", {"_find_and_load"})
    for name in ("threading.Lock.acquire", "threading.Lock.acquire_lock"):
        function = guard.functions[name]
        # Coverage locks its own data when a file is first seen beside threads.
        function.can_block_in("coverage/collector.py", {"lock_data"})
        # A devserver in a thread may be used beside a loop: who does so wants to wait.
        function.can_block_in("devserver/threaded.py", {"start", "close", "call", "outage"})
        function.can_block_predicate = functools.partial(_may_lock, function.can_block_predicate)
    guard.activate()
    yield
    guard.deactivate()


def _may_lock(is_harmless: Callable[..., bool], *args: Any, **kwargs: Any) -> bool:
    return is_harmless(*args, **kwargs) or _grpc_ends_its_poller()


def _grpc_ends_its_poller() -> bool:
    """Whether grpc.aio, whose last channel or server has just gone, waits for its own thread: nobody can stop it."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_name == "join" and frame.f_code.co_filename.endswith("threading.py"):
            return "_poll_wrapper" in frame.f_locals["self"].name
        frame = frame.f_back
    return False


@pytest.fixture(scope="session")
def recordings() -> Recordings:
    """Return what a real Flyte knew of 36 executions, as flyteidl messages."""
    return recorded.load()
