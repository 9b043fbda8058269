"""`configuration.json`: the deployment's whole input."""

from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr, StringConstraints, model_validator

from meshkit.configuration.aggregator import PriceAggregatorConfig, ProcessMetricsPush
from meshkit.configuration.mesh import MOST_NODES, Mesh
from meshkit.configuration.model import Section, without_effect

Address = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{40}$")]
SP_SECRETS_DIR = "/sp/secrets"
PrivateKey = Annotated[SecretStr, Field(min_length=64, max_length=66)]
Wei = Annotated[int, Field(ge=0)]


def _split(value: object) -> object:
    """Accept the deployment's form of a list of numbers, `1 2 3`."""
    return tuple(value.split()) if isinstance(value, str) else value


NodeList = Annotated[tuple[int, ...], BeforeValidator(_split)]


class Solution(Section):
    """The solution: database, nodes, chain, aggregator, mesh."""

    pg_user: str = Field("chainlink", min_length=1, description="Group role that owns nothing and joins the nodes.")
    pg_password: SecretStr = Field(min_length=8, description="Secret the nodes' database passwords are derived from.")
    pg_database: str = without_effect(
        "chainlink_node", "each node has a database of its own: chainlink_node_1 and so on.", min_length=1
    )
    pg_port: int = Field(5432, ge=1, le=65_535, description="PostgreSQL's port on 127.0.0.1.")
    chainlink_email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$", description="Login of the nodes' API.")
    chainlink_password: SecretStr = Field(min_length=16, max_length=50, description="Password of the nodes' API.")
    chainlink_keystore_password: SecretStr = Field(min_length=16, description="Password of the nodes' keystores.")
    chainlink_chain_id: int = Field(gt=0, description="EVM chain id.")
    chainlink_node_name: str = Field("primary", description="Name of the RPC node in the nodes' files.")
    chainlink_rpc_ws_url: str = Field(pattern=r"^wss?://", description="WebSocket RPC.")
    chainlink_rpc_http_url: str = Field(pattern=r"^https?://", description="HTTP RPC.")
    chainlink_gas_price: Wei = Field(1_000_000_000, description="Gas price of every transaction, in wei.")
    chainlink_node_sc_address: Address | None = without_effect(
        None, "nodes are not registered in a contract; each feed's contract knows its oracles."
    )
    chainlink_feed_templates_dir: str | None = without_effect(
        None, "jobs are made from the list of known feeds (`feedmesh feeds --known`), not from templates."
    )
    max_restarts: int = Field(3, ge=0, description="Crashes of one service after which the mesh stops.")
    set_config_batch_size: int = Field(10, ge=1, description="Feeds configured on chain in one batch.")
    sp_secrets_dir: str = Field(
        SP_SECRETS_DIR,
        description="Directory of what cannot be made again: below it, in `cl-secrets`, are the nodes' keys and the "
        "addresses of contracts. A value anywhere in the file that is a path below it is read from that file.",
    )
    total_nodes: int = Field(5, ge=5, le=MOST_NODES, description="Number of nodes: bootstrap and oracles.")
    bootstrap_nodes: int = Field(1, ge=1, le=8, description="How many of them are bootstrap nodes.")
    nodes_list: NodeList = Field((), description="Numbers of the nodes; absent for 1 to totalNodes.")
    primary_nodes: NodeList = without_effect((), "no oracle is before the others: the protocol chooses among them.")
    link_ca: Address | None = without_effect(None, "oracles are not paid, so a feed's contract has no LINK token.")
    admin_contract_address: Address | None = without_effect(
        None, "the operator's account owns the feeds' contracts itself, without a helper contract."
    )
    diamond_contract_address: Address | None = without_effect(
        None, "each feed has a contract of its own; nothing is routed through a common one."
    )
    faucet_private_key: PrivateKey = Field(description="Key of the account that funds the transmitters.")
    balance_topup_check_interval_ms: int = Field(3_600_000, ge=1000, description="Time between balance checks.")
    faucet_min_wei: Wei = Field(20_000_000_000_000, description="Balance below which a transmitter is topped up.")
    faucet_topup_wei: Wei = Field(10_000_000_000_000, description="Amount of one top-up.")
    balance_topup_required: bool = Field(
        False, description="End the operator, and after its restarts the mesh, if a top-up cannot be paid."
    )
    price_aggregator_config: PriceAggregatorConfig = Field(PriceAggregatorConfig(), description="The price aggregator.")
    metrics_push: ProcessMetricsPush | None = Field(None, description="Push of the process metrics.")
    mesh: Mesh = Field(Mesh(), description="Our own settings.")
    signature: str | None = Field(None, description="Signature over the rest of `solution`.")

    @model_validator(mode="after")
    def _nodes_agree(self) -> "Solution":
        expected = tuple(range(1, self.total_nodes + 1))
        if self.nodes_list and tuple(sorted(self.nodes_list)) != expected:
            raise ValueError(f"nodesList must name the nodes 1 to totalNodes ({self.total_nodes}) once each")
        oracles = self.total_nodes - self.bootstrap_nodes
        if oracles < 4:
            raise ValueError(f"totalNodes - bootstrapNodes must be at least 4 oracles, found {oracles}")
        hosts = self.mesh.network.node_hosts
        if hosts and len(hosts) != self.total_nodes:
            raise ValueError(
                f"mesh.network.nodeHosts must name {self.total_nodes} hosts (totalNodes), found {len(hosts)}"
            )
        if oracles > 31:
            raise ValueError(f"totalNodes - bootstrapNodes must be at most 31 oracles, found {oracles}")
        return self

    @model_validator(mode="after")
    def _endpoints_differ(self) -> "Solution":
        # Nodes refuse to start with two endpoints of one name or address.
        endpoints = self.mesh.rpc_endpoints
        for name, values in (
            ("name", [self.chainlink_node_name, *(endpoint.name for endpoint in endpoints)]),
            ("httpUrl", [self.chainlink_rpc_http_url, *(endpoint.http_url for endpoint in endpoints)]),
            ("wsUrl", [self.chainlink_rpc_ws_url, *(endpoint.ws_url for endpoint in endpoints)]),
        ):
            for position, value in enumerate(values[1:]):
                if value in values[: position + 1]:
                    raise ValueError(f"mesh.rpcEndpoints[{position}].{name} is that of another endpoint")
        return self


class Configuration(Section):
    """The file."""

    solution: Solution = Field(description="The solution.")
