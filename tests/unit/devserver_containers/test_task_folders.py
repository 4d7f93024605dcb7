"""The folders of tasks: nothing is left behind, also by a server that was killed."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from flyte_remote_async.devserver.runners import folders as rooms
from flyte_remote_async.devserver.runners.folders import TaskFolders

MAKE = """
import sys
from flyte_remote_async.devserver.runners.folders import TaskFolders
folders = TaskFolders()
print(folders.make(), flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_they_go_with_the_server(top: Path) -> None:
    folders = TaskFolders()
    one, other = Path(folders.make()), Path(folders.make())
    assert one.is_dir()
    assert other.is_dir()
    assert one.parent == other.parent
    (one / "left").write_text("by a task")
    folders.close()
    folders.close()
    assert list(top.iterdir()) == []
    assert Path(folders.make()).is_dir()
    folders.close()
    assert list(top.iterdir()) == []


def test_what_a_server_that_was_killed_has_left_is_removed_by_the_next(top: Path) -> None:
    command = [sys.executable, "-c", MAKE]
    environment = {"TMPDIR": str(top)}
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True, env=environment) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        beside = TaskFolders()
        beside.make()
        assert left.is_dir()  # its server lives
        process.kill()
        process.wait()
    beside.make()
    assert left.is_dir()  # one look is enough
    after = TaskFolders()
    mine = Path(after.make())
    assert not left.parent.exists()
    assert mine.is_dir()
    assert len(list(top.iterdir())) == 2
    for folders in (beside, after):
        folders.close()
    assert list(top.iterdir()) == []


def test_what_others_have_there_stays(top: Path) -> None:
    (top / "flyte-devserver-notes").write_text("a file")
    (top / "flyte-devserver-empty").mkdir()
    folders = TaskFolders()
    folders.make()
    folders.close()
    assert {path.name for path in top.iterdir()} == {"flyte-devserver-notes", "flyte-devserver-empty"}


def test_one_that_another_server_removes_meanwhile_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    usual, answers = rooms._locked, [False]
    monkeypatch.setattr(rooms, "_locked", lambda file: answers.pop() if answers else usual(file))
    folders = TaskFolders()
    made = Path(folders.make())
    assert made.is_dir()
    assert answers == []
    folders.close()


def test_what_is_read_only_goes_and_what_is_linked_stays(top: Path) -> None:
    other = top / "other"
    other.mkdir(mode=0o755)
    folders = TaskFolders()
    made = Path(folders.make())
    (made / "link").symlink_to(other)
    (made / "cache" / "deep").mkdir(parents=True)
    (made / "cache" / "deep" / "file").write_text("x")
    for folder in (made / "cache" / "deep", made / "cache"):
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    folders.close()
    assert list(top.iterdir()) == [other]
    assert stat.S_IMODE(other.stat().st_mode) == 0o755
