"""Remotes of a devserver that count what they ask."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from flyte_remote_async import Config, FlyteRemote
from flyte_remote_async.devserver import DevServer
from flyte_remote_async.transport.connect import open_transport
from flyte_remote_async.transport.target import Target
from tests.support import recordings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from flyte_remote_async.transport.base import Metadata, Method, Reply, Response, Transport

__all__ = ["WAYS", "Ledger", "recorded_server", "remote_of", "remote_over"]

WAYS = ("grpcio", "grpclib", "in process")


class Ledger:
    """What was asked, in order, and who changes an answer on its way."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, bytes]] = []
        self.on_call: Callable[[Method[Any, Any], bytes], None] = lambda _method, _request: None
        self.on_reply: Callable[[Method[Any, Any], Reply], Reply] = lambda _method, reply: reply

    @property
    def counts(self) -> Counter[str]:
        """How often each RPC was asked."""
        return Counter(name for name, _ in self.calls)

    @property
    def total(self) -> int:
        """How many requests were sent."""
        return len(self.calls)

    @property
    def repeated(self) -> list[tuple[str, bytes]]:
        """Requests that were sent more than once."""
        return [call for call, times in Counter(self.calls).items() if times > 1]

    def count_rows(self, method: Method[Any, Response], names: Callable[[Response], Iterable[str]]) -> Counter[str]:
        """Return a counter that counts, by name, the rows of an RPC's replies from now on."""
        rows: Counter[str] = Counter()

        def on_reply(asked: Method[Any, Any], reply: Reply) -> Reply:
            if asked is method:
                rows.update(names(method.response_type.FromString(reply.message)))
            return reply

        self.on_reply = on_reply
        return rows

    def clear(self) -> None:
        """Forget what was asked."""
        self.calls.clear()


class _Counted:
    def __init__(self, inner: Transport, ledger: Ledger) -> None:
        self._inner = inner
        self._ledger = ledger

    async def unary(
        self, method: Method[Any, Any], request: bytes, *, timeout: float | None = None, metadata: Metadata = ()
    ) -> Reply:
        self._ledger.calls.append((method.name, request))
        self._ledger.on_call(method, request)
        reply = await self._inner.unary(method, request, timeout=timeout, metadata=metadata)
        return self._ledger.on_reply(method, reply)

    async def aclose(self) -> None:
        await self._inner.aclose()


def remote_over(channel: Callable[[], Transport], ledger: Ledger, **overrides: Any) -> FlyteRemote:
    """Return a remote over channels whose calls go into a ledger."""
    usual: dict[str, Any] = {"insecure": True, "project": "flytesnacks", "domain": "development"}
    config = Config.for_endpoint("127.0.0.1:1", **(usual | overrides))
    return FlyteRemote.over(lambda: _Counted(channel(), ledger), config)


@asynccontextmanager
async def remote_of(
    server: DevServer, way: str = "in process", **overrides: Any
) -> AsyncIterator[tuple[FlyteRemote, Ledger]]:
    """Open a remote of a devserver over one of the :data:`WAYS`, and give it with its ledger."""
    ledger = Ledger()
    if way == "in process":
        remote = remote_over(server.transport, ledger, **overrides)
    else:
        target = Target.parse(server.endpoint, insecure=True)
        remote = remote_over(lambda: open_transport(target, backend=way), ledger, **overrides)  # type: ignore[arg-type]
    async with remote:
        yield remote, ledger


@asynccontextmanager
async def recorded_server() -> AsyncIterator[DevServer]:
    """Start a devserver that knows the recorded executions."""
    async with DevServer() as server:
        await server.load(recordings.DIRECTORY / "state.jsonl.gz")
        yield server
