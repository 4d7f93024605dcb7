"""What transfers share: the HTTP client, and how many run at one time. Made when first needed, for loop and process."""

from __future__ import annotations

import asyncio
import os
import weakref
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread

if TYPE_CHECKING:
    import httpx

__all__ = ["AT_ONCE", "Connections"]

AT_ONCE: Final = 16
"""Transfers of one remote at one time; a chunk of a megabyte of each is in memory."""


class Connections:
    """The connections of one loop in one process.

    Args:
        proxy: Proxy for HTTP requests.
        stall: Seconds that connecting, and each read, may take.
    """

    def __init__(self, proxy: str | None, stall: float) -> None:
        self._proxy = proxy
        self._stall = stall
        self._process = 0
        self._loop: weakref.ref[Any] | None = None
        self._client: httpx.AsyncClient | None = None
        self._transfers = anyio.CapacityLimiter(AT_ONCE)
        self._lock = anyio.Lock()

    def _here(self) -> None:
        """Begin anew in another loop, or in a forked process: what belongs to the old one is left to it."""
        loop = asyncio.get_running_loop()
        if self._loop is None or self._loop() is not loop or self._process != os.getpid():
            self._loop, self._process = weakref.ref(loop), os.getpid()
            self._client, self._lock = None, anyio.Lock()
            self._transfers = anyio.CapacityLimiter(AT_ONCE)

    @property
    def transfers(self) -> anyio.CapacityLimiter:
        """Bounds the transfers at one time."""
        self._here()
        return self._transfers

    async def client(self) -> httpx.AsyncClient:
        """Return the HTTP client."""
        self._here()
        async with self._lock:
            if self._client is None:
                # Importing it, and reading the certificates, takes as long as the rest of the package.
                self._client = await anyio.to_thread.run_sync(_make_client, self._proxy, self._stall)
            return self._client

    async def aclose(self) -> None:
        """Close the client, where there is one."""
        self._here()
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


def _make_client(proxy: str | None, stall: float) -> httpx.AsyncClient:
    import httpx

    return httpx.AsyncClient(
        proxy=proxy,
        timeout=httpx.Timeout(stall, connect=min(stall, 10.0), pool=None),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=AT_ONCE),
    )
