"""What the pages and faces of the HTTP port are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from flyte_remote_async.devserver.clock import Clock
    from flyte_remote_async.devserver.objects import Objects
    from flyte_remote_async.devserver.runners.logs import Logs
    from flyte_remote_async.devserver.store import Store
    from flyte_remote_async.devserver.web.guard import Hosts
    from flyte_remote_async.devserver.web.page.reader import Reader
    from flyte_remote_async.devserver.web.signing import Signer

__all__ = ["Context"]


@attrs.frozen
class Context:
    """What the HTTP port serves from.

    Attributes:
        store: The state.
        objects: The bucket.
        logs: What the tasks wrote.
        signer: What signs URLs.
        clock: What URLs expire by.
        hosts: The names that the port may be called by.
        reader: What the page reads with.
    """

    store: Store
    objects: Objects
    logs: Logs
    signer: Signer
    clock: Clock
    hosts: Hosts
    reader: Reader
