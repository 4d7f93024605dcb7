"""How S3 answers: with a response, or with an error in XML."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from flyte_remote_async.devserver.objects import ObjectTooLargeError
from flyte_remote_async.devserver.web import s3xml
from flyte_remote_async.devserver.web.bodies import MalformedBodyError
from flyte_remote_async.errors import IntegrityError, StorageError, UnsafePathError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Answering", "S3Error", "no_such_key"]

_DRAINED: Final = 4 << 20

Answer: TypeAlias = Callable[[Request], Awaitable["ASGIApp"]]


class S3Error(Exception):
    """Raised where S3 answers with an error.

    Attributes:
        status: The HTTP status.
        code: S3's code.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def no_such_key() -> S3Error:
    """Return the error for an object that is not there."""
    return S3Error(404, "NoSuchKey", "The specified key does not exist.")


class Answering:
    """An ASGI application over a function from request to response, whose refusals become S3's errors.

    Args:
        answer: The function.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        body = _Body(receive)
        request = Request(scope, body.receive)
        begun = False

        async def note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            response = await self._answer(request)
            await response(scope, receive, note)
        except ClientDisconnect:
            return
        except (S3Error, StorageError, MalformedBodyError) as error:
            if begun:
                raise  # half of an object was sent: a cut connection tells
            await body.drain()
            await _refusal(request, error)(scope, receive, send)


class _Body:
    """Remembers whether the body of a request was read to its end."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._has_more = True

    async def receive(self) -> Message:
        message = await self._receive()
        self._has_more = bool(message.get("more_body"))
        return message

    async def drain(self) -> None:
        """Read what is left, up to a bound: a client that is still sending hears no refusal when the port closes."""
        left = _DRAINED
        while self._has_more and left > 0:
            left -= len((await self.receive()).get("body", b""))


def _refusal(request: Request, error: Exception) -> Response:
    match error:
        case S3Error():
            status, code = error.status, error.code
        case IntegrityError():
            status, code = 400, "BadDigest"
        case MalformedBodyError():
            status, code = 400, "IncompleteBody"
        case ObjectTooLargeError():
            status, code = 400, "EntityTooLarge"
        case UnsafePathError():
            status, code = 400, "InvalidArgument"
        case _:
            status, code = 507, "InsufficientStorage"
    body = b"" if request.method == "HEAD" else s3xml.error(code, str(error), request.url.path)
    # What was not read of a body that is refused would be taken for the next request.
    return Response(
        body, status, {"Connection": "close"} if request.method in {"PUT", "POST"} else None, "application/xml"
    )
