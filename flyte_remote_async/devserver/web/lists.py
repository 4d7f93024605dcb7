"""Pages of a list of objects. Pure.

Source: ListObjectsV2 of Amazon S3's API reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flyte_remote_async.devserver.objects import ObjectInfo

__all__ = ["Page", "page_of"]


@attrs.frozen
class Page:
    """One page of a list.

    Attributes:
        infos: Its objects.
        folders: Its common prefixes.
        next_token: What asks for the next page; empty where this is the last.
    """

    infos: Sequence[ObjectInfo]
    folders: Sequence[str]
    next_token: str


def page_of(infos: Sequence[ObjectInfo], *, prefix: str, delimiter: str, after: str, limit: int) -> Page:
    """Return a page.

    Args:
        infos: The objects whose keys begin with the prefix, by the bytes of their keys.
        prefix: What was asked for.
        delimiter: What keys are rolled up at behind the prefix; empty where they are not.
        after: The key or common prefix that the page comes after; empty for the first.
        limit: The most objects and common prefixes together.
    """
    entries: dict[str, ObjectInfo | None] = {}
    for info in infos:
        folder = _folder(info.key, prefix, delimiter)
        name = folder or info.key
        if name.encode() <= after.encode():
            continue
        if name not in entries and len(entries) == limit:
            return Page(*_split(entries), next_token=next(reversed(entries), ""))
        entries[name] = None if folder else info
    return Page(*_split(entries), next_token="")


def _folder(key: str, prefix: str, delimiter: str) -> str:
    if not delimiter:
        return ""
    place = key.find(delimiter, len(prefix))
    return "" if place < 0 else key[: place + len(delimiter)]


def _split(entries: dict[str, ObjectInfo | None]) -> tuple[list[ObjectInfo], list[str]]:
    objects = [info for info in entries.values() if info is not None]
    return objects, [name for name, info in entries.items() if info is None]
