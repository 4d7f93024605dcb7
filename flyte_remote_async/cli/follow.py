"""Following an execution that runs: looks that show how it moves, until it has ended."""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING, Final

import anyio
import attrs

from flyte_remote_async.errors import RPCError, WaitTimeoutError
from flyte_remote_async.policy.backoff import Backoff
from flyte_remote_async.policy.retry import is_passing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flyte_remote_async.cli.view import View
    from flyte_remote_async.executions import FlyteWorkflowExecution

__all__ = ["Follower"]

_PACE: Final = Backoff(initial=0.1, factor=1.3, longest=2.0, jitter=0.1)


@attrs.define(eq=False)
class Follower:
    """Follows one execution.

    Attributes:
        view: Where its progress is shown.
        is_ours: Whether the server is one of our own process: then a look may ask for everything, and a server that
            does not answer will not come back.
        sleep: Waits a number of seconds.
    """

    view: View
    is_ours: bool
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    _last_error: RPCError | None = attrs.field(default=None, init=False)

    async def follow(self, execution: FlyteWorkflowExecution, timeout: float | None) -> FlyteWorkflowExecution:
        """Return the execution when it has ended, with its nodes and their attempts.

        Args:
            execution: The last snapshot.
            timeout: Seconds to follow it at most; None follows it to its end.

        Raises:
            WaitTimeoutError: It did not end in time.
            RPCError: The control plane refuses to tell.
        """
        pause = _PACE.first()
        with anyio.move_on_after(timeout):
            while True:
                before, execution = execution, await self._look(execution, attempts=self.is_ours)
                self.view.show(execution)
                if execution.is_done:
                    break
                await self.sleep(pause.length(random.random))
                pause = pause.next(moved=execution != before)
            # Attempts are a request for each task: they are read once, of what has ended.
            execution = await self._look(execution, attempts=True)
        self.view.finish(execution)
        if not execution.is_done:
            raise self._timed_out(execution, timeout)
        return execution

    async def _look(self, execution: FlyteWorkflowExecution, *, attempts: bool) -> FlyteWorkflowExecution:
        """Return a new snapshot; a server that is away for a while is waited for."""
        pause = _PACE.first()
        while True:
            try:
                found = await execution.sync(sync_nodes=True, attempts=attempts)
            except RPCError as error:
                if self.is_ours or not is_passing(error):
                    raise
                if self._last_error is None:
                    sys.stderr.write("flyte-remote: lost the server, trying again\n")
                self._last_error = error
            else:
                self._last_error = None
                return found
            await self.sleep(pause.length(random.random))
            pause = pause.next(moved=False)

    def _timed_out(self, execution: FlyteWorkflowExecution, timeout: float | None) -> WaitTimeoutError:
        message = (
            f"{execution.id} is still {execution.phase.name} after {timeout:g} s, and goes on; "
            "a larger --timeout waits longer"
        )
        if self._last_error is not None:
            message += f"; the last look failed: {self._last_error}"
        return WaitTimeoutError(message, execution=execution, last_error=self._last_error)
