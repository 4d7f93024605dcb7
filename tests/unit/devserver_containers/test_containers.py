"""Commands of containers as local processes: what they get, what they leave, and how they end."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import attrs
import pytest
from flyteidl.core import dynamic_job_pb2, errors_pb2, execution_pb2, literals_pb2, tasks_pb2, types_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from flyte_remote_async.devserver.runners.containers import ContainerOptions, ContainerRunner
from tests.support.containers import call, python, writing
from tests.support.eventually import eventually

if TYPE_CHECKING:
    from flyte_remote_async.devserver.dataplane import DataPlane
    from flyte_remote_async.devserver.runners.base import TaskCall
    from flyte_remote_async.devserver.runners.outcome import Outcome

pytestmark = pytest.mark.anyio

SYSTEM = execution_pb2.ExecutionError.SYSTEM
FIVE = literals_pb2.LiteralMap(literals={"o0": literals_pb2.Literal(scalar={"primitive": {"integer": 5}})})
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="children are found in /proc")


def declaring(asked: TaskCall) -> TaskCall:
    """Say that the task has an output."""
    asked.task.interface.outputs.variables["o0"].type.simple = types_pb2.INTEGER
    return asked


def failure(outcome: Outcome) -> execution_pb2.ExecutionError:
    assert outcome.error is not None
    return outcome.error


async def log_of(data: DataPlane, attempt: str = "0") -> str:
    text = await data.logs.read(f"p/d/e/n0/{attempt}")
    assert text is not None
    return text


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# --- what it gets ---

TELL = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd(), sys.stdin.read()]))"


async def test_a_command_gets_what_a_container_of_flyte_gets(runner: ContainerRunner, data: DataPlane) -> None:
    fields = ("input", "inputPrefix", "outputPrefix", "rawOutputDataPrefix", "checkpointOutputPrefix")
    others = ("prevCheckpointPrefix", "perRetryUniqueKey", "taskTemplatePath", "namespace")
    asked = python(TELL, *(f"{{{{.{name}}}}}" for name in fields + others), "{{.Inputs.o0}}", inputs=FIVE)
    asked.task.container.env.add(key="GIVEN", value="container")
    asked.task.container.env.add(key="FROM", value="container")
    asked = attrs.evolve(asked, environment={"FROM": "execution"}, previous_checkpoint_uri="s3://before")
    assert await runner.run(asked) == attrs.evolve(await runner.run(asked), deck_uri="")
    words, environment, folder, stdin = json.loads(await log_of(data))
    root = "s3://my-s3-bucket/metadata/propeller/p-d-e/n0/data"
    raw = "s3://my-s3-bucket/data/ab/e-n0-0"
    assert words == [
        *(f"{root}/inputs.pb", root, f"{root}/0", raw, f"{raw}/_flytecheckpoints"),
        *("s3://before", "e_n0_0", f"{root}/0/task.pb", "p-d", "5"),
    ]
    assert stdin == ""
    assert environment["HOME"] == environment["TMPDIR"] == folder
    assert not await anyio.Path(folder).exists()
    assert environment["FLYTE_AWS_ENDPOINT"] == f"http://{data.http.endpoint}"
    expected = {
        "FLYTE_INTERNAL_EXECUTION_ID": "e",
        "FLYTE_INTERNAL_EXECUTION_PROJECT": "p",
        "FLYTE_INTERNAL_EXECUTION_DOMAIN": "d",
        "FLYTE_INTERNAL_TASK_NAME": "t",
        "FLYTE_INTERNAL_TASK_VERSION": "v",
        "FLYTE_INTERNAL_TASK_PROJECT": "p",
        "FLYTE_INTERNAL_TASK_DOMAIN": "d",
        "FLYTE_ATTEMPT_NUMBER": "0",
        "FLYTE_PLATFORM_URL": "127.0.0.1:1",
        "GIVEN": "container",
        "FROM": "execution",
    }
    assert {name: environment.get(name) for name in expected} == expected
    assert "FLYTE_K8S_ARRAY_INDEX" not in environment
    key = f"{root}/inputs.pb".removeprefix("s3://my-s3-bucket/")
    assert await data.objects.get(key) == FIVE.SerializeToString()
    template = await data.objects.get(key.replace("inputs.pb", "0/task.pb"))
    assert template is not None
    assert tasks_pb2.TaskTemplate.FromString(template) == asked.task


async def test_nothing_else_of_the_server_is_handed_on(
    runner: ContainerRunner, data: DataPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "x")
    await runner.run(python(TELL))
    assert "A_SECRET" not in json.loads(await log_of(data))[1]


async def test_an_item_of_an_array_knows_its_place(runner: ContainerRunner, data: DataPlane) -> None:
    await runner.run(python(TELL, index=3))
    environment = json.loads(await log_of(data, "0-3"))[1]
    assert environment[environment["BATCH_JOB_ARRAY_INDEX_VAR_NAME"]] == "3"


async def test_a_program_is_looked_for_where_the_options_say(data: DataPlane, tmp_path: Path) -> None:
    def write() -> None:
        program = tmp_path / "pyflyte-execute"
        program.write_text("#!/bin/sh\necho ours $*\n")
        program.chmod(stat.S_IRWXU)

    await anyio.to_thread.run_sync(write)
    runner = ContainerRunner(data, ContainerOptions(path=[str(tmp_path)]), lambda: "")
    assert (await runner.run(call("pyflyte-execute", "x"))).error is None
    assert await log_of(data) == "ours x\n"


async def test_programs_of_the_environment_that_the_server_runs_in_are_found(
    runner: ContainerRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (await runner.run(call(Path(sys.executable).name, "-c", ""))).error is None


async def test_the_primary_container_of_a_pod_is_run(runner: ContainerRunner, data: DataPlane) -> None:
    asked = call()
    asked.task.ClearField("container")
    assert not runner.takes(asked.task)
    containers: list[Any] = [
        {"name": "other", "command": ["false"]},
        {"name": "main", "command": [sys.executable, "-c"], "args": [TELL], "env": [{"name": "POD", "value": "x"}]},
    ]
    asked.task.k8s_pod.pod_spec.update({"containers": containers})
    asked.task.config["primary_container_name"] = "main"
    assert runner.takes(asked.task)
    assert (await runner.run(asked)).error is None
    assert json.loads(await log_of(data))[1]["POD"] == "x"
    asked.task.config["primary_container_name"] = "none"
    assert failure(await runner.run(asked)).code == "Interrupted"


# --- what it leaves ---


async def test_outputs_are_read(runner: ContainerRunner) -> None:
    outcome = await runner.run(declaring(writing({"outputs.pb": FIVE.SerializeToString()})))
    assert (outcome.outputs, outcome.error, outcome.deck_uri) == (FIVE, None, "")


async def test_outputs_that_are_not_declared_are_not_missed(runner: ContainerRunner) -> None:
    assert (await runner.run(python(""))).error is None
    outcome = await runner.run(declaring(python("")))
    missing = failure(outcome)
    assert (missing.code, missing.message) == ("OutputsNotFound", "Outputs not generated by task execution")
    assert outcome.recoverable


async def test_a_deck_is_found(runner: ContainerRunner) -> None:
    outcome = await runner.run(writing({"deck.html": b"<p>"}))
    assert outcome.deck_uri == "s3://my-s3-bucket/metadata/propeller/p-d-e/n0/data/0/deck.html"


@pytest.mark.parametrize("status", [0, 3])
@pytest.mark.parametrize("left", ["deck.html", "other.html"])
@pytest.mark.parametrize("makes_one", [None, False, True])
async def test_a_deck_is_one_of_a_task_that_makes_one(
    runner: ContainerRunner, *, makes_one: bool | None, left: str, status: int
) -> None:
    asked = writing({left: b"<p>"}, then=f"sys.exit({status})")
    if makes_one is not None:
        asked.task.metadata.generates_deck.value = makes_one
    outcome = await runner.run(asked)
    assert (outcome.error is None) == (status == 0)
    has_one = left == "deck.html" and (status == 0 if makes_one is None else makes_one)
    assert bool(outcome.deck_uri) == has_one


async def test_a_dynamic_workflow_is_read(runner: ContainerRunner) -> None:
    spec = dynamic_job_pb2.DynamicJobSpec(min_successes=2)
    outcome = await runner.run(declaring(writing({"futures.pb": spec.SerializeToString()})))
    assert (outcome.dynamic, outcome.error) == (spec, None)


@pytest.mark.parametrize("recoverable", [True, False])
async def test_an_error_is_read(runner: ContainerRunner, *, recoverable: bool) -> None:
    document = errors_pb2.ErrorDocument()
    error = document.error
    error.code, error.message, error.worker = "USER:X", "words", "w0"
    error.kind = errors_pb2.ContainerError.RECOVERABLE if recoverable else errors_pb2.ContainerError.NON_RECOVERABLE
    error.origin = execution_pb2.ExecutionError.USER
    error.timestamp.CopyFrom(Timestamp(seconds=5))
    files = {"error.pb": document.SerializeToString(), "outputs.pb": FIVE.SerializeToString()}
    outcome = await runner.run(declaring(writing(files)))
    told = failure(outcome)
    assert (told.code, told.message, told.worker, told.kind) == ("USER:X", "words", "w0", error.origin)
    assert told.timestamp.seconds == 5
    assert outcome.recoverable is recoverable


async def test_an_error_without_an_error_is_said(runner: ContainerRunner) -> None:
    outcome = await runner.run(writing({"error.pb": b""}))
    assert failure(outcome).code == "ErrorFileBadFormat"
    assert failure(outcome).message.endswith("/n0/data/0/error.pb]")
    assert outcome.recoverable


@pytest.mark.parametrize("name", ["outputs.pb", "error.pb", "futures.pb"])
async def test_files_that_are_no_messages_are_said(runner: ContainerRunner, name: str) -> None:
    outcome = await runner.run(declaring(writing({name: b"\xff\xff\xff"})))
    assert failure(outcome).code == "ErrorReadingOutputs"


# --- how it ends ---


async def test_an_exit_status_is_told_with_the_last_words(runner: ContainerRunner) -> None:
    files = {"outputs.pb": FIVE.SerializeToString()}
    outcome = await runner.run(writing(files, then="print('x' * 3000, flush=True); sys.exit('last words')"))
    error = failure(outcome)
    assert (error.code, error.kind, outcome.recoverable) == ("Interrupted", SYSTEM, True)
    start = (
        "Pod failed. No message received from kubernetes.\r\n[e-n0-0] terminated with exit code (1). Reason [Error]."
    )
    assert error.message.startswith(start)
    assert error.message.endswith("xxx\nlast words\n.")
    assert len(error.message) < 2300


async def test_a_signal_is_an_exit_status(runner: ContainerRunner) -> None:
    outcome = await runner.run(python("import os; os.kill(os.getpid(), 9)"))
    assert "exit code (137)" in failure(outcome).message


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("no-such-program", "x"), 'exec: "no-such-program": executable file not found in $PATH'),
        ((), "the container has no command"),
        (("/",), "executable file not found"),
        ((sys.executable, "a\0b"), "embedded null byte"),
    ],
)
async def test_what_cannot_be_started_is_said(
    runner: ContainerRunner, data: DataPlane, command: tuple[str, ...], words: str
) -> None:
    error = failure(await runner.run(call(*command)))
    assert "exit code (128). Reason [StartError]" in error.message
    assert words in error.message
    assert words in await log_of(data)


async def test_a_file_that_is_no_program_is_said(runner: ContainerRunner, tmp_path: Path) -> None:
    def write() -> None:
        (tmp_path / "program").write_bytes(b"\0nonsense")
        (tmp_path / "program").chmod(stat.S_IRWXU)

    await anyio.to_thread.run_sync(write)
    assert "Reason [StartError]" in failure(await runner.run(call(str(tmp_path / "program")))).message


async def test_a_command_that_cannot_be_made_is_said(runner: ContainerRunner) -> None:
    error = failure(await runner.run(call("echo", "{{.Inputs.x}}")))
    assert error.code == "BadTaskSpecification"
    assert "requested input is not found [x]" in error.message


async def test_a_bucket_that_is_full_is_said(runner: ContainerRunner, data: DataPlane) -> None:
    data.objects._blobs.largest = 1
    error = failure(await runner.run(python("", inputs=FIVE)))
    assert "at most 1 bytes" in error.message


# --- its end is the end of all ---

HANG = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(300)"
options = {"start_new_session": True} if sys.argv[1] == "away" else {}
process = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE, **options)
process.stdout.readline()
print(os.getpid(), process.pid, flush=True)
if sys.argv[2] == "hang":
    time.sleep(300)
"""


