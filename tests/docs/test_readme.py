from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import flyte_remote_async

ROOT = Path(__file__).parents[2]


def shell_blocks(text: str) -> list[str]:
    return re.findall(r"^```(?:sh|shell|bash|console)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_first_two_blocks_are_one_line_commands_that_need_only_python() -> None:
    demo, tests = shell_blocks((ROOT / "README.md").read_text())[:2]
    for command in (demo, tests):
        assert command.count("\n") == 1
        programs = [part.split()[0] for part in command.split("&&")]
        assert programs == ["python3", ".venv/bin/python", ".venv/bin/python"]
    assert "demo" in demo
    assert "pytest" in tests


def test_the_links_of_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize(
    "extra", ["data", "frames", "pydantic", "keyring", "cli", "devserver", "fastapi", "otel", "flytekit"]
)
def test_every_extra_is_declared(extra: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["optional-dependencies"][extra]


def test_the_changelog_knows_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in text or f"## [{flyte_remote_async.__version__}]" in text
