"""A runner of containers with a bucket of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flyte_remote_async.devserver.clock import Clock
from flyte_remote_async.devserver.dataplane import DataPlane
from flyte_remote_async.devserver.runners.containers import ContainerOptions, ContainerRunner
from flyte_remote_async.devserver.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def data() -> AsyncIterator[DataPlane]:
    """Open a bucket and its HTTP port."""
    store = await Store.open()
    plane = await DataPlane.open(store, Clock(), handlers={}, folder=None, state=None)
    await plane.http.start("127.0.0.1", 0)
    yield plane
    await plane.aclose()
    await store.aclose()


@pytest.fixture
async def runner(data: DataPlane) -> AsyncIterator[ContainerRunner]:
    """Make a runner."""
    runner = ContainerRunner(data, ContainerOptions(environment={"GIVEN": "option"}), lambda: "127.0.0.1:1")
    yield runner
    await runner.aclose()
