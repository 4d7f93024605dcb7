"""The engine: runs the compiled workflows of the devserver's store, and records what happens as Flyte does.

What to do next is decided by pure functions (:mod:`graph`, :mod:`bindings`, :mod:`conditions`, :mod:`launching`,
:mod:`records`); :mod:`recorder` writes what happened, :mod:`run`, :mod:`nodes` and :mod:`kinds` carry it out,
:mod:`core` owns the executions that run.
"""

from __future__ import annotations

from flyte_remote_async.devserver.engine.core import Engine

__all__ = ["Engine"]
