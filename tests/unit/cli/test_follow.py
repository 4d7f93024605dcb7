"""Following an execution: how often it is looked at, and what a follower survives."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import anyio.lowlevel
import attrs
import pytest

from flyte_remote_async.cli.follow import Follower
from flyte_remote_async.cli.view import PlainView
from flyte_remote_async.devserver import DevServer
from flyte_remote_async.errors import PermissionDeniedError, UnavailableError, WaitTimeoutError
from tests.support.films import Film, refuse
from tests.support.remotes import remote_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from flyte_remote_async import FlyteRemote, FlyteWorkflowExecution
    from tests.support.remotes import Ledger

pytestmark = pytest.mark.anyio

LOST = "flyte-remote: lost the server, trying again\n"


@attrs.define
class Story:
    """What happens in the pauses between two looks: nothing, but for the chapters that a test writes."""

    chapters: dict[int, Callable[[], Awaitable[object]]]
    pauses: list[float] = attrs.field(factory=list)

    async def sleep(self, seconds: float) -> None:
        """Stand in for time that passes."""
        chapter = self.chapters.get(len(self.pauses))
        self.pauses.append(seconds)
        await anyio.lowlevel.checkpoint()
        if chapter is not None:
            await chapter()


@attrs.frozen
class Stage:
    film: Film
    remote: FlyteRemote
    ledger: Ledger
    shown: io.StringIO = attrs.field(factory=io.StringIO)

    async def follow(
        self, story: Story, *, is_ours: bool = False, timeout: float | None = None
    ) -> FlyteWorkflowExecution:
        follower = Follower(PlainView(self.shown), is_ours, story.sleep)
        return await follower.follow(self.remote.execution("film"), timeout)

    async def end(self) -> None:
        self.film.later()
        for name in ("a", "b"):
            await self.film.attempt(name, "SUCCEEDED")
            await self.film.node(name, "SUCCEEDED")
        await self.film.execution("SUCCEEDED")


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with DevServer() as server, remote_of(server, max_attempts=1) as (remote, ledger):
        film = Film(server.store)
        await film.execution()
        for name in ("a", "b"):
            await film.node(name)
            await film.attempt(name)
        yield Stage(film, remote, ledger)


async def test_looks_are_rare_while_nothing_moves_and_soon_again_when_something_did(stage: Stage) -> None:
    async def move() -> None:
        stage.film.later()
        await stage.film.node("a", "SUCCEEDED")

    story = Story({19: move, 22: stage.end})
    await stage.follow(story)
    assert story.pauses[0] == pytest.approx(0.1, rel=0.11)
    # The first look itself was news; from then on each pause is longer than the one before the last, up to the longest.
    growing = story.pauses[1:14]
    assert all(later > earlier for earlier, later in zip(growing, growing[2:], strict=False))
    assert story.pauses[15:20] == pytest.approx([2.0] * 5, rel=0.11)
    assert max(story.pauses) <= 2.0
    assert story.pauses[21] == pytest.approx(0.1, rel=0.11)


async def test_attempts_of_a_flyte_of_ones_own_are_read_once_at_the_end(stage: Stage) -> None:
    asked: list[int] = []

    async def end() -> None:
        asked.append(stage.ledger.counts["ListTaskExecutions"])
        await stage.end()

    ended = await stage.follow(Story({10: end}))
    assert asked == [0]
    assert stage.ledger.counts["ListTaskExecutions"] == 2
    assert [len(node.task_executions) for node in ended.node_executions.values()] == [1, 1]
    changes, tree = stage.shown.getvalue().split("\n\n")
    phases = [line.split("  ")[-1] for line in changes.splitlines() if "  a  " in line]
    assert phases == ["RUNNING", "SUCCEEDED"]
    assert "-- a  made.task  SUCCEEDED" in tree


async def test_a_server_of_our_own_tells_attempts_while_they_run(stage: Stage) -> None:
    await stage.follow(Story({0: stage.end}), is_ours=True)
    assert "  a  made.task  RUNNING" in stage.shown.getvalue()


async def test_a_server_that_is_away_is_waited_for_and_told_of_once(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    async def go_away() -> None:
        refuse(stage.ledger, "GetExecution", lambda: UnavailableError("away"), times=30)

    story = Story({1: go_away, 20: stage.end})
    ended = await stage.follow(story)
    assert ended.is_successful
    assert capsys.readouterr().err == LOST
    assert len(story.pauses) == 32
    assert story.pauses[20:32] == pytest.approx([2.0] * 12, rel=0.11)


async def test_each_loss_of_the_server_is_told(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    async def go_away() -> None:
        refuse(stage.ledger, "GetExecution", lambda: UnavailableError("away"), times=2)

    await stage.follow(Story({1: go_away, 6: go_away, 9: stage.end}))
    assert capsys.readouterr().err == LOST * 2


async def test_a_server_that_starts_again_is_found_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = await DevServer(state=tmp_path / "state").start()
    port = int(first.endpoint.rpartition(":")[2])
    second = DevServer(state=tmp_path / "state", port=port)
    try:
        await Film(first.store).execution()

        async def start_again() -> None:
            await second.start()
            await Film(second.store).execution("SUCCEEDED")

        async with first.remote(max_attempts=1) as remote:
            follower = Follower(
                PlainView(io.StringIO()), is_ours=False, sleep=Story({0: first.aclose, 2: start_again}).sleep
            )
            ended = await follower.follow(remote.execution("film"), None)
    finally:
        await first.aclose()
        await second.aclose()
    assert ended.is_successful
    assert capsys.readouterr().err == LOST


async def test_a_server_that_stays_away_ends_with_the_time(stage: Stage) -> None:
    refuse(stage.ledger, "GetExecution", lambda: UnavailableError("away"))
    with pytest.raises(
        WaitTimeoutError, match=r"after 0\.05 s, and goes on; .*; the last look failed: .*away"
    ) as caught:
        await stage.follow(Story({}), timeout=0.05)
    assert isinstance(caught.value.last_error, UnavailableError)


async def test_what_does_not_pass_is_an_error_at_once(stage: Stage) -> None:
    refuse(stage.ledger, "ListNodeExecutions", lambda: UnavailableError("away"))
    with pytest.raises(UnavailableError):
        await stage.follow(Story({}), is_ours=True)
    refuse(stage.ledger, "GetExecution", lambda: PermissionDeniedError("no"))
    with pytest.raises(PermissionDeniedError):
        await stage.follow(Story({}))
