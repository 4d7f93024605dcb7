"""A local process and all that it starts: run, listened to, and ended together."""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from anyio.abc import Process

__all__ = ["run_process"]

_COOKIE: Final = "FLYTE_DEVSERVER_ATTEMPT"
_GRACE: Final = 2.0
_PAUSE: Final = 0.02
# How long what a process has written is still read when it is gone; others may hold its output open.
_LAST_WORDS: Final = 0.5
# What is written faster than this for longer than a moment is not read faster: it would keep the loop from all else.
_FREE_BYTES: Final = 4 << 20
_BYTES_A_SECOND: Final = 32 << 20


async def run_process(
    command: Sequence[str], *, folder: str, environment: Mapping[str, str], listen: Callable[[bytes], None]
) -> int:
    """Run a process to its end, and end with it all that it has started.

    Its standard input is empty. A caller that is cancelled waits until all of it is gone: it is asked to end
    (``SIGTERM``), and after two seconds it is made to (``SIGKILL``).

    Args:
        command: The program, which is looked for on the ``PATH`` of the environment, and its arguments.
        folder: Its working directory.
        environment: All of its environment variables.
        listen: Called with what it writes to its standard output and error.

    Returns:
        Its exit status; that of a process that was ended by a signal is 128 and the signal's number.

    Raises:
        OSError: It cannot be started.
    """
    cookie = secrets.token_hex(16)
    process = await anyio.open_process(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env={**environment, _COOKIE: cookie},
        start_new_session=True,
    )
    # Not cancelled with its caller: what a process says when it is asked to end is read, too.
    reading = anyio.CancelScope(shield=True)
    async with anyio.create_task_group() as beside:
        beside.start_soon(_read, process, listen, reading)
        try:
            status = await _exited(process)
        finally:
            with anyio.CancelScope(shield=True):
                await _end(process, cookie)
            reading.deadline = anyio.current_time() + _LAST_WORDS
    return status if status >= 0 else 128 - status


async def _exited(process: Process) -> int:
    """Return the status of a process when it has ended."""
    # Its own `wait` may last until its pipes are closed, and what it leaves running keeps them open.
    while process.returncode is None:  # noqa: ASYNC110 - and nothing tells of its end alone
        await anyio.sleep(_PAUSE)
    return process.returncode


async def _read(process: Process, listen: Callable[[bytes], None], until: anyio.CancelScope) -> None:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    count, begun = 0, anyio.current_time()
    with until:
        async for data in process.stdout:
            listen(data)
            count += len(data)
            ahead = (count - _FREE_BYTES) / _BYTES_A_SECOND - (anyio.current_time() - begun)
            if ahead > 0 and process.returncode is None:
                await anyio.sleep(ahead)
    with anyio.CancelScope(shield=True):
        await process.stdout.aclose()


async def _end(process: Process, cookie: str) -> None:
    """End a process and all that it has started, whatever group or session they have moved to."""
    if process.returncode is None:
        _signal_group(process.pid, signal.SIGTERM)
        with anyio.move_on_after(_GRACE):
            await _exited(process)
    for attempt in range(math.ceil(_GRACE / _PAUSE)):
        _signal_group(process.pid, signal.SIGKILL)
        others = await anyio.to_thread.run_sync(_members, cookie)
        for pid in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not others and process.returncode is not None:
            return
        await anyio.sleep(_PAUSE * min(attempt, 5))


def _signal_group(pid: int, number: signal.Signals) -> None:
    # It leads a session of its own, so its group has its number.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _members(cookie: str) -> list[int]:
    """Return the processes that have a cookie in their environment, which a child has from its parent."""
    if not sys.platform.startswith("linux"):
        return []
    wanted = f"{_COOKIE}={cookie}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found
