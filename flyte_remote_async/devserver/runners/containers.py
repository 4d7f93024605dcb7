"""Runs the commands of containers as processes of this machine, with the devserver's bucket as their storage.

This runs code that clients send. It is off unless it is asked for.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread
import attrs
from flyteidl.core import execution_pb2
from google.protobuf.json_format import MessageToDict

from flyte_remote_async.concurrency import in_thread
from flyte_remote_async.devserver.objects import REGION, key_of
from flyte_remote_async.devserver.runners.folders import TaskFolders, remove_folder
from flyte_remote_async.devserver.runners.outcome import user_failure
from flyte_remote_async.devserver.runners.processes import run_process
from flyte_remote_async.devserver.runners.results import exited, left_behind, with_deck
from flyte_remote_async.devserver.runners.templates import TemplateError, rendered, unique_key
from flyte_remote_async.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from flyteidl.core import tasks_pb2

    from flyte_remote_async.devserver.dataplane import DataPlane
    from flyte_remote_async.devserver.runners.base import TaskCall
    from flyte_remote_async.devserver.runners.copilot import Copilot
    from flyte_remote_async.devserver.runners.outcome import Outcome

__all__ = ["ContainerOptions", "ContainerRunner"]

# What a process has of the server's environment. A container would have nothing of it.
_INHERITED: Final = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "SYSTEMROOT")
_NOT_STARTED: Final = 128
_INDEX: Final = "FLYTE_K8S_ARRAY_INDEX"

# Where a copilot has its folders: beside that of the process, which is empty for it.
_DATA: Final = "-data"


@attrs.frozen
class ContainerOptions:
    """How commands of containers are run.

    Attributes:
        path: Folders that programs are looked for in before the server's own ``PATH``; last comes that of its Python.
        environment: Environment variables that every process gets, such as ``PYTHONPATH``.
        limit: How many processes run at a time, without those of eager tasks, which wait for others; 0 is one for each
            processor, and two at least.
    """

    path: Sequence[str] = ()
    environment: Mapping[str, str] = attrs.field(factory=dict)
    limit: int = 0


class ContainerRunner:
    """Runs the tasks that have a container.

    Args:
        data: The bucket and the logs.
        options: How they are run.
        endpoint: Tells where the control plane listens, for tasks that call it.
    """

    at_once = False

    def __init__(self, data: DataPlane, options: ContainerOptions, endpoint: Callable[[], str]) -> None:
        self._data = data
        self._options = options
        self._endpoint = endpoint
        self._places: anyio.CapacityLimiter | None = None
        self._folders = TaskFolders()

    def takes(self, task: tasks_pb2.TaskTemplate) -> bool:
        """Return whether the task has a container."""
        return task.WhichOneof("target") in {"container", "k8s_pod"}

    def logs(self, call: TaskCall) -> Sequence[execution_pb2.TaskLog]:
        """Return the link to what the attempt writes."""
        uri = f"{self._data.http.url}/logs/{_log_name(call)}"
        return (execution_pb2.TaskLog(uri=uri, name="Kubernetes Logs (User)"),)

    async def run(self, call: TaskCall) -> Outcome:
        """Run an attempt in a process, and return how it ended."""
        name = _log_name(call)
        log = self._data.logs.begin(name)
        try:
            async with self._place(call.task):
                return await self._run(call, log.write, log.text)
        except StorageError as error:
            return exited(call.generated_name, _NOT_STARTED, str(error), reason="StartError")
        finally:
            with anyio.CancelScope(shield=True):
                await self._data.logs.end(name)

    async def aclose(self) -> None:
        """Remove what tasks have left; they have ended."""
        await anyio.to_thread.run_sync(self._folders.close)

    async def _run(self, call: TaskCall, listen: Callable[[bytes], None], text: Callable[[], str]) -> Outcome:
        folder = await in_thread(self._folders.make, undo=_remove)
        copilot = self._copilot(call, f"{folder}{_DATA}")
        objects = self._data.objects
        try:
            if copilot is None or await copilot.bring():
                status = await self._run_in(folder, call, copilot, listen)
                if status:
                    return await with_deck(objects, call, exited(call.generated_name, status, text()))
                if copilot is not None:
                    await copilot.take()
        except TemplateError as error:
            return user_failure("BadTaskSpecification", f"the command of the container cannot be made: {error}")
        except (OSError, ValueError) as error:  # such as a null byte in an argument
            listen(f"{error}\n".encode())
            return exited(call.generated_name, _NOT_STARTED, text(), reason="StartError")
        finally:
            await in_thread(_remove, folder)
        return await with_deck(objects, call, await left_behind(objects, call))

    async def _run_in(
        self, folder: str, call: TaskCall, copilot: Copilot | None, listen: Callable[[bytes], None]
    ) -> int:
        """Run the command in a folder, and return its exit status."""
        command, given = _container(call.task)
        await self._prepare(call, command)
        words = rendered(command, self._fields(call), call.inputs)
        if copilot is not None:
            words = [copilot.moved(word) for word in words]
            given = {name: copilot.moved(value) for name, value in given.items()}
        environment = self._environment(call, given, folder)
        program = await anyio.to_thread.run_sync(_found, words, environment["PATH"])
        return await run_process(program, folder=folder, environment=environment, listen=listen)

    def _copilot(self, call: TaskCall, folder: str) -> Copilot | None:
        task = call.task
        if not (task.k8s_pod if task.HasField("k8s_pod") else task.container).data_config.enabled:
            return None
        from flyte_remote_async.devserver.runners.copilot import Copilot  # few tasks have one

        return Copilot(call, self._data.objects, folder)

    async def _prepare(self, call: TaskCall, command: Sequence[str]) -> None:
        """Put the inputs, and the task where it is asked for, to where the command reads them."""
        objects = self._data.objects
        inputs = key_of(call.inputs_uri) or ""
        if await objects.head(inputs) is None:
            await objects.put(inputs, call.inputs.SerializeToString())
        if any("tasktemplatepath" in word.lower() for word in command):
            await objects.put(key_of(f"{call.output_prefix}/task.pb") or "", call.task.SerializeToString())

    def _fields(self, call: TaskCall) -> dict[str, str]:
        return {
            "input": call.inputs_uri,
            "inputprefix": call.inputs_uri.rpartition("/")[0],
            "outputprefix": call.output_prefix,
            "rawoutputdataprefix": call.raw_output_prefix,
            "checkpointoutputprefix": call.checkpoint_uri,
            "prevcheckpointprefix": call.previous_checkpoint_uri or '""',
            "perretryuniquekey": unique_key(call.generated_name),
            "tasktemplatepath": f"{call.output_prefix}/task.pb",
            "namespace": f"{call.execution_id.project}-{call.execution_id.domain}",
        }

    def _environment(self, call: TaskCall, given: Mapping[str, str], folder: str) -> dict[str, str]:
        server = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        # Last, where the programs of the server's own environment are, which nobody may have activated.
        own = os.path.dirname(sys.executable)  # noqa: PTH120 - no more than a string
        path = os.pathsep.join((*self._options.path, os.environ.get("PATH", os.defpath), own))
        index = {} if call.index is None else {_INDEX: str(call.index), "BATCH_JOB_ARRAY_INDEX_VAR_NAME": _INDEX}
        return {
            **server,
            "PATH": path,
            "HOME": folder,
            "TMPDIR": folder,
            **self._storage(),
            **self._options.environment,
            **given,
            **_identity(call),
            **call.environment,
            **index,
        }

    def _storage(self) -> dict[str, str]:
        url = self._data.http.url
        return {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "devserver",
            "AWS_SECRET_ACCESS_KEY": "devserver",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "FLYTE_AWS_ENDPOINT": url,
            "FLYTE_AWS_ACCESS_KEY_ID": "devserver",
            "FLYTE_AWS_SECRET_ACCESS_KEY": "devserver",
            "FLYTE_PLATFORM_URL": self._endpoint(),
            "FLYTE_PLATFORM_INSECURE": "true",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def _place(self, task: tasks_pb2.TaskTemplate) -> AbstractAsyncContextManager[object]:
        if task.metadata.is_eager:
            # It waits for executions that it starts, and those would wait for its place.
            return contextlib.nullcontext()
        if self._places is None:  # not in the constructor: it belongs to the loop
            self._places = anyio.CapacityLimiter(self._options.limit or max(os.cpu_count() or 1, 2))
        return self._places


def _identity(call: TaskCall) -> dict[str, str]:
    run, task = call.execution_id, call.task.id
    return {
        "FLYTE_INTERNAL_EXECUTION_ID": run.name,
        "FLYTE_INTERNAL_EXECUTION_PROJECT": run.project,
        "FLYTE_INTERNAL_EXECUTION_DOMAIN": run.domain,
        "FLYTE_ATTEMPT_NUMBER": str(call.attempt.number),
        "FLYTE_INTERNAL_TASK_PROJECT": task.project,
        "FLYTE_INTERNAL_TASK_DOMAIN": task.domain,
        "FLYTE_INTERNAL_TASK_NAME": task.name,
        "FLYTE_INTERNAL_TASK_VERSION": task.version,
    }


def _container(task: tasks_pb2.TaskTemplate) -> tuple[list[str], dict[str, str]]:
    """Return the command of a task's container, and the environment that it brings."""
    if task.HasField("container"):
        pairs = {pair.key: pair.value for pair in task.container.env}
        return [*task.container.command, *task.container.args], pairs
    containers = MessageToDict(task.k8s_pod.pod_spec).get("containers", [])
    primary = task.config.get("primary_container_name", "")
    found = next((each for each in containers if each.get("name") == primary), containers[0] if containers else {})
    environment = {pair["name"]: pair.get("value", "") for pair in found.get("env", [])}
    return [*found.get("command", []), *found.get("args", [])], environment


def _found(words: Sequence[str], path: str) -> list[str]:
    """Return a command with its program's path.

    Raises:
        FileNotFoundError: There is no such program.
    """
    if not words:
        raise FileNotFoundError("the container has no command, and its image cannot be asked for one")
    program = shutil.which(words[0], path=path)
    if program is None:
        raise FileNotFoundError(f'exec: "{words[0]}": executable file not found in $PATH: {path}')
    return [program, *words[1:]]


def _log_name(call: TaskCall) -> str:
    run = call.execution_id
    attempt = str(call.attempt.number) if call.index is None else f"{call.attempt.number}-{call.index}"
    return f"{run.project}/{run.domain}/{run.name}/{call.attempt.node_id}/{attempt}"


def _remove(folder: str) -> None:
    for each in (folder, f"{folder}{_DATA}"):
        remove_folder(each)
