"""Writes ``docs/errors.md`` from the classes themselves: ``python -m tests.support.errors_page``."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from flyte_remote_async import errors
from flyte_remote_async.errors import FlyteRemoteError, RPCError

__all__ = ["FILE", "classes", "render"]

FILE = Path(__file__).parents[2] / "docs" / "errors.md"

HEAD = """\
# Errors

Every error of the package is a `FlyteRemoteError`, says what happened to which entity and what to do, pickles, and has
an `http_status`: what a web service that meets it should answer. Many are built-in errors too, so that code that knows
nothing of Flyte can catch them. This page is made from `flyte_remote_async/errors`; a test holds the two together.

```python
from flyte_remote_async import FlyteRemote
from flyte_remote_async.errors import NotFoundError

async with FlyteRemote.connect("dns:///flyte.example.com", project="flytesnacks", domain="development") as remote:
    try:
        await remote.fetch_execution("no-such-execution")
    except NotFoundError as error:  # also a LookupError
        print(error.method, error.code, error.http_status)  # GetExecution NOT_FOUND 404
```

An `RPCError` tells `method`, `code`, `details` (the server's words), `entity`, `attempts`, `endpoint` and
`trailing_metadata`. Cancellation is never an error of this package: `asyncio.CancelledError` passes through.
"""


def classes(base: type[FlyteRemoteError] = FlyteRemoteError) -> list[type[FlyteRemoteError]]:
    """Return a class and those below it, each before its own, in the order in which they are drawn."""
    drawn = errors.__doc__ or ""
    below = [cls for cls in base.__subclasses__() if cls.__module__ == errors.__name__]
    found = [base]
    for cls in sorted(below, key=lambda cls: drawn.index(f" {cls.__name__} ")):
        found += classes(cls)
    return found


def _bases(cls: type[FlyteRemoteError]) -> str:
    names = [base.__name__ for base in cls.__mro__[1:] if base not in {Exception, BaseException, object}]
    ours = [name for name in names if hasattr(errors, name)]
    builtin = [name for name in names if not hasattr(errors, name)]
    return ", ".join(f"`{name}`" for name in ours[:1] + [name for name in builtin if name != "OSError"])


def _when(cls: type[FlyteRemoteError]) -> str:
    summary = " ".join(inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0].split())
    return re.sub(r"`{2}(.+?)`{2}|:class:`(.+?)`", lambda m: f"`{m[1] or m[2]}`", summary).removeprefix("Raised ")


def render() -> str:
    """Return the text of the page."""
    lines = [HEAD, "| Class | also | when | HTTP |", "|---|---|---|---|"]
    for cls in classes():
        code = f" ({cls.code})" if issubclass(cls, RPCError) and cls is not RPCError else ""
        when = _when(cls)
        lines.append(f"| `{cls.__name__}`{code} | {_bases(cls)} | {when[:1].upper()}{when[1:]} | {cls.http_status} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(render())
