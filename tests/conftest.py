"""What every test gets: asyncio, a loop that must not be blocked, and the recordings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import hypothesis
import pytest
from blockbuster import blockbuster_ctx

from tests.support import recordings as recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.recordings import Recordings

# Cold imports and a busy machine make single examples slow; what a test may take is limited by pytest-timeout.
hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio: gRPC for Python knows no other."""
    return "asyncio"


@pytest.fixture(autouse=True)
def never_block_the_loop() -> Iterator[None]:
    """Fail a test at the line of the package that blocks the event loop."""
    with blockbuster_ctx("flyte_remote_async") as guard:
        # A backend is imported once, when it is opened: that reads files, and the caller must wait for it anyway.
        for name in ("os.stat", "os.listdir", "os.getcwd", "io.BufferedReader.read", "os.readlink"):
            guard.functions[name].can_block_in("<frozen importlib._bootstrap>", {"_find_and_load"})
        yield


@pytest.fixture(scope="session")
def recordings() -> Recordings:
    """Return what a real Flyte knew of 36 executions, as flyteidl messages."""
    return recorded.load()
