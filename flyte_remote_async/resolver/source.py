"""Where a resolver has its literals from: given, or brought by one call that all who wait share."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from flyte_remote_async.concurrency import Shared
from flyte_remote_async.errors import DetachedError, NotLoadedError
from flyte_remote_async.models.literals import Literal, Variable
from flyte_remote_async.models.parsed import in_order

if TYPE_CHECKING:
    from typing import Self

__all__ = ["LoadedLiterals", "Loader", "Source"]

LoadedLiterals: TypeAlias = tuple[Mapping[str, Literal], Mapping[str, Variable] | None]
"""Literals by name, and the declared variables by name where they are known."""

Loader: TypeAlias = Callable[[], Awaitable[LoadedLiterals]]
"""Brings the literals of a resolver."""


class Source:
    """The literals and variables of a resolver.

    Args:
        what: What they are, in words, for errors.
        loader: Brings them; None when they were given, or when the way to them was lost in pickling.
    """

    def __init__(self, what: str, loader: Loader | None) -> None:
        self.what = what
        self._variables: Mapping[str, Variable] | None = None
        self._loader = loader
        self._literals: dict[str, Literal] | None = None
        self._loading: Shared[None] = Shared()
        # Literals that a user brings are read by their types alone, as the reference does. Of those that a remote
        # brings the interface may be out of reach, and they are read as what they say of themselves.
        self.reads_undeclared = loader is not None

    @classmethod
    def given(cls, literals: Mapping[str, Literal], variables: Mapping[str, Variable] | None) -> Self:
        """Return the source that has its literals."""
        source = cls("literals", None)
        source.fill(literals, variables)
        return source

    @property
    def is_loaded(self) -> bool:
        """Whether the literals are there."""
        return self._literals is not None

    @property
    def literals(self) -> dict[str, Literal]:
        """The literals.

        Raises:
            NotLoadedError: They were not brought yet.
        """
        if self._literals is None:
            reason = f"the {self.what} are not loaded: await a value, or await load()"
            raise NotLoadedError(reason)
        return self._literals

    @property
    def variables(self) -> Mapping[str, Variable] | None:
        """The declared variables, None when they are not known; NotLoadedError as for the literals."""
        _ = self.literals
        return self._variables

    def declare(self, variables: Mapping[str, Variable]) -> None:
        """Add what is known of variables that were not declared so far."""
        self._variables = {**variables, **(self._variables or {})}

    def fill(self, literals: Mapping[str, Literal], variables: Mapping[str, Variable] | None) -> None:
        """Take the literals, in the order of their names."""
        self._variables = variables
        self._literals = in_order(dict(literals))

    async def load(self) -> None:
        """Bring the literals, once.

        The first who awaits makes the call. If it is cancelled, the next of those who wait makes it; if it fails,
        all who waited fail with it, and the next await starts anew.

        Raises:
            DetachedError: The way to the literals was lost in pickling.
        """
        if self._literals is not None:
            return
        if self._loader is None:
            reason = f"the {self.what} were not loaded before they were pickled: fetch the execution again"
            raise DetachedError(reason)
        await self._loading.get(functools.partial(self._bring, self._loader))

    async def _bring(self, loader: Loader) -> None:
        self.fill(*await loader())

    def __getstate__(self) -> dict[str, object]:
        return {"what": self.what, "_variables": self._variables, "_literals": self._literals}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__init__(str(state["what"]), None)  # type: ignore[misc]
        self.__dict__.update(state)
