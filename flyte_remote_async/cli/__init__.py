"""The ``flyte-remote`` command."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    0 is success; 1 an execution or a call that failed, which one line on stderr explains; 2 a wrong command line;
    130 Ctrl-C.

    Args:
        arguments: The words after the command's name; those of the process by default.
    """
    # Inside, so that the console script answers --help without importing gRPC.
    from flyte_remote_async.cli.arguments import parser
    from flyte_remote_async.errors import FlyteRemoteError

    parsed = parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except (FlyteRemoteError, TimeoutError) as error:
        sys.stderr.write(f"flyte-remote: {_one_line(error)}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("flyte-remote: interrupted\n")
        return _INTERRUPTED


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
