"""One value of a resolver that was named and not yet awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["LiteralItem"]


class _Values(Protocol):
    async def get(self, attr: str, as_type: Any = None) -> Any:
        """Return one value."""
        ...


class LiteralItem:
    """A value to be awaited, as often as one likes: ``await resolver["o0"]``.

    Used as if it were the value, it raises a TypeError that says so, where Python would quietly take it for true,
    or unequal.
    """

    __slots__ = ("_key", "_resolver")

    def __init__(self, resolver: _Values, key: str) -> None:
        self._resolver = resolver
        self._key = key

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._resolver.get(self._key).__await__()

    def __repr__(self) -> str:
        return f"<the value {self._key!r}, not awaited: write `await resolver[{self._key!r}]`>"

    def _refuse(self, *_: object) -> NoReturn:
        reason = f"{self._key!r} is not a value yet, await it: `await resolver[{self._key!r}]`"
        raise TypeError(reason)

    # Awaitables are compared by identity in asyncio's own dicts, which needs a hash.
    __hash__ = object.__hash__
    __bool__ = __len__ = __iter__ = __str__ = __format__ = _refuse
    __int__ = __float__ = __index__ = __getitem__ = __contains__ = _refuse
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
