"""Names of files that come from the other side, checked before anything is written under them.

A name decides where a file lands. What could land outside of its folder, or over another file, is refused and never
repaired: a repaired name would be a guess.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from flyte_remote_async.errors import UnsafePathError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flyte_remote_async.storage.addresses import Address

__all__ = ["check_all", "file_name", "safe"]

# The limit of the usual file systems.
_LONGEST: Final = 255
_DRIVE: Final = re.compile(r"[A-Za-z]:")


def file_name(address: Address) -> str:
    """Return the last part of an address, as the name of a file.

    Raises:
        UnsafePathError: It is none that a file can safely have.
    """
    last = address.key.rstrip("/").rpartition("/")[2]
    return safe(unquote(last) if address.kind == "web" else last, address.shown, parts=1)


def safe(name: str, uri: str, *, parts: int | None = None) -> str:
    r"""Return a relative name, made of parts with ``/`` between them, as it is.

    Args:
        name: The name.
        uri: Where it comes from, for the error.
        parts: How many parts it may have; None for any number.

    Raises:
        UnsafePathError: It is empty or absolute, has a part ``..``, ``.`` or an empty one, a NUL, a backslash or a
            drive letter, or a part longer than 255 bytes.
    """
    pieces = name.split("/")
    problem = next(filter(None, map(_problem, pieces)), None)
    if problem is None and parts is not None and len(pieces) > parts:
        problem = "it is a path and not a name"
    if problem is not None:
        shown = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"
        reason = f"{shown!r} is refused as the name of a file: {problem}"
        raise UnsafePathError(reason, uri=uri)
    return name


def _problem(part: str) -> str | None:
    if part in {"", ".", ".."}:
        return f"a part of it is {part!r}"
    if any(unicodedata.category(letter) == "Cc" for letter in part):
        return "it holds a control character"
    # On Windows these would leave the folder; on other systems such a name is no more than odd, and as rare.
    if "\\" in part:
        return "it holds a backslash"
    if _DRIVE.match(part):
        return "it begins with a drive letter"
    try:
        size = len(part.encode())
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    return f"a part of it has {size} bytes, and {_LONGEST} is the limit" if size > _LONGEST else None


def check_all(names: Iterable[str], uri: str) -> None:
    """Check the names of one folder: each for itself, and that no two mean the same place.

    Names that differ in upper and lower case alone are one name to some file systems, where the second file would
    replace the first.

    Raises:
        UnsafePathError: A name is unsafe, two collide, or one is both a file and a folder.
    """
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for name in names:
        folded = _fold(safe(name, uri))
        other = files.setdefault(folded, name)
        if other != name:
            reason = f"{other!r} and {name!r} differ in case or accents' encoding alone, so one would replace the other"
            raise UnsafePathError(reason, uri=uri)
        pieces = name.split("/")
        for depth in range(1, len(pieces)):
            folder = "/".join(pieces[:depth])
            same = folders.setdefault(_fold(folder), folder)
            if same != folder:
                reason = (
                    f"{same!r} and {folder!r} differ in case or accents' encoding alone, so they would be one folder"
                )
                raise UnsafePathError(reason, uri=uri)
    both = files.keys() & folders.keys()
    if both:
        reason = f"{files[both.pop()]!r} is a file and a folder"
        raise UnsafePathError(reason, uri=uri)


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
