"""Recorded executions, run again from their recorded requests: registered, compiled, launched, signalled, aborted."""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio
import attrs
from flyteidl.admin import execution_pb2, node_execution_pb2, project_pb2, signal_pb2, task_execution_pb2
from flyteidl.core import dynamic_job_pb2, literals_pb2
from flyteidl.core import execution_pb2 as core_execution_pb2
from flyteidl.datacatalog import datacatalog_pb2

from flyte_remote_async.devserver.assembly import Services
from flyte_remote_async.devserver.clock import Clock
from flyte_remote_async.devserver.dataplane import DataPlane
from flyte_remote_async.devserver.engine import Engine
from flyte_remote_async.devserver.faces.dispatch import Registry
from flyte_remote_async.devserver.faces.inprocess import InProcessTransport
from flyte_remote_async.devserver.faults import Faults
from flyte_remote_async.devserver.runners.echo import EchoRunner
from flyte_remote_async.devserver.runners.functions import FunctionRunner
from flyte_remote_async.devserver.runners.outcome import Outcome
from flyte_remote_async.devserver.runners.stand_ins import StandIns
from flyte_remote_async.devserver.store import Store
from flyte_remote_async.models.phases import NodePhase, TaskPhase
from flyte_remote_async.transport.methods import METHODS
from tests.support.engine_rig import Rig
from tests.support.recordings import rpcs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from flyteidl.core import catalog_pb2, identifier_pb2, tasks_pb2

    from flyte_remote_async.devserver.runners import TaskCall
    from tests.support.recordings import Call, Recordings

__all__ = ["RecordedRunner", "Replay", "fill_cache", "open_replay", "recorded_spec"]

_REGISTRATION: Final = ("CreateTask", "CreateWorkflow", "CreateLaunchPlan")
_LAUNCHES: Final[dict[str, Any]] = {
    "CreateExecution": execution_pb2.ExecutionCreateRequest,
    "RelaunchExecution": execution_pb2.ExecutionRelaunchRequest,
    "RecoverExecution": execution_pb2.ExecutionRecoverRequest,
}


def recorded_spec(recordings: Recordings, execution: str, node_id: str) -> dynamic_job_pb2.DynamicJobSpec | None:
    """Return what a recorded dynamic task asked for; None where it is not dynamic."""
    found = [record for record in recordings.of_kind("DYNAMIC_WORKFLOW") if record.key == f"{execution}/{node_id}"]
    if not found:
        return None
    closure = found[0].message.compiled_workflow
    spec = dynamic_job_pb2.DynamicJobSpec(tasks=[task.template for task in closure.tasks])
    for compiled in (closure.primary, *closure.sub_workflows):
        nodes = [node for node in compiled.template.nodes if node.id not in ("start-node", "end-node")]
        del compiled.template.nodes[:]
        compiled.template.nodes.extend(nodes)
    spec.nodes.extend(closure.primary.template.nodes)
    spec.outputs.extend(closure.primary.template.outputs)
    spec.subworkflows.extend(compiled.template for compiled in closure.sub_workflows)
    return spec


