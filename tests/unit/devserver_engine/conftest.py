"""An engine on a clock that a test moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flyte_remote_async.devserver.clock import Clock
from tests.support.engine_rig import open_rig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.engine_rig import Rig


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def rig(clock: Clock) -> AsyncIterator[Rig]:
    """An engine without recorded entities, whose ``t.add`` adds and whose ``t.boom`` fails."""

    def add(a: int, b: int = 1) -> int:
        return a + b

    def boom(a: int) -> int:
        raise ValueError(f"boom {a}")

    async with open_rig(clock=clock) as rig:
        rig.stand_ins.add("t.add", add)
        rig.stand_ins.add("t.boom", boom)
        yield rig