@LINUX
@pytest.mark.parametrize("where", ["near", "away"])
async def test_a_cancelled_attempt_ends_with_its_children(runner: ContainerRunner, data: DataPlane, where: str) -> None:
    live = data.logs._live
    async with anyio.create_task_group() as group:
        group.start_soon(runner.run, python(HANG, where, "hang"))
        await eventually(lambda: any("\n" in log.text() for log in live.values()))
        pids = [int(word) for word in next(iter(live.values())).text().split()]
        assert all([await anyio.to_thread.run_sync(is_running, pid) for pid in pids])
        group.cancel_scope.cancel()
    assert not any([await anyio.to_thread.run_sync(is_running, pid) for pid in pids])
    assert live == {}
    assert (await log_of(data)).split() == [str(pid) for pid in pids]


@LINUX
@pytest.mark.parametrize("where", ["near", "away"])
async def test_what_a_command_leaves_running_ends_with_it(runner: ContainerRunner, data: DataPlane, where: str) -> None:
    assert (await runner.run(python(HANG, where, "leave"))).error is None
    pids = [int(word) for word in (await log_of(data)).split()]
    assert not any([await anyio.to_thread.run_sync(is_running, pid) for pid in pids])


async def test_a_command_may_end_itself_when_it_is_asked_to(runner: ContainerRunner, data: DataPlane) -> None:
    code = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b'good night\\n'), os._exit(0)))\n"
        "os.write(1, b'up\\n')\n"
        "time.sleep(300)"
    )
    async with anyio.create_task_group() as group:
        group.start_soon(runner.run, python(code))
        await eventually(lambda: any("up" in log.text() for log in data.logs._live.values()))
        group.cancel_scope.cancel()
    assert await log_of(data) == "up\ngood night\n"


