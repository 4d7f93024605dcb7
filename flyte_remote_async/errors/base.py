"""What all errors have in common."""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = ["FlyteRemoteError"]


def _restore(cls: type[FlyteRemoteError], args: tuple[Any, ...], state: dict[str, Any]) -> FlyteRemoteError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class FlyteRemoteError(Exception):
    """The base of every error of this package."""

    __module__ = "flyte_remote_async.errors"
    http_status: ClassVar[int] = 500

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # Tracebacks and pickles name the place that programs import from.
        if cls.__module__.startswith(f"{FlyteRemoteError.__module__}."):
            cls.__module__ = FlyteRemoteError.__module__

    def __reduce__(self) -> tuple[Any, ...]:
        # Constructors take named arguments, which the default protocol would lose.
        return _restore, (type(self), self.args, dict(self.__dict__))
