"""The XML that S3 answers with. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from flyte_remote_async.devserver.naming import BUCKET

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from flyte_remote_async.devserver.objects import ObjectInfo

__all__ = ["deleted", "document", "error", "instant", "keys_to_delete", "listing", "parts_to_join"]

_NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"


def error(code: str, message: str, resource: str) -> bytes:
    """Return an error."""
    return _xml(f"<Error><Code>{code}</Code>{_element('Message', message)}{_element('Resource', resource)}</Error>")


def document(name: str, **elements: str | int) -> bytes:
    """Return a result that has a few values.

    Args:
        name: Name of the result.
        **elements: Its values, by the names of their elements.
    """
    inside = "".join(_element(key, str(value)) for key, value in elements.items())
    return _xml(f'<{name} xmlns="{_NAMESPACE}">{inside}</{name}>')


def listing(
    infos: Sequence[ObjectInfo],
    folders: Sequence[str],
    *,
    prefix: str,
    delimiter: str,
    limit: int,
    next_token: str,
    quoted: bool,
) -> bytes:
    """Return a page of a list of objects (ListObjectsV2).

    Args:
        infos: The objects of the page.
        folders: The common prefixes of the page.
        prefix: What was asked for.
        delimiter: What keys are rolled up at; empty where they are not.
        limit: The most keys of a page.
        next_token: What asks for the next page; empty where this is the last.
        quoted: Whether keys are to be percent-encoded.
    """

    def name(key: str) -> str:
        return quote(key, safe="/") if quoted else key

    objects = "".join(
        f"<Contents>{_element('Key', name(info.key))}<LastModified>{instant(info.modified_at)}</LastModified>"
        f"{_element('ETag', _tag(info.etag))}<Size>{info.size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for info in infos
    )
    prefixes = "".join(f"<CommonPrefixes>{_element('Prefix', name(folder))}</CommonPrefixes>" for folder in folders)
    token = _element("NextContinuationToken", next_token) if next_token else ""
    encoding = "<EncodingType>url</EncodingType>" if quoted else ""
    return _xml(
        f'<ListBucketResult xmlns="{_NAMESPACE}"><Name>{BUCKET}</Name>{_element("Prefix", name(prefix))}'
        f"{_element('Delimiter', delimiter) if delimiter else ''}<KeyCount>{len(infos) + len(folders)}</KeyCount>"
        f"<MaxKeys>{limit}</MaxKeys>{encoding}<IsTruncated>{str(bool(next_token)).lower()}</IsTruncated>"
        f"{token}{objects}{prefixes}</ListBucketResult>"
    )


def deleted(keys: Iterable[str]) -> bytes:
    """Return the result of deleting several objects."""
    items = "".join(f"<Deleted>{_element('Key', key)}</Deleted>" for key in keys)
    return _xml(f'<DeleteResult xmlns="{_NAMESPACE}">{items}</DeleteResult>')


def keys_to_delete(body: bytes) -> list[str]:
    """Return the keys that a request to delete several objects names.

    Raises:
        ValueError: It is not such a request.
    """
    return [item.findtext("{*}Key", "") for item in _parsed(body).iterfind("{*}Object")]


def parts_to_join(body: bytes) -> list[int]:
    """Return the numbers of the parts that a request to complete an upload names.

    Raises:
        ValueError: It is not such a request.
    """
    return [int(item.findtext("{*}PartNumber", "")) for item in _parsed(body).iterfind("{*}Part")]


def instant(when: dt.datetime) -> str:
    """Return an instant as S3 writes it."""
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


def _parsed(body: bytes) -> ET.Element:
    if b"<!" in body:
        raise ValueError("declarations are not taken")  # no entities, so nothing can grow
    try:
        return ET.fromstring(body)  # noqa: S314 - without declarations
    except ET.ParseError as error:
        raise ValueError(str(error)) from error


def _tag(etag: str) -> str:
    return f'"{etag}"'


def _element(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"


def _xml(inside: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{inside}'.encode()
