"""The tests on the page about testing run as they are written there, in a pytest of their own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.recordings import DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
FILES = re.compile(r'^```python title="(?P<name>[^"]+)"\n(?P<content>.*?)^```$', re.MULTILINE | re.DOTALL)
FENCES = re.compile(r"^ *```python", re.MULTILINE)

SETTINGS = """\
[pytest]
markers = anyio
filterwarnings =
    error
    # Starlette's newest versions ask for another client; the older ones, which this is also run with, have none.
    ignore:Using `httpx` with
"""

MODES = {
    "anyio": ("-p", "no:asyncio"),
    "pytest-asyncio in auto mode": (
        *("-p", "no:anyio"),
        *("-o", "asyncio_mode=auto"),
        *("-o", "asyncio_default_fixture_loop_scope=function"),
    ),
}


def files() -> Iterator[tuple[str, str]]:
    for match in FILES.finditer(PAGE.read_text()):
        yield match["name"], match["content"]


def test_every_block_of_the_page_is_a_file_or_is_run_with_the_others() -> None:
    names = [name for name, _ in files()]
    assert len(names) == len(set(names)) == len(FENCES.findall(PAGE.read_text()))
    assert len([name for name in names if name.startswith("test_")]) == 5


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.timeout(300)
def test_the_tests_of_the_page_pass(tmp_path: Path, mode: str) -> None:
    for name, content in files():
        (tmp_path / name).write_text(content)
    shutil.copy(DIRECTORY / "state.jsonl.gz", tmp_path / "compiled.jsonl.gz")
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *MODES[mode]]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
