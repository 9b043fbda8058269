"""What the operator takes from the mesh's configuration."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from chainlink.rpc.endpoints import Endpoint
from meshkit import feeds, log
from meshkit.configuration.feeds.served_feeds import ServedFeed, feed_list
from meshkit.configuration.feeds.timings import FeedTimings, timings
from meshkit.configuration.postgres_url import PostgresUrl
from meshkit.configuration.solution import Configuration
from meshkit.credentials import database_password
from meshkit.ethereum.address import checksummed
from meshkit.job_templates.template import JobTemplate
from meshkit.paths import SP_CERTIFICATES_DIR, DataDir, SecretsDir

# The PriceMax of deployments: a thousand gwei.
# The gas that the nodes' configuration gives a transmission: more than one of 31 oracles takes (235 thousand).
TRANSMISSION_GAS = 500_000
_MOST_GAS_PRICE_WEI = 1000 * 10**9


@dataclass(frozen=True, slots=True)
class FeedTarget:
    """
    Hold one configured feed.

    Attributes:
        address: Set if its contract was deployed by somebody else.
        ocr: What the protocol goes by for it; None for what all feeds have.
        ocr_version: That of the protocol by which its oracles agree, 1 or 2, and so of its contract and its jobs.
        template: What its jobs are made of; None for a pipeline of our own.
    """

    name: str
    decimals: int
    address: str | None = None
    ocr: FeedTimings | None = None
    ocr_version: int = 1
    template: JobTemplate | None = None


@dataclass(frozen=True, slots=True)
class Ports:
    """
    Hold the loopback ports that node files and requests name; node i has base + i.

    `node_hosts` are where the nodes meet each other, in the order of their numbers; empty if all are on this machine.
    """

    postgres: int
    aggregator: int
    node_api_base: int
    node_p2p_base: int
    node_hosts: tuple[str, ...] = ()

    def node_api(self, index: int) -> int:
        """Return the port of a node's REST API."""
        return self.node_api_base + index

    def node_host(self, index: int) -> str:
        """Return the host at which a node's peers dial it, in brackets if they are needed."""
        host = self.node_hosts[index - 1] if self.node_hosts else "127.0.0.1"
        return f"[{host}]" if ":" in host else host

    def node_p2p(self, index: int) -> int:
        """Return the port that a node's peers dial."""
        return self.node_p2p_base + index


@dataclass(frozen=True, slots=True)
class Credentials:
    """Hold every secret that the operator hands to nodes or uses itself."""

    api_email: str
    api_password: str = field(repr=False)
    keystore_password: str = field(repr=False)
    pg_password: str = field(repr=False)
    faucet_private_key: str = field(repr=False)

    def database_password(self, index: int) -> str:
        """Return the password of a node's database role."""
        return database_password(self.pg_password, index)


