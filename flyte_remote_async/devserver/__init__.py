"""An embedded Flyte 1.x control plane for tests, demos and local work."""

from flyte_remote_async.devserver.server import DevServer

__all__ = ["DevServer"]
