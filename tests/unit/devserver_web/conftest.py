"""A devserver, and a client of its HTTP port."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from flyte_remote_async.devserver import DevServer
from tests.support.raw import Asking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

AUTHORIZED = {"Authorization": "AWS4-HMAC-SHA256 Credential=anyone/20260101/us-east-1/s3/aws4_request"}


@pytest.fixture(params=["memory", "folder"])
async def dev(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[DevServer]:
    """Run a devserver with each kind of bucket."""
    async with DevServer(objects=None if request.param == "memory" else tmp_path) as dev:
        yield dev


@pytest.fixture
async def http(dev: DevServer) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client of its HTTP port that has credentials of some kind."""
    async with httpx.AsyncClient(base_url=f"http://{dev.http_endpoint}", headers=AUTHORIZED, timeout=30) as client:
        yield client


@pytest.fixture
async def nobody(dev: DevServer) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client of its HTTP port that has no credentials."""
    async with httpx.AsyncClient(base_url=f"http://{dev.http_endpoint}", timeout=30) as client:
        yield client


@pytest.fixture
def ask(dev: DevServer) -> Asking:
    """Ask the devserver, in process."""
    return Asking(dev.transport())
