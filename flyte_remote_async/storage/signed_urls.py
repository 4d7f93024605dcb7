"""Reads of signed URLs: whoever has one may read the object, so none shows in an error, a log or a traceback."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import anyio.to_thread

from flyte_remote_async.errors import OutputsUnavailableError

if TYPE_CHECKING:
    import httpx

__all__ = ["read", "redacted"]

_OK: Final = 200


def redacted(url: str) -> str:
    """Return a URL without its query and user info, which are what signs it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a malformed URL"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


async def read(url: str, *, limit: int, timeout: float) -> bytes:
    """Return the bytes behind a signed URL.

    Args:
        url: The URL, ``http`` or ``https``.
        limit: The most bytes to take.
        timeout: Seconds that connecting and each read may take.

    Raises:
        OutputsUnavailableError: They cannot be had, or are more than the limit.
    """
    if not redacted(url).startswith(("http://", "https://")):
        reason = f"{redacted(url)} is not a web address"
        raise OutputsUnavailableError(reason)
    # Costs as much as the rest of the package together, and is seldom needed.
    http: httpx = await anyio.to_thread.run_sync(importlib.import_module, "httpx")  # type: ignore[valid-type]
    try:
        signed = http.URL(url)  # type: ignore[attr-defined]
        shown = signed.copy_with(query=None, fragment=None, userinfo=b"")
        # The client logs the URL that it is given, so what is really asked for goes beside it.
        target = {"target": signed.raw_path}
        async with (
            http.AsyncClient(timeout=timeout) as client,  # type: ignore[attr-defined]
            client.stream("GET", shown, extensions=target) as response,
        ):
            if response.status_code != _OK:
                reason = f"{redacted(url)} answers {response.status_code}"
                raise OutputsUnavailableError(reason)
            return await _take(response, url, limit)
    except (http.HTTPError, http.InvalidURL) as error:  # type: ignore[attr-defined]
        # The error of the library may hold the whole URL, so it is not the cause either.
        reason = f"{redacted(url)} cannot be read: {type(error).__name__}"
    raise OutputsUnavailableError(reason)


async def _take(response: httpx.Response, url: str, limit: int) -> bytes:
    taken = bytearray()
    async for chunk in response.aiter_bytes():
        taken += chunk
        if len(taken) > limit:
            reason = f"{redacted(url)} is larger than {limit:,} bytes"
            raise OutputsUnavailableError(reason)
    return bytes(taken)
