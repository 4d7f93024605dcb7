"""Every Python block of the documentation runs, in order and page by page, against a devserver of its own.

- The blocks of a page share one namespace; ``await`` works at the top level, as in a notebook.
- The endpoint of the examples, ``"dns:///flyte.example.com"``, stands for the devserver, which knows the recorded
  executions and has stand-ins for the tasks of ``samples.py``.
- A comment ``<!-- run … -->`` runs too, unseen by readers: to set up what a block needs, or to check what it did.
"""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from flyte_remote_async.devserver import DevServer

ROOT = Path(__file__).parents[2]
# That page is files of a test suite, which test_testing_page.py runs.
PAGES = [ROOT / "README.md", *sorted(set((ROOT / "docs").rglob("*.md")) - {ROOT / "docs" / "testing.md"})]
BLOCK = re.compile(
    r"^(?P<indent> *)(?:```python[^\n]*\n(?P<shown>.*?)^ *```$|<!-- run\n(?P<unseen>.*?)^ *-->$)",
    re.MULTILINE | re.DOTALL,
)
EXAMPLE = '"dns:///flyte.example.com"'

pytestmark = pytest.mark.anyio


@attrs.frozen
class Block:
    """One block of a page.

    Attributes:
        page: The file that it is in.
        line: Line of the page before its first line.
        code: What it says.
    """

    page: Path
    line: int
    code: str

    async def run(self, namespace: dict[str, Any]) -> None:
        """Run the block; a traceback points to its line in the page."""
        tree = ast.parse("\n" * self.line + self.code, str(self.page))
        code = compile(tree, str(self.page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        result = eval(code, namespace)  # noqa: S307 - our own documentation
        if inspect.isawaitable(result):
            await result


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text()
    blocks = []
    for match in BLOCK.finditer(text):
        part = "shown" if match["shown"] is not None else "unseen"
        indent = len(match["indent"])
        code = "".join(line[indent:] for line in match[part].splitlines(keepends=True))
        blocks.append(Block(page, text.count("\n", 0, match.start(part)), code))
    return blocks


WITH_BLOCKS = [page for page in PAGES if blocks_of(page)]


@pytest.fixture
async def devserver(anyio_backend: str) -> AsyncIterator[DevServer]:
    from flyte_remote_async.cli.demo_tasks import register
    from flyte_remote_async.devserver import DevServer
    from tests.support.recordings import DIRECTORY

    async with DevServer() as dev:
        await dev.load(DIRECTORY / "state.jsonl.gz")
        register(dev, pace=0.0)
        yield dev


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=lambda page: page.name)
async def test_the_blocks_of_a_page_run(
    page: Path, devserver: DevServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": f"docs_{page.stem}", "dev": devserver}
    for block in blocks_of(page):
        code = block.code.replace(EXAMPLE, f'"{devserver.endpoint}", insecure=True')
        await attrs.evolve(block, code=code).run(namespace)


def test_no_block_is_left_out() -> None:
    # A fence with other spaces, or a language like "py", would be skipped without a word.
    fences = re.compile(r"^ *```[ \t]*(py|python|python3|pycon)\b", re.MULTILINE | re.IGNORECASE)
    for page in PAGES:
        shown = [match for match in BLOCK.finditer(page.read_text()) if match["shown"] is not None]
        assert len(fences.findall(page.read_text())) == len(shown), page.name
    assert len(WITH_BLOCKS) > 5


async def test_a_block_that_fails_points_to_its_line(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n```python\nx = 1\n\nawait broken(x)\n```\n")
    (block,) = blocks_of(page)
    with pytest.raises(NameError) as caught:
        await block.run({})
    assert caught.traceback[-1].lineno + 1 == 6
    assert Path(caught.traceback[-1].path) == page
