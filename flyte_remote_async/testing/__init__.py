"""What a test suite needs of Flyte: a server, executions in any phase, recorded answers, and assertions.

In ``conftest.py``, for the fixtures ``dev_server`` and ``remote``::

    pytest_plugins = ["flyte_remote_async.testing"]
"""

from flyte_remote_async.testing.assertions import assert_requests, assert_succeeded, wait_for_phase
from flyte_remote_async.testing.builders import build_attempt, build_execution, build_node
from flyte_remote_async.testing.replaying import Replay, replay

__all__ = [
    "Replay",
    "assert_requests",
    "assert_succeeded",
    "build_attempt",
    "build_execution",
    "build_node",
    "replay",
    "wait_for_phase",
]

# pytest loads what a plugin names; so this package can be imported without pytest.
pytest_plugins = ("flyte_remote_async.testing.fixtures",)
