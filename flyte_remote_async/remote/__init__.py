"""FlyteRemote, in three parts: what it is, how it waits, and all that it can be asked for."""

from __future__ import annotations

from flyte_remote_async.remote.remote import FlyteRemote

__all__ = ["FlyteRemote"]
