"""What a transfer makes of an origin that misbehaves, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from flyte_remote_async.errors import IntegrityError, ObjectNotFoundError, StorageError
from flyte_remote_async.policy.backoff import Backoff
from flyte_remote_async.storage import incoming
from flyte_remote_async.storage.incoming import Incoming
from flyte_remote_async.storage.origins import Body, InterruptedTransfer

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.anyio

STALL = object()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "_BACKOFF", Backoff(initial=0.001, factor=1.0, longest=0.001))


class Script:
    """An origin that gives, for each request, what is written: errors, stalls, or a body of chunks."""

    def __init__(self, *answers: object, size: int | None = None, tags: Sequence[str] = ()) -> None:
        self.answers = list(answers)
        self.size = size
        self.tags = list(tags)
        self.asked: list[tuple[int, str | None]] = []
        self.closed = 0

    async def get(self, offset: int, tag: str | None) -> Body:
        self.asked.append((offset, tag))
        answer = self.answers.pop(0)
        if answer is STALL:
            await anyio.sleep_forever()
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, list)

        async def read() -> bytes:
            await anyio.lowlevel.checkpoint()
            if not answer:
                return b""
            chunk = answer.pop(0)
            if chunk is STALL:
                await anyio.sleep_forever()
            if isinstance(chunk, Exception):
                raise chunk
            assert isinstance(chunk, bytes)
            return chunk

        return Body(read, self.close, self.size, self.tags.pop(0) if self.tags else "tag")

    async def close(self) -> None:
        self.closed += 1


async def taken(script: Script) -> bytes:
    transfer = Incoming(script, "s3://b/k", 0.02)
    try:
        await transfer.begin()
        return await transfer.read()
    finally:
        await transfer.aclose()


BROKEN = InterruptedTransfer("broken")


async def test_a_transfer_goes_on_where_it_stopped() -> None:
    script = Script([b"ab", BROKEN], BROKEN, STALL, [b"c", STALL], [b"d", b"ef"], size=6)
    assert await taken(script) == b"abcdef"
    assert script.asked == [(0, None), (2, "tag"), (2, "tag"), (2, "tag"), (3, "tag")]
    assert script.closed == 3  # each body that was opened


async def test_an_object_of_unknown_size_ends_where_it_ends() -> None:
    assert await taken(Script([b"a", b"b"])) == b"ab"
    assert await taken(Script([])) == b""


async def test_an_end_that_comes_too_early_is_none() -> None:
    assert await taken(Script([b"a"], [b"b"], size=2)) == b"ab"
    with pytest.raises(IntegrityError, match="ended after 1 of 2 bytes"):
        await taken(Script([b"a"], *([] for _ in range(9)), size=2))


async def test_more_than_there_is() -> None:
    with pytest.raises(IntegrityError, match="more came"):
        await taken(Script([b"abc"], size=2))


async def test_another_object() -> None:
    with pytest.raises(IntegrityError, match="changed"):
        await taken(Script([b"a", BROKEN], [b"b"], size=2, tags=["one", "two"]))


@pytest.mark.parametrize("step", [BROKEN, STALL])
async def test_patience_ends(step: object) -> None:
    script = Script(*[step] * 9)
    with pytest.raises(StorageError, match="tried 5 times"):
        await taken(script)
    assert len(script.asked) == 5
    script = Script([b"a", step], *([step] for _ in range(9)), size=2)
    with pytest.raises(StorageError, match="tried 5 times"):
        await taken(script)


async def test_what_is_final_is_told_at_once() -> None:
    for error in (ObjectNotFoundError("gone", uri="s3://b/k"), StorageError("no", uri="s3://b/k")):
        script = Script(error)
        with pytest.raises(type(error)):
            await taken(script)
        assert len(script.asked) == 1


async def test_reads_of_a_size() -> None:
    transfer = Incoming(Script([b"abc", b"defg"], size=7), "s3://b/k", 1)
    await transfer.begin()
    assert [await transfer.read(n) for n in (1, 3, 0, 1)] == [b"a", b"bcd", b"", b"e"]
    assert [chunk async for chunk in transfer] == [b"fg"]
    assert await transfer.read(5) == b""
