"""What a transport is: something that carries the bytes of one unary call to the control plane and back.

Everything else (deadline, retry, credentials, the guard against a closed client) wraps a transport and is one.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeAlias, TypeVar, cast

from google.protobuf.message import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Metadata", "Method", "Reply", "Request", "Response", "Transport"]

Metadata: TypeAlias = "Sequence[tuple[str, str | bytes]]"

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class Method(NamedTuple, Generic[Request, Response]):
    """One unary RPC: all that a backend, a caller and the devserver must know of it.

    The message classes are named, not held, so that a program that never uses a service does not import its messages.

    Attributes:
        service: Full name of the service, such as ``"flyteidl.service.AdminService"``.
        name: Name of the RPC, such as ``"GetExecution"``.
        request: Name of the request message below ``flyteidl``, such as ``"admin.execution.Execution"``.
        response: Name of the response message.
        idempotent: Whether sending it twice has the effect of sending it once, so that it may be retried.
    """

    service: str
    name: str
    request: str
    response: str
    idempotent: bool

    @property
    def path(self) -> str:
        """The path of the RPC on the wire, such as ``"/flyteidl.service.AdminService/GetExecution"``."""
        return f"/{self.service}/{self.name}"

    @property
    def request_type(self) -> type[Request]:
        """The class of the request message."""
        return cast("type[Request]", _message_class(self.request))

    @property
    def response_type(self) -> type[Response]:
        """The class of the response message."""
        return cast("type[Response]", _message_class(self.response))


def _message_class(name: str) -> type[Message]:
    module, _, message = name.rpartition(".")
    return cast("type[Message]", getattr(importlib.import_module(f"flyteidl.{module}_pb2"), message))


class Reply(NamedTuple):
    """What came back for a call that succeeded.

    Attributes:
        message: The bytes of the response message.
        trailing_metadata: What the server sent after it.
    """

    message: bytes
    trailing_metadata: Metadata = ()


class Transport(Protocol):
    """Carry one request, bring back one reply, or raise one of our errors."""

    async def unary(
        self,
        method: Method[Request, Response],
        request: bytes,
        *,
        timeout: float | None = None,
        metadata: Metadata = (),
    ) -> Reply:
        """Make one call.

        Args:
            method: The RPC.
            request: The bytes of its request message.
            timeout: Seconds that the call may take, everything included; None is without limit.
            metadata: Headers to send with it.

        Raises:
            RPCError: The call did not succeed; one class for each gRPC status.
            ClientStateError: The transport cannot be used here or now.
        """
        ...

    async def aclose(self) -> None:
        """Close the transport; calls in flight end with :class:`ClosedError`. Closing twice is fine."""
        ...
