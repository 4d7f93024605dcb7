"""Stored objects of a remote: what the control plane signs, and where it lets files be put."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyte_remote_async.errors import ConfigError
from flyte_remote_async.storage.objects import StoredObjects
from flyte_remote_async.storage.uploads import Location
from flyte_remote_async.transport.methods import CREATE_DOWNLOAD_LOCATION, CREATE_UPLOAD_LOCATION

if TYPE_CHECKING:
    from flyte_remote_async.config import Config
    from flyte_remote_async.operations.calls import Calls
    from flyte_remote_async.storage.uploads import Locate
    from flyte_remote_async.storage.web import Sign

__all__ = ["locate_in", "sign_with", "stored_objects"]


def stored_objects(config: Config, calls: Calls) -> StoredObjects:
    """Return the stored objects that a remote leads to; what it stores goes to its own project and domain.

    Args:
        config: How the remote is set up.
        calls: Makes its calls.
    """
    return StoredObjects(
        config.storage,
        sign=sign_with(calls),
        locate=locate_in(calls, config.project or "", config.domain or "", config.org or ""),
        stall=config.timeouts.data,
        proxy=config.http_proxy_url,
    )


def sign_with(calls: Calls) -> Sign:
    """Return what has the URLs of stored objects signed."""

    async def sign(uri: str) -> str:
        from flyteidl.service import dataproxy_pb2  # costs 35 ms, and few need it

        # The RPC is deprecated, and the only one that signs any location.
        request = dataproxy_pb2.CreateDownloadLocationRequest(native_url=uri)
        return str((await calls(CREATE_DOWNLOAD_LOCATION, request)).signed_url)

    return sign


def locate_in(calls: Calls, project: str, domain: str, org: str = "") -> Locate:
    """Return what asks for the locations of uploads in a project and domain."""

    async def locate(*, filename: str, filename_root: str, content_md5: bytes) -> Location:
        if not project or not domain:
            raise ConfigError("a file is stored in a project and a domain: name them with FlyteRemote.connect(…)")
        from flyteidl.service import dataproxy_pb2

        request = dataproxy_pb2.CreateUploadLocationRequest(
            project=project,
            domain=domain,
            org=org,
            filename=filename,
            filename_root=filename_root,
            content_md5=content_md5,
            add_content_md5_metadata=True,
        )
        answer = await calls(CREATE_UPLOAD_LOCATION, request)
        return Location(answer.signed_url, answer.native_url, dict(answer.headers))

    return locate
