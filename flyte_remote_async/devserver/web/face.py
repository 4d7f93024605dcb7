"""The HTTP port as the rest of the devserver knows it: where it is, and URLs of it."""

from __future__ import annotations

import socket
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from flyte_remote_async.devserver.naming import BUCKET
from flyte_remote_async.devserver.web.guard import Hosts
from flyte_remote_async.devserver.web.port import HTTPPort
from flyte_remote_async.devserver.web.signing import Signer
from flyte_remote_async.errors import ClosedError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp

    from flyte_remote_async.devserver.clock import Clock
    from flyte_remote_async.devserver.objects import Objects
    from flyte_remote_async.devserver.runners.logs import Logs
    from flyte_remote_async.devserver.store import Store
    from flyte_remote_async.devserver.web.page.reader import Reader
    from flyte_remote_async.transport.base import Transport

__all__ = ["HTTPFace"]

_ALL_ADDRESSES: Final = {"", "0.0.0.0", "::"}  # noqa: S104 - to be told apart


class HTTPFace:
    """The devserver's HTTP port. Without the extra that serves it, it is closed and says so when it is needed.

    Args:
        store: The state.
        objects: The bucket.
        logs: What the tasks wrote.
        clock: What URLs expire by.
        watch: Makes a transport to the devserver, for what its page shows.
    """

    def __init__(
        self, store: Store, objects: Objects, logs: Logs, clock: Clock, watch: Callable[[], Transport]
    ) -> None:
        self._store = store
        self._objects = objects
        self._logs = logs
        self._clock = clock
        self._watch = watch
        self._reader: Reader | None = None
        self._signer = Signer()
        self._port = HTTPPort(self._application)
        self._hosts: Hosts | None = None
        self._endpoint = ""
        self._is_installed = True

    async def start(self, host: str, port: int) -> None:
        """Listen.

        Args:
            host: Address to listen on.
            port: Port to listen on; 0 takes a free one.

        Raises:
            OSError: The address cannot be listened on, for example because the port is taken.
        """
        self._is_installed = await anyio.to_thread.run_sync(_is_installed)
        if not self._is_installed:
            return
        bound = self._port.listen(host, port)
        own = socket.gethostname() if host in _ALL_ADDRESSES else host
        self._hosts = Hosts(host, bound, own)
        self._endpoint = f"[{own}]:{bound}" if ":" in own else f"{own}:{bound}"

    async def aclose(self) -> None:
        """Stop listening. Closing twice is fine."""
        self._endpoint = ""
        await self._port.aclose()
        if self._reader is not None:
            await self._reader.aclose()

    @property
    def endpoint(self) -> str:
        """Where it listens, such as ``"127.0.0.1:41004"``.

        Raises:
            MissingExtraError: What serves it is not installed.
            ClosedError: It is not open.
        """
        if not self._is_installed:
            raise MissingExtraError("the devserver's HTTP port (signed URLs, S3, logs, the page)", "devserver")
        if not self._endpoint:
            raise ClosedError("the devserver's HTTP port is not open")
        return self._endpoint

    @property
    def url(self) -> str:
        """The same, as a URL."""
        return f"http://{self.endpoint}"

    def signed_url(
        self,
        method: str,
        key: str,
        *,
        bucket: str = BUCKET,
        expires_in: float,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Return a URL that whoever has it may use.

        Args:
            method: The only method that it is good for.
            key: The object.
            bucket: Its bucket.
            expires_in: Seconds that it is good for.
            headers: Headers that a request must have, with these values.
        """
        now = self._clock.now()
        path = f"/{bucket}/{key}"
        return self._signer.signed(method, self.url, path, now=now, expires_in=expires_in, headers=headers)

    def _application(self) -> ASGIApp:
        # Not before the first request: most servers never get one.
        from flyte_remote_async.devserver.web.app import application
        from flyte_remote_async.devserver.web.context import Context
        from flyte_remote_async.devserver.web.page.reader import Reader

        assert self._hosts is not None  # noqa: S101 - it listens
        self._reader = Reader(self._watch, self._clock, self._hosts)
        return application(
            Context(self._store, self._objects, self._logs, self._signer, self._clock, self._hosts, self._reader)
        )


def _is_installed() -> bool:
    return all(find_spec(name) is not None for name in ("starlette", "uvicorn"))
