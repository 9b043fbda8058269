"""
What each service reads of the configuration, as keys below `solution`; a key stands for all that is below it.

A service reads through its own declaration (`load_from_environment`), so it cannot read what is not named here. The
supervisor restarts a service when one of its keys differs, and no other.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from meshkit.errors import Internal

if TYPE_CHECKING:
    # The supervisor compares configurations without holding the 15 MB that reading one takes.
    from pydantic import BaseModel

    from meshkit.configuration.solution import Configuration


_ROOT: Final = "solution"


class UndeclaredKey(Internal):
    """A service reads a key that it does not declare: a defect of ours, which the first start shows."""

    reason = "UNDECLARED_KEY"

    def __init__(self, service: str, key: str) -> None:
        super().__init__(f"{service} reads {key}, but does not declare it in meshkit/configuration/keys_by_service.py")
        self.service = service
        self.key = key


@dataclass(frozen=True, slots=True)
class ServiceKeys:
    """What one service reads."""

    service: str
    keys: frozenset[str]

    def view(self, configuration: "Configuration") -> "Configuration":
        """Return the configuration with nothing to be read but these keys; any other raises UndeclaredKey."""
        return cast("Configuration", _View(self, configuration, ""))

    @property
    def places(self) -> tuple[str, ...]:
        """Return the keys as places in the file, `solution.mesh.feeds` for example, in the order of their names."""
        return tuple(sorted(f"{_ROOT}.{key}" for key in self.keys))

    def has(self, place: str) -> bool:
        """Tell whether a place is one of these or below one."""
        return any(place == other or place.startswith(f"{other}.") for other in self.places)

    def leads_to(self, place: str) -> bool:
        """Tell whether one of these is below a place."""
        return any(other.startswith(f"{place}.") for other in self.places)


class _View:
    """A section of which only some keys can be read."""

    __slots__ = ("_declared", "_place", "_section")

    def __init__(self, declared: ServiceKeys, section: "BaseModel", place: str) -> None:
        self._declared = declared
        self._section = section
        self._place = place

    def __getattr__(self, name: str) -> Any:
        field = type(self._section).model_fields.get(name)
        if field is None:
            raise AttributeError(name)
        place = f"{self._place}.{field.alias}".lstrip(".")
        if self._declared.has(place):
            return getattr(self._section, name)
        if not self._declared.leads_to(place):
            raise UndeclaredKey(self._declared.service, place)
        value = getattr(self._section, name)
        return _View(self._declared, value, place) if hasattr(type(value), "model_fields") else value


def _declare(service: str, *keys: str) -> ServiceKeys:
    return ServiceKeys(service, frozenset(keys))


POSTGRES: Final = _declare("postgres", "mesh.dataDir", "pgPort", "mesh.postgres")
"""What dbinit makes the cluster and the server's settings of."""

DBINIT: Final = _declare("dbinit", *POSTGRES.keys, "pgUser", "pgPassword", "totalNodes")

AGGREGATOR: Final = _declare(
    "price-aggregator", "priceAggregatorConfig", *("mesh.aggregator", "mesh.feeds", "mesh.egress", "mesh.network")
)

METRICS: Final = _declare(
    "process-metrics",
    *("metricsPush", "mesh.ports.metrics", "mesh.egress"),
    # Where the process metrics go if they have no section of their own.
    "priceAggregatorConfig.metricsPush",
    # Where the pages of other processes are, and the disk that is watched.
    *("mesh.ports.nodeApiBase", "priceAggregatorConfig.port", "mesh.dataDir"),
    # What the verdict demands: a young answer of every feed, and enough oracles.
    *("totalNodes", "bootstrapNodes", "mesh.ocr", "mesh.supervisor.answerMarginSeconds"),
    *("mesh.feeds", "mesh.feedSettings"),
)

NODE: Final = _declare(
    "chainlink-node",
    *("spSecretsDir", "mesh.dataDir", "mesh.ports.nodeApiBase", "mesh.ports.nodeP2PBase", "bootstrapNodes"),
    *("pgPort", "pgPassword", "chainlinkEmail", "chainlinkPassword", "chainlinkKeystorePassword"),
    *("chainlinkChainId", "chainlinkNodeName", "chainlinkRpcWsUrl", "chainlinkRpcHttpUrl", "chainlinkGasPrice"),
    *("mesh.rpcEndpoints", "mesh.network.nodeHosts", "mesh.postgres.url"),
)
"""What the operator writes a node's files of; a node reads nothing else."""

OPERATOR: Final = _declare(
    "operator",
    *NODE.keys,
    *(
        "totalNodes",
        "mesh.network",
        "mesh.keystore",
        "mesh.feeds",
        "mesh.feedSettings",
        "chainlinkFeedTemplatesDir",
        "mesh.contracts",
        "mesh.ocr",
        "priceAggregatorConfig.port",
    ),
    *("faucetPrivateKey", "faucetMinWei", "faucetTopupWei", "balanceTopupCheckIntervalMs", "balanceTopupRequired"),
    *("setConfigBatchSize", "mesh.egress", "linkCa", "adminContractAddress"),
)

SERVED_NODE: Final = _declare(
    "served-node",
    *("totalNodes", "bootstrapNodes", "priceAggregatorConfig.port"),
    *("mesh.network", "mesh.ports", "mesh.dataDir", "mesh.runDir", "mesh.runtime", "mesh.manualJobRuns"),
    "mesh.egress",
)
"""What `feedmesh serve node` reads where the node's files were made elsewhere."""

SUPERVISOR: Final = _declare(
    "supervisor",
    *("maxRestarts", "totalNodes", "bootstrapNodes", "pgPort", "priceAggregatorConfig.port"),
    *(
        "spSecretsDir",
        "mesh.runDir",
        "mesh.dataDir",
        "mesh.runtime",
        "mesh.manualJobRuns",
        "mesh.egress",
        "mesh.ports",
        "mesh.devchain",
        "mesh.market",
        "mesh.supervisor",
    ),
    # Who is elsewhere is not its business, and it says so.
    *("mesh.network", "mesh.postgres.url"),
    *("chainlinkChainId", "faucetPrivateKey"),
    # What the operator will do with a change of these is told before it is applied.
    *("mesh.feeds", "mesh.contracts", "chainlinkFeedTemplatesDir", "mesh.feedSettings", "mesh.ocr"),
)
"""What the plan follows from; the supervisor itself compares plans, and is never restarted."""

DECLARED: Final = (SUPERVISOR, DBINIT, POSTGRES, AGGREGATOR, METRICS, OPERATOR, NODE)
