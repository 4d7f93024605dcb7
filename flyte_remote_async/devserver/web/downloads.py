"""An object as a response: whole or a part of it, or that it has not changed."""

from __future__ import annotations

import mimetypes
import re
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from flyte_remote_async.devserver.web.answers import S3Error, no_such_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope, Send

    from flyte_remote_async.devserver.objects import ObjectInfo, Objects, OpenObject

__all__ = ["Download", "object_headers", "wanted_range"]

# Reads files of the machine, so it is made with the application, off the loop.
_TYPES: Final = mimetypes.MimeTypes()
_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")


def wanted_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the part of an object that a ``Range`` header asks for: its first byte and the one after its last.

    Args:
        header: The header; None or something that is not understood asks for the whole, as RFC 9110 has it.
        size: Bytes of the object.

    Raises:
        S3Error: No byte of the object is in that range.
    """
    match = _RANGE.fullmatch(header or "")
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, stop = max(size - int(last), 0), size
    else:
        start, stop = int(first), size if not last else min(int(last) + 1, size)
        if last and int(last) < int(first):
            return None
    if start >= stop:
        raise S3Error(416, "InvalidRange", "The requested range is not satisfiable")
    return start, stop


def object_headers(info: ObjectInfo) -> dict[str, str]:
    """Return the headers that tell what is known of an object."""
    return {
        "ETag": f'"{info.etag}"',
        "Last-Modified": format_datetime(info.modified_at, usegmt=True),
        "Accept-Ranges": "bytes",
        "Content-Type": _TYPES.guess_type(info.key)[0] or "binary/octet-stream",
        "X-Content-Type-Options": "nosniff",
        # A deck is a page that a task wrote: it may show itself, and nothing of this port.
        "Content-Security-Policy": "sandbox allow-scripts",
    }


class Download:
    """An ASGI response that sends an object.

    Args:
        objects: Where it is.
        key: Its key.
        headers: The headers of the request, by names in lower case.
        body: Whether it is sent, or told about alone.
    """

    def __init__(self, objects: Objects, key: str, headers: Mapping[str, str], *, body: bool) -> None:
        self._objects = objects
        self._key = key
        self._headers = headers
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it.

        Raises:
            S3Error: There is none, or the request asks for what it has not; nothing is sent.
        """
        async with self._objects.open(self._key) as found:
            if found is None:
                raise no_such_key()
            if self._is_unchanged(found.info):
                await Response(None, 304, object_headers(found.info))(scope, receive, send)
                return
            await self._send(found, send)

    async def _send(self, found: OpenObject, send: Send) -> None:
        part = wanted_range(self._headers.get("range"), found.info.size)
        start, stop = part or (0, found.info.size)
        headers = {**object_headers(found.info), "Content-Length": str(stop - start)}
        if part:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{found.info.size}"
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 206 if part else 200, "headers": raw})
        if self._body:
            async for piece in found.pieces(start, stop):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def _is_unchanged(self, info: ObjectInfo) -> bool:
        tag = f'"{info.etag}"'
        if self._headers.get("if-match", tag) not in {tag, info.etag, "*"}:
            raise S3Error(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
        return self._headers.get("if-none-match") in {tag, info.etag, "*"}
