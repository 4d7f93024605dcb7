"""The verbs of a remote that wait: for one execution, for many, for the next event."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast, overload

from flyte_remote_async.remote.connection import Connection

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Sequence

    from flyte_remote_async.errors import FlyteRemoteError
    from flyte_remote_async.executions import FlyteWorkflowExecution
    from flyte_remote_async.executions.binding import Remote, Until
    from flyte_remote_async.executions.events import Event
    from flyte_remote_async.operations.hub.finish import Terms
    from flyte_remote_async.operations.hub.state import WaitState

__all__ = ["WaitVerbs"]

Seconds: TypeAlias = "timedelta | float"


class WaitVerbs(Connection):
    """The verbs that wait."""

    async def wait(
        self,
        execution: FlyteWorkflowExecution,
        timeout: Seconds | None = None,
        poll_interval: Seconds | None = None,
        sync_nodes: bool = True,
        *,
        until: Until = "terminal",
    ) -> FlyteWorkflowExecution:
        """Return an execution when it has ended; see :meth:`FlyteWorkflowExecution.wait`."""
        from flyte_remote_async.operations.hub.waits import condition_of, wait

        condition = condition_of(until)
        return await wait(self._terms(timeout, poll_interval, sync_nodes), execution, condition)

    @overload
    async def wait_all(
        self,
        executions: Iterable[FlyteWorkflowExecution],
        timeout: Seconds | None = None,
        poll_interval: Seconds | None = None,
        sync_nodes: bool = True,
        *,
        return_exceptions: Literal[False] = False,
    ) -> list[FlyteWorkflowExecution]: ...

    @overload
    async def wait_all(
        self,
        executions: Iterable[FlyteWorkflowExecution],
        timeout: Seconds | None = None,
        poll_interval: Seconds | None = None,
        sync_nodes: bool = True,
        *,
        return_exceptions: Literal[True],
    ) -> list[FlyteWorkflowExecution | FlyteRemoteError]: ...

    @overload
    async def wait_all(
        self,
        executions: Iterable[FlyteWorkflowExecution],
        timeout: Seconds | None = None,
        poll_interval: Seconds | None = None,
        sync_nodes: bool = True,
        *,
        return_exceptions: bool,
    ) -> Sequence[FlyteWorkflowExecution | FlyteRemoteError]: ...

    async def wait_all(
        self,
        executions: Iterable[FlyteWorkflowExecution],
        timeout: Seconds | None = None,
        poll_interval: Seconds | None = None,
        sync_nodes: bool = True,
        *,
        return_exceptions: bool = False,
    ) -> Sequence[FlyteWorkflowExecution | FlyteRemoteError]:
        """Return executions in the given order when all have ended, well or not.

        Ten thousand of them cost a handful of requests a second, and no task each.

        Args:
            executions: The last snapshots, or handles.
            timeout: Seconds (or a timedelta) for all of them together; None waits as long as it takes.
            poll_interval: Seconds (or a timedelta) between two looks; None adapts to the age of each.
            sync_nodes: Whether the snapshots that are returned have their nodes and attempts.
            return_exceptions: Whether an execution that cannot be waited for is its error in the list, instead of
                ending the wait for all.

        Raises:
            WaitTimeoutError: One did not end in time.
            RPCError: The control plane refuses to tell of one.
            ClosedError: The remote was closed.

        Example:
            ```python
            ended = await remote.wait_all(executions, timeout=3600, sync_nodes=False)
            print(sum(execution.is_successful for execution in ended), "of", len(ended))
            ```
        """
        from contextlib import aclosing

        from flyte_remote_async.operations.hub.many import as_completed

        given, terms = tuple(executions), self._terms(timeout, poll_interval, sync_nodes)
        async with aclosing(as_completed(terms, given, return_exceptions=return_exceptions)) as completed:
            found = {index: one async for index, one in completed}
        return [found[index] for index in range(len(given))]

    @overload
    def as_completed(
        self,
        executions: Iterable[FlyteWorkflowExecution],
        timeout: Seconds | None = None,
        poll_interval: Seconds | None = None,
        sync_nodes: bool = True,
        *,
        return_exceptions: Literal[False] = False,
    ) -> AsyncGenerator[FlyteWorkflowExecution]: ...

    @overload
    def as_completed(
        self,
        executions: Iterable[FlyteWorkflowExecution],
        timeout: Seconds | None = None,
        poll_interval: Seconds | None = None,
        sync_nodes: bool = True,
        *,
        return_exceptions: bool,
    ) -> AsyncGenerator[FlyteWorkflowExecution | FlyteRemoteError]: ...

    async def as_completed(
        self,
        executions: Iterable[FlyteWorkflowExecution],
        timeout: Seconds | None = None,
        poll_interval: Seconds | None = None,
        sync_nodes: bool = True,
        *,
        return_exceptions: bool = False,
    ) -> AsyncGenerator[FlyteWorkflowExecution | FlyteRemoteError]:
        """Yield executions in the order in which they end; arguments and errors as :meth:`wait_all`.

        Example:
            ```python
            async for execution in remote.as_completed(executions):
                print(execution.id.name, execution.phase.name)
            ```
        """
        from contextlib import aclosing

        from flyte_remote_async.operations.hub.many import as_completed

        given, terms = tuple(executions), self._terms(timeout, poll_interval, sync_nodes)
        async with aclosing(as_completed(terms, given, return_exceptions=return_exceptions)) as completed:
            async for _, one in completed:
                yield one

    async def watch(
        self,
        execution: FlyteWorkflowExecution,
        timeout: Seconds | None = None,
        poll_interval: Seconds | None = None,
    ) -> AsyncGenerator[Event]:
        """Yield what happens to an execution; see :meth:`FlyteWorkflowExecution.watch`."""
        from contextlib import aclosing

        from flyte_remote_async.operations.hub.watch import watch

        async with aclosing(watch(self._terms(timeout, poll_interval, sync_nodes=True), execution)) as events:
            async for event in events:
                yield event

    @property
    def waits(self) -> tuple[WaitState, ...]:
        """What is waited for and watched at this moment, and how that goes: for a page of health, or a log.

        Example:
            ```python
            for state in remote.waits:
                if state.stale_for > 60:
                    print(state.id, "nothing heard for", state.stale_for, "s:", state.last_error)
            ```
        """
        from flyte_remote_async.operations.hub.state import states

        return states(self._open)

    def _terms(self, timeout: Seconds | None, poll_interval: Seconds | None, sync_nodes: bool) -> Terms:
        from flyte_remote_async.operations.hub.finish import Terms

        return Terms.from_now(
            self._open,
            cast("Remote", self),
            timeout=_seconds("timeout", timeout),
            interval=_seconds("poll_interval", poll_interval, above=True),
            sync_nodes=sync_nodes,
        )


def _seconds(name: str, value: Any, *, above: bool = False) -> float | None:
    if value is None:
        return None
    if isinstance(value, (str, bytes)):
        reason = f"{name} is a number of seconds or a timedelta, not {value!r}"
        raise TypeError(reason)
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if not 0 <= seconds < math.inf or (above and seconds == 0):
        least = "above 0" if above else "of 0 or more"
        reason = f"{name} is a number of seconds or a timedelta {least}, not {value!r}"
        raise ValueError(reason)
    return seconds
