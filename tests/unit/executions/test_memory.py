"""A snapshot that is kept does not keep the reply that it came in."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from flyteidl.admin import execution_pb2, node_execution_pb2

from flyte_remote_async import Config, FlyteRemote
from flyte_remote_async.devserver.faces.inprocess import InProcessTransport
from flyte_remote_async.transport.methods import GET_EXECUTION, LIST_NODE_EXECUTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from flyte_remote_async import FlyteWorkflowExecution
    from flyte_remote_async.transport.base import Metadata

pytestmark = pytest.mark.anyio

MB = 1024 * 1024
NODES = 1_000
REPLY = 25 * MB


async def get_execution(_request: bytes, _metadata: Metadata) -> bytes:
    message = execution_pb2.Execution()
    message.closure.phase = 4  # type: ignore[assignment]
    return message.SerializeToString()


async def list_nodes(_request: bytes, _metadata: Metadata) -> bytes:
    """Answer with 25 MB of nodes; the first one is small."""
    reply = node_execution_pb2.NodeExecutionList()
    for number in range(NODES):
        node = reply.node_executions.add(input_uri="s3://bucket/inputs.pb")
        node.id.node_id = f"n{number}"
        node.closure.phase = 5  # type: ignore[assignment]
        if number:
            node.closure.error.message = "x" * (REPLY // NODES)
    data = reply.SerializeToString()
    assert len(data) > 0.99 * REPLY
    return data


def remote() -> FlyteRemote:
    handlers = {GET_EXECUTION.path: get_execution, LIST_NODE_EXECUTIONS.path: list_nodes}
    config = Config.for_endpoint("127.0.0.1:1", insecure=True, project="p", domain="d")
    return FlyteRemote.over(lambda: InProcessTransport(handlers), config)


def traced() -> int:
    """Return the bytes that Python's own allocations hold."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def resident() -> int:
    """Return the bytes that the process holds: protobuf's own memory is not Python's."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def everything(execution: FlyteWorkflowExecution) -> object:
    return execution


def one_node(execution: FlyteWorkflowExecution) -> object:
    node = execution.node_executions["n0"]
    assert node.input_uri == "s3://bucket/inputs.pb"
    return node


def identities(execution: FlyteWorkflowExecution) -> object:
    return [(node.id, node.phase) for node in execution.node_executions.values()]


async def held_by(keep: Callable[[FlyteWorkflowExecution], object], measure: Callable[[], int]) -> int:
    """Return how many bytes more are held after a sync when only a part of it is kept."""
    async with remote() as source:
        # What is imported and cached for the first time is not what is measured.
        await source.execution("warm").sync(sync_nodes=True, attempts=False)
        before = measure()
        kept = keep(await source.execution("e0").sync(sync_nodes=True, attempts=False))
        after = measure()
        del kept
    return after - before


async def held_in_python(keep: Callable[[FlyteWorkflowExecution], object]) -> int:
    tracemalloc.start()
    try:
        return await held_by(keep, traced)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("keep", [one_node, identities])
async def test_a_kept_node_does_not_keep_the_reply(keep: Callable[[FlyteWorkflowExecution], object]) -> None:
    assert await held_in_python(keep) < MB


async def test_the_measure_sees_what_is_held() -> None:
    assert await held_in_python(everything) > 0.9 * REPLY


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"),
    reason="the resident memory of a process is read as Linux with glibc gives it",
)
async def test_a_kept_node_does_not_keep_the_memory_of_protobuf() -> None:
    whole = await held_by(everything, resident)
    assert whole > 0.8 * REPLY
    assert await held_by(one_node, resident) < REPLY / 2
