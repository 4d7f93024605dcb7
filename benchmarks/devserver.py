"""What the devserver takes: to start, to run executions, and to list them.

python benchmarks/devserver.py            # on a quiet machine
python benchmarks/devserver.py --quick    # only to see that it runs
python benchmarks/devserver.py --check    # exit code 1 when a target is missed
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from flyteidl.admin import common_pb2, execution_pb2, launch_plan_pb2, workflow_pb2
from flyteidl.core import execution_pb2 as core_execution_pb2
from flyteidl.core import identifier_pb2, tasks_pb2, types_pb2
from flyteidl.core import workflow_pb2 as core_workflow_pb2

from flyte_remote_async.devserver import DevServer
from flyte_remote_async.devserver.compiler import compile_task, compile_workflow
from flyte_remote_async.transport import methods

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

    from flyte_remote_async.transport.base import Method, Transport

START_SECONDS = 0.3
COMMAND_SECONDS = 0.5
ECHO_SECONDS = 1.0
RUN_SECONDS = 30.0
PAGE_SECONDS = 0.05
PAGES_OF = 10_000

PLACE = {"project": "flytesnacks", "domain": "development"}
INTEGER = types_pb2.LiteralType(simple=types_pb2.INTEGER)
DONE = "value_in(phase,SUCCEEDED;FAILED;ABORTED;TIMED_OUT)"


# What a start in a fresh process takes, beside a script that imports the same modules of others and opens a server on a
# port and a database in memory. Time is the processor's, of all threads: on a busy machine the wall's says nothing.
COLD = """
import json, sys, time
start = time.process_time()
from flyte_remote_async.devserver import DevServer
import asyncio
async def main():
    async with DevServer():
        return time.process_time() - start
seconds = asyncio.run(main())
ours = ("flyte_remote_async", "__main__")
others = [name for name in sys.modules if name.partition(".")[0] not in sys.stdlib_module_names
          and name.partition(".")[0] not in ours]
print(json.dumps([seconds, others]))
"""
COLD_FLOOR = """
import json, sys, time
modules = json.loads(sys.argv[1])
start = time.process_time()
import asyncio, importlib, sqlite3
for name in modules:
    try:
        importlib.import_module(name)
    except ImportError:  # a name that its package made up, such as six.moves
        pass
import grpc.aio
async def main():
    server = grpc.aio.server()
    server.add_insecure_port("127.0.0.1:0")
    sqlite3.connect(":memory:").execute("create table a (b)")
    await server.start()
    seconds = time.process_time() - start
    await server.stop(None)
    return seconds
print(json.dumps([asyncio.run(main())]))
"""


def identifier(kind: str, name: str) -> identifier_pb2.Identifier:
    """Return an identifier of version 1."""
    return identifier_pb2.Identifier(resource_type=kind, name=name, version="1", **PLACE)


class Client:
    """Typed calls over the in-process face."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def __call__(self, method: Method[Any, Any], request: Message) -> Any:
        """Make one call."""
        reply = await self._transport.unary(method, request.SerializeToString())
        return method.response_type.FromString(reply.message)


def _task(name: str, kind: str) -> tasks_pb2.TaskTemplate:
    template = tasks_pb2.TaskTemplate(id=identifier("TASK", name), type=kind)
    template.metadata.runtime.type = tasks_pb2.RuntimeMetadata.FLYTE_SDK
    template.metadata.runtime.version = "1.16.31"
    template.container.image = "none"
    template.container.command.append("none")
    template.interface.inputs.variables["a"].type.CopyFrom(INTEGER)
    template.interface.outputs.variables["a"].type.CopyFrom(INTEGER)
    return template


def _workflow(name: str, task: str, nodes: int) -> core_workflow_pb2.WorkflowTemplate:
    template = core_workflow_pb2.WorkflowTemplate(id=identifier("WORKFLOW", name))
    template.interface.inputs.SetInParent()
    template.interface.outputs.SetInParent()
    for number in range(nodes):
        node = template.nodes.add(id=f"n{number}")
        node.task_node.reference_id.CopyFrom(identifier("TASK", task))
        node.inputs.add(var="a").binding.scalar.primitive.integer = number
    return template


