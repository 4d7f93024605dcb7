"""Fixtures of pytest: a devserver and a client of it, for tests that are sync, or async by whichever plugin.

The server runs in a thread with a loop of its own, so no plugin needs to run it; and what opens the client is wrapped
around the test function itself, so the plugin that runs the test runs that too.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Final

import pytest

from flyte_remote_async.devserver import DevServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flyte_remote_async.devserver.threaded import ThreadedDevServer
    from flyte_remote_async.remote import FlyteRemote

__all__ = ["dev_server", "remote"]

_REMOTE: Final = pytest.StashKey["FlyteRemote"]()


@pytest.fixture
def dev_server() -> Iterator[ThreadedDevServer]:
    """Run a fresh devserver, in a thread of its own."""
    with DevServer.in_thread() as dev:
        yield dev


@pytest.fixture
def remote(dev_server: ThreadedDevServer, request: pytest.FixtureRequest) -> FlyteRemote:
    """Return a client of the devserver, which is open while the body of an async test runs."""
    client = dev_server.remote()
    request.node.stash[_REMOTE] = client
    return client


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Open the client of an async test in the loop that the test runs in, and close it there."""
    client = item.stash.get(_REMOTE, None)
    function = getattr(item, "obj", None)
    if client is not None and inspect.iscoroutinefunction(function):
        item.obj = _inside(client, function)  # type: ignore[attr-defined]


def _inside(client: FlyteRemote, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        async with client:
            return await function(*args, **kwargs)

    return run
