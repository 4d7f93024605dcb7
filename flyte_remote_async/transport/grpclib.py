"""Bytes over grpclib: pure Python, and able to skip the verification of TLS.

grpclib connects and speaks HTTP/2; the exchange of one call is done here, on its HTTP/2 layer. Its public stream has
no limit for what it receives, and it ends a call by cancelling the caller's task without ever taking that back, which
breaks the scopes and task groups around the call.
"""

from __future__ import annotations

import asyncio
import re
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import anyio
import anyio.to_thread
from grpclib.client import Channel
from grpclib.config import Configuration
from grpclib.exceptions import StreamTerminatedError
from h2.errors import ErrorCodes
from h2.exceptions import H2Error

from flyte_remote_async.errors import ClosedError, RPCError
from flyte_remote_async.transport import wire
from flyte_remote_async.transport.base import Reply
from flyte_remote_async.transport.interruption import Interruption
from flyte_remote_async.transport.status import (
    DEADLINE_EXCEEDED,
    NO_MESSAGE,
    code_of_http_status,
    http_status_details,
    status_error,
    too_large,
)
from flyte_remote_async.transport.tls import ssl_context

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grpclib.protocol import H2Protocol, Stream

    from flyte_remote_async.transport.base import Metadata, Method
    from flyte_remote_async.transport.target import Target
    from flyte_remote_async.transport.tls import TLSOptions

__all__ = ["GrpclibTransport"]

_HTTP_OK: Final = "200"
# Load balancers drop silent connections after 60 s or more, and often tell nobody: we are first.
_IDLE_SECONDS: Final = 50.0
_FIRST_BACKOFF: Final = 0.25
_LAST_BACKOFF: Final = 5.0
_RESET: Final = r"Stream reset by remote party, error_code: (\d+)"


class GrpclibTransport:
    """One connection of grpclib, made with the first call and again when it was lost.

    Args:
        target: Where to connect to.
        tls: What to trust and to show.
        max_message_bytes: The largest reply that is taken.
        user_agent: What to call ourselves.
    """

    def __init__(self, target: Target, tls: TLSOptions, *, max_message_bytes: int, user_agent: str) -> None:
        self._endpoint = str(target)
        self._max_message_bytes = max_message_bytes
        self._connection = _Connection(target, tls)
        # HTTP/2 wants the pseudo-headers first.
        self._pseudo_headers = (
            (":method", "POST"),
            (":scheme", "http" if target.insecure else "https"),
            (":authority", tls.server_name or ("localhost" if target.unix_path else str(target))),
        )
        self._fixed_headers = (
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", f"{user_agent} grpclib"),
        )

    async def unary(
        self, method: Method[Any, Any], request: bytes, *, timeout: float | None = None, metadata: Metadata = ()
    ) -> Reply:
        """Make one call; see :class:`~flyte_remote_async.transport.base.Transport`."""
        wire.check_metadata(metadata)
        headers = [*self._pseudo_headers, (":path", method.path), *self._fixed_headers, *wire.encode_metadata(metadata)]
        interruption = Interruption()
        timer = None
        if timeout is not None:
            if timeout <= 0:
                raise self._error("DEADLINE_EXCEEDED", DEADLINE_EXCEEDED, method)
            headers.append(("grpc-timeout", wire.encode_timeout(timeout)))
            expire = partial(self._expire, interruption, method)
            timer = asyncio.get_running_loop().call_later(timeout, expire)
        try:
            with interruption:
                protocol = await self._connection.acquire()
            try:
                return await self._exchange(protocol, method, headers, request, interruption)
            finally:
                self._connection.release()
        except RPCError:
            raise  # some are OSError, too
        except (StreamTerminatedError, H2Error, OSError) as error:
            if self._connection.closed:
                raise ClosedError(f"{method.name}: the connection to {self._endpoint} was closed") from None
            raise self._error(*_reason(error), method) from None
        finally:
            if timer is not None:
                timer.cancel()

    def _expire(self, interruption: Interruption, method: Method[Any, Any]) -> None:
        interruption.cancel(self._error("DEADLINE_EXCEEDED", DEADLINE_EXCEEDED, method))

    async def _exchange(
        self,
        protocol: H2Protocol,
        method: Method[Any, Any],
        headers: list[tuple[str, str]],
        request: bytes,
        interruption: Interruption,
    ) -> Reply:
        stream = protocol.processor.connection.create_stream(wrapper=cast("Any", interruption))
        with interruption:
            release = await stream.send_request(headers, _processor=protocol.processor)
        try:
            with interruption:
                # It may have been lost while the request waited for its turn; grpclib would wait on.
                _check_live(protocol)
                await stream.send_data(wire.frame(request), end_stream=True)
                return await self._receive(stream, method)
        except (StreamTerminatedError, H2Error):
            # A server may answer before it has read everything, and then resets the stream: the answer counts.
            if stream.headers is not None:
                self._check_headers(stream.headers, method)
            answer = stream.trailers or stream.headers or ()
            if "grpc-status" in dict(answer):
                raise self._status(answer, method) from None
            raise
        finally:
            if stream.closable:
                stream.reset_nowait(ErrorCodes.CANCEL)
            release()

    async def _receive(self, stream: Stream, method: Method[Any, Any]) -> Reply:
        headers = await stream.recv_headers()
        self._check_headers(headers, method)
        message = await self._receive_message(stream, method)
        # This ends with the stream; to wait for trailers would be to wait for ever when there are none.
        surplus = await stream.recv_data(1)
        trailers = stream.trailers or headers
        if dict(trailers).get("grpc-status") != "0":
            raise self._status(trailers, method)
        if message is None or surplus:
            raise self._error("INTERNAL", NO_MESSAGE, method)
        return Reply(message, wire.decode_metadata(trailers))

    async def _receive_message(self, stream: Stream, method: Method[Any, Any]) -> bytes | None:
        try:
            head = await stream.recv_data(wire.FRAME_HEAD)
            if not head:
                return None
            compressed, size = wire.read_frame_head(head)
            if compressed:
                raise self._error("INTERNAL", "the reply is compressed, which was not asked for", method)
            if size > (limit := self._max_message_bytes):
                raise too_large(
                    f"CLIENT: Received message larger than max ({size} vs. {limit})",
                    size,
                    limit,
                    method,
                    self._endpoint,
                )
            return await stream.recv_data(size)
        except AssertionError:
            # grpclib's word for a stream that ended within a message.
            raise self._error("INTERNAL", "the reply ended in the middle of a message", method) from None

    def _check_headers(self, headers: Sequence[tuple[str, str]], method: Method[Any, Any]) -> None:
        found = dict(headers)
        status = found.get(":status", "")
        if status != _HTTP_OK:
            raise self._error(code_of_http_status(status), http_status_details(status), method)
        content_type = found.get("content-type", "")
        if not content_type.startswith("application/grpc"):
            raise self._error("UNKNOWN", f"invalid content-type: {content_type}", method)

    def _status(self, trailers: Sequence[tuple[str, str]], method: Method[Any, Any]) -> RPCError:
        code, details = wire.status_of(dict(trailers))
        return self._error(code, details, method, wire.decode_metadata(trailers))

    def _error(self, code: str, details: str, method: Method[Any, Any], metadata: Metadata = ()) -> RPCError:
        return status_error(code, details, method, self._endpoint, metadata)

    async def aclose(self) -> None:
        """Close the connection; calls in flight end with :class:`ClosedError`."""
        self._connection.close()


