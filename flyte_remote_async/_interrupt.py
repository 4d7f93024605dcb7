"""Ctrl-C while the ``flyte-remote`` command is still being imported: one line and the code 130, as later.

The package is imported before anything of the command runs, so it is the first module that can see to that.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["INTERRUPTED", "LINE"]

INTERRUPTED: Final = 130
LINE: Final = "flyte-remote: interrupted\n"


def _end(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    sys.stderr.write(LINE)
    raise SystemExit(INTERRUPTED)


def _is_the_command() -> bool:
    # "-m" stands there while Python looks for the module that it is to run, and what it finds is this package.
    name = os.path.basename(sys.argv[0]) if getattr(sys, "argv", None) else ""  # noqa: PTH119 - pathlib is dear
    return name == "-m" or name.removesuffix(".exe") == "flyte-remote"


# Programs that use the package as a library keep their hook.
if _is_the_command():
    sys.excepthook = _end
