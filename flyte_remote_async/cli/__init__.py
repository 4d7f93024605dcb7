"""The ``flyte-remote`` command."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from flyte_remote_async._interrupt import INTERRUPTED, LINE
from flyte_remote_async.errors import FlyteRemoteError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    0 is success; 1 an execution or a call that failed, which one line on stderr explains; 2 a wrong command line;
    130 Ctrl-C.

    Args:
        arguments: The words after the command's name; those of the process by default.
    """
    try:
        # Inside: imports take a while, and Ctrl-C may come in the middle of them.
        from flyte_remote_async.cli.arguments import parser

        parsed = parser().parse_args(arguments)
        return int(parsed.run(parsed))
    except (FlyteRemoteError, TimeoutError) as error:
        sys.stderr.write(f"flyte-remote: {_one_line(error)}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(LINE)
        return INTERRUPTED


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