class RecordedRunner:
    """Gives what the recorded attempts gave."""

    at_once = False

    def __init__(self, recordings: Recordings) -> None:
        self._recordings = recordings
        self._attempts = {
            _key(row.id.node_execution_id, row.id.retry_attempt): row
            for row in recordings.messages(task_execution_pb2.TaskExecution)
        }
        self._outputs = {
            tuple(record.key.split("/")[part] for part in (0, 1, 3)): record.message.full_outputs
            for record in recordings.of_kind("TASK_EXECUTION_DATA")
        }
        self._begun: dict[tuple[str, ...], dict[int, anyio.Event]] = defaultdict(lambda: defaultdict(anyio.Event))

    def takes(self, task: tasks_pb2.TaskTemplate) -> bool:
        return task.type != "echo"

    def logs(self, call: TaskCall) -> Sequence[core_execution_pb2.TaskLog]:
        if call.index is None:
            return list(self._attempts[_of(call)].closure.logs)
        logs = list(self._resource(call).logs)
        for log in logs:
            log.name = log.name.rpartition("-")[0]
        return logs

    def _resource(self, call: TaskCall) -> Any:
        found = self._array(call).closure.metadata.external_resources[call.index or 0]
        copy = type(found)()
        copy.CopyFrom(found)
        return copy

    def _array(self, call: TaskCall) -> task_execution_pb2.TaskExecution:
        node_id = call.attempt.node_id.removesuffix(f"-0-n{call.index}")
        return self._attempts[call.execution_id.name, node_id, "0"]

    async def run(self, call: TaskCall) -> Outcome:
        if call.index is not None:
            return await self._run_item(call, call.index)
        key = _of(call)
        closure = self._attempts[key].closure
        if not closure.HasField("output_uri") and not closure.HasField("error"):
            await anyio.sleep_forever()
        if closure.HasField("error"):
            return Outcome(error=closure.error, recoverable=closure.error.code == "USER:Recoverable")
        spec = recorded_spec(self._recordings, key[0], key[1])
        if spec is not None:
            return Outcome(dynamic=spec)
        if call.task.id.name.endswith(".big"):  # its outputs are past what that server reads, so it recorded none
            return Outcome(_big(call.inputs.literals["n"].scalar.primitive.integer))
        return Outcome(self._outputs[key])

    async def _run_item(self, call: TaskCall, index: int) -> Outcome:
        array = self._array(call)
        key = call.execution_id.name, array.id.node_execution_id.node_id, "0"
        begun = self._begun[key]
        resources = array.closure.metadata.external_resources
        phase = TaskPhase(resources[index].phase)
        if phase is TaskPhase.FAILED and array.closure.HasField("error"):
            for other in set(range(len(resources))) - {index}:
                await begun[other].wait()
        begun[index].set()
        if phase is TaskPhase.ABORTED:
            await anyio.sleep_forever()
        if phase is TaskPhase.FAILED:
            told = array.closure.error.message.removeprefix(f"[{index}]: ").removesuffix("\n")
            return Outcome(error=core_execution_pb2.ExecutionError(code="USER:RuntimeError", message=told, kind="USER"))
        outputs = literals_pb2.LiteralMap()
        for name, literal in self._outputs.get(key, outputs).literals.items():
            outputs.literals[name].CopyFrom(literal.collection.literals[index])
        return Outcome(outputs)


def _big(n: int) -> literals_pb2.LiteralMap:
    items = [
        literals_pb2.Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(string_value=f"{i:0100d}")))
        for i in range(n)
    ]
    literal = literals_pb2.Literal(collection=literals_pb2.LiteralCollection(literals=items))
    return literals_pb2.LiteralMap(literals={"o0": literal})


def _key(node_id: identifier_pb2.NodeExecutionIdentifier, attempt: int) -> tuple[str, ...]:
    return node_id.execution_id.name, node_id.node_id, str(attempt)


def _of(call: TaskCall) -> tuple[str, ...]:
    return call.execution_id.name, call.attempt.node_id, str(call.attempt.number)


async def fill_cache(store: Store, known: catalog_pb2.CatalogMetadata, outputs: literals_pb2.LiteralMap) -> None:
    """Put an entry into the cache of a store.

    Args:
        store: The store.
        known: What a node says of the entry.
        outputs: What it holds.
    """
    source, name = known.source_task_execution, known.dataset_id
    dataset = datacatalog_pb2.Dataset()
    dataset.id.project, dataset.id.domain = name.project, name.domain
    dataset.id.name, dataset.id.version = name.name, name.version
    dataset.metadata.key_map["task-version"] = source.task_id.version
    artifact = datacatalog_pb2.Artifact(id=known.artifact_tag.artifact_id)
    artifact.metadata.key_map["execution-name"] = source.node_execution_id.execution_id.name
    artifact.metadata.key_map["exec-node"] = source.node_execution_id.node_id
    for variable, value in outputs.literals.items():
        artifact.data.add(name=variable, value=value)
    await store.artifacts.add(dataset, artifact, known.artifact_tag.name)


