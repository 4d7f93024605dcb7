from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING

import pytest
from anyio.from_thread import start_blocking_portal

from flyte_remote_async.cli import demo, demo_tasks, main
from flyte_remote_async.cli.packaged import packaged_lines, packaged_workflows
from flyte_remote_async.devserver import DevServer
from flyte_remote_async.devserver.runners.stand_ins import StandIns
from tests.support.make_demo_data import FILE, LABELS, render

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.recordings import Recordings

COMMAND = [sys.executable, "-m", "flyte_remote_async"]


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_PACE", 0.0)


def run(*arguments: str) -> int:
    return main(["demo", *arguments])


def test_the_packaged_data_is_what_the_recordings_give(recordings: Recordings) -> None:
    assert FILE.read_bytes() == render(recordings)


def test_every_packaged_workflow_is_listed_with_its_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--list") == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split("(")[0] for line in listed] == sorted(LABELS)
    assert "samples.chain(a=3) -> o0, p, s" in listed
    assert "more.empty(a=1) -> nothing" in listed


@pytest.mark.usefixtures("fast")
def test_the_demo_shows_progress_and_the_typed_outputs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0].startswith("launched flytesnacks/development/")
    assert any(line.endswith("samples.chain  SUCCEEDED") for line in lines)
    assert "    └── n0-0-n1" in out.replace("│", " ")
    assert lines[-4:-1] == [
        "o0 = 5",
        "p = Point(x=5, y=2.5, tags=['a', 'b'], name=None)",
        "s = \"Point(x=5, y=2.5, tags=['a', 'b'], name=None) Color.RED\"",
    ]
    assert lines[-1].startswith("done in ")


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize(
    ("workflow", "inputs", "expected"),
    [
        ("samples.branch", "{}", "o0 = 30"),
        ("samples.branch", '{"a": 7}', "o0 = 8"),
        ("samples.wide5", '{"a": 4}', "o0 = 4"),
        ("samples.wide20", "{}", "o0 = 1"),
        ("samples.flakywf", "{}", "o0 = 3"),
        ("more.nested_branch", '{"b": false}', "o0 = 4"),
        ("more.empty", "{}", "done in"),
        ("samples.failing", '{"a": -2000}', "o0 = -1999"),
    ],
)
def test_every_packaged_workflow_runs(
    capsys: pytest.CaptureFixture[str], workflow: str, inputs: str, expected: str
) -> None:
    assert run("--workflow", workflow, "--inputs", inputs) == 0
    assert expected in capsys.readouterr().out


def test_the_workflows_that_run_are_all_that_are_packaged() -> None:
    tested = {"samples.branch", "samples.wide5", "samples.wide20", "samples.flakywf", "more.nested_branch"}
    tested |= {"more.empty", "samples.failing", "samples.chain"}
    assert {workflow.name for workflow in packaged_workflows()} == tested


