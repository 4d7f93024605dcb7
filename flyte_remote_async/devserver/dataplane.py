"""Where the devserver keeps what tasks read and write: the bucket, the logs, and the HTTP port to both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

import anyio

from flyte_remote_async.devserver.faces.inprocess import InProcessTransport
from flyte_remote_async.devserver.objects import Objects, WrittenLiterals
from flyte_remote_async.devserver.runners.logs import Logs
from flyte_remote_async.devserver.web.face import HTTPFace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flyte_remote_async.devserver.clock import Clock
    from flyte_remote_async.devserver.faces.dispatch import Handler
    from flyte_remote_async.devserver.store import Store

__all__ = ["DataPlane"]


class DataPlane:
    """The bucket, the logs and the HTTP port of a devserver; :meth:`open` makes one.

    Args:
        store: The state.
        objects: The bucket.
        clock: What signed URLs expire by.
        handlers: What answers the page's questions, by the path of the RPC.

    Attributes:
        objects: The bucket.
        logs: What the tasks wrote.
        http: The HTTP port.
    """

    def __init__(self, store: Store, objects: Objects, clock: Clock, handlers: Mapping[str, Handler]) -> None:
        self.objects = objects
        self.logs = Logs(objects)
        self.http = HTTPFace(store, objects, self.logs, clock, lambda: InProcessTransport(handlers))

    @classmethod
    async def open(
        cls,
        store: Store,
        clock: Clock,
        *,
        handlers: Mapping[str, Handler],
        folder: str | Path | None,
        state: str | Path | None,
    ) -> Self:
        """Open the bucket.

        Args:
            store: The state.
            clock: What signed URLs expire by.
            handlers: What answers the page's questions, by the path of the RPC.
            folder: Where objects are kept; None is a folder beside the state's file, and memory without one.
            state: The file of the state, if there is one.

        Raises:
            StorageError: The folder cannot be made or written.
        """
        if folder is None and state is not None:
            folder = f"{state}.objects"
        objects = await Objects.at(None if folder is None else Path(folder), WrittenLiterals(store))
        return cls(store, objects, clock, handlers)

    async def aclose(self) -> None:
        """Close the port and the bucket. Closing twice is fine."""
        with anyio.CancelScope(shield=True):
            await self.http.aclose()
            await self.objects.aclose()
