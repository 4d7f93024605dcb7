"""Objects in S3, Google Cloud Storage and Azure, through obstore (the ``[data]`` extra)."""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread
import attrs

from flyte_remote_async.errors import IntegrityError, ObjectNotFoundError, StorageError
from flyte_remote_async.storage.origins import Body, Entry, InterruptedTransfer
from flyte_remote_async.storage.patience import patiently
from flyte_remote_async.storage.pieces import PIECE_BYTES, Pieces
from flyte_remote_async.storage.web import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flyte_remote_async.config.values import StorageConfig
    from flyte_remote_async.storage.addresses import Address
    from flyte_remote_async.storage.origins import Origin

__all__ = ["BucketStore"]

# The process that obstore was first used in.
_USED: Final[set[int]] = set()
_DIGEST: Final = "flytecontentmd5"
_LONGEST_WORDS: Final = 300


@attrs.define
class BucketStore:
    """Buckets, each opened when it is first asked for.

    Attributes:
        config: Endpoint and credentials; what is not there is left to the store's own environment.
        patient: Whether to try for long: not where there may be no credentials at all.
    """

    config: StorageConfig
    patient: bool = True
    name: str = "the store itself"
    _opened: dict[tuple[str, str, str], Any] = attrs.field(factory=dict, init=False)

    async def origin(self, address: Address) -> Origin:
        """Return an object."""
        return BucketObject(await self._store(address), address)

    async def entries(self, address: Address) -> Sequence[Entry]:
        """Return the objects under an address, sorted by name."""
        store = await self._store(address)
        found = await patiently(partial(_listed, store, address), "it cannot be listed", address.uri)
        # The mark that some tools leave to make a folder visible is no file of it.
        marks = {entry for entry in found if not entry.name and not entry.size} if len(found) > 1 else set()
        return sorted((one for one in found if one not in marks), key=lambda entry: entry.name)

    async def _store(self, address: Address) -> Any:
        key = (address.kind, address.container, address.account)
        # The threads of the library, which it has one set of for the process, do not live on in a fork.
        if _USED and os.getpid() not in _USED:
            reason = (
                "this process was forked from one that had used obstore, which cannot be used after that: "
                "start processes with the method 'spawn', or read nothing before the fork"
            )
            raise StorageError(reason, uri=address.uri)
        if key not in self._opened:
            # Reads certificates, and the files that credentials lie in.
            from flyte_remote_async.storage.opening import open_bucket

            _USED.add(os.getpid())
            self._opened[key] = await anyio.to_thread.run_sync(open_bucket, address, self.config, self.patient)
        return self._opened[key]


async def _listed(store: Any, address: Address) -> list[Entry]:
    import obstore

    found: list[Entry] = []
    with _translated(address):
        stream = obstore.list(store, address.key or None, chunk_size=1000)
        while page := await _next_page(stream):
            found += [_entry(address.key, one) for one in page]
        if not found and address.key:
            # A prefix matches what is under it; the object of that very name is asked for by itself.
            found.append(_entry(address.key, await obstore.head_async(store, address.key)))
    return found


async def _next_page(stream: Any) -> Any:
    """Return a page of a list; None after the last."""
    # A page that was asked for is let come, also when nobody wants it any more: a list that goes while it talks lets
    # go of its connection outside of the library's threads, which breaks all further calls to that store.
    page: asyncio.Future[Any] = stream.__anext__()
    page.add_done_callback(lambda page: page.cancelled() or page.exception())
    await asyncio.wait([page])
    try:
        return page.result()
    except StopAsyncIteration:
        return None


def _entry(folder: str, meta: Any) -> Entry:
    return Entry(meta["path"].removeprefix(folder).removeprefix("/"), meta["size"])


@attrs.frozen
class BucketObject:
    """One object of a bucket."""

    store: Any
    address: Address

    async def get(self, offset: int, tag: str | None) -> Body:
        """Ask for the object; see :class:`flyte_remote_async.storage.origins.Origin`."""
        import obstore

        options: Any = {"range": {"offset": offset}, "if_match": tag} if offset else None
        with _translated(self.address):
            result = await obstore.get_async(self.store, self.address.key, options=options)
        notes = {str(name).lower(): value for name, value in result.attributes.items()}
        digest = notes.get(_DIGEST) or notes.get("content-md5")
        size, tag = result.meta["size"], result.meta["e_tag"]
        stream = result.stream(min_chunk_size=PIECE_BYTES)

        async def piece() -> bytes:
            with _translated(self.address):
                return bytes(await anext(stream, b""))

        async def close() -> None:
            """Do nothing: a request ends with its stream."""

        return Body(Pieces(piece).read, close, size, tag, digest_of(digest) if isinstance(digest, str) else None)


@contextmanager
def _translated(address: Address) -> Iterator[None]:
    from obstore import exceptions

    # No cause is kept: it repeats the request, with what may be a signature.
    try:
        yield
    except FileNotFoundError:
        raise ObjectNotFoundError("there is no such object", uri=address.uri) from None
    except exceptions.PreconditionError:
        raise IntegrityError("it was changed while it was read", uri=address.uri) from None
    except exceptions.GenericError as error:
        if _refused(str(error)):
            raise StorageError(_words(error), uri=address.uri) from None
        raise InterruptedTransfer(_words(error)) from None
    except (exceptions.BaseError, ValueError, OSError) as error:
        raise StorageError(_words(error), uri=address.uri) from None


_QUERY: Final = re.compile(r"\?[^\s\"')>]+")
# What the library has tried often enough by itself, or what no repetition mends.
_FINAL: Final = re.compile(
    r"after \d+ retries|redirect|status 4\d\d|status: 4\d\d|builder error|credential", re.IGNORECASE
)


def _refused(text: str) -> bool:
    return _FINAL.search(text) is not None


def _words(error: BaseException) -> str:
    """Return what an error of the store says, on a line, without queries, which may be signatures."""
    text = " ".join(_QUERY.sub("?…", str(error)).split())
    # The second half is the same again, for debuggers.
    text = text.partition(" Debug source:")[0]
    return text if len(text) <= _LONGEST_WORDS else f"{text[:_LONGEST_WORDS]}…"
