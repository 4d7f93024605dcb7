"""Objects behind web addresses: plain ones, and those that the control plane signs.

Whoever has a signed URL may read the object, so none shows in an error, a log or a traceback.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import urljoin

import attrs

from flyte_remote_async.errors import FlyteRemoteError, IntegrityError, ObjectNotFoundError, StorageError
from flyte_remote_async.storage.origins import Body, InterruptedTransfer
from flyte_remote_async.storage.pieces import Pieces
from flyte_remote_async.storage.signed_urls import redacted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import httpx

    from flyte_remote_async.storage.addresses import Address
    from flyte_remote_async.storage.origins import Entry, Origin

    Client = Callable[[], Awaitable[httpx.AsyncClient]]

__all__ = ["Sign", "SignedStore", "WebStore", "digest_of", "request_for", "translate"]

Sign: TypeAlias = "Callable[[str], Awaitable[str]]"
"""Gives a signed URL for a URI."""

_OK: Final = 200
_PARTIAL: Final = 206
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS: Final = 5
_FORBIDDEN: Final = frozenset({401, 403})
_GONE: Final = frozenset({404, 410})
_CHANGED: Final = 412
_BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


@attrs.frozen
class WebStore:
    """Plain web addresses."""

    client: Client
    name: str = "its web address"

    async def origin(self, address: Address) -> Origin:
        """Return the object behind a URL."""
        url = address.uri

        async def same(_uri: str) -> str:
            return url

        return WebObject(self.client, same, address.shown, url, signs=0)

    async def entries(self, address: Address) -> Sequence[Entry]:
        """Refuse: the web has no lists."""
        reason = "a web address has no list of what is under it"
        raise StorageError(reason, uri=address.shown)


@attrs.frozen
class SignedStore:
    """Objects that the control plane signs URLs for, with credentials of its own.

    Attributes:
        client: Gives the HTTP client.
        sign: Returns a URL for a native one; each is good for an hour at most.
    """

    client: Client
    sign: Sign
    name: str = "a URL signed by the control plane"

    async def origin(self, address: Address) -> Origin:
        """Return an object; the URL is signed at once, which is as late as possible."""
        return WebObject(self.client, self.sign, address.shown, await self._sign(address), signs=1)

    async def _sign(self, address: Address) -> str:
        try:
            url = await self.sign(address.uri)
        except FlyteRemoteError as error:
            raise StorageError(str(error), uri=address.shown) from error
        if not url.startswith(("http://", "https://")):
            reason = f"the control plane signed {redacted(url)!r}, which is no web address"
            raise StorageError(reason, uri=address.shown)
        return url

    async def entries(self, address: Address) -> Sequence[Entry]:
        """Refuse: the control plane signs objects, not lists."""
        reason = "listing it needs credentials for the store: the control plane signs URLs for objects, not for lists"
        raise StorageError(reason, uri=address.shown)


@attrs.define
class WebObject:
    """An object behind a URL, which is signed again when it has expired."""

    client: Client
    sign: Callable[[str], Awaitable[str]]
    shown: str
    url: str = attrs.field(repr=False)
    signs: int  # how often it may still be signed

    async def get(self, offset: int, tag: str | None) -> Body:
        """Send a GET; see :class:`flyte_remote_async.storage.origins.Origin`."""
        response = await self._send(offset, tag)
        if response.status_code in _FORBIDDEN and self.signs:
            await response.aclose()
            self.signs -= 1
            self.url = await self.sign(self.shown)
            response = await self._send(offset, tag)
        try:
            self._check(response, offset)
        except BaseException:
            await response.aclose()
            raise
        return _body(response, offset if response.status_code == _OK else 0)

    async def _send(self, offset: int, tag: str | None) -> httpx.Response:
        client = await self.client()
        # The bytes are wanted as they are stored, and so that their number can be checked.
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
            if tag is not None and not tag.startswith("W/"):
                headers["If-Match"] = tag
        url = self.url
        for _ in range(_MOST_REDIRECTS + 1):
            try:
                response = await client.send(request_for(client, "GET", url, headers=headers), stream=True)
            except Exception as error:
                translate(error, self.shown)
                raise
            if response.status_code not in _MOVED or "location" not in response.headers:
                return response
            await response.aclose()
            url = urljoin(url, response.headers["location"])
        raise StorageError(f"its web address leads on more than {_MOST_REDIRECTS} times", uri=self.shown)

    def _check(self, response: httpx.Response, offset: int) -> None:
        status = response.status_code
        if status == _OK or (offset and status == _PARTIAL):
            return
        if status in _BUSY:
            raise InterruptedTransfer(f"{redacted(self.url)} answers {status}")
        if status in _GONE:
            raise ObjectNotFoundError(f"{redacted(self.url)} answers {status}", uri=self.shown)
        if status == _CHANGED:
            raise IntegrityError("it was changed while it was read", uri=self.shown)
        raise StorageError(f"{redacted(self.url)} answers {status}", uri=self.shown)


def request_for(client: httpx.AsyncClient, method: str, url: str, **options: Any) -> httpx.Request:
    """Return a request whose signature the client does not log.

    It logs the URL that it is given, so what is really asked for goes beside it.
    """
    import httpx

    whole = httpx.URL(url)
    shown = whole.copy_with(query=None, fragment=None, userinfo=b"")
    return client.build_request(method, shown, extensions={"target": whole.raw_path}, **options)


def translate(error: Exception, shown: str) -> None:
    """Raise what an error of the HTTP client means; it may hold the whole URL, so it is not the cause either."""
    import httpx

    word = type(error).__name__
    if isinstance(error, (httpx.UnsupportedProtocol, httpx.InvalidURL)):
        raise StorageError(f"its web address cannot be used: {word}", uri=shown) from None
    if isinstance(error, httpx.TransportError):
        raise InterruptedTransfer(f"the connection failed: {word}") from None


def _body(response: httpx.Response, skip: int) -> Body:
    stream = response.aiter_raw()

    async def piece() -> bytes:
        try:
            return await anext(stream, b"")
        except Exception as error:
            translate(error, "")
            raise

    headers = response.headers
    read = Pieces(piece, skip).read
    return Body(read, response.aclose, _size(headers), headers.get("etag"), _md5(headers))


def _size(headers: Any) -> int | None:
    """Return the size of the whole object, from the headers of the whole or of a part."""
    _, _, total = headers.get("content-range", "").partition("/")
    text = total or headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else None


# Where stores say the digest: Azure, Google, and the note that Flyte's uploads make on every store.
_DIGESTS: Final = (
    "content-md5",
    "x-amz-meta-flytecontentmd5",
    "x-goog-meta-flytecontentmd5",
    "x-ms-meta-flytecontentmd5",
)


def _md5(headers: Any) -> bytes | None:
    given = [headers[name] for name in _DIGESTS if name in headers]
    hashes = (part.strip() for part in headers.get("x-goog-hash", "").split(","))
    given += [part.removeprefix("md5=") for part in hashes if part.startswith("md5=")]
    return next(filter(None, map(digest_of, given)), None)


def digest_of(text: str) -> bytes | None:
    """Return an MD5 digest from its base64 form; None where it is none."""
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest if len(digest) == 16 else None  # noqa: PLR2004 - the size of an MD5 digest
