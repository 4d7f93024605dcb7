"""A control plane made of recorded calls: it answers what was answered then."""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import zlib
from collections import Counter
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
from google.protobuf.message import DecodeError

from flyte_remote_async.devserver.faces.inprocess import InProcessTransport
from flyte_remote_async.errors import MalformedMessageError, rpc_error
from flyte_remote_async.transport.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Mapping

    from google.protobuf.message import Message

    from flyte_remote_async.devserver.faces.serving import Handler
    from flyte_remote_async.remote import FlyteRemote
    from flyte_remote_async.transport.base import Metadata, Method

__all__ = ["Replay", "replay"]

Match: TypeAlias = "Callable[[Method[Any, Any], Message], Hashable]"


@attrs.frozen
class _Answer:
    code: str
    details: str
    response: bytes


def _content(_method: Method[Any, Any], request: Message) -> Hashable:
    return request.SerializeToString(deterministic=True)


class Replay:
    """Answers requests as a recording does; :func:`replay` makes one.

    Attributes:
        requests: How many requests it has got, by the name of the RPC.
        unknown: The requests that it had no answer for: name of the RPC, and message.
    """

    def __init__(self, *, strict: bool, match: Match) -> None:
        self.requests: Counter[str] = Counter()
        self.unknown: list[tuple[str, Message]] = []
        self._strict = strict
        self._match = match
        self._answers: dict[tuple[str, Hashable], list[_Answer]] = {}
        self._given: Counter[tuple[str, Hashable]] = Counter()

    def add(self, path: str, request: bytes, answer: _Answer) -> None:
        """Take in one recorded call."""
        self._answers.setdefault(self._key(path, request), []).append(answer)

    def transport(self) -> InProcessTransport:
        """Return a transport that gets the recorded answers, without a socket."""
        return InProcessTransport(self._handlers())

    def remote(self, **options: Any) -> FlyteRemote:
        """Return a client that gets the recorded answers, without a socket.

        Args:
            **options: Fields of :class:`Config`, such as ``project`` and ``domain``.
        """
        from flyte_remote_async.config import Config
        from flyte_remote_async.remote import FlyteRemote

        return FlyteRemote.over(self.transport, Config.for_endpoint("replay:1", **options))

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Answer over real gRPC inside of an ``async with``, which gives the endpoint."""
        from flyte_remote_async.devserver.faces.serving import Serving

        async with Serving(self._handlers()) as serving:
            yield f"127.0.0.1:{await serving.start()}"

    def assert_complete(self) -> None:
        """Fail unless every recorded answer was given.

        Raises:
            AssertionError: Some were not; says how many of each RPC.
        """
        left: Counter[str] = Counter()
        for key, answers in self._answers.items():
            left[METHODS[key[0]].name] += max(len(answers) - self._given[key], 0)
        if left := +left:
            told = ", ".join(f"{name}: {count}" for name, count in sorted(left.items()))
            raise AssertionError(f"not all of the recording was asked for; what is left: {told}")

    def _handlers(self) -> Mapping[str, Handler]:
        return {path: partial(self._answer, path) for path in METHODS}

    async def _answer(self, path: str, request: bytes, metadata: Metadata) -> bytes:  # noqa: ARG002 - as the protocol has it
        name = METHODS[path].name
        self.requests[name] += 1
        key = self._key(path, request)
        answers, given = self._answers.get(key, []), self._given[key]
        if not answers or (self._strict and given >= len(answers)):
            raise self._unknown(path, request, is_over=bool(answers))
        self._given[key] += 1
        answer = answers[min(given, len(answers) - 1)]
        if answer.code != "OK":
            raise rpc_error(answer.code, answer.details, method=name)
        return answer.response

    def _key(self, path: str, request: bytes) -> tuple[str, Hashable]:
        method = METHODS[path]
        return path, self._match(method, method.request_type.FromString(request))

    def _unknown(self, path: str, request: bytes, *, is_over: bool) -> Exception:
        method = METHODS[path]
        message = method.request_type.FromString(request)
        self.unknown.append((method.name, message))
        recorded = sum(len(answers) for key, answers in self._answers.items() if key[0] == path)
        about = "has given all its answers to" if is_over else f"has {recorded} {method.name}, and none for"
        details = f"the recording {about} {method.name} {{{' '.join(str(message).split())}}}"
        # NOT_FOUND would be an answer, and others are asked again.
        return rpc_error("FAILED_PRECONDITION", details, method=method.name)


def replay(source: str | Path | Iterable[str], *, strict: bool = False, match: Match = _content) -> Replay:
    """Return a control plane that answers as a recording does. It reads a file: call it before the loop runs.

    The format is JSON lines, gzipped or not, of ``method`` (the path), ``request`` and ``response`` (base64 of the
    messages), ``code`` and ``details``. Each request gets the answers that were recorded for the same request, one
    after another.

    Args:
        source: The file, or its lines.
        strict: Whether each answer is given once. Otherwise the last one is given again and again, as to those who
            poll.
        match: Returns what makes two requests the same one; by default all that they say. For requests with random
            parts, such as the name of a launch.

    Raises:
        OSError: The file cannot be read.
        MalformedMessageError: A line is not in the format; says which.
    """
    made = Replay(strict=strict, match=match)
    lines = _lines(Path(source)) if isinstance(source, (str, Path)) else source
    for number, line in enumerate(lines, 1):
        try:
            fields = json.loads(line)
            request, response = (base64.b64decode(fields[part], validate=True) for part in ("request", "response"))
            made.add(fields["method"], request, _Answer(fields["code"], fields["details"], response))
        except (ValueError, KeyError, TypeError, binascii.Error, DecodeError) as error:
            raise MalformedMessageError(f"line {number} of the recording: {type(error).__name__}: {error}") from error
    return made


def _lines(path: Path) -> list[str]:
    data = path.read_bytes()
    try:
        return (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode().splitlines()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise MalformedMessageError(f"{path} is no recording: {error}") from error