def _reason(error: StreamTerminatedError | H2Error | OSError) -> tuple[str, str]:
    if isinstance(error, OSError):
        return "UNAVAILABLE", f"failed to connect: {error}"
    text = str(error)
    if reset := re.match(_RESET, text):
        return wire.code_of_reset(int(reset[1])), f"Received RST_STREAM with error code {reset[1]}"
    return "UNAVAILABLE", text or type(error).__name__


class _Connection:
    """The one connection: made when it is needed, again when it was lost, and not at once after a failure."""

    def __init__(self, target: Target, tls: TLSOptions) -> None:
        self.closed = False
        self._target = target
        self._tls = tls
        self._channel: Channel | None = None
        self._protocol: H2Protocol | None = None
        self._lock = anyio.Lock()
        self._users = 0
        self._last_used = 0.0
        self._failures = 0
        self._failure = ""
        self._not_before = 0.0

    async def acquire(self) -> H2Protocol:
        """Return a live connection; give it back with :meth:`release`.

        Raises:
            OSError: It cannot be made.
        """
        protocol = self._live()
        if protocol is None:
            async with self._lock:
                protocol = self._live() or await self._connect()
        self._users += 1
        return protocol

    def release(self) -> None:
        """Say that one call is done with the connection."""
        self._users -= 1
        self._last_used = time.monotonic()

    def _live(self) -> H2Protocol | None:
        protocol = self._protocol
        if protocol is None or _lost(protocol):
            return None
        if not self._users and time.monotonic() - self._last_used > _IDLE_SECONDS:
            return None
        return protocol

    async def _connect(self) -> H2Protocol:
        if time.monotonic() < self._not_before:
            raise OSError(self._failure)
        if self._channel is None:
            self._channel = await self._make_channel()
        self._channel.close()
        try:
            if not self.closed:
                self._protocol = await self._channel.__connect__()
        except OSError as error:
            self._failures += 1
            self._failure = str(error)
            pause = min(_LAST_BACKOFF, _FIRST_BACKOFF * 2 ** (self._failures - 1))
            self._not_before = time.monotonic() + pause
            raise
        if self.closed or self._protocol is None:
            self._channel.close()
            raise StreamTerminatedError("Connection closed")
        self._failures = 0
        return self._protocol

    async def _make_channel(self) -> Channel:
        target, tls = self._target, self._tls
        config = Configuration(ssl_target_name_override=tls.server_name)
        context = None
        if not target.insecure:
            context = await anyio.to_thread.run_sync(ssl_context, tls)
        if target.unix_path:
            return Channel(path=target.unix_path, ssl=context, config=config)
        return Channel(target.host, target.port, ssl=context, config=config)

    def close(self) -> None:
        """Close it for good."""
        self.closed = True
        if self._channel is not None:
            self._channel.close()


def _lost(protocol: H2Protocol) -> bool:
    return cast("Any", protocol.handler).connection_lost or protocol.connection.is_closing()


def _check_live(protocol: H2Protocol) -> None:
    if _lost(protocol):
        raise StreamTerminatedError("Connection lost")
