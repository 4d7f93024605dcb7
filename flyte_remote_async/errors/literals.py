"""What is wrong with values and inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from flyte_remote_async.errors.base import FlyteRemoteError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "DecodeError",
    "EncodeError",
    "InvalidInputsError",
    "LiteralError",
    "MissingLiteralError",
    "UntrustedPickleError",
    "WorkerDiedError",
]


class LiteralError(FlyteRemoteError, TypeError, ValueError):
    """One value cannot be converted; its siblings are not touched by it.

    Attributes:
        variable: Name of the input or output; empty for a value that has no name.
        path: Where inside the value, such as ``"[3].field"``; empty at the top.
        kind: Kind of the literal, such as ``"collection"``.
        expected: The type that was asked for, in words.
        reason: What does not fit.
    """

    http_status: ClassVar[int] = 422
    _verb: ClassVar[str] = "convert"

    def __init__(self, reason: str, *, variable: str = "", path: str = "", kind: str = "", expected: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.variable = variable
        self.path = path
        self.kind = kind
        self.expected = expected

    def within(self, step: str) -> Self:
        """Put one step of the way to the value, such as ``"[3]"`` or ``".field"``, before the path."""
        self.path = step + self.path
        return self

    def named(self, variable: str) -> Self:
        """Name the input or output that the value is."""
        self.variable = variable
        return self

    def __str__(self) -> str:
        where = f"{self.variable or 'value'}{self.path}"
        article = "an" if self.kind[:1] in "aeiou" else "a"
        kind = f" {article} {self.kind} literal" if self.kind else ""
        expected = f" as {self.expected}" if self.expected else ""
        return f"cannot {self._verb} {where}{':' if kind or expected else ''}{kind}{expected}: {self.reason}"


class DecodeError(LiteralError):
    """Raised when a literal cannot be turned into the Python value that was asked for."""

    _verb = "decode"


class UntrustedPickleError(DecodeError):
    """Raised when a value is a pickle and pickles are not allowed: loading one runs code that its writer chose.

    Attributes:
        uri: Where the pickle is.
    """

    def __init__(self, uri: str, *, kind: str = "", expected: str = "") -> None:
        reason = (
            f"it is a pickle at {uri}, and loading one runs code that its writer chose; where you trust it, "
            "pass allow_pickle=True for this value, or get the file itself with FlyteFile as its type"
        )
        super().__init__(reason, kind=kind, expected=expected)
        self.uri = uri


class WorkerDiedError(DecodeError):
    """Raised when the process that decoded a value died at it, and with it this value alone."""


class EncodeError(LiteralError):
    """Raised when a Python value cannot be turned into a literal of the declared type."""

    _verb = "encode"


class MissingLiteralError(FlyteRemoteError, KeyError, AttributeError, ValueError):
    """Raised when a resolver has no literal of that name; the reference raises any of its three bases.

    Attributes:
        key: The name that was asked for.
        available: The names that there are.
    """

    http_status = 404

    def __init__(self, key: str, available: Sequence[str] = ()) -> None:
        super().__init__(key)
        self.key = key  # AttributeError has a "name" of its own, which does not pickle
        self.available = tuple(available)

    def __str__(self) -> str:
        there = ", ".join(map(repr, self.available)) or "none at all"
        return f"no literal is called {self.key!r}; there are: {there}"


class InvalidInputsError(FlyteRemoteError, ValueError):
    """Raised before anything is sent, when inputs do not fit the interface of what is launched.

    Attributes:
        entity: What was to be launched.
        problems: Input name to what is wrong with it.
    """

    http_status = 422

    def __init__(self, entity: str, problems: Mapping[str, str]) -> None:
        listing = "".join(f"\n  - {name}: {problem}" for name, problem in problems.items())
        super().__init__(f"these inputs do not fit {entity}:{listing}")
        self.entity = entity
        self.problems = dict(problems)