async def register(dev: DevServer, name: str, task: str, kind: str, nodes: int) -> None:
    """Put a workflow of one task in many nodes into a server."""
    workflow = workflow_pb2.Workflow(id=identifier("WORKFLOW", name))
    tasks = [compile_task(_task(task, kind))]
    workflow.closure.compiled_workflow.CopyFrom(compile_workflow(_workflow(name, task, nodes), [], tasks, []))
    plan = launch_plan_pb2.LaunchPlan(id=identifier("LAUNCH_PLAN", name))
    plan.spec.workflow_id.CopyFrom(workflow.id)
    await dev.store.put_workflow(workflow)
    await dev.store.put_launch_plan(plan)


async def run(call: Client, name: str, prefix: str, count: int) -> float:
    """Launch executions, and return the seconds until all have succeeded."""
    began = time.perf_counter()
    spec = execution_pb2.ExecutionSpec(launch_plan=identifier("LAUNCH_PLAN", name), max_parallelism=1000)
    for number in range(count):
        request = execution_pb2.ExecutionCreateRequest(name=f"{prefix}{number}", spec=spec, inputs={})
        request.project, request.domain = PLACE["project"], PLACE["domain"]
        await call(methods.CREATE_EXECUTION, request)
    names = ";".join(f"{prefix}{number}" for number in range(count))
    listed = common_pb2.ResourceListRequest(id=PLACE, limit=count, filters=f"value_in(execution_name,{names})+{DONE}")
    while len(found := (await call(methods.LIST_EXECUTIONS, listed)).executions) < count:  # noqa: ASYNC110 - as clients
        await asyncio.sleep(0.02 if count == 1 else 0.5)
    phases = {core_execution_pb2.WorkflowExecution.Phase.Name(each.closure.phase) for each in found}
    assert phases == {"SUCCEEDED"}, phases
    return time.perf_counter() - began


async def starts(times: int) -> float:
    """Return the median of what a start takes in a process that had one before."""
    async with DevServer():
        pass
    took = []
    for _ in range(times):
        began = time.perf_counter()
        dev = await DevServer().start()
        took.append(time.perf_counter() - began)
        await dev.aclose()
    return statistics.median(took)


def _compiled() -> dict[str, str]:
    # Where bytecode is not written, ours would be compiled at each start and that of others would not.
    return os.environ | {"PYTHONDONTWRITEBYTECODE": ""}


def _cold(script: str, *arguments: str) -> list[Any]:
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=_compiled())
    return list(json.loads(done.stdout))


def cold_starts(times: int) -> tuple[float, float]:
    """Return the medians of what a start takes in a fresh process, and of its floor: seconds of the processor."""
    modules = json.dumps(_cold(COLD)[1])  # also writes the caches of bytecode
    _cold(COLD_FLOOR, modules)
    ours, floor = [], []
    for _ in range(times):
        ours.append(_cold(COLD)[0])
        floor.append(_cold(COLD_FLOOR, modules)[0])
    return statistics.median(ours), statistics.median(floor)


