"""Files and directories that are stored somewhere else: named at once, read when they are asked for."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from flyte_remote_async.errors import DetachedError, NotDownloadedError
from flyte_remote_async.literals.paths import file_place, folder_place, is_remote

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from flyte_remote_async.literals.access import Objects, Reader

__all__ = ["FlyteDirectory", "FlyteFile", "Handle"]


class Handle:
    """What files, directories and tables have in common: a uri, and the way to the stored objects.

    Attributes:
        uri: Where it is; for one that a user made of a path, the path.
    """

    __slots__ = ("_objects", "uri")

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._objects: Objects | None = None

    def bound(self, objects: Objects | None) -> Self:
        """Take the way to the stored objects; for the codecs."""
        self._objects = objects
        return self

    @property
    def _storage(self) -> Objects:
        if self._objects is None:
            reason = (
                f"{self!r} knows no storage: it was made by hand, unpickled, or decoded without a remote; "
                "fetch the execution again, or give its resolver a context with objects"
            )
            raise DetachedError(reason)
        return self._objects


class _Blob(Handle):
    """A file or a directory.

    Args:
        path: A path of this machine, or a uri of stored data.
        format: What is inside, such as ``"csv"``; empty for anything.
        metadata: What is noted on the literal.
    """

    __slots__ = ("_local", "format", "metadata")
    _format: ClassVar[str] = ""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        format: str | None = None,  # noqa: A002 - Flyte's own word
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(os.fspath(path))
        self.format = self._format if format is None else format
        self.metadata: dict[str, str] = dict(metadata or {})
        # A path that somebody on this machine wrote is one of this machine; a path out of a literal is not.
        self._local: Path | None = None if is_remote(self.uri) else Path(self.uri)

    def __class_getitem__(cls, format: str) -> type[Self]:  # noqa: A002 - Flyte's own word
        """Return the class for one format, as in ``FlyteFile["csv"]``; a type checker wants :meth:`of_format`."""
        return cls.of_format(format)

    @classmethod
    def of_format(cls, format: str) -> type[Self]:  # noqa: A002 - Flyte's own word
        """Return the class for one format, to be used as a hint.

        Args:
            format: The format, such as ``"csv"``; empty for any.
        """
        base = cls._kind()
        name = str(format).removeprefix(".")
        if not name:
            return cast("type[Self]", base)
        key = (base, name)
        if key not in _FORMATS:
            body = {"_format": name, "__slots__": (), "__module__": cls.__module__, "__doc__": cls.__doc__}
            _FORMATS[key] = type(base.__name__, (base,), body)
        return cast("type[Self]", _FORMATS[key])

    @classmethod
    def extension(cls) -> str:
        """Return the format of the class: ``"csv"`` of ``FlyteFile["csv"]``, empty of the class itself."""
        return cls._format

    @classmethod
    def decoded(cls, uri: str, format: str, metadata: Mapping[str, str], objects: Objects | None) -> Self:  # noqa: A002
        """Return the handle of a literal; for the codecs."""
        handle = cls(uri, format=format, metadata=metadata)
        handle._local = None
        return handle.bound(objects)

    @property
    def path(self) -> str:
        """The local path, where there is one: made by hand, or downloaded; else the uri."""
        return str(self._local) if self._local is not None else self.uri

    @property
    def remote_source(self) -> str | None:
        """The uri of the stored data; None for a path of this machine that was not stored yet."""
        return self.uri if is_remote(self.uri) or self._local is None or str(self._local) != self.uri else None

    def __fspath__(self) -> str:
        if self._local is None:
            raise NotDownloadedError(self.uri)
        return str(self._local)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Blob) or self._kind() is not other._kind():
            return NotImplemented
        return (self.uri, self.format, self.metadata) == (other.uri, other.format, other.metadata)

    def __hash__(self) -> int:
        return hash((self.uri, self.format))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._kind(), self.uri, self.format, self.metadata, self._local)

    def __repr__(self) -> str:
        inside = f", format={self.format!r}" if self.format else ""
        return f"{self._kind().__name__}({self.uri!r}{inside})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        del source, handler
        # Imported here: it is pydantic that asks.
        from flyte_remote_async.literals.pydantic_fields import blob_field

        return blob_field(cls)

    @classmethod
    def _kind(cls) -> type[_Blob]:
        return FlyteDirectory if issubclass(cls, FlyteDirectory) else FlyteFile

    async def _bring(
        self,
        bring: Callable[[str, Path], Awaitable[None]],
        choose: Callable[[str, str | None], tuple[Path, str]],
        target: str | os.PathLike[str] | None,
    ) -> Path:
        """Bring the data to where ``choose`` says; a temporary folder that was made for it goes when it fails."""
        from flyte_remote_async.concurrency import in_thread

        given = None if target is None else os.fspath(target)
        path, made = await in_thread(choose, self.uri, given, undo=_remove_made)
        try:
            await bring(self.uri, path)
        except BaseException:
            await in_thread(_remove_made, (path, made))
            raise
        self._local = path
        return path


def _remove_made(place: tuple[Path, str]) -> None:
    import shutil

    if place[1]:
        shutil.rmtree(place[1], ignore_errors=True)


_FORMATS: dict[tuple[type, str], Any] = {}


def _restored(kind: type[_Blob], uri: str, format: str, metadata: dict[str, str], local: Path | None) -> _Blob:  # noqa: A002
    blob = kind(uri, format=format, metadata=metadata)
    blob._local = local  # noqa: SLF001 - it is this module's own
    return blob


class FlyteFile(_Blob):
    """One file, as flytekit has it: a path of this machine to be passed as an input, or stored data of an output.

    It is lazy: nothing is read before :meth:`download` or :meth:`open`. ``os.fspath`` (and so ``open`` and
    ``pathlib.Path``) works once it was downloaded. Handles are equal when uri, format and metadata are; they pickle,
    and an unpickled one knows no storage.

    Example:
        >>> report = await execution.outputs["report"]
        >>> path = await report.download("out/")
        >>> async with report.open() as stream:
        ...     async for chunk in stream: ...
    """

    __slots__ = ()

    async def download(self, target: str | os.PathLike[str] | None = None) -> Path:
        """Bring the file to this machine, whole or not at all.

        Args:
            target: The path to write, or an existing folder to write it into under its own name; without one it
                comes into a new temporary folder, which is the caller's to remove.

        Returns:
            The path; ``os.fspath`` of the handle gives it from now on.

        Raises:
            DetachedError: The handle knows no storage.
            ObjectNotFoundError: The file is not there.
            UnsafePathError: The uri has no file name, or one that leads elsewhere.
            StorageError: It cannot be had.
        """
        if self.remote_source is None:
            return Path(self.uri)
        return await self._bring(self._storage.download, file_place, target)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Reader]:
        """Open the stored file as a stream of bytes, for ``async with``; errors as :meth:`download`.

        Yields:
            A reader: ``await stream.read(n)``, and ``async for chunk in stream``.
        """
        async with self._storage.open(self.uri) as reader:
            yield reader

    async def read(self, *, limit: int | None = None) -> bytes:
        """Return the bytes of the stored file; errors as :meth:`download`.

        Args:
            limit: The most bytes to take.
        """
        return await self._storage.read(self.uri, limit=limit)


class FlyteDirectory(_Blob):
    """One directory, as flytekit has it; lazy, comparable and picklable as :class:`FlyteFile` is.

    Example:
        >>> folder = await execution.outputs["folder"]
        >>> for part in await folder.list():
        ...     print(part.uri)
        >>> path = await folder.download()
    """

    __slots__ = ()

    async def download(self, target: str | os.PathLike[str] | None = None) -> Path:
        """Bring all files to this machine; none of them leaves the target folder.

        Args:
            target: The folder to write into; without one it is a new temporary folder, the caller's to remove.

        Returns:
            The folder; ``os.fspath`` of the handle gives it from now on.

        Raises:
            DetachedError: The handle knows no storage.
            ObjectNotFoundError: There is nothing under the uri.
            UnsafePathError: A name leads out of the folder; nothing is written outside of it.
            StorageError: It cannot be had.
        """
        if self.remote_source is None:
            return Path(self.uri)
        return await self._bring(self._storage.download_directory, folder_place, target)

    async def list(self) -> list[FlyteFile]:
        """Return handles of all files in it, at any depth; errors as :meth:`download`."""
        storage = self._storage
        return [FlyteFile.decoded(uri, self.format, {}, storage) for uri in await storage.list(self.uri)]
