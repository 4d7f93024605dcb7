"""flytekit's own client registers, runs and reads on the devserver what it did on the Flyte of the recordings."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flyteidl.core import literals_pb2
from google.protobuf.json_format import MessageToDict

from flyte_remote_async.devserver import DevServer
from flyte_remote_async.devserver.runners.containers import ContainerOptions
from tests.support import recordings as recorded
from tests.support.expected_trees import FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

# Some sixty tasks, each a process that imports flytekit.
pytestmark = pytest.mark.timeout(900)

VERSION = "v2"
ABORTED = "more.long_wait"
LATER = {"recover", "relaunch", "cached.again"}
LABELS = recorded.labels()
HERE = Path(__file__).parent


def plan(endpoint: str, folder: Path) -> dict[str, Any]:
    recordings = recorded.load()
    runs = {}
    for label, name in LABELS.items():
        entity = recordings.get("EXECUTION", name).spec.launch_plan
        inputs = recordings.get("EXECUTION_DATA", name).full_inputs
        given = literals_pb2.LiteralMap() if label == "lp.fixed" else inputs
        runs[label] = {
            "name": entity.name,
            "is_task": label.startswith("task."),
            "inputs": given.SerializeToString().hex(),
        }
    return {
        "endpoint": endpoint,
        "version": VERSION,
        "folder": str(folder),
        "runs": {label: run for label, run in runs.items() if label not in LATER},
        "signals": {"samples.gates": {"number": 42, "ok": True}},
        "cached": ["samples.branch", "more.cachedwf"],
        "abort": ABORTED,
        "relaunch": "samples.flakywf",
        "recover": "samples.failing",
        "again": "more.cachedwf",
    }


def run(*command: str, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=850
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Have flytekit do all of it, once; return what it tells."""
    folder = tmp_path_factory.mktemp("client")
    python = Path(os.environ["FLYTEKIT_PYTHON"])
    for module in (
        recorded.DIRECTORY / "samples.py",
        recorded.DIRECTORY / "more.py",
        HERE.parent / "data/flytekit/flows.py",
        HERE.parent / "data/flytekit/kinds.py",
    ):
        shutil.copy(module, folder)
    # Where the code of an image would be.
    options = ContainerOptions(path=[str(python.parent)], environment={"PYTHONPATH": str(recorded.DIRECTORY)})
    with DevServer.in_thread(run_containers=options, read_limit_bytes=0) as dev:
        environment = {
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            # flytekit leaves a folder or two of its own.
            "TMPDIR": str(folder),
            "PYTHONPATH": str(folder),
            "FLYTE_PLATFORM_URL": dev.endpoint,
            "FLYTE_PLATFORM_INSECURE": "true",
            "FLYTE_AWS_ENDPOINT": f"http://{dev.http_endpoint}",
            "FLYTE_AWS_ACCESS_KEY_ID": "any",
            "FLYTE_AWS_SECRET_ACCESS_KEY": "any",
        }
        usual = ("-p", "flytesnacks", "-d", "development", "--version", VERSION, "--image", "local/none:v1")
        pyflyte = (str(python), "-m", "flytekit.clis.sdk_in_container.pyflyte", "register", *usual)
        for options_ in (("--copy", "none", "samples.py", "more.py"), ("flows.py", "kinds.py")):
            run(*pyflyte, *options_, folder=folder, environment=environment)
        (folder / "plan.json").write_text(json.dumps(plan(dev.endpoint, folder)))
        client = (str(python), str(HERE / "client.py"), "plan.json", "told.json")
        run(*client, folder=folder, environment=environment)
        yield json.loads((folder / "told.json").read_text())


def steady(data: bytes) -> Any:
    """Return literals without the places where objects are kept."""
    text = json.dumps(MessageToDict(literals_pb2.LiteralMap.FromString(data)), sort_keys=True)
    return json.loads(re.sub(r"s3://my-s3-bucket/[^\"]*", "s3://", text))


def comparable(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a recorded execution in the form in which the client tells one."""

    def node(found: dict[str, Any]) -> dict[str, Any]:
        attempts = [{key: each[key] for key in ("attempt", "phase", "error_code")} for each in found["attempts"]]
        return {
            "phase": found["phase"],
            "error_code": found["error_code"],
            "attempts": attempts,
            "children": level(found["children"]),
            "executions": [comparable(each) for each in found["executions"]],
        }

    def level(nodes: list[dict[str, Any]]) -> dict[str, Any]:
        return {each["node_id"]: node(each) for each in nodes}

    return {"phase": tree["phase"], "error_code": tree["error_code"], "nodes": level(tree["nodes"])}


@pytest.mark.parametrize("label", sorted(LABELS))
def test_it_ends_as_it_did_on_flyte(told: dict[str, Any], label: str) -> None:
    expected = json.loads(FILE.read_text())
    found = told["recorded"][label]
    tree = expected[LABELS[label]]
    assert found["tree"] == comparable(tree)


@pytest.mark.parametrize("label", sorted(LABELS))
def test_its_outputs_are_those_of_flyte(told: dict[str, Any], label: str) -> None:
    data = recorded.load().get("EXECUTION_DATA", LABELS[label])
    found = bytes.fromhex(told["recorded"][label]["outputs"])
    assert steady(found) == steady(data.full_outputs.SerializeToString())


def test_values_travel_there_and_back(told: dict[str, Any]) -> None:
    flows = told["flows"]
    deck = flows.pop("deck")
    assert "hello deck" in deck
    assert flows == {
        "values": [4.0, 5, "deck", [1, 4, 9]],
        "frame": {"a": [2, 4]},
        "file": "x yz",
        "folder": {"0.txt": "x", "1.txt": "yz"},
        "by address": 4.0,
    }


def test_all_kinds_of_workflows_run(told: dict[str, Any]) -> None:
    kinds = told["kinds"]
    deck = kinds.pop("deck")
    assert "seen before the failure" in deck
    names = ["a b.txt", "ünï.txt", "plus+&=.txt", "hash#.txt", "quote'.txt"]
    assert kinds == {
        "values": [[*names, "2 None"], ["a", "c"]],
        "maps": ["[None, None, None, 5]", 1],
        "handled": ["ValueError: refused 1 ☃", ["fn0", "n0", "start-node"]],
        "commands": ["said\n", 15, "said\n"],
        "built": [2, 3],
        "eager": ["14 EagerException", "18 EagerException"],
    }
