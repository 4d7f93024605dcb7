"""What can go wrong with a call."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final, NoReturn

import anyio
import attrs

from flyte_remote_async.errors import FlyteRemoteError, rpc_error
from flyte_remote_async.transport.base import Reply

if TYPE_CHECKING:
    from flyte_remote_async.transport.base import Metadata

__all__ = [
    "ConnectionCutError",
    "Cut",
    "DatabaseFails",
    "Delay",
    "Fail",
    "FaultKind",
    "Hang",
    "KubernetesFails",
    "Trickle",
    "Truncate",
]

_PUSHBACK: Final = "grpc-retry-pushback-ms"


class ConnectionCutError(FlyteRemoteError):
    """Raised to make a face of the devserver lose the connection that carries the call."""


class FaultKind:
    """What goes wrong with a call.

    Attributes:
        inside: Whether it happens inside of a service, which asks for it, and not around the call.
    """

    __slots__ = ()

    inside: ClassVar[bool] = False

    async def before(self) -> None:
        """Act before the request is carried out."""

    async def after(self, reply: Reply) -> Reply:
        """Act after the request was carried out, and return what is answered."""
        return reply


class _Ending(FaultKind, ABC):
    """What ends a call, before its request is carried out or after that."""

    __slots__ = ()

    after_commit: bool

    @abstractmethod
    async def end(self) -> NoReturn:
        """End the call."""

    async def before(self) -> None:
        """End the call before its request is carried out, unless it is for later."""
        if not self.after_commit:
            await self.end()

    async def after(self, reply: Reply) -> Reply:  # noqa: ARG002 - the answer is lost
        """End the call whose request was carried out."""
        await self.end()


@attrs.frozen
class Delay(FaultKind):
    """Calls take longer, by the wall clock and not by the devserver's own.

    Attributes:
        seconds: How much longer.
        jitter: Up to how many seconds on top, drawn anew for each call.
    """

    seconds: float = attrs.field(validator=attrs.validators.ge(0))
    jitter: float = attrs.field(default=0.0, validator=attrs.validators.ge(0))

    async def before(self) -> None:
        """Wait."""
        await anyio.sleep(self.seconds + random.uniform(0, self.jitter))  # noqa: S311 - no secret


def _is_code(_fault: object, _field: object, code: str) -> None:
    if rpc_error(code, "").code != code:
        raise ValueError(f"{code!r} is no gRPC status code that a call can fail with, such as 'UNAVAILABLE'")


@attrs.frozen
class Fail(_Ending):
    """Calls end with a status.

    Attributes:
        code: Name of the gRPC status code, such as ``"UNAVAILABLE"``.
        details: The words that come with it.
        after_commit: Whether the request is carried out before.
        pushback: Seconds that the server asks the client to wait before it tries again; negative asks it not to.
        metadata: Other trailing metadata.
    """

    code: str = attrs.field(validator=_is_code)
    details: str = "a fault of the devserver"
    after_commit: bool = attrs.field(default=False, kw_only=True)
    pushback: float | None = attrs.field(default=None, kw_only=True)
    metadata: Metadata = attrs.field(default=(), kw_only=True)

    async def end(self) -> NoReturn:
        """Refuse."""
        trailing = list(self.metadata)
        if self.pushback is not None:
            trailing.append((_PUSHBACK, "-1" if self.pushback < 0 else str(round(self.pushback * 1000))))
        raise rpc_error(self.code, self.details, trailing_metadata=trailing)


@attrs.frozen(kw_only=True)
class Cut(_Ending):
    """The connection that carries the call is reset; other calls on it are lost too. In process, only the call is.

    Attributes:
        after_commit: Whether the request is carried out before, so that only its answer is lost.
    """

    after_commit: bool = False

    async def end(self) -> NoReturn:
        """Lose the connection."""
        when = "after" if self.after_commit else "before"
        raise ConnectionCutError(f"the connection was cut {when} the request was carried out")


@attrs.frozen(kw_only=True)
class Hang(_Ending):
    """Calls are never answered: they end when the client gives up.

    Attributes:
        after_commit: Whether the request is carried out before.
    """

    after_commit: bool = False

    async def end(self) -> NoReturn:
        """Hang."""
        await anyio.sleep_forever()
        raise AssertionError  # for type checkers


@attrs.frozen
class Trickle(FaultKind):
    """Answers take a time that grows with their size, as over a slow line.

    Attributes:
        bytes_per_second: The speed of the line.
    """

    bytes_per_second: float = attrs.field(validator=attrs.validators.gt(0))

    async def after(self, reply: Reply) -> Reply:
        """Wait as long as the answer takes."""
        await anyio.sleep(len(reply.message) / self.bytes_per_second)
        return reply


@attrs.frozen
class Truncate(FaultKind):
    """Answers are cut short, with status OK: a few bytes are no message any more, and none are an empty one.

    Attributes:
        length: How many bytes are left.
    """

    length: int = attrs.field(default=0, validator=attrs.validators.ge(0))

    async def after(self, reply: Reply) -> Reply:
        """Shorten the answer."""
        return Reply(reply.message[: self.length], reply.trailing_metadata)


@attrs.frozen
class KubernetesFails(FaultKind):
    """Kubernetes refuses to create what an execution runs as.

    CreateExecution of a launch plan answers OK, and the execution has FAILED at once; of a single task it answers
    INTERNAL, and there is no execution. As in Flyte 1.16.8.

    Attributes:
        details: What Kubernetes says.
    """

    details: str = "etcdserver: request timed out"
    inside: ClassVar[bool] = True


@attrs.frozen
class DatabaseFails(FaultKind):
    """The database fails after the execution was created in Kubernetes.

    CreateExecution fails and knows of no execution, which runs nevertheless; sent again with the same name it succeeds,
    and does not run a second time. As in Flyte 1.16.8.

    Attributes:
        details: What the database says.
    """

    details: str = "dial tcp 127.0.0.1:5432: connect: connection refused"
    inside: ClassVar[bool] = True
