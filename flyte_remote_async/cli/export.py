"""What a Flyte knows, as a file for devservers and tests."""

from __future__ import annotations

import asyncio
import gzip
import os
import sys
from collections import Counter
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from flyte_remote_async.config import Config
from flyte_remote_async.devserver.exporter import Wanted, export
from flyte_remote_async.devserver.store.lines import to_line
from flyte_remote_async.errors import ConfigError, NotFoundError, RPCError
from flyte_remote_async.models.identifiers import ResourceType
from flyte_remote_async.operations.session import open_session

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable
    from pathlib import Path

    from flyte_remote_async.devserver.exporter import Records

__all__ = ["run"]

_WORDS: Final = {
    "WORKFLOW": "workflow",
    "TASK": "task",
    "LAUNCH_PLAN": "launch plan",
    "EXECUTION": "execution",
    "NODE_EXECUTION": "node",
    "TASK_EXECUTION": "attempt",
}
_STEP: Final = 100
"""Messages between two lines that tell how far it is."""


def run(arguments: argparse.Namespace) -> int:
    """Export what was asked for and return the exit code of the command.

    Args:
        arguments: What the command line says.
    """
    return asyncio.run(_export(arguments))


async def _export(arguments: argparse.Namespace) -> int:
    try:
        config = await _config(arguments)
        # A file that cannot be written is found out before a long read.
        await anyio.to_thread.run_sync(_try_to_write, arguments.file)
        found = await _read(config, arguments)
        await anyio.to_thread.run_sync(_write, arguments.file, [to_line(*key, found[key]) for key in found])
    except RPCError:
        raise  # some are an OSError too, and none is a wrong command line
    except (OSError, ConfigError) as error:
        sys.stderr.write(f"flyte-remote: {' '.join(str(error).split())}\n")
        return 2
    print(f"{arguments.file}: {_summary(found)}")
    return 0


async def _config(arguments: argparse.Namespace) -> Config:
    overrides = {"insecure": arguments.insecure or None, "project": arguments.project, "domain": arguments.domain}
    if arguments.endpoint is not None:
        config = Config.for_endpoint(arguments.endpoint, **overrides)
    else:
        config = await Config.load_async(**overrides)
    if not config.project or not config.domain:
        reason = "no project and domain: give --project and --domain, or set them in Flyte's configuration"
        raise ConfigError(reason)
    return config


async def _read(config: Config, arguments: argparse.Namespace) -> Records:
    entities = [
        (kind, *named)
        for kind, several in (
            (ResourceType.WORKFLOW, arguments.workflow),
            (ResourceType.TASK, arguments.task),
            (ResourceType.LAUNCH_PLAN, arguments.launch_plan),
        )
        for named in several
    ]
    wanted = Wanted(str(config.project), str(config.domain), entities, arguments.execution)
    session = await open_session(config, None)
    try:
        found = await export(session, wanted, on_record=_progress)
    finally:
        await session.aclose()
    if not found:
        reason = f"{config.project}/{config.domain} has no tasks, workflows or launch plans at {config.endpoint}"
        raise NotFoundError(reason)
    return found


def _progress(count: int) -> None:
    if count % _STEP == 0:
        print(f"{count} messages read", file=sys.stderr, flush=True)


def _try_to_write(path: Path) -> None:
    beside = _beside(path)
    beside.touch()
    beside.unlink()


def _write(path: Path, lines: Iterable[str]) -> None:
    """Write the file in one step, so that one that was there before is whole at every moment."""
    data = "".join(f"{line}\n" for line in lines).encode()
    beside = _beside(path)
    try:
        # Without a time in it, so that the same state is the same file.
        beside.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")


def _summary(found: Records) -> str:
    counts = Counter(kind for kind, _ in found)
    return ", ".join(
        f"{counts[kind]} {word}{'s' if counts[kind] != 1 else ''}" for kind, word in _WORDS.items() if counts[kind]
    )
