"""The services of the devserver, put together over what they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from flyte_remote_async.devserver.scheduler.scheduler import Scheduler
from flyte_remote_async.devserver.services.attributes import AttributeService
from flyte_remote_async.devserver.services.dataproxy import DataProxyService
from flyte_remote_async.devserver.services.descriptions import DescriptionService
from flyte_remote_async.devserver.services.entities import EntityService
from flyte_remote_async.devserver.services.events import EventService
from flyte_remote_async.devserver.services.executions import ExecutionService
from flyte_remote_async.devserver.services.launching import LaunchService
from flyte_remote_async.devserver.services.named_entities import NamedEntityService
from flyte_remote_async.devserver.services.nodes import NodeService
from flyte_remote_async.devserver.services.projects import ProjectService
from flyte_remote_async.devserver.services.registration import RegistrationService
from flyte_remote_async.devserver.services.signals import SignalService

if TYPE_CHECKING:
    from flyte_remote_async.devserver.clock import Clock
    from flyte_remote_async.devserver.dataplane import DataPlane
    from flyte_remote_async.devserver.engine import Engine
    from flyte_remote_async.devserver.faces.dispatch import Registry
    from flyte_remote_async.devserver.faults import Faults
    from flyte_remote_async.devserver.store import Store

__all__ = ["Services"]


@attrs.frozen
class Services:
    """What the services share.

    Attributes:
        store: The state.
        engine: What runs executions.
        data: The objects, and how they are reached over HTTP.
        clock: The time.
        faults: What goes wrong inside.
        read_limit: The most bytes of inputs or outputs that a data RPC answers with.
    """

    store: Store
    engine: Engine
    data: DataPlane
    clock: Clock
    faults: Faults
    read_limit: int

    def register(self, registry: Registry) -> Scheduler:
        """Add every service to a registry; return the scheduler, which is to be started."""
        store = self.store
        launch = LaunchService(store, self.engine, self.clock, self.faults)
        self.engine.ask(launch)
        registration = RegistrationService(store)
        nodes = NodeService(store, self.read_limit)
        for service in (
            ExecutionService(store, self.engine, self.clock, self.read_limit),
            launch,
            nodes,
            EntityService(store),
            registration,
            NamedEntityService(store),
            ProjectService(store),
            AttributeService(store),
            DescriptionService(store),
            EventService(store),
            SignalService(store, self.engine.gates.ring),
            DataProxyService(store, nodes, self.data.objects, self.data.http, self.clock),
        ):
            service.register(registry)
        scheduler = Scheduler(store, launch, self.clock)
        scheduler.register(registry, registration.update_launch_plan)
        return scheduler
