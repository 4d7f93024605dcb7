"""``max_parallelism``: how many tasks and launch plans of an execution run at a time.

Source: flytepropeller ``controller/nodes/executor.go`` (``IsMaxParallelismAchieved``): a node for which there is no
room is not even queued.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    import anyio
    from flyteidl.core import workflow_pb2

__all__ = ["Share"]


class Share:
    """One node's share of the parallelism, held for ``async with`` or until it is released.

    An array counts as one; its items do not count.

    Args:
        parallelism: Where the shares are taken from; None where there is no bound.
        node: The node; kinds that run nothing themselves need no share.
    """

    def __init__(self, parallelism: anyio.Semaphore | None, node: workflow_pb2.Node) -> None:
        is_launch_plan = node.workflow_node.HasField("launchplan_ref")
        counts = node.HasField("task_node") or node.HasField("array_node") or is_launch_plan
        self._parallelism = parallelism if counts else None

    async def __aenter__(self) -> Self:
        if self._parallelism is not None:
            await self._parallelism.acquire()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Give the share back, before the node has ended where it runs nothing itself any more; once is enough."""
        if self._parallelism is not None:
            self._parallelism.release()
            self._parallelism = None
