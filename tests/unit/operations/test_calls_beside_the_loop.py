"""Where replies are parsed: a large one beside the loop, which goes on meanwhile."""

# ruff: noqa: ARG002 - a transport is called with all that its protocol says

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from flyteidl.admin import node_execution_pb2

from flyte_remote_async.operations.calls import Calls
from flyte_remote_async.transport.base import Reply
from flyte_remote_async.transport.methods import METHODS

if TYPE_CHECKING:
    from flyte_remote_async.transport.base import Metadata, Method

pytestmark = pytest.mark.anyio

LIST_NODES: Any = next(method for method in METHODS.values() if method.name == "ListNodeExecutions")


@attrs.define
class Turns:
    """Counts the turns of the loop from the moment in which a reply is there."""

    reply: bytes
    count: int = 0

    async def unary(
        self, method: Method[Any, Any], request: bytes, *, timeout: float | None = None, metadata: Metadata = ()
    ) -> Reply:
        asyncio.get_running_loop().call_soon(self._turn)
        return Reply(self.reply)

    def _turn(self) -> None:
        self.count += 1
        asyncio.get_running_loop().call_soon(self._turn)

    async def aclose(self) -> None:
        """Nothing is open."""


def nodes(count: int) -> bytes:
    """A list of nodes of 100 kB each."""
    node = node_execution_pb2.NodeExecution(input_uri="x" * 100_000)
    return node_execution_pb2.NodeExecutionList(node_executions=[node] * count).SerializeToString()


async def turns_while_parsing(count: int) -> int:
    transport = Turns(nodes(count))
    request = node_execution_pb2.NodeExecutionListRequest()
    found: Any = await Calls(transport)(LIST_NODES, request)
    turns = transport.count
    assert len(found.node_executions) == count
    return turns


async def test_the_loop_goes_on_while_a_large_reply_is_parsed() -> None:
    assert await turns_while_parsing(300) > 0


async def test_a_small_reply_is_parsed_at_once() -> None:
    assert await turns_while_parsing(1) == 0
