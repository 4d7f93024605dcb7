"""A real browser that looks at the devserver's page: what it must not do, and questions to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

import attrs

from tests.support.recordings import DIRECTORY

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

    from flyte_remote_async.devserver import DevServer

__all__ = ["HOME", "NAMELESS", "PALE", "Opening", "Watch", "expect", "focused", "recorded", "row"]

Opening: TypeAlias = Callable[..., Awaitable["Page"]]

HOME = "/console/#/executions/flytesnacks/development"

# Controls and regions without a name; texts that are too pale for the contrast that WCAG's level AA asks for.
NAMELESS = """() => {
    const named = each => {
        const by = (each.getAttribute("aria-labelledby") ?? "").split(" ").map(id => document.getElementById(id));
        return each.getAttribute("aria-label")?.trim() || by.some(one => one?.innerText) || each.innerText?.trim();
    };
    const controls = "a[href], button, input, select, summary, [tabindex], [role], section, nav, table";
    const found = [...document.querySelectorAll(controls)].filter(each => each.offsetParent && !named(each));
    return found.map(each => each.outerHTML);
}"""
PALE = """() => {
    const numbers = text => text.match(/[\\d.]+/g).map(Number);
    const linear = part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    const light = rgb => rgb.map(part => linear(part / 255))
        .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
    const ground = each => {
        for (let at = each; at; at = at.parentElement) {
            const found = numbers(getComputedStyle(at).backgroundColor);
            if (found.length === 3) return found;
        }
    };
    return [...document.querySelectorAll("body *")].filter(each => {
        const own = [...each.childNodes].some(child => child.nodeType === 3 && child.textContent.trim());
        if (!own || !each.offsetParent) return false;
        const ink = light(numbers(getComputedStyle(each).color).slice(0, 3));
        const pair = [ink, light(ground(each))].sort((a, b) => b - a);
        return (pair[0] + 0.05) / (pair[1] + 0.05) < 4.5;
    }).map(each => each.outerHTML);
}"""


@attrs.define
class Watch:
    """What pages did that they must not do.

    Attributes:
        host: The only host that they may ask.
        wrong: What was wrong, in words.
        expected: Words in a message of the console that are no fault.
        asked: The paths that were asked for.
    """

    host: str
    wrong: list[str] = attrs.field(factory=list)
    expected: str = "nothing"
    asked: list[str] = attrs.field(factory=list)

    def on(self, page: Page) -> None:
        """Watch a page."""
        page.on("console", lambda message: self.note(message.type in {"error", "warning"}, message.text))
        page.on("pageerror", lambda error: self.note(True, str(error)))
        page.on("dialog", lambda dialog: self.note(True, f"dialog: {dialog.message}"))
        page.on("request", lambda request: self.ask(request.method, request.url))

    def ask(self, method: str, url: str) -> None:
        """Note a request."""
        parts = urlsplit(url)
        self.asked.append(parts.path)
        self.note(parts.netloc != self.host or method != "GET", f"{method} {url}")

    def note(self, is_wrong: bool, what: str) -> None:
        """Note what is wrong."""
        if is_wrong and self.expected not in what:
            self.wrong.append(what)


def expect(found: Locator | Page) -> Any:
    from playwright.async_api import expect

    return expect(found)


async def focused(page: Page) -> str | None:
    """Return the key of the row, or of the other part, that has the focus."""
    key: str | None = await page.evaluate("document.activeElement.dataset.key ?? document.activeElement.ariaLabel")
    return key


def row(page: Page, key: str) -> Locator:
    return page.locator(f'tr[data-key="{key}"]')


async def recorded(dev: DevServer, workflow: str) -> str:
    """Load what was recorded, and return the name of an execution of a workflow."""
    await dev.load(DIRECTORY / "state.jsonl.gz")
    async with dev.remote() as remote:
        found = [execution async for execution in remote.list_executions()]
    return next(
        each.id.name for each in found if each.closure.workflow_id and each.closure.workflow_id.name == workflow
    )
