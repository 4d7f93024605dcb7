"""The ASGI application of the HTTP port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette

from flyte_remote_async.devserver.web import logs, s3
from flyte_remote_async.devserver.web.guard import Guard
from flyte_remote_async.devserver.web.page import routes as page

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from flyte_remote_async.devserver.web.context import Context

__all__ = ["application"]

# What serves a part of the port: each gives its routes for a context, and the first route that fits serves.
_PARTS = (logs.routes, page.routes, s3.routes)


def application(context: Context) -> ASGIApp:
    """Return the application.

    Args:
        context: What it serves from.
    """
    routes = [route for part in _PARTS for route in part(context)]
    return Guard(Starlette(routes=routes), context.hosts)