async def test_what_is_written_without_end_is_kept_in_part(runner: ContainerRunner, data: DataPlane) -> None:
    code = "import sys; sys.stdout.write('begin\\n' + 'x' * 3_000_000 + '\\nend\\n')"
    assert (await runner.run(python(code))).error is None
    text = await log_of(data)
    assert text.startswith("begin\n")
    assert text.endswith("\nend\n")
    assert "bytes left out" in text
    assert len(text) < 600_000


async def test_so_many_run_at_a_time(data: DataPlane) -> None:
    runner = ContainerRunner(data, ContainerOptions(limit=1), lambda: "")
    live = data.logs._live
    async with anyio.create_task_group() as group:
        group.start_soon(runner.run, python("print(1, flush=True); import time; time.sleep(300)", number=0))
        await eventually(lambda: any(log.text() for log in live.values()))
        group.start_soon(runner.run, python("print(2)", number=1))
        await eventually(lambda: len(live) == 2)
        await anyio.sleep(0.2)
        assert not await data.logs.read("p/d/e/n0/1")
        group.cancel_scope.cancel()


async def test_an_eager_task_leaves_the_place_to_those_that_it_waits_for(data: DataPlane) -> None:
    runner = ContainerRunner(data, ContainerOptions(limit=1), lambda: "")
    eager = python("import time; print(1, flush=True); time.sleep(300)", number=0)
    eager.task.metadata.is_eager = True
    async with anyio.create_task_group() as group:
        group.start_soon(runner.run, eager)
        await eventually(lambda: any(log.text() for log in data.logs._live.values()))
        assert (await runner.run(python("", number=1))).error is None
        group.cancel_scope.cancel()


async def test_its_log_has_a_link(runner: ContainerRunner, data: DataPlane) -> None:
    (log,) = runner.logs(python(""))
    assert log.uri == f"http://{data.http.endpoint}/logs/p/d/e/n0/0"
    assert os.sep in log.uri
