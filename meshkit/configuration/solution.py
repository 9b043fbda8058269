"""`configuration.json`: the deployment's whole input."""

from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr

from meshkit.configuration.addresses import Address, HttpUrl, WebSocketUrl
from meshkit.configuration.aggregator import PriceAggregatorConfig, ProcessMetricsPush
from meshkit.configuration.faults.wording import Words
from meshkit.configuration.mesh import MOST_NODES, Mesh
from meshkit.configuration.model import Section, without_effect
from meshkit.paths import SP_SECRETS_DIR

PrivateKey = Annotated[
    SecretStr, Field(min_length=64, max_length=66), Words("a private key: 64 hexadecimal digits, perhaps after 0x")
]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$"), Words("an e-mail address")]
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
        "chainlink_node",
        "each node has a database of its own, whose name never changes, lest a node forgets what it has signed: "
        "chainlink_node_1 and so on.",
        min_length=1,
    )
    pg_port: int = Field(5432, ge=1, le=65_535, description="PostgreSQL's port on 127.0.0.1.")
    chainlink_email: Email = Field(description="Login of the nodes' API.")
    chainlink_password: SecretStr = Field(min_length=16, max_length=50, description="Password of the nodes' API.")
    chainlink_keystore_password: SecretStr = Field(min_length=16, description="Password of the nodes' keystores.")
    chainlink_chain_id: int = Field(gt=0, description="EVM chain id.")
    chainlink_node_name: str = Field("primary", description="Name of the RPC node in the nodes' files.")
    chainlink_rpc_ws_url: WebSocketUrl = Field(description="WebSocket RPC; beyond this host wss only.")
    chainlink_rpc_http_url: HttpUrl = Field(description="HTTP RPC; beyond this host https only.")
    chainlink_gas_price: Wei = Field(1_000_000_000, description="Gas price of every transaction, in wei.")
    chainlink_node_sc_address: Address | None = without_effect(
        None, "nodes are not registered in a contract; each feed's contract knows its oracles."
    )
    chainlink_feed_templates_dir: str | None = Field(
        None,
        description="Directory of job templates, `*.toml`: each is a feed beside those of `mesh.feeds`, and its jobs "
        "are made of it. Contract addresses may lie there in `feed-cas.json`.",
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
    link_ca: Address | None = Field(
        None,
        description="LINK token named by contracts that are deployed here. Oracles are not paid, so it may be absent.",
    )
    admin_contract_address: Address | None = Field(
        None,
        description="Contract that knows the admin of feeds whose configuration is set in two parts: timings by their "
        "owner, oracles by the admin. Node 1's account is registered there, by the certificates in "
        "`mesh.contracts.adminCertificatesDir`, as soon as such a feed needs new oracles.",
    )
    diamond_contract_address: Address | None = without_effect(
        None, "the admin is registered at `adminContractAddress` itself, and no other contract is asked for that."
    )
    faucet_private_key: PrivateKey = Field(description="Key of the account that funds the transmitters.")
    balance_topup_check_interval_ms: int = Field(3_600_000, ge=1000, description="Time between balance checks.")
    faucet_min_wei: Wei = Field(10**16, description="Balance below which a transmitter is topped up.")
    faucet_topup_wei: Wei = Field(
        2 * 10**16,
        description="Amount of one top-up; it must pay for one transmission at `chainlinkGasPrice` at least. What "
        "deployments usually give, 10^13, pays for none at the default gas price.",
    )
    balance_topup_required: bool = Field(
        False, description="End the operator, and after its restarts the mesh, if a top-up cannot be paid."
    )
    price_aggregator_config: PriceAggregatorConfig = Field(PriceAggregatorConfig(), description="The price aggregator.")
    metrics_push: ProcessMetricsPush | None = Field(
        None,
        description="Push of the process metrics; absent to push them where the aggregator's go, if those are pushed.",
    )
    mesh: Mesh = Field(Mesh(), description="Our own settings.")
    signature: str | None = Field(
        None,
        description="Signature over the rest of `solution`, without the order of lists; `feedmesh config sign` makes "
        "it. With CONFIGURATION_PUBLIC_KEY in the environment nothing starts without a valid one.",
    )


class Configuration(Section):
    """The file."""

    solution: Solution = Field(description="The solution.")
