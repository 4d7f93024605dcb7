"""The ways to an object, and which is tried first.

There may be several: the store itself, with credentials of this machine, and URLs that the control plane signs with its
own. The way whose credentials are known comes first; an error tells all that were tried.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

import anyio.to_thread

from flyte_remote_async.errors import MissingExtraError, ObjectNotFoundError, StorageError
from flyte_remote_async.storage.addresses import parse
from flyte_remote_async.storage.buckets import BucketStore
from flyte_remote_async.storage.local import LocalStore
from flyte_remote_async.storage.opening import has_credentials, has_default_login
from flyte_remote_async.storage.web import SignedStore, WebStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flyte_remote_async.config.values import StorageConfig
    from flyte_remote_async.storage.addresses import Address
    from flyte_remote_async.storage.connections import Connections
    from flyte_remote_async.storage.origins import Store
    from flyte_remote_async.storage.web import Sign

__all__ = ["Ways"]

T = TypeVar("T")


class Ways:
    """The ways that a configuration leads to.

    Args:
        config: How to reach the stores.
        sign: Returns a signed URL for a native one; None where there is no control plane.
        connections: What transfers share.
    """

    def __init__(self, config: StorageConfig, sign: Sign | None, connections: Connections) -> None:
        self._config = config
        self._sign = sign
        self._connections = connections
        self._made: dict[tuple[str, int], tuple[Store, ...]] = {}

    async def reaches(self, uri: str) -> bool:
        """Tell whether there are credentials of this machine for an object, or it lies on this machine."""
        try:
            address = parse(uri)
        except StorageError:
            return False
        if address.kind == "local":
            return self._config.local
        return await anyio.to_thread.run_sync(self._has_credentials, address.kind)

    async def first(self, address: Address, attempt: Callable[[Store], Awaitable[T]]) -> T:
        """Return what the first way gives that gives anything.

        Args:
            address: The object.
            attempt: Tries one way.

        Raises:
            MissingExtraError: The one way that there is needs an extra.
            ObjectNotFoundError: A way says that there is nothing.
            StorageError: No way gives it.
        """
        failed: list[tuple[str, StorageError | MissingExtraError]] = []
        ways = await self._stores(address)
        for store in ways:
            try:
                return await attempt(store)
            except (StorageError, MissingExtraError) as error:
                failed.append((store.name, error))
        if len(failed) == 1:
            raise failed[0][1]
        tried = [f"{name}: {getattr(error, 'reason', error)}" for name, error in failed]
        missing = any(isinstance(error, ObjectNotFoundError) for _, error in failed)
        kind = ObjectNotFoundError if missing else StorageError
        reason = "there is no such object; tried:" if missing else "it cannot be had; tried:"
        raise kind(reason, uri=address.shown, tried=tried)

    async def _stores(self, address: Address) -> tuple[Store, ...]:
        # What was opened before a fork does not work after it.
        key = (address.kind, os.getpid())
        if key not in self._made:
            known = await anyio.to_thread.run_sync(self._has_credentials, address.kind)
            self._made[key] = self._make(address, known=known)
        return self._made[key]

    def _has_credentials(self, kind: str) -> bool:
        if kind not in {"s3", "gs", "azure"}:
            return False
        return has_credentials(kind, self._config, os.environ) or (kind == "gs" and has_default_login())

    def _make(self, address: Address, *, known: bool) -> tuple[Store, ...]:
        if address.kind == "local":
            if not self._config.local:
                reason = (
                    "files of this machine are read only where the backend is known to be local: "
                    "StorageConfig(local=True)"
                )
                raise StorageError(reason, uri=address.uri)
            return (LocalStore(),)
        if address.kind == "web":
            if not self._config.web:
                reason = "web addresses are not read here: StorageConfig(web=False)"
                raise StorageError(reason, uri=address.shown)
            return (WebStore(self._connections.client),)
        direct = BucketStore(self._config, patient=known)
        if self._sign is None:
            return (direct,)
        signed = SignedStore(self._connections.client, self._sign)
        # Without credentials that one can see, there may still be those of the machine itself, in a cloud.
        return (direct, signed) if known else (signed, direct)
