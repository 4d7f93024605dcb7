"""Definitions that never change, each read once: tasks, workflows, and the interfaces of launch plans."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
import attrs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flyte_remote_async.entities import FlyteLaunchPlan, FlyteTask, FlyteWorkflow
    from flyte_remote_async.models.identifiers import Identifier
    from flyte_remote_async.operations.fetch import Fetcher

__all__ = ["Definitions"]

T = TypeVar("T")

_KEPT: Final = 512


@attrs.define(eq=False)
class _Entry:
    value: Any = None
    lock: anyio.Lock = attrs.Factory(anyio.Lock)


@attrs.define(eq=False)
class Definitions:
    """Reads definitions, keeps the last ones, and asks once however many want the same at the same time.

    Whether a launch plan is active does change: it is not to be read from here.
    """

    fetcher: Fetcher
    _entries: OrderedDict[Identifier, _Entry] = attrs.field(factory=OrderedDict, init=False)

    async def task(self, id: Identifier) -> FlyteTask:
        """Return a task.

        Raises:
            NotFoundError: The control plane does not have it.
            RPCError: The call did not succeed.
        """
        return await self._get(id, self.fetcher.task_by_id)

    async def workflow(self, id: Identifier) -> FlyteWorkflow:
        """Return a workflow; errors as :meth:`task`."""
        return await self._get(id, self.fetcher.workflow_by_id)

    async def launch_plan(self, id: Identifier) -> FlyteLaunchPlan:
        """Return a launch plan, for its interface; errors as :meth:`task`."""
        return await self._get(id, self.fetcher.launch_plan_by_id)

    async def _get(self, id: Identifier, read: Callable[[Identifier], Awaitable[T]]) -> T:
        entry = self._entries.setdefault(id, _Entry())
        self._entries.move_to_end(id)
        while len(self._entries) > _KEPT:
            self._entries.popitem(last=False)
        if entry.value is None:
            # The first to come asks; when it fails or is cancelled, the next one asks.
            async with entry.lock:
                if entry.value is None:
                    entry.value = await read(id)
        value: T = entry.value
        return value
