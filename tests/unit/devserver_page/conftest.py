"""A devserver with executions, and a client of its page's questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from flyte_remote_async.devserver import DevServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def dev() -> AsyncIterator[DevServer]:
    """Run a devserver."""
    async with DevServer() as dev:
        yield dev


@pytest.fixture
async def http(dev: DevServer) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client of its HTTP port."""
    async with httpx.AsyncClient(base_url=f"http://{dev.http_endpoint}", timeout=30) as client:
        yield client
