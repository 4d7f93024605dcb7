"""A devserver whose control plane signs URLs of an object store on the loopback, as a real one does."""

from __future__ import annotations

import base64
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import attrs
from flyteidl.service import dataproxy_pb2

from flyte_remote_async.devserver import DevServer
from flyte_remote_async.devserver.faces.inprocess import InProcessTransport
from flyte_remote_async.transport.methods import CREATE_DOWNLOAD_LOCATION, CREATE_UPLOAD_LOCATION
from tests.support.object_server import object_server, signed
from tests.support.remotes import Ledger, remote_over

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flyte_remote_async import FlyteRemote
    from flyte_remote_async.config.values import StorageConfig
    from flyte_remote_async.transport.base import Metadata
    from tests.support.object_server import ObjectServer

__all__ = ["CANARY", "Backend", "backend"]

CANARY = "c4n4ry51gn4ture"


@attrs.define
class Backend:
    """A control plane and its object store.

    Attributes:
        server: The control plane.
        store: Its object store.
        ledger: What was asked of the control plane.
        handlers: What it answers, by path of the RPC.
    """

    server: DevServer
    store: ObjectServer
    ledger: Ledger
    handlers: dict[str, Any]

    @asynccontextmanager
    async def remote(self, **overrides: Any) -> AsyncIterator[FlyteRemote]:
        """Open a remote."""
        async with remote_over(lambda: InProcessTransport(self.handlers), self.ledger, **overrides) as remote:
            yield remote

    @property
    def storage(self) -> StorageConfig:
        """Credentials for the object store."""
        return self.store.config(s3_retries=1)

    async def sign(self, request: bytes, _metadata: Metadata) -> bytes:
        """Serve CreateDownloadLocation."""
        asked = dataproxy_pb2.CreateDownloadLocationRequest.FromString(request)
        answer = dataproxy_pb2.CreateDownloadLocationResponse(signed_url=signed(self.store, asked.native_url, CANARY))
        return answer.SerializeToString()

    async def locate(self, request: bytes, _metadata: Metadata) -> bytes:
        """Serve CreateUploadLocation."""
        asked = dataproxy_pb2.CreateUploadLocationRequest.FromString(request)
        group = asked.filename_root or base64.b32encode(asked.content_md5).decode()
        key = f"bucket/{asked.project}/{asked.domain}/{group}/{asked.filename}"
        answer = dataproxy_pb2.CreateUploadLocationResponse(
            native_url=f"s3://{key}", signed_url=f"{self.store.url}/{quote(key)}?X-Signature={CANARY}"
        )
        # A real one says the length of the digest's text as that of the content.
        answer.headers.update({"Content-Length": "24", "Content-MD5": base64.b64encode(asked.content_md5).decode()})
        return answer.SerializeToString()


@asynccontextmanager
async def backend() -> AsyncIterator[Backend]:
    """Start a control plane with an object store."""
    async with object_server() as store, DevServer() as server:
        handlers: dict[str, Any] = dict(server._options.registry.handlers())
        made = Backend(server, store, Ledger(), handlers)
        handlers[CREATE_DOWNLOAD_LOCATION.path] = made.sign
        handlers[CREATE_UPLOAD_LOCATION.path] = made.locate
        yield made
