"""The judgement of the benchmark that checks."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

STARTUP = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "startup.py"))


@pytest.mark.parametrize(
    ("runs", "tries", "missed", "left"),
    [
        ([[]], 3, [], 0),
        ([["slow"], ["big"], []], 3, [], 0),
        ([["slow"], [], ["big"]], 3, [], 1),
        ([["slow"], ["big"], ["slow"]], 3, ["slow"], 0),
        ([["slow"], []], 1, ["slow"], 1),
    ],
)
def test_a_target_is_missed_when_every_try_misses_one(
    runs: list[list[str]], tries: int, missed: list[str], left: int
) -> None:
    assert STARTUP["repeat"](lambda: runs.pop(0), tries) == missed
    assert len(runs) == left