@attrs.frozen
class Replay:
    """A devserver without faces, to which the recorded requests are sent.

    Attributes:
        rig: The engine and the store.
        clock: The clock.
        transport: The services.
        calls: What was recorded of the requests.
    """

    rig: Rig
    clock: Clock
    transport: InProcessTransport
    calls: Sequence[Call]

    async def call(self, name: str, request: Any) -> None:
        """Send a request to an RPC, as a message or as its bytes."""
        (method,) = [method for method in METHODS.values() if method.name == name]
        data = request if isinstance(request, bytes) else request.SerializeToString()
        await self.transport.unary(method, data)

    async def register(self) -> None:
        """Send all recorded registrations, in their order."""
        for call in self.calls:
            if call.method.rpartition("/")[2] in _REGISTRATION and call.code == "OK":
                await self.call(call.method.rpartition("/")[2], call.request)

    async def seed_cache(self, recordings: Recordings, label: str) -> None:
        """Put what an execution found in the cache there, as it was left by executions that were not recorded."""
        for record in recordings.of_kind("NODE_EXECUTION", label):
            known = record.message.closure.task_node_metadata.catalog_key
            if known.HasField("source_task_execution"):
                outputs = recordings.get("NODE_EXECUTION_DATA", record.key.partition("|")[0]).full_outputs
                await fill_cache(self.rig.store, known, outputs)

    async def execute(self, recordings: Recordings, label: str) -> execution_pb2.Execution:
        """Launch a recorded execution as it was launched, do to it what was done to it, and wait for its end."""
        (recorded,) = recordings.messages(execution_pb2.Execution, label)
        name = recorded.id.name
        await self._launch(name)
        for call in self.calls:
            if call.method.endswith("/SetSignal"):
                signal = signal_pb2.SignalSetRequest.FromString(call.request)
                if signal.id.execution_id.name == name:
                    await self._until(partial(self.rig.store.get_signal, signal.id))
                    await self.call("SetSignal", call.request)
            if call.method.endswith("/TerminateExecution") and name.encode() in call.request:
                await self._until(partial(self._runs, recorded.id, "n0"))
                await self.call("TerminateExecution", call.request)
        if label in ("samples.sleepy", "more.timing_out"):
            await self._until(partial(self._runs, recorded.id, "n0"))
            await self.clock.advance(seconds=10)
        await self.rig.engine.join(recorded.id)
        return recorded

    async def _launch(self, name: str) -> None:
        for call in self.calls:
            kind = call.method.rpartition("/")[2]
            if kind not in _LAUNCHES:
                continue
            response = execution_pb2.ExecutionCreateResponse.FromString(call.response)
            if response.id.name == name:
                request = _LAUNCHES[kind]()
                request.ParseFromString(call.request)
                request.name = name
                await self.call(kind, request)

    async def _runs(self, execution_id: identifier_pb2.WorkflowExecutionIdentifier, node_id: str) -> bool:
        written = await self.rig.read(execution_pb2.Execution(id=execution_id))
        node = written.nodes.get(node_id, node_execution_pb2.NodeExecution())
        return NodePhase(node.closure.phase) is NodePhase.RUNNING

    async def _until(self, condition: Callable[[], Awaitable[Any]]) -> None:
        with anyio.fail_after(20):
            while not await condition():  # noqa: ASYNC110 - rows have no event
                await anyio.sleep(0.005)


@contextlib.asynccontextmanager
async def open_replay(recordings: Recordings | None, calls: Sequence[Call] = ()) -> AsyncIterator[Replay]:
    """Open a devserver without faces that has run nothing yet.

    Args:
        recordings: What its tasks give; None where stand-ins give it.
        calls: What was recorded of the requests, where they are not those of the recordings.
    """
    stand_ins = StandIns()
    clock, faults = Clock(), Faults()
    store = await Store.open(clock=clock.now_ns)
    registry = Registry(faults, Counter())
    data = await DataPlane.open(store, clock, handlers=registry.handlers(), folder=None, state=None)
    runner = FunctionRunner(stand_ins, clock) if recordings is None else RecordedRunner(recordings)
    engine = Engine(store, (runner, EchoRunner()), clock)
    await store.add_project(project_pb2.Project(id="flytesnacks", name="flytesnacks"))
    Services(store, engine, data, clock, faults, 2_000_000).register(registry)
    try:
        rig = Rig(store, engine, stand_ins, clock)
        yield Replay(rig, clock, InProcessTransport(registry.handlers()), calls or rpcs())
    finally:
        await engine.aclose()
        await data.aclose()
        await store.aclose()
