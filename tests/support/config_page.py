"""Writes the table of keys in ``docs/configuration.md``: ``python -m tests.support.config_page``."""

from __future__ import annotations

import re
from pathlib import Path

from flyte_remote_async.config.keys import KEYS

__all__ = ["FILE", "render"]

FILE = Path(__file__).parents[2] / "docs" / "configuration.md"

_TABLE = re.compile(r"(?<=## Keys of Flyte's own\n\n).*?(?=\n\n)", re.DOTALL)


def render(page: str) -> str:
    """Return the page with the table of keys in its place."""
    lines = ["| field | environment | YAML | ini |", "|---|---|---|---|"]
    for field, _, places in KEYS:
        columns = [
            ", ".join(f"`{place.partition(' ')[2]}`" for place in places if place.startswith(where))
            for where in ("env ", "yaml ", "ini ")
        ]
        lines.append(f"| `{field}` | {' | '.join(columns)} |")
    return _TABLE.sub("\n".join(lines), page)


if __name__ == "__main__":
    FILE.write_text(render(FILE.read_text()))
