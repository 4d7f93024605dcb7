"""A devserver that knows the recorded state, and a way to ask it."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest

from flyte_remote_async.devserver import DevServer
from tests.support import recordings as recorded
from tests.support.raw import Asking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a state file that has the recorded state, imported once."""
    path = tmp_path_factory.mktemp("imported") / "state.db"

    async def load() -> None:
        async with DevServer(state=path) as dev:
            await dev.load(recorded.DIRECTORY / "state.jsonl.gz")

    asyncio.run(load())
    return path


@pytest.fixture
async def dev(imported: Path, tmp_path: Path) -> AsyncIterator[DevServer]:
    """Run a devserver with the recorded state."""
    async with DevServer(state=shutil.copy(imported, tmp_path)) as dev:
        yield dev


@pytest.fixture
def ask(dev: DevServer) -> Asking:
    """Ask the devserver, in process."""
    return Asking(dev.transport())
