"""A state file through crashes, damage and full disks."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from flyte_remote_async.devserver import DevServer
from flyte_remote_async.errors import ConfigError
from tests.support.raw import Asking
from tests.support.recordings import DIRECTORY

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

ALL: dict[str, Any] = {"id": {"project": "flytesnacks", "domain": "development"}, "limit": 100}

LOADS_AGAIN_AND_AGAIN = """\
import asyncio, sys
from flyte_remote_async.devserver import DevServer
async def main():
    async with DevServer(state=sys.argv[1]) as dev:
        print("ready", flush=True)
        while True:
            await dev.load(sys.argv[2])
            print("loaded", flush=True)
asyncio.run(main())
"""

FILLS_THE_DISK = """\
import asyncio, resource, sys
from flyte_remote_async.devserver import DevServer
from flyte_remote_async.errors import ResourceExhaustedError
async def main():
    limit = int(sys.argv[3])
    async with DevServer(state=sys.argv[1]) as dev, dev.remote(max_attempts=1) as remote:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, -1))
        for number in range(2):
            try:
                await dev.load(sys.argv[2])
            except ResourceExhaustedError as error:
                assert "make room on the disk" in str(error), error
            else:
                raise SystemExit("it was written")
            assert [found async for found in remote.list_executions()] == []
        resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))  # for what measures this process
asyncio.run(main())
"""


FILLS_THE_DISK_AS_IT_RUNS = """\
import anyio, resource, sys
from flyte_remote_async.devserver import DevServer
async def main():
    async with DevServer(state=sys.argv[1]) as dev, dev.remote() as remote:
        await dev.load(sys.argv[2])
        begun, free = anyio.Event(), anyio.Event()
        @dev.task("more.big")
        async def big(n: int) -> list[str]:
            begun.set()
            await free.wait()
            return ["x" * 1000] * n
        execution = await remote.execute(await remote.fetch_launch_plan("more.large"), inputs={"n": 4000})
        await begun.wait()
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, -1))
        free.set()
        execution = await execution.wait(timeout=20, sync_nodes=False)
        print(execution.phase.name, execution.error.code, execution.error.message)
        resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
anyio.run(main)
"""


def recorded() -> str:
    return str(DIRECTORY / "state.jsonl.gz")


async def executions(path: Path) -> int:
    async with DevServer(state=path) as dev:
        return len((await Asking(dev.transport())("ListExecutions", **ALL)).executions)


@pytest.mark.parametrize(("after", "delay"), [("ready", 0.3), ("loaded", 0.2), ("loaded", 0.6)])
async def test_a_kill_in_the_middle_of_a_load_leaves_all_or_nothing_of_it(
    tmp_path: Path, after: str, delay: float
) -> None:
    path = tmp_path / "state.db"
    command = [sys.executable, "-c", LOADS_AGAIN_AND_AGAIN, str(path), recorded()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: ASYNC220 - nothing else runs
        assert process.stdout is not None
        while process.stdout.readline().strip() != after:
            assert process.poll() is None
        time.sleep(delay)  # noqa: ASYNC251 - to be somewhere in the middle
        process.kill()
    assert await executions(path) in ({0, 36} if after == "ready" else {36})


async def test_a_full_disk_refuses_writes_and_reads_go_on(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    command = [sys.executable, "-c", FILLS_THE_DISK, str(path), recorded(), "300000"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: ASYNC221 - nothing else runs
    assert (done.returncode, done.stderr) == (0, "")
    assert await executions(path) == 0
    async with DevServer(state=path) as dev:
        await dev.load(recorded())
    assert await executions(path) == 36


async def test_what_cannot_be_written_fails_its_execution_with_the_reason(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FILLS_THE_DISK_AS_IT_RUNS, str(tmp_path / "state.db"), recorded()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: ASYNC221 - nothing else runs
    assert done.stdout.startswith("FAILED StateNotWritten the devserver cannot write its state: "), done.stderr
    assert "Traceback" not in done.stderr


async def test_a_damaged_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with DevServer(state=path) as dev:
        await dev.load(recorded())
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 8192] = b"\xa5" * 8192
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"state\.db' as the devserver's state: .*; it is left as it was"):
        await DevServer(state=path).start()
    assert path.read_bytes() == data


async def test_an_empty_file_becomes_a_state(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.touch()
    assert await executions(path) == 0
    assert path.stat().st_size > 0


async def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        await DevServer(state=tmp_path).start()