@pytest.mark.usefixtures("fast")
def test_a_failed_execution_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--workflow", "samples.failing") == 1
    out, err = capsys.readouterr()
    assert len(err.splitlines()) == 1
    assert err.endswith("is FAILED: USER:RuntimeError: ValueError: boom 4\n")
    assert "└── n1" in out
    assert "Traceback (most recent call last):" in out


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--inputs", '{"a": "x"}'], "these inputs do not fit"),
        (["--inputs", '{"zz": 1}'], "there is no such input"),
        (["--endpoint", "no such endpoint!"], "endpoint"),
        (["--project", "nowhere"], "nowhere"),
    ],
)
def test_what_goes_wrong_is_one_line_on_stderr(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run(*arguments) == 1
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1


def test_a_timeout_says_that_the_execution_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--timeout", "0.05") == 1
    assert "after 0.05 s, and goes on; a larger --timeout waits longer" in capsys.readouterr().err


def test_a_workflow_that_is_not_packaged(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--workflow", "nope") == 2
    assert "has no workflow 'nope'; it has more.empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--inputs", "{"], "is not JSON"),
        (["--inputs", "[1]"], "is not an object of inputs by name"),
        (["--timeout", "soon"], "not a positive number of seconds"),
        (["--timeout", "-1"], "not a positive number of seconds"),
        (["--workflow", ""], "the name is empty"),
        (["--workflow", " ", "--endpoint", "127.0.0.1:1"], "the name is empty"),
        (["--nonsense"], "unrecognized arguments"),
    ],
)
def test_a_wrong_command_line_exits_with_2(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_an_endpoint_of_ones_own_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    # Nobody listens there, so the error names it: nothing was started instead.
    assert run("--endpoint", "127.0.0.1:1", "--insecure", "--workflow", "mine") == 1
    assert "127.0.0.1:1" in capsys.readouterr().err


@pytest.fixture
def flyte_of_ones_own() -> Iterator[str]:
    """The endpoint of a server that runs elsewhere: here, in a thread."""
    with start_blocking_portal() as portal:
        dev = DevServer()
        portal.call(dev.start)
        try:
            portal.call(dev.load, packaged_lines())
            demo_tasks.register(dev, 0)
            yield dev.endpoint
        finally:
            portal.call(dev.aclose)


def test_a_workflow_runs_on_an_endpoint_of_ones_own(capsys: pytest.CaptureFixture[str], flyte_of_ones_own: str) -> None:
    assert run("--endpoint", flyte_of_ones_own, "--insecure") == 0
    out = capsys.readouterr().out
    assert f" on {flyte_of_ones_own}\n" in out
    # What the types are is known of the packaged workflows alone.
    assert "p = {'x': 5, 'y': 2.5, 'tags': ['a', 'b'], 'name': None}" in out


def test_ctrl_c_leaves_cleanly() -> None:
    # What a shell starts in the background ignores the signal, and so would what this test starts from there.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from flyte_remote_async.cli import main; sys.exit(main())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("launched")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert (process.returncode, err) == (130, "flyte-remote: interrupted\n")


# Python imports it before all else; then it sends the signal in the middle of the import of a module.
INTERRUPTS = """\
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPT_AT"]:
            signal.raise_signal(signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize("module", ["flyte_remote_async.cli.arguments", "flyte_remote_async.devserver", "grpc"])
def test_ctrl_c_in_the_middle_of_an_import_leaves_cleanly(tmp_path: Path, module: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTS)
    env = os.environ | {"PYTHONPATH": str(tmp_path), "INTERRUPT_AT": module}
    done = subprocess.run([*COMMAND, "demo"], capture_output=True, text=True, check=False, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "flyte-remote: interrupted\n")


def test_another_error_of_the_command_keeps_its_traceback(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTS.replace("signal.raise_signal(signal.SIGINT)", "1 / 0"))
    env = os.environ | {"PYTHONPATH": str(tmp_path), "INTERRUPT_AT": "flyte_remote_async.cli.arguments"}
    done = subprocess.run([*COMMAND, "demo"], capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 1
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_help_needs_no_grpc() -> None:
    code = (
        "import sys\nfrom flyte_remote_async.cli import main\n"
        "try: main(['demo', '--help'])\nfinally: sys.stderr.write(str('grpc' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--workflow NAME" in done.stdout
    assert "examples:" in done.stdout
    assert done.stderr == "False"


def test_the_console_script_is_this_command() -> None:
    (script,) = metadata.entry_points(group="console_scripts", name="flyte-remote")
    assert script.load() is main


def test_stand_ins_keep_their_annotations_when_they_are_paced() -> None:
    stand_ins = StandIns()
    demo_tasks.register(stand_ins, 0)
    paced = stand_ins.get("samples.use_point")
    assert paced is not None
    assert paced.is_async
    assert paced.hints == {"p": demo_tasks.Point, "c": demo_tasks.Color, "return": str}
