"""Where an object lies: a URI taken apart, without asking anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import attrs

from flyte_remote_async.errors import StorageError
from flyte_remote_async.storage.signed_urls import redacted

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Address", "parse"]

_KINDS: Final[Mapping[str, str]] = {
    "s3": "s3",
    "s3a": "s3",
    "s3n": "s3",
    "gs": "gs",
    "gcs": "gs",
    "abfs": "azure",
    "abfss": "azure",
    "az": "azure",
    "http": "web",
    "https": "web",
    "file": "local",
    "": "local",
}


@attrs.frozen
class Address:
    """Where an object, or a folder of objects, lies.

    Attributes:
        uri: As it was given; it may hold a signature, so errors show :attr:`shown`.
        kind: ``"s3"``, ``"gs"``, ``"azure"``, ``"web"`` or ``"local"``.
        container: Bucket or container; empty for the web and local paths.
        key: Name inside of it, without a slash at either end; the whole path for local ones.
        account: Storage account, where an Azure URI names it.
    """

    uri: str = attrs.field(repr=False)
    kind: str
    container: str
    key: str
    account: str = ""

    @property
    def shown(self) -> str:
        """The URI without what could be a secret in it."""
        return redacted(self.uri) if self.kind == "web" else self.uri

    def child(self, name: str) -> Address:
        """Return the address of an object inside of this folder, by its name relative to it."""
        return parse(f"{self.uri.rstrip('/')}/{name}")


def parse(uri: str) -> Address:
    """Return the address that a URI means.

    Object stores take names as they are, so nothing is unquoted; a ``file://`` URI means the path after it as it is,
    which is how Flyte writes them.

    Raises:
        StorageError: The URI names no object, or its scheme is none that Flyte's data lies under.
    """
    scheme, separator, rest = uri.partition("://")
    scheme = scheme.lower() if separator else ""
    kind = _KINDS.get(scheme)
    if kind is None:
        reason = f"{scheme}:// is not read: the schemes are s3, gs, abfs, abfss, http, https and file"
        raise StorageError(reason, uri=redacted(uri))
    if kind == "local":
        return _local(uri, rest if separator else uri)
    if kind == "web":
        return _web(uri)
    container, _, key = rest.partition("/")
    account = ""
    if kind == "azure" and "@" in container:
        container, _, host = container.partition("@")
        account = host.partition(".")[0]
    if not container:
        raise StorageError("the URI names no bucket", uri=uri)
    return Address(uri, kind, container, key.strip("/"), account)


def _local(uri: str, path: str) -> Address:
    if not path.startswith("/") or "\0" in path:
        raise StorageError("a local path has to be absolute", uri=uri)
    return Address(uri, "local", "", path)


def _web(uri: str) -> Address:
    try:
        parts = urlsplit(uri)
    except ValueError:
        parts = urlsplit("")
    if not parts.hostname:
        raise StorageError("the URL names no host", uri=redacted(uri))
    return Address(uri, "web", "", parts.path.strip("/"))
