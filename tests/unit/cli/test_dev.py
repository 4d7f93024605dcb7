"""``flyte-remote dev``: the devserver as a process."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from flyte_remote_async import FlyteRemote
from flyte_remote_async.cli import main
from flyte_remote_async.config import Config
from tests.support.recordings import DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flyte_remote_async import FlyteWorkflowExecution

RECORDED = str(DIRECTORY / "state.jsonl.gz")


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command, and give the process and its endpoint once it is ready."""
    command = [sys.executable, "-m", "flyte_remote_async", "dev", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready: "), process.communicate()
        try:
            yield process, line.split()[4].rstrip(",")
        finally:
            process.kill()


def stop(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
    assert process.stdout is not None
    assert process.stderr is not None
    process.send_signal(number)
    # Not communicate(), which knows nothing of what was read ahead.
    out, err = process.stdout.read(), process.stderr.read()
    return process.wait(), out, err


def executions(endpoint: str) -> int:
    async def count() -> int:
        async with FlyteRemote.connect(endpoint, insecure=True, project="flytesnacks", domain="development") as remote:
            return len([execution async for execution in remote.list_executions()])

    return asyncio.run(count())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_serves_until_it_is_told_to_stop(number: signal.Signals, code: int, tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    with running("--import", RECORDED, "--ready-file", str(ready)) as (process, endpoint):
        assert executions(endpoint) == 36
        facts = json.loads(ready.read_text())
        assert (facts["endpoint"], facts["pid"]) == (endpoint, process.pid)
        assert httpx.get(f"{facts['http']}/no-such-bucket/key").status_code in {403, 404}
        returned, out, err = stop(process, number)
    assert (returned, err) == (code, "")
    assert "in memory" in out
    assert f"read 1122 messages from {RECORDED}" in out


def test_the_configuration_that_it_prints_leads_to_it(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    with running("--http-port", "0") as (process, endpoint):
        _, out, _ = stop(process)
    file.write_text(out[out.index("# For") :])
    config = Config.load(file=file, env={})
    assert (config.endpoint, config.insecure) == (f"dns:///{endpoint}", True)
    assert config.storage.s3_endpoint is not None
    assert config.storage.s3_endpoint.startswith("http://127.0.0.1:")


def test_the_state_survives(tmp_path: Path) -> None:
    state = str(tmp_path / "state.db")
    with running("--state", state, "--import", RECORDED) as (process, _):
        assert stop(process)[0] == 0
    with running("--state", state) as (process, endpoint):
        assert executions(endpoint) == 36
        code, out, _ = stop(process)
    assert code == 0
    assert f"state: {state}" in out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_ran_when_it_stopped_has_failed_with_the_reason(tmp_path: Path, number: signal.Signals) -> None:
    async def launch(endpoint: str) -> None:
        async with FlyteRemote.connect(endpoint, insecure=True, project="flytesnacks", domain="development") as remote:
            plan = await remote.fetch_launch_plan("samples.sleepy")
            execution = await remote.execute(plan, inputs={"a": 3}, name="asleep")
            while "n0" not in (await execution.sync(sync_nodes=True)).node_executions:  # noqa: ASYNC110 - as clients
                await asyncio.sleep(0.05)

    async def read(endpoint: str) -> FlyteWorkflowExecution:
        async with FlyteRemote.connect(endpoint, insecure=True, project="flytesnacks", domain="development") as remote:
            return await (await remote.fetch_execution("asleep")).sync(sync_nodes=True)

    state = str(tmp_path / "state.db")
    with running("--state", state, "--import", RECORDED) as (process, endpoint):
        asyncio.run(launch(endpoint))
        stop(process, number)
    for _ in range(2):
        with running("--state", state) as (process, endpoint):
            execution = asyncio.run(read(endpoint))
            stop(process)
        assert execution.phase.name == "FAILED"
        assert execution.error is not None
        assert (execution.error.kind.name, execution.error.code) == ("SYSTEM", "DevServerStopped")
        assert "the devserver was stopped while execution asleep ran" in execution.error.message
        assert execution.node_executions["n0"].phase.name == "FAILED"
        assert all(node.is_done for node in execution.node_executions.values())


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["dev", "--port", "0", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    return err


def test_a_port_in_use_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert refused(capsys, "--port", str(port)) == (
            f"flyte-remote: cannot listen on 127.0.0.1:{port}: Address already in use\n"
        )
    assert "cannot listen on no.such.host.invalid:" in refused(capsys, "--host", "no.such.host.invalid", "--port", "1")


def test_two_servers_on_one_state_are_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    state = str(tmp_path / "state.db")
    with running("--state", state):
        assert "another devserver uses it" in refused(capsys, "--state", state)


@pytest.mark.parametrize("content", ["this is no database " * 50, "x"])
def test_a_file_that_is_no_state_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str) -> None:
    state = tmp_path / "notes.txt"
    state.write_text(content)
    assert "the file is not a database; it is left as it was" in refused(capsys, "--state", str(state))
    assert state.read_text() == content


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file or directory"), ("{}\n", "line 1 of the state: KeyError: 'kind'")]
)
def test_an_import_that_cannot_be_read_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str | None, said: str
) -> None:
    source = tmp_path / "state.jsonl"
    if content is not None:
        source.write_text(content)
    assert said in refused(capsys, "--import", str(source))


def test_a_ready_file_that_cannot_be_written_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "No such file or directory" in refused(capsys, "--ready-file", str(tmp_path / "no" / "ready.json"))


def test_other_machines_reach_it_only_when_that_is_asked_for() -> None:
    with running("--host", "0.0.0.0") as (process, endpoint):  # noqa: S104 - what is tested
        assert endpoint.startswith("localhost:")
        assert executions(endpoint) == 0
        code, _, err = stop(process)
    assert code == 0
    assert err.startswith("the devserver listens on 0.0.0.0 and has no authentication: whoever reaches port ")


def test_without_its_extra_it_serves_grpc_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['uvicorn'] = None\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with running() as (process, endpoint):
        assert executions(endpoint) == 0
        _, out, _ = stop(process)
    assert "pip install 'flyte-remote-async[devserver]'" in out
    assert "storage:" not in out


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_is_a_number(capsys: pytest.CaptureFixture[str], port: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["dev", f"--port={port}"])
    assert caught.value.code == 2
    assert "is not a port" in capsys.readouterr().err
