"""A limit of time that ends an async test, and nothing else.

pytest-timeout raises its error inside the event loop, where it leaves the test's own coroutine behind: the runner of
AnyIO then waits for that coroutine before it closes the fixtures, so that a test that hangs would hang the whole run.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

import anyio
import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["SHARE", "pytest_pyfunc_call", "pytest_timeout_set_timer"]

_LIMIT = pytest.StashKey[float]()

# What is left is for the fixtures.
SHARE = 0.8


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> None:
    """Note the limit of a test."""
    item.stash[_LIMIT] = settings.timeout


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Cancel an async test shortly before its limit."""
    test, limit = pyfuncitem.obj, pyfuncitem.stash.get(_LIMIT, None)
    if limit is not None and inspect.iscoroutinefunction(test):

        @functools.wraps(test)
        async def limited(*args: Any, **kwargs: Any) -> None:
            with anyio.fail_after(SHARE * limit):
                await test(*args, **kwargs)

        pyfuncitem.obj = limited
    return (yield)
