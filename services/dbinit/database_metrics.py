"""What is known of the nodes' databases in numbers, looked at once a minute: a page asked for touches no server."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from meshkit.clock import Clock
from meshkit.errors import MeshError
from meshkit.metrics import RPC_METRICS, Metric, Registry, Sample
from meshkit.process.background_tasks import TASK_METRICS
from services.dbinit.config import Settings
from services.dbinit.databases import provision
from services.dbinit.databases.provision import Database

LOOK_EVERY_S: Final = 60.0
# Until the server is up, which takes seconds in a start.
LOOK_AGAIN_S: Final = 5.0
_DATABASE: Final = ("database",)

METRICS: Final = (
    *RPC_METRICS,
    *TASK_METRICS,
    Metric("feedmesh_database_up", "gauge", "1 if PostgreSQL answered when last asked, else 0.", derived=True),
    Metric("feedmesh_database_bytes", "gauge", "Size of a node's database on disk.", _DATABASE, derived=True),
    Metric("feedmesh_database_connections", "gauge", "Connections to it.", _DATABASE, derived=True),
    Metric(
        "feedmesh_database_checksum_failures_total",
        "counter",
        "Pages of it that were read and found damaged.",
        _DATABASE,
        derived=True,
    ),
)


class DatabaseMetrics:
    """Look at the databases again and again, and show them; what was last seen stays while the server is away."""

    def __init__(self, settings: Settings, clock: Clock, registry: Registry) -> None:
        self._settings = settings
        self._clock = clock
        self._seen: tuple[Database, ...] = ()
        self._up = False
        registry.derive("feedmesh_database_up", lambda: [((), float(self._up))])
        figures: dict[str, Callable[[Database], float]] = {
            "feedmesh_database_bytes": lambda database: database.size_bytes,
            "feedmesh_database_connections": lambda database: database.connections,
            "feedmesh_database_checksum_failures_total": lambda database: database.checksum_failures,
        }
        for name, value in figures.items():
            registry.derive(name, partial(self._samples, value))

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await self._clock.sleep(LOOK_EVERY_S if self._up else LOOK_AGAIN_S)

    async def look(self) -> None:
        """Look now."""
        try:
            self._seen = await provision.list_databases(self._settings)
            self._up = True
        except MeshError:
            # It is told by the metric; before the first start of the server it is no fault.
            self._up = False

    def _samples(self, value: Callable[[Database], float]) -> Iterator[Sample]:
        for database in self._seen:
            yield (database.name,), value(database)