@dataclass(frozen=True, slots=True)
class ChainSettings:
    """Hold where the chain is and what its gas costs, in wei; `others` stand in for the first endpoint."""

    chain_id: int
    http_url: str
    ws_url: str
    name: str
    gas_price_wei: int
    others: tuple[Endpoint, ...] = ()

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return all endpoints, best first."""
        first = Endpoint(self.name, self.http_url, self.ws_url)
        # The lower its order, the sooner a node prefers an endpoint.
        return tuple(replace(endpoint, order=1 + i) for i, endpoint in enumerate((first, *self.others)))

    @property
    def most_gas_price_wei(self) -> int:
        """Return the most that a transaction may offer where the chain wants more than is configured."""
        return max(_MOST_GAS_PRICE_WEI, self.gas_price_wei)


@dataclass(frozen=True, slots=True)
class FundingSettings:
    """
    Hold when and by how much transmitters are topped up, in wei and milliseconds.

    With `required` a top-up that the faucet cannot pay ends the operator, and with it, after its restarts, the mesh.
    `usual_gas_price_wei` is the price of gas that minimum and amount were made for, None if nobody knows.
    """

    minimum_wei: int
    topup_wei: int
    interval_ms: int
    required: bool = False
    usual_gas_price_wei: int | None = None


@dataclass(frozen=True, slots=True)
class OperatorConfig:
    """
    Hold the operator's whole configuration; node i, from 1, is a bootstrap node if i ≤ `bootstrap_nodes`.

    `postgres` is a server that is not ours. `feed_faults` say what of templates and addresses cannot be read: the list
    of feeds may lack some then, or their addresses. `templates` counts the files in `templates_directory`.
    """

    data: DataDir
    secrets: SecretsDir
    total_nodes: int
    bootstrap_nodes: int
    feeds: tuple[FeedTarget, ...]
    ports: Ports
    credentials: Credentials
    chain: ChainSettings
    funding: FundingSettings
    ocr: FeedTimings
    scrypt_n: int
    deploy_contracts: bool
    replace_oracles: bool
    transaction_batch: int
    egress: tuple[str, ...] | None = None
    postgres: PostgresUrl | None = None
    ocr2_code_file: Path | None = None
    link_token: str | None = None
    admin_contract: str | None = None
    admin_certificates: Path = Path(SP_CERTIFICATES_DIR)
    feed_faults: tuple[str, ...] = ()
    templates_directory: str | None = None
    templates: int = 0

    @classmethod
    def of(cls, configuration: Configuration) -> "OperatorConfig":
        """
        Take the operator's part of a configuration and register the passwords derived from it with the log.

        Raises:
            UnknownFeed: for a feed of the list that is not known.
        """
        for name in configuration.solution.mesh.feeds:
            feeds.get(name)
        solution, mesh = configuration.solution, configuration.solution.mesh
        listing = feed_list(solution)
        credentials = Credentials(
            api_email=solution.chainlink_email,
            api_password=solution.chainlink_password.get_secret_value(),
            keystore_password=solution.chainlink_keystore_password.get_secret_value(),
            pg_password=solution.pg_password.get_secret_value(),
            faucet_private_key=solution.faucet_private_key.get_secret_value(),
        )
        config = cls(
            data=DataDir(mesh.data_dir),
            secrets=SecretsDir(Path(solution.sp_secrets_dir).absolute()),
            total_nodes=solution.total_nodes,
            bootstrap_nodes=solution.bootstrap_nodes,
            feeds=tuple(_target(feed) for feed in listing.served),
            ports=Ports(
                postgres=solution.pg_port,
                aggregator=solution.price_aggregator_config.port,
                node_api_base=mesh.ports.node_api_base,
                node_p2p_base=mesh.ports.node_p2p_base,
                node_hosts=mesh.network.node_hosts,
            ),
            credentials=credentials,
            chain=ChainSettings(
                chain_id=solution.chainlink_chain_id,
                http_url=solution.chainlink_rpc_http_url,
                ws_url=solution.chainlink_rpc_ws_url,
                name=solution.chainlink_node_name,
                gas_price_wei=solution.chainlink_gas_price,
                others=tuple(Endpoint(other.name, other.http_url, other.ws_url) for other in mesh.rpc_endpoints),
            ),
            funding=FundingSettings(
                minimum_wei=solution.faucet_min_wei,
                topup_wei=solution.faucet_topup_wei,
                interval_ms=solution.balance_topup_check_interval_ms,
                required=solution.balance_topup_required,
                usual_gas_price_wei=solution.chainlink_gas_price,
            ),
            ocr=timings(mesh.ocr, None, None),
            scrypt_n=mesh.keystore.scrypt_n,
            # A feed's contract may be named in what cannot be read.
            deploy_contracts=mesh.contracts.deploy and not listing.problems,
            replace_oracles=mesh.contracts.replace_oracles,
            transaction_batch=solution.set_config_batch_size,
            egress=mesh.egress,
            ocr2_code_file=mesh.contracts.ocr2_code_file,
            link_token=_checksummed(solution.link_ca),
            admin_contract=_checksummed(solution.admin_contract_address),
            admin_certificates=mesh.contracts.admin_certificates_dir,
            feed_faults=tuple(map(str, listing.problems)),
            templates_directory=solution.chainlink_feed_templates_dir,
            templates=len(listing.templates),
            postgres=PostgresUrl.parse(url.get_secret_value()) if (url := mesh.postgres.url) is not None else None,
        )
        for index in config.node_indexes:
            log.add_secret(credentials.database_password(index))
        return config

    @property
    def node_indexes(self) -> range:
        """Return the numbers of all nodes."""
        return range(1, self.total_nodes + 1)

    def node_name(self, index: int) -> str:
        """Return a node's service name."""
        return f"chainlink-node-{index}"

    @property
    def has_ocr2(self) -> bool:
        """Tell whether a feed is served by OCR2."""
        return any(feed.ocr_version == 2 for feed in self.feeds)

    def is_bootstrap(self, index: int) -> bool:
        """Tell whether a node only helps others to find each other."""
        return index <= self.bootstrap_nodes

    def ocr_of(self, feed: FeedTarget) -> FeedTimings:
        """Return what the protocol goes by for a feed."""
        return self.ocr if feed.ocr is None else feed.ocr


def _target(feed: ServedFeed) -> FeedTarget:
    return FeedTarget(
        feed.name,
        feed.decimals,
        # Nodes take an address only in its checksummed spelling.
        _checksummed(feed.address),
        feed.timings,
        feed.ocr_version,
        feed.template,
    )


def _checksummed(address: str | None) -> str | None:
    return None if address is None else checksummed(address)
