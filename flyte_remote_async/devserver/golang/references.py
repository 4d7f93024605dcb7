"""Places in a bucket as Flyte makes and reads them: URLs, with all that Go's ``net/url`` does to them. Pure.

So a file name with a space becomes ``%20`` in the URI and stays a space in the key, ``..`` leads up and no further than
the bucket, and what follows a question mark is no part of the key.

Source: flytestdlib/storage (``URLPathConstructor``, ``DataReference.Split``) and Go's net/url.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote

import attrs

from flyte_remote_async.devserver.golang.prototext import quoted

__all__ = ["BadReferenceError", "Reference", "constructed", "parsed"]

_UNESCAPED: Final = "$&+,/:;=@-_.~"
_VALID: Final = re.compile(r"(?:[A-Za-z0-9\-_.~$&+,/:;=@!'()*\[\]]|%[0-9A-Fa-f]{2})*")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}", re.DOTALL)
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(.*)", re.DOTALL)


class BadReferenceError(ValueError):
    """Raised for what is no URL, in the words of Go's net/url."""


@attrs.frozen
class Reference:
    """The parts of a URI of an object.

    Attributes:
        scheme: Such as ``s3``.
        bucket: The bucket; empty where the URI names none.
        key: The key, not quoted; empty where the URI names none.
    """

    scheme: str
    bucket: str
    key: str


def parsed(uri: str) -> Reference:
    """Return the parts of a URI.

    Raises:
        BadReferenceError: It is no URL.
    """
    text = _checked(uri).partition("#")[0]
    scheme, rest = "", text
    match = _SCHEME.fullmatch(text)
    if match:
        scheme, rest = match[1].lower(), match[2]
    elif text.startswith(":"):
        raise BadReferenceError(f"parse {quoted(uri)}: missing protocol scheme")
    rest = rest.partition("?")[0]
    if scheme and not rest.startswith("/"):
        return Reference(scheme, "", "")  # an opaque URL, such as mailto:
    if not rest.startswith("//"):
        if not scheme and ":" in rest.partition("/")[0]:
            raise BadReferenceError(f"parse {quoted(uri)}: first path segment in URL cannot contain colon")
        return Reference(scheme, "", unquote(rest).strip("/"))
    host, _, path = rest[2:].partition("/")
    return Reference(scheme, unquote(host.rpartition("@")[2]), unquote(path).strip("/"))


def constructed(base: str, *parts: str) -> str:
    """Return the URI of a place in a bucket.

    Args:
        base: The bucket, such as ``s3://my-s3-bucket``.
        *parts: The parts of the path; slashes around each are left out.

    Raises:
        BadReferenceError: A part cannot be in a URL.
    """
    joined = "/" + "/".join(part.strip("/") for part in parts)
    rest, hash_mark, fragment = _checked(joined).partition("#")
    path, question_mark, query = rest.partition("?")
    escaped = _escaped(_without_dots(_escaped(path)))
    return base + escaped + (question_mark + query if query else "") + (hash_mark + fragment if fragment else "")


def _checked(text: str) -> str:
    if any(ord(letter) < ord(" ") or letter == "\x7f" for letter in text):
        raise BadReferenceError(f"parse {quoted(text)}: net/url: invalid control character in URL")
    bad = _BAD_ESCAPE.search(text)
    if bad:
        raise BadReferenceError(f'parse {quoted(text)}: invalid URL escape "{bad[0]}"')
    return text


def _escaped(path: str) -> str:
    # What is good as it stands stays as it stands; else all of it is quoted anew.
    return path if _VALID.fullmatch(path) else quote(unquote(path), safe=_UNESCAPED)


def _without_dots(path: str) -> str:
    kept: list[str] = []
    parts = path[1:].split("/")
    for part in parts:
        if part == "..":
            del kept[-1:]
        elif part != ".":
            kept.append(part)
    if parts[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)
