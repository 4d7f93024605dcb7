"""The part of S3 that clients of a bucket need, and the URLs that the data proxy signs.

Source: Amazon S3's API reference. Buckets are named by path. Any credentials are taken, as there is nobody to tell
apart; a request without any is refused, so that no page and no form can make one.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import unquote

from starlette.convertors import PathConvertor, register_url_convertor
from starlette.responses import Response
from starlette.routing import Route

from flyte_remote_async.devserver.naming import BUCKET
from flyte_remote_async.devserver.objects import REGION
from flyte_remote_async.devserver.web import s3xml
from flyte_remote_async.devserver.web.answers import Answering, S3Error, no_such_key
from flyte_remote_async.devserver.web.bodies import unchunked
from flyte_remote_async.devserver.web.downloads import Download
from flyte_remote_async.devserver.web.lists import page_of
from flyte_remote_async.devserver.web.multipart import Multipart

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from flyte_remote_async.devserver.web.context import Context

__all__ = ["routes"]

_METHODS: Final = ["GET", "HEAD", "PUT", "POST", "DELETE"]
_MOST_KEYS: Final = 1000
_LARGEST_REQUEST: Final = 2 << 20  # of those whose body is not an object

T = TypeVar("T")


class _Key(PathConvertor):
    # A key may have line breaks, which the dot of a path leaves out.
    regex = "(?s:.*)"


register_url_convertor("object_key", _Key())


def routes(context: Context) -> list[Route]:
    """Return the routes of the bucket."""
    face = _Face(context)
    return [
        Route(f"/{BUCKET}", Answering(face.bucket), methods=_METHODS),
        Route(f"/{BUCKET}/{{key:object_key}}", Answering(face.object), methods=_METHODS),
        Route("/{bucket}/{key:object_key}", Answering(face.no_bucket), methods=_METHODS),
    ]


class _Face:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._objects = context.objects
        self._multipart = Multipart(context.objects)

    def _check(self, request: Request) -> None:
        """Refuse a request with a bad signature of this server, and one without any credentials."""
        query, headers = request.query_params, request.headers
        if self._context.signer.is_mine(query):
            now = self._context.clock.now()
            refusal = self._context.signer.refusal(request.method, request.scope["path"], query, headers, now=now)
            if refusal is not None:
                raise S3Error(403, refusal.code, refusal.message)
        elif "authorization" not in headers and "X-Amz-Credential" not in query:
            raise S3Error(403, "AccessDenied", "Access Denied: the request carries no credentials and no signature")

    # --- the bucket ---

    async def bucket(self, request: Request) -> ASGIApp:
        """Answer what is asked of the bucket itself."""
        self._check(request)
        query = request.query_params
        match request.method:
            case "HEAD" | "PUT":
                return Response(headers={"x-amz-bucket-region": REGION})
            case "GET" if "location" in query:
                return _xml(s3xml.document("LocationConstraint"))
            case "GET" if query.get("list-type") == "2":
                return await self._list(request)
            case "POST" if "delete" in query:
                return await self._delete_several(request)
        raise _not_served(request)

    async def _list(self, request: Request) -> Response:
        query = request.query_params
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        limit = min(_number(query.get("max-keys", str(_MOST_KEYS)), "max-keys"), _MOST_KEYS)
        after = max(unquote(query.get("continuation-token", "")), query.get("start-after", ""), key=str.encode)
        page = page_of(await self._objects.list(prefix), prefix=prefix, delimiter=delimiter, after=after, limit=limit)
        return _xml(
            s3xml.listing(
                page.infos,
                page.folders,
                prefix=prefix,
                delimiter=delimiter,
                limit=limit,
                next_token=page.next_token,
                quoted=query.get("encoding-type") == "url",
            )
        )

    async def _delete_several(self, request: Request) -> Response:
        keys = _parsed(s3xml.keys_to_delete, await _small_body(request))
        for key in keys:
            await self._objects.delete(key)
        return _xml(s3xml.deleted(keys))

    async def no_bucket(self, request: Request) -> ASGIApp:
        """Refuse what is asked of another bucket."""
        self._check(request)
        raise S3Error(404, "NoSuchBucket", f"The specified bucket does not exist: the devserver has {BUCKET} alone")

    # --- objects ---

    async def object(self, request: Request) -> ASGIApp:
        """Answer what is asked of one object."""
        key = request.path_params["key"]
        if not key:
            return await self.bucket(request)
        self._check(request)
        if {"acl", "tagging", "retention", "attributes"} & request.query_params.keys():
            raise _not_served(request)
        if "uploads" in request.query_params or "uploadId" in request.query_params:
            return await self._in_parts(request, key)
        match request.method:
            case "PUT" if "x-amz-copy-source" in request.headers:
                return await self._copy(key, request.headers["x-amz-copy-source"])
            case "PUT":
                return await self._put(request, key)
            case "DELETE":
                await self._objects.delete(key)
                return Response(status_code=204)
            case "POST":
                raise _not_served(request)
        return Download(self._objects, key, request.headers, body=request.method == "GET")

    async def _in_parts(self, request: Request, key: str) -> Response:
        query = request.query_params
        upload_id = query.get("uploadId", "")
        match request.method:
            case "POST" if "uploads" in query:
                upload_id = self._multipart.begin(key)
                return _xml(s3xml.document("InitiateMultipartUploadResult", Bucket=BUCKET, Key=key, UploadId=upload_id))
            case "PUT" if "x-amz-copy-source" not in request.headers:
                number = _number(query.get("partNumber", ""), "partNumber")
                tag = await self._multipart.put(upload_id, key, number, _body(request))
                return Response(headers={"ETag": f'"{tag}"'})
            case "POST":
                numbers = _parsed(s3xml.parts_to_join, await _small_body(request))
                tag = (await self._multipart.complete(upload_id, key, numbers)).etag
                return _xml(s3xml.document("CompleteMultipartUploadResult", Bucket=BUCKET, Key=key, ETag=f'"{tag}"'))
            case "DELETE":
                await self._multipart.abort(upload_id, key)
                return Response(status_code=204)
        raise _not_served(request)

    async def _put(self, request: Request, key: str) -> Response:
        digest = _digest(request.headers.get("content-md5", ""))
        if _number(request.headers.get("content-length", "0"), "content-length") > self._objects.largest:
            raise S3Error(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
        if request.headers.get("if-none-match") == "*" and await self._objects.head(key) is not None:
            raise S3Error(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
        info = await self._objects.put(key, _body(request), md5=digest)
        return Response(headers={"ETag": f'"{info.etag}"'})

    async def _copy(self, key: str, source: str) -> Response:
        path = unquote(source).partition("?")[0].lstrip("/")
        bucket, _, from_key = path.partition("/")
        async with self._objects.open(from_key) as found:
            if found is None or bucket != BUCKET:
                raise no_such_key()
            info = await self._objects.put(key, found.pieces())
        modified = s3xml.instant(info.modified_at)
        return _xml(s3xml.document("CopyObjectResult", LastModified=modified, ETag=f'"{info.etag}"'))


async def _body(request: Request) -> AsyncIterator[bytes]:
    pieces: AsyncIterator[bytes] = request.stream()
    if "aws-chunked" in request.headers.get("content-encoding", ""):
        pieces = unchunked(pieces)
    async for piece in pieces:
        if piece:
            yield piece


async def _small_body(request: Request) -> bytes:
    body = b""
    async for piece in _body(request):
        body += piece
        if len(body) > _LARGEST_REQUEST:
            raise S3Error(400, "MaxMessageLengthExceeded", "Your request was too big.")
    return body


def _parsed(parse: Callable[[bytes], T], body: bytes) -> T:
    try:
        return parse(body)
    except ValueError as error:
        raise S3Error(400, "MalformedXML", f"The XML you provided was not well-formed: {error}") from error


def _digest(header: str) -> bytes | None:
    if not header:
        return None
    try:
        digest = base64.b64decode(header, validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != 16:  # noqa: PLR2004 - an MD5
        raise S3Error(400, "InvalidDigest", "The Content-MD5 you specified is not valid.")
    return digest


def _number(text: str, name: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise S3Error(400, "InvalidArgument", f"Provided {name} not an integer or within integer range")
    return int(text)


def _xml(body: bytes) -> Response:
    return Response(body, media_type="application/xml")


def _not_served(request: Request) -> S3Error:
    return S3Error(501, "NotImplemented", f"the devserver does not serve {request.method} {request.url.query}")
