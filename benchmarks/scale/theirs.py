"""flytekit's process, from outside."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Flytekit"]


class Flytekit:
    """A process that looks and waits with flytekit's own client.

    Args:
        python: An interpreter that has flytekit.
        endpoint: Where Flyte is: the proxy.
        place: Project and domain.
    """

    def __init__(self, python: str, endpoint: str, place: Sequence[str]) -> None:
        # flytekit leaves folders of its own.
        self._folder = tempfile.TemporaryDirectory()
        script = Path(__file__).with_name("flytekit_side.py")
        self._process = subprocess.Popen(
            [python, str(script), endpoint, *place],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "TMPDIR": self._folder.name},
        )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        self.read()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()

    def ask(self, **command: Any) -> dict[str, Any]:
        """Send a command and return its answer."""
        self.send(**command)
        return self.read()

    def send(self, **command: Any) -> None:
        """Send a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def read(self) -> dict[str, Any]:
        """Return the next answer.

        Raises:
            RuntimeError: The process has ended.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"flytekit's process ended with code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer
