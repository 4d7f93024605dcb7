"""``flyte-remote export``: what a Flyte knows, as a file."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest

from flyte_remote_async.cli import main
from flyte_remote_async.devserver import DevServer
from tests.support.recordings import DIRECTORY, labels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLACE = ["--project", "flytesnacks", "--domain", "development"]


@pytest.fixture
def endpoint() -> Iterator[str]:
    """Run a Flyte that knows the recordings, and give its endpoint."""
    with DevServer.in_thread() as dev:
        dev.load(DIRECTORY / "state.jsonl.gz")
        yield dev.endpoint


def run(path: Path, endpoint: str, *arguments: str) -> int:
    return main(["export", str(path), "--endpoint", endpoint, "--insecure", *arguments])


def kinds(lines: list[str]) -> list[str]:
    return [json.loads(line)["kind"] for line in lines]


def test_a_workflow_as_text_and_packed(tmp_path: Path, endpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    plain, packed = tmp_path / "chain.jsonl", tmp_path / "chain.jsonl.gz"
    for path in (plain, packed):
        assert run(path, endpoint, *PLACE, "--workflow", "samples.chain:v2") == 0
        assert capsys.readouterr().out == f"{path}: 2 workflows, 3 tasks, 1 launch plan\n"
    lines = plain.read_text().splitlines()
    assert kinds(lines) == ["TASK"] * 3 + ["WORKFLOW"] * 2 + ["LAUNCH_PLAN"]
    assert gzip.decompress(packed.read_bytes()).decode().splitlines() == lines
    first = packed.read_bytes()
    assert run(packed, endpoint, *PLACE, "--workflow", "samples.chain") == 0
    assert packed.read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chain.jsonl", "chain.jsonl.gz"]


def test_a_failed_execution_is_looked_at_elsewhere(
    tmp_path: Path, endpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "failed.jsonl.gz"
    name = labels()["samples.failing"]
    assert run(path, endpoint, *PLACE, "--execution", name) == 0
    told = "1 workflow, 2 tasks, 1 launch plan, 1 execution, 3 nodes, 2 attempts"
    assert capsys.readouterr().out == f"{path}: {told}\n"
    with DevServer.in_thread() as other:
        other.load(path)

        async def explain() -> str:
            async with other.server.remote() as remote:
                return str(await (await remote.fetch_execution(name)).explain_failure())

        assert "ValueError" in other.call(explain)


def test_a_launch_plan_and_a_task(tmp_path: Path, endpoint: str) -> None:
    path = tmp_path / "some.jsonl"
    assert run(path, endpoint, *PLACE, "--launch-plan", "samples.sub_lp", "--task", "samples.flaky") == 0
    names = {json.loads(line)["key"].split("/")[2] for line in path.read_text().splitlines()}
    assert {"samples.sub_lp", "samples.sub", "samples.flaky"} <= names


def test_how_far_it_is_is_told_beside_the_result(
    tmp_path: Path, endpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "wide.jsonl", endpoint, *PLACE, "--execution", labels()["samples.wide100"]) == 0
    out, err = capsys.readouterr()
    assert "102 nodes, 100 attempts" in out
    assert err.splitlines()[:2] == ["100 messages read", "200 messages read"]


def test_the_endpoint_and_the_place_may_come_from_flytes_configuration(
    tmp_path: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"admin:\n  endpoint: dns:///{endpoint}\n  insecure: true\n")
    monkeypatch.setenv("FLYTECTL_CONFIG", str(file))
    path = tmp_path / "all.jsonl.gz"
    assert main(["export", str(path), *PLACE]) == 0
    assert main(["export", str(path)]) == 2


@pytest.mark.parametrize("what", [["--workflow", "nowhere"], ["--execution", "nowhere"], ["--task", "samples.add:v9"]])
def test_what_is_missing_leaves_the_file_as_it_was(
    tmp_path: Path, endpoint: str, capsys: pytest.CaptureFixture[str], what: list[str]
) -> None:
    path = tmp_path / "kept.jsonl"
    path.write_text("kept\n")
    assert run(path, endpoint, *PLACE, *what) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("flyte-remote: ")
    assert what[1].split(":")[0] in err
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("kept.jsonl", "kept\n")]


def test_a_place_without_anything(tmp_path: Path, endpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "none.jsonl"
    assert run(path, endpoint, "--project", "flytesnacks", "--domain", "production") == 1
    assert "flytesnacks/production has no tasks, workflows or launch plans" in capsys.readouterr().err
    assert not path.exists()


def test_a_file_that_cannot_be_written_is_told_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Nobody listens at the endpoint.
    assert run(tmp_path / "no" / "folder.jsonl", "127.0.0.1:1", *PLACE) == 2
    assert "No such file or directory" in capsys.readouterr().err


def test_a_flyte_that_does_not_answer_is_a_call_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("admin:\n  endpoint: dns:///127.0.0.1:1\n  insecure: true\n  maxRetries: 1\n")
    monkeypatch.setenv("FLYTECTL_CONFIG", str(file))
    assert main(["export", str(tmp_path / "x.jsonl"), *PLACE]) == 1
    assert "UNAVAILABLE" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [file]


def test_without_a_project_nothing_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "x.jsonl", "127.0.0.1:1", "--project", "flytesnacks") == 2
    assert "give --project and --domain" in capsys.readouterr().err


@pytest.mark.parametrize("what", [["--workflow", "samples.chain:"], ["--task", ""], ["--execution", " "]])
def test_a_wrong_name_is_a_wrong_command_line(tmp_path: Path, what: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(tmp_path / "x.jsonl", "127.0.0.1:1", *PLACE, *what)
    assert caught.value.code == 2
