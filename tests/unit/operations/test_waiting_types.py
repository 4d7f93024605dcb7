"""What type checkers know of waits for many: errors are among the results where they were asked for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import assert_type

import pytest

from flyte_remote_async import FlyteRemoteError, FlyteWorkflowExecution
from flyte_remote_async.devserver import DevServer

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("flag", [True, False])
async def test_errors_are_in_the_type_where_they_are_asked_for(flag: bool) -> None:
    nothing: list[FlyteWorkflowExecution] = []
    async with DevServer() as dev, dev.remote() as remote:
        assert_type(await remote.wait_all(nothing), list[FlyteWorkflowExecution])
        assert_type(await remote.wait_all(nothing, return_exceptions=False), list[FlyteWorkflowExecution])
        assert_type(
            await remote.wait_all(nothing, return_exceptions=True), list[FlyteWorkflowExecution | FlyteRemoteError]
        )
        assert_type(
            await remote.wait_all(nothing, return_exceptions=flag),
            Sequence[FlyteWorkflowExecution | FlyteRemoteError],
        )
        plain = remote.as_completed(nothing)
        assert_type(plain, AsyncGenerator[FlyteWorkflowExecution])
        told = remote.as_completed(nothing, return_exceptions=True)
        assert_type(told, AsyncGenerator[FlyteWorkflowExecution | FlyteRemoteError])
        maybe = remote.as_completed(nothing, return_exceptions=flag)
        assert_type(maybe, AsyncGenerator[FlyteWorkflowExecution | FlyteRemoteError])
        assert [one async for one in plain] == [one async for one in told] == [one async for one in maybe] == []
