"""The page's files, and what it asks for: JSON, with GET and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import anyio.to_thread
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from flyte_remote_async.devserver.naming import BUCKET
from flyte_remote_async.devserver.objects import key_of
from flyte_remote_async.devserver.web.page.lists import Asked
from flyte_remote_async.devserver.web.page.reader import Part
from flyte_remote_async.devserver.web.page.values import shown
from flyte_remote_async.errors import FlyteRemoteError, RPCError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from flyte_remote_async.devserver.web.context import Context
    from flyte_remote_async.devserver.web.page.reader import Reader

__all__ = ["routes"]

_STATIC: Final = Path(__file__).parent / "static"
_TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
# Whatever a name or a log holds, nothing that is not of this port is loaded, and nothing but its files is run.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
_HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_METHODS: Final = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"]
_OPENS_FOR: Final = 60  # seconds
_BAD_REQUEST: Final = 400
_EXECUTION: Final = "/console/api/executions/{project}/{domain}/{execution}"
_PART: Final = ("project", "domain", "execution")


def routes(context: Context) -> list[Route]:
    """Return the routes of the page. Called off the loop, since it reads the page's files."""
    page = _Page(context)
    served = [
        Route(f"/console/{path.name}", _file(path)) for path in sorted(_STATIC.iterdir()) if path.suffix in _TYPES
    ]
    return [
        Route("/", _to_page),
        Route("/console", _to_page),
        Route("/console/", _file(_STATIC / "index.html")),
        Route("/favicon.ico", _file(_STATIC / "icon.svg")),  # browsers ask for it beside a log
        Route("/console/projects/{project}/domains/{domain}/executions/{execution}", _to_execution),
        Route("/console/api/places", _asked(page.places)),
        Route("/console/api/executions", _asked(page.executions)),
        Route(_EXECUTION, _asked(page.execution)),
        Route(f"{_EXECUTION}/node", _asked(page.node)),
        Route(f"{_EXECUTION}/data", _asked(page.data)),
        Route(f"{_EXECUTION}/literal", _asked(page.literal)),
        Route("/console/api/object", _asked(page.object)),
        *served,
        Route("/console/{rest:path}", _not_found, methods=_METHODS),
    ]


def _file(path: Path) -> Callable[[Request], Awaitable[Response]]:
    content, media_type = path.read_bytes(), _TYPES[path.suffix]

    async def serve(_request: Request) -> Response:
        return Response(content, headers=_HEADERS, media_type=media_type)

    return serve


async def _to_page(_request: Request) -> Response:
    return RedirectResponse("/console/", headers=_HEADERS)


async def _to_execution(request: Request) -> Response:
    """Answer the address that clients print for an execution, which is that of Flyte's console."""
    place = "/".join(quote(request.path_params[part], safe="") for part in _PART)
    return RedirectResponse(f"/console/#/executions/{place}", headers=_HEADERS)


async def _not_found(_request: Request) -> Response:
    return PlainTextResponse("the devserver's page is at /console/\n", 404, headers=_HEADERS)


def _asked(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of a question: only the page itself may ask, and refusals are told in its words."""

    async def serve(request: Request) -> Response:
        # Browsers tell who asks: another site could at least make the server work.
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return _refusal("only the devserver's own page may ask this", 403)
        try:
            return await answer(request)
        except RPCError as error:
            return _refusal(error.details, error.http_status)
        except FlyteRemoteError as error:
            return _refusal(str(error), error.http_status)
        except ValueError as error:
            return _refusal(str(error), _BAD_REQUEST)

    return serve


def _refusal(reason: str, status: int) -> Response:
    return _json({"error": reason}, status)


def _json(content: Any, status: int = 200) -> Response:
    return JSONResponse(content, status, headers=_HEADERS | {"Cache-Control": "no-store"})


class _Page:
    """Answers what the page asks."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._reader: Reader = context.reader

    async def places(self, _request: Request) -> Response:
        """Answer which projects and domains there are."""
        return _json(await self._reader.places())

    async def executions(self, request: Request) -> Response:
        """Answer with a page of executions."""
        fields = ("project", "domain", "text", "phase", "token")
        asked = Asked(**{field: request.query_params.get(field, "") for field in fields})
        return _json(await self._reader.executions(asked))

    async def execution(self, request: Request) -> Response:
        """Answer with an execution and its tree."""
        return _json(await self._reader.execution(_part(request)))

    async def node(self, request: Request) -> Response:
        """Answer with the details of a node."""
        return _json(await self._reader.node(_part(request)))

    async def data(self, request: Request) -> Response:
        """Answer with inputs and outputs."""
        return _json(await self._reader.data(_part(request)))

    async def literal(self, request: Request) -> Response:
        """Answer with one whole value, as text."""
        query = request.query_params
        literal = await self._reader.literal(_part(request), query.get("side", ""), query.get("name", ""))
        return PlainTextResponse((await anyio.to_thread.run_sync(shown, literal)).text, headers=_HEADERS)

    async def object(self, request: Request) -> Response:
        """Send the browser to an object of the bucket, with a URL that is signed for this."""
        uri = request.query_params.get("uri", "")
        key = key_of(uri)
        if key is None:
            raise ValueError(f"{uri!r} is no object of s3://{BUCKET}")
        context = self._context
        base = f"http://{request.headers['host']}"
        now = context.clock.now()
        url = context.signer.signed("GET", base, f"/{BUCKET}/{key}", now=now, expires_in=_OPENS_FOR)
        return RedirectResponse(url, headers=_HEADERS | {"Cache-Control": "no-store"})


def _part(request: Request) -> Part:
    return Part(**{part: request.path_params[part] for part in _PART}, node=request.query_params.get("node", ""))
