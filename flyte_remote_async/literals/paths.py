"""Which uris are paths, and where on this machine the data of a uri comes to."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Final

from flyte_remote_async.errors import UnsafePathError

__all__ = ["file_place", "folder_place", "is_remote", "safe_name"]

_LONGEST: Final = 255  # bytes of a name, to the usual file systems


def is_remote(uri: str) -> bool:
    """Tell whether a uri has a scheme, such as ``s3://``; what has none is a path of some machine."""
    return "://" in uri


def safe_name(uri: str) -> str:
    """Return the last part of a uri, as a file name for this machine.

    Raises:
        UnsafePathError: It is none: empty, ``..``, or with characters that lead elsewhere.
    """
    if uri.startswith(("http://", "https://")):
        uri = uri.partition("?")[0].partition("#")[0]  # what follows may be a signature
    path = uri.partition("://")[2] if is_remote(uri) else uri
    name = PurePosixPath(path).name
    if not name or name in {".", ".."} or any(letter in name for letter in "\\/:\0") or len(name.encode()) > _LONGEST:
        raise UnsafePathError("its last part is no file name; give a target", uri=uri)
    return name


def file_place(uri: str, target: str | None) -> tuple[Path, str]:
    """Return the path to write a file to, and the folder that was made for it: empty where a target is given."""
    import tempfile

    if target is not None and not Path(target).is_dir():
        return Path(target), ""
    name = safe_name(uri)
    made = "" if target is not None else tempfile.mkdtemp(prefix="flyte-")
    return Path(target or made, name), made


def folder_place(_uri: str, target: str | None) -> tuple[Path, str]:
    """Return the folder to write to; the second time as the one that was made for it."""
    import tempfile

    if target is not None:
        return Path(target), ""
    made = tempfile.mkdtemp(prefix="flyte-")
    return Path(made), made
