"""Beside the event loop: a thread for what Python does, processes for what nobody can look into.

A thread that runs Python holds the interpreter's lock, and the loop has to ask for it back each time: with one such
thread it waits some milliseconds, with four ten times as long. So there is one for each loop, its work comes in pieces
(:mod:`flyte_remote_async.models.pieces`), and while it runs the garbage collector leaves the old objects alone: looking
through a million of them takes longer than all the rest.
"""

from __future__ import annotations

import gc
import importlib
import pickle
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
import anyio.lowlevel
from anyio import to_thread

from flyte_remote_async.errors import WorkerDiedError
from flyte_remote_async.models.turns import BETWEEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["ProcessWork", "beside", "full_collections_postponed", "imported"]

T = TypeVar("T")

# By loop: nothing that is module-global may hold on to one.
_TURN: Final[anyio.lowlevel.RunVar[anyio.CapacityLimiter]] = anyio.lowlevel.RunVar("flyte_remote_async_turn")


_TURN_SECONDS: Final = 0.002


class _Abandoned(Exception):  # noqa: N818 - nobody gets to see it
    """Nobody waits for the work any more."""


async def beside(function: Callable[..., T], *args: Any) -> T:
    """Return ``function(*args)``, run in the one thread that this loop has for such work.

    A caller that is cancelled does not wait; the work ends at its next turn.

    Args:
        function: Long work of Python's, without effects.
        *args: Its arguments.
    """
    stopped: list[bool] = []
    turn = 0.0

    def between() -> None:
        nonlocal turn
        if stopped:
            raise _Abandoned
        now = time.perf_counter()
        if now - turn > _TURN_SECONDS:
            # Without this the loop gets the lock back after Python's switch interval only, which is 5 ms.
            time.sleep(0)
            turn = now

    def work() -> T:
        BETWEEN.set(between)
        with full_collections_postponed():
            return function(*args)

    try:
        return await to_thread.run_sync(work, limiter=_limiter(), abandon_on_cancel=True)
    except BaseException:
        stopped.append(True)
        raise


def _limiter() -> anyio.CapacityLimiter:
    try:
        return _TURN.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(1)
        _TURN.set(limiter)
        return limiter


_IMPORTED: Final[set[str]] = set()


async def imported(module: str) -> None:
    """Import a module beside the loop, the first time; the import statement after it takes no time.

    Args:
        module: Its full name.
    """
    if module not in _IMPORTED:
        await beside(importlib.import_module, module)
        _IMPORTED.add(module)


_NEVER: Final = 2**31 - 1

# Python 3.12 freezes some hundred objects of its own when it starts; a program that freezes, freezes many more.
_OF_THE_INTERPRETER: Final = 1000


@contextmanager
def full_collections_postponed() -> Iterator[None]:
    """Let the garbage collector look at new objects only, for as long as the block runs.

    Work that makes a million objects sets off several collections of all objects, each of which stops every thread for
    a tenth of a second and more. What was made counts as old at the end, so none is due at once; the next one comes as
    it would have come without the work. Python 3.14 collects in small steps, and is left alone.
    """
    before = gc.get_threshold()
    ours = (before[0], _NEVER, _NEVER)
    # Work on another loop may have done it already; and what the program froze must stay frozen.
    left_alone = not gc.isenabled() or gc.get_freeze_count() > _OF_THE_INTERPRETER or sys.version_info >= (3, 14)
    mine = _NEVER not in before and not left_alone
    if mine:
        gc.set_threshold(*ours)
    try:
        yield
    finally:
        if mine and gc.get_threshold() == ours:
            gc.freeze()
            gc.unfreeze()  # together: all objects are old now, and the counts start anew
            gc.set_threshold(*before)


class ProcessWork:
    """Does work in processes of its own: slower to begin with, and it can neither hold up the loop nor bring it down.

    For tables from sources that are not trusted to be well-formed, and for types of one's own whose code takes long.
    Function, arguments and result travel as pickles between the processes. Processes are started when they are first
    needed, kept for later work, and ended with the loop.

    Args:
        processes: How many there may be.

    Example:
        >>> resolver = LiteralsResolver(literals, context=Context(work=ProcessWork(2)))
    """

    def __init__(self, processes: int = 2) -> None:
        self.processes = processes
        # By loop, as one of these may serve several.
        self._limiter: anyio.lowlevel.RunVar[anyio.CapacityLimiter] = anyio.lowlevel.RunVar("flyte_remote_async_work")

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Return ``function(*args)``, run in a process.

        A caller that is cancelled ends the process.

        Args:
            function: A function of a module, so that it can be pickled.
            *args: Its arguments.

        Raises:
            WorkerDiedError: The process died at it. The next work gets another process.
        """
        # Imported here: few need it.
        from anyio import BrokenWorkerProcess, to_process

        call = await to_thread.run_sync(pickle.dumps, (function, args))
        try:
            answer = await to_process.run_sync(_answer, call, cancellable=True, limiter=self._processes())
        except BrokenWorkerProcess as error:
            name = getattr(function, "__name__", repr(function))
            reason = f"the process that ran {name} died; the data may be damaged, or memory ran out"
            raise WorkerDiedError(reason) from error
        result: T = await beside(pickle.loads, answer)
        return result

    def _processes(self) -> anyio.CapacityLimiter:
        try:
            return self._limiter.get()
        except LookupError:
            limiter = anyio.CapacityLimiter(self.processes)
            self._limiter.set(limiter)
            return limiter


def _answer(call: bytes) -> bytes:
    """Run a call in a process; its result is pickled here, so that the loop does not have to unpickle it."""
    function, args = pickle.loads(call)  # noqa: S301 - made by run() above
    return pickle.dumps(function(*args), protocol=5)
