"""Each test of the contract runs over each transport."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.faces import FACES, NETWORK_FACES

if TYPE_CHECKING:
    from tests.support.faces import Face


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Face:
    """Return what opens a transport to handlers: each backend over real gRPC, and the devserver's in-process one."""
    return FACES[request.param]


@pytest.fixture(params=NETWORK_FACES)
def network_face(request: pytest.FixtureRequest) -> Face:
    """Return what opens a transport over real gRPC."""
    return NETWORK_FACES[request.param]
