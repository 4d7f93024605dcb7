"""A devserver with one running execution that a test moves, and a remote of it that counts what it asks."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
from flyteidl.admin import execution_pb2
from flyteidl.core import execution_pb2 as core_pb2

from flyte_remote_async.devserver import DevServer
from flyte_remote_async.transport.base import Reply
from tests.support.films import Film
from tests.support.remotes import remote_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flyte_remote_async import FlyteRemote, FlyteWorkflowExecution
    from flyte_remote_async.transport.base import Method
    from tests.support.remotes import Ledger

__all__ = ["Stage", "open_stage"]


@attrs.frozen
class Stage:
    """A young execution with one task at most, and a remote that looks at it."""

    film: Film
    server: DevServer
    remote: FlyteRemote
    ledger: Ledger

    def handle(self) -> FlyteWorkflowExecution:
        return self.remote.execution("film")

    async def run(self) -> None:
        """Let the execution run, and its task."""
        await self.film.execution()
        await self.film.node("task")
        await self.film.attempt("task")

    async def end(self, phase: str = "SUCCEEDED") -> None:
        """Let the execution end, and its task with it."""
        self.film.later()
        await self.film.node("task", phase)
        await self.film.attempt("task", phase)
        await self.film.execution(phase)

    def play(self, *phases: str) -> None:
        """Let the looks at the execution see these phases, and the last one from then on."""
        left = list(phases)

        def on_reply(method: Method[Any, Any], reply: Reply) -> Reply:
            if method.name != "GetExecution":
                return reply
            message: Any = execution_pb2.Execution.FromString(reply.message)
            message.closure.phase = core_pb2.WorkflowExecution.Phase.Value(left.pop(0) if len(left) > 1 else left[0])
            return Reply(message.SerializeToString())

        self.ledger.on_reply = on_reply


@asynccontextmanager
async def open_stage() -> AsyncIterator[Stage]:
    """Start a devserver with an execution that is queued."""
    async with DevServer() as server, remote_of(server, max_attempts=1, max_polls_per_second=1000) as (remote, ledger):
        film = Film(server.store)
        # What is young is looked at often.
        film.now = int(time.time())
        await film.execution("QUEUED")
        yield Stage(film, server, remote, ledger)