def command_starts(times: int) -> float:
    """Return the median from starting the command to its ready line."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        command = [sys.executable, "-m", "flyte_remote_async", "dev", "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_compiled()) as process:
            assert process.stdout is not None
            assert "ready" in process.stdout.readline()
            took.append(time.perf_counter() - began)
            process.send_signal(signal.SIGTERM)
            process.communicate()
        assert process.returncode == 0
    return statistics.median(took)


def _finished(count: int) -> Iterator[execution_pb2.Execution]:
    for number in range(count):
        execution = execution_pb2.Execution(id={**PLACE, "name": f"e{number}"})
        execution.spec.launch_plan.CopyFrom(identifier("LAUNCH_PLAN", f"wf{number % 7}"))
        phases = core_execution_pb2.WorkflowExecution
        execution.closure.phase = phases.FAILED if number % 50 == 0 else phases.SUCCEEDED
        for stamp in (execution.closure.created_at, execution.closure.updated_at, execution.closure.started_at):
            stamp.FromSeconds(1_700_000_000 + number)
        execution.closure.workflow_id.CopyFrom(identifier("WORKFLOW", f"wf{number % 7}"))
        execution.closure.duration.FromSeconds(number % 600)
        yield execution


PAGES = {
    "newest first": {"sort_by": {"key": "created_at"}},
    "a page far back": {"sort_by": {"key": "created_at"}, "token": "9900"},
    "those that failed": {"filters": "eq(phase,FAILED)", "sort_by": {"key": "created_at"}},
    "since a moment": {"filters": "gte(updated_at,2023-11-14T22:00:00Z)+lt(duration,30)"},
    "1,000 names": {"filters": f"value_in(execution_name,{';'.join(f'e{n}' for n in range(0, 10_000, 10))})+{DONE}"},
    "of a workflow": {"filters": "eq(workflow.name,wf3)"},
    "by a part of the name": {"filters": "contains(execution_name,99)", "sort_by": {"key": "duration"}},
}


async def pages(dev: DevServer, count: int) -> dict[str, float]:
    """Return the seconds that one page of each kind takes."""
    async with dev.store.transaction() as together:
        for number in range(7):
            together.put_workflow(workflow_pb2.Workflow(id=identifier("WORKFLOW", f"wf{number}")))
        for execution in _finished(count):
            together.put_execution(execution)
    call, took = Client(dev.transport()), {}
    for name, fields in PAGES.items():
        request = common_pb2.ResourceListRequest(id=PLACE, limit=100, **fields)  # type: ignore[arg-type]
        began = time.perf_counter()
        for _ in range(3):
            assert (await call(methods.LIST_EXECUTIONS, request)).executions or count < PAGES_OF
        took[name] = (time.perf_counter() - began) / 3
    return took


async def figures(*, quick: bool) -> list[tuple[str, float, float]]:
    """Return (what, seconds, target) of everything."""
    found = [("start", await starts(3 if quick else 20), START_SECONDS)]
    async with DevServer() as dev:
        call = Client(dev.transport())
        await register(dev, "echoes", "bench.echo", "echo", 100)
        await run(call, "echoes", "warm", 1)
        found.append(("100 echo nodes", await run(call, "echoes", "echo", 1), ECHO_SECONDS))
        dev.stand_in("bench.add", lambda a: a + 1)
        await register(dev, "fives", "bench.add", "python-task", 5)
        count = 20 if quick else 1000
        found.append((f"{count} executions of 5 nodes", await run(call, "fives", "five", count), RUN_SECONDS))
    async with DevServer() as dev:
        count = 500 if quick else PAGES_OF
        slowest = await pages(dev, count)
        found += [(f"page of {count}: {name}", seconds, PAGE_SECONDS) for name, seconds in slowest.items()]
    return found


def main() -> int:
    """Measure, and say what was missed."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--check", action="store_true")
    parsed = arguments.parse_args()
    cold, floor = cold_starts(1 if parsed.quick else 11)
    found = [
        ("cold start in a process, of the processor", cold, START_SECONDS),
        ("flyte-remote dev, to its ready line", command_starts(1 if parsed.quick else 5), COMMAND_SECONDS),
        *asyncio.run(figures(quick=parsed.quick)),
    ]
    print(f"a cold start takes {cold / floor:.2f} times its floor of {floor * 1000:.1f} ms")
    for what, seconds, target in found:
        print(f"{what:45} {seconds * 1000:9.1f} ms   (at most {target * 1000:.0f})")
    missed = [what for what, seconds, target in found if seconds > target]
    return 1 if missed and parsed.check else 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
