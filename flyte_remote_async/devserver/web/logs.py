"""What tasks wrote, as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

    from flyte_remote_async.devserver.web.context import Context

__all__ = ["routes"]


def routes(context: Context) -> list[Route]:
    """Return the routes of the logs."""

    async def log(request: Request) -> PlainTextResponse:
        parts = request.path_params
        name = "/".join(parts[each] for each in ("project", "domain", "execution", "node", "attempt"))
        text = await context.logs.read(name)
        if text is None:
            return PlainTextResponse(f"there is no log of {name}\n", 404)
        return PlainTextResponse(text, headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"})

    return [Route("/logs/{project}/{domain}/{execution}/{node}/{attempt}", log)]
