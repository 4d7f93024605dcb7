"""The data proxy: places to upload to, links to download from, and data by its flyte:// address.

Source: flyteadmin/dataproxy/service.go and pkg/common/flyte_url.go of Flyte 1.16.8.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any, Final

from flyteidl.admin import node_execution_pb2, task_execution_pb2
from flyteidl.core import identifier_pb2
from flyteidl.service import dataproxy_pb2

from flyte_remote_async.devserver.golang.kubernetes import random_name
from flyte_remote_async.devserver.golang.prototext import prototext
from flyte_remote_async.devserver.golang.references import BadReferenceError, constructed, parsed
from flyte_remote_async.devserver.naming import BUCKET
from flyte_remote_async.devserver.services.lifetimes import download_life, upload_life
from flyte_remote_async.devserver.store import Query
from flyte_remote_async.devserver.store.filters import equals
from flyte_remote_async.devserver.store.rows import node_key
from flyte_remote_async.errors import (
    AlreadyExistsError,
    InternalError,
    InvalidArgumentError,
    MissingExtraError,
    NotFoundError,
    RPCError,
    UnimplementedError,
)
from flyte_remote_async.transport import methods

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from flyteidl.core import literals_pb2
    from google.protobuf.duration_pb2 import Duration

    from flyte_remote_async.devserver.clock import Clock
    from flyte_remote_async.devserver.faces.dispatch import Registry
    from flyte_remote_async.devserver.golang.references import Reference
    from flyte_remote_async.devserver.objects import Objects
    from flyte_remote_async.devserver.services.nodes import NodeService
    from flyte_remote_async.devserver.store import Store
    from flyte_remote_async.devserver.web.face import HTTPFace

__all__ = ["DataProxyService"]

_WORD: Final = "[a-zA-Z0-9_-]+"
_NODE: Final = (
    rf"flyte://v1/(?P<project>{_WORD})/(?P<domain>{_WORD})/(?P<name>{_WORD})/(?P<node>{_WORD})"
    r"(?:/(?P<attempt>[0-9]+))?"
)
_ADDRESS: Final = re.compile(rf"{_NODE}/(?:(?P<side>[iod])|(?P<side_of_one>[io])/(?P<variable>{_WORD}))\Z")
_NAME_LENGTH: Final = 20
_MOST_ATTEMPTS: Final = (1 << 63) - 1


class DataProxyService:
    """The RPCs of the data proxy.

    Args:
        store: The state.
        nodes: Answers for the data of nodes and attempts.
        objects: The bucket.
        http: Signs URLs.
        clock: Dates them.
    """

    def __init__(self, store: Store, nodes: NodeService, objects: Objects, http: HTTPFace, clock: Clock) -> None:
        self._store = store
        self._nodes = nodes
        self._objects = objects
        self._http = http
        self._clock = clock

    def register(self, registry: Registry) -> None:
        """Add the RPCs of this service."""
        registry.add(methods.GET_DATA, self.get)
        registry.add(methods.CREATE_DOWNLOAD_LINK, self.link)
        registry.add(methods.CREATE_DOWNLOAD_LOCATION, self.download)
        registry.add(methods.CREATE_UPLOAD_LOCATION, self.upload)

    # --- places ---

    async def upload(
        self, request: dataproxy_pb2.CreateUploadLocationRequest
    ) -> dataproxy_pb2.CreateUploadLocationResponse:
        """Serve CreateUploadLocation."""
        if not (request.project and request.domain):
            raise InvalidArgumentError("project and domain are required parameters")
        if not (request.filename_root or request.content_md5):
            raise InvalidArgumentError("content_md5 or filename_root is a required parameter")
        if request.filename and request.filename_root:
            await self._check_that_it_is_new(request)
        life = upload_life(request)
        root = request.filename_root or base64.b32encode(request.content_md5).decode()
        name = request.filename or random_name(_NAME_LENGTH)
        native = _location(request, root, name, "shardedStorageLocation")
        digest = base64.b64encode(request.content_md5).decode()
        headers = {"Content-Length": str(len(digest)), "Content-MD5": digest}
        signed = {"Content-MD5": digest} if digest else {}
        if request.add_content_md5_metadata:
            headers["x-amz-meta-flyteContentMD5"] = signed["x-amz-meta-flyteContentMD5"] = digest
        url, expires_at = self._signed("PUT", parsed(native), life, signed)
        response = dataproxy_pb2.CreateUploadLocationResponse(signed_url=url, native_url=native, headers=headers)
        response.expires_at.FromDatetime(expires_at)
        return response

    async def _check_that_it_is_new(self, request: dataproxy_pb2.CreateUploadLocationRequest) -> None:
        native = _location(request, request.filename_root, request.filename, "storage location")
        digest = await self._objects.md5(parsed(native).key)
        if digest is not None and digest != request.content_md5:
            raise AlreadyExistsError(
                f"file already exists at location [{native}], specify a matching hash if you wish to rewrite"
            )

    async def download(
        self, request: dataproxy_pb2.CreateDownloadLocationRequest
    ) -> dataproxy_pb2.CreateDownloadLocationResponse:
        """Serve CreateDownloadLocation: for any URI, whether there is an object or not."""
        try:
            life = download_life(request)
            place = parsed(request.native_url)
        except BadReferenceError:
            raise InvalidArgumentError(
                f"error while validating request: failed to parse native_url [{request.native_url}]"
            ) from None
        except ValueError as error:
            raise InvalidArgumentError(f"error while validating request: {error}") from None
        url, expires_at = self._signed("GET", place, life)
        response = dataproxy_pb2.CreateDownloadLocationResponse(signed_url=url)
        response.expires_at.FromDatetime(expires_at)
        return response

    async def link(self, request: dataproxy_pb2.CreateDownloadLinkRequest) -> dataproxy_pb2.CreateDownloadLinkResponse:
        """Serve CreateDownloadLink: the deck of a node."""
        asked = dataproxy_pb2.CreateDownloadLinkRequest()
        asked.CopyFrom(request)
        try:
            asked.expires_in.CopyFrom(download_life(request))
            _check_link(asked)
        except ValueError as error:
            raise InvalidArgumentError(f"error while validating request. Error: {error}") from None
        try:
            node = await self._nodes.get(node_execution_pb2.NodeExecutionGetRequest(id=asked.node_execution_id))
        except RPCError as error:
            raise InvalidArgumentError(
                f"failed to find node execution [{prototext(asked.node_execution_id)}]. Error: {error.details}"
            ) from None
        if not node.closure.deck_uri:
            raise NotFoundError(f"no deckUrl found for request [{prototext(asked)}]")
        place = parsed(node.closure.deck_uri)
        if place.bucket != BUCKET:
            raise InternalError(
                f"failed to head object before signing url. Error: Conf container:{BUCKET} != Passed "
                f"Container:{place.bucket}. Dynamic loading is disabled: not found"
            )
        if await self._objects.head(place.key) is None:
            raise NotFoundError("object not found")
        url, expires_at = self._signed("GET", place, asked.expires_in)
        response = dataproxy_pb2.CreateDownloadLinkResponse(signed_url=[url])
        response.expires_at.FromDatetime(expires_at)
        response.pre_signed_urls.signed_url.append(url)
        response.pre_signed_urls.expires_at.CopyFrom(response.expires_at)
        return response

    def _signed(
        self, method: str, place: Reference, life: Duration, headers: Mapping[str, str] | None = None
    ) -> tuple[str, dt.datetime]:
        """Return a signed URL, and when it expires."""
        refusal = "failed to create a signed url. Error: "
        seconds = life.ToTimedelta().total_seconds()
        if seconds <= 0:
            raise InternalError(
                refusal + "InvalidPresignExpireError: presigned URLs require an expire duration greater than 0"
            )
        empty = [name for name, value in (("Bucket", place.bucket), ("Key", place.key)) if not value]
        if empty:
            found = "".join(f"- minimum field size of 1, GetObjectInput.{name}.\n" for name in empty)
            raise InternalError(f"{refusal}InvalidParameter: {len(empty)} validation error(s) found.\n{found}")
        try:
            url = self._http.signed_url(method, place.key, bucket=place.bucket, expires_in=seconds, headers=headers)
        except MissingExtraError as error:
            raise UnimplementedError(str(error)) from error
        return url, self._clock.now() + life.ToTimedelta()

    # --- data ---

    async def get(self, request: dataproxy_pb2.GetDataRequest) -> dataproxy_pb2.GetDataResponse:
        """Serve GetData: the inputs, outputs or deck of a node or an attempt; all literals, or one by name."""
        parts = _parse(request.flyte_url)
        run = identifier_pb2.WorkflowExecutionIdentifier(
            project=parts["project"], domain=parts["domain"], name=parts["name"]
        )
        node = identifier_pb2.NodeExecutionIdentifier(node_id=parts["node"] or "", execution_id=run)
        side = parts["side"] or parts["side_of_one"]
        data: Any
        if parts["attempt"] is not None:
            attempt = await self._attempt(node, _number(parts["attempt"]))
            data = await self._nodes.attempt_data(task_execution_pb2.TaskExecutionGetDataRequest(id=attempt))
            if side == "d":
                raise InvalidArgumentError(
                    "deck type cannot be specified with a retry attempt, just use the node instead"
                )
            owner = f"task execution [{prototext(attempt)}]"
        else:
            data = await self._nodes.data(node_execution_pb2.NodeExecutionGetDataRequest(id=node))
            if side == "d":
                link = dataproxy_pb2.CreateDownloadLinkRequest(
                    artifact_type=dataproxy_pb2.ARTIFACT_TYPE_DECK, node_execution_id=node
                )
                return dataproxy_pb2.GetDataResponse(pre_signed_urls=(await self.link(link)).pre_signed_urls)
            owner = f"node execution [{prototext(node)}]"
        literals: literals_pb2.LiteralMap = data.full_inputs if side == "i" else data.full_outputs
        variable = parts["variable"]
        if variable is None:
            return dataproxy_pb2.GetDataResponse(literal_map=literals)
        if variable not in literals.literals:
            raise InvalidArgumentError(f"name [{variable}] not found in {owner}")
        return dataproxy_pb2.GetDataResponse(literal=literals.literals[variable])

    async def _attempt(
        self, node: identifier_pb2.NodeExecutionIdentifier, number: int
    ) -> identifier_pb2.TaskExecutionIdentifier:
        # The address does not say which task the node ran.
        where = equals("task_executions", **node_key(node), retry_attempt=number)
        found = await self._store.page(Query("task_executions", where, limit=1))
        if not found:
            partial = identifier_pb2.TaskExecutionIdentifier(node_execution_id=node, retry_attempt=number)
            raise InvalidArgumentError(f"no task executions were listed [{prototext(partial)}]. Error: <nil>")
        return task_execution_pb2.TaskExecution.FromString(found[0]).id


def _location(request: dataproxy_pb2.CreateUploadLocationRequest, root: str, name: str, what: str) -> str:
    parts = [part for part in ("", request.org, request.project, request.domain, root, name) if part]
    try:
        return constructed(f"s3://{BUCKET}", *parts)
    except BadReferenceError as error:
        raise InternalError(
            f"failed to create {what}, Error: failed to construct datastore reference. Error: Reference is of an "
            f"invalid format [s3://{BUCKET}]: {error}"
        ) from None


def _check_link(request: dataproxy_pb2.CreateDownloadLinkRequest) -> None:
    if request.artifact_type == dataproxy_pb2.ARTIFACT_TYPE_UNDEFINED:
        raise ValueError("invalid artifact type [ARTIFACT_TYPE_UNDEFINED]")
    if not request.HasField("node_execution_id"):
        raise ValueError("source is required. Provided nil")


def _number(text: str) -> int:
    number = int(text)
    if number > _MOST_ATTEMPTS:
        raise InvalidArgumentError(
            f"failed to parse artifact url Error: failed to parse attempt [{text}], strconv.Atoi: parsing "
            f'"{text}": value out of range'
        )
    return number & 0xFFFFFFFF


def _parse(url: str) -> dict[str, str | None]:
    refusal = "failed to validate resolve artifact request. Error: "
    if not url:
        raise InvalidArgumentError(refusal + "source is required. Provided empty string")
    if not url.startswith("flyte://"):
        raise InvalidArgumentError(refusal + "request does not start with the correct prefix")
    match = _ADDRESS.search(url)
    if match is None:
        raise InvalidArgumentError(f"failed to parse artifact url Error: failed to parse [{url}]")
    return match.groupdict()
