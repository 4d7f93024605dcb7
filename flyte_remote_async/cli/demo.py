"""The demo: launch a workflow, watch it run, read its outputs."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from flyte_remote_async.cli import demo_tasks
from flyte_remote_async.cli.follow import Follower
from flyte_remote_async.cli.packaged import packaged_lines, packaged_workflows
from flyte_remote_async.cli.view import open_view
from flyte_remote_async.devserver import DevServer
from flyte_remote_async.executions.markup import last_line
from flyte_remote_async.remote import FlyteRemote

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Mapping

    from flyte_remote_async.executions import FlyteWorkflowExecution

__all__ = ["run"]

_PACE: Final = 0.25
"""Seconds that each stand-in takes, so that there is progress to see."""


def run(arguments: argparse.Namespace) -> int:
    """Run the demo and return the exit code of the command.

    Args:
        arguments: What the command line says.
    """
    if arguments.list:
        print(*packaged_workflows(), sep="\n")
        return 0
    known = [workflow.name for workflow in packaged_workflows()]
    if arguments.endpoint is None and arguments.workflow not in known:
        sys.stderr.write(
            f"flyte-remote: the demo has no workflow {arguments.workflow!r}; it has {', '.join(known)}, "
            "and --endpoint launches what a Flyte of yours has\n"
        )
        return 2
    return asyncio.run(_demo(arguments))


async def _demo(arguments: argparse.Namespace) -> int:
    began = time.monotonic()
    async with _endpoint(arguments) as (endpoint, insecure):
        remote = FlyteRemote.connect(endpoint, insecure=insecure, project=arguments.project, domain=arguments.domain)
        async with remote:
            workflow = await remote.fetch_workflow(arguments.workflow)
            execution = await remote.execute(workflow, inputs=arguments.inputs)
            print(f"launched {execution.id} on {endpoint}", flush=True)
            with open_view() as view:
                follower = Follower(view, is_ours=arguments.endpoint is None)
                execution = await follower.follow(execution, arguments.timeout)
            code = await _report(
                execution, {} if arguments.endpoint else demo_tasks.OUTPUT_TYPES.get(workflow.name, {})
            )
    print(f"done in {time.monotonic() - began:.1f} s")
    return code


@contextlib.asynccontextmanager
async def _endpoint(arguments: argparse.Namespace) -> AsyncIterator[tuple[str, bool]]:
    """Give the endpoint to launch on, and whether it is without TLS: the user's, or one of a server of our own."""
    if arguments.endpoint is not None:
        yield arguments.endpoint, arguments.insecure
        return
    async with DevServer() as dev:
        await dev.load(await anyio.to_thread.run_sync(packaged_lines))
        demo_tasks.register(dev, _PACE)
        yield dev.endpoint, True


async def _report(execution: FlyteWorkflowExecution, types: Mapping[str, type]) -> int:
    """Print what came out, as the types that it should have, and return the exit code."""
    if not execution.is_successful:
        print(await execution.explain_failure(), flush=True)
        sys.stderr.write(f"flyte-remote: {execution.id} is {execution.phase.name}: {_summary(execution)}\n")
        return 1
    outputs = execution.outputs
    outputs.update_type_hints(types)
    for name, value in (await outputs.all()).items():
        print(f"{name} = {value!r}")
    return 0


def _summary(execution: FlyteWorkflowExecution) -> str:
    """Return why an execution failed, in one line: a trace ends with it."""
    if execution.error is None:
        return " ".join(execution.closure.abort_cause.split()) or "no reason was given"
    return last_line(execution.error)
