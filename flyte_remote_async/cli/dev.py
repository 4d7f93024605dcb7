"""The devserver as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from flyte_remote_async.devserver import DevServer
from flyte_remote_async.errors import ConfigError, MalformedMessageError, MissingExtraError, StorageError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

__all__ = ["run"]

_INTERRUPTED: Final = 130
_CONFIG: Final = """\
# For flytectl, pyflyte and flyte-remote: save this as a file, and name it in FLYTECTL_CONFIG.
admin:
  endpoint: dns:///{endpoint}
  insecure: true
"""
_HTTP: Final = """\
console:
  endpoint: {url}
storage:
  connection:
    endpoint: {url}
    access-key: any
    secret-key: any
"""


def run(arguments: argparse.Namespace) -> int:
    """Run the devserver until it is told to stop, and return the exit code of the command.

    Args:
        arguments: What the command line says.
    """
    return asyncio.run(_serve(arguments))


async def _serve(arguments: argparse.Namespace) -> int:
    dev = DevServer(
        host=arguments.host,
        port=arguments.port,
        http_port=arguments.http_port,
        state=arguments.state,
        run_containers=arguments.run_containers,
    )
    try:
        stopped = _stop_signals()
        async with dev:
            await _get_ready(dev, arguments)
            return await stopped
    except (OSError, ConfigError, MalformedMessageError, StorageError) as error:
        # What the user gave cannot be used: that is said in one line, as of a wrong command line.
        sys.stderr.write(f"flyte-remote: {' '.join(str(error).split())}\n")
        return 2


def _stop_signals() -> asyncio.Future[int]:
    """Return what becomes the exit code when the process is told to stop."""
    loop = asyncio.get_running_loop()
    stopped = loop.create_future()

    def stop(code: int) -> None:
        # A second one does not wait for anything.
        for number in codes:
            loop.remove_signal_handler(number)
        stopped.set_result(code)

    codes = {signal.SIGINT: _INTERRUPTED, signal.SIGTERM: 0}
    with contextlib.suppress(NotImplementedError):  # Windows, where Ctrl-C is a KeyboardInterrupt
        for number, code in codes.items():
            loop.add_signal_handler(number, stop, code)
    return stopped


async def _get_ready(dev: DevServer, arguments: argparse.Namespace) -> None:
    """Read what is to be read, and say that it is ready."""
    read = await dev.load(arguments.source) if arguments.source else 0
    endpoint = dev.endpoint.replace("0.0.0.0:", "localhost:").replace("[::]:", "localhost:")
    url = _http_url(dev)
    if arguments.ready_file:
        facts = {"endpoint": endpoint, "http": url, "pid": os.getpid()}
        await anyio.to_thread.run_sync(_write, arguments.ready_file, json.dumps(facts) + "\n")
    print(f"ready: Flyte's gRPC at {endpoint}, HTTP at {url or 'no port'}")
    if url is None:
        print("signed URLs, S3 and the page need the extra: pip install 'flyte-remote-async[devserver]'")
    print(f"state: {arguments.state or 'in memory, and gone when this stops'}")
    if arguments.source:
        print(f"read {read} messages from {arguments.source}")
    print("\n" + _CONFIG.format(endpoint=endpoint) + (_HTTP.format(url=url) if url else ""), flush=True)


def _http_url(dev: DevServer) -> str | None:
    try:
        return f"http://{dev.http_endpoint}"
    except MissingExtraError:
        return None


def _write(path: Path, text: str) -> None:
    """Write a file in one step, so that whoever waits for it finds all of it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text)
    beside.replace(path)
