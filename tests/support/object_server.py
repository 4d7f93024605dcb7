"""An object store on the loopback: enough of S3's REST, plain HTTP, signed URLs, and the faults that networks have."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

import attrs

from flyte_remote_async.config.values import Secret, StorageConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

__all__ = ["Answer", "ObjectServer", "Request", "object_server", "signed"]

_WORDS = {200: "OK", 206: "Partial Content", 403: "Forbidden", 404: "Not Found", 412: "Precondition Failed"}


@attrs.frozen
class Request:
    """What was asked."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@attrs.define
class Answer:
    """What is answered, and how badly."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = attrs.Factory(dict)
    cut: int | None = None
    """Bytes of the body after which the connection is cut."""
    stall: int | None = None
    """Bytes of the body after which nothing comes any more."""
    chunked: bool = False


class ObjectServer:
    """Objects by path, such as ``"bucket/key"``."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.notes: dict[str, dict[str, str]] = {}
        self.requests: list[Request] = []
        self.fault: Callable[[Request, Answer], Answer | None] = lambda _request, answer: answer
        self.busy = 0
        self.busiest = 0
        self.delay = 0.0
        self.port = 0
        self.released = asyncio.Event()
        self.open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def config(self, **overrides: Any) -> StorageConfig:
        """Return credentials for it, and no second tries."""
        usual: dict[str, Any] = {
            "s3_endpoint": self.url,
            "s3_access_key_id": "key",
            "s3_secret_access_key": Secret("secret"),
            "s3_addressing_style": "path",
            "s3_retries": 0,
        }
        return StorageConfig(**(usual | overrides))

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self.open[task] = writer
        try:
            while request := await _read(reader):
                self.requests.append(request)
                self.busy += 1
                self.busiest = max(self.busiest, self.busy)
                try:
                    await asyncio.sleep(self.delay)
                    answer = self.fault(request, self.answer(request))
                    if answer is None or not await self._write(writer, request, answer):
                        break
                finally:
                    self.busy -= 1
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            del self.open[task]

    async def aclose(self) -> None:
        """Cut all connections, and wait until they are served no more."""
        self.released.set()
        for writer in self.open.values():
            writer.close()
        await asyncio.gather(*self.open, return_exceptions=True)

    def answer(self, request: Request) -> Answer:
        """Answer as a store does."""
        name = unquote(request.path).lstrip("/")
        if request.query.get("list-type") == "2":
            return Answer(body=self._list(name.strip("/"), request.query), headers={"Content-Type": "application/xml"})
        if request.method == "PUT":
            self.objects[name] = request.body
            digest = base64.b64encode(hashlib.md5(request.body).digest()).decode()  # noqa: S324 - S3's own
            return Answer(headers={"ETag": '"new"', "X-Digest": digest})
        if name not in self.objects:
            return Answer(404, b"<Error><Code>NoSuchKey</Code><Message>none</Message></Error>")
        return self._object(name, request)

    def _object(self, name: str, request: Request) -> Answer:
        data = self.objects[name]
        tag = f'"{hashlib.md5(data).hexdigest()}"'  # noqa: S324 - S3's own
        headers = {"ETag": tag, "Last-Modified": "Tue, 01 Jul 2025 00:00:00 GMT", **self.notes.get(name, {})}
        if request.headers.get("if-match", tag) != tag:
            return Answer(412, b"", headers)
        begin = request.headers.get("range", "")
        if not begin:
            return Answer(200, data, headers)
        first, _, last = begin.removeprefix("bytes=").partition("-")
        end = int(last) + 1 if last else len(data)
        headers["Content-Range"] = f"bytes {first}-{min(end, len(data)) - 1}/{len(data)}"
        return Answer(206, data[int(first) : end], headers)

    def _list(self, bucket: str, query: dict[str, str]) -> bytes:
        prefix = query.get("prefix", "")
        names = sorted(
            name.removeprefix(f"{bucket}/") for name in self.objects if name.startswith(f"{bucket}/{prefix}")
        )
        after = query.get("continuation-token", "")
        left = [name for name in names if name > after]
        page, more = left[:5], len(left) > 5
        items = "".join(
            f"<Contents><Key>{escape(name)}</Key><Size>{len(self.objects[f'{bucket}/{name}'])}</Size>"
            '<LastModified>2025-07-01T00:00:00.000Z</LastModified><ETag>"x"</ETag></Contents>'
            for name in page
        )
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        return (
            f"<ListBucketResult><Name>{bucket}</Name><IsTruncated>{str(more).lower()}</IsTruncated>"
            f"{items}{token}</ListBucketResult>"
        ).encode()

    async def _write(self, writer: asyncio.StreamWriter, request: Request, answer: Answer) -> bool:
        headers = {"Content-Length": str(len(answer.body)), **answer.headers}
        body = b"" if request.method == "HEAD" else answer.body
        if answer.chunked:
            del headers["Content-Length"]
            headers["Transfer-Encoding"] = "chunked"
            body = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
        word = _WORDS.get(answer.status, "Status")
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {answer.status} {word}\r\n{lines}\r\n".encode())
        end = answer.cut if answer.cut is not None else answer.stall
        writer.write(body if end is None else body[:end])
        await writer.drain()
        if answer.stall is not None:
            await self.released.wait()
        return end is None


async def _read(reader: asyncio.StreamReader) -> Request | None:
    head = await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""
    if not head:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    return Request(method, parts.path, query, headers, body)


@asynccontextmanager
async def object_server() -> AsyncIterator[ObjectServer]:
    """Serve objects until the end of the block."""
    server = ObjectServer()
    serving = await asyncio.start_server(server.handle, "127.0.0.1", 0, limit=1 << 20)
    server.port = serving.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        serving.close()
        await server.aclose()


def signed(server: ObjectServer, uri: str, secret: str) -> str:
    """Return a URL for an ``s3://`` URI that whoever has it may read."""
    return f"{server.url}/{quote(uri.removeprefix('s3://'))}?X-Signature={secret}"
