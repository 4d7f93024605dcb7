"""Objects in a folder: a file for each, where its key says."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import stat
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from flyte_remote_async.devserver.naming import BUCKET
from flyte_remote_async.devserver.objects.base import PIECE, ObjectInfo, Tally
from flyte_remote_async.errors import UnsafePathError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FolderBlobs"]

_LARGEST: Final = 5 << 30  # what S3 takes in one PUT
_PLAIN: Final = " !#$&'()+,;=@[]^_`{}~-"
_LONGEST_NAME: Final = 255


class FolderBlobs:
    """Objects that outlive the server.

    A key is the path of its file below ``<folder>/my-s3-bucket``. What has a meaning of its own in a path (``..``,
    an empty part, a percent sign, control characters) is written in percent encoding, so no key leads out of the
    folder. A key that is also the beginning of another's path (``a`` and ``a/b``) is refused, for a file cannot be a
    folder.

    Args:
        folder: Where; made if it is not there.

    Raises:
        OSError: It cannot be made or written.
    """

    blocking = True
    largest = _LARGEST

    def __init__(self, folder: Path) -> None:
        self._root = folder / BUCKET
        self._root.mkdir(parents=True, exist_ok=True)
        # On the same disk as the objects, so that a draft becomes one by its name alone.
        self._drafts = Path(tempfile.mkdtemp(prefix=".drafts-", dir=folder))
        self._open: set[_Draft] = set()
        # Of two calls, one may remove an empty folder while the other is about to put a file there.
        self._naming = threading.Lock()

    def draft(self) -> _Draft:
        """Begin to write an object."""
        draft = _Draft(self)
        self._open.add(draft)
        return draft

    def open(self, key: str) -> _FileBlob | None:
        """Return an object to be read, or None."""
        try:
            descriptor = os.open(self._path(key), os.O_RDONLY)
        except (FileNotFoundError, NotADirectoryError, UnsafePathError):
            return None
        blob = _FileBlob(key, descriptor)
        if blob.is_folder:
            blob.close()
            return None
        return blob

    def list(self, prefix: str) -> list[ObjectInfo]:
        """Return the objects whose keys begin with a prefix, by the bytes of their keys."""
        parent, _, _ = prefix.rpartition("/")
        try:
            start = self._path(parent) if parent else self._root
        except UnsafePathError:
            return []
        found = []
        for folder, _, names in os.walk(start):
            for name in names:
                path = Path(folder, name)
                key = "/".join(map(_decoded, path.relative_to(self._root).parts))
                if key.startswith(prefix):
                    with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                        found.append(_info(key, path.stat()))
        return sorted(found, key=lambda info: info.key.encode())

    def delete(self, key: str) -> bool:
        """Delete an object, with the folders that this leaves empty; return whether there was one."""
        with self._naming:
            try:
                path = self._path(key)
                path.unlink()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError, UnsafePathError):
                return False
            with contextlib.suppress(OSError):  # the first folder that is not empty
                for folder in path.parents:
                    if folder == self._root:
                        break
                    folder.rmdir()
        return True

    def close(self) -> None:
        """Remove what was never committed."""
        for draft in tuple(self._open):
            draft.discard()
        shutil.rmtree(self._drafts, ignore_errors=True)

    def forget(self, draft: _Draft) -> None:
        """Take note that a draft is closed."""
        self._open.discard(draft)

    def new_draft(self) -> tuple[int, str]:
        """Open a new file for a draft; return its descriptor and path."""
        return tempfile.mkstemp(dir=self._drafts)

    def place(self, draft: str, key: str) -> None:
        """Move the file of a draft to where a key says."""
        path = self._path(key)
        with self._naming:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                os.replace(draft, path)  # noqa: PTH105 - the draft is a plain name
            except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
                raise UnsafePathError(
                    f"{key!r} is the beginning of another object's key, or another's is of this: a folder of this "
                    "machine cannot hold both",
                    uri=f"s3://{BUCKET}/{key}",
                ) from error

    def _path(self, key: str) -> Path:
        parts = [_encoded(part) for part in key.split("/")]
        if any(len(part.encode()) > _LONGEST_NAME for part in parts):
            raise UnsafePathError(f"a part of the key {key!r} is longer than a file's name may be")
        return self._root.joinpath(*parts)


class _Draft(Tally):
    """An object that is being written, in a file without a name."""

    def __init__(self, blobs: FolderBlobs) -> None:
        super().__init__()
        self._blobs = blobs
        descriptor, self._path = blobs.new_draft()
        # Without a buffer, a full disk is told by the write that does not fit.
        self._file = os.fdopen(descriptor, "w+b", buffering=0)

    def write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]
        self.count(data)

    def pieces(self) -> Iterator[bytes]:
        self._file.seek(0)
        while piece := self._file.read(PIECE):
            yield piece

    def commit(self, key: str) -> ObjectInfo:
        self._blobs.place(self._path, key)
        return _info(key, os.fstat(self._file.fileno()))

    def discard(self) -> None:
        self._blobs.forget(self)
        self._file.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)  # noqa: PTH108 - a plain name


class _FileBlob:
    """A file that is being read."""

    def __init__(self, key: str, descriptor: int) -> None:
        self._descriptor = descriptor
        status = os.fstat(descriptor)
        self.is_folder = not stat.S_ISREG(status.st_mode)
        self.info = _info(key, status)

    def read(self, start: int, size: int) -> bytes:
        return os.pread(self._descriptor, size, start)

    def close(self) -> None:
        os.close(self._descriptor)


def _info(key: str, status: os.stat_result) -> ObjectInfo:
    # The digest of a file is not kept beside it, and a file that somebody put there by hand has none.
    etag = f"{status.st_mtime_ns:x}-{status.st_size:x}"
    return ObjectInfo(key, status.st_size, etag, dt.datetime.fromtimestamp(status.st_mtime, dt.UTC))


def _encoded(part: str) -> str:
    if not part:
        return "%"
    return part.replace(".", "%2E") if part in {".", ".."} else _quoted(part)


def _quoted(part: str) -> str:
    # Letters of all languages stay readable.
    return "".join(
        letter if letter.isalnum() or letter in _PLAIN or letter == "." else quote(letter, safe="") for letter in part
    )


def _decoded(name: str) -> str:
    return "" if name == "%" else unquote(name)
